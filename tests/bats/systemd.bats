#!/usr/bin/env bats
# Who makes the control group: systemd, asked over its bus, or nobody.
#
# What needs a systemd runs in the host VM; what a host without one must say runs elsewhere.
load helpers

booted() { [ -d /run/systemd/system ] && [ -S /run/systemd/private ]; }
need_systemd() { booted || skip "systemd is not process 1 here (the host VM has it)"; }
need_no_systemd() { ! booted || skip "systemd is process 1 here"; }

extra_teardown() {
	[ ! -e "$T/keep_user" ] || end_user
	# What a test that failed left: gently first, for a stop waits for who ignores TERM.
	rf delete --force "$id" 2>/dev/null || true
	! booted || systemctl kill -s KILL "rft-$id.scope" 2>/dev/null || true
}

# Only create and run are told; every other verb has to remember.
sd_create() { rf --systemd-cgroup create -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }; }
# A cgroup namespace shows where its root is.
with_ns() { cfg '.linux.namespaces += [{type: "cgroup"}] | .linux.namespaces |= unique_by(.type)'; }
sd_up() { sh_args "exec sleep 1000" && sd_create && start; }
sd_go() { run rf --systemd-cgroup run -b "$b" "$id" </dev/null; }
path() { cfg --arg p "$1" '.linux.cgroupsPath = $p'; }
prop() { systemctl show --value -p "$1" "${2:-rft-$id.scope}"; }
group_of() { sed -n 's/^0:://p' "/proc/$(pid)/cgroup"; }
no_unit() { [ "$(prop LoadState "$@")" = not-found ]; }
file() { cat "/sys/fs/cgroup$(group_of)/$1"; }

# --- without systemd ---

@test "without systemd one line says what to do, and nothing is left" {
	need_no_systemd
	sd_go
	refused "needs systemd as process 1"
	has "cgroupfs driver"
	[ "${#lines[@]}" -eq 1 ]
	run env XDG_RUNTIME_DIR="$T" "$RINGFENCE" --root "$T/state" --rootless true --cgroup-manager=systemd run -b "$b" "$id" </dev/null
	refused "needs systemd --user"
	has "enable-linger"
}

@test "a cgroupsPath that is no slice:prefix:name is refused" {
	for p in /a/b a a:b a:b:c:d a::b machine:rft:x a/b.slice:rft:x a--b.slice:rft:x .slice:rft:x machine.slice:rft:; do
		path "$p"
		sd_go
		refused /linux/cgroupsPath
	done
}

@test "an unknown cgroup manager is refused" {
	run rf --cgroup-manager=lvm run -b "$b" "$id" </dev/null
	refused "cgroupfs, systemd or disabled"
}

@test "annotations that can't become properties are refused" {
	check() {
		cfg --arg k "org.systemd.property.$1" --arg v "$2" '.annotations = {($k): $v}'
		sd_go
		refused "/annotations/org.systemd.property.$1"
	}
	check TimeoutStopUSec ''
	check TimeoutStopUSec 'uint64'
	check TimeoutStopUSec 'uint64 -1'
	check TimeoutStopUSec 'uint64 1 2'
	check CollectMode inactive
	check TimeoutStopSec "'1'"
	check 'a b' 1
	check Slice "'x.slice'"
	check PIDs '[uint32 1]'
	check Environment '[]'
	check Environment '{1: 2}'
}

# --- nobody ---

@test "cgroup manager disabled: no group is made, and the verbs get on" {
	sh_args 'sleep 1000 & exec sleep 1000'
	rf --cgroup-manager=disabled create -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&-
	start
	diff /proc/self/cgroup "/proc/$(pid)/cgroup"
	[ -z "$(find /sys/fs/cgroup -maxdepth 4 -type d -name "*$id*")" ]
	run rf exec "$id" echo inside
	is inside
	run rf ps --format json "$id"
	ok
	[ "$(jq length <<<"$output")" = 2 ]
	run rf pause "$id"
	exit_is 1
	has "no control group"
	is_status running
	run rf update --pids-limit 5 "$id"
	exit_is 1
	has "no control group"
	run rf events --stats "$id"
	ok
	p=$(pid)
	rf kill --all "$id" KILL
	until_true stopped
	gone "$p"
	rf delete "$id"
}

@test "cgroup manager disabled: delete --force of a running container" {
	sh_args 'exec sleep 1000'
	rf --cgroup-manager=disabled create -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&-
	start
	p=$(pid)
	rf delete --force "$id"
	gone "$p"
}

