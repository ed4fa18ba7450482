// SPDX-License-Identifier: GPL-2.0-only
/*
 * msi - MSI of platform devices: an interrupt index that is asked for, messages that the client
 * programs, and what a device can do with them
 */
/* vm: timeout=240 */
/* vm: timeout=240 smp=1 kernels="6.12" */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/evfio.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define NONE	VFIO_IRQ_SET_DATA_NONE
#define EVENTFD	VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER	VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK	VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	VFIO_IRQ_SET_ACTION_UNMASK

#define MSI	1	/* the index: EDU1 has one wired interrupt */
#define VECTORS	4
#define ROUNDS	40

static size_t page;
static uint32_t *mem;		/* a page that is mapped at IOVA */

static int msi_add(int fd, uint32_t count)
{
	struct evfio_device_msi arg = { .argsz = sizeof(arg), .count = count };

	return xioctl(fd, EVFIO_DEVICE_MSI, &arg);
}

static int msi_message(int fd, uint32_t vector, struct evfio_device_msi_message *message)
{
	*message = (struct evfio_device_msi_message){ .argsz = sizeof(*message), .vector = vector };
	return xioctl(fd, EVFIO_DEVICE_MSI_MESSAGE, message);
}

static int num_irqs(int fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int ret = xioctl(fd, VFIO_DEVICE_GET_INFO, &info);

	return ret ? ret : (int)info.num_irqs;
}

/* The device writes @data to @address. */
static void send(const struct dev *d, uint64_t address, uint32_t data)
{
	mem[0] = data;
	if (edu_load(d, IOVA, sizeof(data)) || edu_store(d, address, sizeof(data)))
		tap_bail("%s does not finish its transfer", d->name);
}

static void open_mapped(struct dev *d)
{
	dev_open(d, EDU1);
	if (dma_map(d->container, mem, IOVA, page, RW))
		tap_bail("MAP_DMA");
}

/* Whether of @count eventfds just the one of @vector was signalled, once; none: -1. */
static bool only(const int32_t *efds, int count, int vector)
{
	bool good = vector < 0 || efd_take(efds[vector], SOON) == 1;

	sleep_ms(QUIET);
	for (int i = 0; i < count; i++)
		good &= !efd_take(efds[i], 0);
	return good;
}

static void discovered(void)
{
	int c = container_open();
	struct dev d;

	is(check_extension(c, EVFIO_EXT_DEVICE_MSI), !tap_kernel,
	   "CHECK_EXTENSION of a container without an IOMMU tells it");
	close(c);
	dev_open(&d, EDU0);
	is(check_extension(d.container, EVFIO_EXT_DEVICE_MSI), !tap_kernel,
	   "of one with an IOMMU as well");
	is(msi_add(d.fd, 1), -ENOTTY, "%s has no msi-parent: ENOTTY", EDU0);
	dev_close(&d);
}

static void misused(const struct dev *d)
{
	struct evfio_device_msi arg = { .argsz = sizeof(arg), .count = 1 };
	struct evfio_device_msi_message message;
	int32_t efd = efd_new(0);

	is(sizeof(message), 24, "the message's size is the same for every ABI");
	is(num_irqs(d->fd), MSI, "GET_INFO: the wired interrupt");
	is(msi_message(d->fd, 0, &message), -EINVAL, "MSI_MESSAGE before there is MSI: EINVAL");
	arg.argsz = sizeof(arg) - 1;
	is(xioctl(d->fd, EVFIO_DEVICE_MSI, &arg), -EINVAL, "DEVICE_MSI, argsz too small: EINVAL");
	arg.argsz = 0;
	is(xioctl(d->fd, EVFIO_DEVICE_MSI, &arg), -EINVAL, "argsz 0: EINVAL");
	arg.argsz = sizeof(arg);
	arg.flags = 1;
	is(xioctl(d->fd, EVFIO_DEVICE_MSI, &arg), -EINVAL, "an unknown flag: EINVAL");
	is(msi_add(d->fd, 0), -EINVAL, "no vectors: EINVAL");
	is(msi_add(d->fd, EVFIO_DEVICE_MSI_MAX + 1), -EINVAL, "too many: EINVAL");
	is(msi_add(d->fd, UINT32_MAX), -EINVAL, "far too many: EINVAL");
	is(xioctl(d->fd, EVFIO_DEVICE_MSI, (void *)1), -EFAULT, "no argument: EFAULT");
	is(irq_trigger(d->fd, MSI, efd), -EINVAL, "SET_IRQS for an index that is not there: EINVAL");
	is(num_irqs(d->fd), MSI, "after all that nothing has changed");
	close(efd);
}

