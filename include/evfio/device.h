/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A device that is bound to a VFIO driver and opened by this process.
 *
 * Threads: as <evfio/evfio.h> says.
 */
#ifndef EVFIO_DEVICE_H
#define EVFIO_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_container;
struct evfio_device;

/**
 * evfio_open() - open a device in a container of its own
 * @name: device name ("10000000.edu", "0000:00:01.0"), sysfs path
 *	("/sys/bus/platform/devices/10000000.edu") or device-tree path ("/soc/edu@10000000")
 * @out: where the device goes; the caller owns it, until evfio_close()
 *
 * Finds the device's IOMMU group, opens it, gives it to the container, sets up the IOMMU (type1 v2,
 * or v1 where that is all there is) and opens the device. The device is powered up by this.
 *
 * Return: 0; -ENOENT: no such device, or VFIO is not loaded; -EINVAL: @name cannot be one; -ENODEV:
 * the device is not bound to a VFIO driver or has no IOMMU group; -EPERM: its group is not viable,
 * that is, a host driver holds a device that must be owned together with it, or interrupts are not
 * isolated; -EBUSY: somebody has opened the group; -EACCES: no permission on /dev/vfio/N; -ENOMEM;
 * or the errno of the ioctl that failed.
 */
int evfio_open(const char *name, struct evfio_device **out);

/**
 * evfio_open_in() - open a device in a container that may hold others
 * @ct: container; the device takes a reference to it
 * @name: as for evfio_open()
 * @out: where the device goes; the caller owns it, until evfio_close()
 *
 * Devices of one group must be opened in the same container. A device of another group sees all
 * mappings of the container as soon as it is in.
 *
 * Return: as evfio_open().
 */
int evfio_open_in(struct evfio_container *ct, const char *name, struct evfio_device **out);

/**
 * evfio_close() - close a device
 * @dev: device, or NULL for no effect
 *
 * Close its interrupts and unmap its regions first. The group is given back with its last device;
 * the container loses its IOMMU, and so its mappings, with its last group.
 */
void evfio_close(struct evfio_device *dev);

/**
 * evfio_device_container() - the container a device is in
 * @dev: device
 *
 * Return: the container, borrowed: valid as long as the device is open.
 */
struct evfio_container *evfio_device_container(const struct evfio_device *dev);

/**
 * evfio_device_name() - the device's name on its bus
 * @dev: device
 *
 * Return: a string owned by the device.
 */
const char *evfio_device_name(const struct evfio_device *dev);

/**
 * evfio_device_syspath() - where the device is in sysfs
 * @dev: device
 *
 * Return: a path that begins with "/sys/devices/", owned by the device; what <evfio/dt.h> takes.
 */
const char *evfio_device_syspath(const struct evfio_device *dev);

/**
 * evfio_device_group() - the number of the device's IOMMU group
 * @dev: device
 *
 * Return: N of /dev/vfio/N.
 */
int evfio_device_group(const struct evfio_device *dev);

/**
 * evfio_device_fd() - the device's file descriptor
 * @dev: device
 *
 * For ioctls that the library does not wrap, to wait on (POLLPRI: the device is about to go), and
 * to pass to other processes. It stays the device's: do not close it.
 *
 * Return: the file descriptor.
 */
int evfio_device_fd(const struct evfio_device *dev);

/**
 * evfio_device_regions() - how many region indices the device has
 * @dev: device
 *
 * Return: the count; an index below it may still be empty (size 0).
 */
unsigned int evfio_device_regions(const struct evfio_device *dev);

/**
 * evfio_device_irqs() - how many interrupt indices the device has
 * @dev: device
 *
 * Return: the count; an index below it may still be empty (count 0).
 */
unsigned int evfio_device_irqs(const struct evfio_device *dev);

/**
 * evfio_device_can_reset() - whether evfio_device_reset() can work
 * @dev: device
 *
 * Return: true when the kernel knows how to reset the device.
 */
bool evfio_device_can_reset(const struct evfio_device *dev);

/**
 * evfio_device_reset() - put the device's hardware into its reset state
 * @dev: device
 *
 * Return: 0; -EOPNOTSUPP: the device has neither a reset line nor a reset method; -ENODEV: it has
 * been removed; or the errno of the reset.
 */
int evfio_device_reset(struct evfio_device *dev);

/**
 * evfio_device_set_dma() - let the device do DMA at all, or not
 * @dev: device
 * @on: which
 *
 * A PCI device does DMA, and sends MSI and MSI-X, as a bus master only: off when it is opened, and
 * to be switched on by its driver when the device is in a known state. Other devices always can:
 * for them this does nothing, successfully, so a driver can call it on any bus.
 *
 * Return: 0; or the errno of the access to the configuration space.
 */
int evfio_device_set_dma(struct evfio_device *dev, bool on);

/**
 * evfio_device_removed() - whether somebody wants the device back
 * @dev: device
 *
 * evfio's modules give notice (POLLPRI on the device's file descriptor) when an administrator
 * unbinds the device; after a grace time everything about it fails with -ENODEV and its registers
 * raise SIGBUS. A driver that sees the notice stops the device and closes it.
 *
 * Return: true once the notice was given; always false on the kernel's own VFIO, where PCI devices
 * alone have a notice, the interrupt "req".
 */
bool evfio_device_removed(const struct evfio_device *dev);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_DEVICE_H */
