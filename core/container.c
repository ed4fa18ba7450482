// SPDX-License-Identifier: GPL-2.0-only
/*
 * Container: an address space for DMA, and the groups whose devices use it.
 *
 * It is an open file of /dev/vfio/vfio; the file and each attached group hold a reference.
 * VFIO_SET_IOMMU gives it an IOMMU, that is, an instance of a backend, which the last group takes
 * along when it leaves. The instance is counted too: a map or unmap in progress keeps it (for as
 * long as the user's memory takes to come), without keeping any lock, so that groups can come and
 * go meanwhile.
 *
 * evfio_container::lock protects the list of groups and the iommu pointer, which is read under RCU
 * too. backends_lock protects the list of backends and is taken inside it.
 */
#define pr_fmt(fmt) "vfio: " fmt

#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/evfio.h>

#include "core.h"
#include "pin.h"

/* The longest bitmap of dirty pages, in bytes: the kernel's, which counts bits in an int. */
#define BITMAP_MAX	BIT(28)

/* What memory can be mapped for. */
#define MAP_FLAGS	((u32)(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))

struct evfio_iommu {
	struct kref			kref;
	struct rcu_head			rcu;
	const struct evfio_iommu_ops	*ops;
	void				*data;
};

struct evfio_container {
	struct kref		kref;
	struct mutex		lock;	/* groups, iommu */
	struct list_head	groups;
	struct evfio_iommu __rcu	*iommu;
};

static DEFINE_MUTEX(backends_lock);
static LIST_HEAD(backends);

/**
 * evfio_iommu_register() - offer a mapping backend to containers
 * @ops: the backend; stays the caller's, until evfio_iommu_unregister()
 */
void evfio_iommu_register(struct evfio_iommu_ops *ops)
{
	mutex_lock(&backends_lock);
	list_add_tail(&ops->node, &backends);
	mutex_unlock(&backends_lock);
}
EXPORT_SYMBOL_GPL(evfio_iommu_register);

/**
 * evfio_iommu_unregister() - take a backend back
 * @ops: as registered; no container uses it, since each use holds its module
 */
void evfio_iommu_unregister(struct evfio_iommu_ops *ops)
{
	mutex_lock(&backends_lock);
	list_del(&ops->node);
	mutex_unlock(&backends_lock);
}
EXPORT_SYMBOL_GPL(evfio_iommu_unregister);

static void iommu_free(struct kref *kref)
{
	struct evfio_iommu *iommu = container_of(kref, struct evfio_iommu, kref);

	iommu->ops->release(iommu->data);
	module_put(iommu->ops->owner);
	kfree_rcu(iommu, rcu);
}

static void iommu_put(struct evfio_iommu *iommu)
{
	kref_put(&iommu->kref, iommu_free);
}

/* The IOMMU of a container whose lock is held. */
static struct evfio_iommu *container_iommu(struct evfio_container *container)
{
	return rcu_dereference_protected(container->iommu, lockdep_is_held(&container->lock));
}

/* The container's IOMMU with a reference, NULL if it has none. */
static struct evfio_iommu *iommu_get(struct evfio_container *container)
{
	struct evfio_iommu *iommu;

	rcu_read_lock();
	iommu = rcu_dereference(container->iommu);
	if (iommu && !kref_get_unless_zero(&iommu->kref))
		iommu = NULL;
	rcu_read_unlock();
	return iommu;
}

static void container_free(struct kref *kref)
{
	kfree(container_of(kref, struct evfio_container, kref));
}

void evfio_container_put(struct evfio_container *container)
{
	kref_put(&container->kref, container_free);
}

bool evfio_container_has_iommu(struct evfio_container *container)
{
	return rcu_access_pointer(container->iommu);
}

/* Whether its IOMMU lets no DMA past the caches. Its group's lock is held, so the IOMMU stays. */
bool evfio_container_coherent(struct evfio_container *container)
{
	struct evfio_iommu *iommu = rcu_dereference_raw(container->iommu);

	return !iommu || iommu->ops->check(iommu->data, VFIO_DMA_CC_IOMMU) > 0;
}

/*
 * Whether what has to do with no-IOMMU mode, or has not, be it a group or a backend, may meet the
 * groups that are in the container. Its lock is held.
 */
