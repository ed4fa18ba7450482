// SPDX-License-Identifier: GPL-2.0-only
/* Binding: what is written where, and what is said when it does not work. */
#include <errno.h>
#include <stdio.h>

#include "internal.h"
#include "libtap.h"

#define DEV(name, file) "sys/devices/platform/" name "/" file
#define PLATFORM "sys/bus/platform/"

#define DISK "sys/devices/platform/40000000.pcie/pci0000:00/0000:00:01.1/nvme/nvme0"
#define VIRTUAL "sys/devices/virtual/"

static void mounted(const char *number, const char *point)
{
	char text[256];

	snprintf(text, sizeof(text), "21 1 0:20 / /tmp rw - tmpfs none rw\n"
		 "22 1 %s / %s rw,noatime shared:1 - ext4 /dev/root rw\n", number, point);
	tree_text("proc/self/mountinfo", text);
}

/* What the host lives on: 0000:00:01.1, an NVMe disk, and 9000000.uart, its console. */
static void host(void)
{
	is(evfio_bind_check("0000:00:01.1"), 0, "a machine without mounts and console");
	is(evfio_bind_check("20000000.edu"), -ENOENT, "no such device");
	tree_text(DISK "/nvme0n1/nvme0n1p1/partition", "1\n");
	tree_link("sys/dev/block/259:1", DISK "/nvme0n1/nvme0n1p1");
	mounted("259:1", "/");
	is(evfio_bind_check("0000:00:01.1"), -EBUSY, "the disk with the root");
	message_has("0000:00:01.1 has the disk of what is mounted on /: `evfio bind --force");
	is(evfio_bind_check("40000000.pcie"), -EBUSY, "and the bridge above it");
	is(evfio_bind_check("0000:00:01.0"), 0, "but not the function beside it");
	mounted("259:2", "/");
	is(evfio_bind_check("0000:00:01.1"), 0, "another disk");

	tree_text(VIRTUAL "block/dm-0/size", "8\n");
	tree_link(VIRTUAL "block/dm-0/slaves/md0p1", VIRTUAL "block/md0/md0p1");
	tree_text(VIRTUAL "block/md0/md0p1/partition", "1\n");
	tree_link(VIRTUAL "block/md0/slaves/dm-0", VIRTUAL "block/dm-0");
	tree_link("sys/dev/block/253:0", VIRTUAL "block/dm-0");
	mounted("253:0", "/srv");
	is(evfio_bind_check("0000:00:01.1"), 0, "disks that are made of each other");
	tree_link(VIRTUAL "block/md0/slaves/nvme0n1p1", DISK "/nvme0n1/nvme0n1p1");
	is(evfio_bind_check("0000:00:01.1"), -EBUSY, "a mapped partition of a RAID on the disk");
	message_has("mounted on /srv");

	tree_text(VIRTUAL "nvme-subsystem/nvme-subsys0/nvme0n2/nvme0n2p1/partition", "1\n");
	tree_link("sys/dev/block/259:3", VIRTUAL "nvme-subsystem/nvme-subsys0/nvme0n2/nvme0n2p1");
	mounted("259:3", "/");
	is(evfio_bind_check("0000:00:01.1"), 0, "an NVMe subsystem of others");
	tree_link(VIRTUAL "nvme-subsystem/nvme-subsys0/nvme0", DISK);
	is(evfio_bind_check("0000:00:01.1"), -EBUSY, "and one with the disk's controller");

	tree_text("sys/class/tty/console/active", "tty0 ttyAMA1 ttyAMA0\n");
	is(evfio_bind_check("9000000.uart"), 0, "a console that is nowhere");
	tree_text("sys/devices/platform/9000000.uart/tty/ttyAMA0/dev", "204:64\n");
	tree_link("sys/class/tty/ttyAMA0", "sys/devices/platform/9000000.uart/tty/ttyAMA0");
	is(evfio_bind_check("9000000.uart"), -EBUSY, "the console");
	message_has("9000000.uart is the console, ttyAMA0: `evfio bind --force 9000000.uart`");
	tree_text("sys/devices/platform/10300000.edu2/tty/ttyAMA1/dev", "204:65\n");
	tree_link("sys/class/tty/ttyAMA1", "sys/devices/platform/10300000.edu2/tty/ttyAMA1");
	is(evfio_bind_check("10300000.edu"), 0, "but not one whose name it begins with");
}

int main(void)
{
	tree_new();
	host();
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
	tree_text("sys/devices/platform/10100000.edu/driver_override", "somebody-elses-driver\n");
	is(evfio_bind("10100000.edu"), -ENOENT, "a driver that refuses it again");
	is_str(tree_read(DEV("10100000.edu", "driver_override")), "somebody-elses-driver\n",
	       "an override that was there is there again");

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
