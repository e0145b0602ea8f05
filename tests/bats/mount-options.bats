#!/usr/bin/env bats
# Every word of the specification's table of mount options, by what the kernel says of the mount.
load helpers

# add NAME TYPE SOURCE OPTION…: mounts it at /m/NAME
add() {
	local n=$1 t=$2 s=$3
	shift 3
	mkdir -p "$b/rootfs/m/$n"
	jq --arg d "/m/$n" --arg t "$t" --arg s "$s" '.mounts += [{destination: $d, type: $t, source: $s, options: $ARGS.positional}]' \
		"$config" --args -- "$@" >"$config.new" && mv "$config.new" "$config"
}

# The words of each mount below /m, one line each: where, of the mount, tags, of the file system.
shown='awk "\$5 ~ \"^/m/\" { f = \"\"; for (i = 7; \$i != \"-\"; i++) f = f \$i \",\"; print \$5, \",\" \$6 \",\", \",\" f, \",\" \$NF \",\" }" /proc/self/mountinfo'

# seen PLACE COLUMN WORD / unseen: about what `shown` printed. Columns: 2 mount, 3 tags, 4 file system
seen() {
	awk -v p="$1" -v c="$2" -v w="$3" '$1 == p { n++; if ($c ~ "," w) y++ } END { exit !(n == 1 && y) }' <<<"$output" ||
		{ echo "$1: no $3 in: $output"; return 1; }
}
unseen() {
	awk -v p="$1" -v c="$2" -v w="$3" '$1 == p { n++; if ($c ~ "," w) y++ } END { exit !(n == 1 && !y) }' <<<"$output" ||
		{ echo "$1: $3 in: $output"; return 1; }
}

# host_tree MOUNT-OPTIONS [COMMAND]: a container that binds a host's mount with one below it, both with
# these options, in a view that goes with it.
host_tree() {
	mkdir -p "$T/src"
	cat >"$T/steps" <<-S
		mount -t tmpfs -o "$1" none $T/src && mkdir $T/src/sub &&
			mount -t tmpfs -o "$1" none $T/src/sub && ${2:-true} || exit 99
		"$RINGFENCE" --root $T/state run -b $b $id
	S
	run unshare -m --propagation private bash "$T/steps" </dev/null
	ok
}

@test "words that set something, of a new mount and of a bind" {
	local w
	mkdir "$T/src"
	for w in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow; do
		add "$w" tmpfs none "$w"
		add "bind-$w" bind "$T/src" bind "$w"
	done
	add as-it-is bind "$T/src" bind
	sh_args "$shown"
	go
	ok
	for w in ro nosuid nodev noexec noatime nodiratime nosymfollow; do
		seen "/m/$w" 2 "$w,"
		seen "/m/bind-$w" 2 "$w,"
		unseen /m/as-it-is 2 "$w,"
	done
	seen /m/relatime 2 relatime,
}

@test "words that set something, alone and for all below" {
	local w
	for w in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow; do
		add "bind-$w" bind "$T/src" rbind "$w"
		add "r$w" bind "$T/src" rbind "${w/#ro/ro}"
		cfg --arg w "r$w" '.mounts[-1].options = ["rbind", $w]'
	done
	sh_args "$shown"
	host_tree strictatime
	for w in ro nosuid nodev noexec noatime nodiratime relatime nosymfollow; do
		seen "/m/bind-$w" 2 "$w,"
		unseen "/m/bind-$w/sub" 2 "$w,"
		seen "/m/r$w" 2 "$w,"
		seen "/m/r$w/sub" 2 "$w,"
	done
}

@test "words that take it back, alone and for all below" {
	local w
	for w in rw suid dev exec diratime symfollow; do
		add "$w" bind "$T/src" rbind "$w"
		add "r$w" bind "$T/src" rbind "r$w"
	done
	add as-it-is bind "$T/src" rbind
	sh_args "$shown"
	host_tree noatime,nodiratime "for m in $T/src/sub $T/src; do mount -o remount,bind,ro,nosuid,nodev,noexec,noatime,nodiratime,nosymfollow \$m; done"
	while read -r w no; do
		seen /m/as-it-is 2 "$no,"
		unseen "/m/$w" 2 "$no,"
		seen "/m/$w/sub" 2 "$no,"
		unseen "/m/r$w" 2 "$no,"
		unseen "/m/r$w/sub" 2 "$no,"
	done <<-END
		rw ro
		suid nosuid
		dev nodev
		exec noexec
		diratime nodiratime
		symfollow nosymfollow
	END
}

