// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Virtual functions, through the files that the PCI core has for their physical function.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* The number in a file of the device, 0 if there is no such file. */
static int number(const struct evfio_sysdev *dev, const char *name)
{
	char text[16];

	return sysfs_read(dev->syspath, name, text, sizeof(text)) < 0 ? 0 : atoi(text);
}

int evfio_sriov_max(const struct evfio_sysdev *pf)
{
	const int total = number(pf, "sriov_totalvfs");

	return total ? total : fail(-EOPNOTSUPP, "%s has no SR-IOV", pf->name);
}

int evfio_sriov_vfs(const struct evfio_sysdev *pf, struct evfio_sysdev **out)
{
	const int total = evfio_sriov_max(pf), now = number(pf, "sriov_numvfs");
	struct evfio_sysdev **end = out;
	char path[PATH_LEN + 32];
	int i;

	*out = NULL;
	if (total < 0)
		return total;
	for (i = 0; i < now; i++) {
		snprintf(path, sizeof(path), "%s/virtfn%d", pf->syspath, i);
		/* One that has gone meanwhile takes those after it along. */
		if (evfio_sysdev_find(path, end))
			break;
		end = &(*end)->next;
	}
	return i;
}

/* Whether vfio-pci makes VFs: who binds a PF to it may not want that. */
static int check_enabled(void)
{
	static const char module[] = "/sys/module/vfio_pci/parameters";
	char text[16];

	if (sysfs_read(module, "enable_sriov", text, sizeof(text)) < 0)
		return fail(-EOPNOTSUPP, "this vfio-pci was built without SR-IOV");
	if (*text == 'N')
		return fail(-EPERM, "vfio-pci makes no virtual functions until it is allowed to: "
			    "`echo 1 >%s/enable_sriov`", module);
	return 0;
}

static int check_create(const struct evfio_sysdev *pf, unsigned int count)
{
	const int total = evfio_sriov_max(pf), now = number(pf, "sriov_numvfs");

	if (total < 0)
		return total;
	if (!count || count > (unsigned int)total)
		return fail(-ERANGE, "%s can have 1 to %d virtual functions, not %u", pf->name,
			    total, count);
	if (!pf->driver || strcmp(pf->driver, pf->vfio_driver))
		return fail(-ENODEV, "%s is bound to %s, not to %s: run `evfio bind %s`", pf->name,
			    pf->driver ? pf->driver : "no driver", pf->vfio_driver, pf->name);
	if (now && (unsigned int)now != count)
		return fail(-EBUSY, "%s has %d virtual functions already: "
			    "run `evfio sriov remove %s` first", pf->name, now, pf->name);
	return now ? 0 : check_enabled();
}

static int set_count(const struct evfio_sysdev *pf, unsigned int count)
{
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%u", count);
	err = sysfs_write(pf->syspath, "sriov_numvfs", text);
	if (err == -EACCES || err == -EPERM)
		return fail(-EACCES, "no permission to change the virtual functions of %s: "
			    "run this as root", pf->name);
	return err ? fail(err, "%s refused to have %u virtual functions: %s (`dmesg` may say why)",
			  pf->name, count, strerror(-err)) : 0;
}

int evfio_sriov_create(const char *name, unsigned int count)
{
	struct evfio_sysdev *pf, *vfs = NULL, *vf;
	int err;

	err = evfio_sysdev_find(name, &pf);
	if (err)
		return err;
	err = check_create(pf, count);
	if (!err)
		err = set_count(pf, count);
	if (!err)
		evfio_sriov_vfs(pf, &vfs);
	for (vf = vfs; vf && !err; vf = vf->next) {
		if (vf->driver && strstr(vf->driver, "vfio"))
			err = wait_for_node(vf);
	}
	evfio_sysdev_free(vfs);
	evfio_sysdev_free(pf);
	return err;
}

/* Says who has a VF: its group, or its own node. */
static int check_idle(const struct evfio_sysdev *pf, const struct evfio_sysdev *vf)
{
	char path[PATH_LEN + 64], holders[256] = "";
	bool noiommu;
	int fd;

	if (vf->driver && !strstr(vf->driver, "vfio"))
		return fail(-EBUSY, "%s is bound to %s: run `evfio bind %s` first, or "
			    "`evfio sriov remove --force %s`", vf->name, vf->driver, vf->name,
			    pf->name);
	if (vf->driver && iommufd_node(vf, path, sizeof(path)))
		file_holders(path, holders, sizeof(holders));
	if (*holders)
		return fail(-EBUSY, "device %s is in use by %s: stop that first, or run "
			    "`evfio sriov remove --force %s`", vf->name, holders, pf->name);
	fd = vf->driver ? group_open(vf, &noiommu) : -ENODEV;
	if (fd == -EBUSY)
		return fail(-EBUSY, "%s: stop that first, or run `evfio sriov remove --force %s`",
			    evfio_error(), pf->name);
	if (fd >= 0)
		close(fd);
	return 0;
}

int evfio_sriov_remove(const char *name, bool force)
{
	struct evfio_sysdev *pf, *vfs, *vf;
	int err;

	err = evfio_sysdev_find(name, &pf);
	if (err)
		return err;
	err = evfio_sriov_vfs(pf, &vfs);
	if (err > 0)
		err = 0;
	for (vf = vfs; vf && !err && !force; vf = vf->next)
		err = check_idle(pf, vf);
	if (!err)
		err = set_count(pf, 0);
	evfio_sysdev_free(vfs);
	evfio_sysdev_free(pf);
	return err;
}
