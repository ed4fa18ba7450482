// SPDX-License-Identifier: GPL-2.0-only
/*
 * Group: an IOMMU group, the unit of ownership, and its node /dev/vfio/N, or /dev/vfio/noiommu-N.
 *
 * It comes with the first device of the IOMMU group that is bound to a VFIO driver and goes with
 * the last; its memory is kept by its struct device's reference count, which an open file shares.
 * One open file at a time. Each device fd keeps that file, and by it the attachment to the
 * container, so a group is free again only when all its fds are closed, or when its last device
 * has left it and the group is dead: then the container is left at once, whatever is still open.
 *
 * groups_lock protects the list of groups and makes "the last device leaves" and "a device joins"
 * exclude each other. evfio_group::lock protects the rest; opening and closing devices happens
 * under it.
 */
#define pr_fmt(fmt) "vfio: " fmt

#include <linux/file.h>
#include <linux/idr.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

static DEFINE_MUTEX(groups_lock);
static LIST_HEAD(groups);
static dev_t group_devt;
static DEFINE_IDA(group_minors);

static long group_get_status(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_group *group = obj;
	long ret = 0;

	args->status.flags = 0;
	mutex_lock(&group->lock);
	if (group->dead)
		ret = -ENODEV;
	else if (group->container)
		args->status.flags = VFIO_GROUP_FLAGS_CONTAINER_SET | VFIO_GROUP_FLAGS_VIABLE;
	else if (evfio_set_viable(group->set))
		args->status.flags = VFIO_GROUP_FLAGS_VIABLE;
	mutex_unlock(&group->lock);
	return ret;
}

static long group_set_container(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_container *container;
	struct evfio_group *group = obj;
	struct file *file;
	long ret;

	file = fget(args->fd);
	if (!file)
		return -EBADF;
	container = evfio_container_get(file);

	mutex_lock(&group->lock);
	if (group->dead)
		ret = -ENODEV;
	else if (group->container)
		ret = -EINVAL;
	else if (!container)
		ret = -EBADFD;
	else
		ret = evfio_noiommu_permit(group->iommu_group) ?:
		      evfio_container_attach(container, group);
	mutex_unlock(&group->lock);
	fput(file);
	return ret;
}

static long group_unset_container(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_group *group = obj;
	long ret = 0;

	mutex_lock(&group->lock);
	if (group->dead)
		ret = -ENODEV;
	else if (!group->container)
		ret = -EINVAL;
	else if (group->open_fds)
		ret = -EBUSY;
	else
		evfio_container_detach(group->container, group);
	mutex_unlock(&group->lock);
	return ret;
}

/* Whether @name means the device. If it does, but is wrong, @error says so. */
static bool device_is(struct evfio_device *vdev, const char *name, int *error)
{
	int match;

	if (vdev->leaving)
		return false;
	match = vdev->ops->match ? vdev->ops->match(vdev, name) :
				   !strcmp(dev_name(vdev->dev), name);
	if (match < 0)
		*error = match;
	return match > 0;
}

static struct evfio_device *group_find(struct evfio_group *group, const char *name)
{
	struct evfio_device *vdev;
	int error = -ENODEV;

	list_for_each_entry(vdev, &group->devices, node)
		if (device_is(vdev, name, &error))
			return vdev;
	return ERR_PTR(error);
}

static long group_get_device_fd(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_group *group = obj;
	struct evfio_device *vdev;
	char *name;
	long ret;

	name = strndup_user((const char __user *)arg, PAGE_SIZE);
	if (IS_ERR(name))
		return PTR_ERR(name);
	mutex_lock(&group->lock);
	vdev = group_find(group, name);
	if (IS_ERR(vdev))
		ret = PTR_ERR(vdev);
	else if (!group->container || !evfio_container_has_iommu(group->container))
		ret = -EINVAL;
	else
		ret = evfio_noiommu_permit(group->iommu_group) ?: evfio_device_fd(vdev);
	mutex_unlock(&group->lock);
	kfree(name);
	return ret;
}

