#!/usr/bin/env bats
# verbs and flags in the forms that callers of runc and of crun know.
load helpers

setup_three() {
	for i in "$id" "$id-2" "$id-3"; do
		sh_args "exec sleep 1000"
		rf run -d -b "$b" "$i" </dev/null >"$T/out" 2>&1 3>&-
	done
}
is_stopped() { [ "$(status "$1")" = stopped ]; }

@test "kill --regex: every id with a match, and no other" {
	only_ours
	setup_three
	rf kill --regex "^$id-[2-9]\$" KILL
	until_true is_stopped "$id-2"
	until_true is_stopped "$id-3"
	[ "$(status)" = running ]
	rf kill -r "^$id\$" KILL
	until_true stopped
	rf delete -r "^$id"
	[ -z "$(rf list -q)" ]
}

@test "kill --regex: no match is no error; one that can't be killed is told" {
	only_ours
	setup_three
	rf kill -r 'no-such$' KILL
	rf kill "$id-2" KILL
	until_true is_stopped "$id-2"
	run rf kill -r "$id" KILL
	exit_is 1
	has "not running"
	until_true stopped
	until_true is_stopped "$id-3"
}

@test "kill, delete --regex: what is no regular expression is refused" {
	only_ours
	run rf kill -r 'x(' KILL
	exit_is 1
	has "regular expression"
	run rf delete -fr 'x['
	exit_is 1
}

@test "delete --regex: only stopped ones without --force" {
	only_ours
	setup_three
	rf kill "$id" KILL
	until_true stopped
	run rf delete -r "$id"
	exit_is 1
	[ "$(rf list -q | tr '\n' ' ')" = "$id-2 $id-3 " ]
	rf delete -rf "$id-[23]"
	[ -z "$(rf list -q)" ]
}

@test "ps of a stopped container lists nothing" {
	up
	rf kill "$id" KILL
	until_true stopped
	run rf ps "$id"
	ok
	[ "${#lines[@]}" = 1 ]
	has PID
	run rf ps -f json "$id"
	is null
}

@test "letters in one word: booleans, and a value at the end" {
	only_ours
	up
	run rf exec -eA=b "$id" env
	has A=b
	run rf exec -tu1000 "$id" id -u </dev/null
	has 1000
	run rf exec -tu 1000 "$id" id -u </dev/null
	has 1000
	rf exec -de A=b "$id" true </dev/null 3>&-
	run rf exec -dX "$id" true
	exit_is 1
	down
}

@test "exec: words that make no sense end with 1, a command that can't be run with 255" {
	up
	run rf exec
	exit_is 1
	run rf exec --no-such "$id" true
	exit_is 1
	run rf exec --preserve-fds x "$id" true
	exit_is 1
	run rf exec "$id"
	exit_is 255
	run rf exec "$id" no-such
	exit_is 255
	run rf exec no-such-id true
	exit_is 255
	run rf exec -- "$id" echo words
	is words
	down
}

@test "spec --file: another name, and never over a file that is there" {
	only_ours
	mkdir "$T/s"
	cd "$T/s" || return 1
	rf spec -f other.json
	[ "$(ls)" = other.json ]
	cmp other.json <(rf spec --file one.json && cat one.json)
	run rf spec -f other.json
	exit_is 1
	has exists
	rf spec -b "$T" --file "$T/s/absolute.json"
	cmp absolute.json other.json
}

# receive: somebody who waits for a pidfd at $T/pidfd and prints into $T/got.
receive() {
	need_helper recvpidfd
	"$helpers/recvpidfd" "$T/pidfd" >"$T/got" 2>&1 3>&- </dev/null &
	until_true test -S "$T/pidfd"
}
got() { [ "$(sed -n "${1}p" "$T/got")" = "$2" ]; }

@test "create --pidfd-socket: the first process as a descriptor" {
	only_ours
	sh_args "exec sleep 1000"
	receive
	create --pidfd-socket "$T/pidfd"
	until_true got 2 "$(pid)"
	got 1 standard
	start
	rf kill "$id" KILL
	until_true got 3 ended
	down
}

