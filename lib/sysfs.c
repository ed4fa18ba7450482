// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Devices and groups as sysfs shows them.
 *
 * A device is known by its canonical path, "/sys/devices/...", which is translated to the tree that
 * is really read (evfio_roots.sysfs) only where a file is opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* PCI Code and ID Assignment, 1.6: bridges' base class. */
#define PCI_BASE_CLASS_BRIDGE	0x06

struct evfio_roots evfio_roots = {
	.sysfs = "/sys", .dev = "/dev", .proc = "/proc", .modules = "/lib/modules",
};

static const struct bus buses[] = {
	{ "platform", "vfio-platform" },
	{ "amba", "vfio-amba" },
	{ "pci", "vfio-pci" },
};

const struct bus *bus_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(buses); i++) {
		if (!strcmp(buses[i].name, name))
			return &buses[i];
	}
	return NULL;
}

bool driver_allows_vfio(const char *driver)
{
	/* vfio-platform, vfio-pci, mlx5_vfio_pci ...; the other two do no DMA of their own. */
	return strstr(driver, "vfio") || !strcmp(driver, "pci-stub") ||
	       !strcmp(driver, "pcieport");
}

int evfio_sysfs_set_root(const char *root)
{
	char resolved[PATH_MAX];

	if (!root)
		root = "/sys";
	if (!realpath(root, resolved))
		return fail_errno("%s", root);
	if (strlen(resolved) >= sizeof(evfio_roots.sysfs))
		return fail(-ENAMETOOLONG, "%s: path is too long", root);
	strcpy(evfio_roots.sysfs, resolved);
	return 0;
}

int sysfs_path(char *buf, size_t size, const char *syspath, const char *more)
{
	int n;

	if (strncmp(syspath, "/sys", 4) || (syspath[4] && syspath[4] != '/'))
		return fail(-EINVAL, "%s is not a path in /sys", syspath);
	n = snprintf(buf, size, "%s%s%s%s", evfio_roots.sysfs, syspath + 4, *more ? "/" : "", more);
	if (n < 0 || (size_t)n >= size)
		return fail(-ENAMETOOLONG, "%s/%s: path is too long", syspath, more);
	return 0;
}

int sysfs_resolve(const char *syspath, const char *more, char *buf, size_t size)
{
	char path[PATH_LEN], resolved[PATH_MAX];
	size_t root = strlen(evfio_roots.sysfs);
	int err, n;

	err = sysfs_path(path, sizeof(path), syspath, more);
	if (err)
		return err;
	if (!realpath(path, resolved))
		return -errno;
	if (strncmp(resolved, evfio_roots.sysfs, root) || resolved[root] != '/')
		return -ENOENT;
	n = snprintf(buf, size, "/sys%s", resolved + root);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int sysfs_link(const char *syspath, const char *name, char *buf, size_t size)
{
	char path[PATH_LEN], target[PATH_LEN];
	const char *base;
	ssize_t len;
	int err;

	err = sysfs_path(path, sizeof(path), syspath, name);
	if (err)
		return err;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, base);
	return 0;
}

int sysfs_read(const char *syspath, const char *name, char *buf, size_t size)
{
	char path[PATH_LEN];
	ssize_t len;
	int fd, err;

	err = sysfs_path(path, sizeof(path), syspath, name);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, buf, size - 1);
	err = -errno;
	close(fd);
	if (len < 0)
		return err;
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return (int)strlen(buf);
}

