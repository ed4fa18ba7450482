// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A userspace driver for Arm's GPIO block PL061, which has eight lines: what they are, and an
 * interrupt when one of them rises.
 *
 *	pl061 [DEVICE [LINE]]		LINE, 0 to 7: waits until it rises
 *
 * DEVICE is as for `evfio info`, 9030000.pl061 by default, which QEMU's machine "virt" has: its
 * line 3 is the power button, which `system_powerdown` in QEMU's monitor presses. The device must
 * be bound to VFIO: `evfio bind 9030000.pl061`. It does no DMA. Registers are those of the
 * PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual, Arm DDI 0190; each has
 * a bit for each line.
 *
 * The kernel must not have had its own driver on the device: the interrupt of a GPIO block, which
 * that takes as a chained one, cannot be requested any more after it (EINVAL). A built-in driver is
 * left out by initcall_blacklist=pl061_gpio_driver_init on the kernel's command line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <evfio/evfio.h>

#define GPIO_DATA(mask)	((mask) << 2)	/* the address says which lines it is about */
#define GPIO_DIR	0x400		/* 1: output */
#define GPIO_LEVEL	0x404		/* 1: the interrupt is for a level, 0: for an edge */
#define GPIO_BOTH	0x408		/* 1: for both edges, 0: for one */
#define GPIO_RISING	0x40c		/* 1: for the rising one */
#define GPIO_ENABLE	0x410
#define GPIO_STATUS	0x418		/* why the line of the interrupt is up */
#define GPIO_CLEAR	0x41c
#define GPIO_ID		0xfe0		/* the lowest byte of four registers */
#define GPIO_PART	0x061U		/* 12 bits, the first of them */

#define LINES		8U
#define TIMEOUT_MS	10000

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "pl061: %s\n", evfio_error());
	exit(EXIT_FAILURE);
}

static void print_lines(const struct evfio_region *regs)
{
	const uint32_t outputs = evfio_read32(regs, GPIO_DIR);
	const uint32_t levels = evfio_read32(regs, GPIO_DATA(0xffU));
	uint32_t line;

	for (line = 0; line < LINES; line++)
		printf("line %" PRIu32 "   %s, %s\n", line, outputs >> line & 1 ? "output" : "input",
		       levels >> line & 1 ? "up" : "down");
}

static void change(const struct evfio_region *regs, uint32_t reg, uint32_t clear, uint32_t set)
{
	evfio_write32(regs, reg, (evfio_read32(regs, reg) & ~clear) | set);
}

static void wait_rise(struct evfio_device *dev, const struct evfio_region *regs, uint32_t line)
{
	const uint32_t bit = 1U << line;
	struct evfio_irq *irq;

	check(evfio_irq_open(dev, 0, &irq));
	change(regs, GPIO_DIR, bit, 0);
	change(regs, GPIO_LEVEL, bit, 0);
	change(regs, GPIO_BOTH, bit, 0);
	change(regs, GPIO_RISING, 0, bit);
	evfio_write32(regs, GPIO_CLEAR, bit);
	evfio_write32(regs, GPIO_ENABLE, bit);
	printf("line %" PRIu32 "   waiting\n", line);
	fflush(stdout);

	check(evfio_irq_wait(irq, TIMEOUT_MS));
	if (evfio_read32(regs, GPIO_STATUS) != bit) {
		fputs("pl061: the interrupt was another line's\n", stderr);
		exit(EXIT_FAILURE);
	}
	printf("line %" PRIu32 "   has risen\n", line);
	/* The interrupt's own line is down when this is cleared; then it may come up again. */
	evfio_write32(regs, GPIO_CLEAR, bit);
	check(evfio_irq_rearm(irq));
	evfio_write32(regs, GPIO_ENABLE, 0);
	evfio_irq_close(irq);
}

int main(int argc, char **argv)
{
	const unsigned long line = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	struct evfio_region *regs;
	struct evfio_device *dev;
	uint32_t part;

	if (argc > 3 || line >= LINES) {
		fputs("usage: pl061 [DEVICE [LINE]]\n", stderr);
		return 2;
	}
	check(evfio_open(argc > 1 ? argv[1] : "9030000.pl061", &dev));
	check(evfio_region_map(dev, 0, &regs));
	part = (evfio_read32(regs, GPIO_ID) & 0xff) | (evfio_read32(regs, GPIO_ID + 4) & 0xf) << 8;
	if (part != GPIO_PART) {
		fprintf(stderr, "pl061: this is part 0x%03" PRIx32 "\n", part);
		return EXIT_FAILURE;
	}
	print_lines(regs);
	if (argc > 2)
		wait_rise(dev, regs, (uint32_t)line);
	evfio_region_unmap(regs);
	evfio_close(dev);
	return EXIT_SUCCESS;
}