static bool container_suits(struct evfio_container *container, bool noiommu)
{
	struct evfio_group *group = list_first_entry_or_null(&container->groups, struct evfio_group,
							     container_node);

	return !group || evfio_noiommu(group->iommu_group) == noiommu;
}

/**
 * evfio_container_attach() - let a group into a container
 * @container: the container; the group keeps a reference
 * @group: not attached anywhere, its lock held
 *
 * Return: 0; -EPERM if a host driver holds a device that must be owned together with the group, or
 * if one of container and group has an IOMMU and the other has none; -EBUSY if another container
 * owns such a device; or what the backend says.
 */
int evfio_container_attach(struct evfio_container *container, struct evfio_group *group)
{
	struct evfio_iommu *iommu;
	int ret;

	lockdep_assert_held(&group->lock);
	mutex_lock(&container->lock);
	ret = -EPERM;
	if (container_suits(container, evfio_noiommu(group->iommu_group)))
		ret = evfio_set_claim(group->set, container);
	if (ret)
		goto unlock;
	iommu = container_iommu(container);
	if (iommu) {
		ret = iommu->ops->attach(iommu->data, group->iommu_group);
		if (ret) {
			evfio_set_release(group->set);
			goto unlock;
		}
	}
	list_add_tail(&group->container_node, &container->groups);
	kref_get(&container->kref);
	group->container = container;
unlock:
	mutex_unlock(&container->lock);
	return ret;
}

/**
 * evfio_container_detach() - put a group out of its container
 * @container: what it is attached to; the group's reference is dropped
 * @group: its lock held, its devices closed
 */
void evfio_container_detach(struct evfio_container *container, struct evfio_group *group)
{
	struct evfio_iommu *iommu;
	bool last;

	lockdep_assert_held(&group->lock);
	mutex_lock(&container->lock);
	iommu = container_iommu(container);
	if (iommu)
		iommu->ops->detach(iommu->data, group->iommu_group);
	list_del(&group->container_node);
	group->container = NULL;
	evfio_set_release(group->set);
	last = iommu && list_empty(&container->groups);
	if (last)
		RCU_INIT_POINTER(container->iommu, NULL);
	mutex_unlock(&container->lock);
	if (last)
		iommu_put(iommu);
	evfio_container_put(container);
}

static long container_get_api_version(void *obj, union evfio_args *args, unsigned long arg)
{
	return VFIO_API_VERSION;
}

static long container_check_extension(void *obj, union evfio_args *args, unsigned long extension)
{
	struct evfio_container *container = obj;
	const struct evfio_iommu_ops *ops;
	struct evfio_iommu *iommu;
	long ret = 0;

	if (extension == EVFIO_EXT_DEVICE_MSI || extension == EVFIO_EXT_REGION_WC)
		return 1;
	mutex_lock(&container->lock);
	iommu = container_iommu(container);
	if (iommu) {
		ret = iommu->ops->check(iommu->data, extension);
		goto unlock;
	}
	mutex_lock(&backends_lock);
	list_for_each_entry(ops, &backends, node) {
		if (container_suits(container, evfio_is_noiommu(ops)))
			ret = ops->check(NULL, extension);
		if (ret > 0)
			break;
	}
	mutex_unlock(&backends_lock);
unlock:
	mutex_unlock(&container->lock);
	return ret;
}

/* Make an instance of a backend and attach all groups of the container to it. */
static struct evfio_iommu *container_try(struct evfio_container *container,
					 const struct evfio_iommu_ops *ops, unsigned long type)
{
	struct evfio_iommu *iommu;
	struct evfio_group *group;
	int ret = -ENODEV;

	if (!try_module_get(ops->owner))
		return ERR_PTR(ret);
	ret = -ENOMEM;
	iommu = kzalloc(sizeof(*iommu), GFP_KERNEL_ACCOUNT);
	if (!iommu)
		goto put_module;
	kref_init(&iommu->kref);
	iommu->ops = ops;
	iommu->data = ops->open(type);
	ret = PTR_ERR_OR_ZERO(iommu->data);
	if (ret)
		goto free;
	list_for_each_entry(group, &container->groups, container_node) {
		ret = ops->attach(iommu->data, group->iommu_group);
		if (ret)
			goto detach;
	}
	return iommu;

detach:
	list_for_each_entry_continue_reverse(group, &container->groups, container_node)
		ops->detach(iommu->data, group->iommu_group);
	ops->release(iommu->data);
free:
	kfree(iommu);
put_module:
	module_put(ops->owner);
	return ERR_PTR(ret);
}

