# Faults and soaking: what takes minutes, so it is no part of make check but for a sample (faults.bats).

$(O)/helpers/strike: tests/fault/strike.c
	@mkdir -p $(@D)
	@echo "  HELPER  $@"
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 -O2 $(WARN) -static -o $@ $< -lseccomp

# It knows this processor's registers alone.
STRIKE := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),$(O)/helpers/strike)
helpers: $(STRIKE)

VERBS ?=
FAULTS ?=
CONFIG ?= plain rich microvm
STEP ?= 1
JOBS ?= 1
SEED ?= 0
.PHONY: fault soak
fault: ringfence helpers $(O)/bench/no-entry ## strike at every system call of each verb (VERBS=, FAULTS=, CONFIG=, STEP=, JOBS=)
	@scripts/deps.sh build test kernel
	@scripts/guest-kernel.sh $(O)/guest/vmlinux >/dev/null
	@tests/fault/campaign.py --verbs "$(VERBS)" --faults "$(FAULTS)" --config "$(CONFIG)" --step $(STEP) --seed $(SEED) --jobs $(JOBS)

soak: ringfence ## thousands of runs, execs, idle containers, and races: nothing stays, nothing grows
	@scripts/deps.sh build test
	@tests/fault/soak.py
