#!/usr/bin/env bats
# checkpoint and restore: what CRIU takes along only when it is asked to. Each option is shown by
# what it does; where this kernel or this CRIU can't, by what CRIU is asked for.
load helpers
load criu

setup_file() { criu_up; }

# What a helper holds, in a container of its own: hold WORD…
holder() {
	need_helper hold
	cp "$helpers/hold" "$b/rootfs/bin/"
	counter
	sh_args "exec >/tmp/held 2>&1; exec $(printf '%q ' hold "$@")"
}
is_held() { grep -qx held "$b/rootfs/tmp/held"; }
refused_without() {
	run dump
	exit_is 1
	has "$1"
	is_status running
}

# --- files and sockets ---

@test "--file-locks: a lock is refused without it, and held again with it" {
	need_criu
	holder lock /tmp/lock
	create
	start
	until_true is_held
	refused_without file-locks
	dump --file-locks
	flock -n "$b/rootfs/tmp/lock" true
	back --file-locks
	run flock -n "$b/rootfs/tmp/lock" true
	exit_is 1
	down
	flock -n "$b/rootfs/tmp/lock" true
}

@test "--ext-unix-sk: a socket with a peer outside is refused without it, and talks on with it" {
	need_criu
	need_helper notify
	mkdir "$T/s"
	# CRIU connects again to the name that the peer was bound to.
	holder socket "$T/s/peer"
	cfg --arg s "$T/s" '.mounts += [{destination: $s, type: "bind", source: $s, options: ["bind"]}]'
	"$helpers/notify" -l "$T/s/peer" >"$T/heard" 3>&- &
	peer=$!
	until_true test -S "$T/s/peer"
	create
	start
	until_true grep -qx 3 "$T/heard"
	refused_without ext-unix-sk
	dump --ext-unix-sk
	n=$(tail -n 1 "$T/heard")
	back --ext-unix-sk
	until_true grep -qx $((n + 3)) "$T/heard"
	[ "$(grep -cx 1 "$T/heard")" = 1 ]
	down
	kill "$peer"
}

@test "--link-remap: an open file whose name is gone, but not its last one" {
	need_criu
	counter
	sh_args 'echo kept >/tmp/a; ln /tmp/a /tmp/b; exec 5</tmp/a; rm /tmp/a
		until [ -e /tmp/go ]; do : >/tmp/up; usleep 20000; done; cat <&5 >/tmp/read; sleep 1000'
	create
	start
	until_true test -e "$b/rootfs/tmp/up"
	refused_without link-remap
	dump --link-remap
	touch "$b/rootfs/tmp/go"
	back
	until_true grep -qx kept "$b/rootfs/tmp/read"
	down
}

# --- a joined pid namespace ---

@test "a pid namespace joined by path is joined again" {
	need_criu
	counter
	# A first process that waits for whoever is left to it: a zombie would keep its number.
	unshare --pid --fork --kill-child sh -c 'while sleep 0.1; do :; done' "$T" 3>&- &
	owner=$!
	child() { first=$(pgrep -P "$owner"); }
	until_true child
	cfg --arg p "/proc/$first/ns/pid" '.linux.namespaces |= (map(select(.type != "pid")) + [{type: "pid", path: $p}])'
	# In the foreground, for a first process of the host that leaves zombies lying keeps their numbers.
	rf run -b "$b" "$id" </dev/null >"$T/run" 2>&1 3>&- &
	runner=$!
	until_true counted_past 3
	inside=$(awk '/^NSpid:/ { print $NF }' "/proc/$(pid)/status")
	dump
	wait "$runner" || true
	back
	n=$(count)
	until_true counted_past "$n"
	[ "$(stat -Lc %i "/proc/$(pid)/ns/pid")" = "$(stat -Lc %i "/proc/$first/ns/pid")" ]
	[ "$(awk '/^NSpid:/ { print $NF }' "/proc/$(pid)/status")" = "$inside" ]
	down
	kill -KILL "$owner"
	wait "$owner" || true
}

# --- memory ---

# On a port that the kernel says is free.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

@test "--page-server: memory goes to a server, the rest lies in the images" {
	need_criu
	need python3
	counter
	counting
	mkdir -p "$T/memory"
	port=$(free_port)
	criu page-server --images-dir "$T/memory" --address 127.0.0.1 --port "$port" -o "$T/server.log" -v4 </dev/null 3>&- &
	server=$!
	until_true grep -q "status-ready" "$T/server.log"
	dump --page-server "127.0.0.1:$port"
	wait "$server"
	[ -n "$(find "$T/memory" -name "pages-*.img" -size +16k)" ]
	[ -z "$(find "$T/img" -name "pages-*.img")" ]
	mv "$T"/memory/pagemap-* "$T"/memory/pages-* "$T/img/"
	n=$(count)
	back
	until_true counted_past "$n"
	down
}