# --- systemd's own ---

@test "a scope in the slice that cgroupsPath names, and nothing of it afterwards" {
	need_systemd
	path "machine.slice:rft:$id"
	sd_up
	[ "$(prop ActiveState)" = active ]
	[ "$(prop Slice)" = machine.slice ]
	[ "$(prop Delegate)" = yes ]
	[ "$(prop MemoryAccounting)" = yes ]
	[ "$(prop ControlGroup)" = "$(group_of)" ]
	[ "$(group_of)" = "/machine.slice/rft-$id.scope" ]
	grep -qx "$(pid)" "/sys/fs/cgroup$(group_of)/cgroup.procs"
	jq -e --arg u "system rft-$id.scope" '.unit == $u' "$T/state/$id/state.json"
	down
	no_unit
	[ ! -e "/sys/fs/cgroup/machine.slice/rft-$id.scope" ]
}

@test "names: none, nested slices, the root slice, what needs escaping" {
	need_systemd
	sd_up
	[ "$(group_of)" = "/system.slice/ringfence-$id.scope" ]
	down
	no_unit "ringfence-$id.scope"
	path "rfta-b-c.slice:rft:$id"
	sd_up
	[ "$(group_of)" = "/rfta.slice/rfta-b.slice/rfta-b-c.slice/rft-$id.scope" ]
	down
	systemctl stop rfta.slice
	path "-:rft:$id"
	sd_up
	[ "$(group_of)" = "/rft-$id.scope" ]
	down
	path ":rft:a+b@c-$id"
	sd_up
	[ "$(group_of)" = "/system.slice/rft-a\\x2bb\\x40c-$id.scope" ]
	down
	no_unit "rft-a\\x2bb\\x40c-$id.scope"
}

