#!/usr/bin/env bats
# Pods as a kubelet makes them: containerd's CRI with this runtime as a runtime class of its own.
load helpers
load engines-docker

engine_missing() {
	missing_of containerd ctr catatonit /usr/bin/python3
	/usr/bin/python3 -c 'import grpc' 2>/dev/null || echo python3-grpcio
}
engine_rm() {
	[ -z "${pod:-}" ] || {
		cri StopPodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
		cri RemovePodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
	}
	# The pod's group is the kubelet's: not every runtime removes it.
	find /sys/fs/cgroup -mindepth 1 -maxdepth 3 -type d -path "*/$cg_parent/$id" -exec rmdir {} + || true
}
cri() { within /usr/bin/python3 "$BATS_TEST_DIRNAME/cri.py" /run/containerd.sock "$@"; }

setup_file() {
	engine_can_run || return 0
	world_up
	# This machine's root may be without the right to lower a score: the daemon passes that over.
	cat >"$W/config.toml" <<-C
		version = 2
		root = "$W/root"
		state = "/run/containerd-state"
		[grpc]
		address = "/run/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		sandbox_image = "docker.io/library/pause:1"
		restrict_oom_score_adj = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "/usr/lib/cni"
		[plugins."io.containerd.grpc.v1.cri".containerd]
		default_runtime_name = "rut"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.rut]
		runtime_type = "io.containerd.runc.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.rut.options]
		BinaryName = "$RINGFENCE"
		SystemdCgroup = false
	C
	within mkdir -p /etc/cni/net.d
	within tee /etc/cni/net.d/10-rft.conf >/dev/null <<-'J'
		{ "cniVersion": "0.4.0", "name": "rft", "type": "bridge", "bridge": "rft-cni", "isGateway": true,
		  "ipam": { "type": "host-local", "subnet": "10.203.0.0/24", "dataDir": "/run/cni" } }
	J
	within setsid containerd -c "$W/config.toml" >"$W/containerd.log" 2>&1 &
	answers "$W/containerd.log" within ctr -a /run/containerd.sock version
	image_tar
	image_archive bb sh
	image_archive pause sleep 1000000
	for i in bb pause; do
		within ctr -a /run/containerd.sock -n k8s.io image import "$W/$i.tar" >"$W/import.log"
	done
}

teardown_file() { world_down; }

# pod_up [JSON [HOSTNAME]]: a pod by our runtime class; more of its Linux part in JSON. Sets $pod.
pod_up() {
	sandbox=$(jq -cn --arg i "$id" --arg p "/$cg_parent/$id" --arg logs "$T" --argjson more "${1:-null}" --arg h "${2-inside}" \
		'{metadata: {name: $i, uid: $i, namespace: "default"}, hostname: $h, log_directory: $logs,
		  linux: ({cgroup_parent: $p} + $more)}')
	pod=$(cri RunPodSandbox "{\"config\": $sandbox, \"runtime_handler\": \"rut\"}" | jq -r .pod_sandbox_id)
}

# box NAME JSON WORD…: a container in the pod, started; JSON is its Linux part. Prints its id.
box() {
	local name=$1 linux=$2 c
	shift 2
	c=$(cri CreateContainer "$(jq -cn --arg p "$pod" --arg n "$name" --argjson s "$sandbox" --argjson l "$linux" \
		'{pod_sandbox_id: $p, sandbox_config: $s, config: {metadata: {name: $n}, image: {image: "docker.io/library/bb:1"},
		  command: $ARGS.positional, log_path: ($n + ".log"), linux: $l}}' --args -- "$@")" | jq -er .container_id) &&
		cri StartContainer "{\"container_id\": \"$c\"}" >/dev/null && echo "$c"
}
about() { cri ContainerStatus "{\"container_id\": \"$1\"}" | jq -r ".status.$2"; }
# States of the interface: 1 running, 2 exited.
state_is() { [ "$(about "$1" state)" = "$2" ]; }
ex() {
	local c=$1
	shift
	cri ExecSync "$(jq -cn --arg c "$c" '{container_id: $c, timeout: 10, cmd: $ARGS.positional}' --args -- "$@")"
}

