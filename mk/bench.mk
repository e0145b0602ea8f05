.PHONY: bench
bench: ringfence ## compare with the floor, crun and runc in one run (ratios)
	@scripts/deps.sh bench
	@bench/bench.sh
