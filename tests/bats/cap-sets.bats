#!/usr/bin/env bats
# process.capabilities: five sets, each another one, for run and exec, root and an ordinary user. What
# a program has after execve(2) follows from them by the kernel's rules (capabilities(7)); permitted
# and effective, which an execve computes anew, are also looked at before it.
load helpers

# Bits: CHOWN 0, FOWNER 3, KILL 5, SETPCAP 8, NET_BIND_SERVICE 10, SYS_CHROOT 18.
sets='{bounding: ["CAP_CHOWN", "CAP_FOWNER", "CAP_KILL", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"],
	permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"], effective: ["CAP_CHOWN"],
	inheritable: ["CAP_KILL", "CAP_NET_BIND_SERVICE"], ambient: ["CAP_NET_BIND_SERVICE"]}'
show='sed -n "s/^Cap\(...\):.0*\(.*\)/\1=\2/p" /proc/self/status | tr "\n" " "'
# Root's programs get all that bounding leaves; with no_new_privs no more than was permitted.
as_root="Inh=420 Prm=529 Eff=529 Bnd=529 Amb=400 "
as_confined_root="Inh=420 Prm=421 Eff=421 Bnd=529 Amb=400 "
as_user="Inh=420 Prm=400 Eff=400 Bnd=529 Amb=400 "

extra_setup() { cfg '.process.noNewPrivileges = false'; }

# user UID: who the container's first process is
user() { cfg --argjson u "$1" '.process.user = {uid: $u, gid: $u}'; }
# exec_as UID SETS COMMAND…: by a process document of its own
exec_as() {
	local u=$1 s=$2
	shift 2
	jq --argjson u "$u" ".process | .user = {uid: \$u, gid: \$u} | .capabilities = $s | .args = \$ARGS.positional" "$config" --args -- "$@" >"$T/p.json"
	run rf exec -p "$T/p.json" "$id" </dev/null
}

@test "run: every set, as root and as a user" {
	cfg ".process.capabilities = $sets"
	sh_args "$show"
	go
	is "$as_root"
	cfg '.process.noNewPrivileges = true'
	go
	is "$as_confined_root"
	user 1000
	go
	is "$as_user"
}

@test "exec: every set, as root and as a user" {
	# The container itself has none of them.
	cfg '.process.capabilities = {}'
	up
	exec_as 0 "$sets" sh -c "$show"
	is "$as_root"
	exec_as 1000 "$sets" sh -c "$show"
	is "$as_user"
	exec_as 0 '{}' sh -c "$show"
	is "Inh= Prm= Eff= Bnd= Amb= "
	down
}

@test "exec without sets of its own has the container's" {
	cfg ".process.capabilities = $sets"
	up
	run rf exec "$id" sh -c "$show" </dev/null
	is "$as_root"
	run rf exec -u 1000:1000 "$id" sh -c "$show" </dev/null
	is "$as_user"
	down
}

@test "ambient: nothing is raised that permitted or inheritable lacks" {
	local k
	user 1000
	for k in permitted inheritable ambient; do
		cfg --arg k "$k" '.process.capabilities = (reduce ("bounding", "permitted", "inheritable", "ambient") as $s ({}; .[$s] = ["CAP_KILL"])) | .process.capabilities[$k] = []'
		sh_args "$show"
		go
		[[ $output == *" Prm= Eff= "*" Amb= " ]] || { echo "$k: $output"; return 1; }
	done
}

# A file that takes what is inheritable, and one that takes what is bounding.
@test "inheritable and bounding: what a program with file capabilities may gain" {
	need setcap
	cp "$b/rootfs/bin/busybox" "$b/rootfs/bin/busybox-inherits"
	cp "$b/rootfs/bin/busybox" "$b/rootfs/bin/busybox-bounded"
	setcap cap_kill,cap_fowner+ei "$b/rootfs/bin/busybox-inherits" || skip "no file capabilities here"
	setcap cap_kill,cap_fowner,cap_setpcap+p "$b/rootfs/bin/busybox-bounded"
	user 1000
	cfg ".process.capabilities = $sets"
	args busybox-inherits grep -E 'CapPrm|CapEff' /proc/self/status
	go
	is $'CapPrm:\t0000000000000020\nCapEff:\t0000000000000020'
	args busybox-bounded grep CapPrm /proc/self/status
	go
	is $'CapPrm:\t0000000000000128'
	cfg '.process.capabilities.bounding -= ["CAP_FOWNER"]'
	go
	is $'CapPrm:\t0000000000000120'
}

# capset_of COMMAND: the last capset(2) of the process that became it, as strace writes it.
capset_of() {
	awk -v cmd="$1" '{ pid = $1 } /capset\(/ { last[pid] = $0 } /execve\(/ && index($0, cmd) && / = 0/ { print last[pid] }' "$T/trace" |
		sed 's/.*{effective=\(.*\), permitted=\(.*\), inheritable=\(.*\)}).*/\1 \2 \3/; s/|/ | /g' | tr -d '|' |
		sed 's/1<<CAP_//g; s/  */ /g'
}
wanted_capset="CHOWN CHOWN KILL NET_BIND_SERVICE KILL NET_BIND_SERVICE"

@test "permitted and effective: what the process is given before its program replaces it" {
	need strace
	local u
	cfg ".process.capabilities = $sets"
	args true
	for u in 0 1000; do
		user "$u"
		run strace -f -qq -o "$T/trace" -e trace=capset,execve "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
		ok
		[ "$(capset_of /bin/true)" = "$wanted_capset" ] || { capset_of /bin/true; cat "$T/trace"; return 1; }
	done
	# For exec too.
	cfg '.process.capabilities = {}'
	up
	exec_as 1000 "$sets" true
	ok
	run strace -f -qq -o "$T/trace" -e trace=capset,execve "$RINGFENCE" --root "$T/state" exec -p "$T/p.json" "$id" </dev/null
	ok
	[ "$(capset_of /bin/true)" = "$wanted_capset" ] || { cat "$T/trace"; return 1; }
	down
}

@test "effective and permitted each: a capability in one of them alone goes there alone" {
	need strace
	args true
	cfg '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL"]}'
	run strace -f -qq -o "$T/trace" -e trace=capset,execve "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
	ok
	[ "$(capset_of /bin/true)" = "0 KILL 0" ] || { capset_of /bin/true; cat "$T/trace"; return 1; }
}
