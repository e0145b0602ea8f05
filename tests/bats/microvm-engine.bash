# What the files share that drive an engine over the micro-VM wall (microvm-cri.bats, microvm-docker.bats,
# microvm-engines.bats, microvm-podman-pods.bats).

# An engine's helper passes no variable of ours on: the guest's kernel has to be where it is installed.
kernel_installed() { [ -r /usr/local/lib/ringfence/vmlinux ] || [ -r /usr/lib/ringfence/vmlinux ]; }
# An engine knows a runtime by its name alone.
makes_machines() { [[ ${RINGFENCE##*/} == *-vm ]]; }

# engine_vm_can_run: for setup_file; need_engine_vm skips where it says no, with the reason.
engine_vm_can_run() { vm_host && makes_machines && kernel_installed; }
need_engine_vm() {
	vm_host || skip "no micro-VM can run here: $("$RINGFENCE" vm check | sed -n 's/^micro-VM *//p')"
	makes_machines || skip "the engine's runtime makes micro-VMs by its name: RF_WALL=microvm"
	kernel_installed || skip "no guest kernel is installed: an engine passes no variable on"
}

# A start in a machine that is emulated takes its seconds.
soon() { until_true "$@" || until_true "$@" || until_true "$@"; }
