# SPDX-License-Identifier: GPL-2.0-only
#
# The front door. `make help` lists what there is.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
all: user modules

# ---------------------------------------------------------------------------------- what to set

# The kernel the modules are for: a tree of headers, as linux-headers packages install it.
KDIR ?= /lib/modules/$(shell uname -r)/build
# A prefix such as aarch64-linux-gnu- cross-compiles; ARCH tells the kernel's build.
CROSS_COMPILE ?=
PREFIX ?= /usr/local
DESTDIR ?=
INSTALL_MOD_PATH ?= $(DESTDIR)
BUILD ?= build
EVFIO_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/evfio

ifneq ($(filter default undefined,$(origin CC)),)
CC := $(CROSS_COMPILE)gcc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := $(CROSS_COMPILE)ar
endif

# -------------------------------------------------------------------------------- configuration

# .config if there is one; else the default, which is what kconfig makes of Kconfig alone.
CONFIG := $(firstword $(wildcard .config) configs/default.config)

kconfig = @command -v kconfig-$(1) >/dev/null || \
	{ echo "kconfig-$(1) not found: install kconfig-frontends-nox (or kconfig-frontends)"; exit 1; }; \
	kconfig-$(1) $(2) Kconfig

.PHONY: menuconfig savedefconfig
menuconfig:
	$(call kconfig,mconf)

%_defconfig:
	$(call kconfig,conf,--defconfig=configs/$@)

savedefconfig:
	$(call kconfig,conf,--savedefconfig=defconfig)

# -------------------------------------------------------------------------------------- modules

# The release the modules are for, as the running kernel calls itself.
RELEASE = $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
MODULES = $(BUILD)/modules/$(RELEASE)
MODULE_SOURCES := Kbuild $(wildcard core/*.[ch] bus/*/*.[ch] iommu/*/*.[ch] include/uapi/*/*.h)

# What of our command line the kernel's build has to know when it is not a sub-make.
KVARS := $(foreach v,ARCH CROSS_COMPILE CC LLVM,$(if $(filter command line,$(origin $v)),$v=$($v)))

# kbuild writes its objects beside the sources: give it a tree of links for each kernel.
.PHONY: modules modules_install modules_uninstall
modules:
	$(if $(RELEASE),,$(error KDIR=$(KDIR) is not a kernel's build directory: \
		install the linux-headers package of the kernel, or set KDIR))
	@for f in $(MODULE_SOURCES); do \
		test -e $(MODULES)/$$f || { mkdir -p $$(dirname $(MODULES)/$$f) && \
		ln -sfn $(CURDIR)/$$f $(MODULES)/$$f; } || exit 1; done
	@test "$$(cat $(CONFIG))" = "$$(cat $(MODULES)/config.mk 2>/dev/null)" || \
		cp $(CONFIG) $(MODULES)/config.mk
	@test $(MODULES)/evfio-features.h -nt core/configure -a \
		$(MODULES)/evfio-features.h -nt $(KDIR)/include/generated/utsrelease.h || \
		core/configure $(KDIR) $(abspath $(MODULES)) $(KVARS)
	@$(MAKE) -C $(KDIR) M=$(abspath $(MODULES)) CONFIG_DEBUG_INFO_BTF_MODULES= modules

modules_install: modules
	install -d $(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/updates
	install -m 644 $(MODULES)/*.ko $(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/updates
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(RELEASE)

modules_uninstall:
	cd $(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/updates && \
		rm -f vfio.ko vfio_iommu_type1.ko vfio-platform.ko vfio-pci.ko
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(RELEASE)

# ----------------------------------------------------------------------- user land, tests, rest

# The source of the DKMS package has the modules alone.
include $(wildcard lib/user.mk tests/tests.mk)

.PHONY: all install uninstall clean help
install: install-user
uninstall: uninstall-user

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#H //p' Makefile

#H make                    libevfio, the evfio command, examples, and modules for KDIR
#H make demo               the main demonstration, on an emulated board
#H make check              all tests [KERNELS="6.1 6.12 7.2 7.2-16k 6.1-armhf"] [T=name of one]
#H make shell | gdb        the board with a shell | waiting for gdb
#H make modules            modules only: KDIR=DIR [ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-]
#H make user | unit        user land only | its unit tests
#H make lint               every static check
#H make check-oracle | check-sanitize | check-packages | check-buildroot | coverage | differ | fuzz | fail-nth
#H                         | mutants | bench          see docs/contributing.md
#H make menuconfig | NAME_defconfig | savedefconfig
#H make install | modules_install | uninstall | modules_uninstall
#H                         [DESTDIR=DIR] [PREFIX=/usr/local] [LIBDIR=DIR] [DOCDIR=DIR]
#H                         [INSTALL_MOD_PATH=DIR]
