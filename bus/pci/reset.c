// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets: of a function by itself, and of all that share its slot or bus ("hot reset").
 *
 * Hot reset is for who owns every function that it meets. pci_vdevs_lock protects the list of
 * functions that are bound to vfio-pci, and keeps them there while it looks and resets; it is taken
 * outside evfio_device::lock, of which hot reset takes one after the other. A function is unbound
 * with its device lock held, so who holds pci_vdevs_lock only tries for that.
 */
#include <linux/iommu.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "pci.h"

static DEFINE_MUTEX(pci_vdevs_lock);
static LIST_HEAD(pci_vdevs);

/**
 * pci_reset_join() - a function is there
 * @pv: it, registered
 */
void pci_reset_join(struct pci_vdev *pv)
{
	mutex_lock(&pci_vdevs_lock);
	list_add_tail(&pv->node, &pci_vdevs);
	mutex_unlock(&pci_vdevs_lock);
}

/**
 * pci_reset_leave() - a function is being unbound
 * @pv: it
 */
void pci_reset_leave(struct pci_vdev *pv)
{
	mutex_lock(&pci_vdevs_lock);
	list_del(&pv->node);
	mutex_unlock(&pci_vdevs_lock);
}

/**
 * pci_function_reset() - evfio_bus_ops::reset, by whatever way the function has
 * @vdev: the device; its lock is held for writing
 *
 * Return: 0, -EAGAIN while the device is being bound or unbound, -ENOTTY if there is no way.
 */
int pci_function_reset(struct evfio_device *vdev)
{
	struct pci_vdev *pv = to_pci(vdev);
	int ret;

	lockdep_assert_held_write(&vdev->lock);
	evfio_regions_zap(vdev);
	pci_power(pv, PCI_D0);
	pci_intx_sleep(pv, true);
	ret = pci_try_reset_function(pv->pdev);
	pci_intx_sleep(pv, false);
	return ret;
}

/*
 * What a hot reset of @origin meets: its slot, if that can be reset, or else its bus and all below.
 * @n: functions met; @vdevs: as many of them as @room, NULL for one that vfio-pci has not
 */
struct meeting {
	struct pci_dev			*origin;
	bool				slot;
	u32				n;
	u32				room;
	struct pci_dev			**pdevs;
};

static int meet(struct pci_dev *pdev, void *data)
{
	struct meeting *m = data;

	if (m->slot && pdev->bus == m->origin->bus && pdev->slot != m->origin->slot)
		return 0;
	if (m->n < m->room)
		m->pdevs[m->n] = pci_dev_get(pdev);
	m->n++;
	return 0;
}

static void meeting_end(struct meeting *m)
{
	while (m->n--)
		pci_dev_put(m->pdevs[m->n]);
	kfree(m->pdevs);
}

static int meeting_begin(struct meeting *m, struct pci_dev *origin)
{
	m->origin = origin;
	m->slot = !pci_probe_reset_slot(origin->slot);
	if (!m->slot && pci_probe_reset_bus(origin->bus))
		return -ENODEV;
	m->n = 0;
	m->room = 0;
	m->pdevs = NULL;
	pci_walk_bus(origin->bus, meet, m);
	m->pdevs = kcalloc(m->n, sizeof(*m->pdevs), GFP_KERNEL_ACCOUNT);
	if (!m->pdevs)
		return -ENOMEM;
	m->room = m->n;
	m->n = 0;
	pci_walk_bus(origin->bus, meet, m);
	if (m->n <= m->room)
		return 0;
	m->n = m->room;		/* one was plugged in meanwhile */
	meeting_end(m);
	return -EAGAIN;
}

/**
 * pci_hot_reset_info() - VFIO_DEVICE_GET_PCI_HOT_RESET_INFO
 * @obj: the device
 * @args: struct vfio_pci_hot_reset_info
 * @arg: the same, the user's
 *
 * Return: 0; -ENODEV if neither slot nor bus can be reset; -ENOSPC, with the count, if the array is
 * too short; -EPERM if a function of them is in no group.
 */