int sysfs_write(const char *syspath, const char *name, const char *value)
{
	char path[PATH_LEN];
	ssize_t len;
	int fd, err;

	err = sysfs_path(path, sizeof(path), syspath, name);
	if (err)
		return err;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = write(fd, value, strlen(value));
	err = len < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* A node's path in the device tree, from its path in sysfs: "" for the root node; or NULL. */
static const char *in_tree(const char *node)
{
	static const char base[] = "/devicetree/base";
	const char *at = strstr(node, base);

	return at ? at + strlen(base) : NULL;
}

/* Where the device's node is in sysfs; false if it has none. */
static bool of_node(const char *syspath, char *buf, size_t size)
{
	return !sysfs_resolve(syspath, "of_node", buf, size) && in_tree(buf);
}

static char *of_path(const char *syspath)
{
	char node[PATH_LEN];

	if (!of_node(syspath, node, sizeof(node)))
		return NULL;
	return strdup(*in_tree(node) ? in_tree(node) : "/");
}

bool sysfs_exists(const char *syspath, const char *name)
{
	char path[PATH_LEN];

	return !sysfs_path(path, sizeof(path), syspath, name) && !access(path, F_OK);
}

/* The node of the device, or of the next device above that has one, such as a PCI host bridge. */
static bool nearest_node(const char *syspath, char *node, size_t size)
{
	char path[PATH_LEN];

	if (strlen(syspath) >= sizeof(path))
		return false;
	strcpy(path, syspath);
	while (!of_node(path, node, size)) {
		*strrchr(path, '/') = '\0';
		if (!strcmp(path, "/sys/devices") || !strcmp(path, "/sys") || !*path)
			return false;
	}
	return true;
}

bool node_of_device(const char *syspath, char *path, size_t size)
{
	char node[PATH_LEN];

	if (!nearest_node(syspath, node, sizeof(node)) || strlen(in_tree(node)) >= size)
		return false;
	strcpy(path, in_tree(node));
	return true;
}

/* Whether the device will get an IOMMU group, as far as the device tree tells. */
static bool expects_group(const char *syspath)
{
	char node[PATH_LEN];

	if (sysfs_exists(syspath, "of_node/iommus"))
		return true;
	/* Devices behind a bridge that maps their ids to the IOMMU's streams. */
	return !of_node(syspath, node, sizeof(node)) &&
	       nearest_node(syspath, node, sizeof(node)) && sysfs_exists(node, "iommu-map");
}

/* Coherence is told by "dma-coherent" in the device's nearest node or in one that contains it. */
static int is_coherent(const char *syspath)
{
	char node[PATH_LEN];

#if defined(__x86_64__) || defined(__i386__)
	const int otherwise = 1;
#else
	const int otherwise = -1;
#endif
	if (!nearest_node(syspath, node, sizeof(node)))
		return otherwise;
	for (;;) {
		if (sysfs_exists(node, "dma-coherent"))
			return 1;
		if (sysfs_exists(node, "dma-noncoherent") || !*in_tree(node))
			return 0;
		*strrchr(node, '/') = '\0';
	}
}

/* The number that is in a file, 0 if there is none. */
static unsigned int number(const char *syspath, const char *name)
{
	char text[32];

	if (sysfs_read(syspath, name, text, sizeof(text)) < 0)
		return 0;
	return (unsigned int)strtoul(text, NULL, 0);
}

/* Describes the device at a canonical path. bus may be NULL for what its "subsystem" says. */
static struct evfio_sysdev *describe(const char *syspath, const char *bus)
{
	struct evfio_sysdev *dev = calloc(1, sizeof(*dev));
	const struct bus *known;
	char buf[256];

	if (!dev)
		return NULL;
	dev->syspath = strdup(syspath);
	dev->name = strdup(strrchr(syspath, '/') + 1);
	if (!bus)
		bus = sysfs_link(syspath, "subsystem", buf, sizeof(buf)) ? "" : buf;
	dev->bus = strdup(bus);
	if (!dev->syspath || !dev->name || !dev->bus)
		goto err;
	known = bus_find(dev->bus);
	dev->vfio_driver = known ? known->vfio_driver : NULL;
	if (!sysfs_link(syspath, "driver", buf, sizeof(buf))) {
		dev->driver = strdup(buf);
		if (!dev->driver)
			goto err;
	}
	dev->group = -1;
	if (!sysfs_link(syspath, "iommu_group", buf, sizeof(buf)))
		dev->group = atoi(buf);
	dev->of_path = of_path(syspath);
	dev->coherent = is_coherent(syspath);
	dev->has_iommu = dev->group >= 0 || expects_group(syspath);
	if (!strcmp(dev->bus, "pci")) {
		dev->pci_vendor = number(syspath, "vendor");
		dev->pci_device = number(syspath, "device");
		dev->pci_class = number(syspath, "class");
	}
	return dev;
err:
	evfio_sysdev_free(dev);
	return NULL;
}

void evfio_sysdev_free(struct evfio_sysdev *dev)
{
	while (dev) {
		struct evfio_sysdev *next = dev->next;

		free(dev->name);
		free(dev->bus);
		free(dev->syspath);
		free(dev->of_path);
		free(dev->driver);
		free(dev);
		dev = next;
	}
}

static int compare(const struct evfio_sysdev *a, const struct evfio_sysdev *b)
{
	const struct bus *x = bus_find(a->bus), *y = bus_find(b->bus);

	if (x != y)
		return x < y ? -1 : 1;
	return strverscmp(a->name, b->name);
}

/* Puts dev where it belongs in a sorted list. */
static void insert(struct evfio_sysdev **list, struct evfio_sysdev *dev)
{
	while (*list && compare(*list, dev) < 0)
		list = &(*list)->next;
	dev->next = *list;
	*list = dev;
}

/*
 * Adds the devices that a directory of links in sysfs leads to, those that want() wants, to *list.
 * What vanishes under our hands is left out. -ENOENT when there is no such directory.
 */
static int list_dir(const char *syspath, bool (*want)(const struct evfio_sysdev *, const void *),
		    const void *arg, struct evfio_sysdev **list)
{
	char path[PATH_LEN], target[PATH_LEN];
	struct dirent *entry;
	int err;
	DIR *dir;

	err = sysfs_path(path, sizeof(path), syspath, "");
	if (err)
		return err;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		struct evfio_sysdev *dev;

		if (entry->d_name[0] == '.' ||
		    sysfs_resolve(syspath, entry->d_name, target, sizeof(target)))
			continue;
		dev = describe(target, NULL);
		if (!dev)
			err = fail(-ENOMEM, "no memory to list devices");
		else if (want(dev, arg))
			insert(list, dev);
		else
			evfio_sysdev_free(dev);
	}
	closedir(dir);
	return err;
}

