# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

SUMMARY = "VFIO for embedded Linux: library, command, examples"
DESCRIPTION = "libevfio, which drivers in userspace are written with, and the evfio command, which lists \
devices and binds them to VFIO. Both work on evfio's modules and on the kernel's own."
SECTION = "libs"
LICENSE = "LGPL-2.1-or-later | MIT"
LIC_FILES_CHKSUM = "file://LICENSES/LGPL-2.1-or-later.txt;md5=4fbd65380cdd255951079008b364516c \
                    file://LICENSES/MIT.txt;md5=9d99b319330114e8d77f287a0894a7d2"

DEPENDS = "json-c"

inherit bash-completion externalsrc pkgconfig

EXTERNALSRC = "${EVFIO_TREE}"
EXTERNALSRC_SYMLINKS = ""

# A compiler of another release may have other warnings: they are no errors here.
EXTRA_OEMAKE = "-C ${S} BUILD=${B} PREFIX=${prefix} LIBDIR=${libdir} DOCDIR=${docdir}/${BPN} \
                'USER_WARN=-Wall -Wextra'"

do_compile() {
	oe_runmake user
}

do_install() {
	oe_runmake install-user DESTDIR=${D}
}

PACKAGES =+ "libevfio"
FILES:libevfio = "${libdir}/libevfio.so.*"
RSUGGESTS:${PN} = "evfio-modules"
