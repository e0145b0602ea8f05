#!/usr/bin/env bats
# podman's containers at real work: servers under limits that hold, a Debian package built by its own
# tools, systemd as process 1 from its start to its orderly end.
#
# Their roots are tests/servers/build.sh's, each container with a layer of its own over one of them.
load engines
load servers

setup_file() {
	engine_up
	[ -n "${P:-}" ] || return 0
	export W=$P
	if servers=$(servers_root); then export servers; fi
}
teardown_file() { engine_down; }
extra_setup() {
	engine_ready
	name=$id
	export W=$P
}
extra_teardown() { engine_clear; }

# root KIND: a root of tests/servers/build.sh, in $root.
root() {
	root=$("$BATS_TEST_DIRNAME/../servers/build.sh" "$1" 2>"$P/build.log")/root ||
		skip "the root couldn't be made: $(tail -n 1 "$P/build.log")"
}

server_up() {
	need_servers
	pod run -d --name "$id" --memory $server_memory --memory-swap $server_memory --cpus 0.$server_cpu_ms --pids-limit 64 \
		--cpuset-cpus 0 --rootfs "$servers/root:O" sh -c "$1" >"$T/out" 2>&1 </dev/null 3>&-
}
in_server() { pod exec "$id" "$@"; }
server_group() {
	echo "/sys/fs/cgroup/$1$(awk -F: -v c="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }' "/proc/$(pod inspect -f '{{.State.Pid}}' "$id")/cgroup")"
}
server_ended() { [ "$(pod inspect -f '{{.State.ExitCode}} {{.State.Status}}' "$id")" = "137 exited" ]; }

@test "at work: PostgreSQL under pgbench" { work_postgresql; }

@test "at work: nginx under wrk" {
	server_up 'exec nginx -c /srv/nginx.conf'
	address=$(pod inspect -f '{{.NetworkSettings.IPAddress}}' "$id")
	until_true in_server wrk -t 1 -c 1 -d 1 "http://127.0.0.1/"
	work_nginx "$P/in" chroot "$servers/root" /usr/bin/wrk -t 1 -c 16 -d 3 "http://$address/"
}

@test "at work: Redis under redis-benchmark" { work_redis; }

@test "a Debian package is built" {
	root packages
	mkdir -p "$T/src/debian"
	cp "$BATS_TEST_DIRNAME/../servers/hello/"* "$T/src/"
	mv "$T/src"/{changelog,control,rules} "$T/src/debian/"
	run pod run --rm --name "$id" --memory 512m --pids-limit 200 --net none -v "$T:/work" -w /work/src \
		--rootfs "$root:O" dpkg-buildpackage -us -uc -b
	ok
	[ "$(dpkg-deb -f "$T"/rft-hello_*.deb Package)" = rft-hello ]
	dpkg-deb -x "$T"/rft-hello_*.deb "$T/unpacked"
	[ "$("$T/unpacked/usr/bin/rft-hello")" = "hello from a package" ]
}

@test "systemd as process 1: up to its default target, and down when it is asked to" {
	root init
	pod run -d --name "$id" --net none --systemd=always --rootfs "$root:O" /sbin/init >"$T/out" 2>&1 </dev/null 3>&-
	until_true settled
	run pod exec "$id" systemctl is-system-running
	[[ $output == running || $output == degraded ]]
	run pod exec "$id" systemctl show -p ActiveState --value multi-user.target
	is active
	pod kill -s RTMIN+3 "$id" >/dev/null
	until_true ended
}
settled() { pod exec "$id" systemctl is-system-running 2>&1 | grep -qx 'running\|degraded'; }
ended() { [ "$(pod inspect -f '{{.State.Status}}' "$id")" = exited ]; }