/* list_dir() for all buses. */
static int list_buses(bool (*want)(const struct evfio_sysdev *, const void *), const void *arg,
		      struct evfio_sysdev **list)
{
	char dir[64];
	size_t i;

	*list = NULL;
	for (i = 0; i < ARRAY_SIZE(buses); i++) {
		int err;

		snprintf(dir, sizeof(dir), "/sys/bus/%s/devices", buses[i].name);
		err = list_dir(dir, want, arg, list);
		/* A kernel without that bus has no such directory. */
		if (err && err != -ENOENT) {
			evfio_sysdev_free(*list);
			*list = NULL;
			return err == -ENOMEM ? err : fail(err, "cannot read %s", dir);
		}
	}
	return 0;
}

static bool want_iommu(const struct evfio_sysdev *dev, const void *arg)
{
	(void)arg;
	return dev->has_iommu;
}

static bool want_of_path(const struct evfio_sysdev *dev, const void *arg)
{
	const char *path = arg;

	return dev->of_path && !strcmp(dev->of_path, path);
}

static bool want_all(const struct evfio_sysdev *dev, const void *arg)
{
	(void)dev;
	(void)arg;
	return true;
}

int sysdev_list_all(struct evfio_sysdev **out)
{
	return list_buses(want_all, NULL, out);
}

int evfio_sysdev_list(struct evfio_sysdev **out)
{
	return list_buses(want_iommu, NULL, out);
}

static int find_by_of_path(const char *path, struct evfio_sysdev **out)
{
	struct evfio_sysdev *list;
	int err = list_buses(want_of_path, path, &list);

	if (err)
		return err;
	if (!list)
		return fail(-ENOENT, "no device belongs to the device-tree node %s", path);
	/* Should several have the node, the first is it: the platform bus comes first. */
	evfio_sysdev_free(list->next);
	list->next = NULL;
	*out = list;
	return 0;
}

static int find_by_syspath(const char *path, struct evfio_sysdev **out)
{
	char resolved[PATH_LEN];
	struct evfio_sysdev *dev;

	if (sysfs_resolve(path, "", resolved, sizeof(resolved)))
		return fail(-ENOENT, "no device %s", path);
	dev = describe(resolved, NULL);
	if (!dev)
		return fail(-ENOMEM, "no memory to look at %s", path);
	if (!dev->vfio_driver) {
		evfio_sysdev_free(dev);
		return fail(-EINVAL, "%s is not a platform, amba or pci device", path);
	}
	*out = dev;
	return 0;
}

