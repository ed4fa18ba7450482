// SPDX-License-Identifier: GPL-2.0-only
/* Virtual functions: what is written where, what keeps them from being made or removed. */
#include <errno.h>

#include "internal.h"
#include "libtap.h"

#define PF	"0000:00:01.0"
#define VF0	"0000:00:01.1"
#define VF1	"0000:00:02.0"
#define PLACE	"sys/devices/platform/40000000.pcie/pci0000:00/"
#define ENABLE	"sys/module/vfio_pci/parameters/enable_sriov"
#define NUMVFS	PLACE PF "/sriov_numvfs"
#define VFIO	"sys/bus/pci/drivers/vfio-pci"

static void list(const char *name, int max, int now, const char *first, const char *second)
{
	struct evfio_sysdev *pf, *vfs;

	evfio_sysdev_find(name, &pf);
	is(evfio_sriov_max(pf), max, "how many %s can have", name);
	is(evfio_sriov_vfs(pf, &vfs), now, "how many it has");
	is_str(vfs ? vfs->name : NULL, first, "its first");
	is_str(vfs && vfs->next ? vfs->next->name : NULL, second, "its second");
	ok(!vfs || !vfs->next || !vfs->next->next, "and no more");
	evfio_sysdev_free(vfs);
	evfio_sysdev_free(pf);
}

static void create(void)
{
	is(evfio_sriov_create("20000000.edu", 1), -ENOENT, "no such device");
	is(evfio_sriov_create("10000000.edu", 1), -EOPNOTSUPP, "one of another bus");
	message_has("10000000.edu has no SR-IOV");
	is(evfio_sriov_create(PF, 1), -EOPNOTSUPP, "one without SR-IOV");
	list(PF, -EOPNOTSUPP, -EOPNOTSUPP, NULL, NULL);

	tree_text(PLACE PF "/sriov_totalvfs", "2\n");
	tree_text(NUMVFS, "0\n");
	list(PF, 2, 0, NULL, NULL);
	is(evfio_sriov_create(PF, 3), -ERANGE, "more than it can have");
	message_has(PF " can have 1 to 2 virtual functions, not 3");
	is(evfio_sriov_create(PF, 0), -ERANGE, "none");
	is(evfio_sriov_create(PF, 2), -EOPNOTSUPP, "by a vfio-pci without SR-IOV");
	message_has("built without SR-IOV");
	tree_text(ENABLE, "N\n");
	is(evfio_sriov_create(PF, 2), -EPERM, "by one that must not");
	message_has("`echo 1 >/sys/module/vfio_pci/parameters/enable_sriov`");
	is_str(tree_read(NUMVFS), "0\n", "nothing was written");
	tree_text(ENABLE, "Y\n");
	tree_link(PLACE PF "/driver", "sys/bus/pci/drivers/nvme");
	is(evfio_sriov_create(PF, 2), -ENODEV, "of a host driver's");
	message_has(PF " is bound to nvme, not to vfio-pci: run `evfio bind " PF "`");
	tree_remove(PLACE PF "/driver");
	is(evfio_sriov_create(PF, 2), -ENODEV, "of nobody's");
	message_has(PF " is bound to no driver, not to vfio-pci");
	tree_link(PLACE PF "/driver", VFIO);
	is_str(tree_read(NUMVFS), "0\n", "nothing was written");

	is(evfio_sriov_create(PF, 2), 0, "two");
	is_str(tree_read(NUMVFS), "2\n", "are written");
	list(PF, 2, 0, NULL, NULL);
	tree_link(PLACE PF "/virtfn0", PLACE VF0);
	tree_link(PLACE PF "/virtfn1", PLACE VF1);
	list(PF, 2, 2, VF0, VF1);
	is(evfio_sriov_create(PF, 1), -EBUSY, "another number");
	message_has(PF " has 2 virtual functions already: run `evfio sriov remove " PF "` first");
	tree_text(ENABLE, "N\n");
	is(evfio_sriov_create(PF, 2), 0, "the same number");
	tree_link(PLACE VF0 "/driver", VFIO);
	is(evfio_sriov_create(PF, 2), -ETIMEDOUT, "one's node does not appear");
	message_has(VF0 " is bound to vfio-pci, but nothing");
	tree_text("dev/vfio/8", "");
	is(evfio_sriov_create(PF, 2), 0, "it does");
}

static void removal(void)
{
	is(evfio_sriov_remove("20000000.edu", true), -ENOENT, "no such device");
	is(evfio_sriov_remove("10000000.edu", true), -EOPNOTSUPP, "one without SR-IOV");
	fake.open_group_errno = EBUSY;
	is(evfio_sriov_remove(PF, false), -EBUSY, "while they are in use");
	message_has("group 8 of " VF0 " is in use");
	message_has("`evfio sriov remove --force " PF "`");
	fake.open_group_errno = 0;
	tree_link(PLACE VF1 "/driver", "sys/bus/pci/drivers/nvme");
	is(evfio_sriov_remove(PF, false), -EBUSY, "while a host driver has one");
	message_has(VF1 " is bound to nvme: run `evfio bind " VF1 "` first");
	is_str(tree_read(NUMVFS), "2\n", "nothing was written");
	is(evfio_sriov_remove(PF, true), 0, "by force");
	is_str(tree_read(NUMVFS), "0\n", "it was");
	tree_remove(PLACE VF1 "/driver");
	tree_text(NUMVFS, "2\n");
	is(evfio_sriov_remove(PF, false), 0, "while nobody uses them");
	is_str(tree_read(NUMVFS), "0\n", "none is written");
	is(evfio_sriov_remove(PF, false), 0, "while there are none");
	tree_remove(NUMVFS);
	is(evfio_sriov_remove(PF, false), -ENOENT, "what the kernel refuses");
	message_has(PF " refused to have 0 virtual functions: No such file");
}

int main(void)
{
	tree_new();
	fake_reset();
	create();
	removal();
	tree_free();
	return done();
}
