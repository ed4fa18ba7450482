// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Interrupts.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

struct evfio_irq {
	struct evfio_device *dev;
	uint32_t index;
	uint32_t flags;
	int fd;
};

/* <linux/vfio.h>: VFIO_PCI_INTX_IRQ_INDEX and following */
static const char *const pci_names[] = { "intx", "msi", "msix", "err", "req" };

static void irq_name(const struct evfio_device *dev, uint32_t index, char *buf, size_t size)
{
	buf[0] = '\0';
	if (dev->flags & VFIO_DEVICE_FLAGS_PCI) {
		if (index < ARRAY_SIZE(pci_names))
			strcpy(buf, pci_names[index]);
	} else if (evfio_dt_string(dev->sys->syspath, "interrupt-names", index, buf, size) < 0) {
		buf[0] = '\0';
	}
}

int evfio_irq_info(const struct evfio_device *dev, uint32_t index, struct evfio_irq_info *info)
{
	struct vfio_irq_info vfio = { .argsz = sizeof(vfio), .index = index };

	if (index >= dev->nr_irqs)
		return fail(-EINVAL, "%s has no interrupt %" PRIu32 ": it has %" PRIu32,
			    dev->sys->name, index, dev->nr_irqs);
	if (ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &vfio))
		return fail_errno("cannot get information about interrupt %" PRIu32 " of %s", index,
				  dev->sys->name);
	memset(info, 0, sizeof(*info));
	info->index = index;
	info->flags = vfio.flags;
	info->count = vfio.count;
	irq_name(dev, index, info->name, sizeof(info->name));
	return 0;
}

int evfio_irq_index(const struct evfio_device *dev, const char *name)
{
	uint32_t i;

	if (!(dev->flags & VFIO_DEVICE_FLAGS_PCI)) {
		int index = evfio_dt_string_index(dev->sys->syspath, "interrupt-names", name);

		if (index >= 0 && (uint32_t)index < dev->nr_irqs)
			return index;
	} else {
		for (i = 0; i < ARRAY_SIZE(pci_names) && i < dev->nr_irqs; i++) {
			if (!strcmp(pci_names[i], name))
				return (int)i;
		}
	}
	return fail(-ENOENT, "%s has no interrupt \"%s\"", dev->sys->name, name);
}

/* VFIO_DEVICE_SET_IRQS for the first interrupt of the index; fd < 0 for none. */
static int set_irqs(const struct evfio_irq *irq, uint32_t flags, uint32_t count, int fd)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} arg = {
		.set = {
			.argsz = sizeof(arg.set),
			.flags = flags,
			.index = irq->index,
			.start = 0,
			.count = count,
		},
		.fd = fd,
	};

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		arg.set.argsz = sizeof(arg);
	if (!ioctl(irq->dev->fd, VFIO_DEVICE_SET_IRQS, &arg))
		return 0;
	if (errno == EBUSY)
		return fail(-EBUSY, "interrupt %" PRIu32 " of %s is on a line that another driver "
			    "uses: /proc/interrupts shows which", irq->index, irq->dev->sys->name);
	return fail_errno("interrupt %" PRIu32 " of %s", irq->index, irq->dev->sys->name);
}

int evfio_irq_open(struct evfio_device *dev, uint32_t index, struct evfio_irq **out)
{
	struct evfio_irq_info info;
	struct evfio_irq *irq;
	int err;

	err = evfio_irq_info(dev, index, &info);
	if (err)
		return err;
	if (!info.count)
		return fail(-ENXIO, "interrupt %" PRIu32 " of %s is empty", index, dev->sys->name);
	irq = calloc(1, sizeof(*irq));
	if (!irq)
		return fail(-ENOMEM, "no memory for an interrupt");
	irq->dev = dev;
	irq->index = index;
	irq->flags = info.flags;
	irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (irq->fd < 0) {
		err = fail_errno("cannot make an eventfd");
		goto free_irq;
	}
	err = set_irqs(irq, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1, irq->fd);
	if (err)
		goto close_fd;
	/* An earlier user of the device file may have left the line masked. */
	if (irq->flags & EVFIO_IRQ_AUTOMASKED) {
		err = evfio_irq_unmask(irq);
		if (err)
			goto close_fd;
	}
	*out = irq;
	return 0;

close_fd:
	close(irq->fd);
free_irq:
	free(irq);
	return err;
}

int evfio_irq_open_name(struct evfio_device *dev, const char *name, struct evfio_irq **out)
{
	int index = evfio_irq_index(dev, name);

	return index < 0 ? index : evfio_irq_open(dev, (uint32_t)index, out);
}

void evfio_irq_close(struct evfio_irq *irq)
{
	if (!irq)
		return;
	/* May fail with ENODEV: then the interrupt is gone all the same. */
	(void)set_irqs(irq, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, -1);
	close(irq->fd);
	free(irq);
}

/* Takes the count of the eventfd: 0 if it has not fired. */
static int take_count(const struct evfio_irq *irq)
{
	eventfd_t count;

	if (eventfd_read(irq->fd, &count))
		return errno == EAGAIN ? 0 : fail_errno("interrupt %" PRIu32, irq->index);
	return count > INT_MAX ? INT_MAX : (int)count;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int evfio_irq_wait(struct evfio_irq *irq, int timeout_ms)
{
	const int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	const char *name = irq->dev->sys->name;

	for (;;) {
		struct pollfd pfds[] = {
			{ .fd = irq->fd, .events = POLLIN },
			{ .fd = irq->dev->fd, .events = POLLPRI },
		};
		int n = poll(pfds, ARRAY_SIZE(pfds), timeout_ms);

		if (n < 0)
			return fail_errno("waiting for interrupt %" PRIu32 " of %s", irq->index,
					  name);
		if (pfds[0].revents) {
			int count = take_count(irq);

			if (count)
				return count;
			/* Another thread was faster. */
		} else if (pfds[1].revents) {
			return fail(-ENODEV, "%s is being unbound: the driver should let go of it",
				    name);
		}
		if (timeout_ms > 0) {
			int64_t left = end - now_ms();

			timeout_ms = left > 0 ? (int)left : 0;
		}
		if (!timeout_ms && !n)
			return fail(-ETIMEDOUT, "interrupt %" PRIu32 " of %s did not fire in time",
				    irq->index, name);
	}
}

static int mask(struct evfio_irq *irq, uint32_t action)
{
	if (!(irq->flags & EVFIO_IRQ_MASKABLE))
		return fail(-EOPNOTSUPP, "interrupt %" PRIu32 " of %s cannot be masked",
			    irq->index, irq->dev->sys->name);
	return set_irqs(irq, VFIO_IRQ_SET_DATA_NONE | action, 1, -1);
}

int evfio_irq_mask(struct evfio_irq *irq)
{
	return mask(irq, VFIO_IRQ_SET_ACTION_MASK);
}

int evfio_irq_unmask(struct evfio_irq *irq)
{
	return mask(irq, VFIO_IRQ_SET_ACTION_UNMASK);
}

int evfio_irq_rearm(struct evfio_irq *irq)
{
	if (!(irq->flags & EVFIO_IRQ_AUTOMASKED))
		return 0;
	return evfio_irq_unmask(irq);
}

int evfio_irq_trigger(struct evfio_irq *irq)
{
	return set_irqs(irq, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 1, -1);
}

int evfio_irq_fd(const struct evfio_irq *irq)
{
	return irq->fd;
}
