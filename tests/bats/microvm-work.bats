#!/usr/bin/env bats
# Real work in machines of their own: a database under pgbench, a web server under a load from outside, packages
# installed by apt. (The same over the shared kernel: podman-work.bats.)
#
# RF_WORK_ROOT is the root of tests/servers/work.sh, for this run to write in. Two levels of emulation make all
# of it some fifty times slower: it is the answers that count here, the speed is bench-microvm's subject.
load helpers

# The first namespace ever makes /run/netns a mount, which stays.
setup_file() { ! vm_host || { ip netns add rft-first && ip netns del rft-first; }; }

extra_setup() {
	need_vm
	[ -d "${RF_WORK_ROOT:-}/srv/pg" ] || skip "the servers' root isn't here: RF_WALL=microvm"
	root=$RF_WORK_ROOT
	bin=/usr/lib/postgresql/15/bin
	cfg --arg r "$root" '.root = {path: $r, readonly: false} | .vm = {kernel: {path: env.RINGFENCE_KERNEL}, hwConfig: {vcpus: 1, memory: 402653184}}
		| .process.env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"]
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}, {destination: "/run", type: "tmpfs", source: "tmpfs"}]'
	in=in-$id
	out=out-$id
}

extra_teardown() {
	[ ! -e "$T/state/$id" ] || rf delete --force "$id" >/dev/null 2>&1 || true
	[ -z "${wired:-}" ] || {
		ip netns del "$in"
		ip netns del "$out"
	}
}

# soon COMMAND…: as until_true, for what begins slowly.
soon() { until_true "$@" || until_true "$@" || until_true "$@"; }
may() {
	cfg '.process.capabilities |= map_values(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_SETGID", "CAP_SETUID", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"])'
}
in_server() { rf exec "$id" "$@" </dev/null; }
ask() { in_server $bin/psql -h /tmp -U postgres -Atc "$1" postgres; }
# state_of_cluster: what the database wrote down of itself, read on the host.
state_of_cluster() { chroot "$root" $bin/pg_controldata /srv/pg | sed -n 's/^Database cluster state: *//p'; }

@test "at work: PostgreSQL under pgbench; what it wrote is there after it was started again" {
	cfg --argjson u "$(stat -c %u "$root/srv/pg")" --argjson g "$(stat -c %g "$root/srv/pg")" '.process.user = {uid: $u, gid: $g}'
	args $bin/postgres -D /srv/pg -k /tmp -c listen_addresses= -c shared_buffers=16MB -c jit=off -c max_connections=12
	create
	start
	soon in_server $bin/pg_isready -q -h /tmp
	[ "$(state_of_cluster)" = "in production" ]
	ask 'create table t as select i, 0 v from generate_series(1, 1000) i; create table log (i int); alter table t add primary key (i)' >/dev/null
	cat >"$root/srv/load.sql" <<-'L'
		\set i random(1, 1000)
		begin;
		update t set v = v + 1 where i = :i;
		insert into log values (:i);
		end;
	L
	run in_server $bin/pgbench -n -T 5 -c 2 -f /srv/load.sql -h /tmp -U postgres postgres
	ok
	has "number of failed transactions: 0 "
	n=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$output")
	[ "$n" -gt 0 ]
	# INT is its fast shutdown: connections end, all is written.
	rf kill "$id" INT
	soon stopped
	[ "$(state_of_cluster)" = "shut down" ]
	rf delete "$id"
	create
	start
	soon in_server $bin/pg_isready -q -h /tmp
	run ask 'select count(*), (select sum(v) from t) from log'
	is "$n|$n"
	rf kill "$id" INT
	soon stopped
}

wire() {
	ip netns add "$in"
	ip netns add "$out"
	wired=1
	ip -n "$out" link add out0 type veth peer name eth0 netns "$in"
	ip -n "$out" addr add 10.9.0.1/24 dev out0
	ip -n "$out" link set out0 up
	ip -n "$in" addr add 10.9.0.7/24 dev eth0
	ip -n "$in" link set eth0 up
	cfg --arg p "/run/netns/$in" '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
}
page() { ip netns exec "$out" timeout 5 busybox wget -qO - http://10.9.0.7/ 3>&- | cmp - "$root/srv/www/index.html"; }

@test "at work: nginx under a load from outside" {
	may
	wire
	args nginx -c /srv/nginx.conf
	create
	start
	soon page
	run ip netns exec "$out" chroot "$root" wrk -t 1 -c 8 -d 5 --timeout 20 http://10.9.0.7/ 3>&-
	ok
	hasnt "Non-2xx"
	hasnt "Socket errors"
	awk '/requests in/ { n = $1 } END { exit !(n > 20) }' <<<"$output"
	page
	rf kill "$id" QUIT
	soon stopped
}

@test "at work: apt installs packages, dpkg verifies and removes them" {
	may
	sh_args 'set -e
		apt-get -qq update
		apt-get -qq -y install tree ed less make >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
		dpkg -V tree ed less make
		tree --version | head -c 4; printf "a\nword\n.\nw /root/f\nq\n" | ed -s; cat /root/f
		printf "all:\n\techo made\n" | make -s -f -
		dpkg -P tree >/tmp/log 2>&1; [ ! -e /usr/bin/tree ]; echo gone'
	go
	ok
	has $'word\nmade\ngone'
	# The host's file system has it, whole and with its rights.
	[ "$(stat -c '%a %u' "$root/usr/bin/make")" = "755 0" ]
	chroot "$root" dpkg -s less | grep -q '^Status: install ok installed'
}