@test "access times: each of the words, alone and for all below" {
	local w
	for w in atime relatime norelatime strictatime nostrictatime; do
		add "$w" bind "$T/src" rbind "$w"
		add "r$w" bind "$T/src" rbind "r$w"
	done
	sh_args "$shown"
	host_tree noatime
	for w in atime relatime norelatime strictatime nostrictatime; do
		unseen "/m/$w" 2 noatime,
		seen "/m/$w/sub" 2 noatime,
		unseen "/m/r$w" 2 noatime,
		unseen "/m/r$w/sub" 2 noatime,
	done
	unseen /m/strictatime 2 relatime,
	unseen /m/rstrictatime/sub 2 relatime,
	seen /m/relatime 2 relatime,
	seen /m/rrelatime/sub 2 relatime,
	seen /m/nostrictatime 2 relatime,
	seen /m/rnostrictatime/sub 2 relatime,
}

@test "words of the file system: sync, dirsync, lazytime, and those that undo them" {
	local w
	for w in sync dirsync lazytime async nolazytime; do
		add "$w" tmpfs none "$w"
	done
	for w in defaults silent loud mand nomand noiversion; do
		add "$w" tmpfs none "$w" nosuid
	done
	add undone tmpfs none sync async lazytime nolazytime
	sh_args "$shown"
	go
	ok
	for w in sync dirsync lazytime; do
		seen "/m/$w" 4 "$w,"
	done
	for w in async nolazytime defaults silent loud mand nomand noiversion; do
		unseen "/m/$w" 4 sync,
		unseen "/m/$w" 4 lazytime,
	done
	for w in defaults silent loud mand nomand noiversion; do
		seen "/m/$w" 2 nosuid,
		unseen "/m/$w" 4 "$w,"
	done
	unseen /m/undone 4 sync,
	unseen /m/undone 4 lazytime,
}

# The kernel counts for itself and shows nobody the flag: what is looked at is the call.
@test "iversion reaches the kernel, and noiversion takes it back" {
	need strace
	need_helper probe
	[ "$("$helpers/probe" mount tmpfs 0x800000)" = ok ]
	add iversion tmpfs none iversion nosuid size=64k
	sh_args "$shown"
	run strace -f -qq -o "$T/trace" -e trace=mount "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
	ok
	grep -q ' mount(.*"tmpfs", MS_I_VERSION, "size=64k") = 0' "$T/trace" || { cat "$T/trace"; return 1; }
	seen /m/iversion 2 nosuid,
	seen /m/iversion 4 size=64k
	cfg '.mounts[-1].options += ["noiversion"]'
	run strace -f -qq -o "$T/trace" -e trace=mount "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
	ok
	! grep -q MS_I_VERSION "$T/trace"
}

@test "propagation: each of the eight words" {
	local w
	for w in private shared slave unbindable; do
		add "$w" bind "$T/src" rbind "$w"
		add "r$w" bind "$T/src" rbind "r$w"
	done
	sh_args "$shown"
	host_tree strictatime "mount --make-rshared $T/src"
	for w in private rprivate rprivate/sub; do
		unseen "/m/$w" 3 shared:
		unseen "/m/$w" 3 master:
		unseen "/m/$w" 3 unbindable
	done
	for w in shared rshared rshared/sub; do seen "/m/$w" 3 shared:; done
	for w in slave rslave rslave/sub; do
		seen "/m/$w" 3 master:
		unseen "/m/$w" 3 shared:
	done
	for w in unbindable runbindable runbindable/sub; do seen "/m/$w" 3 unbindable; done
	unseen /m/unbindable/sub 3 unbindable
}

@test "remount changes a mount that is there" {
	add first tmpfs none size=64k
	echo given >"$b/rootfs/m/first/f"
	add first tmpfs none remount ro nosuid
	sh_args "$shown; cat /m/first/f"
	run rf run -b "$b" "$id" </dev/null
	seen /m/first 2 ro,
	seen /m/first 2 nosuid,
	seen /m/first 4 size=64k
	hasnt given
}

@test "bind remount changes one bind" {
	mkdir -p "$T/src"
	echo given >"$T/src/f"
	add b bind "$T/src" bind
	add b none none bind remount ro noexec
	sh_args "$shown; cat /m/b/f; echo x >/m/b/g"
	go
	seen /m/b 2 ro,
	seen /m/b 2 noexec,
	has given
	[ ! -e "$T/src/g" ]
}