@test "run --pidfd-socket, and the annotation of crun" {
	only_ours
	sh_args "exec sleep 1000"
	receive
	rf run -d --pidfd-socket "$T/pidfd" --pid-file "$T/p" -b "$b" "$id" </dev/null >"$T/out" 2>&1 3>&-
	until_true got 2 "$(cat "$T/p")"
	rf delete -f "$id"
	until_true got 3 ended
	rm "$T/pidfd" "$T/got"
	receive
	cfg --arg s "$T/pidfd" '.annotations["run.oci.pidfd_receiver"] = $s'
	create
	until_true got 2 "$(pid)"
	rf delete -f "$id"
	until_true got 3 ended
}

@test "exec --pidfd-socket: the process of the exec" {
	only_ours
	up
	receive
	rf exec -d --pidfd-socket "$T/pidfd" --pid-file "$T/p" "$id" sleep 1000 </dev/null >"$T/out" 2>&1 3>&-
	until_true got 2 "$(cat "$T/p")"
	got 1 setns
	down
	until_true got 3 ended
}

@test "--pidfd-socket: where nobody listens nothing is made" {
	only_ours
	run rf create --pidfd-socket "$T/none" -b "$b" "$id"
	refused "pidfd socket"
	cfg '.annotations["run.oci.pidfd_receiver"] = "/no/such"'
	run rf create -b "$b" "$id"
	refused run.oci.pidfd_receiver
	cfg 'del(.annotations)'
	up
	run rf exec --pidfd-socket "$T/none" "$id" true
	exit_is 255
	down
}

# Directory of the container's group that holds the pids controller.
group_dir() {
	if cgroup_v2; then
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid)/cgroup")"
	else
		echo "/sys/fs/cgroup/$1$(awk -F: -v c="$1" '$2 == c { print $3 }' "/proc/$(pid)/cgroup")"
	fi
}
# where PID CONTROLLER
where() { awk -F: -v c="$2" '$2 == c { print $3 }' "/proc/$1/cgroup"; }

@test "exec --cgroup: a group below the container's, which must be there" {
	only_ours
	cfg 'del(.linux.resources)'
	up
	local d p
	run rf exec --cgroup below "$id" true
	exit_is 255
	has below
	run rf exec --cgroup ../.. "$id" true
	exit_is 255
	run rf exec --cgroup / "$id" true
	ok
	if cgroup_v2; then
		d=$(group_dir)
		mkdir "$d/below"
		rf exec -d --pid-file "$T/p" --cgroup /below "$id" sleep 1000 </dev/null >"$T/out" 2>&1 3>&-
		p=$(cat "$T/p")
		[ "$(where "$p" "")" = "$(where "$(pid)" "")/below" ]
		run rf exec --cgroup memory:/below "$id" true
		exit_is 255
		has "v2"
		kill -KILL "$p"
	else
		mkdir "$(group_dir pids)/below"
		run rf exec --cgroup pids:below --cgroup freezer:/ "$id" cat /proc/self/cgroup
		ok
		has ":pids:$(where "$(pid)" pids)/below"
		has ":freezer:$(where "$(pid)" freezer)"
		hasnt "freezer:$(where "$(pid)" freezer)/below"
		run rf exec --cgroup no-such:/below "$id" true
		exit_is 255
		has no-such
	fi
	down
}

@test "--log file:PATH; a path may have a colon" {
	only_ours
	cd "$T" || return 1
	for l in "file:$T/log" a:b; do
		run "$RINGFENCE" --root "$T/state" --log "$l" state no-such
		exit_is 1
		grep -q "does not exist" "$T/${l##*/}"
	done
}

# with_daemon SOCKET COMMAND…: a log daemon of the test's own listens there; its words in $T/told.
with_daemon() {
	local at=$1
	shift
	need_helper notify
	rm -f "$T/daemon"
	"$helpers/notify" -l "$T/daemon" >"$T/told" 3>&- </dev/null &
	until_true test -S "$T/daemon"
	run unshare -m --propagation private sh -c 'at=$1 from=$2; shift 2; mount -t tmpfs none "/${at%%/*}" &&
		mkdir -p "/${at%/*}" && ln -s "$from" "/$at" && exec "$@"' sh "$at" "$T/daemon" "$@"
	kill %%
}

