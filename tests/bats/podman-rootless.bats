#!/usr/bin/env bats
# podman of a plain user. podman makes the user namespace itself and runs the runtime as its root,
# with ids 0 and those of /etc/subuid; on a v1 host it asks for no group and no limits.
load engines

setup_file() { engine_up newuidmap setpriv; }
teardown_file() { engine_down; }
extra_setup() {
	engine_ready newuidmap setpriv
	upod image exists $img || {
		upod import --change 'ENV PATH=/bin' --change 'CMD ["/bin/sh"]' "$P/image.tar" $img >"$P/import.user" 2>&1 &&
			engine_infra upod
	} || { cat "$P/import.user"; false; }
}
extra_teardown() {
	[ -n "${name:-}" ] || return 0
	upod pod rm -f -t 0 "p-$id" >/dev/null 2>&1 || true
	engine_removed upod "$name" "$name-2"
}

ubg() { upod run -d --name "$name" --net none "$@" >/dev/null; }
uonce() { run upod run --rm --net none "$@"; }
uabout() { upod inspect --format "$1" "${2:-$name}"; }

@test "run prints, and passes the exit code; 127 and 126" {
	uonce $img echo hello
	is hello
	uonce $img sh -c 'exit 42'
	exit_is 42
	run -127 upod run --rm --net none $img no-such-program
	uonce $img /etc
	exit_is 126
}

@test "root inside is the user outside, others are subordinate" {
	uonce $img sh -c 'id -u; cat /proc/self/uid_map'
	has $user_id
	has 300000
	ubg --user guest $img sleep 1000
	[ "$(stat -c %u "/proc/$(uabout '{{.State.Pid}}')")" = 300999 ]
	[ "$(upod exec "$name" id -u)" = 1000 ]
	[ "$(upod exec --user 0 "$name" id -u)" = 0 ]
}

@test "--userns=keep-id: the same id inside and outside" {
	uonce --userns=keep-id $img sh -c 'id -u; touch /tmp/f; stat -c %u /tmp/f'
	is $user_id$'\n'$user_id
	mkdir "$T/v"
	chmod 755 "$T"
	chown $user_id:$user_id "$T/v"
	uonce --userns=keep-id -v "$T/v:/mnt" $img touch /mnt/f
	ok
	[ "$(stat -c %u "$T/v/f")" = $user_id ]
}

@test "a volume: root's files are the user's, and another's can't be written" {
	chmod 755 "$T"
	mkdir "$T/v" "$T/w"
	chown $user_id:$user_id "$T/v"
	uonce -v "$T/v:/mnt" $img sh -c 'touch /mnt/f; chown 1000 /mnt/f'
	ok
	[ "$(stat -c %u "$T/v/f")" = 300999 ]
	uonce -v "$T/w:/mnt" $img touch /mnt/f
	[ "$status" -ne 0 ]
}

@test "standard input, a terminal" {
	[ "$(echo through | upod run -i --rm --net none $img cat)" = through ]
	on_tty "$P/user" podman run -t --rm --net none $img sh -c 'test -t 0 && tty'
	has /dev/pts
}

@test "exec, exec -t, exec -d, its exit code" {
	ubg $img sleep 1000
	run upod exec --env A=b --workdir /tmp "$name" sh -c 'echo $A $PWD; exit 6'
	exit_is 6
	has "b /tmp"
	[ "$(echo x | upod exec -i "$name" cat)" = x ]
	on_tty "$P/user" podman exec -t "$name" tty
	has /dev/pts
	upod exec -d "$name" sh -c 'echo done >/tmp/by-exec'
	until_true "$P/user" podman exec "$name" test -e /tmp/by-exec
}

@test "stop by its signal, kill, restart, logs, top, rm -f" {
	ubg $img sh -c 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.05; done'
	until_true sh -c "$P/user podman logs $name | grep up"
	run upod top "$name" comm
	has sh
	upod stop -t 5 "$name" >/dev/null
	[ "$(uabout '{{.State.ExitCode}} {{.State.Status}}')" = "5 exited" ]
	upod restart "$name" >/dev/null
	[ "$(uabout '{{.State.Status}}')" = running ]
	upod kill "$name" >/dev/null
	upod wait "$name" >/dev/null
	[ "$(uabout '{{.State.ExitCode}}')" = 137 ]
	upod rm "$name" >/dev/null
	ubg $img sleep 1000
	upod rm -f -t 0 "$name" >/dev/null
}

