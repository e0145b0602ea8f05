# Tests: small programs against the rooms' objects, and the suite in the host's views.

TEST_CFLAGS = $(filter-out -fPIE,$(CFLAGS_ALL)) -fPIE
TEST_LDFLAGS := -pie -Wl,-z,relro,-z,now
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN_CFLAGS = -std=gnu11 -O1 -g -fPIE -fno-common $(WARN) $(SAN) $(CFLAGS)

UNIT := $(patsubst tests/unit/%.c,$(O)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
ASAN_OBJ := $(SRC:%.c=$(O)/asan/%.o)
ASAN_LIBOBJ := $(filter-out $(O)/asan/ringfence.o,$(ASAN_OBJ))
ASAN_UNIT := $(UNIT:$(O)/unit/%=$(O)/asan/unit/%)
HELPERS := $(patsubst tests/helpers/%.c,$(O)/helpers/%,$(sort $(wildcard tests/helpers/*.c)))

$(O)/unit/%: tests/unit/%.c $(LIBOBJ)
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(TEST_CFLAGS) $(TEST_LDFLAGS) -o $@ $< $(LIBOBJ) $(LIBS) -lcmocka

$(O)/asan/unit/%: tests/unit/%.c $(ASAN_LIBOBJ)
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(ASAN_CFLAGS) -pie -o $@ $< $(ASAN_LIBOBJ) $(LIBS) -lcmocka

$(O)/asan/%.o: %.c
	@mkdir -p $(@D)
	@echo "  ASAN    $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(ASAN_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/asan/ringfence: $(ASAN_OBJ)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ASAN_CFLAGS) -pie -o $@ $(ASAN_OBJ) $(LIBS)

# Small programs for the bats files: static, for they also run inside containers and the VM.
$(O)/helpers/%: tests/helpers/%.c tests/helpers/recvfd.h
	@mkdir -p $(@D)
	@echo "  HELPER  $@"
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 -O2 $(WARN) -static -o $@ $<

-include $(ASAN_OBJ:.o=.d)

.PHONY: check
check: ## all of it: lint, unit tests, sanitizers, every view, the host VM
	@scripts/deps.sh build test lint
	+@$(MAKE) --no-print-directory ringfence helpers
	@tests/run.sh

.PHONY: check-microvm
check-microvm: ringfence helpers ## the suite's heart with micro-VMs, in the emulated host VM
	@scripts/deps.sh build test kernel
	@PARTS=microvm tests/run.sh

.PHONY: holes
holes: ringfence helpers ## take one defence away at a time, and see that a test notices
	@scripts/deps.sh build test
	@PARTS=holes tests/run.sh

.PHONY: delays
delays: ## the unit programs with system calls that return late: who relies on being quick (FILES="vm_fs fd")
	@scripts/deps.sh build test
	@PARTS=delays tests/run.sh

.PHONY: races
races: ringfence helpers ## names swapped with links while containers are made: 500 creates each (RF_RACES)
	@scripts/deps.sh build test
	@RF_RACES=$${RF_RACES:-500} PARTS=races tests/run.sh

.PHONY: figures
figures: ringfence $(O)/unit/test_vm_jail ## what docs/security.md promises in numbers, counted from the tree and the last runs
	@tests/figures.sh

.PHONY: unit
unit: $(UNIT) ## build and run the unit tests
	@PARTS=unit tests/run.sh

.PHONY: asan
asan: $(ASAN_UNIT) $(O)/asan/ringfence ## the unit tests under AddressSanitizer and UBSan
	@PARTS=asan tests/run.sh

.PHONY: bats
bats: ringfence helpers ## the bats suite in three views of this host
	@PARTS="bats-hybrid bats-v1 bats-v2" tests/run.sh

.PHONY: unit-build asan-build helpers
unit-build: $(UNIT)
asan-build: $(ASAN_UNIT) $(O)/asan/ringfence
helpers: $(HELPERS)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 20
