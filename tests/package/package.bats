#!/usr/bin/env bats
# what a user gets: the Debian package and make install, man pages, completion.
# The package is built once, before the first test, and lies in build/deb.
load ../bats/helpers

setup_file() {
	local tree
	tree=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	make -C "$tree" --no-print-directory deb >"$BATS_FILE_TMPDIR/log" 2>&1 || {
		tail -n 30 "$BATS_FILE_TMPDIR/log"
		return 1
	}
	# A private root: what a package manager lays down, and nothing else.
	export R=$BATS_FILE_TMPDIR/root DEB
	DEB=$(echo "$tree"/build/deb/ringfence_*.deb)
	mkdir -p "$R/var/lib/dpkg/updates" "$R/var/lib/dpkg/info"
	: >"$R/var/lib/dpkg/status"
	dpkg --root="$R" -i "$DEB" >"$BATS_FILE_TMPDIR/dpkg" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/dpkg"
		return 1
	}
}

on_path() {
	mkdir "$T/bin"
	ln -s "$R/usr/bin/ringfence" "$T/bin/ringfence"
	PATH=$T/bin:$PATH
}

options_of() { rf "$1" --help | grep -oE -- '^ +(-.,)? *--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort | paste -sd ' '; }

@test "package: every file is in its place, and nowhere else" {
	dpkg-deb --contents "$DEB" | awk '{ print $6 }' >"$T/files"
	for f in usr/bin/ringfence usr/share/man/man8/ringfence.8.gz \
		usr/share/bash-completion/completions/ringfence usr/share/zsh/site-functions/_ringfence \
		usr/share/fish/vendor_completions.d/ringfence.fish etc/containers/containers.conf.d/50-ringfence.conf \
		usr/share/doc/ringfence/copyright \
		usr/share/doc/ringfence/changelog.gz; do
		grep -qxF "./$f" "$T/files" || { echo "no $f in the package"; return 1; }
	done
	# debhelper compresses what is longer than 4 KiB.
	grep -qxE '\./usr/share/doc/ringfence/README\.md(\.gz)?' "$T/files"
	for v in $(rf generate verbs); do
		grep -qxF "./usr/share/man/man8/ringfence-$v.8.gz" "$T/files" || { echo "no page of $v"; return 1; }
	done
	run grep -vE '^\./($|etc/|usr/($|bin/($|ringfence$)|share/))' "$T/files"
	exit_is 1
}

@test "package: one version in the program, the pages, the package and its changelog" {
	v=$(sed -n 's/^VERSION := //p' "$top/Makefile")
	[ "$(dpkg-deb -f "$DEB" Version)" = "$v" ]
	[ "$(dpkg-parsechangelog -l "$top/packaging/debian/changelog" -S Version)" = "$v" ]
	[ "$("$R/usr/bin/ringfence" --version | sed -n 's/^ringfence version //p')" = "$v" ]
	zcat "$R/usr/share/man/man8/ringfence-run.8.gz" | grep -qF "ringfence $v"
	grep -q "^## $v" "$top/CHANGELOG.md"
}

@test "package: lintian finds no error and no warning" {
	need lintian
	run lintian --allow-root --fail-on error,warning "$DEB"
	ok
}

@test "package: the program is hardened" {
	bin=$R/usr/bin/ringfence
	readelf -hW "$bin" | grep -qE 'Type: +DYN'
	readelf -dW "$bin" >"$T/dynamic"
	readelf -lW "$bin" >"$T/segments"
	readelf -SW "$bin" >"$T/sections"
	grep -qE 'FLAGS_1.*NOW.*PIE' "$T/dynamic"
	grep -q GNU_RELRO "$T/segments"
	grep -qE 'GNU_STACK.* RW +0x' "$T/segments"
	# No library, no loader, no segment both writable and executable, no symbols.
	[ "$(grep -c NEEDED "$T/dynamic")" = 0 ]
	[ "$(grep -c INTERP "$T/segments")" = 0 ]
	[ "$(grep -cE '^ +LOAD.* RWE ' "$T/segments")" = 0 ]
	[ "$(grep -cE '\.(debug_|symtab)' "$T/sections")" = 0 ]
	[ ! -u "$bin" ]
	[ ! -g "$bin" ]
}

@test "package: every object of ours carries the mark of control-flow protection" {
	[ "$(uname -m)" = x86_64 ] || skip "marks of this kind are x86's"
	# The linked program can't: Debian's C library is built without.
	find "$top/build/deb" -name '*.o' >"$T/objects"
	[ "$(wc -l <"$T/objects")" -gt 50 ]
	while read -r o; do
		readelf -nW "$o" | grep -q 'IBT, SHSTK' || { echo "$o has none"; return 1; }
	done <"$T/objects"
}

@test "package: the installed program runs a container" {
	sh_args 'echo it runs'
	[ "$("$R/usr/bin/ringfence" --root "$T/state" run -b "$b" "$id" </dev/null)" = "it runs" ]
}

@test "package: removed, the configuration stays; purged, nothing does" {
	cp -a "$R" "$T/root"
	dpkg --root="$T/root" -r ringfence
	[ ! -e "$T/root/usr/bin/ringfence" ]
	[ -e "$T/root/etc/containers/containers.conf.d/50-ringfence.conf" ]
	dpkg --root="$T/root" -P ringfence
	[ -z "$(find "$T/root" -name '*ringfence*' -not -path '*/var/lib/dpkg/*')" ]
}

@test "make install and uninstall: DESTDIR and PREFIX, and nothing is left" {
	make -C "$top" --no-print-directory install DESTDIR="$T/d" PREFIX=/opt/rf >/dev/null
	"$T/d/opt/rf/bin/ringfence" --version
	[ "$(find "$T/d" -name '*.8' | wc -l)" -eq "$(($(rf generate verbs | wc -l) + 1))" ]
	[ -z "$(find "$T/d" -type f -not -path "$T/d/opt/rf/*")" ]
	[ -z "$(find "$T/d" -type f -size 0)" ]
	make -C "$top" --no-print-directory uninstall DESTDIR="$T/d" PREFIX=/opt/rf >/dev/null
	[ -z "$(find "$T/d" -type f)" ]
}

@test "man pages: man finds no fault with any, mandoc nothing but long lines" {
	need man
	need mandoc
	for page in "$R"/usr/share/man/man8/*.8.gz; do
		zcat "$page" >"$T/page.8"
		[ -z "$(MANWIDTH=80 man --warnings -l "$T/page.8" 2>&1 >"$T/text")" ] || { echo "man: $page"; return 1; }
		[ "$(wc -l <"$T/text")" -gt 15 ]
		run bash -c "mandoc -T lint '$T/page.8' | grep -v 'line longer than 80'"
		[ -z "$output" ] || { echo "$page: $output"; return 1; }
	done
}

@test "man pages: every option that --help names stands in its page" {
	for v in $(rf generate verbs); do
		rf generate man "$v" | sed 's/\\-/-/g; s/\\f[BIR]//g' >"$T/page"
		for o in $(options_of "$v"); do
			grep -qE -- "(^|, )$o( |$)" "$T/page" || { echo "no $o in the page of $v"; return 1; }
		done
		grep -q '^.SH EXIT STATUS' "$T/page"
	done
	rf generate man >"$T/page"
	for s in NAME SYNOPSIS DESCRIPTION "GLOBAL OPTIONS" "EXIT STATUS" ENVIRONMENT FILES EXAMPLES "SEE ALSO"; do
		grep -qx ".SH $s" "$T/page" || { echo "no $s"; return 1; }
	done
}

@test "man pages: the example of ringfence(8) works" {
	rf generate man | sed -n '/^.SH EXAMPLES/,/^.EE/p' | sed 's/\\-/-/g; /^\./d' >"$T/example"
	grep -q 'run -b b c1' "$T/example"
	mkdir "$T/there"
	cd "$T/there"
	# As it stands, but for a terminal, our own program and our own state.
	sed -i "s,^ringfence run,jq '.process.terminal = false' b/config.json >c \&\& mv c b/config.json\n&," "$T/example"
	sed -i "s,^ringfence,$RINGFENCE --root $T/state,; s,/bin/busybox,$(command -v busybox)," "$T/example"
	run bash -e "$T/example" <<<'echo from within'
	is "from within"
}

# What bash would offer for the words after "ringfence", as one line.
offers() { bash "$BATS_TEST_DIRNAME/complete.bash" "$R/usr/share/bash-completion/completions/ringfence" ringfence "$@" | sort | paste -sd ' '; }
offers_is() {
	local wanted=$1 got
	shift
	got=$(offers "$@")
	[ "$got" = "$wanted" ] || { echo "ringfence $*: '$got' instead of '$wanted'"; return 1; }
}

@test "bash completion: verbs, options, values, files" {
	offers_is "start state" st
	offers_is "list" --root "$T" lis
	offers_is "$(rf generate verbs | sort | paste -sd ' ')" ""
	offers_is "--root --rootless" --ro
	offers_is "microvm shared" create --isolation ""
	offers_is "microvm" create --isolation = m
	offers_is "json table" list -f ""
	offers_is "json text" lint --format ""
	offers_is "TERM" kill x T
	offers_is "restore resume" help re
	offers_is "$b" create --bundle "$T/"
	offers_is "$config" create --pid-file "$b/conf"
	offers_is "$config" lint "$b/conf"
	# A new container's name is nobody's to guess, and what follows CONTAINER is the command's.
	offers_is "" create ""
	offers_is "" exec x --
	for v in $(rf generate verbs); do
		offers_is "$(options_of "$v")" "$v" --
	done
}

@test "bash completion: ids of the containers that are there" {
	on_path
	up
	for v in start exec kill delete state ps events pause resume update; do
		offers_is "$id" --root "$T/state" "$v" "${id:0:3}"
		offers_is "$id" --root = "$T/state" "$v" ""
	done
	offers_is "$id" --root "$T/state" exec --user 0 ""
	down
}

@test "bash completion: bash-completion finds it by the program's name" {
	[ -r /usr/share/bash-completion/bash_completion ] || skip "bash-completion isn't installed"
	run bash -c ". /usr/share/bash-completion/bash_completion
		export XDG_DATA_DIRS=$R/usr/share
		_completion_loader ringfence; complete -p ringfence"
	has "-F _ringfence ringfence"
}

@test "zsh completion: verbs, options, values, ids, files" {
	need zsh
	on_path
	up
	while IFS='|' read -r typed wanted; do
		got=$(zsh -f "$BATS_TEST_DIRNAME/complete.zsh" "$R/usr/share/zsh/site-functions" "ringfence $typed" 3>&-)
		[ "${got% }" = "ringfence $wanted" ] || { echo "$typed: '$got' instead of '$wanted'"; return 1; }
	done <<-END
		feat|features
		--root /tmp lis|--root /tmp list
		create --iso|create --isolation
		create --isolation mi|create --isolation microvm
		exec --no-new-p|exec --no-new-privs
		help upd|help update
		lint $b/conf|lint $config
		--root $T/state state rft|--root $T/state state $id
	END
	down
}

@test "fish completion: verbs, options, values, ids" {
	need fish
	mkdir "$T/home"
	on_path
	up
	while IFS='|' read -r typed wanted; do
		got=$(HOME=$T/home fish --no-config -c "source $R/usr/share/fish/vendor_completions.d/ringfence.fish
			complete -C 'ringfence $typed'" 3>&- | cut -f1 | sort | paste -sd ' ')
		[ "$got" = "$wanted" ] || { echo "$typed: '$got' instead of '$wanted'"; return 1; }
	done <<-END
		st|start state
		--root /tmp lis|list
		create --iso|--isolation
		create --isolation |microvm shared
		help upd|update
		--root $T/state state rft|$id
	END
	down
}