@test "a name that ends in .slice makes a slice" {
	need_systemd
	path "::rfts-${id#rft-}.slice"
	sd_up
	[ "$(group_of)" = "/rfts.slice/rfts-${id#rft-}.slice" ]
	[ "$(prop ActiveState "rfts-${id#rft-}.slice")" = active ]
	down
	[ "$(prop ActiveState "rfts-${id#rft-}.slice")" = inactive ]
	systemctl stop rfts.slice
}

@test "limits are properties, and stand after a reload" {
	need_systemd
	path "machine.slice:rft:$id"
	cfg '.linux.resources.memory = {limit: 67108864, reservation: 33554432, swap: 100663296}
		| .linux.resources.cpu = {shares: 512, quota: 20000, period: 50000, cpus: "0", mems: "0"}
		| .linux.resources.pids = {limit: 50}
		| .linux.resources.unified = {"memory.high": "50331648"}'
	sd_up
	check() {
		[ "$(prop MemoryMax)" = 67108864 ]
		[ "$(prop MemoryLow)" = 33554432 ]
		[ "$(prop MemoryHigh)" = 50331648 ]
		[ "$(prop MemorySwapMax)" = 33554432 ]
		[ "$(prop TasksMax)" = 50 ]
		[ "$(prop AllowedCPUs)" = 0 ]
		[ "$(prop CPUQuotaPerSecUSec)" = 400ms ]
		[ "$(file memory.max)" = 67108864 ]
		[ "$(file memory.high)" = 50331648 ]
		[ "$(file cpu.max)" = "20000 50000" ]
		[ "$(file cpu.weight)" = "$(prop CPUWeight)" ]
		[ "$(file pids.max)" = 50 ]
		[ "$(file cpuset.cpus)" = 0 ]
	}
	check
	systemctl daemon-reload
	check
	down
}

@test "update changes properties and files" {
	need_systemd
	path "machine.slice:rft:$id"
	cfg '.linux.resources.cpu = {quota: 20000, period: 50000}'
	sd_up
	rf update --memory 64m --pids-limit 33 "$id"
	[ "$(prop MemoryMax)" = 67108864 ]
	[ "$(prop TasksMax)" = 33 ]
	[ "$(file pids.max)" = 33 ]
	rf update --cpu-period 100000 "$id"
	[ "$(file cpu.max)" = "20000 100000" ]
	[ "$(prop CPUQuotaPerSecUSec)" = 200ms ]
	rf update --pids-limit -1 "$id"
	[ "$(prop TasksMax)" = infinity ]
	systemctl daemon-reload
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file cpu.max)" = "20000 100000" ]
	down
}

@test "exec, ps, pause, events" {
	need_systemd
	with_ns
	path "machine.slice:rft:$id"
	sd_up
	run rf exec "$id" cat /proc/self/cgroup
	is "0::/"
	rf exec -d "$id" sleep 999 </dev/null >/dev/null 2>&1 3>&-
	run rf ps --format json "$id"
	[ "$(jq length <<<"$output")" = 2 ]
	rf pause "$id"
	is_status paused
	rf resume "$id"
	is_status running
	rf events --stats "$id" | jq -e '.data.pids.current == 2'
	rf kill --all "$id" KILL
	until_true stopped
	rf delete "$id"
	no_unit
}

@test "device rules hold beside systemd" {
	need_systemd
	path "machine.slice:rft:$id"
	cfg --arg auto "'auto'" '.annotations["org.systemd.property.DevicePolicy"] = $auto
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 229, access: "rw"}]
		| (.process.capabilities | .bounding, .effective, .permitted) += ["CAP_MKNOD"] | .root.readonly = false'
	sh_args 'mknod /tmp/m c 1 11; head -c 1 /tmp/m >/dev/null 2>&1 && echo open; head -c 1 /dev/zero >/dev/null && echo zero'
	sd_go
	is zero
}

@test "delete --force, and a create that fails, leave no unit" {
	need_systemd
	path "machine.slice:rft:$id"
	sd_up
	rf delete --force "$id"
	no_unit
	cfg '.hooks = {createRuntime: [{path: "/bin/false"}]}'
	sd_go
	refused createRuntime
	no_unit
	cfg 'del(.hooks) | .annotations = {"org.systemd.property.NoSuchThing": "true"}'
	sd_go
	refused "NoSuchThing"
	no_unit
	cfg 'del(.annotations)'
	args /does/not/exist
	sd_go
	refused
	no_unit
}

@test "a runtime that was killed: delete --force finds the unit in the journal" {
	need_systemd
	path "machine.slice:rft:$id"
	sh_args 'exec sleep 1000'
	cfg '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "kill -KILL $PPID"]}]}'
	run rf --systemd-cgroup create -b "$b" "$id" </dev/null 3>&-
	[ "$status" -ge 128 ]
	rf delete --force "$id"
	no_unit
	[ ! -e "/sys/fs/cgroup/machine.slice/rft-$id.scope" ]
}

@test "annotations are properties" {
	need_systemd
	path "machine.slice:rft:$id"
	cfg --arg mode "'inactive'" --arg after "['basic.target']" '.annotations = {
		"org.systemd.property.TimeoutStopUSec": "uint64 123456789", "org.systemd.property.RuntimeMaxSec": "1000.5",
		"org.systemd.property.CollectMode": $mode, "org.systemd.property.Description": "\"my own\"",
		"org.systemd.property.After": $after}'
	sd_up
	[ "$(prop TimeoutStopUSec)" = "2min 3.456789s" ]
	[ "$(prop RuntimeMaxUSec)" = "16min 40.500000s" ]
	[ "$(prop CollectMode)" = inactive ]
	[ "$(prop Description)" = "my own" ]
	[[ $(prop After) == *basic.target* ]]
	down
}

@test "subgroup and delegated group of crun's annotations" {
	need_systemd
	with_ns
	path "machine.slice:rft:$id"
	cfg '.annotations = {"run.oci.systemd.subgroup": "box", "run.oci.delegate-cgroup": "own"} | .linux.resources.pids = {limit: 20}'
	sd_up
	[ "$(group_of)" = "/machine.slice/rft-$id.scope/box/own" ]
	[ "$(cat "/sys/fs/cgroup/machine.slice/rft-$id.scope/box/pids.max")" = 20 ]
	run rf exec "$id" true
	ok
	run rf exec "$id" head -1 /proc/1/cgroup
	is "0::/own"
	rf update --pids-limit 30 "$id"
	[ "$(cat "/sys/fs/cgroup/machine.slice/rft-$id.scope/box/pids.max")" = 30 ]
	down
	no_unit
	[ ! -e "/sys/fs/cgroup/machine.slice/rft-$id.scope" ]
}

@test "by way of the system bus" {
	need_systemd
	[ -S /run/dbus/system_bus_socket ] || skip "no bus daemon runs here"
	path "machine.slice:rft:$id"
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
	sd_up
	[ "$(group_of)" = "/machine.slice/rft-$id.scope" ]
	rf update --pids-limit 33 "$id"
	[ "$(prop TasksMax)" = 33 ]
	down
	no_unit
}