static long container_set_iommu(void *obj, union evfio_args *args, unsigned long type)
{
	struct evfio_container *container = obj;
	const struct evfio_iommu_ops *ops;
	struct evfio_iommu *iommu;
	long ret = -ENODEV;

	mutex_lock(&container->lock);
	if (list_empty(&container->groups) || container_iommu(container)) {
		ret = -EINVAL;
		goto unlock;
	}
	mutex_lock(&backends_lock);
	list_for_each_entry(ops, &backends, node) {
		if (!container_suits(container, evfio_is_noiommu(ops)) ||
		    ops->check(NULL, type) <= 0)
			continue;
		iommu = container_try(container, ops, type);
		ret = PTR_ERR_OR_ZERO(iommu);
		if (!ret) {
			rcu_assign_pointer(container->iommu, iommu);
			break;
		}
	}
	mutex_unlock(&backends_lock);
unlock:
	mutex_unlock(&container->lock);
	return ret;
}

static long iommu_get_info(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_iommu *iommu = obj;
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_iommu_type1_info_cap_migration *migration;
	struct vfio_iommu_type1_info_dma_avail *avail;
	struct vfio_iommu_type1_info user = { .argsz = args->argsz };
	struct evfio_iommu_info info = { };
	struct evfio_caps caps = { };
	void __user *to = (void __user *)arg;
	long ret;

	ret = iommu->ops->info(iommu->data, &info);
	if (ret)
		return ret;
	ret = -ENOMEM;
	migration = evfio_caps_add(&caps, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, 1,
				   sizeof(*migration));
	if (!migration)
		goto free;
	migration->pgsize_bitmap = info.pgsizes & -info.pgsizes;
	migration->max_dirty_bitmap_size = BITMAP_MAX;
	avail = evfio_caps_add(&caps, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, sizeof(*avail));
	if (!avail)
		goto free;
	avail->avail = info.avail;
	cap = evfio_caps_add(&caps, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1,
			     struct_size(cap, iova_ranges, info.nr_ranges));
	if (!cap)
		goto free;
	cap->nr_iovas = info.nr_ranges;
	memcpy(cap->iova_ranges, info.ranges, flex_array_size(cap, iova_ranges, info.nr_ranges));

	user.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	user.iova_pgsizes = info.pgsizes;
	ret = 0;
	if (user.argsz < sizeof(user) + caps.size) {
		user.argsz = sizeof(user) + caps.size;
	} else {
		user.cap_offset = sizeof(user);
		ret = evfio_caps_copy(&caps, to, sizeof(user));
	}
	if (!ret && copy_to_user(to, &user, min_t(size_t, args->argsz, sizeof(user))))
		ret = -EFAULT;
free:
	kfree(caps.buf);
	kfree(info.ranges);
	return ret;
}

static long iommu_map_dma(void *obj, union evfio_args *args, unsigned long arg)
{
	const struct vfio_iommu_type1_dma_map *map = &args->map;
	const struct evfio_iommu_range range = { map->iova, map->vaddr, map->size };
	struct evfio_iommu *iommu = obj;

	if (!map->flags || map->flags & ~MAP_FLAGS)
		return map->flags == VFIO_DMA_MAP_FLAG_VADDR ?
		       iommu->ops->vaddr(iommu->data, &range, 1, true, &args->map.size) : -EINVAL;
	return iommu->ops->map(iommu->data, &range, 1, map->flags);
}

/*
 * Set the bits [@bit, @end) of a user's bitmap, a word at a time. The user has cleared it; if not,
 * a word of which the first bit is to be set loses what was there.
 */
static int bitmap_set_user(u64 __user *bitmap, u64 bit, u64 end)
{
	u64 __user *to = bitmap + bit / 64;
	u64 word, old;

	for (; bit < end; bit = (bit | 63) + 1, to++) {
		word = ~0ULL << bit % 64;
		if (end <= (bit | 63))
			word &= BIT_ULL(end % 64) - 1;
		if (bit % 64) {
			if (get_user(old, to))
				return -EFAULT;
			word |= old;
		}
		if (put_user(word, to))
			return -EFAULT;
		if (time_for_others(bit / 64))
			cond_resched();
	}
	return 0;
}

/*
 * Show the user which pages of a range may be dirty, as an argument of @argsz bytes asks: run by
 * run, since no lock is held while a word is stored.
 */
