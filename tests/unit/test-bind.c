// SPDX-License-Identifier: GPL-2.0-only
/* Binding: what is written where, and what is said when it does not work. */
#include <errno.h>

#include "internal.h"
#include "libtap.h"

#define DEV(name, file) "sys/devices/platform/" name "/" file
#define PLATFORM "sys/bus/platform/"

int main(void)
{
	tree_new();
	is(evfio_bind("20000000.edu"), -ENOENT, "no such device");
	is(evfio_unbind("20000000.edu"), -ENOENT, "no such device");
	is(evfio_bind("10000000.edu"), 0, "what is bound is bound");
	is_str(tree_read(DEV("10000000.edu", "driver_override")), "(null)\n", "and left alone");

	/* The made-up driver does not take it: nobody moves the link. */
	is(evfio_bind("10300000.edu"), -ENODEV, "a driver that does not take the device");
	message_has("vfio-platform did not take 10300000.edu");
	is_str(tree_read(DEV("10300000.edu", "driver_override")), "vfio-platform",
	       "the override was written");
	is_str(tree_read(PLATFORM "drivers/syscon/unbind"), "10300000.edu", "the driver unbound");
	is_str(tree_read(PLATFORM "drivers/vfio-platform/bind"), "10300000.edu", "VFIO's bound");

	tree_remove(PLATFORM "drivers/vfio-platform/bind");
	is(evfio_bind("10100000.edu"), -ENOENT, "a driver that refuses the device");
	message_has("vfio-platform refused 10100000.edu");
	is_str(tree_read(DEV("10100000.edu", "driver_override")), "\nfio-platform",
	       "the override is taken back");
	is_str(tree_read(PLATFORM "drivers_probe"), "10100000.edu", "and the host's driver probed");

	tree_remove("sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.0/driver");
	tree_remove("sys/bus/pci/drivers/vfio-pci/bind");
	tree_remove("sys/bus/pci/drivers/vfio-pci/unbind");
	tree_remove("sys/bus/pci/drivers/vfio-pci");
	is(evfio_bind("0000:00:01.0"), -ENODEV, "a driver that is not loaded");
	message_has("modprobe -a vfio_iommu_type1 vfio-pci");

	tree_remove("dev/vfio/7");
	is(evfio_bind("9010000.pl031"), -ETIMEDOUT, "a node that does not appear");
	message_has("created");
	message_has("/dev/vfio/7");

	is(evfio_unbind("10300000.edu"), -EINVAL, "what is not bound to VFIO");
	message_has("not bound to VFIO but to syscon");
	is(evfio_unbind("10100000.edu"), -EINVAL, "what is not bound at all");
	message_has("not bound to VFIO but to no driver");
	is(evfio_unbind("10000000.edu"), 0, "give a device back");
	is_str(tree_read(PLATFORM "drivers/vfio-platform/unbind"), "10000000.edu", "unbound");
	is_str(tree_read(DEV("10000000.edu", "driver_override")), "\nnull)\n",
	       "without an override");
	is_str(tree_read(PLATFORM "drivers_probe"), "10000000.edu", "and probed");
	tree_free();
	return done();
}
