#!/usr/bin/env bats
# An unprivileged user without any engine, and root of a user namespace as engines make it.
#
# The user has no account here: his is in copies of the account files, which every command of his
# sees in a mount namespace of its own. Each test has another: nothing is shared with a run beside.
load helpers


extra_setup() {
	uid=$((700000000 + BASHPID))
	subid=$((1000000000 + BASHPID % 20000 * 65536)) # of /etc/subuid
	need newuidmap
	need setpriv
	chmod 755 "$T" "$b"
	mkdir "$T/etc" "$T/home" "$T/bin"
	mkdir -m 700 "$T/xdg"
	{ cat /etc/passwd && echo "rootless:x:$uid:$uid::$T/home:/bin/sh"; } >"$T/etc/passwd"
	{ cat /etc/group && echo "rootless:x:$uid:"; } >"$T/etc/group"
	echo "rootless:$subid:65536" | tee "$T/etc/subuid" >"$T/etc/subgid"
	# Where the tree lies others need not get to.
	cp "$RINGFENCE" "$T/bin/ringfence"
	config=$b/config.json
	rm "$config"
	chown -R "$uid:$uid" "$b" "$T/home" "$T/xdg"
	u ringfence spec --rootless -b "$b"
	cfg '.process.terminal = false | .process.args = ["true"]'
	xdg=$T/xdg
}

