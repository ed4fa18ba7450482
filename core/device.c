// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device: one device bound to a VFIO driver, and the file descriptors users drive it by.
 *
 * The bus backend makes it when it binds a device and unregisters it when it unbinds. It is
 * counted: the backend has one reference, each device fd another, so an fd may outlive the
 * binding. It is open from its first fd to its last: powered, its registers claimed.
 *
 * Unbinding a device that is open tells its users (POLLPRI on each fd), waits for them for
 * removal_grace_ms, then revokes: from then on every call answers ENODEV and every mapping SIGBUS,
 * its interrupts are freed, and the hardware is closed.
 *
 *	evfio_group::lock	open_count, leaving, opening and closing
 *	evfio_device::lock	revoked: held for reading by whoever touches the hardware, for
 *				writing by reset, revocation and who sets up interrupts; peers,
 *				ioeventfds
 *	evfio_device::irq_lock	the interrupt lines' set-up
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

static unsigned int removal_grace_ms = 3000;
module_param(removal_grace_ms, uint, 0644);
MODULE_PARM_DESC(removal_grace_ms,
		 "milliseconds the users of a device have to close it once it is being unbound");

/**
 * evfio_device_alloc() - make a device, for evfio_alloc()
 * @size: of the bus's structure, of which struct evfio_device is the first member
 * @dev: the device; a reference is taken
 * @ops: its bus
 *
 * Return: the zeroed structure with one reference, or NULL without memory.
 */
struct evfio_device *evfio_device_alloc(size_t size, struct device *dev,
					const struct evfio_bus_ops *ops)
{
	struct evfio_device *vdev = kzalloc(size, GFP_KERNEL);

	if (!vdev)
		return NULL;
	kref_init(&vdev->kref);
	init_rwsem(&vdev->lock);
	mutex_init(&vdev->irq_lock);
	INIT_LIST_HEAD(&vdev->ioeventfds);
	init_waitqueue_head(&vdev->wait);
	INIT_LIST_HEAD(&vdev->peers);
	evfio_pins_init(vdev);
	vdev->dev = get_device(dev);
	vdev->ops = ops;
	return vdev;
}
EXPORT_SYMBOL_GPL(evfio_device_alloc);

static void device_free(struct kref *kref)
{
	struct evfio_device *vdev = container_of(kref, struct evfio_device, kref);

	evfio_irq_free(vdev);
	kfree(vdev->regions);
	put_device(vdev->dev);
	kfree(vdev);
}

/**
 * evfio_device_put() - drop a reference
 * @vdev: the device
 */
void evfio_device_put(struct evfio_device *vdev)
{
	kref_put(&vdev->kref, device_free);
}
EXPORT_SYMBOL_GPL(evfio_device_put);

/**
 * evfio_device_resume() - wake a device that may sleep, for evfio_device_wake()
 * @vdev: the device
 */
int evfio_device_resume(struct evfio_device *vdev)
{
	return pm_runtime_resume_and_get(vdev->dev) < 0 ? -EIO : 0;
}

/**
 * evfio_device_lock() - before a call that changes something of a device
 * @vdev: the device, awake
 *
 * Return: 0, evfio_device::lock being held for writing, or -ENODEV when revoked.
 */
