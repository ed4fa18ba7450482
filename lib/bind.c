// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Binding devices to VFIO's drivers and back, through driver_override.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* How long udev may take to make /dev/vfio/N. */
#define NODE_TIMEOUT_MS 2000

static void sleep_ms(int ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static int not_allowed(int err, const char *what, const struct evfio_sysdev *dev)
{
	if (err == -EACCES || err == -EPERM)
		return fail(-EACCES, "no permission to %s %s: run this as root", what, dev->name);
	return fail(err, "cannot %s %s: %s", what, dev->name, strerror(-err));
}

int wait_for_node(const struct evfio_sysdev *dev)
{
	char path[PATH_LEN + 32];
	int ms;

	for (ms = 0; ms < NODE_TIMEOUT_MS; ms += 10) {
		device_node(dev, path, sizeof(path));
		if (!access(path, F_OK))
			return 0;
		sleep_ms(10);
	}
	return fail(-ETIMEDOUT, "%s is bound to %s, but nothing (devtmpfs, udev) created %s",
		    dev->name, dev->driver, path);
}

/* Takes back what bind_device() did to a device that the driver refused. */
static void undo(const struct evfio_sysdev *dev, const char *override)
{
	char bus[64];

	snprintf(bus, sizeof(bus), "/sys/bus/%s", dev->bus);
	(void)sysfs_write(dev->syspath, "driver_override", override);
	(void)sysfs_write(bus, "drivers_probe", dev->name);
}

static int refused(int err, const struct evfio_sysdev *dev)
{
	struct evfio_sysdev *now;
	bool no_group = false;

	/* Up to 6.1 a group shows at the first probe; without one VFIO says EINVAL. */
	if (err == -EINVAL && !evfio_sysdev_find(dev->syspath, &now)) {
		no_group = now->group < 0;
		evfio_sysdev_free(now);
	}
	if (no_group)
		return fail(-ENODEV, "%s has no IOMMU group: no IOMMU serves it%s: see `evfio "
			    "doctor %s`", dev->name,
			    dev->has_iommu ? ", or it is switched off" : "", dev->name);
	return fail(err, "%s refused %s: %s (`dmesg` may say why)", dev->vfio_driver, dev->name,
		    strerror(-err));
}

static int bind_device(const struct evfio_sysdev *dev)
{
	char driver[PATH_LEN], override[256];
	int err;

	snprintf(driver, sizeof(driver), "/sys/bus/%s/drivers/%s", dev->bus, dev->vfio_driver);
	/* Somebody else's may be there; "(null)" is none, which is written as an empty line. */
	if (sysfs_read(dev->syspath, "driver_override", override, sizeof(override)) <= 0 ||
	    !strcmp(override, "(null)"))
		strcpy(override, "\n");
	/*
	 * driver_override first: the host's driver must not come back between unbinding and
	 * binding. Then "bind", since it gives the probe's errno, which drivers_probe does not.
	 */
	err = sysfs_write(dev->syspath, "driver_override", dev->vfio_driver);
	if (err)
		return not_allowed(err, "bind", dev);
	if (dev->driver) {
		err = sysfs_write(dev->syspath, "driver/unbind", dev->name);
		if (err && err != -ENODEV && err != -ENOENT) {
			(void)sysfs_write(dev->syspath, "driver_override", override);
			return not_allowed(err, "unbind", dev);
		}
	}
	err = sysfs_write(driver, "bind", dev->name);
	if (err) {
		err = err == -EACCES || err == -EPERM ? not_allowed(err, "bind", dev) :
							refused(err, dev);
		undo(dev, override);
	}
	return err;
}

int evfio_bind(const char *name)
{
	struct evfio_sysdev *dev;
	char driver[PATH_LEN], path[PATH_LEN];
	int err;

	err = evfio_sysdev_find(name, &dev);
	if (err)
		return err;
	snprintf(driver, sizeof(driver), "/sys/bus/%s/drivers/%s", dev->bus, dev->vfio_driver);
	err = sysfs_path(path, sizeof(path), driver, "");
	if (!err && access(path, F_OK)) {
		/* evfio has the AMBA driver in the platform module. */
		err = fail(-ENODEV, "the driver %s is not loaded: run "
			   "`modprobe -a vfio_iommu_type1 %s`", dev->vfio_driver,
			   strcmp(dev->bus, "pci") ? "vfio-platform" : "vfio-pci");
	}
	if (!err && (!dev->driver || strcmp(dev->driver, dev->vfio_driver))) {
		char *syspath = dev->syspath;
		struct evfio_sysdev *bound;

		err = bind_device(dev);
		if (!err)
			err = evfio_sysdev_find(syspath, &bound);
		if (!err) {
			evfio_sysdev_free(dev);
			dev = bound;
		}
	}
	if (!err && (!dev->driver || strcmp(dev->driver, dev->vfio_driver)))
		err = fail(-ENODEV, "%s did not take %s, and gave no reason: see `dmesg`",
			   dev->vfio_driver, dev->name);
	if (!err && dev->group < 0)
		err = fail(-ENODEV, "%s is bound to %s but has no IOMMU group", dev->name,
			   dev->vfio_driver);
	if (!err)
		err = wait_for_node(dev);
	evfio_sysdev_free(dev);
	return err;
}

int evfio_unbind(const char *name)
{
	struct evfio_sysdev *dev;
	char bus[64];
	int err;

	err = evfio_sysdev_find(name, &dev);
	if (err)
		return err;
	snprintf(bus, sizeof(bus), "/sys/bus/%s", dev->bus);
	if (!dev->driver || !strstr(dev->driver, "vfio")) {
		err = fail(-EINVAL, "%s is not bound to VFIO but to %s", dev->name,
			   dev->driver ? dev->driver : "no driver");
		goto out;
	}
	err = sysfs_write(dev->syspath, "driver_override", "\n");
	if (!err)
		err = sysfs_write(dev->syspath, "driver/unbind", dev->name);
	if (err) {
		err = not_allowed(err, "unbind", dev);
		goto out;
	}
	/* No driver wanting the device is fine: then it stays without one. */
	err = sysfs_write(bus, "drivers_probe", dev->name);
	if (err == -EINVAL || err == -ENODEV)
		err = 0;
	if (err)
		err = not_allowed(err, "probe", dev);
out:
	evfio_sysdev_free(dev);
	return err;
}
