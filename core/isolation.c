// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets: what must be owned together.
 *
 * Mostly a set is one IOMMU group. A board may coarsen that: each child of a device-tree node
 * "evfio,isolation-groups" names devices that must be owned together though the IOMMU tells them
 * apart. Such a set is read when the core is loaded and lives as long as the core. So may a bus,
 * of devices that it knows to be one (evfio_finder::mates). Such a set, and the set of a single
 * device, is made with the first struct evfio_group of it and lives as long as one of these.
 *
 * Devices come and go. One that comes takes its place in its set before a driver can bind it, and
 * is owned at once if the set is; one that goes leaves it, and an IOMMU group that goes with its
 * last device is given up first.
 *
 * Owning a set is owning the DMA of all its IOMMU groups (iommu_group_claim_dma_owner()), which
 * is what keeps host drivers out from then on. The first group that joins a container claims, the
 * last that leaves releases. A group with a device that may still be doing DMA after its last
 * close is quarantined: it stays claimed, hence blocked, until its last device is unbound, so that
 * not even with a pass-through default domain a process can leave DMA behind that outlives it.
 *
 * A member without an IOMMU does no DMA that could be owned: it counts as free while no driver is
 * bound to it.
 *
 * isolation_lock protects everything here.
 */
#define pr_fmt(fmt) "vfio: " fmt

#include <linux/of.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "core.h"

/*
 * @np, @dev: the device; @np in a device-tree set, where @dev is there while its bus has it. If
 *	neither is set, there is room for one that may come
 * @group: its IOMMU group, NULL if it has none; may outlast @dev if others are in it
 * @claimed, @quarantined: of @group, in the first member that has it
 */
struct member {
	struct device_node	*np;
	struct device		*dev;
	struct iommu_group	*group;
	bool			claimed;
	bool			quarantined;
};

/*
 * @node: on the list of sets
 * @np: a device-tree set's
 * @refs: groups that are in it; one more for a device-tree set
 * @users: groups attached to @container
 */
struct evfio_set {
	struct list_head	node;
	struct device_node	*np;
	struct evfio_container	*container;
	unsigned int		refs;
	unsigned int		users;
	unsigned int		nr;
	struct member		members[];
};

static DEFINE_MUTEX(isolation_lock);
static LIST_HEAD(sets);
static LIST_HEAD(finders);

#define for_each_member(m, set) \
	for ((m) = (set)->members; (m) < (set)->members + (set)->nr; (m)++)

/* The member that keeps the books for @group: the first one in it. */
static struct member *set_find(struct evfio_set *set, struct iommu_group *group)
{
	struct member *m;

	for_each_member(m, set)
		if (m->group == group)
			return m;
	return NULL;
}

static int is_other(struct device *dev, void *data)
{
	return dev != data;
}

/*
 * See to what has changed: a device is going, or has gone while its bus had no backend; a driver
 * has given one its IOMMU group. A group without a device is given up, one that has others keeps
 * its place.
 */
static void set_resolve(struct evfio_set *set, struct device *going)
{
	struct member *m;

	lockdep_assert_held(&isolation_lock);
	for_each_member(m, set) {
		if (m->dev && (m->dev == going || !device_is_registered(m->dev))) {
			put_device(m->dev);
			m->dev = NULL;
			if (m->group && m != set_find(set, m->group)) {
				iommu_group_put(m->group);
				m->group = NULL;
			}
		}
		if (m->group && !iommu_group_for_each_dev(m->group, going, is_other)) {
			if (m->claimed)
				iommu_group_release_dma_owner(m->group);
			m->claimed = false;
			m->quarantined = false;
			iommu_group_put(m->group);
			m->group = NULL;
		}
		if (m->dev && !m->group)
			m->group = iommu_group_get(m->dev);
	}
}

/*
 * Some kernels give a device its IOMMU group only when a driver first probes it. For a member of a
 * set that is too late: a host driver could come between. Do now what its bus would do then. If the
 * device is locked, its bus is about to: it must not be waited for, for it may be waiting for us.
 */
static void member_fill(struct member *m, struct device *dev, const struct evfio_finder *finder)
{
	m->dev = get_device(dev);
	m->group = iommu_group_get(m->dev);
	if (m->group || !device_trylock(m->dev))
		return;
	if (!m->dev->driver)
		finder->configure(m->dev);
	device_unlock(m->dev);
	m->group = iommu_group_get(m->dev);
}

