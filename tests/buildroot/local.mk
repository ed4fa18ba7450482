# SPDX-License-Identifier: GPL-2.0-only
#
# Read by Buildroot as BR2_PACKAGE_OVERRIDE_FILE in check-buildroot: what it builds, it builds without asking
# any place for sources. busybox and json-c come from Debian's source packages. Tools for the machine itself are
# those that it has, in the place of what Buildroot would build: they are no part of the image.

EVFIO_TEST = @CACHE@

BUSYBOX_OVERRIDE_SRCDIR = $(EVFIO_TEST)/source/busybox
JSON_C_OVERRIDE_SRCDIR = $(EVFIO_TEST)/source/json-c

# $(call from-machine,VARIABLE PREFIX,INSTALL COMMAND): nothing to fetch, to configure or to build. What the
# package's own makefile says does not come through "override".
define from-machine
override $(1)_OVERRIDE_SRCDIR = $$(EVFIO_TEST)/empty
override $(1)_DEPENDENCIES = host-skeleton
override $(1)_AUTORECONF = NO
override $(1)_CONFIGURE_CMDS = :
override $(1)_BUILD_CMDS = :
override $(1)_INSTALL_CMDS = $(2)
endef

link = mkdir -p $$(HOST_DIR)/$(2) && ln -sf $$(shell command -v $(1)) $$(HOST_DIR)/$(2)

$(eval $(call from-machine,HOST_FAKEROOT,$(call link,fakeroot,bin)))
$(eval $(call from-machine,HOST_KMOD,$(call link,depmod,sbin)))
$(eval $(call from-machine,HOST_LIBXCRYPT,:))
$(eval $(call from-machine,HOST_NINJA,$(call link,ninja,bin)))
$(eval $(call from-machine,HOST_PKGCONF,$(call link,pkgconf,bin)))
$(eval $(call from-machine,HOST_TAR,$(call link,tar,bin)))
# Buildroot's own has an option that others lack. This one says that no file has a search path: see run.
$(eval $(call from-machine,HOST_PATCHELF,$(INSTALL) -D $$(EVFIO_TEST)/patchelf $$(HOST_DIR)/bin/patchelf))
