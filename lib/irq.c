// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Interrupts.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/evfio.h>
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
	uint32_t vector;
	uint32_t flags;
	int fd;
};

/* <linux/vfio.h>: VFIO_PCI_INTX_IRQ_INDEX and following */
static const char *const pci_names[] = { "intx", "msi", "msix", "err", "req" };

static void irq_name(const struct evfio_device *dev, uint32_t index, char *buf, size_t size)
{
	buf[0] = '\0';
	if (index == dev->msi) {
		strcpy(buf, "msi");
	} else if (dev->flags & VFIO_DEVICE_FLAGS_PCI) {
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
		if (dev->msi != NO_MSI && !strcmp(name, "msi"))
			return (int)dev->msi;
	} else {
		for (i = 0; i < ARRAY_SIZE(pci_names) && i < dev->nr_irqs; i++) {
			if (!strcmp(pci_names[i], name))
				return (int)i;
		}
	}
	return fail(-ENOENT, "%s has no interrupt \"%s\"", dev->sys->name, name);
}

/* VFIO_DEVICE_SET_IRQS without eventfds: for one interrupt or, with count 0, its whole index. */
static int set_irqs(const struct evfio_irq *irq, uint32_t flags, uint32_t count)
{
	const struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | flags,
		.index = irq->index,
		.start = irq->vector,
		.count = count,
	};

	if (ioctl(irq->dev->fd, VFIO_DEVICE_SET_IRQS, &set))
		return fail_errno("interrupt %" PRIu32 " of %s", irq->index, irq->dev->sys->name);
	return 0;
}

/*
 * VFIO_DEVICE_SET_IRQS: gives count interrupts of an index their eventfds; fds is NULL for none.
 * Returns what the ioctl does: a number above 0 says how many there could be. Leaves no message.
 */
static int set_eventfds(const struct evfio_device *dev, uint32_t index, uint32_t first,
			uint32_t count, const int32_t *fds)
{
	const size_t size = sizeof(struct vfio_irq_set) + count * sizeof(*fds);
	struct vfio_irq_set *set = malloc(size);
	int ret;

	if (!set)
		return -ENOMEM;
	set->argsz = (uint32_t)size;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->start = first;
	set->count = count;
	if (fds)
		memcpy(set->data, fds, count * sizeof(*fds));
	else
		memset(set->data, 0xff, count * sizeof(*fds));
	ret = ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set);
	if (ret < 0)
		ret = -errno;
	free(set);
	return ret;
}

/* Takes the eventfd away; an index that has several interrupts is switched off with its last. */
static void stop(struct evfio_irq *irq)
{
	struct evfio_device *dev = irq->dev;

	/* Either may fail with ENODEV: then the interrupt is gone all the same. */
	pthread_mutex_lock(&dev->irq_lock);
	if (--dev->irqs_open[irq->index])
		(void)set_eventfds(dev, irq->index, irq->vector, 1, NULL);
	else
		(void)set_irqs(irq, VFIO_IRQ_SET_ACTION_TRIGGER, 0);
	pthread_mutex_unlock(&dev->irq_lock);
}

static void irq_free(struct evfio_irq *irq)
{
	close(irq->fd);
	free(irq);
}

/* An interrupt with an eventfd that the kernel does not know yet. */
static int irq_new(struct evfio_device *dev, const struct evfio_irq_info *info, uint32_t vector,
		   struct evfio_irq **out)
{
	struct evfio_irq *irq = calloc(1, sizeof(*irq));
	int err;

	if (!irq)
		return fail(-ENOMEM, "no memory for an interrupt");
	irq->dev = dev;
	irq->index = info->index;
	irq->vector = vector;
	irq->flags = info->flags;
	irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (irq->fd < 0) {
		err = fail_errno("cannot make an eventfd");
		free(irq);
		return err;
	}
	*out = irq;
	return 0;
}

/* Which of INTx, MSI and MSI-X is in use beside the index, as a name; NULL if none. */
static const char *other_kind(const struct evfio_device *dev, uint32_t index)
{
	uint32_t i;

	if (!(dev->flags & VFIO_DEVICE_FLAGS_PCI) || index > VFIO_PCI_MSIX_IRQ_INDEX)
		return NULL;
	for (i = 0; i <= VFIO_PCI_MSIX_IRQ_INDEX && i < dev->nr_irqs; i++) {
		if (i != index && dev->irqs_open[i])
			return pci_names[i];
	}
	return NULL;
}

/* Why set_eventfds() gave ret: leaves a message and returns a negative errno. */
static int explain(int ret, const struct evfio_device *dev, const struct evfio_irq_info *info,
		   uint32_t first, uint32_t count)
{
	const char *name = dev->sys->name, *other = other_kind(dev, info->index);

	if (ret > 0)
		return fail(-ENOSPC, "%s can get %d vectors of interrupt %" PRIu32 ", not %" PRIu32,
			    name, ret, info->index, first + count);
	if (ret == -EBUSY)
		return fail(ret, "interrupt %" PRIu32 " of %s is on a line that another driver "
			    "uses: /proc/interrupts shows which", info->index, name);
	if (ret == -EINVAL && other)
		return fail(-EBUSY, "interrupt \"%s\" of %s is open: close it before another kind",
			    other, name);
	if (ret == -EINVAL && dev->irqs_open[info->index] && (info->flags & EVFIO_IRQ_NORESIZE))
		return fail(ret, "interrupt %" PRIu32 " of %s cannot get more vectors while it has "
			    "some: open all of them at once", info->index, name);
	if (ret == -EINVAL && !(dev->flags & VFIO_DEVICE_FLAGS_PCI) && info->index != dev->msi)
		return fail(ret, "interrupt %" PRIu32 " of %s cannot be requested: if the host's "
			    "driver had it chained (GPIO), start the machine without that driver",
			    info->index, name);
	return fail(ret, "interrupt %" PRIu32 " of %s: %s", info->index, name, strerror(-ret));
}