static void set_free(struct evfio_set *set)
{
	struct member *m;

	for_each_member(m, set) {
		iommu_group_put(m->group);
		put_device(m->dev);
		of_node_put(m->np);
	}
	of_node_put(set->np);
	kfree(set);
}

struct mating {
	const struct evfio_finder	*finder;
	struct device			*dev;
	struct evfio_set		*set;
};

static int mate_add(struct device *dev, void *data)
{
	const struct mating *mating = data;
	struct evfio_set *set = mating->set;

	if (set->nr < EVFIO_MATES && mating->finder->mates(mating->dev, dev))
		member_fill(&set->members[set->nr++], dev, mating->finder);
	return 0;
}

/* A set of @dev and of what its bus wants to be owned with it, now or when it comes. */
static struct evfio_set *set_make(struct device *dev)
{
	struct evfio_set *set = kzalloc(struct_size(set, members, EVFIO_MATES), GFP_KERNEL);
	struct mating mating = { .dev = dev, .set = set };
	struct evfio_finder *finder;

	if (!set)
		return ERR_PTR(-ENOMEM);
	list_for_each_entry(finder, &finders, node)
		if (finder->mates && finder->bus == dev->bus) {
			mating.finder = finder;
			bus_for_each_dev(dev->bus, NULL, &mating, mate_add);
		}
	if (set->nr)
		set->nr = EVFIO_MATES;
	else
		member_fill(&set->members[set->nr++], dev, NULL);
	list_add_tail(&set->node, &sets);
	return set;
}

/**
 * evfio_set_get() - the set an IOMMU group belongs to
 * @dev: a device of the group
 * @group: the group
 *
 * Return: a set, for evfio_set_put(), or an ERR_PTR.
 */
struct evfio_set *evfio_set_get(struct device *dev, struct iommu_group *group)
{
	struct evfio_set *set;

	mutex_lock(&isolation_lock);
	list_for_each_entry(set, &sets, node) {
		set_resolve(set, NULL);
		if (set_find(set, group))
			goto get;
	}
	set = set_make(dev);
get:
	if (!IS_ERR(set))
		set->refs++;
	mutex_unlock(&isolation_lock);
	return set;
}

static int complain_device(struct device *dev, void *data)
{
	dev_notice_ratelimited(dev, "bound to %s; VFIO cannot own its IOMMU group\n",
			       dev_driver_string(dev));
	return 0;
}

/* Why a member without an IOMMU group cannot be owned now: -EPERM and a message, or 0. */
static int member_check(struct member *m)
{
	if (m->group || !(m->np || m->dev))
		return 0;
	if (!m->dev)
		pr_notice_ratelimited("%pOF: in an isolation group, but no device yet\n", m->np);
	else if (m->dev->driver)
		complain_device(m->dev, NULL);
	else if (of_property_read_bool(m->np, "iommus"))
		dev_notice_ratelimited(m->dev, "not in an IOMMU group yet: bind it to VFIO once\n");
	else
		return 0;
	return -EPERM;
}

static int member_claim(struct evfio_set *set, struct member *m)
{
	int ret;

	ret = member_check(m);
	if (ret || !m->group || evfio_noiommu(m->group) || m != set_find(set, m->group) ||
	    m->claimed)
		return ret;
	ret = iommu_group_claim_dma_owner(m->group, set);
	if (ret)
		iommu_group_for_each_dev(m->group, NULL, complain_device);
	else
		m->claimed = true;
	return ret;
}

static void set_unclaim(struct evfio_set *set)
{
	struct member *m;

	for_each_member(m, set)
		if (m->claimed && !m->quarantined) {
			iommu_group_release_dma_owner(m->group);
			m->claimed = false;
		}
}

/* A set's place for a device that is not in it yet: its own, or among its mates. */
static struct member *set_place(struct evfio_set *set, const struct evfio_finder *finder,
				struct device *dev)
{
	struct member *m, *place = NULL;
	bool wanted = set->np;

	for_each_member(m, set) {
		if (m->dev == dev)
			return NULL;
		if (m->dev)
			wanted |= finder->mates && m->dev->bus == finder->bus &&
				  finder->mates(dev, m->dev);
		else if (!m->group && (!set->np || m->np == dev->of_node))
			place = m;
	}
	return wanted ? place : NULL;
}

static int finder_add(struct device *dev, void *data)
{
	const struct evfio_finder *finder = data;
	struct evfio_set *set;
	struct member *m;

	list_for_each_entry(set, &sets, node) {
		set_resolve(set, NULL);
		m = set_place(set, finder, dev);
		if (!m)
			continue;
		member_fill(m, dev, finder);
		if (set->users)
			member_claim(set, m);
	}
	return 0;
}

