# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

SUMMARY = "VFIO for embedded Linux: kernel modules"
DESCRIPTION = "vfio, vfio_iommu_type1, vfio-platform and vfio-pci, in the place of the kernel's own: a \
process gets a device's registers, its interrupts, and DMA that the IOMMU keeps within bounds."
SECTION = "kernel"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://LICENSES/GPL-2.0-only.txt;md5=b234ee4d69f5fce4486a80fdaf4a4263"

inherit module externalsrc

EXTERNALSRC = "${EVFIO_TREE}"
EXTERNALSRC_SYMLINKS = ""

EXTRA_OEMAKE += "-C ${S} BUILD=${B} KDIR=${STAGING_KERNEL_BUILDDIR}"
MAKE_TARGETS = "modules"

# The kernel's recipe may have packages of these modules as well.
KERNEL_MODULE_PACKAGE_PREFIX = "evfio-"
KERNEL_MODULE_PROVIDE_VIRTUAL = "0"

# Where depmod prefers them to the kernel's own.
do_install() {
	install -d ${D}${nonarch_base_libdir}/modules/${KERNEL_VERSION}/updates
	install -m 0644 ${B}/modules/${KERNEL_VERSION}/*.ko \
		${D}${nonarch_base_libdir}/modules/${KERNEL_VERSION}/updates
}
