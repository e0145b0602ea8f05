.PHONY: bench bench-vm bench-idle
bench: ringfence ## compare with the floor, crun and runc in one run (ratios)
	@scripts/deps.sh bench
	@bench/bench.sh

bench-vm: ringfence ## the same in the emulated host VM: pure cgroup v2, where crun starts
	@scripts/deps.sh test
	@bench/host-vm.sh

bench-idle: ringfence ## a thousand idle containers: does the last one cost what the first did
	@scripts/deps.sh bench
	@bench/idle.sh