/* After the IOMMU core has looked at the device. */
static int finder_added(struct notifier_block *nb, unsigned long event, void *dev)
{
	if (event == BUS_NOTIFY_ADD_DEVICE) {
		mutex_lock(&isolation_lock);
		finder_add(dev, container_of(nb, struct evfio_finder, added));
		mutex_unlock(&isolation_lock);
	}
	return NOTIFY_DONE;
}

/* After the driver has let go of the device, before the IOMMU core does. */
static int finder_removed(struct notifier_block *nb, unsigned long event, void *dev)
{
	struct evfio_set *set;

	if (event == BUS_NOTIFY_REMOVED_DEVICE) {
		mutex_lock(&isolation_lock);
		list_for_each_entry(set, &sets, node)
			set_resolve(set, dev);
		mutex_unlock(&isolation_lock);
	}
	return NOTIFY_DONE;
}

/**
 * evfio_finder_register() - let isolation groups look for their members on one more bus
 * @finder: stays the caller's, until evfio_finder_unregister()
 *
 * Called when a bus backend is loaded, before it can bind a device.
 */
void evfio_finder_register(struct evfio_finder *finder)
{
	/* Linux 6.1 takes no constant bus. */
	struct bus_type *bus = (struct bus_type *)finder->bus;

	finder->added.notifier_call = finder_added;
	finder->added.priority = -1;
	finder->removed.notifier_call = finder_removed;
	finder->removed.priority = 1;
	bus_register_notifier(bus, &finder->added);
	bus_register_notifier(bus, &finder->removed);
	mutex_lock(&isolation_lock);
	list_add_tail(&finder->node, &finders);
	bus_for_each_dev(bus, NULL, finder, finder_add);
	mutex_unlock(&isolation_lock);
}
EXPORT_SYMBOL_GPL(evfio_finder_register);

/**
 * evfio_finder_unregister() - take a finder back
 * @finder: as registered
 */
void evfio_finder_unregister(struct evfio_finder *finder)
{
	mutex_lock(&isolation_lock);
	list_del(&finder->node);
	mutex_unlock(&isolation_lock);
	bus_unregister_notifier((struct bus_type *)finder->bus, &finder->removed);
	bus_unregister_notifier((struct bus_type *)finder->bus, &finder->added);
}
EXPORT_SYMBOL_GPL(evfio_finder_unregister);

/**
 * evfio_set_claim() - own a set's DMA for one more of its groups
 * @set: the set
 * @container: where the group is going
 *
 * Return: 0; -EBUSY if the set belongs to another container; -EPERM, with a message that names the
 * device, if a host driver has one of its devices.
 */
int evfio_set_claim(struct evfio_set *set, struct evfio_container *container)
{
	struct member *m;
	int ret = 0;

	mutex_lock(&isolation_lock);
	if (set->users) {
		ret = set->container == container ? 0 : -EBUSY;
	} else {
		set_resolve(set, NULL);
		for_each_member(m, set) {
			ret = member_claim(set, m);
			if (ret) {
				set_unclaim(set);
				break;
			}
		}
	}
	if (!ret) {
		set->users++;
		set->container = container;
	}
	mutex_unlock(&isolation_lock);
	return ret;
}

/**
 * evfio_set_release() - the counterpart of evfio_set_claim()
 * @set: the set
 */
void evfio_set_release(struct evfio_set *set)
{
	mutex_lock(&isolation_lock);
	if (!--set->users)
		set_unclaim(set);
	mutex_unlock(&isolation_lock);
}

/**
 * evfio_set_quarantine() - keep a group's DMA blocked until evfio_set_put()
 * @set: the set, claimed
 * @group: a group of it, with a device that may not be quiet
 */
void evfio_set_quarantine(struct evfio_set *set, struct iommu_group *group)
{
	mutex_lock(&isolation_lock);
	set_find(set, group)->quarantined = true;
	mutex_unlock(&isolation_lock);
}

/**
 * evfio_set_put() - the counterpart of evfio_set_get()
 * @set: what that returned
 * @group: the group, whose last device has been unbound; in no container
 */
void evfio_set_put(struct evfio_set *set, struct iommu_group *group)
{
	mutex_lock(&isolation_lock);
	set_find(set, group)->quarantined = false;
	if (!set->users)
		set_unclaim(set);
	if (!--set->refs) {
		list_del(&set->node);
		set_free(set);
	}
	mutex_unlock(&isolation_lock);
}

