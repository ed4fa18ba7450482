// SPDX-License-Identifier: GPL-2.0-only
/*
 * irq - interrupts of a device as eventfds: level ones that mask themselves, and edge ones
 */
/* vm: timeout=120 */
/* vm: timeout=120 smp=1 */
/* vm: timeout=120 iommu=no params="vfio.enable_unsafe_noiommu_mode=1" kernels="6.1-armhf" */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define NONE	VFIO_IRQ_SET_DATA_NONE
#define BOOL	VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD	VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER	VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK	VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	VFIO_IRQ_SET_ACTION_UNMASK

/* DATA_NONE with count 0: the way to take a trigger away. */
static int trigger_none(int fd)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = NONE | TRIGGER,
	};

	return xioctl(fd, VFIO_DEVICE_SET_IRQS, &set);
}

/* One interrupt from device to eventfd; the line is quiet and unmasked before and after. */
static bool round_trip(struct dev *d, int efd)
{
	edu_raise(d, 1);
	if (efd_take(efd, SOON) != 1)
		return false;
	edu_ack(d);
	return irq_unmask(d->fd, 0) == 0;
}

static void automask(struct dev *d, int efd)
{
	is(irq_trigger(d->fd, 0, efd), 0, "an eventfd becomes the trigger");
	is(efd_take(efd, QUIET), 0, "nothing comes before the device raises its line");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "the interrupt arrives, once");
	is(dev_read(d, EDU_REG_IRQ), 1, "the device says why");
	is(efd_take(efd, QUIET), 0,
	   "the line stays high, and nothing more comes: it masked itself");
	is(irq_unmask(d->fd, 0), 0, "unmask while it is high");
	is(efd_take(efd, SOON), 1, "... and it arrives again, once");
	is(efd_take(efd, QUIET), 0, "... and is masked again");
	edu_ack(d);
	is(irq_unmask(d->fd, 0), 0, "acknowledged, then unmasked");
	is(efd_take(efd, QUIET), 0, "nothing comes");
	is(irq_unmask(d->fd, 0), 0, "unmasking what is not masked does nothing");
	is(efd_take(efd, QUIET), 0, "... really nothing");
	ok(round_trip(d, efd), "the next interrupt arrives");
}

static void unmask_by_eventfd(struct dev *d, int efd)
{
	int unmask = efd_new(0), other = efd_new(0), ready = efd_new(1);

	is(irq_set(d->fd, 0, EVENTFD | UNMASK, unmask), 0, "an eventfd that unmasks");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, other), -EBUSY, "a second one: EBUSY");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, d->fd), -EINVAL, "no eventfd at all: EINVAL");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, 9999), -EBADF, "no file: EBADF");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "an interrupt, masked by itself");
	efd_signal(unmask);
	is(efd_take(efd, SOON), 1, "signalled while the line is high, it comes again");
	is(efd_take(efd, QUIET), 0, "... once");
	is(efd_take(unmask, 0), 0, "the signal has been consumed");
	edu_ack(d);
	efd_signal(unmask);
	is(efd_take(efd, QUIET), 0, "acknowledged and signalled, nothing comes");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "and the next interrupt arrives");
	edu_ack(d);
	efd_signal(unmask);
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, -1), 0, "-1 takes the eventfd away");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "an interrupt, masked");
	efd_signal(unmask);
	is(efd_take(efd, QUIET), 0, "what was taken away unmasks no more");
	is(efd_take(unmask, SOON), 1, "... and is not consumed");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, ready), 0,
	   "an eventfd that is signalled already unmasks as it is set");
	is(efd_take(efd, SOON), 1, "... so the interrupt arrives again");
	edu_ack(d);
	close(ready);
	sleep_ms(QUIET);
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, other), 0,
	   "closing an unmask eventfd makes room for another");
	efd_signal(other);
	is(efd_take(efd, QUIET), 0, "... which has nothing to tell");
	ok(round_trip(d, efd), "and the next interrupt arrives");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, -1), 0, "taken away");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, -1), 0, "taken away twice is no error");
	close(unmask);
	close(other);
}

