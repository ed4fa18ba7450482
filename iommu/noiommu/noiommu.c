// SPDX-License-Identifier: GPL-2.0-only
/*
 * No-IOMMU mode: devices whose DMA nothing keeps within bounds. Part of vfio.ko.
 *
 * Such a device is given, when it is bound, an IOMMU group that no IOMMU knows of, so that the core
 * finds what it is used to: a group for the device alone, or one with the others of its isolation
 * set. The group is told from real ones by its iommudata, and dies when its last device has left
 * it. Nobody can own its DMA. It takes CAP_SYS_RAWIO to use it, in containers that real groups do
 * not enter and that map nothing.
 *
 * groups_lock of the core is held where devices join and leave; nothing else changes.
 */
#include <linux/capability.h>
#include <linux/evfio.h>
#include <linux/panic.h>

#include "../../core/noiommu.h"

static bool enable_unsafe_noiommu_mode;
module_param(enable_unsafe_noiommu_mode, bool, 0644);
MODULE_PARM_DESC(enable_unsafe_noiommu_mode,
		 "accept devices without an IOMMU: who has one can reach all memory by its DMA");

static int noiommu_check(void *iommu, unsigned long extension)
{
	return (extension == VFIO_NOIOMMU_IOMMU && enable_unsafe_noiommu_mode) ||
	       extension == EVFIO_EXT_DEVICE_PIN || extension == EVFIO_EXT_DEVICE_SYNC ||
	       extension == EVFIO_EXT_DEVICE_CONTIG;
}

static const char *noiommu_name(void *iommu)
{
	return "noiommu";
}

static void *noiommu_open(unsigned long type)
{
	return capable(CAP_SYS_RAWIO) ? NULL : ERR_PTR(-EPERM);
}

static void noiommu_release(void *iommu)
{
}

static int noiommu_attach(void *iommu, struct iommu_group *group)
{
	return 0;
}

static void noiommu_detach(void *iommu, struct iommu_group *group)
{
}

static int noiommu_info(void *iommu, struct evfio_iommu_info *info)
{
	return 0;
}

/* Without @map and @unmap: the core does not come to them. */
struct evfio_iommu_ops evfio_noiommu_ops = {
	.check		= noiommu_check,
	.name		= noiommu_name,
	.open		= noiommu_open,
	.release	= noiommu_release,
	.attach		= noiommu_attach,
	.detach		= noiommu_detach,
	.info		= noiommu_info,
};

/**
 * evfio_noiommu() - whether a group is one of ours
 * @group: any IOMMU group
 */
bool evfio_noiommu(struct iommu_group *group)
{
	return iommu_group_get_iommudata(group) == &evfio_noiommu_ops;
}

/**
 * evfio_noiommu_permit() - whether the caller may use a group
 * @group: any IOMMU group
 *
 * Return: 0 or -EPERM.
 */
int evfio_noiommu_permit(struct iommu_group *group)
{
	return evfio_noiommu(group) && !capable(CAP_SYS_RAWIO) ? -EPERM : 0;
}

/**
 * evfio_noiommu_join() - put a device that has no IOMMU group into one
 * @dev: the device, being bound
 *
 * Return: the group with a reference, or NULL if that is not wanted, or without memory.
 */
struct iommu_group *evfio_noiommu_join(struct device *dev)
{
	struct iommu_group *group;

	if (!enable_unsafe_noiommu_mode)
		return NULL;
	group = evfio_set_noiommu(dev);
	if (!group) {
		group = iommu_group_alloc();
		if (IS_ERR(group))
			return NULL;
		iommu_group_set_iommudata(group, &evfio_noiommu_ops, NULL);
	}
	if (iommu_group_set_name(group, "vfio-noiommu") || iommu_group_add_device(group, dev)) {
		iommu_group_put(group);
		return NULL;
	}
	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	dev_warn(dev, "no IOMMU: its user can reach all memory, which taints the kernel\n");
	return group;
}

/**
 * evfio_noiommu_leave() - the counterpart of evfio_noiommu_join()
 * @dev: the device
 * @group: its group, whichever kind that is
 */
void evfio_noiommu_leave(struct device *dev, struct iommu_group *group)
{
	if (!evfio_noiommu(group))
		return;
	iommu_group_remove_device(dev);
	evfio_set_forget(dev);
}
