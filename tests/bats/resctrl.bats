# linux.intelRdt. Where the host has no resctrl: refused. And with a directory that plays it for the
# runtime's process alone, by a mountinfo of its own: classes that are there can be joined; one that is
# made has none of the files that the kernel would put into it, so that its create fails half-way.

load helpers

# rdt JSON: what the container asks.
rdt() { cfg --argjson r "$1" '.linux.intelRdt = $r'; }

# From here on the runtime believes that resctrl is mounted at $R.
played() {
	R=$T/resctrl
	mkdir -p "$R/mon_groups" "$R/gold/mon_groups" "$R/info"
	printf '    L3:0=fffff;1=fffff\n    MB:0=100;1=100\n' | tee "$R/schemata" >"$R/gold/schemata"
	: >"$R/tasks"
	: >"$R/gold/tasks"
	before=$(tree)
	under=()
	cat /proc/self/mountinfo - <<<"9999 1 0:99 / $R rw - resctrl resctrl rw" >"$T/mountinfo"
	# shellcheck disable=SC2317
	rf() {
		# shellcheck disable=SC2016
		unshare -m bash -c 'mount --bind "$0" "/proc/$$/mountinfo" && exec "$@"' \
			"$T/mountinfo" "${under[@]}" "$RINGFENCE" --root "$T/state" "$@"
	}
}
tree() { find "$R" | sort; }
as_before() { [ "$(tree)" = "$before" ] || { tree; return 1; }; }

@test "a host without resctrl refuses by pointer, and nothing is made" {
	only_ours
	! grep -q ' - resctrl ' /proc/self/mountinfo || skip "this host has resctrl"
	for r in '{}' '{"closID":"x"}' '{"enableMonitoring":true}' '{"schemata":["L3:0=f"]}'; do
		rdt "$r"
		go
		refused 'needs resctrl'
		has /linux/intelRdt
	done
	run rf explain -b "$b" "$id" </dev/null
	refused 'needs resctrl'
	rdt '{"closID":"a/b"}'
	go
	refused 'the name of one directory'
}

@test "a container without intelRdt has no class to update" {
	only_ours
	up
	run rf update --l3-cache-schema L3:0=f "$id"
	[ "$status" -ne 0 ]
	has 'has no class of service'
	run rf update --mem-bw-schema L3:0=f "$id"
	[ "$status" -ne 0 ]
	has 'begins with MB:'
	down
}

@test "features names what the runtime can do, whatever the host has" {
	only_ours
	run -0 rf features
	[ "$(jq -c .linux.intelRdt <<<"$output")" = '{"enabled":true,"schemata":true,"monitoring":true}' ]
}

@test "a container joins a class that is there, and so does exec" {
	only_ours
	played
	rdt '{"closID":"gold","l3CacheSchema":"L3:1=fffff"}'
	up
	[ "$(head -n 1 "$R/gold/tasks")" = "$(pid)" ]
	rf exec -d --pid-file "$T/pid" "$id" sleep 1000 3>&-
	grep -qx "$(cat "$T/pid")" "$R/gold/tasks"
	run rf update --l3-cache-schema L3:0=f "$id"
	[ "$status" -ne 0 ]
	has "wasn't made for this container"
	down
	as_before
}

@test "events: what the host shares out, what the class has, what the container uses" {
	only_ours
	played
	mkdir -p "$R/info/L3" "$R/info/MB" "$R"/gold/mon_data/mon_L3_{00,01}
	echo fffff >"$R/info/L3/cbm_mask"
	echo 1 >"$R/info/L3/min_cbm_bits"
	echo 16 >"$R/info/L3/num_closids"
	echo 8 >"$R/info/MB/num_closids"
	echo 10 | tee "$R/info/MB/bandwidth_gran" >"$R/info/MB/min_bandwidth"
	printf '    L3:0=00fff;1=fffff\n    MB:0= 50;1=100\n' >"$R/gold/schemata"
	before=$(tree)
	rdt '{"closID":"gold"}'
	up
	run -0 rf events --stats "$id"
	[ "$(jq -c .data.intel_rdt <<<"$output")" = '{"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":1,"num_closids":16},"l3_cache_schema_root":"L3:0=fffff;1=fffff","l3_cache_schema":"L3:0=00fff;1=fffff","mem_bw_info":{"bandwidth_gran":10,"min_bandwidth":10,"num_closids":8},"mem_bw_schema_root":"MB:0=100;1=100","mem_bw_schema":"MB:0= 50;1=100"}' ]
	down
	as_before
}

@test "a class that isn't what is asked for is refused" {
	only_ours
	played
	rdt '{"closID":"gold","schemata":["MB:0=50"]}'
	go
	refused 'MB:0=50'
	has /linux/intelRdt/schemata
	rdt '{"closID":"silver"}'
	go
	refused 'no class of service'
	rdt '{"l3CacheSchema":"L2:0=1"}'
	go
	refused 'no resource that this host shares out'
	as_before
}

@test "the default class takes a container without a control group" {
	only_ours
	played
	rdt '{"closID":"/"}'
	sh_args 'exec sleep 1000'
	rf --cgroup-manager=disabled create -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	[ "$(head -n 1 "$R/tasks")" = "$(pid)" ]
	rf start "$id" 3>&-
	rf exec -d --pid-file "$T/pid" "$id" sleep 1000 3>&-
	grep -qx "$(cat "$T/pid")" "$R/tasks"
	down
	as_before
}

@test "a create that fails takes its class and its monitoring group away" {
	only_ours
	played
	rdt '{"l3CacheSchema":"L3:0=f"}'
	go
	refused "writing $R/$id/schemata"
	as_before
	rdt '{"closID":"gold","enableMonitoring":true}'
	go
	refused "gold/mon_groups/$id/tasks"
	as_before
}

@test "delete takes away what was made, not what was there" {
	only_ours
	need strace
	played
	rdt '{"closID":"gold","enableMonitoring":true}'
	sh_args 'exec sleep 1000'
	# The kernel's part, while the runtime is held up behind its mkdir.
	(until_true [ -d "$R/gold/mon_groups/$id" ] && : >"$R/gold/mon_groups/$id/tasks") 3>&- &
	under=(strace -D -qq -o /dev/null -P "$R/gold/mon_groups/$id" -e trace=mkdirat -e inject=mkdirat:delay_exit=1000000)
	create
	under=()
	wait $!
	[ "$(head -n 1 "$R/gold/mon_groups/$id/tasks")" = "$(pid)" ]
	# A directory of resctrl goes with its files; this one wouldn't.
	rm "$R/gold/mon_groups/$id/tasks"
	rf delete --force "$id"
	as_before
}

@test "the plan says it" {
	only_ours
	played
	rdt '{"enableMonitoring":true}'
	run -0 rf explain -b "$b" "$id" </dev/null
	has "class of service $R/$id"
	has "$R/$id/mon_groups/$id"
	as_before
}

@test "a restored container is in its class again" {
	only_ours
	criu check >/dev/null 2>&1 || PATH=$(dirname "$("$top/scripts/criu.sh" 2>/dev/null)"):$PATH
	criu check >/dev/null 2>&1 || skip "no criu that works here"
	played
	rdt '{"closID":"gold"}'
	cfg '.process.rlimits = [] | .linux.namespaces |= map(select(.type != "network"))'
	up
	rf checkpoint --image-path "$T/img" "$id" </dev/null 3>&-
	: >"$R/gold/tasks"
	rf restore -d -b "$b" --image-path "$T/img" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	[ "$(head -n 1 "$R/gold/tasks")" = "$(pid)" ]
	down
	as_before
}
