// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A userspace driver for QEMU's "edu" device, from opening it to giving everything back.
 *
 *	edu [DEVICE [INTERRUPT]]
 *
 * DEVICE is as for `evfio info`, 10000000.edu by default; on PCI, INTERRUPT is intx or msi, which
 * is the default. The device must be bound to VFIO: `evfio bind 10000000.edu`. Whether it is a
 * platform device or a PCI device makes no difference to the driver. Registers are those of QEMU's
 * docs/specs/edu.rst. Each step prints what was seen; the exit status is 0 if all was as it should
 * be.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <evfio/evfio.h>

/* Registers below 0x80 take accesses of 4 bytes only, those from there of 4 or 8. */
#define EDU_ID			0x00
#define EDU_ID_VALUE		0x010000edU	/* version 1.0 of 0xed */
#define EDU_LIVENESS		0x04		/* reads as the inverse of what was written */
#define EDU_FACTORIAL		0x08		/* write n, read n! */
#define EDU_STATUS		0x20
#define EDU_STATUS_IRQ		0x80		/* interrupt when the factorial is there */
#define EDU_IRQ_STATUS		0x24		/* why the line is up */
#define EDU_IRQ_FACTORIAL	0x001
#define EDU_IRQ_DMA		0x100
#define EDU_IRQ_ACK		0x64		/* write the reasons that were served */
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_START		0x1		/* reads as 1 while busy */
#define EDU_DMA_FROM_EDU	0x2		/* from the device's buffer to memory */
#define EDU_DMA_IRQ		0x4		/* interrupt at the end */

/* The device's own buffer, as an address for SRC or DST. QEMU aborts on a transfer of all of it. */
#define EDU_BUFFER		0x40000
#define EDU_BUFFER_SIZE		4096

#define EDU_DMA_BITS		28		/* address bits, by default */

#define TRANSFER		(EDU_BUFFER_SIZE - 16)
#define TIMEOUT_MS		5000

struct edu {
	struct evfio_device *dev;
	struct evfio_container *ct;
	struct evfio_region *regs;
	struct evfio_irq *irq;
	bool level;
};

