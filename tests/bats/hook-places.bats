#!/usr/bin/env bats
# Where each kind of hook runs: namespaces, names, network, mounts and directory.
load helpers

# where KIND: a hook that notes its namespaces, names, network, mounts and place; `said KIND KEY` reads it.
where() {
	cfg --arg k "$1" --arg l "$T/where.$1" '.hooks[$k] = [{path: "/bin/sh", env: ["PATH=/usr/bin:/bin", "LOG=" + $l], args: ["sh", "-c",
		"{ jq -r .pid; for n in mnt pid uts ipc net cgroup user; do echo $n $(readlink /proc/self/ns/$n); done; echo host $(cat /proc/sys/kernel/hostname); echo domain $(cat /proc/sys/kernel/domainname); echo links $(tail -n +3 /proc/net/dev | cut -d: -f1); echo cwd $(pwd); echo self $(readlink /proc/self/root) $$; echo mounted $(grep -c rootfs/mnt /proc/self/mountinfo); } >$LOG 2>&1"]}]'
}
said() { sed -n "s/^$2 //p" "$T/where.$1"; }

@test "createContainer is in the container's namespaces, which are made, with the host's files" {
	local n
	where createContainer
	where createRuntime
	cfg '.hostname = "inside" | .linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])
		| .mounts += [{destination: "/mnt", type: "tmpfs", source: "tmpfs"}]'
	args sleep 1000
	create
	for n in mnt pid uts ipc net cgroup; do
		[ "$(said createContainer $n)" = "$(readlink "/proc/$(pid)/ns/$n")" ] || { echo "$n"; cat "$T/where.createContainer"; return 1; }
		[ "$(said createRuntime $n)" = "$(readlink "/proc/self/ns/$n")" ] || { echo "$n"; cat "$T/where.createRuntime"; return 1; }
	done
	[ "$(said createContainer user)" = "$(readlink /proc/self/ns/user)" ]
	# Its network is there and up, its mounts stand below the root that isn't entered yet.
	[ "$(said createContainer links)" = lo ]
	[ "$(said createContainer mounted)" = 1 ]
	[ "$(said createRuntime mounted)" = 0 ]
	# Names and sysctls come with the root, after the hook: in its uts namespace still stands the host's.
	[ "$(said createContainer host)" = "$(cat /proc/sys/kernel/hostname)" ]
	rf delete --force "$id"
}

@test "createContainer is in a new user namespace too, as its root" {
	where createContainer
	cfg '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	: >"$T/where.createContainer"
	chmod 711 "$T"
	chmod 666 "$T/where.createContainer"
	chown -R 100000:100000 "$b/rootfs"
	args sleep 1000
	create
	[ "$(said createContainer user)" = "$(readlink "/proc/$(pid)/ns/user")" ]
	rf delete --force "$id"
}

@test "the hooks of the host run in the bundle, wherever the caller stands" {
	local k
	for k in prestart createRuntime poststart poststop; do where "$k"; done
	args sleep 1000
	(cd / && create && start)
	rf kill "$id" KILL
	until_true stopped
	(cd /usr && rf delete "$id")
	for k in prestart createRuntime poststart poststop; do
		[ "$(said "$k" cwd)" = "$b" ] || { echo "$k: $(said "$k" cwd)"; return 1; }
	done
}

@test "poststop runs when the bundle is gone" {
	cfg --arg l "$T/log" '.hooks.poststop = [{path: "/bin/sh", env: ["PATH=/usr/bin:/bin"], args: ["sh", "-c", "jq -r .status >$0", $l]}]'
	up
	rf kill "$id" KILL
	until_true stopped
	mv "$b" "$b.away"
	rf delete "$id"
	mv "$b.away" "$b"
	[ "$(cat "$T/log")" = stopped ]
}