long pci_hot_reset_info(void *obj, union evfio_args *args, unsigned long arg)
{
	struct vfio_pci_hot_reset_info *info = (void *)args;
	struct vfio_pci_dependent_device *devices;
	struct iommu_group *group;
	struct meeting m;
	u32 i, room;
	long ret;

	ret = meeting_begin(&m, to_pci(obj)->pdev);
	if (ret)
		return ret;
	room = (info->argsz - sizeof(*info)) / sizeof(*devices);
	info->flags = 0;
	info->count = m.n;
	ret = -ENOSPC;
	if (room < m.n)
		goto end;
	ret = -ENOMEM;
	devices = kcalloc(m.n, sizeof(*devices), GFP_KERNEL_ACCOUNT);
	if (!devices)
		goto end;
	ret = 0;
	for (i = 0; i < m.n; i++) {
		group = iommu_group_get(&m.pdevs[i]->dev);
		if (!group) {
			ret = -EPERM;
			break;
		}
		devices[i].group_id = iommu_group_id(group);
		devices[i].segment = pci_domain_nr(m.pdevs[i]->bus);
		devices[i].bus = m.pdevs[i]->bus->number;
		devices[i].devfn = m.pdevs[i]->devfn;
		iommu_group_put(group);
	}
	if (!ret)
		ret = evfio_tail_put(arg, sizeof(*info), devices, m.n, sizeof(*devices));
	kfree(devices);
end:
	meeting_end(&m);
	return ret;
}

static struct pci_vdev *find_vdev(struct pci_dev *pdev)
{
	struct pci_vdev *pv;

	lockdep_assert_held(&pci_vdevs_lock);
	list_for_each_entry(pv, &pci_vdevs, node)
		if (pv->pdev == pdev)
			return pv;
	return NULL;
}

/* Every function met is vfio-pci's, and of a group that the caller has. */
static bool owns_all(const struct meeting *m, struct file **files, u32 n)
{
	struct pci_vdev *pv;
	u32 i;

	for (i = 0; i < m->n; i++) {
		pv = find_vdev(m->pdevs[i]);
		if (!pv || !evfio_group_files_own(files, n, &pv->vdev))
			return false;
	}
	return true;
}

static long reset_all(const struct meeting *m)
{
	struct evfio_device *vdev;
	long ret;
	u32 i;

	/* Waking one takes its lock. */
	for (i = 0; i < m->n; i++)
		pm_runtime_get_sync(&m->pdevs[i]->dev);
	for (i = 0; i < m->n; i++) {
		vdev = &find_vdev(m->pdevs[i])->vdev;
		down_write_nest_lock(&vdev->lock, &pci_vdevs_lock);
		evfio_regions_zap(vdev);
		pci_power(to_pci(vdev), PCI_D0);
		pci_intx_sleep(to_pci(vdev), true);
	}
	ret = pci_reset_bus(m->origin);
	for (i = 0; i < m->n; i++) {
		vdev = &find_vdev(m->pdevs[i])->vdev;
		pci_intx_sleep(to_pci(vdev), false);
		evfio_device_unlock(vdev);
		pm_runtime_put(vdev->dev);
	}
	return ret;
}

/**
 * pci_hot_reset() - VFIO_DEVICE_PCI_HOT_RESET
 * @obj: the device
 * @args: struct vfio_pci_hot_reset
 * @arg: the same, the user's
 *
 * Return: 0; -ENODEV if neither slot nor bus can be reset; -EINVAL for flags, for no groups or more
 * than there are functions, or if a function is not in one of them; -EBADF; -EAGAIN.
 */
long pci_hot_reset(void *obj, union evfio_args *args, unsigned long arg)
{
	struct vfio_pci_hot_reset *reset = (void *)args;
	struct evfio_device *vdev = obj;
	struct file **files;
	struct meeting m;
	s32 *fds;
	long ret;

	if (reset->flags || !reset->count)
		return -EINVAL;
	ret = meeting_begin(&m, to_pci(vdev)->pdev);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (reset->count > m.n)
		goto end;
	fds = evfio_tail_get(arg, sizeof(*reset), reset->count, sizeof(*fds));
	ret = PTR_ERR_OR_ZERO(fds);
	if (ret)
		goto end;
	files = evfio_group_files(fds, reset->count);
	ret = PTR_ERR_OR_ZERO(files);
	if (ret)
		goto free;
	mutex_lock(&pci_vdevs_lock);
	if (READ_ONCE(vdev->revoked))
		ret = -ENODEV;
	else
		ret = owns_all(&m, files, reset->count) ? reset_all(&m) : -EINVAL;
	mutex_unlock(&pci_vdevs_lock);
	evfio_group_files_put(files, reset->count);
free:
	kfree(fds);
end:
	meeting_end(&m);
	return ret;
}
