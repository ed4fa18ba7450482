# SPDX-License-Identifier: GPL-2.0-only
#
# The board and the tests on it; included by the top Makefile.
#
#	make demo	the whole story on one kernel, step by step
#	make demo-picture	docs/demo.svg, anew
#	make check	everything; KERNELS="6.1 6.12 7.2 7.2-16k 6.1-armhf" chooses kernels, T="NAME..." programs
#	make check-oracle	the programs for the PCI board, on the kernel's own VFIO;  KERNELS=6.12-sanitize: those
#				without an IOMMU too
#	make lint	the checks of the source alone;  LINT_KERNELS="6.1 6.12 7.2" builds for these, warnings on
#	make lint-7.2	the modules for Debian sid's kernel
#	make shell	a shell on the board;  KERNEL=6.12 chooses the kernel, VM="--smp 1 ..." options of tests/vm/run
#	make gdb	the same, waiting for gdb

BUILD ?= build
EVFIO_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/evfio
CROSS ?= aarch64-linux-gnu-
KERNELS ?= 6.1 6.12 7.2 7.2-16k 6.1-armhf
# Of 7.2 once: its page size is nothing to the compiler.
LINT_KERNELS ?= $(filter-out %-16k,$(KERNELS))
# The kernel of this machine's own release.
KERNEL ?= $(shell . /etc/os-release; [ "$$VERSION_CODENAME" = bookworm ] && echo 6.1 || echo 6.12)
VM ?=
export BUILD EVFIO_CACHE
AT_ONCE := -j$(shell nproc)

abi-libs := $(wildcard tests/abi/lib*.c)
abi-programs := $(patsubst tests/abi/%.c,$(BUILD)/tests/%,\
	$(filter-out $(abi-libs),$(wildcard tests/abi/*.c)))

# Those that run on the board without an SMMU, for the 32-bit one, which has none.
armhf-programs := $(patsubst tests/abi/%.c,$(BUILD)/tests/armhf/%,$(shell grep -l 'vm:.*iommu=no' tests/abi/*.c))

abi-cc = gcc -static -pthread -s -O2 -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Werror -Itests/abi -Iinclude/uapi
abi-headers := $(wildcard tests/abi/*.h include/uapi/linux/*.h)

$(BUILD)/tests/%: tests/abi/%.c $(abi-libs) $(abi-headers)
	@mkdir -p $(@D)
	$(CROSS)$(abi-cc) -o $@ $< $(abi-libs)

$(BUILD)/tests/armhf/%: tests/abi/%.c $(abi-libs) $(abi-headers)
	@mkdir -p $(@D)
	arm-linux-gnueabihf-$(abi-cc) -o $@ $< $(abi-libs)

# The command, the library's tests and the examples: $(call user-build,PREFIX,ITS NAME FOR LIBRARIES,GUEST)
define user-build
@echo "  USER    $(patsubst %-,%,$(1))"
@$(MAKE) -s --no-print-directory $(AT_ONCE) user CROSS_COMPILE=$(1) STATIC=1 \
	JSON_CFLAGS=-I$(EVFIO_CACHE)/$(3)/usr/include/json-c \
	JSON_LIBS=$(EVFIO_CACHE)/$(3)/usr/lib/$(2)/libjson-c.a
endef

# Everything a guest runs on and with, for the kernels named: $(call guest-build,KERNEL...)
define guest-build
@tests/vm/setup
@tests/vm/fetch guest $(if $(filter %-armhf,$(1)),guest-armhf)
@set -e; for kernel in $(1); do \
	echo "  MODULES $$kernel"; \
	MAKE="$(MAKE)" CROSS="$(CROSS)" tests/vm/modules $$kernel; \
done
$(call user-build,$(CROSS),aarch64-linux-gnu,guest)
$(if $(filter %-armhf,$(1)),$(call user-build,arm-linux-gnueabihf-,arm-linux-gnueabihf,guest-armhf))
endef

.PHONY: check check-oracle demo demo-picture shell gdb lint lint-7.2 tests
tests: $(abi-programs) $(if $(filter %-armhf,$(KERNELS)),$(armhf-programs))

check:
	$(call guest-build,$(KERNELS))
	@tests/vm/fetch checkpatch clients qemu dts 6.1
	@$(MAKE) -s --no-print-directory $(AT_ONCE) tests clients
	@KERNELS="$(KERNELS)" LINT_KERNELS="$(LINT_KERNELS)" T="$(T)" PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 -m pytest -p no:cacheprovider -v --no-header -rN \
		tests/vm$(if $(T),/test_guest.py)

check-oracle:
	$(call guest-build,)
	@tests/vm/fetch clients qemu $(filter-out %-sanitize,$(KERNELS))
	@$(if $(filter %-sanitize,$(KERNELS)),tests/kernel/build 6.12-sanitize)
	@$(MAKE) -s --no-print-directory $(AT_ONCE) tests clients
	@ORACLE=1 KERNELS="$(KERNELS)" T="$(T)" PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 -m pytest -p no:cacheprovider -v --no-header -rN tests/vm/test_guest.py

demo:
	$(call guest-build,$(KERNEL))
	@tests/vm/run --kernel $(KERNEL) --file tests/vm/demo -- sh /bin/demo

demo-picture:
	$(call guest-build,$(KERNEL))
	@tests/vm/run --kernel $(KERNEL) --file tests/vm/demo -- sh /bin/demo >$(BUILD)/demo.txt
	@tests/docs/render.py <$(BUILD)/demo.txt >$(BUILD)/demo.svg && mv $(BUILD)/demo.svg docs/demo.svg

shell gdb:
	$(call guest-build,$(KERNEL))
	@$(MAKE) -s --no-print-directory $(AT_ONCE) tests
	@tests/vm/run --kernel $(KERNEL) --$@ $(VM)

lint:
	@tests/vm/setup
	@tests/vm/fetch checkpatch $(filter-out 7.2,$(LINT_KERNELS))
	@LINT_KERNELS="$(LINT_KERNELS)" tests/lint

lint-7.2:
	@tests/vm/setup
	@LINT_KERNELS=7.2 tests/lint modules

include tests/clients/clients.mk
include tests/kernel/kernel.mk
include tests/fuzz/fuzz.mk
include tests/bench/bench.mk
include tests/mutants/mutants.mk
include tests/buildroot/buildroot.mk
include tests/packaging/packaging.mk