/* Makes the kernel signal the eventfds of irqs. */
static int start(const struct evfio_irq_info *info, uint32_t count, struct evfio_irq **irqs)
{
	struct evfio_device *dev = irqs[0]->dev;
	int32_t *fds = calloc(count, sizeof(*fds));
	uint32_t i;
	int ret;

	if (!fds)
		return fail(-ENOMEM, "no memory for %" PRIu32 " interrupts", count);
	for (i = 0; i < count; i++)
		fds[i] = irqs[i]->fd;
	pthread_mutex_lock(&dev->irq_lock);
	ret = set_eventfds(dev, info->index, irqs[0]->vector, count, fds);
	if (ret)
		ret = explain(ret, dev, info, irqs[0]->vector, count);
	else
		dev->irqs_open[info->index] += count;
	pthread_mutex_unlock(&dev->irq_lock);
	free(fds);
	return ret;
}

int evfio_irq_open_vectors(struct evfio_device *dev, uint32_t index, uint32_t first,
			   uint32_t count, struct evfio_irq **out)
{
	struct evfio_irq_info info;
	uint32_t made = 0;
	int err;

	err = evfio_irq_info(dev, index, &info);
	if (err)
		return err;
	if (!info.count)
		return fail(-ENXIO, "interrupt %" PRIu32 " of %s is empty", index, dev->sys->name);
	if (!count || first >= info.count || count > info.count - first)
		return fail(-EINVAL, "interrupt %" PRIu32 " of %s has %" PRIu32 " vectors: there "
			    "are no %" PRIu32 " from %" PRIu32 " on", index, dev->sys->name,
			    info.count, count, first);
	while (!err && made < count) {
		err = irq_new(dev, &info, first + made, &out[made]);
		made += !err;
	}
	if (!err)
		err = start(&info, count, out);
	/* An earlier user of the device file may have left the line masked. */
	if (!err && (info.flags & EVFIO_IRQ_AUTOMASKED)) {
		err = evfio_irq_unmask(out[0]);
		if (err)
			stop(out[0]);
	}
	while (err && made) {
		irq_free(out[--made]);
		out[made] = NULL;
	}
	return err;
}

int evfio_irq_open(struct evfio_device *dev, uint32_t index, struct evfio_irq **out)
{
	return evfio_irq_open_vectors(dev, index, 0, 1, out);
}

int evfio_irq_open_name(struct evfio_device *dev, const char *name, struct evfio_irq **out)
{
	int index = evfio_irq_index(dev, name);

	return index < 0 ? index : evfio_irq_open(dev, (uint32_t)index, out);
}

int evfio_device_msi(struct evfio_device *dev, uint32_t count, uint32_t *index)
{
	struct evfio_device_msi msi = { .argsz = sizeof(msi), .count = count };
	const char *name = dev->sys->name;
	int ret = ioctl(dev->fd, EVFIO_DEVICE_MSI, &msi);

	if (ret >= 0) {
		/* The kernel's next index: no other fd has got one since dev was opened. */
		dev->msi = (uint32_t)ret;
		dev->nr_irqs = dev->msi + 1;
		*index = dev->msi;
		return 0;
	}
	if (errno == EBUSY)
		return fail(-EBUSY, "%s has been given MSI already", name);
	if (errno == EINVAL)
		return fail(-EINVAL, "%" PRIu32 " vectors: 1 to %d can be had", count,
			    EVFIO_DEVICE_MSI_MAX);
	if (errno != ENOTTY)
		return fail_errno("MSI for %s", name);
	if (dev->flags & VFIO_DEVICE_FLAGS_PCI)
		return fail(-ENOTTY, "%s is a PCI device: it has the interrupts \"msi\" and \"msix\"",
			    name);
	if (ioctl(dev->ct->fd, VFIO_CHECK_EXTENSION, EVFIO_EXT_DEVICE_MSI) != 1)
		return fail(-ENOTTY, "%s: the kernel's own VFIO has MSI for PCI devices alone: load "
			    "evfio's modules", name);
	return fail(-ENOTTY, "%s has no MSI controller: no \"msi-parent\" in its device-tree node, "
		    "or none that the kernel drives", name);
}

int evfio_irq_message(const struct evfio_irq *irq, uint64_t *address, uint32_t *data)
{
	struct evfio_device_msi_message message = { .argsz = sizeof(message),
						    .vector = irq->vector };

	if (irq->index != irq->dev->msi)
		return fail(-EINVAL, "interrupt %" PRIu32 " of %s is not of evfio_device_msi()",
			    irq->index, irq->dev->sys->name);
	if (ioctl(irq->dev->fd, EVFIO_DEVICE_MSI_MESSAGE, &message))
		return fail_errno("message of vector %" PRIu32 " of %s", irq->vector,
				  irq->dev->sys->name);
	*address = message.address;
	*data = message.data;
	return 0;
}

void evfio_irq_close(struct evfio_irq *irq)
{
	if (!irq)
		return;
	stop(irq);
	irq_free(irq);
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
	return set_irqs(irq, action, 1);
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
	return set_irqs(irq, VFIO_IRQ_SET_ACTION_TRIGGER, 1);
}

int evfio_irq_fd(const struct evfio_irq *irq)
{
	return irq->fd;
}
