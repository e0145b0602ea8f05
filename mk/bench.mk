.PHONY: bench bench-vm bench-idle
bench: ringfence ## compare with the floor, crun and runc in one run (ratios)
	@scripts/deps.sh bench
	@bench/bench.sh

bench-vm: ringfence $(O)/helpers/holdvm ## the same in the emulated host VM: pure cgroup v2, where crun starts
	@scripts/deps.sh test
	@bench/host-vm.sh

bench-idle: ringfence ## a thousand idle containers: does the last one cost what the first did
	@scripts/deps.sh bench
	@bench/idle.sh

# The program with a monitor that stops where it would enter the guest, two of them, and one that times
# machines.
BENCH_CFLAGS = $(filter-out -fPIE,$(CFLAGS_ALL)) -fPIE

$(O)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	@echo "  BENCH   $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(BENCH_CFLAGS) -MMD -MP -c -o $@ $<

# The other one's KVM doesn't let it enter: make fault.
$(O)/bench/no-entry.o: bench/stops.c
	@mkdir -p $(@D)
	@echo "  BENCH   $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(BENCH_CFLAGS) -DENTRY_FAILS -MMD -MP -c -o $@ $<

$(O)/bench/stops $(O)/bench/no-entry: %: $(OBJ) %.o
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -s -Wl,--wrap=ioctl,--wrap=vm_host_look -o $@ $^ $(LIBS) 2>$@.log || \
		{ cat $@.log >&2; exit 1; }

$(O)/bench/machine: $(LIBOBJ) $(O)/bench/machine.o
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS_ALL) -static-pie -s -o $@ $^ $(LIBS) 2>$@.log || { cat $@.log >&2; exit 1; }

-include $(wildcard $(O)/bench/*.d)

.PHONY: bench-microvm
bench-microvm: ringfence $(O)/bench/stops $(O)/bench/machine $(O)/helpers/holdvm ## micro-VMs: starts, memory, files, network; in the emulated host VM
	@scripts/deps.sh test kernel
	@scripts/guest-kernel.sh $(O)/guest/vmlinux >/dev/null
	@bench/microvm.sh

.PHONY: soak-microvm
soak-microvm: ringfence $(O)/bench/machine $(O)/helpers/holdvm ## COUNT=200 starts from one template, in the emulated host VM: does anything stay
	@scripts/deps.sh test kernel
	@scripts/guest-kernel.sh $(O)/guest/vmlinux >/dev/null
	@bench/microvm.sh soak