@test "--log syslog:ID and journald:ID: the host's log daemons" {
	only_ours
	with_daemon dev/log "$RINGFENCE" --root "$T/state" --log syslog:web state no-such
	exit_is 1
	until_true grep -E '^<11>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} web\[[0-9]+\]: .*no-such.*does not exist' "$T/told"
	with_daemon run/systemd/journal/socket "$RINGFENCE" --root "$T/state" --log journald:web state no-such
	exit_is 1
	until_true grep -E '^MESSAGE=.*no-such.*does not exist' "$T/told"
	grep -qx PRIORITY=3 "$T/told"
	grep -qx SYSLOG_IDENTIFIER=web "$T/told"
	with_daemon dev/log "$RINGFENCE" --root "$T/state" --log syslog: --log-format json state no-such
	until_true grep -E '^<11>.* ringfence\[[0-9]+\]: \{"level":"error","msg":".*does not exist' "$T/told"
}

@test "--log: a daemon that isn't there is an error that names its socket" {
	only_ours
	run unshare -m --propagation private sh -c 'mount -t tmpfs none /run && exec "$@"' sh "$RINGFENCE" --log journald:x list
	exit_is 1
	has /run/systemd/journal/socket
}

@test "--log-level: how much; unknown words are refused" {
	only_ours
	cfg '.process.capabilities.bounding += ["CAP_NONESUCH"]'
	args true
	for l in error warning info debug; do
		rm -f "$T/log"
		run "$RINGFENCE" --root "$T/state" --log "$T/log" --log-level "$l" run -b "$b" "$id" </dev/null
		ok
		run sed -E 's/.* level=([a-z]+) .*/\1/' "$T/log"
		case $l in
		error) is "" ;;
		warning | info) is warning ;;
		debug)
			[ "$(sort -u <<<"$output")" = $'debug\nwarning' ]
			[ "$(grep -c warning <<<"$output")" = 1 ]
			;;
		esac
	done
	run "$RINGFENCE" --root "$T/state" --debug list
	[ "$(grep -c 'level=debug msg="list"$' <<<"$output")" = 1 ]
	run rf --log-level loud list
	exit_is 1
	has 'not "loud"'
}

# --- flags of create and run ---

@test "--no-new-keyring: the caller's session keyring, else one of its own" {
	only_ours
	need_helper hold
	cp "$helpers/hold" "$b/rootfs/bin/"
	args hold keyring
	ours=$("$helpers/hold" keyring)
	go --no-new-keyring
	is "$ours"
	go
	ok
	[ "$output" != "$ours" ]
	create --no-new-keyring
	start
	until_true grep -qx "$ours" "$T/out"
	rf delete -f "$id"
}

# An orphan in the host's pid namespace: whose child is it?
orphan() {
	"$RINGFENCE" --root "$T/state" run "$@" -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- &
	runner=$!
	until_true test -s "$b/rootfs/tmp/orphan"
	orphan=$(cat "$b/rootfs/tmp/orphan")
	parent=$(awk '/^PPid:/ { print $2 }' "/proc/$orphan/status")
	rf kill "$id" KILL
	# Its group's end may have been its own.
	kill -KILL "$orphan" 2>/dev/null || true
	wait "$runner" || true
	rm "$b/rootfs/tmp/orphan"
}

@test "--no-subreaper: orphans of the container don't come to the runtime" {
	only_ours
	cfg '.root.readonly = false | .linux.namespaces |= map(select(.type != "pid"))'
	sh_args '(sh -c "sleep 1000 & echo \$! >/tmp/o") && mv /tmp/o /tmp/orphan; exec sleep 1000'
	orphan
	[ "$parent" = "$runner" ]
	orphan --no-subreaper
	[ "$parent" != "$runner" ]
	create --no-subreaper
	rf delete -f "$id"
}

@test "--isolation: shared is the default; microvm and unknown words are refused by name" {
	only_ours
	args true
	go --isolation shared
	ok
	for v in create run; do
		# Where one can run, for its kernel that isn't there.
		RINGFENCE_KERNEL=$T/none run rf "$v" --isolation microvm -b "$b" "$id" </dev/null
		refused
		[[ $output == *micro-VM* || $output == *"$T/none"* ]]
		run rf "$v" --isolation nonesuch -b "$b" "$id" </dev/null
		refused nonesuch
	done
	for v in explain lint; do
		run rf "$v" --isolation shared -b "$b"
		ok
		run rf "$v" --isolation nonesuch -b "$b"
		[ "$status" -ne 0 ]
		has nonesuch
	done
}

@test "--config: another name, for create, run and explain" {
	only_ours
	args echo other
	mv "$config" "$b/other.json"
	go
	refused config.json
	go --config other.json
	is other
	go -f other.json
	is other
	run rf explain -b "$b" --config other.json
	ok
	create --config other.json
	rf delete -f "$id"
}