# CRIU 4.1.1 as a service splices into descriptor -1 as soon as the first page that is asked for isn't the
# first that it holds. Then nothing is lost: the first container goes on, the second never was.
not_served() {
	cat "$T/err" "$T/dump"
	tail -n 3 "$T/lazy.log"
	grep -q 'splice: -1: Bad file descriptor' "$T/work/dump.log"
	run wait "$dumper"
	kill "$pager" 2>/dev/null || true
	rf delete --force "$id"
	id=$first
	is_status running
	n=$(count)
	until_true counted_past "$n"
	skip "criu could not serve its pages: $(grep -om 1 'page-pipe: splice.*' "$T/work/dump.log")"
}

@test "--lazy-pages, --status-fd: it goes on elsewhere before its memory has come" {
	need_criu
	need_criu_feature uffd-noncoop
	need python3
	counter
	counting
	port=$(free_port)
	mkfifo "$T/ready"
	exec 8<>"$T/ready"
	dump --lazy-pages --status-fd 8 --page-server "127.0.0.1:$port" >"$T/dump" 2>&1 &
	dumper=$!
	head -c 1 "$T/ready" | cmp - <(printf '\0')
	exec 8>&-
	kill -0 "$dumper"
	[ ! -s "$T/img/pages-1.img" ] || [ "$(stat -c %s "$T/img/pages-1.img")" -lt 65536 ]
	n=$(count)
	criu lazy-pages --page-server --address 127.0.0.1 --port "$port" --images-dir "$T/img" --work-dir "$T/work" \
		-o "$T/lazy.log" -v4 </dev/null 3>&- &
	pager=$!
	until_true test -S "$T/work/lazy-pages.socket"
	first=$id id=$id-2
	# A restore whose pager is gone may wait for ever.
	timeout 30 "$RINGFENCE" --root "$T/state" restore -d -b "$b" --image-path "$T/img" --work-path "$T/work" \
		--lazy-pages "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || not_served
	wait "$dumper" "$pager"
	until_true counted_past "$n"
	grep -q uffd "$T/lazy.log"
	[ ! -e "$T/state/$first" ]
	down
}

@test "--auto-dedup: images are freed as memory is restored" {
	need_criu
	counter
	counting
	dump
	before=$(stat -c %b "$T/img/pages-1.img")
	back --auto-dedup
	[ "$(stat -c %b "$T/img/pages-1.img")" -lt "$before" ]
	n=$(count)
	until_true counted_past "$n"
	down
}

# --- sessions ---

# on_terminal COMMAND…: in the background, with a terminal of its own as standard input.
on_terminal() {
	script -qc "$(printf '%q ' "$@") >$T/out 2>&1; readlink /proc/self/fd/0 >$T/tty; sh -c 'sleep 1000; :' $T" /dev/null </dev/null >/dev/null 2>&1 3>&- &
	terminal=$!
}
off_terminal() {
	kill "$terminal" 2>/dev/null || true # it hangs up with the session's leader
	wait "$terminal" || true
}

@test "a terminal from outside is that of the restore afterwards" {
	need_criu
	need script
	counter
	on_terminal "$RINGFENCE" --root "$T/state" run -d -b "$b" "$id"
	until_true counted_past 3
	dump || { cat "$T/work/dump.log"; return 1; }
	jq -e '.[0] | startswith("tty[")' "$T/img/streams.json"
	off_terminal
	rm "$T/tty"
	n=$(count)
	on_terminal "$RINGFENCE" --root "$T/state" restore -d -b "$b" --image-path "$T/img" --work-path "$T/work" "$id"
	until_true counted_past "$n" || { cat "$T/img/streams.json" "$T/img/descriptors.json" "$T/work/restore.log"; return 1; }
	until_true test -s "$T/tty"
	[ "$(readlink "/proc/$(pid)/fd/0")" = "$(cat "$T/tty")" ]
	down
	off_terminal
}

# --- what CRIU is asked for ---

