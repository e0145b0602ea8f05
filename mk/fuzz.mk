# Fuzzing: each target under libFuzzer (make fuzz), what is kept of them for make check (fuzz-replay),
# and what the kept inputs reach (make fuzz-coverage).

FUZZ_CC ?= clang
FUZZ_SECONDS ?= 60
# TARGETS="json user": only these.
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# The command line and the guest's first process are no subject of a target.
FUZZ_SRC := $(filter-out ringfence.c cli/% guest/%,$(SRC))
# Warnings are gcc's business.
FUZZ_CFLAGS = -std=gnu11 -O1 -g -fno-common -Wno-unknown-warning-option $(SAN) -fsanitize=fuzzer-no-link $(CFLAGS)
COVER_CFLAGS = -std=gnu11 -O0 -g -fno-common -fprofile-instr-generate -fcoverage-mapping $(CFLAGS)
FUZZ_LIBS = $(LIBS) -lcmocka
# In one program the targets' entries need names of their own.
FUZZ_ENTRY = -DLLVMFuzzerTestOneInput=fuzz_one_$(patsubst fuzz_%,%,$(basename $(notdir $<)))
FUZZ_TABLE := -DFUZZ_TARGETS='$(foreach t,$(FUZZ_TARGETS),X($(t)))'

# --- libFuzzer: a program a target ---

$(O)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

# An archive, so that a program holds what its target reaches.
$(O)/fuzz/rooms.a: $(FUZZ_SRC:%.c=$(O)/fuzz/%.o)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(O)/fuzz/fuzz_%: $(O)/fuzz/tests/fuzz/fuzz_%.o $(O)/fuzz/rooms.a
	@echo "  LINK    $@"
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LIBS) 2>$@.log || { cat $@.log >&2; exit 1; }

.PRECIOUS: $(O)/fuzz/%.o

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_TARGETS:%=$(O)/fuzz/fuzz_%) $(O)/fuzz/replay
fuzz: ## libFuzzer, FUZZ_SECONDS=60 a target, TARGETS="json user": only these; crashes are kept
	@scripts/deps.sh build fuzz
	+@$(MAKE) --no-print-directory fuzz-build
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh $(or $(TARGETS),$(FUZZ_TARGETS))

# --- all targets in one program, which replays what is kept ---

$(O)/asan/tests/fuzz/fuzz_%.o: tests/fuzz/fuzz_%.c
	@mkdir -p $(@D)
	@echo "  ASAN    $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(ASAN_CFLAGS) $(FUZZ_ENTRY) -MMD -MP -c -o $@ $<

$(O)/asan/tests/fuzz/replay.o: tests/fuzz/replay.c
	@mkdir -p $(@D)
	@echo "  ASAN    $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(ASAN_CFLAGS) $(FUZZ_TABLE) -MMD -MP -c -o $@ $<

REPLAY_OBJ := $(FUZZ_TARGETS:%=$(O)/asan/tests/fuzz/fuzz_%.o) $(O)/asan/tests/fuzz/replay.o

$(O)/fuzz/replay: $(REPLAY_OBJ) $(FUZZ_SRC:%.c=$(O)/asan/%.o)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ASAN_CFLAGS) -pie -o $@ $^ $(FUZZ_LIBS) 2>$@.log || { cat $@.log >&2; exit 1; }

.PHONY: fuzz-replay
fuzz-replay: $(O)/fuzz/replay ## every kept input again, and a few thousand changes of them
	@PARTS=fuzz tests/run.sh

# --- what the kept inputs reach ---

$(O)/cover/%.o: %.c
	@mkdir -p $(@D)
	@echo "  COVER   $<"
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) $(COVER_CFLAGS) $(if $(filter tests/fuzz/fuzz_%,$<),$(FUZZ_ENTRY)) $(FUZZ_TABLE) -MMD -MP -c -o $@ $<

$(O)/cover/replay: $(FUZZ_TARGETS:%=$(O)/cover/tests/fuzz/fuzz_%.o) $(O)/cover/tests/fuzz/replay.o $(FUZZ_SRC:%.c=$(O)/cover/%.o)
	@echo "  LINK    $@"
	$(Q)$(FUZZ_CC) $(COVER_CFLAGS) -o $@ $^ $(FUZZ_LIBS) 2>$@.log || { cat $@.log >&2; exit 1; }

.PHONY: fuzz-coverage
fuzz-coverage: ## lines that the kept inputs, and those found by make fuzz, reach
	@scripts/deps.sh build fuzz
	+@$(MAKE) --no-print-directory $(O)/cover/replay
	@tests/fuzz/coverage.sh $(O)/cover/replay

-include $(wildcard $(O)/fuzz/*/*.d $(O)/fuzz/tests/fuzz/*.d $(O)/asan/tests/fuzz/*.d $(O)/cover/*/*.d $(O)/cover/tests/fuzz/*.d)