int evfio_device_lock(struct evfio_device *vdev)
{
	down_write(&vdev->lock);
	if (!vdev->revoked)
		return 0;
	up_write(&vdev->lock);
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(evfio_device_lock);

/**
 * evfio_device_unlock() - let go of a device; what answers again can be reached by DMA
 * @vdev: the device, its lock held for writing
 */
void evfio_device_unlock(struct evfio_device *vdev)
{
	evfio_peers_restore(vdev);
	up_write(&vdev->lock);
}
EXPORT_SYMBOL_GPL(evfio_device_unlock);

static int device_open(struct evfio_device *vdev)
{
	int ret;

	ret = evfio_regions_claim(vdev);
	if (ret)
		return ret;
	ret = vdev->ops->open(vdev);
	if (ret)
		evfio_regions_release(vdev);
	else
		evfio_irq_drain(vdev);
	return ret;
}

static void device_close(struct evfio_device *vdev)
{
	struct evfio_group *group = vdev->group;

	lockdep_assert_held(&group->lock);
	if (vdev->ops->sleeps)
		pm_runtime_get_sync(vdev->dev);
	down_write(&vdev->lock);
	vdev->mapping = NULL;
	evfio_peers_drop(vdev);
	up_write(&vdev->lock);
	evfio_irq_teardown(vdev);
	evfio_ioeventfd_teardown(vdev);
	if (vdev->ops->close(vdev))
		evfio_pins_release(vdev);
	else
		evfio_set_quarantine(group->set, group->iommu_group);
	evfio_device_rest(vdev);
	evfio_regions_release(vdev);
}

/* From the user's side the device is gone; the caller's unbinding it. */
static void device_revoke(struct evfio_device *vdev)
{
	struct evfio_group *group = vdev->group;

	lockdep_assert_held(&group->lock);
	dev_notice(vdev->dev, "still open %u ms after it should be closed: revoked\n",
		   removal_grace_ms);
	down_write(&vdev->lock);
	vdev->revoked = true;
	evfio_regions_zap(vdev);
	up_write(&vdev->lock);
	device_close(vdev);
	group->open_fds -= vdev->open_count;
	vdev->open_count = 0;
	wake_up_all(&vdev->wait);
}

/**
 * evfio_device_register() - show a device to users
 * @vdev: the device, its description complete
 */
int evfio_device_register(struct evfio_device *vdev)
{
	return evfio_group_add(vdev);
}
EXPORT_SYMBOL_GPL(evfio_device_register);

/**
 * evfio_device_announce() - tell the users of a device that it is about to be unbound
 * @vdev: the device; its struct device's lock is held
 *
 * So that several that go one after the other have their removal_grace_ms at the same time. Nobody
 * opens the device any more.
 */
void evfio_device_announce(struct evfio_device *vdev)
{
	mutex_lock(&vdev->group->lock);
	WRITE_ONCE(vdev->leaving, true);
	mutex_unlock(&vdev->group->lock);

	vdev->deadline = jiffies + msecs_to_jiffies(READ_ONCE(removal_grace_ms));
	evfio_irq_signal(vdev, vdev->ops->requested);
	wake_up_all(&vdev->wait);
}
EXPORT_SYMBOL_GPL(evfio_device_announce);

/**
 * evfio_device_unregister() - the device is being unbound: take it away from its users
 * @vdev: the device; its struct device's lock is held
 *
 * May sleep until removal_grace_ms after the announcement, which is made now unless it has been.
 * When it returns no user can reach the hardware, and the bus's operations are not called any more.
 * The bus still has to drop its reference.
 */
void evfio_device_unregister(struct evfio_device *vdev)
{
	struct evfio_group *group = vdev->group;

	if (!vdev->leaving)
		evfio_device_announce(vdev);
	wait_event_timeout(vdev->wait, !READ_ONCE(vdev->open_count),
			   max_t(long, vdev->deadline - jiffies, 0));

	mutex_lock(&group->lock);
	if (vdev->open_count)
		device_revoke(vdev);
	mutex_unlock(&group->lock);
	evfio_pins_release(vdev);
	evfio_group_remove(vdev);
}
EXPORT_SYMBOL_GPL(evfio_device_unregister);

/* The part of it that came later, for buses that have it. */
static long device_get_caps(struct evfio_device *vdev, struct vfio_device_info *info,
			    unsigned long arg)
{
	const size_t fixed = offsetofend(struct vfio_device_info, num_irqs);
	const size_t more = min_t(size_t, info->argsz, sizeof(*info)) - fixed;
	struct evfio_caps caps = { };
	long ret;

	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	ret = vdev->ops->caps(vdev, &caps);
	evfio_device_unlock(vdev);
	memset((void *)info + fixed, 0, sizeof(*info) - fixed);
	if (caps.size) {
		info->flags |= VFIO_DEVICE_FLAGS_CAPS;
		if (info->argsz < sizeof(*info) + caps.size) {
			info->argsz = sizeof(*info) + caps.size;
		} else {
			info->cap_offset = sizeof(*info);
			ret = ret ?: evfio_caps_copy(&caps, (void __user *)arg, sizeof(*info));
		}
	}
	kfree(caps.buf);
	return ret ?: evfio_tail_put(arg, fixed, (void *)info + fixed, 1, more);
}

static long device_get_info(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;

	args->device.flags = vdev->flags;
	args->device.num_regions = vdev->num_regions;
	args->device.num_irqs = READ_ONCE(vdev->num_irqs);
	return vdev->ops->caps ? device_get_caps(vdev, &args->device, arg) : 0;
}

static long device_get_region_info(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;
	struct vfio_region_info *info = &args->region;
	struct vfio_info_cap_header cap = { .version = 1 };
	struct evfio_region *region;

	if (info->index >= vdev->num_regions)
		return -EINVAL;
	region = &vdev->regions[array_index_nospec(info->index, vdev->num_regions)];
	if (region->hidden)
		return -EINVAL;
	info->offset = (u64)info->index << EVFIO_REGION_SHIFT;
	info->size = region->size;
	info->flags = region->flags;
	/* Where a page's number has 32 bits, mmap() does not get as far as that. */
	if (info->offset >> PAGE_SHIFT > ULONG_MAX)
		info->flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
	if (!region->cap)
		return 0;
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info->cap_offset = 0;
	if (info->argsz < sizeof(*info) + sizeof(cap)) {
		info->argsz = sizeof(*info) + sizeof(cap);
		return 0;
	}
	info->cap_offset = sizeof(*info);
	cap.id = region->cap;
	return evfio_tail_put(arg, sizeof(*info), &cap, 1, sizeof(cap));
}

static long device_get_irq_info(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;
	struct vfio_irq_info *info = &args->irq;
	struct evfio_irq *irq = evfio_irq_find(vdev, info->index);

	if (!irq || irq->hidden)
		return -EINVAL;
	info->flags = irq->flags;
	info->count = irq->count;
	return 0;
}

static long device_set_irqs(void *obj, union evfio_args *args, unsigned long arg)
{
	return evfio_irq_set(obj, &args->irq_set,
			     (void __user *)arg + offsetof(struct vfio_irq_set, data));
}

static long device_region_wc(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device_region_wc *wc = &args->region_wc;
	struct evfio_device *vdev = obj;
	struct evfio_region *region;

	if (wc->flags || wc->pad || wc->index >= vdev->num_regions)
		return -EINVAL;
	region = &vdev->regions[array_index_nospec(wc->index, vdev->num_regions)];
	if (!region->prefetch || !(region->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -EINVAL;
	wc->offset = (u64)(vdev->num_regions + wc->index) << EVFIO_REGION_SHIFT;
	return 0;
}

static long device_reset(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_device *vdev = obj;
	long ret;

	if (!(vdev->flags & VFIO_DEVICE_FLAGS_RESET))
		return -EINVAL;
	/* Registers may not answer during reset: nobody reads them, and mappings fault again. */
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	evfio_regions_zap(vdev);
	ret = vdev->ops->reset(vdev);
	evfio_device_unlock(vdev);
	return ret;
}

static long feature_do(struct evfio_device *vdev, const struct evfio_feature *feature, u32 way,
		       void __user *user)
{
	u64 data[8];
	long ret;

	if (way == VFIO_DEVICE_FEATURE_SET && copy_from_user(data, user, feature->size))
		return -EFAULT;
	ret = evfio_device_lock(vdev);
	if (ret)
		return ret;
	ret = feature->handler(vdev, way, data);
	evfio_device_unlock(vdev);
	if (!ret && way == VFIO_DEVICE_FEATURE_GET && copy_to_user(user, data, feature->size))
		return -EFAULT;
	return ret;
}

static long device_feature(void *obj, union evfio_args *args, unsigned long arg)
{
	const u32 ways = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
	const u32 flags = args->feature.flags;
	const size_t fixed = offsetofend(struct vfio_device_feature, flags);
	const struct evfio_bus_ops *ops = ((struct evfio_device *)obj)->ops;
	size_t i;

	if (flags & ~(VFIO_DEVICE_FEATURE_MASK | ways | VFIO_DEVICE_FEATURE_PROBE))
		return -EINVAL;
	if (!(flags & VFIO_DEVICE_FEATURE_PROBE) && (flags & ways) == ways)
		return -EINVAL;
	for (i = 0; i < ops->num_features; i++)
		if (ops->features[i].id == (flags & VFIO_DEVICE_FEATURE_MASK))
			break;
	if (i == ops->num_features || (ops->features[i].has && !ops->features[i].has(obj)))
		return -ENOTTY;
	if (flags & ways & ~ops->features[i].ways)
		return -EINVAL;
	if (flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (!(flags & ways) || args->feature.argsz - fixed < ops->features[i].size)
		return -EINVAL;
	return feature_do(obj, &ops->features[i], flags & ways, (void __user *)arg + fixed);
}

static const struct evfio_ioctl device_ioctls[] = {
	{ VFIO_DEVICE_SET_IRQS, offsetofend(struct vfio_irq_set, count),
	  EVFIO_ARGSZ, device_set_irqs },
	{ VFIO_DEVICE_GET_INFO, offsetofend(struct vfio_device_info, num_irqs),
	  EVFIO_ARGSZ | EVFIO_OUT, device_get_info },
	{ VFIO_DEVICE_GET_REGION_INFO, offsetofend(struct vfio_region_info, offset),
	  EVFIO_ARGSZ | EVFIO_OUT, device_get_region_info },
	{ VFIO_DEVICE_GET_IRQ_INFO, offsetofend(struct vfio_irq_info, count),
	  EVFIO_ARGSZ | EVFIO_OUT, device_get_irq_info },
	{ EVFIO_DEVICE_REGION_WC, sizeof(struct evfio_device_region_wc),
	  EVFIO_ARGSZ | EVFIO_OUT, device_region_wc },
#ifdef CONFIG_EVFIO_NOIOMMU
	{ EVFIO_DEVICE_PIN, sizeof(struct evfio_device_pin),
	  EVFIO_ARGSZ | EVFIO_MADE(struct evfio_device_pin, id), evfio_noiommu_pin },
	{ EVFIO_DEVICE_UNPIN, sizeof(struct evfio_device_unpin),
	  EVFIO_ARGSZ, evfio_noiommu_unpin },
	{ EVFIO_DEVICE_SYNC, sizeof(struct evfio_device_sync),
	  EVFIO_ARGSZ, evfio_noiommu_sync },
	{ EVFIO_DEVICE_CONTIG, sizeof(struct evfio_device_contig),
	  EVFIO_ARGSZ | EVFIO_MADE(struct evfio_device_contig, id), evfio_contig_new },
	{ EVFIO_DEVICE_CONTIG_FREE, sizeof(struct evfio_device_contig_id),
	  EVFIO_ARGSZ, evfio_contig_free },
	{ EVFIO_DEVICE_CONTIG_EXPORT, sizeof(struct evfio_device_contig_id),
	  EVFIO_ARGSZ, evfio_contig_export },
#endif
	{ VFIO_DEVICE_RESET, 0, 0, device_reset },
	{ VFIO_DEVICE_FEATURE, offsetofend(struct vfio_device_feature, flags),
	  EVFIO_ARGSZ, device_feature },
};

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct evfio_device *vdev = file->private_data;
	long ret;

	if (READ_ONCE(vdev->revoked))
		return -ENODEV;
	ret = evfio_device_wake(vdev);
	if (ret)
		return ret;
	ret = evfio_ioctl(device_ioctls, ARRAY_SIZE(device_ioctls), vdev, cmd, arg, -ENOIOCTLCMD);
	if (ret == -ENOIOCTLCMD)
		ret = evfio_ioctl(vdev->ops->ioctls, vdev->ops->num_ioctls, vdev, cmd, arg,
				  -ENOTTY);
	evfio_device_rest(vdev);
	return ret;
}

static ssize_t device_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	return evfio_region_rw(file->private_data, buf, count, pos, false);
}

static ssize_t device_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	return evfio_region_rw(file->private_data, (char __user *)buf, count, pos, true);
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	return evfio_region_mmap(file->private_data, vma);
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct evfio_device *vdev = file->private_data;
	__poll_t events = DEFAULT_POLLMASK;	/* as of a file without poll() */

	poll_wait(file, &vdev->wait, wait);
	if (READ_ONCE(vdev->leaving))
		events |= EPOLLPRI;
	if (READ_ONCE(vdev->revoked))
		events |= EPOLLERR | EPOLLHUP;
	return events;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct evfio_device *vdev = file->private_data;
	const struct evfio_bus_ops *ops = vdev->ops;
	struct evfio_group *group = vdev->group;
	struct file *group_file = group->file;

	mutex_lock(&group->lock);
	if (!vdev->revoked) {
		group->open_fds--;
		if (!--vdev->open_count)
			device_close(vdev);
	}
	mutex_unlock(&group->lock);
	wake_up_all(&vdev->wait);
	evfio_device_put(vdev);
	module_put(ops->owner);
	fput(group_file);
	return 0;
}

static void device_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct evfio_device *vdev = file->private_data;
	char *path = kobject_get_path(&vdev->dev->kobj, GFP_KERNEL);

	if (path)
		seq_printf(m, "vfio-device-syspath:\t/sys%s\n", path);
	kfree(path);
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.release	= device_release,
	.unlocked_ioctl	= device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.read		= device_read,
	.write		= device_write,
	.mmap		= device_mmap,
	.poll		= device_poll,
	.show_fdinfo	= device_show_fdinfo,
	evfio_far_fops
};

