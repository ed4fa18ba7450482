################################################################################
#
# evfio (SPDX-License-Identifier: LGPL-2.1-or-later OR MIT)
#
################################################################################

EVFIO_VERSION = 0.1.0
EVFIO_SITE = $(BR2_EXTERNAL_EVFIO_PATH)/..
EVFIO_SITE_METHOD = local
EVFIO_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/build
EVFIO_LICENSE = LGPL-2.1+ or MIT
EVFIO_LICENSE_FILES = LICENSES/LGPL-2.1-or-later.txt LICENSES/MIT.txt
EVFIO_INSTALL_STAGING = YES
EVFIO_DEPENDENCIES = host-pkgconf json-c

# A compiler of another release may have other warnings: they are no errors here.
EVFIO_MAKE_OPTS = \
	$(TARGET_CONFIGURE_OPTS) \
	PREFIX=/usr \
	LIBDIR=/usr/lib \
	USER_WARN="-Wall -Wextra"

ifeq ($(BR2_STATIC_LIBS),y)
EVFIO_MAKE_OPTS += SHARED=0
endif

define EVFIO_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(EVFIO_MAKE_OPTS) -C $(@D) user
endef

define EVFIO_INSTALL_STAGING_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(EVFIO_MAKE_OPTS) -C $(@D) install-user \
		DESTDIR=$(STAGING_DIR)
endef

ifeq ($(BR2_PACKAGE_EVFIO_EXAMPLES),y)
define EVFIO_INSTALL_EXAMPLES
	$(INSTALL) -d -m 0755 $(TARGET_DIR)/usr/libexec/evfio
	for program in $(@D)/build/user/*/bin/*; do \
		case $$program in */evfio) continue ;; esac; \
		$(INSTALL) -m 0755 $$program $(TARGET_DIR)/usr/libexec/evfio/ || exit 1; \
	done
endef
endif

define EVFIO_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(EVFIO_MAKE_OPTS) -C $(@D) install-user \
		DESTDIR=$(TARGET_DIR)
	$(EVFIO_INSTALL_EXAMPLES)
endef

$(eval $(generic-package))