static long iommu_show_dirty(struct evfio_iommu *iommu, u32 argsz, unsigned long arg)
{
	const size_t fixed = sizeof(struct vfio_iommu_type1_dirty_bitmap);
	struct vfio_iommu_type1_dirty_bitmap_get get;
	struct evfio_iommu_dirty dirty;
	unsigned int shift;
	u64 bit;
	int ret;

	if (argsz < fixed + sizeof(get))
		return -EINVAL;
	if (copy_from_user(&get, (void __user *)arg + fixed, sizeof(get)))
		return -EFAULT;
	shift = get.bitmap.pgsize ? __ffs64(get.bitmap.pgsize) : 0;
	if (get.bitmap.size > BITMAP_MAX ||
	    ((get.size >> shift) - 1) / 64 >= get.bitmap.size / 8 ||
	    !access_ok(get.bitmap.data, get.bitmap.size))
		return -EINVAL;
	dirty = (struct evfio_iommu_dirty){ get.iova, get.size, get.bitmap.pgsize, get.iova };
	do {
		ret = iommu->ops->dirty(iommu->data, &dirty);
		if (ret || !dirty.bytes)
			return ret;
		bit = (dirty.found - get.iova) >> shift;
		ret = bitmap_set_user(get.bitmap.data, bit, bit + (dirty.bytes >> shift));
		dirty.from = dirty.found + dirty.bytes;
		cond_resched();
	} while (!ret && dirty.from != get.iova + get.size);
	return ret;
}

static long iommu_dirty_pages(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_iommu *iommu = obj;
	long ret = iommu->ops->track(iommu->data, args->dirty.flags);

	if (ret || args->dirty.flags != VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP)
		return ret;
	return iommu_show_dirty(iommu, args->argsz, arg);
}

/*
 * Where and how UNMAP_DMA is to show dirty pages stands where it does for DIRTY_PAGES. It is read
 * once more for that: who changes it meanwhile has a bitmap of something else.
 */
static_assert(offsetof(struct vfio_iommu_type1_dma_unmap, iova) ==
	      sizeof(struct vfio_iommu_type1_dirty_bitmap) +
	      offsetof(struct vfio_iommu_type1_dirty_bitmap_get, iova));
static_assert(offsetof(struct vfio_iommu_type1_dma_unmap, data) ==
	      sizeof(struct vfio_iommu_type1_dirty_bitmap) +
	      offsetof(struct vfio_iommu_type1_dirty_bitmap_get, bitmap));

static long iommu_unmap_dma(void *obj, union evfio_args *args, unsigned long arg)
{
	struct vfio_iommu_type1_dma_unmap *unmap = &args->unmap;
	const struct evfio_iommu_range range = { .iova = unmap->iova, .size = unmap->size };
	const u32 more = unmap->flags & ~VFIO_DMA_UNMAP_FLAG_ALL;
	bool all = unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL;
	struct evfio_iommu *iommu = obj;
	long ret;

	if (all && (unmap->iova || unmap->size))
		return -EINVAL;
	if (more) {
		if (more == VFIO_DMA_UNMAP_FLAG_VADDR)
			return iommu->ops->vaddr(iommu->data, &range, all ? 0 : 1, false,
						 &unmap->size);
		if (more != VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP || all)
			return -EINVAL;
		/* All that is mapped is dirty: it can as well be told before. */
		ret = iommu_show_dirty(iommu, unmap->argsz, arg);
		if (ret)
			return ret;
	}
	return iommu->ops->unmap(iommu->data, &range, all ? 0 : 1, &unmap->size);
}

static bool ranges_in_order(const struct evfio_iommu_range *ranges, u32 nr)
{
	u32 i;

	for (i = 1; i < nr; i++)
		if (ranges[i].iova < ranges[i - 1].iova ||
		    ranges[i].iova - ranges[i - 1].iova < ranges[i - 1].size)
			return false;
	return true;
}

/* Whether none of some ranges overlaps one of others; each of the two lists is in order. */
static bool ranges_apart(const struct evfio_iommu_range *a, u32 nr_a,
			 const struct evfio_iommu_range *b, u32 nr_b)
{
	while (nr_a && nr_b) {
		if (a->iova < b->iova ? b->iova - a->iova < a->size : a->iova - b->iova < b->size)
			return false;
		if (a->iova < b->iova) {
			a++;
			nr_a--;
		} else {
			b++;
			nr_b--;
		}
	}
	return true;
}

