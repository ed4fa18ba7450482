# SPDX-License-Identifier: GPL-2.0-only
#
# What evfio costs; included by tests/tests.mk. bench.py has the whole story.
#
#	make bench		a table of evfio's costs, the kernel's modules' and the ratios; build/bench/bench.csv, .svg
#	make bench-check	... and fail where one is worse than tests/bench/record.csv says
#	make bench-record	... and make what is now the record, also in docs/costs.md
#	make bench-repeat	... twice: how far are two runs apart?
#	make bench-wall		nanoseconds, in PAIRS=5 pairs of boots on each kernel: never the same twice
#
# BENCH_KERNELS="6.1 6.12" chooses kernels.

BENCH_KERNELS ?= 6.1 6.12
PAIRS ?= 5

$(BUILD)/bench/guest: tests/bench/guest.c $(abi-libs) $(wildcard tests/abi/*.h)
	@mkdir -p $(@D)
	$(CROSS)gcc -static -pthread -s -O2 -Wall -Wextra -Wconversion -Werror -Itests/abi -Iinclude/uapi -o $@ $< $(abi-libs)

.PHONY: bench bench-check bench-record bench-repeat bench-wall
bench bench-check bench-record bench-repeat bench-wall:
	$(call guest-build,$(BENCH_KERNELS))
	@tests/vm/fetch clients
	@$(MAKE) -s --no-print-directory $(BUILD)/bench/guest
	@tests/bench/bench.py $(patsubst bench-%,--%,$(filter bench-%,$@)) $(if $(filter %-wall,$@),$(PAIRS)) $(BENCH_KERNELS)
