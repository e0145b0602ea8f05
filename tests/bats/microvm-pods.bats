#!/usr/bin/env bats
# A pod is one machine: containers that name a sandbox join it (docs/design/03-microvm.md). $id is the
# sandbox, in the bundle $b; the others are $id-2 and $id-3, in bundles of their own.
load helpers

vm_create() { rf create --isolation=microvm -b "$1" "$2" </dev/null >"$T/$2.out" 2>"$T/$2.err" 3>&- || { cat "$T/$2.err"; return 1; }; }

# sandbox: made and started.
sandbox() {
	cfg '.annotations["io.kubernetes.cri.container-type"] = "sandbox"'
	sh_args 'exec sleep 1000'
	vm_create "$b" "$id" && start
}

# member N SCRIPT [FILTER]: the bundle of a container that joins, as $id-N.
member() {
	rm -rf "${T:?}/$1"
	new_bundle "$T/$1"
	jq --arg s "$2" --arg id "$id" --arg pid "$(pid)" '
		.process.args = ["sh", "-c", $s]
		| del(.hostname)
		| .annotations = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": $id}
		| .linux.namespaces |= map(if .type == "network" then .path = "/proc/" + $pid + "/ns/net"
			elif .type == "ipc" or .type == "uts" then .path = "/proc/" + $pid + "/ns/" + .type else . end)' \
		"$T/$1/config.json" | jq "${3:-.}" >"$T/$1/c" && mv "$T/$1/c" "$T/$1/config.json"
}
join() { member "$@" && vm_create "$T/$1" "$id-$1" && rf start "$id-$1" 3>&-; }
# once N SCRIPT [FILTER]: it joins, runs and goes.
once() { member "$@" && run rf run --isolation=microvm -b "$T/$1" "$id-$1" </dev/null; }
member_stopped() { [ "$(status "$id-$1")" = stopped ]; }

@test "a sandbox that isn't there, or is no machine, is refused by its name" {
	sh_args 'exec sleep 1000'
	create --isolation=shared
	start
	once 2 true '.annotations["io.kubernetes.cri.sandbox-id"] = "none"'
	[ "$status" -ne 0 ]
	has 'sandbox "none"'
	once 3 true
	[ "$status" -ne 0 ]
	has "isn't a micro-VM"
	[ ! -e "$T/state/$id-2" ]
	[ ! -e "$T/state/$id-3" ]
	down
}

@test "two containers in one machine: localhost, host name and ipc are shared, pids and mounts aren't" {
	need_vm
	sandbox
	join 2 'while :; do echo served | nc -l -p 8080; done'
	once 3 'for i in 1 2 3 4 5 6 7 8 9; do nc 127.0.0.1 8080 </dev/null && break; sleep 0.2; done; echo $$; for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done; exit 5'
	exit_is 5
	[ "${lines[0]}" = served ]
	mapfile -t sandboxes < <(rf exec "$id" sh -c 'for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done' </dev/null)
	for i in 0 1 2; do [ "${lines[i + 2]}" = "${sandboxes[i]}" ]; done
	for i in 3 4; do [ "${lines[i + 2]}" != "${sandboxes[i]}" ]; done
	# Its pid is a process of its own, in its own group and in the pod's network.
	p=$(pid "$id-2")
	[ "$p" != "$(pid)" ]
	grep -q "$id-2" "/proc/$p/cgroup"
	[ "$(readlink "/proc/$p/ns/net")" = "$(readlink "/proc/$(pid)/ns/net")" ]
	run rf exec "$id-2" sh -c 'echo in; exit 3' </dev/null
	exit_is 3
	has in
	rf kill "$id-2" KILL
	until_true member_stopped 2
	rf delete "$id-2"
	[ "$(status)" = running ]
	down
}

@test "kill, kill -9 from outside, pause and delete of one leave the others alone" {
	need_vm
	sandbox
	join 2 'trap "exit 9" TERM; i=0; while :; do echo $((i += 1)); usleep 20000; done'
	join 3 'exec sleep 1000'
	until_true test -s "$T/$id-2.out"
	rf pause "$id-2"
	[ "$(status "$id-2") $(status "$id-3") $(status)" = "paused running running" ]
	sleep 0.3
	n=$(wc -l <"$T/$id-2.out")
	rf exec "$id-3" true </dev/null
	sleep 0.3
	[ "$(wc -l <"$T/$id-2.out")" = "$n" ]
	rf resume "$id-2"
	more() { [ "$(wc -l <"$T/$id-2.out")" -gt "$n" ]; }
	until_true more
	# The sandbox beside others: its own processes alone.
	rf pause "$id"
	[ "$(status)" = paused ]
	rf exec "$id-3" true </dev/null
	rf resume "$id"
	[ "$(status)" = running ]
	rf kill "$id-2" TERM
	until_true member_stopped 2
	rf delete "$id-2"
	kill -9 "$(pid "$id-3")"
	until_true member_stopped 3
	rf delete "$id-3"
	[ "$(status)" = running ]
	# The id is free again.
	once 3 'exit 4'
	exit_is 4
	down
}

@test "a machine that was stopped is woken for a question about who joined it, and stopped again" {
	need_vm
	sandbox
	join 2 'exec sleep 1000'
	letter() { sed 's/.*) //' "/proc/$(pid)/stat" | cut -c1; }
	kill -STOP "$(pid)"
	run timeout 20 "$RINGFENCE" --root "$T/state" ps "$id-2"
	ok
	has "sleep 1000"
	[ "$(letter)" = T ]
	run timeout 20 "$RINGFENCE" --root "$T/state" kill "$id-2" KILL
	ok
	[ "$(letter)" = T ]
	run timeout 30 "$RINGFENCE" --root "$T/state" delete --force "$id-2"
	ok
	[ "$(letter)" = T ]
	kill -CONT "$(pid)"
	down
}