/**
 * evfio_device_fd() - one more fd for a device, which opens it if it is the first
 * @vdev: the device; its group's lock is held, and a file of the group is open
 *
 * The fd keeps the group's file. It borrows that file's address_space too, so that what is mapped
 * through it can be found again and zapped without an inode of its own.
 *
 * Return: the fd, or a negative errno.
 */
int evfio_device_fd(struct evfio_device *vdev)
{
	struct evfio_group *group = vdev->group;
	struct file *file;
	int fd, ret;

	lockdep_assert_held(&group->lock);
	if (!try_module_get(vdev->ops->owner))
		return -ENODEV;
	if (!vdev->open_count) {
		ret = device_open(vdev);
		if (ret)
			goto put_module;
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	ret = fd;
	if (fd < 0)
		goto close;
	file = anon_inode_getfile("[vfio-device]", &device_fops, vdev, O_RDWR);
	ret = PTR_ERR_OR_ZERO(file);
	if (ret)
		goto put_fd;

	file->f_mode |= FMODE_PREAD | FMODE_PWRITE | evfio_far_fmode;
	vdev->mapping = group->file->f_mapping;
	file->f_mapping = vdev->mapping;
	get_file(group->file);
	kref_get(&vdev->kref);
	vdev->open_count++;
	group->open_fds++;
	fd_install(fd, file);
	return fd;

put_fd:
	put_unused_fd(fd);
close:
	if (!vdev->open_count)
		device_close(vdev);
put_module:
	module_put(vdev->ops->owner);
	return ret;
}
