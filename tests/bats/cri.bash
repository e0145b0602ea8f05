# What cri.bats and microvm-cri.bats share: containerd in a world of its own, with this runtime as a class
# of runtimes for pods, and the calls of a kubelet.

engine_missing() {
	missing_of containerd ctr catatonit socat /usr/bin/python3
	/usr/bin/python3 -c 'import grpc' 2>/dev/null || echo python3-grpcio
}
engine_rm() {
	[ -z "${pod:-}" ] || {
		cri StopPodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
		cri RemovePodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
	}
	# The pod's group is the kubelet's: not every runtime removes it.
	find /sys/fs/cgroup -mindepth 1 -maxdepth 3 -type d \( -path "*/$cg_parent/$id" -o -path "*/$cg_parent/$id-other" \) -exec rmdir {} + || true
}
# cri CALL JSON: the answer, as JSON.
cri() {
	local answer
	answer=$(socat -t 600 - "UNIX-CONNECT:$W/cri.sock" <<<"$1 ${2//$'\n'/ }")
	case $answer in
	ok\ *) echo "${answer#ok }" ;;
	*) echo "${answer#error }" >&2 && return 1 ;;
	esac
}

# cri_up: the world, and containerd in it with its images.
cri_up() {
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
	within setsid /usr/bin/python3 "$BATS_TEST_DIRNAME/cri.py" /run/containerd.sock "$W/cri.sock" >"$W/cri.log" 2>&1 &
	answers "$W/cri.log" [ -S "$W/cri.sock" ]
	image_tar
	image_archive bb sh
	image_archive pause sleep 1000000
	for i in bb pause; do
		within ctr -a /run/containerd.sock -n k8s.io image import "$W/$i.tar" >"$W/import.log"
	done
}

# pod_up [JSON [HOSTNAME]]: a pod by our runtime class; more of its Linux part in JSON. Sets $pod.
pod_up() {
	sandbox=$(jq -cn --arg i "$id" --arg p "/$cg_parent/$id" --arg logs "$T" --argjson more "${1:-null}" --arg h "${2-inside}" \
		'{metadata: {name: $i, uid: $i, namespace: "default"}, hostname: $h, log_directory: $logs,
		  linux: ({cgroup_parent: $p} + $more)}')
	pod=$(cri RunPodSandbox "{\"config\": $sandbox, \"runtime_handler\": \"rut\"}" | jq -r .pod_sandbox_id)
}

# box NAME JSON WORD…: a container in the pod, started; JSON is its Linux part. Prints its id. $mounts, where
# it is set, are its mounts as JSON.
box() {
	local name=$1 linux=$2 c
	shift 2
	c=$(cri CreateContainer "$(jq -cn --arg p "$pod" --arg n "$name" --argjson s "$sandbox" --argjson l "$linux" --argjson m "${mounts:-[]}" \
		'{pod_sandbox_id: $p, sandbox_config: $s, config: {metadata: {name: $n}, image: {image: "docker.io/library/bb:1"},
		  command: $ARGS.positional, mounts: $m, log_path: ($n + ".log"), linux: $l}}' --args -- "$@")" | jq -er .container_id) &&
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
# execs ID: output, error and exit code of a command; none that isn't there.
execs() {
	run jq -r '.stdout + .stderr + (.exit_code | tostring)' <<<"$(ex "$1" sh -c 'echo out; echo err >&2; exit 6')"
	is $'out\nerr\n6'
	run ex "$1" no-such-program
	exit_is 1
	has "executable file not found"
}
