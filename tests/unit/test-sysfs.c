// SPDX-License-Identifier: GPL-2.0-only
/* Finding and listing devices and groups. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "libtap.h"

static void found(const char *name, const char *want, int group)
{
	struct evfio_sysdev *dev;

	if (is(evfio_sysdev_find(name, &dev), 0, "find %s", name)) {
		is_str(dev->name, want, "it is %s", want);
		is(dev->group, group, "in group %d", group);
		evfio_sysdev_free(dev);
	}
}

static void missed(const char *name, int err, const char *message)
{
	struct evfio_sysdev *dev;

	if (is(evfio_sysdev_find(name, &dev), err, "do not find \"%.60s\"", name))
		message_has(message);
	else
		evfio_sysdev_free(dev);
}

static void find(void)
{
	struct evfio_sysdev *dev;
	char longest[4000];

	found("10000000.edu", "10000000.edu", 3);
	found("/sys/bus/platform/devices/10000000.edu", "10000000.edu", 3);
	found("/sys/devices/platform/10000000.edu", "10000000.edu", 3);
	found("/sys/devices/platform/10000000.edu/", "10000000.edu", 3);
	found("/edu@10000000", "10000000.edu", 3);
	found("/soc/edu@10400000", "10400000.edu", -1);
	found("9010000.pl031", "9010000.pl031", 7);
	found("0000:00:01.0", "0000:00:01.0", 8);

	missed("", -EINVAL, "not a device name");
	missed(".", -EINVAL, "not a device name");
	missed("..", -EINVAL, "not a device name");
	missed("../devices", -EINVAL, "neither a device name nor a path");
	missed("20000000.edu", -ENOENT, "evfio list");
	missed("/edu@20000000", -ENOENT, "device-tree node /edu@20000000");
	missed("/edu@1000000", -ENOENT, "device-tree node");
	missed("/", -ENOENT, "device-tree node /");
	missed("/sys/devices/platform/none", -ENOENT, "no device");
	missed("/sys/../dev", -ENOENT, "no device");
	missed("/sys/devices/platform", -EINVAL, "not a platform, amba or pci device");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	missed(longest, -EINVAL, "too long");

	is(evfio_sysdev_find("10000000.edu", &dev), 0, "look closer at one");
	is_str(dev->bus, "platform", "bus");
	is_str(dev->syspath, "/sys/devices/platform/10000000.edu", "syspath");
	is_str(dev->of_path, "/edu@10000000", "device-tree path");
	is_str(dev->driver, "vfio-platform", "driver");
	is_str(dev->vfio_driver, "vfio-platform", "VFIO's driver");
	is(dev->has_iommu, 1, "has an IOMMU");
	is(dev->coherent, 1, "coherent by its own node");
	is(dev->pci_vendor, 0, "no PCI vendor");
	evfio_sysdev_free(dev);
	is(evfio_sysdev_find("10400000.edu", &dev), 0, "one without driver and group");
	ok(!dev->driver && dev->group < 0 && dev->has_iommu, "which will get a group");
	is(dev->coherent, 1, "coherent by the node above");
	evfio_sysdev_free(dev);
	is(evfio_sysdev_find("10300000.edu", &dev), 0, "one that is not coherent");
	is(dev->coherent, 0, "as its node does not say so");
	evfio_sysdev_free(dev);
	is(evfio_sysdev_find("0000:00:01.1", &dev), 0, "one without a node");
	ok(!dev->of_path, "has no device-tree path");
	is(dev->coherent, 1, "coherent as its bridge");
	is_str(dev->vfio_driver, "vfio-pci", "VFIO's driver on PCI");
	is(dev->pci_vendor, 0x1b36, "its vendor");
	is(dev->pci_device, 0x10, "what the vendor calls it");
	is(dev->pci_class, 0x010802, "its class");
	evfio_sysdev_free(dev);
}

static void list(void)
{
	static const char *const names[] = {
		"10000000.edu", "10100000.edu", "10200000.edu", "10300000.edu", "10400000.edu",
		"9010000.pl031", "0000:00:01.0", "0000:00:01.1", "0000:00:02.0",
	};
	struct evfio_sysdev *devices, *dev;
	size_t i = 0;

	is(evfio_sysdev_list(&devices), 0, "list devices");
	for (dev = devices; dev && i < ARRAY_SIZE(names); dev = dev->next, i++)
		is_str(dev->name, names[i], "device %zu is %s", i, names[i]);
	ok(!dev && i == ARRAY_SIZE(names), "and that is all");
	evfio_sysdev_free(devices);
}

static void members(void)
{
	struct evfio_sysdev *devices;

	is(evfio_group_members(5, &devices), 0, "members by the isolation set");
	is_str(devices->name, "10200000.edu", "the one");
	is_str(devices->next->name, "10300000.edu", "the other");
	ok(!devices->next->next, "no more");
	evfio_sysdev_free(devices);
	is(evfio_group_members(8, &devices), 0, "members by the IOMMU group");
	is_str(devices->name, "0000:00:01.0", "the one");
	is_str(devices->next->name, "0000:00:01.1", "the other");
	evfio_sysdev_free(devices);
	is(evfio_group_members(99, &devices), -ENOENT, "no such group");
	message_has("no IOMMU group 99");
}

static void check_one(const char *name, int err, const char *message)
{
	struct evfio_sysdev *dev;

	if (evfio_sysdev_find(name, &dev)) {
		ok(false, "find %s", name);
		return;
	}
	is(evfio_sysdev_check(dev), err, "check %s", name);
	if (err)
		message_has(message);
	evfio_sysdev_free(dev);
}

static void check(void)
{
	check_one("10000000.edu", 0, "");
	check_one("9010000.pl031", 0, "");
	check_one("10100000.edu", -ENODEV,
		  "10100000.edu is not bound to vfio-platform: run `evfio bind 10100000.edu`");
	check_one("10300000.edu", -ENODEV, "10300000.edu is bound to syscon, not to vfio-platform");
	check_one("10200000.edu", -EPERM,
		  "group 5 is not viable: 10300000.edu is bound to syscon: unbind it first");
	check_one("0000:00:01.0", -EPERM, "group 8 is not viable: 0000:00:01.1 is bound to nvme");
	tree_text("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/class", "0x060400\n");
	check_one("0000:00:01.0", -EPERM, "`echo 0000:00:01.1 >/sys/bus/pci/drivers/nvme/unbind`");
	check_one("10400000.edu", -ENODEV, "not bound to vfio-platform");
	check_one("9000000.uart", -ENODEV, "its device-tree node has no \"iommus\"");

	tree_remove("sys/devices/platform/10300000.edu/driver");
	check_one("10200000.edu", 0, "");
	tree_link("sys/devices/platform/soc/10400000.edu/driver",
		  "sys/bus/platform/drivers/vfio-platform");
	check_one("10400000.edu", -ENODEV, "switched off");

	ok(driver_allows_vfio("vfio-platform") && driver_allows_vfio("vfio-amba") &&
	   driver_allows_vfio("mlx5_vfio_pci"), "VFIO's drivers do not hold a group");
	ok(driver_allows_vfio("pci-stub") && driver_allows_vfio("pcieport"),
	   "nor do those without DMA");
	ok(!driver_allows_vfio("syscon") && !driver_allows_vfio("nvme"), "others do");
}

static void roots(void)
{
	char path[600];

	is(evfio_sysfs_set_root("/no/such/directory"), -ENOENT, "a root that is not there");
	snprintf(path, sizeof(path), "%s/dev/../sys/", tree_dir());
	is(evfio_sysfs_set_root(path), 0, "a root by a detour");
	found("10000000.edu", "10000000.edu", 3);
	snprintf(path, sizeof(path), "%s/dev", tree_dir());
	is(evfio_sysfs_set_root(path), 0, "a root without any bus");
	missed("10000000.edu", -ENOENT, "no device");
	is(evfio_sysfs_set_root(NULL), 0, "back to /sys");
	is_str(evfio_roots.sysfs, "/sys", "which it is");
}

int main(void)
{
	tree_new();
	find();
	list();
	members();
	check();
	roots();
	tree_free();
	return done();
}
