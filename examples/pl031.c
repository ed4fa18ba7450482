// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A userspace driver for Arm's real-time clock PL031: it tells the time, and its alarm is an
 * interrupt.
 *
 *	pl031 [DEVICE [SECONDS]]
 *
 * DEVICE is as for `evfio info`, 9010000.pl031 by default, which QEMU's machine "virt" has; the
 * alarm rings in SECONDS, 1 by default. The device must be bound to VFIO: `evfio bind
 * 9010000.pl031`. It is an AMBA device, which makes no difference to the driver, and does no DMA.
 * Registers are those of the PrimeCell Real Time Clock (PL031) Technical Reference Manual, Arm
 * DDI 0224.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <evfio/evfio.h>

#define RTC_DATA	0x00	/* seconds, since 1970 as is the custom */
#define RTC_MATCH	0x04	/* when the alarm is to ring */
#define RTC_MASK	0x10	/* 1: the alarm is an interrupt */
#define RTC_STATUS	0x18	/* 1: it is why the line is up */
#define RTC_CLEAR	0x1c
#define RTC_ID		0xfe0	/* the lowest byte of four registers */
#define RTC_PART	0x031U	/* 12 bits, the first of them */

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "pl031: %s\n", evfio_error());
	exit(EXIT_FAILURE);
}

static void print_time(const char *what, uint32_t seconds)
{
	const time_t when = (time_t)seconds;
	char text[32];

	strftime(text, sizeof(text), "%F %T", gmtime(&when));
	printf("%-8s %s UTC\n", what, text);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const uint32_t wait = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1;
	struct evfio_region *regs;
	struct evfio_device *dev;
	struct evfio_irq *irq;
	uint32_t begin, part;

	check(evfio_open(argc > 1 ? argv[1] : "9010000.pl031", &dev));
	check(evfio_region_map(dev, 0, &regs));
	part = (evfio_read32(regs, RTC_ID) & 0xff) | (evfio_read32(regs, RTC_ID + 4) & 0xf) << 8;
	if (part != RTC_PART) {
		fprintf(stderr, "pl031: this is part 0x%03" PRIx32 "\n", part);
		return EXIT_FAILURE;
	}
	check(evfio_irq_open(dev, 0, &irq));

	begin = evfio_read32(regs, RTC_DATA);
	print_time("time", begin);
	evfio_write32(regs, RTC_CLEAR, 1);
	evfio_write32(regs, RTC_MATCH, begin + wait);
	evfio_write32(regs, RTC_MASK, 1);
	check(evfio_irq_wait(irq, (int)(wait + 10) * 1000));
	if (!evfio_read32(regs, RTC_STATUS)) {
		fputs("pl031: the interrupt was not the alarm's\n", stderr);
		return EXIT_FAILURE;
	}
	print_time("alarm", evfio_read32(regs, RTC_DATA));

	/* The line is down when the alarm is cleared; then it may come up again. */
	evfio_write32(regs, RTC_MASK, 0);
	evfio_write32(regs, RTC_CLEAR, 1);
	check(evfio_irq_rearm(irq));
	evfio_irq_close(irq);
	evfio_region_unmap(regs);
	evfio_close(dev);
	return EXIT_SUCCESS;
}