static void described(const struct dev *d, int second)
{
	struct evfio_device_msi_message message;
	struct vfio_irq_info info;
	int32_t efd = efd_new(0);

	is(irq_info(d->fd, MSI, &info), -EINVAL, "GET_IRQ_INFO of the next index: EINVAL");
	is(msi_add(d->fd, VECTORS), MSI, "DEVICE_MSI: the next index");
	is(num_irqs(d->fd), MSI + 1, "GET_INFO counts it");
	is(num_irqs(second), MSI + 1, "for the device's other fd, too");
	is(irq_info(d->fd, MSI, &info), 0, "GET_IRQ_INFO describes it");
	is(info.flags, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE, "EVENTFD and NORESIZE");
	is(info.count, VECTORS, "with its vectors");
	is(irq_info(d->fd, MSI + 1, &info), -EINVAL, "and there is no further one");
	is(irq_info(d->fd, 0, &info), 0, "the wired one is");
	is(info.flags, VFIO_IRQ_INFO_EVENTFD, "as it was");
	is(msi_add(d->fd, VECTORS), -EBUSY, "a second index: EBUSY");
	is(msi_add(second, 1), -EBUSY, "by the other fd: EBUSY");

	is(irq_set(d->fd, MSI, NONE | MASK, 0), -ENOTTY, "it cannot be masked: ENOTTY");
	is(irq_set(d->fd, MSI, NONE | UNMASK, 0), -ENOTTY, "nor unmasked: ENOTTY");
	is(irq_set(d->fd, MSI, NONE | TRIGGER, 0), -EINVAL, "nor fired while it is off: EINVAL");
	is(irq_vectors(d->fd, MSI, VECTORS, 1, &efd), -EINVAL, "no vector behind the last: EINVAL");
	is(irq_trigger(d->fd, MSI, 1000), -EBADF, "a trigger that is no file: EBADF");
	is(file_count("/proc/interrupts", EDU1), 0, "no vector is allocated");
	for (uint32_t i = 0; i < VECTORS; i++)
		is(msi_message(d->fd, i, &message), -EINVAL, "vector %u has no message: EINVAL", i);
	close(efd);
}

/* Messages for vectors from 0, which have triggers. */
static void messages(int fd, uint32_t count, struct evfio_device_msi_message *m)
{
	for (uint32_t i = 0; i < count; i++)
		is(msi_message(fd, i, &m[i]), 0, "message %u, with a trigger", i);
}

static bool mappable(int container, uint64_t iova)
{
	const struct vfio_iommu_type1_info_cap_iova_range *cap =
		iommu_cap(iommu_info(container), VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);

	for (uint32_t i = 0; cap && i < cap->nr_iovas; i++)
		if (iova >= cap->iova_ranges[i].start && iova <= cap->iova_ranges[i].end)
			return true;
	return false;
}

