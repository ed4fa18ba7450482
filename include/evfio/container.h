/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A container is one address space for DMA: the devices opened in it see the same mappings.
 *
 * It is VFIO's container, /dev/vfio/vfio, with the groups of its devices. Where a kernel has none,
 * it is an address space of iommufd's, /dev/iommu, to which the nodes /dev/vfio/devices/vfioN of
 * its devices are attached; all else is the same. Devices without an IOMMU, and what
 * <linux/evfio.h> adds, are then not to be had; what the library puts in its place is.
 *
 * Threads: as <evfio/evfio.h> says.
 */
#ifndef EVFIO_CONTAINER_H
#define EVFIO_CONTAINER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_container;

/**
 * evfio_container_new() - open an empty container
 * @out: where the container goes; the caller owns one reference to it
 *
 * Only needed for devices that shall share mappings; evfio_open() makes a container of its own. The
 * container gets its IOMMU when the first device is opened in it with evfio_open_in(), and loses
 * it, with every mapping, when the last device is closed.
 *
 * Return: 0; -ENOENT or -ENODEV: VFIO is not loaded; -EACCES: no permission on its node;
 * -EPROTO: the kernel speaks another VFIO version; -ENOMEM.
 */
int evfio_container_new(struct evfio_container **out);

/**
 * evfio_container_put() - drop the caller's reference
 * @ct: container, or NULL for no effect
 *
 * The container is closed when its devices and its DMA buffers are gone as well; each of them holds
 * a reference.
 */
void evfio_container_put(struct evfio_container *ct);

/**
 * evfio_container_fd() - the file descriptor of /dev/vfio/vfio, or of /dev/iommu
 * @ct: container
 *
 * For ioctls that the library does not wrap. It stays the container's: do not close it.
 *
 * Return: the file descriptor.
 */
int evfio_container_fd(const struct evfio_container *ct);

/**
 * evfio_container_pinned() - how much memory the container holds pinned for DMA
 * @ct: container
 * @kib: where the amount goes, in KiB
 *
 * Read from /proc/self/fdinfo.
 *
 * Return: 0; -EOPNOTSUPP: the kernel does not tell; its own VFIO does not.
 */
int evfio_container_pinned(const struct evfio_container *ct, uint64_t *kib);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_CONTAINER_H */