static void step(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void step(const char *name, const char *fmt, ...)
{
	va_list args;

	printf("%-11s", name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* Ends the program: what is open is given back by the kernel, as after any other exit. */
static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("edu: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* For calls of libevfio, which leave a message when they fail. */
static int check(int ret)
{
	if (ret < 0)
		die("%s", evfio_error());
	return ret;
}

/* The interrupt that was asked for; else MSI if the device has it, else its only one. */
static uint32_t choose_irq(const struct edu *edu, const char *name)
{
	struct evfio_irq_info info;
	int index;

	if (name)
		return (uint32_t)check(evfio_irq_index(edu->dev, name));
	index = evfio_irq_index(edu->dev, "msi");
	if (index > 0 && !evfio_irq_info(edu->dev, (uint32_t)index, &info) && info.count)
		return (uint32_t)index;
	return 0;
}

static void open_device(struct edu *edu, const char *name, const char *irq_name)
{
	struct evfio_region_info region;
	struct evfio_irq_info irq;

	check(evfio_open(name, &edu->dev));
	edu->ct = evfio_device_container(edu->dev);
	step("device", "%s, IOMMU group %d, %u region(s), %u interrupt(s)",
	     evfio_device_name(edu->dev), evfio_device_group(edu->dev),
	     evfio_device_regions(edu->dev), evfio_device_irqs(edu->dev));

	check(evfio_region_info(edu->dev, 0, &region));
	check(evfio_region_map(edu->dev, 0, &edu->regs));
	step("region", "0 \"%s\": 0x%" PRIx64 " bytes, %s", region.name, region.size,
	     edu->regs->base ? "mapped" : "by file access");

	check(evfio_irq_info(edu->dev, choose_irq(edu, irq_name), &irq));
	check(evfio_irq_open(edu->dev, irq.index, &edu->irq));
	edu->level = irq.flags & EVFIO_IRQ_AUTOMASKED;
	step("interrupt", "%" PRIu32 " \"%s\": %s", irq.index, irq.name,
	     edu->level ? "level, masked by the kernel as it fires" : "edge");

	/* IOVAs that the library chooses from now on fit the device, which may now use them. */
	check(evfio_dma_set_mask(edu->ct, EDU_DMA_BITS));
	check(evfio_device_set_dma(edu->dev, true));
}

static void check_registers(const struct edu *edu)
{
	uint32_t value = evfio_read32(edu->regs, EDU_ID);

	if (value != EDU_ID_VALUE)
		die("the id register reads 0x%08" PRIx32 ", not 0x%08x: is this an edu device?",
		    value, EDU_ID_VALUE);
	step("id", "0x%08" PRIx32, value);

	evfio_write32(edu->regs, EDU_LIVENESS, 0x12345678);
	value = evfio_read32(edu->regs, EDU_LIVENESS);
	if (value != ~0x12345678U)
		die("liveness: wrote 0x12345678, read 0x%08" PRIx32, value);
	step("liveness", "wrote 0x12345678, read 0x%08" PRIx32 ", its inverse", value);
}

/*
 * Waits for the interrupt and serves it. The line of a level interrupt stays up until the device is
 * acknowledged, and so it is masked until we say that this was done.
 */
static void serve_interrupt(const struct edu *edu, uint32_t reason)
{
	uint32_t status;

	check(evfio_irq_wait(edu->irq, TIMEOUT_MS));
	status = evfio_read32(edu->regs, EDU_IRQ_STATUS);
	if (status != reason)
		die("the interrupt's reason is 0x%" PRIx32 ", not 0x%" PRIx32, status, reason);
	evfio_write32(edu->regs, EDU_IRQ_ACK, status);
	status = evfio_read32(edu->regs, EDU_IRQ_STATUS);
	if (status)
		die("the interrupt is still up after its acknowledgment: 0x%" PRIx32, status);
	check(evfio_irq_rearm(edu->irq));
}

static void factorial(const struct edu *edu)
{
	uint32_t value;

	evfio_write32(edu->regs, EDU_STATUS, EDU_STATUS_IRQ);
	evfio_write32(edu->regs, EDU_FACTORIAL, 10);
	serve_interrupt(edu, EDU_IRQ_FACTORIAL);
	value = evfio_read32(edu->regs, EDU_FACTORIAL);
	if (value != 3628800)
		die("10! is 3628800, not %" PRIu32, value);
	step("factorial", "10! = %" PRIu32 ", announced by an interrupt, acknowledged%s", value,
	     edu->level ? ", unmasked" : "");
	evfio_write32(edu->regs, EDU_STATUS, 0);

	/* Served means silent: a line that is still up would fire again at once. */
	if (evfio_irq_wait(edu->irq, 50) != -ETIMEDOUT)
		die("the interrupt fired again, though nothing happened");
}

/* Lets the device copy; addresses are IOVAs or EDU_BUFFER. The end is announced by an interrupt. */
static void transfer(const struct edu *edu, uint64_t src, uint64_t dst, uint32_t count,
		     uint32_t direction)
{
	evfio_write64(edu->regs, EDU_DMA_SRC, src);
	evfio_write64(edu->regs, EDU_DMA_DST, dst);
	evfio_write64(edu->regs, EDU_DMA_COUNT, count);
	/* This write comes after all that is in memory by now: see <evfio/region.h>. */
	evfio_write32(edu->regs, EDU_DMA_CMD, EDU_DMA_START | EDU_DMA_IRQ | direction);
	serve_interrupt(edu, EDU_IRQ_DMA);
	if (evfio_read32(edu->regs, EDU_DMA_CMD) & EDU_DMA_START)
		die("the transfer is announced, but not done");
}

static void dma(const struct edu *edu)
{
	struct evfio_dma *out, *back;
	const uint8_t *sent, *got;
	uint64_t kib;
	uint32_t i;

	/* The device may read the one buffer and write the other, and nothing else. */
	check(evfio_dma_alloc(edu->ct, TRANSFER, 0, EVFIO_DMA_TO_DEVICE, &out));
	check(evfio_dma_alloc(edu->ct, TRANSFER, 0, EVFIO_DMA_FROM_DEVICE, &back));
	for (i = 0; i < TRANSFER; i++)
		((uint8_t *)out->addr)[i] = (uint8_t)(i * 7 + (i >> 8));
	if (!evfio_container_pinned(edu->ct, &kib))
		step("memory", "2 buffers, pinned for DMA: %" PRIu64 " kB", kib);

	/* For a device that is not cache-coherent; otherwise these do nothing. */
	check(evfio_dma_sync_for_device(out, 0, TRANSFER));
	check(evfio_dma_sync_for_device(back, 0, TRANSFER));
	transfer(edu, out->iova, EDU_BUFFER, TRANSFER, 0);
	step("DMA out", "%u bytes from IOVA 0x%" PRIx64 " to the device", TRANSFER, out->iova);
	transfer(edu, EDU_BUFFER, back->iova, TRANSFER, EDU_DMA_FROM_EDU);
	step("DMA back", "%u bytes from the device to IOVA 0x%" PRIx64, TRANSFER, back->iova);

	check(evfio_dma_sync_for_cpu(back, 0, TRANSFER));
	sent = out->addr;
	got = back->addr;
	for (i = 0; i < TRANSFER; i++) {
		if (got[i] != sent[i])
			die("byte %" PRIu32 " is 0x%02x, sent was 0x%02x", i, got[i], sent[i]);
	}
	step("compare", "all %u bytes are equal", TRANSFER);
	check(evfio_dma_free(out));
	check(evfio_dma_free(back));
}

/* Opens the kernel's log behind its present end; -1 if we may not. */
static int open_log(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/*
 * Looks for what an SMMUv3 driver has said about a translation fault since open_log(). Up to Linux
 * 6.12 that is a line "event 0x10 received:" and one for each 64-bit word of the event record (Arm
 * IHI 0070, 7.3): the stream is the upper half of word 0, the address is word 2. Later kernels
 * print it in one line, decoded.
 */
static bool find_fault(int fd, char *text, size_t size)
{
	uint64_t words[3] = { 0 };
	char record[1024];
	int word = -1;
	ssize_t len;

	/* The report comes by an interrupt of its own, line by line. */
	while (fd >= 0 && poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 500) == 1) {
		char *line, *value;

		/* One read() is one record: "priority,number,time,flags;text\n". */
		len = read(fd, record, sizeof(record) - 1);
		if (len <= 0)
			continue;
		record[len] = '\0';
		line = strchr(record, ';');
		if (!line)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (strstr(line, "F_TRANSLATION")) {
			snprintf(text, size, "%s", line + 1);
			return true;
		}
		if (strstr(line, "event 0x10 received:")) {
			snprintf(text, size, "%s", line + 1);
			word = 0;
			continue;
		}
		value = strrchr(line, 'x');
		if (word < 0 || !value)
			continue;
		words[word++] = strtoull(value + 1, NULL, 16);
		if (word == 3) {
			size_t used = strlen(text);

			snprintf(text + used, size - used, " stream 0x%" PRIx64 ", IOVA 0x%" PRIx64,
				 words[0] >> 32, words[2]);
			return true;
		}
	}
	return false;
}

/* DMA to an address that was mapped until a moment ago must not get through. */
static void rogue_dma(const struct edu *edu)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *canary = aligned_alloc(size, size);
	int log = open_log();
	struct evfio_dma *mapping;
	char fault[256] = "";
	uint64_t iova;
	size_t i;

	if (!canary)
		die("no memory");
	memset(canary, 0xa5, size);
	check(evfio_dma_map(edu->ct, canary, size, EVFIO_DMA_BOTH, &mapping));
	iova = mapping->iova;
	check(evfio_dma_free(mapping));

	/* Four bytes, which is one access and one fault. */
	transfer(edu, EDU_BUFFER, iova, 4, EDU_DMA_FROM_EDU);
	for (i = 0; i < size; i++) {
		if (canary[i] != 0xa5)
			die("byte %zu of unmapped memory was overwritten: 0x%02x", i, canary[i]);
	}
	step("rogue DMA", "4 bytes to IOVA 0x%" PRIx64 ", which is not mapped: memory untouched",
	     iova);
	free(canary);

	if (find_fault(log, fault, sizeof(fault)))
		step("fault", "%s", fault);
	else
		step("fault", "%s", log < 0 ? "(no permission to read the kernel's log)" :
		     "(nothing about it in the kernel's log)");
	if (log >= 0)
		close(log);
}

static void release(struct edu *edu)
{
	uint64_t kib;
	int err = evfio_container_pinned(edu->ct, &kib);

	if (err)
		step("release", "%s", evfio_error());
	else if (kib)
		die("%" PRIu64 " kB are still pinned", kib);
	else
		step("release", "all buffers, pinned for DMA: %" PRIu64 " kB", kib);
	evfio_irq_close(edu->irq);
	evfio_region_unmap(edu->regs);
	evfio_close(edu->dev);
	step("done", "interrupt, region and device closed");
}

int main(int argc, char **argv)
{
	struct edu edu;

	if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
		fputs("usage: edu [DEVICE [INTERRUPT]]\n", stderr);
		return 2;
	}
	open_device(&edu, argc > 1 ? argv[1] : "10000000.edu", argc > 2 ? argv[2] : NULL);
	check_registers(&edu);
	factorial(&edu);
	dma(&edu);
	rogue_dma(&edu);
	release(&edu);
	return EXIT_SUCCESS;
}
