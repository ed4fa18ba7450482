/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Giving devices to VFIO and back to the host. Needs root.
 *
 * Threads: as <evfio/evfio.h> says; but one device is bound or unbound by one thread, and one
 * program, at a time.
 */
#ifndef EVFIO_BIND_H
#define EVFIO_BIND_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * evfio_bind_check() - whether the host can spare a device
 * @name: device name, sysfs path or device-tree path, as for evfio_open()
 *
 * It cannot if a file system is mounted whose disk is the device, or below it, or is made of such
 * disks (partitions, device mapper, RAID, NVMe with several controllers), nor if a console of the
 * kernel is. What has no block device, such as NFS, is not seen. evfio_bind() does not ask.
 *
 * Return: 0: it can; -EBUSY: it cannot; -ENOENT: no such device; -EINVAL: @name cannot be one.
 */
int evfio_bind_check(const char *name);

/**
 * evfio_bind() - take a device from its host driver and bind it to VFIO
 * @name: device name, sysfs path or device-tree path, as for evfio_open()
 *
 * The driver is vfio-platform, vfio-amba or vfio-pci, after the device's bus; only this device is
 * affected (driver_override). Returns when /dev/vfio/N is there. Binding what is bound is no error.
 *
 * Return: 0; -ENOENT: no such device; -ENODEV: the VFIO driver is not loaded, or the device has
 * no IOMMU; -EACCES: not root; -ETIMEDOUT: bound, but /dev/vfio/N did not appear; or the errno with
 * which the driver refused the device.
 */
int evfio_bind(const char *name);

/**
 * evfio_unbind() - take a device from VFIO and give it back to its host driver
 * @name: device name, sysfs path or device-tree path, as for evfio_open()
 *
 * A program that has the device open is told, and loses it after the grace time
 * (removal_grace_ms of vfio.ko); on the kernel's own VFIO the call waits until it closes it. To
 * have no driver for the device afterwards is no error.
 *
 * Return: 0; -ENOENT: no such device; -EINVAL: not bound to VFIO; -EACCES: not root; or the errno
 * of the write to sysfs.
 */
int evfio_unbind(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_BIND_H */
