#!/usr/bin/env bats
# Pods of containerd's CRI with micro-VMs: one machine a pod. (What a pod's containers share, and how they
# end: microvm-pods.bats. Here: that containerd finds what it looks for.)
load helpers
load engines-docker
load cri
load microvm-engine

# Where the machine is emulated within an emulated one, a pod takes its seconds.
export CRI_SECONDS=100

setup_file() { ! { engine_can_run && engine_vm_can_run; } || cri_up; }
teardown_file() { world_down; }
extra_setup() { need_engine_vm; }

said() { jq -r .stdout <<<"$(ex "$@")"; }
logged() { grep -q "$2" "$T/$1.log"; }

@test "a pod is one machine: its containers meet at localhost, and have its kernel, name, IPC and address" {
	pod_up
	c=$(box one '{}' sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp')
	d=$(box two '{"security_context": {"namespace_options": {"pid": 1}}}' sleep 1000)
	fetched() { said "$d" wget -qO- http://127.0.0.1/ | grep -q page; }
	until_true fetched
	[[ $(said "$d" uname -r) == *-ringfence ]]
	look='for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done; hostname; cat /proc/sys/kernel/random/boot_id'
	mapfile -t one < <(said "$c" sh -c "$look")
	mapfile -t two < <(said "$d" sh -c "$look")
	[ "${one[5]}" = inside ]
	for i in 0 1 2 5 6; do [ "${one[i]}" = "${two[i]}" ]; done
	for i in 3 4; do [ "${one[i]}" != "${two[i]}" ]; done
	[ "$(said "$d" cat /proc/1/comm)" = sleep ]
	# Who is not in the pod finds it at the address that the engine was told of.
	address=$(cri PodSandboxStatus "{\"pod_sandbox_id\": \"$pod\"}" | jq -r .status.network.ip)
	[[ $address == 10.203.0.* ]]
	until_true within busybox wget -qO "$T/page" "http://$address/"
	[ "$(cat "$T/page")" = page ]
}

@test "exec: output, exit code, not found; two pods are two machines" {
	pod_up
	first=$pod
	c=$(box one '{}' sleep 1000)
	execs "$c"
	boot=$(said "$c" cat /proc/sys/kernel/random/boot_id)
	id=$id-other pod_up
	d=$(box one '{}' sleep 1000)
	[ "$(said "$d" cat /proc/sys/kernel/random/boot_id)" != "$boot" ]
	cri StopPodSandbox "{\"pod_sandbox_id\": \"$first\"}"
	cri RemovePodSandbox "{\"pod_sandbox_id\": \"$first\"}"
	[ "$(about "$d" state)" = 1 ]
}

@test "exit code, log, stop in time and by force, a start that fails; the others go on" {
	pod_up
	c=$(box one '{}' sh -c 'echo said; exit 7')
	until_true state_is "$c" 2
	[ "$(about "$c" exit_code)" = 7 ]
	logged one 'stdout F said'
	e=$(box other '{}' sleep 1000)
	c=$(box two '{}' sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done')
	until_true logged two up
	cri StopContainer "{\"container_id\": \"$c\", \"timeout\": 20}"
	[ "$(about "$c" state) $(about "$c" exit_code)" = "2 5" ]
	cri RemoveContainer "{\"container_id\": \"$c\"}"
	c=$(box three '{}' sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done')
	until_true logged three up
	cri StopContainer "{\"container_id\": \"$c\", \"timeout\": 1}"
	[ "$(about "$c" exit_code)" = 137 ]
	run box four '{}' no-such-program
	[ "$status" -ne 0 ]
	has "executable file not found"
	[ "$(about "$e" state)" = 1 ]
	[ "$(said "$e" echo still)" = still ]
}

@test "limits hold in the guest, and an update changes them; volumes; who it is" {
	mkdir "$T/v"
	echo in >"$T/v/f"
	pod_up
	mounts="[{\"container_path\": \"/rw\", \"host_path\": \"$T/v\"}, {\"container_path\": \"/ro\", \"host_path\": \"$T/v\", \"readonly\": true}]"
	c=$(box one '{"resources": {"cpu_period": 100000, "cpu_quota": 50000, "memory_limit_in_bytes": 67108864},
		"security_context": {"run_as_user": {"value": 1000}, "capabilities": {"drop_capabilities": ["ALL"]}, "no_new_privs": true}}' sleep 1000)
	[ "$(said "$c" cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max)" = $'67108864\n50000 100000' ]
	cri UpdateContainerResources "{\"container_id\": \"$c\", \"linux\": {\"memory_limit_in_bytes\": 99999744, \"cpu_quota\": 70000}}"
	[ "$(said "$c" cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max)" = $'99999744\n70000 100000' ]
	run said "$c" sh -c 'id -u; grep -E "CapEff|NoNewPrivs" /proc/self/status; cat /ro/f; touch /ro/g || echo refused'
	has $'1000\n'
	has $'CapEff:\t0000000000000000'
	has $'NoNewPrivs:\t1'
	has $'in\nrefused'
	d=$(box two '{"resources": {"memory_limit_in_bytes": 33554432}}' sleep 1000)
	said "$d" sh -c 'cat /rw/f >/rw/g'
	[ "$(cat "$T/v/g")" = in ]
	run said "$d" sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
}

@test "a pod on the host's network is refused: by its place in config.json" {
	run pod_up '{"security_context": {"namespace_options": {"network": 2}}}' ""
	has "/linux/namespaces: a micro-VM can't"
}

@test "nothing of a pod is left after it" {
	pod_up
	c=$(box one '{"resources": {"memory_limit_in_bytes": 67108864}}' sleep 1000)
	gone_pod=$pod
	machine=$(within "$RINGFENCE" --root /run/containerd/runc/k8s.io state "$pod" | jq .pid)
	within kill -0 "$machine"
	engine_rm
	pod=
	run within kill -0 "$machine"
	[ "$status" -ne 0 ]
	no_trace_of "$c" "$gone_pod"
	run within ip -o link
	hasnt rftap
}