/* Three of four vectors: the fourth is not allocated, whatever the device writes. */
static void fires(const struct dev *d)
{
	struct evfio_device_msi_message m[VECTORS], again;
	int32_t efds[VECTORS], other = efd_new(0), line = efd_new(0), none = -1;
	uint32_t beyond = 0;

	for (int i = 0; i < VECTORS; i++)
		efds[i] = efd_new(0);
	is(irq_vectors(d->fd, MSI, 0, 3, efds), 0, "triggers for vectors 0 to 2");
	is(file_count("/proc/interrupts", EDU1), 3, "three interrupts");
	messages(d->fd, 3, m);
	is(msi_message(d->fd, 3, &again), -EINVAL, "message 3, which has none: EINVAL");
	is(msi_message(d->fd, VECTORS, &again), -EINVAL, "one that is not there: EINVAL");
	is(msi_message(d->fd, UINT32_MAX, &again), -EINVAL, "one that is far away: EINVAL");
	again = (struct evfio_device_msi_message){ .argsz = sizeof(again) - 1 };
	is(xioctl(d->fd, EVFIO_DEVICE_MSI_MESSAGE, &again), -EINVAL, "argsz too small: EINVAL");
	again = (struct evfio_device_msi_message){ .argsz = sizeof(again), .flags = 1 };
	is(xioctl(d->fd, EVFIO_DEVICE_MSI_MESSAGE, &again), -EINVAL, "an unknown flag: EINVAL");
	is(xioctl(d->fd, EVFIO_DEVICE_MSI_MESSAGE, (void *)1), -EFAULT, "no argument: EFAULT");
	ok(m[0].data != m[1].data && m[1].data != m[2].data && m[0].data != m[2].data,
	   "each vector has data of its own");
	ok(m[0].address == m[1].address && m[1].address == m[2].address, "and all one address");
	ok(!mappable(d->container, m[0].address), "0x%llx, where nothing is mapped",
	   m[0].address);

	is(only(efds, VECTORS, -1), true, "nothing comes before the device writes");
	for (int i = 2; i >= 0; i--) {
		send(d, m[i].address, m[i].data);
		ok(only(efds, VECTORS, i), "the device writes message %d: vector %d fires", i, i);
		if (m[i].data > beyond)
			beyond = m[i].data;
	}
	for (int i = 1; i <= 2; i++) {
		send(d, m[0].address, beyond + (uint32_t)i);
		ok(only(efds, VECTORS, -1), "data of no vector (%u): nothing", beyond + i);
	}
	is(irq_vectors(d->fd, MSI, 3, 1, &efds[3]), -EINVAL,
	   "one more vector while the index is on: EINVAL");
	send(d, m[1].address, m[1].data);
	ok(only(efds, VECTORS, 1), "the others are not disturbed");

	is(irq_trigger(d->fd, 0, line), 0, "the wired interrupt beside them");
	edu_raise(d, 1);
	is(efd_take(line, SOON), 1, "arrives");
	edu_ack(d);
	ok(only(efds, VECTORS, -1), "by its own eventfd alone");
	is(irq_set(d->fd, MSI, NONE | TRIGGER, 0), 0, "vector 0 fired by hand");
	ok(only(efds, VECTORS, 0), "signals");

	is(irq_vectors(d->fd, MSI, 1, 1, &other), 0, "another eventfd for vector 1");
	is(msi_message(d->fd, 1, &again), 0, "its message");
	ok(again.address == m[1].address && again.data == m[1].data, "is the same");
	send(d, m[1].address, m[1].data);
	is(efd_take(other, SOON), 1, "it fires to the new one");
	ok(only(efds, VECTORS, -1), "and not to the old one");
	is(irq_vectors(d->fd, MSI, 1, 1, &none), 0, "no eventfd for vector 1");
	is(msi_message(d->fd, 1, &again), -EINVAL, "it has no message: EINVAL");
	send(d, m[1].address, m[1].data);
	is(efd_take(other, QUIET), 0, "and does not fire");
	send(d, m[2].address, m[2].data);
	ok(only(efds, VECTORS, 2), "vector 2 does");
	is(irq_vectors(d->fd, MSI, 1, 1, &efds[1]), 0, "an eventfd for vector 1 again");
	ok(only(efds, VECTORS, -1), "hears nothing of what came meanwhile");
	is(msi_message(d->fd, 1, &m[1]), 0, "it has a message");
	send(d, m[1].address, m[1].data);
	ok(only(efds, VECTORS, 1), "and fires");

	is(xioctl(d->fd, VFIO_DEVICE_RESET, NULL), 0, "RESET");
	is(msi_message(d->fd, 2, &again), 0, "vector 2 still has its message");
	ok(again.address == m[2].address && again.data == m[2].data, "the same");
	send(d, m[2].address, m[2].data);
	ok(only(efds, VECTORS, 2), "and fires");

	is(irq_disable(d->fd, MSI), 0, "the index is switched off");
	is(file_count("/proc/interrupts", EDU1), 1, "only the wired interrupt is left");
	is(msi_message(d->fd, 0, &again), -EINVAL, "there are no messages: EINVAL");
	for (int i = 0; i < 3; i++)
		send(d, m[i].address, m[i].data);
	ok(only(efds, VECTORS, -1), "the old ones do nothing");
	is(irq_vectors(d->fd, MSI, 0, VECTORS, efds), 0, "on again, with all vectors");
	messages(d->fd, VECTORS, m);
	send(d, m[3].address, m[3].data);
	ok(only(efds, VECTORS, 3), "the last one fires");
	is(irq_set(d->fd, 0, NONE | TRIGGER, 0), 0, "the wired interrupt fired by hand");
	is(efd_take(line, SOON), 1, "still signals");
	for (int i = 0; i < VECTORS; i++)
		close(efds[i]);
	close(other);
	close(line);
}