static const struct evfio_ioctl group_ioctls[] = {
	{ VFIO_GROUP_GET_STATUS, offsetofend(struct vfio_group_status, flags),
	  EVFIO_ARGSZ | EVFIO_OUT, group_get_status },
	{ VFIO_GROUP_SET_CONTAINER, sizeof(s32), 0, group_set_container },
	{ VFIO_GROUP_UNSET_CONTAINER, 0, 0, group_unset_container },
	{ VFIO_GROUP_GET_DEVICE_FD, 0, 0, group_get_device_fd },
};

static long group_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return evfio_ioctl(group_ioctls, ARRAY_SIZE(group_ioctls), file->private_data, cmd, arg,
			   -ENOTTY);
}

static int group_open(struct inode *inode, struct file *file)
{
	struct evfio_group *group = container_of(inode->i_cdev, struct evfio_group, cdev);
	int ret = 0;

	mutex_lock(&group->lock);
	if (group->dead)
		ret = -ENODEV;
	else if (evfio_noiommu_permit(group->iommu_group))
		ret = -EPERM;
	else if (group->file)
		ret = -EBUSY;
	else
		group->file = file;
	mutex_unlock(&group->lock);
	if (ret)
		return ret;
	get_device(&group->dev);
	file->private_data = group;
	return 0;
}

static int group_release(struct inode *inode, struct file *file)
{
	struct evfio_group *group = file->private_data;

	mutex_lock(&group->lock);
	if (group->container)
		evfio_container_detach(group->container, group);
	group->file = NULL;
	mutex_unlock(&group->lock);
	put_device(&group->dev);
	return 0;
}

static void group_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct evfio_group *group = file->private_data;

	mutex_lock(&group->lock);
	seq_printf(m, "group:\t%s\nviable:\t%s\ncontainer:\t%s\ndevices-open:\t%u\n",
		   dev_name(&group->dev),
		   !group->dead && evfio_set_viable(group->set) ? "yes" : "no",
		   group->container ? "yes" : "no", group->open_fds);
	mutex_unlock(&group->lock);
}

static const struct file_operations group_fops = {
	.owner		= THIS_MODULE,
	.open		= group_open,
	.release	= group_release,
	.unlocked_ioctl	= group_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= group_show_fdinfo,
};

/**
 * evfio_group_files() - the files behind some fds, which must be groups
 * @fds: the fds
 * @n: how many, at least 1
 *
 * Return: the files, for evfio_group_files_put(), or -EBADF, -EINVAL or -ENOMEM.
 */
struct file **evfio_group_files(const s32 *fds, u32 n)
{
	struct file **files = kmalloc_array(n, sizeof(*files), GFP_KERNEL_ACCOUNT);
	int ret;
	u32 i;

	if (!files)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < n; i++) {
		files[i] = fget(fds[i]);
		if (!files[i] || files[i]->f_op != &group_fops) {
			ret = files[i] ? -EINVAL : -EBADF;
			evfio_group_files_put(files, i + !!files[i]);
			return ERR_PTR(ret);
		}
	}
	return files;
}
EXPORT_SYMBOL_GPL(evfio_group_files);

/**
 * evfio_group_files_put() - the counterpart of evfio_group_files()
 * @files: its result
 * @n: how many
 */
void evfio_group_files_put(struct file **files, u32 n)
{
	while (n--)
		fput(files[n]);
	kfree(files);
}
EXPORT_SYMBOL_GPL(evfio_group_files_put);

/**
 * evfio_group_files_own() - whether a device belongs to one of these groups
 * @files: of evfio_group_files()
 * @n: how many
 * @vdev: the device
 */
