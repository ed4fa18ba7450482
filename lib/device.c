// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Devices.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

static int describe(struct evfio_device *dev)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, &info))
		return fail_errno("cannot get information about %s", dev->sys->name);
	/* One more, for evfio_device_msi(). */
	dev->irqs_open = calloc(info.num_irqs + 1UL, sizeof(*dev->irqs_open));
	if (!dev->irqs_open)
		return fail(-ENOMEM, "no memory for device %s", dev->sys->name);
	pthread_mutex_init(&dev->irq_lock, NULL);
	dev->flags = info.flags;
	dev->nr_regions = info.num_regions;
	dev->nr_irqs = info.num_irqs;
	dev->msi = NO_MSI;
	return 0;
}

static int open_found(struct evfio_container *ct, struct evfio_sysdev *sys,
		      const struct evfio_token *token, struct evfio_device **out)
{
	struct evfio_device *dev;
	int err;

	/*
	 * Only what the kernel would refuse less clearly is looked at first: that the group is
	 * viable is for the kernel to say.
	 */
	if (sys->group < 0 || !sys->driver || !strstr(sys->driver, "vfio"))
		return evfio_sysdev_check(sys);
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return fail(-ENOMEM, "no memory for device %s", sys->name);
	dev->sys = sys;
	dev->ct = ct;
	dev->fd = container_open_device(ct, sys, token);
	err = dev->fd < 0 ? dev->fd : describe(dev);
	if (err && dev->fd >= 0)
		container_close_device(ct, sys, dev->fd);
	if (err)
		free(dev);
	else
		*out = dev;
	return err;
}

int evfio_open_token(struct evfio_container *ct, const char *name, const struct evfio_token *token,
		     struct evfio_device **out)
{
	struct evfio_container *own = NULL;
	struct evfio_sysdev *sys;
	int err;

	/* Look for the device first: without it nobody cares whether VFIO is loaded. */
	err = evfio_sysdev_find(name, &sys);
	if (err)
		return err;
	if (!ct) {
		err = evfio_container_new(&own);
		ct = own;
	}
	if (!err)
		err = open_found(ct, sys, token, out);
	/* The device has its own reference. */
	evfio_container_put(own);
	if (err)
		evfio_sysdev_free(sys);
	return err;
}

int evfio_open_in(struct evfio_container *ct, const char *name, struct evfio_device **out)
{
	return evfio_open_token(ct, name, NULL, out);
}

int evfio_open(const char *name, struct evfio_device **out)
{
	return evfio_open_token(NULL, name, NULL, out);
}

void evfio_close(struct evfio_device *dev)
{
	if (!dev)
		return;
	container_close_device(dev->ct, dev->sys, dev->fd);
	evfio_sysdev_free(dev->sys);
	pthread_mutex_destroy(&dev->irq_lock);
	free(dev->irqs_open);
	free(dev);
}

struct evfio_container *evfio_device_container(const struct evfio_device *dev)
{
	return dev->ct;
}

const char *evfio_device_name(const struct evfio_device *dev)
{
	return dev->sys->name;
}

const char *evfio_device_syspath(const struct evfio_device *dev)
{
	return dev->sys->syspath;
}

int evfio_device_group(const struct evfio_device *dev)
{
	return dev->sys->group;
}

int evfio_device_fd(const struct evfio_device *dev)
{
	return dev->fd;
}

unsigned int evfio_device_regions(const struct evfio_device *dev)
{
	return dev->nr_regions;
}

unsigned int evfio_device_irqs(const struct evfio_device *dev)
{
	return dev->nr_irqs;
}

bool evfio_device_can_reset(const struct evfio_device *dev)
{
	return dev->flags & VFIO_DEVICE_FLAGS_RESET;
}

int evfio_device_reset(struct evfio_device *dev)
{
	if (!evfio_device_can_reset(dev))
		return fail(-EOPNOTSUPP, "%s has no reset: neither \"resets\" in its device-tree "
			    "node nor a method of its firmware or bus", dev->sys->name);
	if (ioctl(dev->fd, VFIO_DEVICE_RESET))
		return fail_errno("cannot reset %s", dev->sys->name);
	return 0;
}

int evfio_device_set_dma(struct evfio_device *dev, bool on)
{
	if (!(dev->flags & VFIO_DEVICE_FLAGS_PCI))
		return 0;
	return evfio_pci_command(dev, EVFIO_PCI_MASTER, on);
}

bool evfio_device_removed(const struct evfio_device *dev)
{
	struct pollfd pfd = { .fd = dev->fd, .events = POLLPRI };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLPRI | POLLERR | POLLHUP));
}
