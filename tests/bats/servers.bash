# Servers at work in a container under limits, for any engine: PostgreSQL under pgbench, nginx under
# wrk, Redis under redis-benchmark, and one that outgrows its memory.
#
# The engine's file gives:
#   server_up SCRIPT     a container named $id from the servers' root, with 128 MiB of memory and half
#                        a processor, that runs SCRIPT by sh
#   in_server WORD…      one more process in it
#   server_group NAME    the directory of its group in the hierarchy of controller NAME
#   server_ended         whether it ended, by SIGKILL
# The limits are looked at in the group's own numbers, after the work.

server_memory=$((128 << 20))
server_cpu_ms=50 # of each 100 ms

# servers_root: the folder of tests/servers/build.sh; says nothing and fails when it can't be made.
servers_root() { "$BATS_TEST_DIRNAME/../servers/build.sh" 2>"$W/servers.log"; }

need_servers() {
	! cgroup_v2 || skip "names of v1's files"
	[ -n "${servers:-}" ] || skip "the servers' root couldn't be made: $(tail -n 1 "$W/servers.log")"
}

# measured WORD…: runs WORDs, and looks whether the limits held meanwhile.
measured() {
	local cpu began wall
	began=$(date +%s%N)
	cpu=$(cat "$(server_group cpuacct)/cpuacct.usage")
	run "$@"
	ok
	cpu=$(($(cat "$(server_group cpuacct)/cpuacct.usage") - cpu))
	wall=$(($(date +%s%N) - began))
	echo "processor: $((cpu / 1000000)) ms in $((wall / 1000000)) ms; at most $(cat "$(server_group memory)/memory.max_usage_in_bytes") bytes"
	[ "$(cat "$(server_group memory)/memory.limit_in_bytes")" = $server_memory ]
	# The kernel lets itself go over by a page where it may not fail.
	[ "$(cat "$(server_group memory)/memory.max_usage_in_bytes")" -le $((server_memory + (1 << 20))) ]
	# One period more than the wall's share: the first may have been begun with a full quota.
	[ $cpu -le $((wall * server_cpu_ms / 100 + 2 * server_cpu_ms * 1000000)) ]
	# Where the machine itself gave it less, there was nothing to hold back.
	awk '/^nr_throttled/ { held = $2 > 0 } END { exit !held }' "$(server_group cpu)/cpu.stat" ||
		[ $cpu -lt $((wall * server_cpu_ms / 100 * 9 / 10)) ]
}

# more_than N TEXT-BEFORE: the number after the text in $output is more than N.
more_than() { awk -v least="$1" -v t="$2" '(i = index($0, t)) { n = substr($0, i + length(t)) + 0; found = 1 } END { exit !(found && n > least) }' <<<"$output"; }

work_postgresql() {
	server_up 'exec setpriv --reuid postgres --regid postgres --clear-groups /usr/lib/postgresql/15/bin/postgres -D /srv/pg -k /tmp -c shared_buffers=32MB'
	until_true in_server pg_isready -q -h /tmp
	in_server /usr/lib/postgresql/15/bin/pgbench -q -i -s 1 -h /tmp -U postgres postgres
	measured in_server /usr/lib/postgresql/15/bin/pgbench -T 3 -c 4 -h /tmp -U postgres postgres
	has "number of failed transactions: 0 "
	more_than 10 "tps = "
}

# work_nginx WORD…: wrk's words before the address's last part, run wherever the engine's file says.
work_nginx() {
	measured "$@"
	more_than 100 "Requests/sec:"
	hasnt "Non-2xx"
	hasnt "Socket errors"
}

work_redis() {
	server_up 'exec redis-server --save "" --appendonly no --port 6379'
	until_true in_server redis-cli ping
	measured in_server redis-benchmark -n 20000 -t set,get -c 20 --csv
	has '"SET"'
	has '"GET"'
}

work_outgrows() {
	server_up 'exec redis-server --save "" --appendonly no --enable-debug-command yes'
	until_true in_server redis-cli ping
	run in_server redis-cli debug populate 1000000 key 300
	until_true server_ended
}
