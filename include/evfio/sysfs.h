/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What sysfs knows about devices and groups; nothing here opens a device.
 *
 * Threads: as <evfio/evfio.h> says; but evfio_sysfs_set_root() is called before any other function.
 */
#ifndef EVFIO_SYSFS_H
#define EVFIO_SYSFS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct evfio_sysdev - a device as sysfs shows it; read its members, never write them
 * @next: the next of a list, or NULL
 * @name: its name on its bus, "10000000.edu"
 * @bus: "platform", "amba" or "pci"
 * @syspath: "/sys/devices/platform/10000000.edu"
 * @of_path: path of its device-tree node, "/edu@10000000"; NULL if it has none
 * @driver: the driver it is bound to; NULL if none
 * @vfio_driver: the driver of its bus that VFIO wants, "vfio-platform"
 * @group: number of its IOMMU group; -1 if it has none. Up to Linux 6.1 a device-tree device, and
 *	up to 6.12 a PCI device below a host bridge of the device tree, gets one only when a driver
 *	is first bound to it
 * @has_iommu: whether it has a group or, by "iommus" or "iommu-map" in the device tree, will get
 *	one
 * @coherent: 1 if its DMA sees the CPU's caches, 0 if not ("dma-coherent" in its node or in one
 *	above); negative if nobody tells, in which case the library takes it for coherent
 * @pci_vendor: vendor of a PCI device, 0x8086; 0 on other buses, and so are the next two
 * @pci_device: device, as the vendor numbers it
 * @pci_class: class, subclass and programming interface, 0x010802
 */
struct evfio_sysdev {
	struct evfio_sysdev *next;
	char *name;
	char *bus;
	char *syspath;
	char *of_path;
	char *driver;
	const char *vfio_driver;
	int group;
	bool has_iommu;
	int coherent;
	unsigned int pci_vendor;
	unsigned int pci_device;
	unsigned int pci_class;
};

/**
 * evfio_sysdev_find() - look a device up
 * @name: device name, sysfs path or device-tree path, as for evfio_open()
 * @out: where it goes; the caller owns it, until evfio_sysdev_free()
 *
 * Return: 0; -ENOENT: there is none; -EINVAL: @name cannot be one; -ENOMEM.
 */
int evfio_sysdev_find(const char *name, struct evfio_sysdev **out);

/**
 * evfio_sysdev_list() - list the devices that have an IOMMU group or will get one
 * @out: where the list goes, sorted by bus and name, NULL if empty; the caller owns it, until
 *	evfio_sysdev_free()
 *
 * Return: 0; -ENOMEM.
 */
int evfio_sysdev_list(struct evfio_sysdev **out);

/**
 * evfio_group_members() - list the devices that must be owned together with a group
 * @group: number of the IOMMU group
 * @out: where the list goes; the caller owns it, until evfio_sysdev_free()
 *
 * The group's own devices and, with evfio's modules, those of its isolation set
 * (/sys/class/vfio/N/members).
 *
 * Return: 0; -ENOENT: no such group; -ENOMEM.
 */
int evfio_group_members(int group, struct evfio_sysdev **out);

/**
 * evfio_sysdev_check() - say why a device could not be opened
 * @dev: device
 *
 * Looks at what sysfs tells: bound to a VFIO driver, has a group, no member of the group is held by
 * a host driver. Somebody else's having it open, and permissions, show only when it is opened.
 *
 * Return: 0: nothing speaks against it; or an errno as evfio_open() would give, with the reason in
 * evfio_error().
 */
int evfio_sysdev_check(const struct evfio_sysdev *dev);

/**
 * evfio_sysdev_free() - free a device, and those after it in its list
 * @dev: device or list, or NULL for no effect
 */
void evfio_sysdev_free(struct evfio_sysdev *dev);

/**
 * evfio_sysfs_set_root() - read another tree than /sys
 * @root: directory that stands for /sys; NULL for /sys itself
 *
 * For a sysfs that is mounted elsewhere, as in some containers, and for a copy of one taken from a
 * board. Names that the library reports still begin with "/sys". Call it before anything else: it
 * is not protected against other threads.
 *
 * Return: 0; -ENAMETOOLONG; or the errno of realpath(), such as -ENOENT and -EACCES.
 */
int evfio_sysfs_set_root(const char *root);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_SYSFS_H */