/*
 * The ranges behind the @fixed part of an argument, ascending and apart, the first @some of @nr and
 * the others each for themselves; or an ERR_PTR.
 */
static struct evfio_iommu_range *ranges_get(unsigned long arg, u32 argsz, size_t fixed, u32 some,
					    u32 nr)
{
	struct evfio_iommu_range *ranges;

	if (some > nr || nr > EVFIO_IOMMU_RANGES_MAX || nr > (argsz - fixed) / sizeof(*ranges))
		return ERR_PTR(-EINVAL);
	ranges = evfio_tail_get(arg, fixed, nr, sizeof(*ranges));
	if (IS_ERR(ranges))
		return ranges;
	if (ranges_in_order(ranges, some) && ranges_in_order(ranges + some, nr - some))
		return ranges;
	kfree(ranges);
	return ERR_PTR(-EINVAL);
}

static long iommu_map_ranges(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_iommu_ranges *user = &args->ranges;
	struct evfio_iommu_range *ranges;
	struct evfio_iommu *iommu = obj;
	long ret;

	if (!user->flags || user->flags & ~MAP_FLAGS || !user->nr || user->pad)
		return -EINVAL;
	ranges = ranges_get(arg, user->argsz, sizeof(*user), 0, user->nr);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	ret = iommu->ops->map(iommu->data, ranges, user->nr, user->flags);
	kfree(ranges);
	return ret;
}

static long iommu_unmap_ranges(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_iommu_ranges *user = &args->ranges;
	struct evfio_iommu_range *ranges;
	struct evfio_iommu *iommu = obj;
	long ret;

	if (user->flags || !user->nr || user->pad)
		return -EINVAL;
	ranges = ranges_get(arg, user->argsz, sizeof(*user), 0, user->nr);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	ret = iommu->ops->unmap(iommu->data, ranges, user->nr, &user->size);
	kfree(ranges);
	return ret;
}

static long iommu_register(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_iommu_register *user = &args->reg;
	struct evfio_iommu *iommu = obj;

	if (!user->flags || user->flags & ~MAP_FLAGS || user->pad)
		return -EINVAL;
	return iommu->ops->buffer_add(iommu->data, user, &user->id);
}

static long iommu_unregister(void *obj, union evfio_args *args, unsigned long arg)
{
	struct evfio_iommu *iommu = obj;

	if (args->unreg.flags)
		return -EINVAL;
	return iommu->ops->buffer_remove(iommu->data, args->unreg.id);
}

static long iommu_move(void *obj, union evfio_args *args, unsigned long arg)
{
	const struct evfio_iommu_move *user = &args->move;
	struct evfio_iommu_range *ranges;
	struct evfio_iommu *iommu = obj;
	u32 nr;
	long ret;

	if (user->flags & ~(u32)EVFIO_IOMMU_MOVE_LAZY || user->pad ||
	    check_add_overflow(user->nr_unmap, user->nr_map, &nr))
		return -EINVAL;
	ranges = ranges_get(arg, user->argsz, sizeof(*user), user->nr_unmap, nr);
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	ret = -EEXIST;
	if (ranges_apart(ranges, user->nr_unmap, ranges + user->nr_unmap, user->nr_map))
		ret = iommu->ops->move(iommu->data, user, ranges);
	kfree(ranges);
	return ret;
}

static const struct evfio_ioctl iommu_ioctls[] = {
	{ VFIO_IOMMU_MAP_DMA, offsetofend(struct vfio_iommu_type1_dma_map, size),
	  EVFIO_ARGSZ, iommu_map_dma },
	{ VFIO_IOMMU_UNMAP_DMA, offsetofend(struct vfio_iommu_type1_dma_unmap, size),
	  EVFIO_ARGSZ | EVFIO_OUT, iommu_unmap_dma },
	{ VFIO_IOMMU_GET_INFO, offsetofend(struct vfio_iommu_type1_info, iova_pgsizes),
	  EVFIO_ARGSZ, iommu_get_info },
	{ VFIO_IOMMU_DIRTY_PAGES, sizeof(struct vfio_iommu_type1_dirty_bitmap),
	  EVFIO_ARGSZ, iommu_dirty_pages },
	{ EVFIO_IOMMU_MAP, sizeof(struct evfio_iommu_ranges), EVFIO_ARGSZ, iommu_map_ranges },
	{ EVFIO_IOMMU_UNMAP, sizeof(struct evfio_iommu_ranges),
	  EVFIO_ARGSZ | EVFIO_OUT, iommu_unmap_ranges },
	{ EVFIO_IOMMU_REGISTER, sizeof(struct evfio_iommu_register),
	  EVFIO_ARGSZ | EVFIO_MADE(struct evfio_iommu_register, id), iommu_register },
	{ EVFIO_IOMMU_UNREGISTER, sizeof(struct evfio_iommu_unregister),
	  EVFIO_ARGSZ, iommu_unregister },
	{ EVFIO_IOMMU_MOVE, sizeof(struct evfio_iommu_move), EVFIO_ARGSZ, iommu_move },
};

