# SPDX-License-Identifier: GPL-2.0-only
#
# Comparing with the kernel's own VFIO, and fuzzing; included by tests/tests.mk.
#
#	make differ	the same calls on evfio and on the kernel's modules: CALLS=n SEED=s BOARD=pci DIFFER_KERNEL=6.12
#	make fuzz	threads, kills, rebinding and failing allocations on the sanitized kernel: MINUTES=n SEED=s
#	make fail-nth	there as well: every allocation of every call fails once

CALLS ?= 100000
MINUTES ?= 2
SEED ?= 1
DIFFER_KERNEL ?= 6.12
BOARD ?= platform
FUZZ_KERNEL := 6.12-sanitize

fuzz-libs := $(wildcard tests/abi/lib*.c)
fuzz-programs := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(fuzz-libs) $(wildcard tests/fuzz/*.h tests/abi/*.h include/uapi/linux/*.h)
	@mkdir -p $(@D)
	$(CROSS)gcc -static -pthread -s -O2 -Wall -Wextra -Wno-unused-parameter -Werror \
		-Itests/abi -Iinclude/uapi -o $@ $< $(fuzz-libs)

.PHONY: differ fuzz fail-nth fuzz-programs
fuzz-programs: $(fuzz-programs)

differ:
	$(call guest-build,$(DIFFER_KERNEL))
	@$(MAKE) -s --no-print-directory fuzz-programs
	@tests/fuzz/differ --kernel $(DIFFER_KERNEL) --board $(BOARD) --calls $(CALLS) --seed $(SEED)

fuzz:
	$(call guest-build,$(FUZZ_KERNEL))
	@$(MAKE) -s --no-print-directory fuzz-programs
	@tests/fuzz/fuzz --minutes $(MINUTES) --seed $(SEED)

fail-nth:
	$(call guest-build,$(FUZZ_KERNEL))
	@$(MAKE) -s --no-print-directory fuzz-programs
	@tests/fuzz/fuzz --fail-nth
