#!/usr/bin/env bats
# An engine at work, beyond the single commands of podman.bats: a life with exec and stop, a
# published port, user namespaces, and what is left afterwards.
load engines

setup_file() { engine_up; }
teardown_file() { engine_down; }
extra_setup() { engine_ready; }
extra_teardown() { engine_clear; }

@test "detached: exec, logs, stop, rm" {
	pod run -d --name "$name" --net none $img sh -c 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
	run pod exec "$name" sh -c 'echo in; exit 6'
	exit_is 6
	has in
	[ "$(echo x | pod exec -i "$name" cat)" = x ]
	run pod exec --user 1000:1000 --env A=b --workdir /tmp "$name" sh -c 'echo $(id -u) $A $PWD'
	is "1000 b /tmp"
	until_true sh -c "$P/in podman logs $name | grep up"
	run pod stop -t 5 "$name"
	ok
	run pod inspect --format '{{.State.ExitCode}} {{.State.Status}}' "$name"
	is "3 exited"
	pod rm "$name"
}

@test "a container that doesn't listen is killed by stop, and starts again" {
	pod run -d --name "$name" --net none $img sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
	run pod stop -t 1 "$name"
	ok
	pod start "$name" >/dev/null
	run pod inspect --format '{{.State.Status}}' "$name"
	is running
	run pod kill "$name"
	ok
}

@test "a published port" {
	need_netavark
	pod run -d --name "$name" -p 18080:80 $img sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp' >/dev/null
	until_true nsenter --net="/run/netns/$netns" busybox wget -qO "$T/page" http://127.0.0.1:18080/
	[ "$(cat "$T/page")" = page ]
}
@test "a user namespace" {
	run pod run --rm --net none --uidmap 0:100000:1000 --gidmap 0:100000:1000 $img sh -c 'id -u; cat /proc/self/uid_map'
	ok
	has 100000
}

@test "--init, --privileged, --pid host" {
	run pod run --rm --net none --privileged $img sh -c 'test -c /dev/null && echo priv'
	is priv
	run pod run --rm --net none --pid host $img cat "/proc/$$/comm"
	is bash
}

@test "the default seccomp profile is applied" {
	run pod run --rm --net none $img grep Seccomp: /proc/self/status
	has 2
}

@test "nothing of a container is left after rm" {
	pod run --name "$name" --net none $img true
	full=$(pod inspect --format '{{.Id}}' "$name")
	pod rm "$name"
	run find /sys/fs/cgroup -maxdepth 5 -name "*$full*"
	is ""
	[ ! -e "/run/ringfence/$full" ]
}
