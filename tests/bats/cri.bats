#!/usr/bin/env bats
# Pods as a kubelet makes them: containerd's CRI with this runtime as a runtime class of its own.
load helpers
load engines-docker
load cri

setup_file() {
	engine_can_run || return 0
	cri_up
}
teardown_file() { world_down; }

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
	execs "$c"
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
	no_trace_of "$c" "$gone_pod"
}
