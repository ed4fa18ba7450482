/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core asks of no-IOMMU mode (iommu/noiommu/), which the configuration may leave out.
 */
#ifndef EVFIO_CORE_NOIOMMU_H
#define EVFIO_CORE_NOIOMMU_H

#include "evfio.h"

#ifdef CONFIG_EVFIO_NOIOMMU

extern struct evfio_iommu_ops evfio_noiommu_ops;

bool evfio_noiommu(struct iommu_group *group);
int evfio_noiommu_permit(struct iommu_group *group);
struct iommu_group *evfio_noiommu_join(struct device *dev);
void evfio_noiommu_leave(struct device *dev, struct iommu_group *group);

long evfio_noiommu_pin(void *obj, union evfio_args *args, unsigned long arg);
long evfio_noiommu_unpin(void *obj, union evfio_args *args, unsigned long arg);
long evfio_noiommu_sync(void *obj, union evfio_args *args, unsigned long arg);
void evfio_pins_release(struct evfio_device *vdev);

long evfio_contig_new(void *obj, union evfio_args *args, unsigned long arg);
long evfio_contig_free(void *obj, union evfio_args *args, unsigned long arg);
long evfio_contig_export(void *obj, union evfio_args *args, unsigned long arg);
int evfio_contig_mmap(struct evfio_device *vdev, struct vm_area_struct *vma);
void evfio_contigs_release(struct evfio_device *vdev);

static inline void evfio_pins_init(struct evfio_device *vdev)
{
	xa_init_flags(&vdev->pins, XA_FLAGS_ALLOC);
	xa_init_flags(&vdev->contigs, XA_FLAGS_ALLOC);
}

/* isolation.c */
struct iommu_group *evfio_set_noiommu(struct device *dev);
void evfio_set_forget(struct device *dev);

/* Whether a backend is the one for groups without an IOMMU. */
static inline bool evfio_is_noiommu(const struct evfio_iommu_ops *ops)
{
	return ops == &evfio_noiommu_ops;
}

static inline void evfio_noiommu_init(void)
{
	evfio_iommu_register(&evfio_noiommu_ops);
}

#else

static inline bool evfio_noiommu(struct iommu_group *group)
{
	return false;
}

static inline int evfio_noiommu_permit(struct iommu_group *group)
{
	return 0;
}

static inline struct iommu_group *evfio_noiommu_join(struct device *dev)
{
	return NULL;
}

static inline void evfio_noiommu_leave(struct device *dev, struct iommu_group *group)
{
}

static inline bool evfio_is_noiommu(const struct evfio_iommu_ops *ops)
{
	return false;
}

static inline void evfio_pins_init(struct evfio_device *vdev)
{
}

static inline void evfio_pins_release(struct evfio_device *vdev)
{
}

static inline int evfio_contig_mmap(struct evfio_device *vdev, struct vm_area_struct *vma)
{
	return -EINVAL;
}

static inline void evfio_noiommu_init(void)
{
}

#endif

#endif
