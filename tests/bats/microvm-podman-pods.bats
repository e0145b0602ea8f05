#!/usr/bin/env bats
# podman's pods with micro-VMs: one machine a pod. (What a pod's containers share, and how they end:
# microvm-pods.bats. Here: that podman finds what it looks for.)
load engines
load microvm-engine

setup_file() {
	engine_vm_can_run || return 0
	engine_up
	[ -z "${P:-}" ] || engine_infra
}
teardown_file() { engine_down; }
extra_setup() {
	need_engine_vm
	engine_ready
}
extra_teardown() {
	[ -n "${name:-}" ] || return 0
	pod pod rm -f -t 0 "p-$id" >/dev/null 2>&1 || true
	engine_clear
}
in_net() { nsenter --net="/run/netns/$netns" timeout 5 busybox wget -qO "$T/page" "$1"; }

@test "two containers of a pod: localhost, a published port, one host name, one kernel; exec, logs, exit codes" {
	need_netavark
	pod pod create --name "p-$id" --hostname together -p 18092:80 >/dev/null
	pod run -d --pod "p-$id" --name "$name" $img sh -c 'echo started; exec httpd -f -p 80 -h /var/www' >/dev/null
	soon in_net http://127.0.0.1:18092/
	[ "$(cat "$T/page")" = page ]
	run pod run --rm --pod "p-$id" $img sh -c 'wget -qO - http://127.0.0.1/; hostname; for n in net ipc uts mnt pid; do readlink /proc/self/ns/$n; done; uname -r; cat /proc/sys/kernel/random/boot_id; exit 7'
	exit_is 7
	[ "${lines[0]} ${lines[1]}" = "page together" ]
	[[ ${lines[7]} == *-ringfence ]]
	[ "${lines[8]}" = "$(pod exec "$name" cat /proc/sys/kernel/random/boot_id)" ]
	local n i=2
	for n in net ipc uts; do [ "${lines[$((i++))]}" = "$(pod exec "$name" readlink "/proc/self/ns/$n")" ]; done
	for n in mnt pid; do [ "${lines[$((i++))]}" != "$(pod exec "$name" readlink "/proc/self/ns/$n")" ]; done
	[ "$(pod logs "$name")" = started ]
	run pod exec "$name" sh -c 'exit 5'
	exit_is 5
	pod kill -s KILL "$name" >/dev/null
	[ "$(pod wait "$name")" = 137 ]
	[ "$(about '{{.State.ExitCode}}')" = 137 ]
}

@test "a pod is paused, thawed, stopped, started again, removed" {
	pod pod create --name "p-$id" --network none >/dev/null
	pod run -d --pod "p-$id" --name "$name" $img sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done' >/dev/null
	pod run -d --pod "p-$id" --name "$name-2" $img sleep 1000 >/dev/null
	pod pod pause "p-$id" >/dev/null
	[ "$(about '{{.State.Status}}') $(about '{{.State.Status}}' "$name-2")" = "paused paused" ]
	pod pod unpause "p-$id" >/dev/null
	[ "$(about '{{.State.Status}}') $(about '{{.State.Status}}' "$name-2")" = "running running" ]
	pod exec "$name-2" true
	pod restart -t 1 "$name-2" >/dev/null
	pod exec "$name" true
	pod pod stop -t 4 "p-$id" >/dev/null
	[ "$(about '{{.State.Status}} {{.State.ExitCode}}')" = "exited 3" ]
	pod pod start "p-$id" >/dev/null
	[ "$(about '{{.State.Status}}')" = running ]
	pod exec "$name-2" true
	pod pod rm -f -t 0 "p-$id" >/dev/null
	run pod ps -aq
	is ""
}

@test "a pod whose containers share pids, memory in /dev/shm and a volume" {
	pod pod create --name "p-$id" --network none --share pid,ipc,net,uts >/dev/null
	pod run -d --pod "p-$id" --name "$name" -v "$P/vol:/v" $img sh -c 'echo mine >/dev/shm/f; echo kept >/v/f; exec sleep 12345' >/dev/null
	soon pod exec "$name" cat /dev/shm/f
	run pod run --rm --pod "p-$id" -v "$P/vol:/v:ro" $img sh -c 'cat /dev/shm/f /v/f; ps | grep -c "sleep 1234[5]"'
	is $'mine\nkept\n1'
}