static const struct evfio_ioctl container_ioctls[] = {
	{ VFIO_GET_API_VERSION, 0, 0, container_get_api_version },
	{ VFIO_CHECK_EXTENSION, 0, 0, container_check_extension },
	{ VFIO_SET_IOMMU, 0, 0, container_set_iommu },
};

/* What its IOMMU does not know is the container's; without one it is EINVAL, not ENOTTY. */
static long container_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct evfio_container *container = file->private_data;
	struct evfio_iommu *iommu = iommu_get(container);
	long ret = -ENOIOCTLCMD;

	if (iommu) {
		if (!evfio_is_noiommu(iommu->ops))
			ret = evfio_ioctl(iommu_ioctls, ARRAY_SIZE(iommu_ioctls), iommu, cmd, arg,
					  ret);
		iommu_put(iommu);
	}
	return ret != -ENOIOCTLCMD ? ret :
	       evfio_ioctl(container_ioctls, ARRAY_SIZE(container_ioctls), container, cmd, arg,
			   iommu ? -ENOTTY : -EINVAL);
}

static int container_open(struct inode *inode, struct file *file)
{
	struct evfio_container *container = kzalloc(sizeof(*container), GFP_KERNEL_ACCOUNT);

	if (!container)
		return -ENOMEM;
	kref_init(&container->kref);
	mutex_init(&container->lock);
	INIT_LIST_HEAD(&container->groups);
	file->private_data = container;
	return 0;
}

static int container_release(struct inode *inode, struct file *file)
{
	evfio_container_put(file->private_data);
	return 0;
}

static void container_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct evfio_container *container = file->private_data;
	struct evfio_iommu *iommu = iommu_get(container);
	struct evfio_iommu_info info = { };
	struct evfio_group *group;

	if (iommu && iommu->ops->info(iommu->data, &info))
		goto put;	/* no memory: no information */
	kfree(info.ranges);

	seq_printf(m, "iommu:\t%s\ngroups:", iommu ? iommu->ops->name(iommu->data) : "none");
	mutex_lock(&container->lock);
	list_for_each_entry(group, &container->groups, container_node)
		seq_printf(m, "%c%s", group->container_node.prev == &container->groups ? '\t' : ' ',
			   dev_name(&group->dev));
	mutex_unlock(&container->lock);
	seq_printf(m, "\nmappings:\t%u\npinned:\t%llu kB\n", info.mappings,
		   info.pinned << (PAGE_SHIFT - 10));
put:
	if (iommu)
		iommu_put(iommu);
}

static const struct file_operations container_fops = {
	.owner		= THIS_MODULE,
	.open		= container_open,
	.release	= container_release,
	.unlocked_ioctl	= container_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= container_show_fdinfo,
};

/**
 * evfio_container_get() - the container behind a file
 * @file: any file
 *
 * Return: the container, whose file the caller holds, or NULL if @file is something else.
 */
struct evfio_container *evfio_container_get(struct file *file)
{
	return file->f_op == &container_fops ? file->private_data : NULL;
}

static struct miscdevice container_dev = {
	.minor		= VFIO_MINOR,
	.name		= "vfio",
	.nodename	= "vfio/vfio",
	.mode		= 0666,
	.fops		= &container_fops,
};

int __init evfio_container_init(void)
{
	return misc_register(&container_dev);
}

void evfio_container_exit(void)
{
	misc_deregister(&container_dev);
}

MODULE_ALIAS_MISCDEV(VFIO_MINOR);
MODULE_ALIAS("devname:vfio/vfio");
