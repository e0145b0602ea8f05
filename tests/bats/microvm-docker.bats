#!/usr/bin/env bats
# Docker with micro-VMs: each container that it makes is in a machine of its own. (What Docker asks of a
# runtime is in docker.bats; here: that it holds over this wall.)
load helpers
load engines-docker
load docker
load microvm-engine

setup_file() { ! { engine_can_run && engine_vm_can_run; } || docker_up; }
teardown_file() { docker_down; }
extra_setup() { need_engine_vm; }

logged() { docker logs "$id" 2>&1 | grep -q "$1"; }

@test "docker run: the guest's kernel; output, input, exit codes, no such program" {
	run docker run --rm bb:1 uname -r
	ok
	[[ $output == *-ringfence ]]
	run --separate-stderr docker run --rm --net none bb:1 sh -c 'echo out; echo err >&2; exit 42'
	exit_is 42
	# shellcheck disable=SC2154 # bats sets it
	[ "$output $stderr" = "out err" ]
	[ "$(echo through | docker run --rm -i --net none bb:1 cat)" = through ]
	run -127 docker run --rm --net none bb:1 no-such-program
	has "executable file not found"
}

@test "docker exec: user, directory, environment, exit codes, detached; a terminal" {
	need script
	up --net none -h inside bb:1 sleep 1000
	run docker exec -u 1000:1000 -w /tmp -e A=b "$id" sh -c 'echo $(id -u) $PWD $A $(hostname); exit 6'
	exit_is 6
	has "1000 /tmp b inside"
	[ "$(echo typed | docker exec -i "$id" cat)" = typed ]
	# The daemon of this age says 126 of any exec that fails.
	run -126 docker exec "$id" no-such-program
	has "executable file not found"
	docker exec -d "$id" sh -c 'echo done >/tmp/by-exec'
	until_true docker exec "$id" cat /tmp/by-exec
	run script -qec "$(declare -f within docker); docker exec -it $id tty" /dev/null </dev/null
	has /dev/pts/
	run script -qec "$(declare -f within docker); docker run --rm -it --net none bb:1 tty" /dev/null </dev/null
	has /dev/pts/0
}

@test "volumes: of the host, read-only, named, a file alone; a read-only root with a tmpfs" {
	mkdir "$T/v"
	echo in >"$T/v/f"
	run docker run --rm --net none --read-only --tmpfs /t:size=1m -v "$T/v:/rw" -v "$T/v:/ro:ro" -v "$id:/named" -v "$T/v/f:/etc/one" bb:1 sh -c '
		cat /rw/f /etc/one; echo out >/rw/g; echo kept >/named/f; echo t >/t/f
		for d in /ro /etc; do { echo x >$d/h; } 2>/dev/null || echo refused; done'
	ok
	[ "${lines[0]} ${lines[1]}" = "in in" ]
	[ "$(grep -c '^refused' <<<"$output")" = 2 ]
	[ "$(cat "$T/v/g")" = out ]
	[ ! -e "$T/v/h" ]
	run docker run --rm --net none -v "$id:/data" bb:1 cat /data/f
	is kept
	docker volume rm "$id" >/dev/null
}

@test "a published port, the bridge, and the way out of it" {
	up -p 18081:80 bb:1 sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	until_true within busybox wget -qO "$T/page" http://127.0.0.1:18081/
	[ "$(cat "$T/page")" = page ]
	run docker run --rm bb:1 wget -qO- "http://$(what .NetworkSettings.IPAddress)/"
	is page
}

@test "a network of one's own: found by address; Docker's name server, on the host's side of it, is out of reach" {
	docker network create "$id" >/dev/null
	up --net "$id" --network-alias srv bb:1 sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$id")
	run docker run --rm --net "$id" --add-host "given:$address" bb:1 sh -c "wget -qO- http://given/; grep nameserver /etc/resolv.conf; timeout 5 nslookup srv || echo unknown"
	ok
	has page
	has "nameserver 127.0.0.11"
	has unknown
	docker rm -f "$id" >/dev/null
	docker network rm "$id" >/dev/null
}

@test "limits inside and outside; stats, logs, pause" {
	up --net none --memory 64m --cpus 1 bb:1 sh -c 'echo up; while :; do :; done'
	until_true logged up
	run docker exec "$id" sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; grep -c ^processor /proc/cpuinfo'
	is $'67108864\n100000 100000\n1'
	run docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$id"
	ok
	[[ $output == *MiB* ]]
	[ "${output##* }" -gt 1 ]
	docker pause "$id" >/dev/null
	[ "$(what .State.Status)" = paused ]
	machine=$(what .State.Pid)
	before=$(within cut -d' ' -f14,15 "/proc/$machine/stat")
	sleep 0.5
	[ "$(within cut -d' ' -f14,15 "/proc/$machine/stat")" = "$before" ]
	docker unpause "$id" >/dev/null
	docker update --memory 48m --memory-swap 48m "$id" >/dev/null
	run docker exec "$id" cat /sys/fs/cgroup/memory.max
	is 50331648
	run docker run --rm --net none --memory 32m --memory-swap 32m bb:1 sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
}

@test "kill with a signal, stop in time and by force, start, restart" {
	up --net none bb:1 sh -c 'trap "echo got usr1" USR1; trap "exit 5" TERM; echo up; while :; do sleep 0.05; done'
	until_true logged up
	docker kill -s USR1 "$id" >/dev/null
	until_true logged usr1
	docker stop -t 20 "$id" >/dev/null
	[ "$(what .State.ExitCode) $(what .State.Status)" = "5 exited" ]
	docker start "$id" >/dev/null
	before=$(what .State.StartedAt)
	docker restart -t 0 "$id" >/dev/null
	[ "$(what .State.Status)" = running ]
	[ "$(what .State.StartedAt)" != "$before" ]
	docker kill "$id" >/dev/null
	[ "$(docker wait "$id")" = 137 ]
	[ "$(what .State.Status)" = exited ]
}

@test "two containers in one network namespace; cp; nothing is left after rm" {
	up bb:1 sleep 1000
	run docker run --rm --net "container:$id" bb:1 true
	[ "$status" -ne 0 ]
	has "another micro-VM has this network card already"
	echo from-outside >"$T/in"
	docker cp "$T/in" "$id:/root/in"
	[ "$(docker exec "$id" cat /root/in)" = from-outside ]
	full=$(what .Id)
	docker rm -f "$id" >/dev/null
	no_trace_of "$full"
	run within ip -o link
	hasnt rftap
}