static void mask_by_eventfd(struct dev *d, int efd)
{
	int mask = efd_new(0), other = efd_new(0);

	is(irq_set(d->fd, 0, EVENTFD | MASK, mask), 0, "an eventfd that masks");
	is(irq_set(d->fd, 0, EVENTFD | MASK, other), -EBUSY, "a second one: EBUSY");
	efd_signal(mask);
	sleep_ms(QUIET);
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "signalled, it keeps the interrupt back");
	is(irq_unmask(d->fd, 0), 0, "unmask");
	is(efd_take(efd, SOON), 1, "... and it arrives");
	edu_ack(d);
	is(irq_unmask(d->fd, 0), 0, "unmask after it");
	is(irq_set(d->fd, 0, EVENTFD | MASK, -1), 0, "-1 takes the eventfd away");
	ok(round_trip(d, efd), "and the next interrupt arrives");
	close(mask);
	close(other);
}

static void mask(struct dev *d, int efd)
{
	is(irq_set(d->fd, 0, NONE | MASK, 0), 0, "mask, DATA_NONE");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "nothing comes while it is masked");
	is(irq_set(d->fd, 0, NONE | MASK, 0), 0, "masking twice");
	is(irq_set(d->fd, 0, NONE | UNMASK, 0), 0, "... is undone by one unmask, DATA_NONE");
	is(efd_take(efd, SOON), 1, "the interrupt kept back arrives");
	edu_ack(d);
	irq_unmask(d->fd, 0);

	is(irq_set(d->fd, 0, BOOL | MASK, 0), 0, "mask, DATA_BOOL 0");
	ok(round_trip(d, efd), "does not mask");
	is(irq_set(d->fd, 0, BOOL | MASK, 1), 0, "mask, DATA_BOOL 1");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "masks");
	is(irq_set(d->fd, 0, BOOL | UNMASK, 0), 0, "unmask, DATA_BOOL 0");
	is(efd_take(efd, QUIET), 0, "does not unmask");
	is(irq_set(d->fd, 0, BOOL | UNMASK, 255), 0, "unmask, DATA_BOOL 255");
	is(efd_take(efd, SOON), 1, "unmasks");
	edu_ack(d);
	irq_unmask(d->fd, 0);
}

static void loopback(struct dev *d, int efd)
{
	is(irq_set(d->fd, 0, NONE | TRIGGER, 0), 0, "trigger by hand, DATA_NONE");
	is(efd_take(efd, SOON), 1, "the eventfd is signalled");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "the trigger has masked the line, as an interrupt does");
	is(irq_unmask(d->fd, 0), 0, "unmask");
	is(efd_take(efd, SOON), 1, "the interrupt kept back arrives");
	edu_ack(d);
	irq_unmask(d->fd, 0);

	is(irq_set(d->fd, 0, BOOL | TRIGGER, 0), 0, "trigger by hand, DATA_BOOL 0");
	is(efd_take(efd, QUIET), 0, "does nothing");
	is(irq_set(d->fd, 0, BOOL | TRIGGER, 1), 0, "trigger by hand, DATA_BOOL 1");
	is(efd_take(efd, SOON), 1, "signals");
	is(irq_set(d->fd, 0, BOOL | TRIGGER, 1), 0, "once more, while it is masked");
	is(efd_take(efd, QUIET), 0, "a masked line does not signal");
	irq_unmask(d->fd, 0);
	is(irq_set(d->fd, 0, BOOL | TRIGGER, 1), 0, "once more, unmasked");
	is(efd_take(efd, SOON), 1, "signals");
	irq_unmask(d->fd, 0);
}

