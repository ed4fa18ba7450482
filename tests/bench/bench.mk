# SPDX-License-Identifier: GPL-2.0-only
#
# What evfio costs; included by tests/tests.mk. bench.py has the whole story.
#
#	make bench		a table of evfio's costs, the kernel's modules' and the ratios; build/bench/bench.csv, .svg
#	make bench-check	... and fail where one is worse than tests/bench/record.csv says
#	make bench-record	... and make what is now the record, also in docs/costs.md
#	make bench-repeat	... twice: how far are two runs apart?
#	make bench-wall		nanoseconds, in PAIRS=5 pairs of boots on each kernel: never the same twice
#	make bench-iommufd	against iommufd as well, on a kernel that is built for it
#	make bench-scale	what two threads map in the time of one, and whether a million mappings are slower than few
#	make bench-disk		examples/virtio-blk.c against the kernel's own driver: disk.sh
#	make bench-profile	where the instructions go, by function: of PROFILE=page, ranges, many, move, pread, irq or open
#
# BENCH_KERNELS="6.1 6.12" chooses kernels; KERNEL and DISK="MIB DEPTH BYTES" are for bench-disk.

BENCH_KERNELS ?= 6.1 6.12
PAIRS ?= 5
PROFILE ?= page
DISK ?= 1024 32 65536

$(BUILD)/bench/guest: tests/bench/guest.c tests/bench/floor.h $(abi-libs) $(wildcard tests/abi/*.h)
	@mkdir -p $(@D)
	$(CROSS)gcc -static -pthread -s -O2 -Wall -Wextra -Wconversion -Werror -Itests/abi -Iinclude/uapi -o $@ $< $(abi-libs)

# floor.ko for each kernel, without what tells where it was built, so that its figures can be remembered.
define floor-build
@set -e; for kernel in $(BENCH_KERNELS); do \
	dir=$(abspath $(BUILD))/bench/floor/$$kernel; mkdir -p $$dir; \
	kernels=$(EVFIO_CACHE)/kernels/$$kernel; \
	for file in floor.c floor.h Kbuild; do ln -sfn $(CURDIR)/tests/bench/$$file $$dir; done; \
	$(MAKE) -s -C $$kernels/KDIR M=$$dir ARCH=arm64 CROSS_COMPILE=$(CROSS) W=1e TOP=$(CURDIR) \
		FEATURES=$(abspath $(BUILD))/modules/$$(cat $$kernels/release)/evfio-features.h \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules; \
	$(CROSS)objcopy -g -R .note.gnu.build-id $$dir/floor.ko; \
done
endef

$(BUILD)/bench/disk: tests/bench/disk.c
	@mkdir -p $(@D)
	$(CROSS)gcc -static -s -O2 -Wall -Wextra -Wconversion -Werror -o $@ $<

.PHONY: bench bench-check bench-record bench-repeat bench-wall bench-iommufd bench-profile bench-scale \
	bench-disk
bench bench-check bench-record bench-repeat bench-wall:
	$(call guest-build,$(BENCH_KERNELS))
	$(floor-build)
	@tests/vm/fetch clients
	@$(MAKE) -s --no-print-directory $(BUILD)/bench/guest
	@tests/bench/bench.py $(patsubst bench-%,--%,$(filter bench-%,$@)) $(if $(filter %-wall,$@),$(PAIRS)) $(BENCH_KERNELS)

bench-profile:
	$(call guest-build,$(BENCH_KERNELS))
	@$(MAKE) -s --no-print-directory $(BUILD)/bench/guest
	@set -e; for kernel in $(BENCH_KERNELS); do tests/bench/profile.py $(PROFILE) $$kernel; done

bench-iommufd:
	$(call guest-build,6.12-plain)
	@$(MAKE) -s --no-print-directory $(BUILD)/bench/guest
	@tests/bench/bench.py --iommufd 6.12-plain

# The kernel's modules beside evfio's, on one kernel.
bench-scale:
	$(call guest-build,$(KERNEL))
	@$(MAKE) -s --no-print-directory $(BUILD)/bench/guest
	@tests/vm/run --kernel $(KERNEL) --memory 1G --timeout 900 --file $(BUILD)/bench/guest -- "guest scale 10000000.edu"
	@tests/vm/run --kernel $(KERNEL) --board pci --oracle --memory 1G --timeout 900 --file $(BUILD)/bench/guest -- \
		"guest scale 0000:00:01.0"

bench-disk:
	$(call guest-build,$(KERNEL))
	@$(MAKE) -s --no-print-directory $(BUILD)/bench/disk
	@tests/vm/run --kernel $(KERNEL) --noiommu --timeout 1800 --file $(BUILD)/bench/disk --file tests/bench/disk.sh -- \
		sh /bin/disk.sh $(DISK)