# Whatever the user's commands left anywhere.
extra_teardown() {
	local left
	[ ! -d "$T/xdg/ringfence" ] || for c in "$T"/xdg/ringfence/*/; do
		[ ! -d "$c" ] || rf delete --force "$(basename "$c")" >/dev/null 2>&1 </dev/null || true
	done
	undelegate
	left=$(
		find "$T/xdg" /tmp /run /var/tmp /dev/shm -xdev -path "$T/[!x]*" -prune -o -path "$T/xdg" -prune -o \
			\( -uid "$uid" -o -uid "$subid" -o -name "ringfence-$uid" \) -print 2>/dev/null
		find "$T/xdg/ringfence" -mindepth 1 -name .filters -prune -o -mindepth 1 -print 2>/dev/null
		ps -eo uid=,pid=,args= | awk -v a="$uid" -v b="$subid" '!/<defunct>/ && $1 == a || (!/<defunct>/ && $1 >= b && $1 < b + 65536)'
		find /sys/fs/cgroup -uid "$uid" 2>/dev/null
	)
	rm -rf "/tmp/ringfence-$uid"
	[ -z "$left" ] || { echo "the user left: $left" && return 1; }
}

# u COMMAND…: as the user.
u() {
	unshare -m --propagation private bash -c 'etc=$1 id=$2 home=$3 xdg=$4 path=$5
		shift 5
		for f in passwd group subuid subgid; do mount --bind "$etc/$f" "/etc/$f" || exit 99; done
		cd "$home" && exec setpriv --reuid "$id" --regid "$id" --clear-groups \
			env -i PATH="$path" HOME="$home" ${xdg:+XDG_RUNTIME_DIR="$xdg"} TERM=dumb "$@"' \
		u "$T/etc" "$uid" "$T/home" "${xdg-$T/xdg}" "${path:-$T/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin}" "$@"
}
rf() { u ringfence "$@"; }

# delegate: groups of the user's own in every hierarchy that may be had, the shell in one of them.
hierarchies() {
	if cgroup_v2; then echo /sys/fs/cgroup; else
		local d
		for d in pids memory cpu freezer unified; do
			[ ! -f "/sys/fs/cgroup/$d/cgroup.procs" ] || echo "/sys/fs/cgroup/$d"
		done
	fi
}
delegate() {
	local d c
	for d in $(hierarchies); do
		if [ -f "$d/cgroup.controllers" ]; then
			for c in $(cat "$d/cgroup.controllers"); do echo "+$c" >"$d/cgroup.subtree_control" 2>/dev/null || true; done
		fi
		mkdir -p "$d/$id/shell"
		chown "$uid:$uid" "$d/$id" "$d/$id/shell" "$d/$id"/{,shell/}{cgroup.procs,tasks,cgroup.subtree_control,cgroup.threads} 2>/dev/null || true
	done
}
undelegate() {
	local d
	for d in $(hierarchies); do
		[ ! -d "$d/$id" ] || rmdir "$d/$id/shell" "$d/$id" || true
	done
}
# within COMMAND…: the command's process is in the delegated groups.
within() {
	(
		for d in $(hierarchies); do echo "$BASHPID" >"$d/$id/shell/cgroup.procs"; done
		"$@"
	)
}

ranges() {
	cfg --argjson s "$subid" '.linux.uidMappings += [{containerID: 1, hostID: $s, size: 1000},
		{containerID: 1001, hostID: ($s + 1000), size: 500}]
		| .linux.gidMappings += [{containerID: 1, hostID: $s, size: 65535}]'
}
without_ns() { cfg --arg t "$1" '.linux.namespaces |= map(select(.type != $t))'; }

@test "what spec --rootless writes runs as it is" {
	rm "$config"
	u ringfence spec --rootless -b "$b"
	[ "$(stat -c %u "$config")" = "$uid" ]
	run -0 u script -qec "ringfence run -b $b $id" /dev/null <<<'id -u; id -g; tty; exit'
	has /dev/pts/0
	[ "$(tr -d '\r' <<<"$output" | grep -cx 0)" = 2 ]
}

@test "the default profile for an unprivileged user runs as it is" {
	rm "$config"
	u ringfence spec --profile default --rootless -b "$b"
	cfg '.process.terminal = false'
	sh_args 'id -u; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr -s "\t\n" "  "; unshare -U true 2>&1; echo x >/tmp/x && cat /tmp/x /proc/sys/net/ipv4/ip_unprivileged_port_start'
	go
	ok
	[ "${lines[0]}" = 0 ]
	[[ ${lines[1]} == "CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 unshare: "*"not permitted"* ]]
	[ "${lines[-2]} ${lines[-1]}" = "x 0" ]
}

@test "root inside is the user outside, by a map of his own id and without setgroups" {
	sh_args 'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; touch /tmp/made'
	cfg '.root.readonly = false'
	go
	ok
	[[ ${lines[0]} =~ ^\ +0\ +$uid\ +1$ ]]
	[[ ${lines[1]} =~ ^\ +0\ +$uid\ +1$ ]]
	[ "${lines[2]}" = deny ]
	[ "$(stat -c %u:%g "$b/rootfs/tmp/made")" = "$uid:$uid" ]
}

@test "the verbs of a container's life" {
	up 'trap "echo got >>/dev/shm/t" USR1; while :; do sleep 0.1; done'
	[ "$(status)" = running ]
	run -0 rf state "$id"
	[ "$(jq -r .owner <<<"$output")" = rootless ]
	run -0 rf list
	has "$id"
	run rf exec "$id" sh -c 'id -u; exit 7' </dev/null
	exit_is 7
	[ "${lines[0]}" = 0 ]
	rf kill "$id" USR1
	until_true rf exec "$id" grep got /dev/shm/t </dev/null
	down
	run rf state "$id"
	refused 'does not exist'
}

@test "ps and kill --all know the container's processes without a control group" {
	up 'sleep 1001 & sleep 1002 & wait'
	until_true three_of_them
	run -0 rf ps "$id"
	has 'sleep 1002'
	rf kill --all "$id" KILL
	until_true stopped
	rf delete "$id"
}

three_of_them() { [ "$(rf ps -f json "$id" | jq length)" = 3 ]; }

@test "exec joins each namespace of the container, and names a program that isn't there" {
	up
	for ns in user pid mnt ipc uts; do
		[ "$(rf exec "$id" readlink /proc/self/ns/$ns </dev/null)" = "$(readlink "/proc/$(pid)/ns/$ns")" ] || { echo "$ns"; return 1; }
	done
	run rf exec "$id" nothing </dev/null
	exit_is 255
	has 'executable file not found'
	down
}

@test "pause without a control group says so, and leaves the container as it was" {
	up
	run rf pause "$id"
	refused_live 'no control group'
	[ "$(status)" = running ]
	run rf update --pids-limit 5 "$id"
	refused_live 'no control group'
	down
}
refused_live() { [ "$status" -ne 0 ] && [ "${#lines[@]}" = 1 ] && has "$1"; }

@test "the state root: in XDG_RUNTIME_DIR, his alone" {
	create
	[ "$(stat -c %a:%u "$T/xdg/ringfence")" = 1700:$uid ]
	[ "$(stat -c %a:%u "$T/xdg/ringfence/$id")" = 700:$uid ]
	rf delete --force "$id"
}

@test "without XDG_RUNTIME_DIR it is in /tmp, by his number" {
	xdg=
	create
	[ "$(stat -c %a:%u "/tmp/ringfence-$uid")" = 1700:$uid ]
	start
	rf delete --force "$id"
	rmdir "/tmp/ringfence-$uid"
}

@test "a state root that somebody else planted is refused: directory, link, open to all" {
	xdg=
	mkdir -m 777 "/tmp/ringfence-$uid"
	run rf list
	refused_live 'can be written by others'
	chmod 700 "/tmp/ringfence-$uid"
	chown 7:7 "/tmp/ringfence-$uid"
	run rf list
	rm -r "/tmp/ringfence-$uid"
	refused_live 'permission denied'
	mkdir -m 755 "/tmp/ringfence-$uid"
	chown 7:7 "/tmp/ringfence-$uid"
	run rf list
	rm -r "/tmp/ringfence-$uid"
	refused_live 'belongs to another user'
	ln -s "$T/home" "/tmp/ringfence-$uid"
	chown -h 7:7 "/tmp/ringfence-$uid"
	go
	rm "/tmp/ringfence-$uid"
	refused_live 'link that another user made'
	[ -z "$(ls "$T/home")" ]
}

@test "a runtime directory of somebody else, or open to all, is refused" {
	xdg=$T/theirs
	mkdir -m 777 "$xdg"
	go
	refused_live 'written by everybody'
	chmod 1777 "$xdg"
	chown 7:7 "$xdg"
	go
	refused_live 'belongs to another user'
}

@test "a container's directory that somebody else planted in a shared root is refused" {
	mkdir -m 1777 "$T/shared"
	mkdir -m 755 "$T/shared/$id"
	echo '{}' >"$T/shared/$id/state.json"
	chown -R 7:7 "$T/shared/$id"
	for verb in state kill delete; do
		run u ringfence --root "$T/shared" "$verb" "$id"
		refused_live 'belongs to another user'
		run "$RINGFENCE" --root "$T/shared" "$verb" "$id"
		refused_live 'belongs to another user'
	done
}

@test "root's environment names neither a state root nor a program" {
	local had=1
	[ -d /run/ringfence ] || had=
	mkdir "$T/evil"
	printf '#!/bin/sh\ntouch %s/called\n' "$T" | tee "$T/evil/newuidmap" >"$T/evil/newgidmap"
	chmod 755 "$T/evil"/*
	cfg '.linux.uidMappings[0].size = 65536 | .linux.gidMappings[0].size = 65536
		| .linux.uidMappings[0].hostID = 100000 | .linux.gidMappings[0].hostID = 100000'
	chown -R 100000:100000 "$b"
	run env XDG_RUNTIME_DIR="$T/evil" PATH="$T/evil:$PATH" "$RINGFENCE" run -b "$b" "$id" </dev/null
	[ -n "$had" ] || rmdir /run/ringfence
	ok
	[ ! -e "$T/called" ]
	[ ! -e "$T/evil/ringfence" ]
}

@test "--rootless: auto, true, false and nothing else" {
	for word in auto true; do
		run rf --rootless "$word" run -b "$b" "$id" </dev/null
		ok
	done
	run rf --rootless=false run -b "$b" "$id" </dev/null
	refused_live 'making the control group'
	run rf --rootless=perhaps list
	refused_live 'auto, true or false'
	nothing_left
}

@test "several extents are mapped by newuidmap and newgidmap" {
	ranges
	cfg '.process.user = {uid: 1200, gid: 1000, additionalGids: [5, 60000]}'
	sh_args 'cat /proc/self/uid_map; id; touch /dev/shm/x && stat -c %u:%g /dev/shm/x'
	go
	ok
	[[ ${lines[1]} =~ ^\ +1\ +$subid\ +1000$ ]]
	[[ ${lines[2]} =~ ^\ +1001\ +$((subid + 1000))\ +500$ ]]
	has 'uid=1200 gid=1000'
	has 60000
	[ "${lines[-1]}" = 1200:1000 ]
}

@test "each start of many maps its ids: the child doesn't hide too early" {
	ranges
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		go
		ok
	done
}

@test "what newuidmap refuses is one line, with its reason" {
	ranges
	cfg '.linux.uidMappings[1].hostID = 5'
	go
	refused_live '/linux/uidMappings'
	has 'not allowed'
	nothing_left
	cfg '.linux.uidMappings |= .[:1] | .linux.gidMappings[0].hostID = 5'
	go
	refused_live '/linux/gidMappings'
	nothing_left
}

@test "newuidmap is looked for in absolute directories of PATH alone" {
	ranges
	mkdir "$T/none" "$T/home/bin"
	cp "$T/bin/ringfence" "$T/none/"
	printf '#!/bin/sh\ntouch %s/home/called\n' "$T" >"$T/home/bin/newuidmap"
	cp "$T/home/bin/newuidmap" "$T/home/newuidmap"
	chmod -R 755 "$T/home"
	run u bash -c "cd $T/home && PATH=.:bin::$T/none exec $T/none/ringfence run -b $b $id" </dev/null
	refused_live "needs the program newuidmap, which isn't in PATH"
	[ ! -e "$T/home/called" ]
	nothing_left
}

@test "a user or group that the map doesn't have is named before anything is made" {
	cfg '.process.user.uid = 7'
	go
	refused_live /process/user/uid
	cfg '.process.user = {uid: 0, gid: 7}'
	go
	refused_live /process/user/gid
	cfg '.process.user = {uid: 0, gid: 0, additionalGids: [7]}'
	go
	refused_live /process/user/additionalGids/0
	cfg '.process.user.additionalGids = [0]'
	go
	refused_live 'nothing but his own group'
	cfg '.process.user = {uid: 5, gid: 0} | .linux.uidMappings[0].containerID = 5'
	go
	refused_live /linux/uidMappings
	nothing_left
}

@test "exec as a user whom the map doesn't have is refused" {
	up
	run rf exec -u 7 "$id" id </dev/null
	exit_is 255
	has "isn't among the container ids"
	down
}

@test "a user namespace is needed, and said to be" {
	without_ns user
	cfg 'del(.linux.uidMappings, .linux.gidMappings)'
	go
	refused_live 'needs a user namespace'
}

@test "devices are the host's own, and work" {
	sh_args 'echo x >/dev/null && head -c 3 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c; stat -c %t:%T /dev/full; mknod /dev/shm/n c 1 3 2>/dev/null || echo none'
	go
	ok
	[ "$output" = $'3\n1\n1:7\nnone' ]
}

@test "the host's network, or one's own with loopback" {
	sh_args 'readlink /proc/self/ns/net'
	go
	is "$(readlink /proc/self/ns/net)"
	cfg '.linux.namespaces += [{type: "network"}]'
	sh_args 'ip -o link | grep -v "^1: lo:.*LOOPBACK,UP"; nc -l -p 8080 & nc -w 1 127.0.0.1 8080 </dev/null; echo "$?"'
	cfg '.process.args[2] = "ip addr show lo; ip -o link | wc -l"'
	go
	ok
	has 127.0.0.1
	has UP
}

@test "sysfs with the host's network is the host's, read-only with all below" {
	cfg '(.mounts[] | select(.destination == "/sys")) |= {destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid"]}
		| .mounts |= map(select(.type != "cgroup"))'
	delegate
	sh_args "find /sys/fs/cgroup -maxdepth 3 -type d -exec sh -c 'mkdir \$0/new 2>/dev/null && echo \$0 written' {} ';'; ls -d /sys/class/net/lo"
	within go
	go
	is /sys/class/net/lo
}

@test "a procfs with the host's pid namespace is the host's, with its masks" {
	without_ns pid
	sh_args 'echo x >/proc/sys/kernel/hostname && echo written; ls -d /proc/$PPID >/dev/null && wc -c </proc/keys'
	go
	ok
	hasnt written
	[ "${lines[-1]}" = 0 ]
}

@test "an mqueue with the host's ipc namespace is the host's, or refused" {
	without_ns ipc
	sh_args 'grep -c " /dev/mqueue mqueue " /proc/self/mounts'
	go
	if [ "$(stat -fc %T /dev/mqueue 2>/dev/null)" = mqueue ]; then
		is 1
	else
		refused_live /mounts/
		has ipc
		nothing_left
	fi
}

@test "devpts with a group that isn't mapped is refused by its option, and works when it is" {
	cfg '(.mounts[] | select(.type == "devpts")).options += ["gid=5"]'
	go
	refused_live 'gid=5'
	has 'mapped'
	nothing_left
	ranges
	go
	ok
}

@test "oom_score_adj is raised; what only root may lower stays" {
	args cat /proc/self/oom_score_adj
	cfg '.process.oomScoreAdj = 500'
	go
	is 500
	cfg '.process.oomScoreAdj = -500'
	go
	is "$(cat /proc/self/oom_score_adj)"
}

@test "limits beyond one's own are refused by name" {
	cfg '.process.rlimits[0].hard = 99999999'
	go
	refused_live RLIMIT_NOFILE
	nothing_left
}

@test "a resource limit without a delegated group is refused by its property" {
	if [ "$RF_VIEW" = v2 ]; then
		cfg '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 2097152}]'
		go
		refused_live /linux/resources/hugepageLimits/0
	else
		cfg '.linux.resources.pids.limit = 10'
		go
		refused_live /linux/resources/pids/limit
	fi
	has 'no control group is this user'
	nothing_left
}

@test "root's container of the same name is left alone" {
	"$RINGFENCE" --root "$T/rootstate" spec -b "$T/home"
	mkdir "$T/rb"
	cp -a "$b/rootfs" "$T/rb/"
	chown -R 0:0 "$T/rb"
	jq '.process.terminal = false | .process.args = ["sleep", "1000"]' "$T/home/config.json" >"$T/rb/config.json"
	rm "$T/home/config.json"
	"$RINGFENCE" --root "$T/rootstate" run -d -b "$T/rb" "$id" </dev/null >/dev/null 2>&1 3>&-
	up
	run -0 rf ps -f json "$id"
	[ "$(jq length <<<"$output")" = 1 ]
	rf kill --all "$id" KILL
	until_true stopped
	rf delete "$id"
	[ "$("$RINGFENCE" --root "$T/rootstate" state "$id" | jq -r .status)" = running ]
	"$RINGFENCE" --root "$T/rootstate" delete --force "$id"
}

@test "in a delegated group limits hold, all can be paused, and it is removed" {
	delegate
	if [ "$RF_VIEW" = v2 ]; then
		cfg '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 2097152}]'
	else
		cfg '.linux.resources.pids.limit = 10'
	fi
	# A shell that can't fork ends: not the first.
	within up "sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1000 & done' 2>/dev/null; exec sleep 1000"
	if [ "$RF_VIEW" = v2 ]; then
		[ "$(cg_file none none hugetlb.2MB.max)" = 2097152 ]
	else
		[ "$(cg_file pids pids.max pids.max)" = 10 ]
		until_true of_all 9
		[ "$(within rf ps -f json "$id" | jq length)" -le 10 ]
	fi
	within rf pause "$id"
	[ "$(status)" = paused ]
	within rf resume "$id"
	[ "$(status)" = running ]
	within rf kill "$id" KILL
	until_true stopped
	within rf delete "$id"
	[ -z "$(find /sys/fs/cgroup -path "*$id/*ringfence*" -print -quit 2>/dev/null)" ]
}

of_all() { [ "$(within rf ps -f json "$id" | jq length)" -ge "$1" ]; }

@test "exec enters the delegated group" {
	delegate
	within up
	run within rf exec "$id" cat /proc/self/cgroup </dev/null
	ok
	has "ringfence-$id"
	within rf delete --force "$id"
}

@test "a group that cgroupsPath names is used where it was delegated, and void elsewhere" {
	delegate
	cfg --arg p "/$id/asked" '.linux.cgroupsPath = $p'
	args cat /proc/self/cgroup
	run within rf run -b "$b" "$id" </dev/null
	ok
	has "/$id/asked"
	cfg --arg p "/$id-not/asked" '.linux.cgroupsPath = $p'
	run within rf run -b "$b" "$id" </dev/null
	ok
	hasnt asked
}

@test "a systemd unit with Delegate: limits hold" {
	[ -d /run/systemd/system ] || skip "no systemd here"
	# Its user needs an account that systemd sees.
	chown -R daemon:daemon "$b" "$T/xdg"
	cfg --argjson u "$(id -u daemon)" --argjson g "$(id -g daemon)" \
		'.linux.uidMappings[0].hostID = $u | .linux.gidMappings[0].hostID = $g'
	cfg '.linux.resources.pids.limit = 7 | .linux.resources.memory.limit = 33554432'
	sh_args 'cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max'
	cat >"$T/bin/job" <<-JOB
		#!/bin/bash
		own=/sys/fs/cgroup\$(sed -n s/^0:://p /proc/self/cgroup)
		mkdir "\$own/shell" && echo \$\$ >"\$own/shell/cgroup.procs" || exit 90
		XDG_RUNTIME_DIR=$T/xdg exec $T/bin/ringfence run -b $b $id
	JOB
	chmod 755 "$T/bin/job"
	run systemd-run -q --wait --pipe --uid=daemon --gid=daemon -p Delegate=yes "$T/bin/job" </dev/null
	is $'7\n33554432'
	chown -R "$uid:$uid" "$T/xdg"
}

# As podman and buildah start it: uid 0 of a user namespace, nothing of cgroups or users asked.
engine_config() {
	rm "$config"
	u ringfence spec -b "$b"
	cfg 'del(.linux.resources) | .process.terminal = false | .linux.namespaces |= map(select(.type != "user"))'
	sh_args "${1:-exec sleep 1000}"
}
engine() { u unshare -U --map-auto -r "$@"; }

@test "within an engine's user namespace: the verbs, without a namespace of its own" {
	engine_config
	cat >"$T/bin/engine" <<-ENGINE
		#!/bin/bash
		# One user namespace for all commands, as podman keeps one.
		set -e
		ringfence create -b $b $id </dev/null >/dev/null 2>&1
		ringfence start $id
		ringfence exec -u 7:8 $id id
		ringfence exec $id stat -c %t:%T /dev/null
		! ringfence exec -u 99999 $id id 2>&1 || exit 91
		ringfence ps -f json $id | jq length
		! ringfence pause $id 2>&1 || exit 92
		ringfence kill $id KILL
		for _ in {1..100}; do [ "\$(ringfence state $id | jq -r .status)" != stopped ] || break; sleep 0.05; done
		ringfence delete $id
	ENGINE
	chmod 755 "$T/bin/engine"
	run engine "$T/bin/engine"
	ok
	[ "${lines[0]}" = 'uid=7 gid=8' ]
	[ "${lines[1]}" = 1:3 ]
	[[ ${lines[2]} == *"isn't mapped in the user namespace"* ]]
	[ "${lines[3]}" = 1 ]
	[[ ${lines[4]} == *'no control group'* ]]
}

@test "within an engine's user namespace: with a mount namespace too, and with one id only" {
	engine_config 'id -u'
	run u unshare -U --map-auto -r -m ringfence run -b "$b" "$id" </dev/null
	is 0
	cfg '(.mounts[] | select(.type == "devpts")).options |= map(select(. != "gid=5"))'
	run u unshare -U -r ringfence run -b "$b" "$id" </dev/null
	is 0
}

@test "within an engine's user namespace: a limit is refused, a device rule isn't" {
	engine_config 'id -u'
	cfg '.linux.resources.devices = [{allow: false, access: "rwm"}]'
	run engine ringfence run -b "$b" "$id" </dev/null
	is 0
	if [ "$RF_VIEW" != v2 ]; then
		cfg '.linux.resources.pids.limit = 5'
		run engine ringfence run -b "$b" "$id" </dev/null
		refused_live /linux/resources/pids/limit
	fi
}

# nested USER: ringfence within a ringfence container that has the rights for it.
nested() {
	local inner=$b/rootfs/inner
	mkdir "$inner"
	cp -a "$b/rootfs" "$T/copy" && mv "$T/copy" "$inner/rootfs"
	rmdir "$inner/rootfs/inner"
	cp "$RINGFENCE" "$b/rootfs/bin/ringfence"
	"$RINGFENCE" spec -b "$inner"
	jq '.process.terminal = false | .process.args = ["sh", "-c", "echo $$; hostname"] | .hostname = "inner"
		| (.mounts[] | select(.type == "devpts")).options |= map(select(. != "gid=5"))' "$inner/config.json" >"$inner/c"
	mv "$inner/c" "$inner/config.json"
	cfg '.root.readonly = false | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .process.noNewPrivileges = false
		| (["SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "MKNOD", "CHOWN", "FOWNER", "DAC_OVERRIDE", "KILL", "SYS_CHROOT",
			"NET_ADMIN", "AUDIT_WRITE", "NET_BIND_SERVICE"] | map("CAP_" + .)) as $c
		| .process.capabilities |= map_values($c) | .linux.namespaces += [{type: "cgroup"}]
		| (.mounts[] | select(.type == "cgroup")).options |= map(select(. != "ro"))'
	sh_args 'cd /inner && ringfence run in && ringfence run -d again </dev/null && ringfence delete -f again && ringfence list -q && ls /run/ringfence'
}

@test "ringfence within the container of an unprivileged user" {
	nested
	chown -R "$uid:$uid" "$b/rootfs"
	go
	ok
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" = inner ]
}

@test "ringfence within a container of root's" {
	rm "$config"
	"$RINGFENCE" spec -b "$b"
	cfg '.process.terminal = false'
	nested
	chown -R 0:0 "$b"
	run "$RINGFENCE" --root "$T/rootstate" run -b "$b" "$id" </dev/null
	ok
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" = inner ]
}

@test "the same outcome as runc, as the same user" {
	need runc
	[ "$RF_VIEW" != hostvm ] || skip "compared on the host"
	local filter want
	cp "$config" "$T/plain.json"
	cfg '.ociVersion = "1.0.2"'
	cp "$config" "$T/plain.json"
	for filter in . '.process.args = ["sh", "-c", "exit 9"]' '.process.args = ["nothing"]' '.process.user.uid = 7' \
		'.process.user.additionalGids = [0]' '.linux.gidMappings[0].hostID = 5' '.linux.resources.pids.limit = 10' \
		'(.mounts[] | select(.type == "devpts")).options += ["gid=5"]' '.linux.namespaces += [{type: "network"}]' \
		'.process.rlimits[0].hard = 99999999' '.process.oomScoreAdj = 300' '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)' \
		'.mounts |= map(select(.type != "cgroup"))' '.process.cwd = "/nowhere"'; do
		jq "$filter" "$T/plain.json" >"$config"
		want=0
		u runc run -b "$b" "$id" </dev/null >/dev/null 2>&1 || want=$?
		u runc delete --force "$id" 2>/dev/null || true
		go
		[ "$status" = "$want" ] || { echo "runc gives $want, we $status to: $filter"; echo "$output"; return 1; }
	done
	rm -rf "$T/xdg/runc"
}