@test "volumes of a container that joined, and one memory for /dev/shm; nothing of it stays" {
	need_vm
	mkdir "$T/v" /dev/shm/"$id"
	echo in >"$T/v/f"
	sandbox
	server=$(pgrep -P "$(pid)")
	files_are() { [ "$(find "/proc/$server/fd" -mindepth 1 | wc -l)" = "$1" ]; }
	files=$(find "/proc/$server/fd" -mindepth 1 | wc -l)
	shm=".mounts = [.mounts[] | select(.destination != \"/dev/shm\")] + [{destination: \"/dev/shm\", type: \"bind\", source: \"/dev/shm/$id\", options: [\"rbind\", \"rw\"]}]"
	join 2 'echo shared >/dev/shm/f; exec sleep 1000' "$shm | .mounts += [{destination: \"/mnt\", type: \"bind\", source: \"$T/v\", options: [\"rbind\"]}]"
	until_true test -s /dev/shm/"$id"/f
	run rf exec "$id-2" sh -c 'cat /mnt/f; echo out >/mnt/g; stat -c %d /dev/shm' </dev/null
	[ "${lines[0]}" = in ]
	[ "$(cat "$T/v/g")" = out ]
	device=${lines[1]}
	once 3 'cat /dev/shm/f; stat -c %d /dev/shm; touch /no 2>/dev/null || echo read-only' "$shm"
	[ "${lines[*]}" = "shared $device read-only" ]
	rf kill "$id-2" KILL
	until_true member_stopped 2
	rf delete "$id-2"
	# The file server has closed what they brought: of theirs nothing keeps a file system busy.
	until_true files_are "$files"
	rm -r /dev/shm/"$id"
	down
}

@test "the sandbox's end ends all of it" {
	need_vm
	sandbox
	join 2 'exec sleep 1000'
	rf kill "$id" KILL
	until_true stopped
	until_true member_stopped 2
	rf delete "$id"
	rf delete "$id-2"
	sandbox
	join 2 'exec sleep 1000'
	rf delete --force "$id"
	until_true member_stopped 2
	run rf exec "$id-2" true </dev/null
	[ "$status" -ne 0 ]
	rf delete "$id-2"
}

@test "what fails leaves nothing: no program, a namespace that isn't the pod's, a machine of its own, a paused pod" {
	need_vm
	sandbox
	once 2 true '.process.args = ["no-such-program"]'
	[ "$status" -ne 0 ]
	has "executable file not found"
	once 3 true '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/1/ns/ipc" else . end)'
	[ "$status" -ne 0 ]
	has /linux/namespaces/
	once 3 true '.vm = {kernel: {path: "/k"}}'
	[ "$status" -ne 0 ]
	has /vm
	rf pause "$id"
	once 2 true
	[ "$status" -ne 0 ]
	has "is paused"
	rf resume "$id"
	[ ! -e "$T/state/$id-2" ]
	[ ! -e "$T/state/$id-3" ]
	[ "$(rf exec "$id" sh -c 'ls /proc | grep -c "^[0-9]"' </dev/null)" -le 4 ]
	down
}

@test "a create that is killed at any point leaves nothing after delete --force" {
	need_vm
	sandbox
	server=$(pgrep -P "$(pid)")
	files_are() { [ "$(find "/proc/$server/fd" -mindepth 1 | wc -l)" = "$1" ]; }
	files=$(find "/proc/$server/fd" -mindepth 1 | wc -l)
	member 2 'exec sleep 1000'
	killed=0
	for after in 0.05 0.15 0.3 0.5 0.8 1.2 2 3; do
		timeout -s KILL "$after" "$RINGFENCE" --root "$T/state" create --isolation=microvm -b "$T/2" "$id-2" </dev/null >/dev/null 2>&1 3>&- ||
			killed=$((killed + 1))
		rf delete --force "$id-2"
		[ ! -e "$T/state/$id-2" ]
	done
	[ "$killed" -ge 2 ]
	until_true files_are "$files"
	once 2 'exit 6'
	exit_is 6
	down
}

@test "terminal, detached exec, update, ps and events of a container that joined" {
	need_vm
	sandbox
	join 2 'exec sleep 1000'
	run script -qec "$RINGFENCE --root $T/state exec -t $id-2 sh -c 'tty; exit 5'" /dev/null </dev/null
	exit_is 5
	has /dev/pts/
	rf update --memory 67108864 --pids-limit 77 "$id-2"
	[ "$(rf exec "$id-2" cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max </dev/null)" = $'67108864\n77' ]
	run rf update --memory 1099511627776 "$id-2"
	[ "$status" -ne 0 ]
	has "was made"
	run rf ps "$id-2"
	has "sleep 1000"
	[ "$(grep -c sleep <<<"$output")" = 1 ]
	rf events --stats "$id-2" | jq -e '.data.memory.usage.limit == 67108864 and .data.pids.current == 1' >/dev/null
	rf exec -d --pid-file "$T/p" "$id-2" sleep 50 </dev/null >/dev/null 2>&1 3>&-
	kill -0 "$(cat "$T/p")"
	rf delete --force "$id-2"
	until_true gone "$(cat "$T/p")"
	down
}
