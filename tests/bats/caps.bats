#!/usr/bin/env bats
# capabilities and no_new_privs.
load helpers

caps() { args grep -E 'Cap|NoNewPrivs' /proc/self/status; go; ok; }

@test "each set is the specification's" {
	cfg '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL", "CAP_CHOWN"],
		effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: []}'
	caps
	has $'CapBnd:\t0000000000000021'
	has $'CapInh:\t0000000000000020'
}

@test "no capabilities at all" {
	cfg '.process.capabilities = {}'
	caps
	for s in Inh Prm Eff Bnd Amb; do has "Cap$s:"$'\t0000000000000000'; done
}

@test "ambient capabilities outlive the change of user" {
	cfg '.process.user = {uid: 1000, gid: 1000}
		| .process.capabilities = (reduce ("bounding", "permitted", "effective", "inheritable", "ambient") as $k ({}; .[$k] = ["CAP_NET_BIND_SERVICE"]))'
	caps
	has $'CapEff:\t0000000000000400'
	has $'CapAmb:\t0000000000000400'
}

@test "an unknown capability doesn't give power" {
	cfg '.process.capabilities = {bounding: ["CAP_NONE_SUCH"], permitted: ["CAP_NONE_SUCH"], effective: ["CAP_NONE_SUCH"]}'
	args grep CapEff /proc/self/status
	go
	ok
	has 0000000000000000
	! ours || has "ignoring unknown capabilities: CAP_NONE_SUCH"
}

@test "a capability that the caller hasn't is left out, not fatal" {
	only_ours
	[ $((0x$(awk '/CapPrm/ { print $2 }' /proc/self/status) >> 24 & 1)) = 0 ] || skip "this host's root has every capability"
	for k in bounding effective permitted; do cfg --arg k $k '.process.capabilities[$k] += ["CAP_SYS_RESOURCE"]'; done
	args grep CapEff /proc/self/status
	go
	ok
	has 0000000020000420
}

@test "noNewPrivileges" {
	cfg '.process.noNewPrivileges = true'
	caps
	has $'NoNewPrivs:\t1'
	cfg '.process.noNewPrivileges = false'
	caps
	has $'NoNewPrivs:\t0'
}

@test "a set-uid program gains nothing under noNewPrivileges" {
	cp "$b/rootfs/bin/busybox" "$b/rootfs/bin/suid"
	chmod 4755 "$b/rootfs/bin/suid"
	rm -f "$b/rootfs/bin/id"
	ln -s suid "$b/rootfs/bin/id"
	cfg '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true'
	args id -u
	go
	is 1000
}