static void change_and_remove(struct dev *d, int efd)
{
	int other = efd_new(0);

	is(irq_trigger(d->fd, 0, other), 0, "another eventfd becomes the trigger");
	ok(round_trip(d, other), "the interrupt goes to it");
	is(efd_take(efd, QUIET), 0, "and not to the old one");

	is(irq_mask(d->fd, 0), 0, "mask");
	is(irq_trigger(d->fd, 0, efd), 0, "change the trigger while it is masked");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "the line is still masked");
	is(irq_unmask(d->fd, 0), 0, "unmask");
	is(efd_take(efd, SOON), 1, "the interrupt goes to the new one");
	edu_ack(d);
	irq_unmask(d->fd, 0);

	is(irq_trigger(d->fd, 0, -1), 0, "-1 takes the trigger away");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "nothing comes any more");
	is(irq_trigger(d->fd, 0, -1), 0, "taken away twice is no error");
	is(irq_trigger(d->fd, 0, efd), 0, "a trigger again, with the line high");
	is(efd_take(efd, SOON), 1, "the interrupt arrives");
	edu_ack(d);
	irq_unmask(d->fd, 0);

	is(trigger_none(d->fd), 0, "DATA_NONE with count 0 takes the trigger away");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "nothing comes any more");
	edu_ack(d);
	is(irq_set(d->fd, 0, NONE | TRIGGER, 0), 0,
	   "triggering by hand without a trigger is no error");
	is(efd_take(efd, QUIET), 0, "... and signals nothing");
	irq_unmask(d->fd, 0);
	is(irq_trigger(d->fd, 0, efd), 0, "a trigger again");
	ok(round_trip(d, efd), "the interrupt arrives");
	close(other);
}

/* The eventfd is the interrupt's: closing the descriptor does not take it away. */
static void closed_eventfd(struct dev *d)
{
	int efd = efd_new(0), copy = dup(efd);

	is(irq_trigger(d->fd, 0, efd), 0, "a trigger whose descriptor is closed");
	close(efd);
	ok(round_trip(d, copy), "still signals what other descriptors see");
	close(copy);
	edu_raise(d, 1);
	sleep_ms(QUIET);
	edu_ack(d);
	is(irq_unmask(d->fd, 0), 0, "and signals nobody without harm");
	is(irq_trigger(d->fd, 0, -1), 0, "until it is taken away");
}

static void count(struct dev *d, int efd, int rounds)
{
	int unmask = efd_new(0);
	int good = 0;

	is(irq_trigger(d->fd, 0, efd), 0, "count: a trigger");
	while (good < rounds && round_trip(d, efd))
		good++;
	is(good, rounds, "%d interrupts, each unmasked by ioctl: %d arrive", rounds, rounds);

	is(irq_set(d->fd, 0, EVENTFD | UNMASK, unmask), 0, "count: an unmask eventfd");
	for (good = 0; good < rounds; good++) {
		edu_raise(d, 1);
		if (efd_take(efd, SOON) != 1)
			break;
		edu_ack(d);
		efd_signal(unmask);
	}
	is(good, rounds, "%d interrupts, each unmasked by eventfd: %d arrive", rounds, rounds);
	is(efd_take(efd, QUIET), 0, "and not one more");
	is(irq_set(d->fd, 0, EVENTFD | UNMASK, -1), 0, "count: taken away");
	close(unmask);
}

static void factorial(struct dev *d, int efd)
{
	dev_write(d, EDU_REG_STATUS, EDU_STATUS_IRQ);
	dev_write(d, EDU_REG_FACT, 10);
	is(efd_take(efd, SOON), 1, "the device interrupts when its factorial is done");
	is(dev_read(d, EDU_REG_IRQ), EDU_IRQ_FACT, "... and says so");
	is(dev_read(d, EDU_REG_FACT), 3628800, "10! is 3628800");
	edu_ack(d);
	dev_write(d, EDU_REG_STATUS, 0);
	is(irq_unmask(d->fd, 0), 0, "unmask");
}

static void level(void)
{
	struct dev d;
	int efd = efd_new(0);

	dev_open(&d, EDU0);
	automask(&d, efd);
	unmask_by_eventfd(&d, efd);
	mask_by_eventfd(&d, efd);
	mask(&d, efd);
	loopback(&d, efd);
	change_and_remove(&d, efd);
	factorial(&d, efd);
	closed_eventfd(&d);
	count(&d, efd, 1000);

	/* Closed with a trigger set and the line masked; the next user starts afresh. */
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "an interrupt before the device is closed");
	ok(file_count("/proc/interrupts", EDU0) > 0, "/proc/interrupts names the device");
	dev_close(&d);
	is(file_count("/proc/interrupts", EDU0), 0, "and no longer after the last close");
	dev_open(&d, EDU0);
	is(irq_trigger(d.fd, 0, efd), 0, "opened again, a trigger");
	is(efd_take(efd, QUIET), 0, "nothing is left over");
	ok(round_trip(&d, efd), "the interrupt arrives unmasked");
	dev_close(&d);
	close(efd);
}

