################################################################################
#
# evfio-modules (SPDX-License-Identifier: GPL-2.0-only)
#
################################################################################

EVFIO_MODULES_VERSION = 0.1.0
EVFIO_MODULES_SITE = $(BR2_EXTERNAL_EVFIO_PATH)/..
EVFIO_MODULES_SITE_METHOD = local
EVFIO_MODULES_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/build
EVFIO_MODULES_LICENSE = GPL-2.0
EVFIO_MODULES_LICENSE_FILES = LICENSES/GPL-2.0-only.txt

# With VFIO built in, the modules could not be loaded.
define EVFIO_MODULES_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_EVENTFD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_IOMMU_SUPPORT)
	$(call KCONFIG_DISABLE_OPT,CONFIG_VFIO)
endef

# What the kernel's build finds beside the sources: see Kbuild.
define EVFIO_MODULES_CONFIGURE_CMDS
	if [ -e $(@D)/.config ]; then \
		cp $(@D)/.config $(@D)/config.mk; \
	else \
		cp $(@D)/configs/default.config $(@D)/config.mk; \
	fi
	$(LINUX_MAKE_ENV) $(@D)/core/configure $(LINUX_DIR) $(@D) $(LINUX_MAKE_FLAGS)
endef

define EVFIO_MODULES_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(EVFIO_MODULES_PKGDIR)/S30evfio \
		$(TARGET_DIR)/etc/init.d/S30evfio
endef

# A group alone. The tool that makes it is said here: for a package that is not Buildroot's own it comes too late
# into its list of packages, and graph-depends fails.
EVFIO_MODULES_DEPENDENCIES = host-mkpasswd
define EVFIO_MODULES_USERS
	- -1 vfio -1 - - - - Users of devices that are bound to VFIO
endef

# The first line of mdev.conf that matches counts, and busybox installs the file anew.
ifeq ($(BR2_ROOTFS_DEVICE_CREATION_DYNAMIC_MDEV),y)
define EVFIO_MODULES_MDEV_CONF
	{ echo '# evfio: begin' && cat $(EVFIO_MODULES_DIR)/tools/mdev.conf && \
		echo '# evfio: end' && sed '/^# evfio: begin$$/,/^# evfio: end$$/d' \
			$(TARGET_DIR)/etc/mdev.conf; } >$(EVFIO_MODULES_DIR)/mdev.conf
	$(INSTALL) -m 0644 $(EVFIO_MODULES_DIR)/mdev.conf $(TARGET_DIR)/etc/mdev.conf
endef
EVFIO_MODULES_TARGET_FINALIZE_HOOKS += EVFIO_MODULES_MDEV_CONF
endif

$(eval $(kernel-module))
$(eval $(generic-package))