# asks_for CRIU-FIELDS OPTION…: numbers of CRIU's published interface (rpc.proto, criu_opts).
dump_asks() {
	local want=$1
	shift
	run env PATH="$T/bin:$PATH" "$RINGFENCE" --root "$T/state" checkpoint --image-path "$T/img" "$@" "$id"
	exit_is 1
	asked "$want" "$@"
}
back_asks() {
	local want=$1
	shift
	run env PATH="$T/bin:$PATH" "$RINGFENCE" --root "$T/state" restore -d -b "$b" --image-path "$T/img" "$@" "$id" </dev/null
	refused why
	asked "$want" "$@"
}
asked() {
	local want
	for want in $1; do
		grep -qxF "$want" "$T/asked" || { echo "no $want in the request for ${*:2}:" && cat "$T/asked" && return 1; }
	done
}
not_asked() { ! grep -E "^($1)=" "$T/asked" || { echo "asked for without the option" && return 1; }; }

@test "every option of checkpoint is in the request, and none without it" {
	criu_that_says '\x08\x01\x10\x00\x4a\x03why'
	counter
	counting
	dump_asks "34=3 24=1"
	not_asked "3|4|5|7|8|11|14|15|16|18|38|46|48|49|52|64"
	dump_asks 3=1 --leave-running
	dump_asks 4=1 --ext-unix-sk
	dump_asks 5=1 --tcp-established
	dump_asks 7=1 --shell-job
	dump_asks 8=1 --file-locks
	dump_asks "11='\\n\\t127.0.0.1\\x10\\x07'" --page-server 127.0.0.1:7
	dump_asks "14='../pre' 15=1" --parent-path ../pre
	dump_asks 15=1 --pre-dump
	dump_asks 16=1 --auto-dedup
	dump_asks 18=1 --link-remap
	dump_asks "34=4 24=1" --manage-cgroups-mode full
	dump_asks "34=5 24=1" --manage-cgroups-mode strict
	dump_asks "34=0 24=0" --manage-cgroups-mode ignore
	dump_asks 38=1073741824 --empty-ns network
	dump_asks 46=1 --tcp-skip-in-flight
	dump_asks 48=1 --lazy-pages
	dump_asks 12=1 --status-fd 0
	dump_asks 52=1 --tcp-close
	dump_asks 64=1 --network-lock iptables
	dump_asks 64=2 --network-lock nftables
	dump_asks 64=3 --network-lock skip
	run rf checkpoint --network-lock none "$id"
	has "isn't one of: iptables, nftables, skip"
	run rf checkpoint --status-fd 77 "$id"
	has "descriptor 77 isn't open"
	run rf checkpoint --status-fd x "$id"
	has "isn't a descriptor"
	down
}

@test "every option of restore is in the request, and none without it" {
	criu_that_says '\x08\x02\x10\x00\x4a\x03why'
	counter
	mkdir "$T/img"
	echo '["", "", ""]' >"$T/img/streams.json"
	back_asks "34=3 24=1"
	not_asked "4|5|7|8|16|38|48|52|53|63|64"
	back_asks 4=1 --ext-unix-sk
	back_asks 5=1 --tcp-established
	back_asks 7=1 --shell-job
	back_asks 8=1 --file-locks
	back_asks 16=1 --auto-dedup
	back_asks "34=4 24=1" --manage-cgroups-mode full
	back_asks "34=0 24=0" --manage-cgroups-mode ignore
	back_asks 38=1073741824 --empty-ns network
	back_asks 48=1 --lazy-pages
	back_asks 52=1 --tcp-close
	back_asks "53='apparmor:other'" --lsm-profile apparmor:other
	back_asks "63='system_u:object_r:x_t:s0'" --lsm-mount-context system_u:object_r:x_t:s0
	back_asks 64=2 --network-lock nftables
}

# --- the forms that restore shares with run ---

@test "checkpoint and restore without --image-path: a folder called checkpoint where the caller is" {
	need_criu
	counter
	counting
	cd "$T" || return 1
	rf checkpoint "$id" </dev/null 3>&-
	[ -e checkpoint/inventory.img ]
	[ -e checkpoint/dump.log ]
	mv "$config" "$b/other.json"
	n=$(count)
	rf restore -d -b "$b" --config other.json "$id" </dev/null >"$T/out" 2>&1 3>&-
	until_true counted_past "$n"
	[ -e checkpoint/restore.log ]
	down
}

@test "restore --keep: it stays, stopped, when it has ended" {
	need_criu
	counter
	sh_args 'echo up >/tmp/n; while [ ! -e /tmp/go ]; do usleep 20000; done; exit 7'
	create
	start
	until_true grep -q up "$b/rootfs/tmp/n"
	dump
	touch "$b/rootfs/tmp/go"
	# Where a file was a file must be again.
	rc=0
	rf restore --keep -b "$b" --image-path "$T/img" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || rc=$?
	[ "$rc" = 7 ] || { cat "$T/err"; return 1; }
	is_status stopped
	rf delete "$id"
}
