#!/usr/bin/env bats
# NOTIFY_SOCKET: what a program in a container tells the service manager.
load helpers
load criu

setup_file() { criu_up; }

extra_setup() {
	only_ours
	need_helper notify
	cp "$helpers/notify" "$b/rootfs/bin/notify"
	mkdir -p "$b/rootfs/run/notify"
	"$helpers/notify" -l "$T/manager" >"$T/told" 2>&1 3>&- </dev/null &
	listener=$!
	until_true test -S "$T/manager"
}
extra_teardown() { [ -z "${listener:-}" ] || kill "$listener" 2>/dev/null || true; }
with() { NOTIFY_SOCKET=$T/manager rf "$@" </dev/null >"$T/out" 2>"$T/err" 3>&-; }
told() { grep -qx "$1" "$T/told"; }

@test "start waits for READY=1; the manager gets it with the host's pid" {
	sh_args 'echo $NOTIFY_SOCKET; notify STATUS=almost; notify READY=1; exec sleep 1000'
	with create -b "$b" "$id"
	[ ! -s "$T/told" ]
	with start "$id"
	until_true told "MAINPID=$(pid)"
	told READY=1
	told STATUS=almost
	grep -qx /run/notify/notify.sock "$T/out"
	down
}

@test "run --detach waits too; a program that ends without a word isn't waited for" {
	sh_args 'notify READY=1; exec sleep 1000'
	with run -d -b "$b" "$id"
	until_true told READY=1
	rf delete -f "$id"
	args true
	with run -d -b "$b" "$id"
	until_true stopped
	rf delete "$id"
}

@test "run: in the foreground, as long as it runs" {
	sh_args 'notify READY=1; notify "RELOADING=1\nMONOTONIC_USEC=5"; notify STOPPING=1'
	with run -b "$b" "$id"
	until_true told STOPPING=1
	told RELOADING=1
	told MONOTONIC_USEC=5
	told READY=1
}

@test "what would name somebody else's process or descriptors isn't passed on" {
	sh_args 'notify "MAINPID=1\nFDSTORE=1\nBUSERROR=x\nREADY=1"; notify NOTIFYACCESS=all; notify STATUS=end'
	with run -b "$b" "$id"
	until_true told STATUS=end
	[ "$(sed s/=[0-9].*/=N/ "$T/told")" = "$(printf 'READY=N\nMAINPID=N\nSTATUS=end')" ]
	! told MAINPID=1
}

@test "the guest can't change the directory of the socket" {
	sh_args 'rm /run/notify/notify.sock || ln -s /etc /run/notify/x || echo kept; notify READY=1'
	NOTIFY_SOCKET=$T/manager run rf run -b "$b" "$id" </dev/null
	has kept
	hasnt Sanitizer
	until_true told READY=1
}

@test "without NOTIFY_SOCKET there is neither a mount nor a variable" {
	sh_args 'env; ls /run/notify'
	go
	ok
	hasnt NOTIFY
	hasnt notify.sock
}

@test "in a user namespace" {
	cfg '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	chmod 755 "$T"
	sh_args 'notify READY=1; exec sleep 1000'
	with run -d -b "$b" "$id"
	until_true told "MAINPID=$(pid)"
	down
}

# A checkpoint in between: NOTIFY_SOCKET of the restore counts, with a manager of its own.
counted() {
	need_criu
	counter
	sh_args 'exec 2>/dev/null; notify READY=1; i=0; while :; do i=$((i + 1)); echo $i >/tmp/n.new; mv /tmp/n.new /tmp/n; notify STATUS=$i; usleep 20000; done'
	with run -d -b "$b" "$id"
	until_true counted_past 3
	dump
}

@test "a restored program is ready, has its pid told, and is heard again" {
	counted
	: >"$T/told"
	NOTIFY_SOCKET=$T/manager back
	until_true told "MAINPID=$(pid)"
	told READY=1
	n=$(count)
	until_true counted_past "$n"
	down
}

@test "a restore in the foreground passes on what the program says" {
	counted
	n=$(count)
	: >"$T/told"
	NOTIFY_SOCKET=$T/manager rf restore -b "$b" --image-path "$T/img" --work-path "$T/work" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- &
	until_true told "STATUS=$((n + 3))"
	rf kill "$id" KILL
	wait $! || true
	nothing_left
}

@test "what was created with a manager is restored without one, and the other way round" {
	counted
	n=$(count)
	back
	until_true counted_past "$n"
	down
	counter
	counting
	rm -r "$T/img"
	dump
	: >"$T/told"
	NOTIFY_SOCKET=$T/manager back
	until_true told "MAINPID=$(pid)"
	down
}