/**
 * evfio_set_viable() - whether no host driver has a device of a set
 * @set: the set
 */
bool evfio_set_viable(struct evfio_set *set)
{
	bool viable = true;
	struct member *m;

	mutex_lock(&isolation_lock);
	set_resolve(set, NULL);
	for_each_member(m, set) {
		if (!m->group)
			viable = !member_check(m);
		else if (!set_find(set, m->group)->claimed)
			viable = !iommu_group_dma_owner_claimed(m->group);
		if (!viable)
			break;
	}
	mutex_unlock(&isolation_lock);
	return viable;
}

struct listing {
	char	*page;
	ssize_t	len;
};

static int list_device(struct device *dev, void *data)
{
	char *path = kobject_get_path(&dev->kobj, GFP_KERNEL);
	struct listing *list = data;

	if (!path)
		return -ENOMEM;
	list->len += sysfs_emit_at(list->page, list->len, "/sys%s\n", path);
	kfree(path);
	return 0;
}

/**
 * evfio_set_members() - list a set's devices by their sysfs paths
 * @set: the set
 * @page: a sysfs attribute's page
 *
 * Return: bytes written, or -ENOMEM.
 */
ssize_t evfio_set_members(struct evfio_set *set, char *page)
{
	struct listing list = { .page = page };
	struct member *m;
	int ret = 0;

	mutex_lock(&isolation_lock);
	set_resolve(set, NULL);
	for_each_member(m, set) {
		if (!m->group && m->dev)
			ret = list_device(m->dev, &list);
		else if (m->group && m == set_find(set, m->group))
			ret = iommu_group_for_each_dev(m->group, &list, list_device);
		if (ret)
			break;
	}
	mutex_unlock(&isolation_lock);
	return ret ?: list.len;
}

#ifdef CONFIG_EVFIO_NOIOMMU
/**
 * evfio_set_noiommu() - the no-IOMMU group in which a device's mates are
 * @dev: the device, without a group
 *
 * Return: a group of a device that must be owned together with @dev, with a reference, or NULL.
 */
struct iommu_group *evfio_set_noiommu(struct device *dev)
{
	struct iommu_group *group, *found = NULL;
	struct evfio_set *set;
	struct member *m;
	bool mine;

	mutex_lock(&isolation_lock);
	list_for_each_entry(set, &sets, node) {
		set_resolve(set, NULL);
		group = NULL;
		mine = false;
		for_each_member(m, set) {
			mine |= m->dev == dev;
			if (m->group && evfio_noiommu(m->group))
				group = m->group;
		}
		if (mine && group)
			found = iommu_group_ref_get(group);
		if (found)
			break;
	}
	mutex_unlock(&isolation_lock);
	return found;
}

/**
 * evfio_set_forget() - a device has left its no-IOMMU group
 * @dev: the device
 */
void evfio_set_forget(struct device *dev)
{
	struct evfio_set *set;
	struct member *m;

	mutex_lock(&isolation_lock);
	list_for_each_entry(set, &sets, node)
		for_each_member(m, set)
			if (m->dev == dev) {
				iommu_group_put(m->group);
				m->group = NULL;
				/* Somebody else has to keep the books. */
				set_resolve(set, NULL);
			}
	mutex_unlock(&isolation_lock);
}
#endif

static int set_read(struct device_node *np)
{
	int i, n = of_count_phandle_with_args(np, "devices", NULL);
	struct device_node *device;
	struct evfio_set *set;

	if (n <= 0) {
		pr_err("%pOF: no devices property\n", np);
		return -EINVAL;
	}
	set = kzalloc(struct_size(set, members, n), GFP_KERNEL);
	if (!set)
		return -ENOMEM;
	set->np = of_node_get(np);
	set->refs = 1;
	for (i = 0; i < n; i++) {
		device = of_parse_phandle(np, "devices", i);
		if (of_device_is_available(device))
			set->members[set->nr++].np = device;
		else
			of_node_put(device);
	}
	list_add_tail(&set->node, &sets);
	return 0;
}

void evfio_isolation_exit(void)
{
	struct evfio_set *set, *next;

	list_for_each_entry_safe(set, next, &sets, node)
		set_free(set);
}

int __init evfio_isolation_init(void)
{
	struct device_node *node, *child;
	int ret;

	for_each_compatible_node(node, NULL, "evfio,isolation-groups")
		for_each_available_child_of_node(node, child) {
			ret = set_read(child);
			if (ret) {
				of_node_put(child);
				of_node_put(node);
				evfio_isolation_exit();
				return ret;
			}
		}
	return 0;
}
