# ringfence: a container runtime. `make help` lists the targets.
#
# Variables: PREFIX, DESTDIR (install), CC, V=1 (show commands), O (build folder).

# The one place that says them: program, man pages and package take both from here.
VERSION := 0.1.0
DATE := 2026-11-21
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
O ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

, := ,

# The rooms, from the lowest floor up (docs/design/01-house.md).
ROOMS := common spec net cgroups namespaces microvm runtime guest cli
LIBS := -lseccomp -lcap -lnl-route-3 -lnl-3 -lyajl_s -lcgroup -lpthread

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wcast-qual -Wno-format-nonliteral
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=2
CPPFLAGS_ALL := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DRF_VERSION='"$(VERSION)"' \
	-DRF_DATE='"$(DATE)"' -I. -I/usr/include/libnl3 $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 -O2 -g -fPIE -fno-common $(WARN) $(HARDEN) $(CFLAGS)
# The self-guard comes before the C library where the processor's entry is written (cli/entry.c).
ENTRY := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),-Wl$(,)-e$(,)cli_entry)
# Relative relocations in their packed form: a twentieth of the program less (glibc 2.36, binutils 2.38).
LDFLAGS_ALL := -static-pie $(ENTRY) -Wl,-z,relro,-z,now,-z,noexecstack,-z,pack-relative-relocs $(LDFLAGS)

SRC := $(sort ringfence.c $(foreach r,$(ROOMS),$(wildcard $(r)/*.c)))
OBJ := $(SRC:%.c=$(O)/%.o)
LIBOBJ := $(filter-out $(O)/ringfence.o,$(OBJ))

.PHONY: all
all: ringfence

# libcgroup and libnl mention name-service calls that we never reach, and the linker says so at each
# link. (Its --no-warnings would hide missing symbols as well, and link on.)
ringfence: $(OBJ)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(OBJ) $(LIBS) 2>$(O)/link.log || \
		{ cat $(O)/link.log >&2; exit 1; }

$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Runs before the C library can: nothing of it may be called, not even unseen.
$(O)/cli/entry.o: CFLAGS_ALL += -ffreestanding -fno-stack-protector -fno-tree-loop-distribute-patterns

# Engines show it: the commit that was built, outside a clone the version.
COMMIT := $(or $(shell git describe --always --dirty --abbrev=12 2>/dev/null),$(VERSION))
$(O)/commit: always
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' >$@
$(O)/cli/cmd_spec.o: $(O)/commit
$(O)/cli/cmd_spec.o: CPPFLAGS_ALL += -DRF_COMMIT='"$(COMMIT)"'
.PHONY: always

-include $(OBJ:.o=.d)

# Targets of the other floors, one file a subject.
-include mk/*.mk

.PHONY: clean
clean:
	rm -rf build ringfence