int evfio_sysdev_find(const char *name, struct evfio_sysdev **out)
{
	size_t i;

	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return fail(-EINVAL, "\"%s\" is not a device name", name);
	if (strlen(name) > PATH_LEN / 2)
		return fail(-EINVAL, "that device name is too long");
	if (!strncmp(name, "/sys/", 5))
		return find_by_syspath(name, out);
	if (name[0] == '/')
		return find_by_of_path(name, out);
	if (strchr(name, '/'))
		return fail(-EINVAL,
			    "\"%s\" is neither a device name nor a path that begins with /", name);

	for (i = 0; i < ARRAY_SIZE(buses); i++) {
		char path[PATH_LEN], resolved[PATH_LEN];

		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s", buses[i].name, name);
		if (sysfs_resolve(path, "", resolved, sizeof(resolved)))
			continue;
		*out = describe(resolved, buses[i].name);
		return *out ? 0 : fail(-ENOMEM, "no memory to look at %s", name);
	}
	return fail(-ENOENT, "no device %s: `evfio list` shows those with an IOMMU, `evfio "
		    "doctor` all", name);
}

/* The members file of evfio's modules: a line "/sys/devices/..." for each. */
static int read_members(int group, struct evfio_sysdev **list)
{
	char dir[64], path[PATH_LEN];
	char *line = NULL;
	size_t max = 0;
	int err;
	FILE *file;

	snprintf(dir, sizeof(dir), "/sys/class/vfio/%d", group);
	err = sysfs_path(path, sizeof(path), dir, "members");
	if (err)
		return err;
	file = fopen(path, "re");
	if (!file)
		return -ENOENT;
	while (!err && getline(&line, &max, file) > 0) {
		struct evfio_sysdev *dev;

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "/sys/devices/", 13))
			continue;
		dev = describe(line, NULL);
		if (dev)
			insert(list, dev);
		else
			err = fail(-ENOMEM, "no memory for the members of group %d", group);
	}
	free(line);
	fclose(file);
	return err;
}

int evfio_group_members(int group, struct evfio_sysdev **out)
{
	struct evfio_sysdev *list = NULL;
	char dir[64];
	int err = read_members(group, &list);

	if (err == -ENOENT) {
		snprintf(dir, sizeof(dir), "/sys/kernel/iommu_groups/%d/devices", group);
		err = list_dir(dir, want_all, NULL, &list);
	}
	if (err) {
		evfio_sysdev_free(list);
		return err == -ENOMEM ? err : fail(err, "no IOMMU group %d", group);
	}
	*out = list;
	return 0;
}

/* Says which member of a group a host driver holds, and how it lets go of it. */
static int held(int group, const struct evfio_sysdev *member)
{
	/* VFIO takes no bridges. */
	if (member->pci_class >> 16 == PCI_BASE_CLASS_BRIDGE)
		return fail(-EPERM, "group %d is not viable: %s is bound to %s: unbind it first "
			    "(`echo %s >/sys/bus/pci/drivers/%s/unbind`)", group, member->name,
			    member->driver, member->name, member->driver);
	return fail(-EPERM, "group %d is not viable: %s is bound to %s: unbind it first "
		    "(`evfio bind %s`)", group, member->name, member->driver, member->name);
}

int evfio_sysdev_check(const struct evfio_sysdev *dev)
{
	struct evfio_sysdev *members, *member;
	int err;

	if (!dev->has_iommu)
		return fail(-ENODEV, "%s has no IOMMU group: no IOMMU serves it%s", dev->name,
			    dev->of_path ? " (its device-tree node has no \"iommus\")" : "");
	if (!dev->driver)
		return fail(-ENODEV, "%s is not bound to %s: run `evfio bind %s`", dev->name,
			    dev->vfio_driver, dev->name);
	if (!strstr(dev->driver, "vfio"))
		return fail(-ENODEV, "%s is bound to %s, not to %s: run `evfio bind %s`", dev->name,
			    dev->driver, dev->vfio_driver, dev->name);
	if (dev->group < 0)
		return fail(-ENODEV,
			    "%s has no IOMMU group: its IOMMU has no driver, or is switched off",
			    dev->name);

	err = evfio_group_members(dev->group, &members);
	if (err)
		return err;
	for (member = members; member; member = member->next) {
		if (!member->driver || driver_allows_vfio(member->driver))
			continue;
		err = held(dev->group, member);
		break;
	}
	evfio_sysdev_free(members);
	return err;
}