@test "run in the foreground; the exit code is the program's" {
	need_systemd
	with_ns
	path "machine.slice:rft:$id"
	sh_args 'cat /proc/self/cgroup; exit 7'
	sd_go
	exit_is 7
	has "0::/"
	hasnt rft
	no_unit
}

@test "podman with its systemd cgroup manager" {
	need_systemd
	need podman
	local p="podman --root $T/p/storage --runroot $T/p/run --tmpdir $T/p/tmp --storage-driver vfs --events-backend file
		--cgroup-manager systemd --runtime $RINGFENCE" c
	mkdir "$T/p"
	tar -C "$b/rootfs" -cf "$T/p/bb.tar" .
	$p import -q "$T/p/bb.tar" bb
	c=$($p run -d --network none --memory 64m --pids-limit 50 bb sleep 1000 3>&-)
	[ "$(prop Slice "libpod-$c.scope")" = machine.slice ]
	[ "$(prop MemoryMax "libpod-$c.scope")" = 67108864 ]
	[ "$(cat "/sys/fs/cgroup$(prop ControlGroup "libpod-$c.scope")/pids.max")" = 50 ]
	run $p exec "$c" echo inside
	has inside
	$p rm -f -t 0 "$c"
	no_unit "libpod-$c.scope"
}

# --- a user's own systemd ---

uid=4711
# A manager that lingers, without a login.
begin_user() {
	: >"$T/keep_user"
	id -u rftuser >/dev/null 2>&1 || useradd -m -u $uid rftuser
	mkdir -p /run/systemd/system/user@$uid.service.d
	printf '[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\nDelegate=yes\n' >/run/systemd/system/user@$uid.service.d/rft.conf
	systemctl daemon-reload
	loginctl enable-linger rftuser
	systemctl start user@$uid.service
	until_true test -S /run/user/$uid/systemd/private
	chmod 755 "$T" "$b"
	chown -R rftuser "$b"
}
end_user() {
	local p
	p=$(cat "$T/keep_user")
	[ -z "$p" ] || {
		as_user "$RINGFENCE" delete --force "$id" || true
		kill "$p"
	}
	loginctl disable-linger rftuser || true
	systemctl stop user@$uid.service user-runtime-dir@$uid.service || true
	rm -rf /run/systemd/system/user@$uid.service.d
	systemctl daemon-reload
}
in_session() { setpriv --reuid $uid --regid $uid --clear-groups env HOME=/tmp XDG_RUNTIME_DIR=/run/user/$uid "$@"; }
# As an engine does it without privileges: in a user namespace of its own, as its root.
as_user() { in_session nsenter --preserve-credentials -U -m -t "$(cat "$T/keep_user")" "$@"; }

@test "a user's own scope" {
	need_systemd
	need setpriv
	begin_user
	# shellcheck disable=SC2016 # for the inner shell
	in_session unshare -Urm sh -c 'echo $$ >"$0"; exec sleep 1000' "$b/session" 3>&- </dev/null >/dev/null 2>&1 &
	until_true test -s "$b/session"
	cp "$b/session" "$T/keep_user"
	cfg '.process.args = ["sleep", "1000"] | .linux.resources.pids = {limit: 40}
		| .mounts |= map(if .type == "devpts" then .options -= ["gid=5"] else . end)'
	path ":rft:$id"
	as_user "$RINGFENCE" --systemd-cgroup create -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; false; }
	as_user "$RINGFENCE" start "$id" 3>&-
	p=$(as_user "$RINGFENCE" state "$id" | jq .pid)
	g=$(sed -n 's/^0:://p' "/proc/$p/cgroup")
	[ "$g" = "/user.slice/user-$uid.slice/user@$uid.service/user.slice/rft-$id.scope" ]
	[ "$(cat "/sys/fs/cgroup$g/pids.max")" = 40 ]
	run as_user "$RINGFENCE" exec "$id" echo inside
	is inside
	as_user "$RINGFENCE" exec -d --pid-file "$b/pid" "$id" sleep 998 </dev/null >/dev/null 2>&1 3>&-
	grep -qx "0::$g" "/proc/$(cat "$b/pid")/cgroup"
	as_user "$RINGFENCE" update --pids-limit 41 "$id"
	[ "$(cat "/sys/fs/cgroup$g/pids.max")" = 41 ]
	run in_session systemctl --user show --value -p TasksMax "rft-$id.scope"
	is 41
	as_user "$RINGFENCE" delete --force "$id"
	gone "$p"
	[ ! -e "/sys/fs/cgroup$g" ]
	run in_session systemctl --user show --value -p LoadState "rft-$id.scope"
	is not-found
}