/* Another device, whose address space has no doorbell. To the ITS it is the same: see the tree. */
static void kept_out(const struct dev *d)
{
	struct evfio_device_msi_message m;
	int32_t efd = efd_new(0);
	struct dev stranger;

	is(irq_trigger(d->fd, MSI, efd), 0, "a trigger for vector 0");
	is(msi_message(d->fd, 0, &m), 0, "its message");
	dev_open(&stranger, EDU0);
	is(dma_map(stranger.container, mem, IOVA, page, RW), 0, "a device of another container");
	send(&stranger, m.address, m.data);
	is(efd_take(efd, QUIET), 0, "writes it and nothing fires");
	dev_close(&stranger);
	send(d, m.address, m.data);
	is(efd_take(efd, SOON), 1, "when the device itself does, it fires");
	close(efd);
}

/* What a user leaves behind is gone, and the next one finds nothing of it. */
static void closed(void)
{
	struct evfio_device_msi_message m, old;
	int32_t efd = efd_new(0);
	struct dev d;
	int second;

	open_mapped(&d);
	second = device_fd(d.group, EDU1);
	is(msi_add(second, VECTORS), MSI, "an index by a second fd");
	is(irq_vectors(second, MSI, 2, 1, &efd), 0, "a trigger for vector 2 of it");
	is(file_count("/proc/interrupts", EDU1), 1, "one interrupt");
	is(msi_message(d.fd, 2, &old), 0, "its message by the first fd");
	close(second);
	is(num_irqs(d.fd), MSI + 1, "that fd is closed: the index stays");
	send(&d, old.address, old.data);
	is(efd_take(efd, SOON), 1, "the vector fires");
	dev_close(&d);
	is(file_count("/proc/interrupts", EDU1), 0, "the last fd is closed: no interrupt");

	open_mapped(&d);
	is(num_irqs(d.fd), MSI, "opened anew: the index is gone");
	is(irq_trigger(d.fd, MSI, efd), -EINVAL, "SET_IRQS: EINVAL");
	is(msi_message(d.fd, 2, &m), -EINVAL, "its message: EINVAL");
	send(&d, old.address, old.data);
	is(efd_take(efd, QUIET), 0, "and what it was does nothing");

	is(msi_add(d.fd, EVFIO_DEVICE_MSI_MAX), MSI, "an index with all that can be had");
	is(irq_count(d.fd, MSI), EVFIO_DEVICE_MSI_MAX, "vectors");
	is(irq_vectors(d.fd, MSI, EVFIO_DEVICE_MSI_MAX - 1, 1, &efd), 0, "a trigger for the last");
	is(msi_message(d.fd, EVFIO_DEVICE_MSI_MAX - 1, &m), 0, "its message");
	send(&d, m.address, m.data);
	is(efd_take(efd, SOON), 1, "it fires");
	dev_close(&d);
	close(efd);
}

/* AMBA devices alike; this one sends nothing. */
static void amba(void)
{
	struct evfio_device_msi_message m[2];
	int32_t efds[2] = { efd_new(0), efd_new(0) };
	struct dev d;

	dev_open(&d, RTC);
	is(msi_add(d.fd, 2), 1, "an AMBA device: DEVICE_MSI");
	is(irq_vectors(d.fd, 1, 0, 2, efds), 0, "two triggers");
	messages(d.fd, 2, m);
	ok(m[0].address && m[0].address == m[1].address && m[0].data != m[1].data,
	   "one address, two data");
	is(irq_vectors(d.fd, 1, 2, 1, efds), -EINVAL, "there is no third: EINVAL");
	dev_close(&d);
	close(efds[0]);
	close(efds[1]);
}