@test "a pod: its containers share network and IPC, not processes" {
	pod_up
	c=$(box one '{}' sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp')
	d=$(box two '{"security_context": {"namespace_options": {"pid": 1}}}' sleep 1000)
	until_true fetched
	run jq -r .stdout <<<"$(ex "$d" hostname)"
	is inside
	run jq -r .stdout <<<"$(ex "$d" cat /proc/1/comm)"
	is sleep
	address=$(cri PodSandboxStatus "{\"pod_sandbox_id\": \"$pod\"}" | jq -r .status.network.ip)
	until_true within busybox wget -qO "$T/page" "http://$address/"
	[ "$(cat "$T/page")" = page ]
	for ns in net ipc uts; do
		[ "$(ex "$c" readlink "/proc/self/ns/$ns")" = "$(ex "$d" readlink "/proc/self/ns/$ns")" ]
	done
	[ "$(ex "$c" readlink /proc/self/ns/pid)" != "$(ex "$d" readlink /proc/self/ns/pid)" ]
}
fetched() { ex "$d" wget -qO- http://127.0.0.1/ | grep -q page; }

@test "a pod on the host's network" {
	# Its processes see the host's name, too: it has none of its own.
	pod_up '{"security_context": {"namespace_options": {"network": 2}}}' ""
	c=$(box one '{"security_context": {"namespace_options": {"network": 2}}}' sleep 1000)
	run jq -r .stdout <<<"$(ex "$c" readlink /proc/self/ns/net)"
	has "$(within readlink /proc/self/ns/net)"
}

@test "exec: output, exit code, not found" {
	pod_up
	c=$(box one '{}' sleep 1000)
	run jq -r '.stdout + .stderr + (.exit_code | tostring)' <<<"$(ex "$c" sh -c 'echo out; echo err >&2; exit 6')"
	is $'out\nerr\n6'
	run ex "$c" no-such-program
	exit_is 1
	has "executable file not found"
}

@test "exit code, log, stop, a start that fails" {
	pod_up
	c=$(box one '{}' sh -c 'echo said; exit 7')
	until_true state_is "$c" 2
	[ "$(about "$c" exit_code)" = 7 ]
	grep -q 'stdout F said' "$T/one.log"
	c=$(box two '{}' sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done')
	until_true grep -q up "$T/two.log"
	cri StopContainer "{\"container_id\": \"$c\", \"timeout\": 5}"
	[ "$(about "$c" state) $(about "$c" exit_code)" = "2 5" ]
	c=$(box three '{}' sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done')
	until_true grep -q up "$T/three.log"
	cri StopContainer "{\"container_id\": \"$c\", \"timeout\": 1}"
	[ "$(about "$c" exit_code)" = 137 ]
	run box four '{}' no-such-program
	[ "$status" -ne 0 ]
	has "executable file not found"
}

@test "limits stand in the group, and an update changes them" {
	! cgroup_v2 || skip "names of v1's files"
	pod_up
	c=$(box one '{"resources": {"cpu_period": 100000, "cpu_quota": 50000, "cpu_shares": 512, "memory_limit_in_bytes": 67108864}}' sleep 1000)
	g=$cg_parent/$id/$c
	[ "$(cat "/sys/fs/cgroup/memory/$g/memory.limit_in_bytes" "/sys/fs/cgroup/cpu/$g/cpu.cfs_quota_us" "/sys/fs/cgroup/cpu/$g/cpu.shares" | xargs)" = "67108864 50000 512" ]
	cri UpdateContainerResources "{\"container_id\": \"$c\", \"linux\": {\"memory_limit_in_bytes\": 99999744, \"cpu_quota\": 70000, \"cpuset_cpus\": \"0\"}}"
	[ "$(cat "/sys/fs/cgroup/memory/$g/memory.limit_in_bytes" "/sys/fs/cgroup/cpu/$g/cpu.cfs_quota_us" "/sys/fs/cgroup/cpu/$g/cpu.shares" "/sys/fs/cgroup/cpuset/$g/cpuset.cpus" | xargs)" = "99999744 70000 512 0" ]
	run jq -r .stdout <<<"$(ex "$c" sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1; echo end $?')"
	has "end 137"
}

@test "security: user, capabilities, seccomp, no-new-privileges, read-only, masked, privileged" {
	pod_up
	c=$(box one '{"security_context": {"run_as_user": {"value": 1000}, "capabilities": {"drop_capabilities": ["ALL"]}, "no_new_privs": true,
		"readonly_rootfs": true, "seccomp": {}, "masked_paths": ["/proc/keys"], "readonly_paths": ["/proc/sys"]}}' sleep 1000)
	run jq -r .stdout <<<"$(ex "$c" sh -c 'id -u; grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status; wc -c </proc/keys; touch /x || echo ro')"
	has $'1000\n'
	has $'CapEff:\t0000000000000000'
	has $'NoNewPrivs:\t1'
	has $'Seccomp:\t2'
	has $'0\nro'
	run box two '{"security_context": {"privileged": true}}' true
	[ "$status" -ne 0 ]
	has "privileged"
}

@test "nothing of a pod is left after it" {
	pod_up
	c=$(box one '{"resources": {"memory_limit_in_bytes": 67108864}}' sleep 1000)
	gone_pod=$pod
	engine_rm
	pod=
	run find /sys/fs/cgroup -mindepth 1 -maxdepth 5 \( -name "*$c*" -o -name "*$gone_pod*" \)
	is ""
	run within find /run -xdev \( -name "*$c*" -o -name "*$gone_pod*" \)
	is ""
	run within grep -E "$c|$gone_pod" /proc/mounts
	[ -z "$output" ]
}