bool evfio_group_files_own(struct file **files, u32 n, struct evfio_device *vdev)
{
	while (n--)
		if (files[n]->private_data == vdev->group)
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(evfio_group_files_own);

/*
 * What KVM asks of a group's file, by these very names and without linking to us: is it one, may
 * its devices leave caches stale, and here is the virtual machine, which no device of ours needs.
 * A group without an IOMMU is none to KVM: what a guest takes for addresses is not what its device
 * would find there.
 */

static struct evfio_group *file_group(struct file *file)
{
	struct evfio_group *group = file->private_data;

	return file->f_op == &group_fops && !evfio_noiommu(group->iommu_group) ? group : NULL;
}

/**
 * vfio_file_is_valid() - whether a file is a group
 * @file: the file
 */
bool vfio_file_is_valid(struct file *file)
{
	return file_group(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_valid);

/**
 * vfio_file_is_group() - the same, by the name that older kernels know
 * @file: the file
 */
bool vfio_file_is_group(struct file *file)
{
	return file_group(file);
}
EXPORT_SYMBOL_GPL(vfio_file_is_group);

/**
 * vfio_file_enforced_coherent() - whether no DMA of a group can get past the caches
 * @file: the group; true for what is none
 */
bool vfio_file_enforced_coherent(struct file *file)
{
	struct evfio_group *group = file_group(file);
	bool coherent = true;

	if (!group)
		return true;
	mutex_lock(&group->lock);
	if (group->container)
		coherent = evfio_container_coherent(group->container);
	mutex_unlock(&group->lock);
	return coherent;
}
EXPORT_SYMBOL_GPL(vfio_file_enforced_coherent);

/**
 * vfio_file_set_kvm() - a virtual machine begins or ceases to use a group
 * @file: the group
 * @kvm: the machine, or NULL
 */
void vfio_file_set_kvm(struct file *file, struct kvm *kvm)
{
}
EXPORT_SYMBOL_GPL(vfio_file_set_kvm);

#ifdef HAVE_FILE_IOMMU_GROUP
/**
 * vfio_file_iommu_group() - the IOMMU group behind a group's file
 * @file: the group, which keeps it
 *
 * Return: it, or NULL if the file is none or the group has no device any more.
 */
struct iommu_group *vfio_file_iommu_group(struct file *file)
{
	struct evfio_group *group = file_group(file);

	return group && !READ_ONCE(group->dead) ? group->iommu_group : NULL;
}
EXPORT_SYMBOL_GPL(vfio_file_iommu_group);
#endif

static char *group_devnode(evfio_devnode_dev *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "vfio/%s", dev_name(dev));
}

/* The devices that must all be free of host drivers before this group can be used. */
static ssize_t members_show(struct device *dev, struct device_attribute *attr, char *page)
{
	struct evfio_group *group = container_of(dev, struct evfio_group, dev);

	return evfio_set_members(group->set, page);
}
static DEVICE_ATTR_RO(members);

static struct attribute *group_attrs[] = {
	&dev_attr_members.attr,
	NULL
};
ATTRIBUTE_GROUPS(group);

static struct class group_class = {
	.name		= "vfio",
	.devnode	= group_devnode,
	.dev_groups	= group_groups,
};

static void group_free(struct device *dev)
{
	struct evfio_group *group = container_of(dev, struct evfio_group, dev);

	ida_free(&group_minors, MINOR(dev->devt));
	iommu_group_put(group->iommu_group);
	kfree(group);
}

/* Make the group of @dev. The reference to @iommu_group is used up, whatever happens. */
static struct evfio_group *group_create(struct device *dev, struct iommu_group *iommu_group)
{
	struct evfio_group *group;
	struct evfio_set *set;
	int minor, ret;

	set = evfio_set_get(dev, iommu_group);
	if (IS_ERR(set)) {
		ret = PTR_ERR(set);
		goto put_iommu_group;
	}
	minor = ida_alloc_max(&group_minors, MINORMASK, GFP_KERNEL);
	ret = minor;
	if (minor < 0)
		goto put_set;
	ret = -ENOMEM;
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		goto free_minor;

	group->set = set;
	group->iommu_group = iommu_group;
	mutex_init(&group->lock);
	INIT_LIST_HEAD(&group->devices);
	device_initialize(&group->dev);
	group->dev.class = &group_class;
	group->dev.release = group_free;
	group->dev.devt = MKDEV(MAJOR(group_devt), minor);
	cdev_init(&group->cdev, &group_fops);
	group->cdev.owner = THIS_MODULE;
	ret = dev_set_name(&group->dev, evfio_noiommu(iommu_group) ? "noiommu-%d" : "%d",
			   iommu_group_id(iommu_group));
	if (!ret)
		ret = cdev_device_add(&group->cdev, &group->dev);
	if (ret) {
		evfio_set_put(set, iommu_group);
		put_device(&group->dev);
		return ERR_PTR(ret);
	}
	list_add_tail(&group->node, &groups);
	return group;

free_minor:
	ida_free(&group_minors, minor);
put_set:
	evfio_set_put(set, iommu_group);
put_iommu_group:
	iommu_group_put(iommu_group);
	return ERR_PTR(ret);
}

static struct evfio_group *group_of(struct device *dev)
{
	struct iommu_group *iommu_group = iommu_group_get(dev) ?: evfio_noiommu_join(dev);
	struct evfio_group *group;

	lockdep_assert_held(&groups_lock);
	if (!iommu_group) {
		dev_err(dev, "no IOMMU group: the device tree has no iommus property for it, or the IOMMU has no driver\n");
		return ERR_PTR(-EINVAL);
	}
	list_for_each_entry(group, &groups, node)
		if (group->iommu_group == iommu_group) {
			iommu_group_put(iommu_group);
			return group;
		}
	group = group_create(dev, iommu_group);
	if (IS_ERR(group))
		evfio_noiommu_leave(dev, iommu_group);
	return group;
}

/**
 * evfio_group_add() - put a device into its group, making the group if it is the first
 * @vdev: the device, not yet visible to anyone
 */
int evfio_group_add(struct evfio_device *vdev)
{
	struct evfio_group *group;

	mutex_lock(&groups_lock);
	group = group_of(vdev->dev);
	if (IS_ERR(group)) {
		mutex_unlock(&groups_lock);
		return PTR_ERR(group);
	}
	mutex_lock(&group->lock);
	vdev->group = group;
	list_add_tail(&vdev->node, &group->devices);
	mutex_unlock(&group->lock);
	mutex_unlock(&groups_lock);
	return 0;
}

/**
 * evfio_group_remove() - take a device out of its group; the last one out takes the group along
 * @vdev: the device, closed or revoked
 */
void evfio_group_remove(struct evfio_device *vdev)
{
	struct evfio_group *group = vdev->group;
	bool last;

	mutex_lock(&groups_lock);
	mutex_lock(&group->lock);
	list_del(&vdev->node);
	last = list_empty(&group->devices);
	if (last) {
		group->dead = true;
		if (group->container)
			evfio_container_detach(group->container, group);
		list_del(&group->node);
	}
	mutex_unlock(&group->lock);
	if (last) {
		cdev_device_del(&group->cdev, &group->dev);
		evfio_set_put(group->set, group->iommu_group);
	}
	evfio_noiommu_leave(vdev->dev, group->iommu_group);
	mutex_unlock(&groups_lock);
	if (last)
		put_device(&group->dev);
}

int __init evfio_group_init(void)
{
	int ret;

	ret = class_register(&group_class);
	if (ret)
		return ret;
	ret = alloc_chrdev_region(&group_devt, 0, MINORMASK + 1, "vfio");
	if (ret)
		class_unregister(&group_class);
	return ret;
}

void evfio_group_exit(void)
{
	unregister_chrdev_region(group_devt, MINORMASK + 1);
	class_unregister(&group_class);
}