@test "limits: on a v1 host podman leaves them out with a warning, and the container runs" {
	! cgroup_v2 || skip "v2 delegates"
	uonce --memory 40m --pids-limit 20 $img echo here
	has here
}

@test "slirp4netns: an address, a published port" {
	need slirp4netns
	[ -e /dev/net/tun ] || skip "this host has no /dev/net/tun"
	upod run -d --name "$name" -p 18090:80 $img httpd -f -p 80 -h /var/www >/dev/null
	until_true nsenter --net="/run/netns/$netns" timeout 2 busybox wget -qO "$T/page" http://127.0.0.1:18090/
	[ "$(cat "$T/page")" = page ]
	run upod exec "$name" ip -o -4 addr show tap0
	has 10.0.2.100
}

@test "network: host, and another container's" {
	run upod run --rm --net host $img readlink /proc/self/ns/net
	is "$("$P/in" readlink /proc/self/ns/net)"
	ubg $img sleep 1000
	run upod run --rm --net "container:$name" $img readlink /proc/self/ns/net
	is "$(upod exec "$name" readlink /proc/self/ns/net)"
}

@test "capabilities, no-new-privileges, seccomp, masks" {
	uonce --cap-drop all --security-opt no-new-privileges $img grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status
	has 0000000000000000
	has "NoNewPrivs:	1"
	has "Seccomp:	2"
	uonce $img sh -c 'wc -c </proc/kcore; echo x >/proc/sys/kernel/domainname'
	has "Read-only"
}

@test "--privileged is no more than the user may" {
	uonce --privileged $img sh -c 'mount -t tmpfs none /mnt && echo mounted; mknod /k c 1 2 || echo no device'
	has mounted
	has "no device"
}

@test "--read-only, --tmpfs, --sysctl, --init, --hostname, host's pids and name" {
	uonce --read-only --tmpfs /t $img sh -c 'echo x >/t/f && cat /t/f; touch /f'
	has x
	has "Read-only"
	uonce --sysctl net.ipv4.ip_forward=1 --init --hostname inside $img sh -c 'cat /proc/sys/net/ipv4/ip_forward; cat /proc/1/comm; hostname'
	has 1
	has init
	has inside
	uonce --pid host --uts host $img sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/uts'
	is "$(readlink /proc/self/ns/pid; readlink /proc/self/ns/uts)"
}

@test "a pod shares network, ipc and uts" {
	need slirp4netns
	upod pod create --name "p-$id" --hostname together >/dev/null
	upod run -d --pod "p-$id" --name "$name" $img httpd -f -p 80 -h /var/www >/dev/null
	until_true "$P/user" podman exec "$name" wget -qO - http://127.0.0.1/
	run upod run --rm --pod "p-$id" $img sh -c 'wget -qO - http://127.0.0.1/; hostname'
	is $'page\ntogether'
	upod pod stop -t 0 "p-$id" >/dev/null
	upod pod rm -f "p-$id" >/dev/null
}

@test "build RUN" {
	printf 'FROM %s\nRUN id -u >/who\nUSER guest\nRUN id -u >/tmp/me\n' $img >"$T/Dockerfile"
	chmod 755 "$T"
	run upod build --isolation oci --network none -q -t "localhost/${id,,}" "$T"
	ok
	uonce "localhost/${id,,}" cat /who /tmp/me
	is $'0\n1000'
	upod rmi -f "localhost/${id,,}" >/dev/null
}

@test "commit and cp" {
	ubg $img sleep 1000
	echo carried | upod exec -i "$name" sh -c 'cat >/made'
	upod commit -q "$name" "localhost/${id,,}:2" >/dev/null
	uonce "localhost/${id,,}:2" cat /made
	is carried
	upod rmi -f "localhost/${id,,}:2" >/dev/null
	run upod cp "$name:/made" -
	ok
}