static void edge(void)
{
	struct dev d;
	int efd = efd_new(0), good;

	dev_open(&d, EDU1);
	is(irq_trigger(d.fd, 0, efd), 0, "edge: a trigger");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "edge: the first raise arrives");
	is(efd_take(efd, QUIET), 0, "edge: a line that stays high is one event");
	edu_ack(&d);
	is(efd_take(efd, QUIET), 0, "edge: the falling edge is none");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "edge: acknowledged, the second raise arrives, with no unmask");
	edu_ack(&d);
	is(irq_mask(d.fd, 0), -EINVAL, "edge: it cannot be masked: EINVAL");
	is(irq_unmask(d.fd, 0), -EINVAL, "edge: nor unmasked: EINVAL");
	is(irq_set(d.fd, 0, EVENTFD | UNMASK, efd), -EINVAL,
	   "edge: nor unmasked by eventfd: EINVAL");
	is(irq_set(d.fd, 0, NONE | TRIGGER, 0), 0, "edge: a trigger by hand");
	is(irq_set(d.fd, 0, BOOL | TRIGGER, 1), 0, "edge: and a second at once");
	is(efd_take(efd, SOON), 2, "edge: both count, nothing masks itself");
	for (good = 0; good < 100; good++) {
		edu_raise(&d, 1);
		if (efd_take(efd, SOON) != 1)
			break;
		edu_ack(&d);
	}
	is(good, 100, "edge: 100 raises are 100 events");
	is(irq_trigger(d.fd, 0, -1), 0, "edge: the trigger is taken away");
	edu_raise(&d, 1);
	is(efd_take(efd, QUIET), 0, "edge: nothing comes any more");
	edu_ack(&d);
	is(irq_trigger(d.fd, 0, efd), 0, "edge: a trigger again");
	is(efd_take(efd, SOON), 1, "edge: what came meanwhile arrives now");
	is(irq_trigger(d.fd, 0, -1), 0, "edge: taken away again");

	edu_raise(&d, 1);
	edu_ack(&d);
	dev_close(&d);
	dev_open(&d, EDU1);
	is(irq_trigger(d.fd, 0, efd), 0, "edge: closed and opened again, a trigger");
	is(efd_take(efd, QUIET), tap_kernel, "edge: what came for the last user does not arrive");
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "edge: the next one does");
	edu_ack(&d);
	dev_close(&d);
	close(efd);
}

static volatile bool stop;

/* Whoever has the device. */
static void *raises(void *regs)
{
	volatile uint8_t *edu = regs;

	while (!stop) {
		*(volatile uint32_t *)(edu + EDU_REG_RAISE) = 1;
		*(volatile uint32_t *)(edu + EDU_REG_ACK) = 1;
	}
	return NULL;
}

/* Edges that another processor takes just when the line is given up. */
static void edges_at_the_end(void)
{
	int efd = efd_new(0), heard = 0;
	void *regs = mem_physical(EDU1_BASE);
	pthread_t thread;
	struct dev d;

	for (int i = 0; i < 50; i++) {
		dev_open(&d, EDU1);
		stop = false;
		pthread_create(&thread, NULL, raises, regs);
		irq_trigger(d.fd, 0, efd);
		efd_take(efd, SOON);
		dev_close(&d);
		stop = true;
		pthread_join(thread, NULL);
		efd_take(efd, 0);
		dev_open(&d, EDU1);
		irq_trigger(d.fd, 0, efd);
		heard += !!efd_take(efd, 5);
		dev_close(&d);
	}
	if (tap_kernel)
		tap_note("%d times of 50 the next user has heard it", heard);
	else
		is(heard, 0, "edge: nor does what came when the last user went, 50 times");
	close(efd);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	level();
	edge();
	edges_at_the_end();
	return tap_done();
}
