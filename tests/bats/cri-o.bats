#!/usr/bin/env bats
# CRI-O's calls, word by word, through the conmon that it runs: a pod is a sandbox container and
# others that join its namespaces by the paths where they are pinned.
load helpers
load cri-o

extra_setup() { crio_setup; }
extra_teardown() { crio_teardown; }

@test "create through conmon, start, state, kill by name, exit file, delete --force twice" {
	sh_args 'echo up; exec sleep 1000'
	mon "$id" "$b"
	[ "$(cat "$T/$id.pid")" = "$(rt state "$id" | jq .pid)" ]
	rt start "$id"
	run rt state "$id"
	ok
	[ "$(jq -r '.status, .id, .bundle' <<<"$output")" = "running"$'\n'"$id"$'\n'"$(realpath "$b")" ]
	# CRI-O reads when it was created, as RFC 3339.
	date -d "$(jq -r .created <<<"$output")" >/dev/null
	[ "$(jq -r .ociVersion <<<"$output")" != null ]
	until_true grep -q 'stdout F up' "$T/$id.log"
	rt kill "$id" KILL
	until_true exited "$id"
	[ "$(cat "$T/exits/$id")" = 137 ]
	[ "$(rt state "$id" | jq -r .status)" = stopped ]
	# What CRI-O looks for when it was too late.
	run rt kill "$id" 15
	[ "$status" -ne 0 ]
	[[ $output == *"no such process"* || $output == *"container not running"* || $output == *"process already finished"* ]]
	rt delete --force "$id"
	rt delete --force "$id"
}

@test "the exit code of a program that ends by itself" {
	sh_args 'exit 42'
	mon "$id" "$b"
	rt start "$id"
	until_true exited "$id"
	[ "$(cat "$T/exits/$id")" = 42 ]
	rt delete "$id"
}

@test "a create that fails: the log says why, nothing is left" {
	args /no/such/program
	run conmon_of "$id" "$b" "$id" --sync --runtime-arg --log-format=json --runtime-arg "--log=$T/oci.log"
	[ ! -s "$T/$id.pid" ]
	[ "$(jq -r 'select(.level == "error") | .msg' "$T/oci.log" | grep -c 'no such file or directory')" -ge 1 ]
	[ -z "$(rt list -q)" ]
}

@test "a pod: the container joins the sandbox's pinned namespaces, and has its own mounts and pids" {
	pinned
	local by_path='.linux.namespaces = [{type: "mount"}, {type: "pid"}, {type: "network", path: ($t + "/ns/net")},
		{type: "ipc", path: ($t + "/ns/ipc")}, {type: "uts", path: ($t + "/ns/uts")}] | .hostname = "in-the-pod"
		| del(.linux.sysctl) | .linux.cgroupsPath = "/rft-" + $i + "/" + $n'
	cp -a "$b" "$T/b2"
	args sleep 1000
	cfg --arg t "$T" --arg i "$id" --arg n sandbox "$by_path"
	mon "$id" "$b"
	rt start "$id"
	jq --arg t "$T" --arg i "$id" --arg n one "$by_path"' | .process.args = ["sh", "-c", "hostname; echo $$; exec sleep 1000"]' \
		"$b/config.json" >"$T/b2/config.json"
	mon "$id-2" "$T/b2"
	rt start "$id-2"
	until_true grep -q 'stdout F 1$' "$T/$id-2.log"
	grep -q 'stdout F in-the-pod' "$T/$id-2.log"
	local one two n
	one=$(cat "$T/$id.pid") two=$(cat "$T/$id-2.pid")
	for n in net ipc uts; do [ "$(readlink "/proc/$one/ns/$n")" = "$(readlink "/proc/$two/ns/$n")" ]; done
	for n in mnt pid; do [ "$(readlink "/proc/$one/ns/$n")" != "$(readlink "/proc/$two/ns/$n")" ]; done
	ended "$id-2"
	is_status_of "$id" running
	ended "$id"
	find /sys/fs/cgroup -depth -type d -name "rft-$id" -exec rmdir {} + 2>/dev/null || true
}

@test "exec through conmon (ExecSync), and in the foreground (a stream)" {
	args sleep 1000
	mon "$id" "$b"
	rt start "$id"
	jq '.process | .args = ["sh", "-c", "echo out; echo err >&2; exit 7"]' "$config" >"$T/process.json"
	run conmon_of "$id" "$b" x -e --exec-process-spec "$T/process.json" --sync
	until_true grep -q 'stdout F out' "$T/x.log"
	until_true grep -q 'stderr F err' "$T/x.log"
	[ -s "$T/x.pid" ]
	run rt exec --process "$T/process.json" "$id" </dev/null
	exit_is 7
	has out
	has err
	jq '.args = ["cat"]' "$T/process.json" >"$T/cat.json"
	[ "$(echo through | rt exec --process "$T/cat.json" "$id")" = through ]
	jq '.args = ["/not/there"]' "$T/process.json" >"$T/none.json"
	run rt exec --process "$T/none.json" "$id" </dev/null
	[ "$status" -ne 0 ]
	has "no such file or directory"
	ended "$id"
}

@test "a terminal over conmon's socket" {
	cfg '.process.terminal = true'
	sh_args 'test -t 0 && echo is-a-tty; exec sleep 1000'
	mon "$id" "$b" -t
	rt start "$id"
	until_true grep -q is-a-tty "$T/$id.log"
	ended "$id"
}

@test "update --resources - with what CRI-O sends, pause, resume" {
	need_controller pids
	args sleep 1000
	mon "$id" "$b"
	rt start "$id"
	echo '{"memory":{},"cpu":{"shares":0,"quota":0,"period":0},"pids":{"limit":77},"devices":null}' | rt update --resources - "$id"
	[ "$(cg_file pids pids.max pids.max)" = 77 ]
	rt pause "$id"
	is_status_of "$id" paused
	rt resume "$id"
	is_status_of "$id" running
	ended "$id"
}

@test "what CRI-O asks for at its start: --version, features" {
	run "$RINGFENCE" --version
	ok
	has "${RINGFENCE##*/} version"
	run "$RINGFENCE" features
	ok
	jq -e '.ociVersionMin and .mountOptions and .linux.namespaces' <<<"$output"
}
