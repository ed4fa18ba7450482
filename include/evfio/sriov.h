/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The virtual functions (VFs) of a PCI device with SR-IOV, whose physical function (PF) vfio-pci
 * has. To make and remove them needs root; <evfio/token.h> has what it takes to open them.
 *
 * Threads: as <evfio/evfio.h> says; but those of one PF are made and removed by one thread at a
 * time.
 */
#ifndef EVFIO_SRIOV_H
#define EVFIO_SRIOV_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct evfio_sysdev;

/**
 * evfio_sriov_max() - how many VFs a PF can have
 * @pf: the PF, bound to any driver
 *
 * Return: how many, at least 1; -EOPNOTSUPP: it has no SR-IOV.
 */
int evfio_sriov_max(const struct evfio_sysdev *pf);

/**
 * evfio_sriov_vfs() - list the VFs that a PF has
 * @pf: the PF, bound to any driver
 * @out: where the list goes, in the order of the VFs' numbers, NULL if there are none; the caller
 *	owns it, until evfio_sysdev_free()
 *
 * Return: how many are in the list; -EOPNOTSUPP: the device has no SR-IOV.
 */
int evfio_sriov_vfs(const struct evfio_sysdev *pf, struct evfio_sysdev **out);

/**
 * evfio_sriov_create() - make VFs
 * @name: the PF, as for evfio_open(), bound to vfio-pci
 * @count: how many, from 1 on
 *
 * vfio-pci takes them before a host driver can. Returns when their nodes in /dev/vfio are there. To
 * make as many as there are is no error.
 *
 * Return: 0; -ENOENT: no such device; -EOPNOTSUPP: it has no SR-IOV, or this vfio-pci makes no VFs;
 * -ERANGE: it cannot have so many; -ENODEV: it is not bound to vfio-pci; -EBUSY: it has another
 * number of VFs; -EPERM: vfio-pci's parameter enable_sriov is off; -EACCES: not root; -ETIMEDOUT:
 * made, but a node did not appear; or the errno of the write to sysfs.
 */
int evfio_sriov_create(const char *name, unsigned int count);

/**
 * evfio_sriov_remove() - remove all VFs of a PF
 * @name: the PF, as for evfio_open()
 * @force: also those in use. Their users are told, and lose them after the grace time
 *	(removal_grace_ms of vfio.ko); on the kernel's own VFIO the call waits for them to let go
 *
 * To remove VFs where there are none is no error.
 *
 * Return: 0; -ENOENT: no such device; -EOPNOTSUPP: it has no SR-IOV; -EBUSY: without @force, and a
 * VF's group is open, or a host driver has it; -EACCES: not root; or the errno of the write to
 * sysfs.
 */
int evfio_sriov_remove(const char *name, bool force);

#ifdef __cplusplus
}
#endif

#endif /* EVFIO_SRIOV_H */