static void revoked(void)
{
	struct evfio_device_msi_message m, old;
	int32_t efd = efd_new(0);
	struct dev d, new;

	board_grace(50);
	open_mapped(&d);
	is(msi_add(d.fd, VECTORS), MSI, "a device with MSI");
	is(irq_trigger(d.fd, MSI, efd), 0, "in use");
	is(msi_message(d.fd, 0, &old), 0, "by a message");
	is(board_unbind(EDU1), 0, "is unbound");
	is(msi_add(d.fd, VECTORS), -ENODEV, "revoked: DEVICE_MSI: ENODEV");
	is(msi_message(d.fd, 0, &m), -ENODEV, "MSI_MESSAGE: ENODEV");
	is(irq_trigger(d.fd, MSI, efd), -ENODEV, "SET_IRQS: ENODEV");
	is(file_count("/proc/interrupts", EDU1), 0, "the vectors are free");
	open_mapped(&new);
	is(num_irqs(new.fd), MSI, "bound again: the next user has no index yet");
	send(&new, old.address, old.data);
	is(efd_take(efd, QUIET), 0, "the old message does nothing");
	is(msi_add(new.fd, 1), MSI, "nor is the old index in the way");
	is(irq_trigger(new.fd, MSI, efd), 0, "a trigger");
	is(msi_message(new.fd, 0, &m), 0, "a message");
	send(&new, m.address, m.data);
	is(efd_take(efd, SOON), 1, "it fires");
	dev_close(&d);
	is(num_irqs(new.fd), MSI + 1, "the old fd is closed: the new index stays");
	send(&new, m.address, m.data);
	is(efd_take(efd, SOON), 1, "and fires");
	dev_close(&new);
	close(efd);
	board_grace(3000);
}

/* ---- threads that make every call at once, while the device is taken from them ---- */

static void *add_and_describe(void *arg)
{
	struct vfio_irq_info info;
	struct dev *d = arg;

	for (uint32_t i = 0; num_irqs(d->fd) != -ENODEV; i++) {
		msi_add(d->fd, 1 + i % 300);
		irq_info(d->fd, MSI, &info);
	}
	return NULL;
}

static void *set_and_tell(void *arg)
{
	struct evfio_device_msi_message m;
	struct dev *d = arg;
	int efd = efd_new(0);

	while (irq_trigger(d->fd, MSI, efd) != -ENODEV) {
		msi_message(d->fd, 0, &m);
		irq_disable(d->fd, MSI);
	}
	close(efd);
	return NULL;
}

static void hostile(void)
{
	void *(*const run[])(void *) = { add_and_describe, set_and_tell, add_and_describe,
					 set_and_tell };
	int unbound = 0, bound = 0;
	pthread_t threads[4];
	struct dev d;

	board_grace(0);
	for (int round = 0; round < ROUNDS; round++) {
		dev_open(&d, EDU1);
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, run[i], &d);
		sleep_ms(round % 8 * 3);
		unbound += !board_unbind(EDU1);
		for (int i = 0; i < 4; i++)
			pthread_join(threads[i], NULL);
		dev_close(&d);
		bound += !board_bind(EDU1, "vfio-platform");
	}
	is(unbound, ROUNDS, "unbound %d times under calls of four threads", ROUNDS);
	is(bound, ROUNDS, "each time it binds again");
	is(file_count("/proc/interrupts", EDU1), 0, "no vector is left");
	board_grace(3000);
}

int main(int argc, char **argv)
{
	struct dev d;
	int second;

	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	mem = mem_new(page);
	discovered();
	if (tap_kernel)
		return tap_done();
	open_mapped(&d);
	second = device_fd(d.group, EDU1);
	misused(&d);
	described(&d, second);
	fires(&d);
	close(second);
	dev_close(&d);
	open_mapped(&d);
	is(msi_add(d.fd, 1), MSI, "an index of one vector");
	kept_out(&d);
	dev_close(&d);
	closed();
	amba();
	revoked();
	hostile();
	mem_free(mem, page);
	return tap_done();
}
