// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_ioeventfd - eventfds that write to a BAR when they are signalled
 */
/* vm: board=pci timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define NVME_AQA	0x24		/* a register that keeps what is written */
#define NVME_TABLE	0x2000		/* of MSI-X */
#define NVME_VECTORS	65
#define NIC_IOADDR	0x0		/* in BAR 2: I/O ports */
#define MEMORY_BAR	VFIO_PCI_BAR2_REGION_INDEX
#define MOST		1000

static uint64_t at(uint32_t index, uint64_t offset)
{
	return (uint64_t)index << 40 | offset;
}

static int ioeventfd(const struct dev *d, uint32_t flags, uint64_t offset, uint64_t data,
		     int32_t fd)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg), .flags = flags, .offset = offset, .data = data, .fd = fd,
	};

	return xioctl(d->fd, VFIO_DEVICE_IOEVENTFD, &arg);
}

static int set32(const struct dev *d, uint64_t offset, uint32_t data, int32_t fd)
{
	return ioeventfd(d, VFIO_DEVICE_IOEVENTFD_32, offset, data, fd);
}

/* What the other side does may be done by a work item: wait for it. */
static bool becomes(const volatile uint32_t *reg, uint32_t value)
{
	long end = now_ms() + SOON;

	while (*reg != value && now_ms() < end)
		sleep_ms(1);
	return *reg == value;
}

static volatile uint32_t *reg32(const struct dev *d, size_t offset)
{
	return (volatile uint32_t *)(d->regs + offset);
}

static void refused(void)
{
	struct vfio_device_ioeventfd shorter = {
		.argsz = offsetof(struct vfio_device_ioeventfd, fd) + 3,
		.flags = VFIO_DEVICE_IOEVENTFD_32,
	};
	const uint64_t end = NVME_TABLE + NVME_VECTORS * PCI_MSIX_ENTRY_SIZE;
	int efd = efd_new(0);
	struct dev d, nic;
	uint64_t size;

	pci_open(&d, PCI_NVME);
	pci_open(&nic, PCI_NIC);
	size = region_size(&d, 0);
	is(xioctl(d.fd, VFIO_DEVICE_IOEVENTFD, &shorter), -EINVAL, "argsz too small: EINVAL");
	is(ioeventfd(&d, 0, NVME_AQA, 0, efd), -EINVAL, "no width: EINVAL");
	is(ioeventfd(&d, 3, NVME_AQA, 0, efd), -EINVAL, "two widths: EINVAL");
	is(ioeventfd(&d, 0x10, NVME_AQA, 0, efd), -EINVAL, "an unknown flag: EINVAL");
	is(ioeventfd(&d, 0x14, NVME_AQA, 0, efd), -EINVAL, "an unknown flag and a width: EINVAL");
	is(set32(&d, NVME_AQA, 0, -2), -EINVAL, "fd -2: EINVAL");
	is(set32(&d, at(VFIO_PCI_ROM_REGION_INDEX, 0), 0, efd), -EINVAL, "into no ROM: EINVAL");
	is(set32(&nic, at(VFIO_PCI_ROM_REGION_INDEX, 0), 0, efd), -EINVAL, "into a ROM: EINVAL");
	is(set32(&d, at(VFIO_PCI_CONFIG_REGION_INDEX, 0x40), 0, efd), -EINVAL,
	   "into configuration space: EINVAL");
	is(set32(&d, at(VFIO_PCI_VGA_REGION_INDEX, 0), 0, efd), -EINVAL, "into VGA: EINVAL");
	is(set32(&d, at(VFIO_PCI_NUM_REGIONS, 0), 0, efd), -EINVAL, "into region 9: EINVAL");
	is(set32(&d, at(3, 0), 0, efd), -EINVAL, "into a BAR that is not there: EINVAL");
	is(set32(&d, size, 0, efd), -EINVAL, "behind the end: EINVAL");
	is(set32(&d, (1ull << 40) - 4, 0, efd), -EINVAL, "far behind it: EINVAL");
	is(set32(&d, size - 2, 0, efd), -EINVAL, "across the end: EINVAL");
	is(set32(&d, NVME_TABLE, 0, efd), -EINVAL, "into the table of MSI-X: EINVAL");
	is(set32(&d, end - 4, 0, efd), -EINVAL, "its last bytes: EINVAL");
	is(set32(&d, end, 0, efd), 0, "right behind it: done");
	is(set32(&d, NVME_TABLE - 4, 0, efd), 0, "right before it: done");
	is(set32(&d, size - 4, 0, efd), 0, "the last bytes of the BAR: done");

	is(set32(&d, NVME_AQA, 1, -1), -ENODEV, "taken away what is not there: ENODEV");
	is(set32(&d, NVME_AQA, 1, 12345), -EBADF, "with no file: EBADF");
	is(set32(&d, NVME_AQA, 1, d.container), -EINVAL, "with a file that is no eventfd: EINVAL");
	is(set32(&d, NVME_AQA, 1, efd), 0, "with an eventfd: done");
	is(set32(&d, NVME_AQA, 1, efd), -EEXIST, "once more: EEXIST");
	is(set32(&d, NVME_AQA, 1, 12345), -EEXIST, "once more with no file: EEXIST");
	is(set32(&d, NVME_AQA, 2, efd), 0, "another value: done");
	is(ioeventfd(&d, VFIO_DEVICE_IOEVENTFD_16, NVME_AQA, 1, efd), 0, "another width: done");
	is(set32(&d, NVME_AQA, 3, -1), -ENODEV, "a third value taken away: ENODEV");
	is(set32(&d, NVME_AQA, 1, -1), 0, "the first taken away");
	is(set32(&d, NVME_AQA, 1, -1), -ENODEV, "twice: ENODEV");
	is(set32(&d, NVME_AQA, 1, efd), 0, "set again");
	dev_close(&d);
	pci_open(&d, PCI_NVME);
	is(set32(&d, NVME_AQA, 1, -1), -ENODEV, "closed and opened: it is gone");
	dev_close(&d);
	dev_close(&nic);
	close(efd);
}

static void writes(void)
{
	int efd = efd_new(0), other = efd_new(1);
	struct dev d;

	pci_open(&d, PCI_EDU);
	is(set32(&d, EDU_REG_LIVE, 0x12345678, efd), 0, "an eventfd that writes 4 bytes");
	dev_write(&d, EDU_REG_LIVE, 0);
	is(dev_read(&d, EDU_REG_LIVE), ~0u, "not signalled, nothing is written");
	efd_signal(efd);
	ok(becomes(reg32(&d, EDU_REG_LIVE), ~0x12345678u), "signalled, its value is");
	is(efd_take(efd, 0), 0, "and the eventfd is empty");
	dev_write(&d, EDU_REG_LIVE, 0);
	efd_signal(efd);
	ok(becomes(reg32(&d, EDU_REG_LIVE), ~0x12345678u), "and again");

	is(set32(&d, EDU_REG_LIVE, 0x5a5a, other), 0, "one that was signalled before");
	ok(becomes(reg32(&d, EDU_REG_LIVE), ~0x5a5au), "writes at once");
	is(set32(&d, EDU_REG_LIVE, 0x5a5a, -1), 0, "it is taken away");
	dev_write(&d, EDU_REG_LIVE, 0);
	efd_signal(other);
	sleep_ms(QUIET);
	is(dev_read(&d, EDU_REG_LIVE), ~0u, "signalled, nothing is written");

	close(efd);
	is(set32(&d, EDU_REG_LIVE, 0x12345678, other), -EEXIST, "the first's file closed: EEXIST");
	is(set32(&d, EDU_REG_LIVE, 0x12345678, -1), 0, "it can be taken away");
	is(set32(&d, EDU_REG_LIVE, 0x12345678, other), 0, "and set again");
	dev_close(&d);
	efd_signal(other);
	close(other);
}

/* Device memory does not like memset(). */
static void clear(volatile uint8_t *mem, size_t words)
{
	for (size_t i = 0; i < words; i++)
		((volatile uint32_t *)mem)[i] = 0;
}

/* Every width, and only what it covers. */
static void widths(void)
{
	static const uint64_t data = 0x8877665544332211;
	int efd = efd_new(0);
	volatile uint8_t *mem;
	uint64_t want, got;
	struct dev d;
	int ret;

	pci_open(&d, PCI_MEMORY);
	is(bar_map(&d, MEMORY_BAR, &mem), 0, "memory is mapped");
	for (uint32_t width = 1; width <= 8; width *= 2) {
		uint64_t offset = 64 * width + (width < 8 ? width : 0);

		clear(mem, 256);
		ret = ioeventfd(&d, width, at(MEMORY_BAR, offset), data, efd);
		if (width == 8 && ret == -EINVAL && tap_kernel) {
			tap_skip("this kernel writes no 8 bytes");
			continue;
		}
		is(ret, 0, "an eventfd that writes %u bytes", width);
		efd_signal(efd);
		want = width == 8 ? data : data & ((1ull << 8 * width) - 1);
		sleep_ms(QUIET);
		got = 0;
		for (uint32_t i = 0; i < width; i++)
			got |= (uint64_t)mem[offset + i] << 8 * i;
		ok(got == want, "%u bytes are written", width);
		ok(!mem[offset - 1] && !mem[offset + width], "and none beside them");
		is(ioeventfd(&d, width, at(MEMORY_BAR, offset), data, -1), 0, "%u bytes: away",
		   width);
	}
	munmap((void *)mem, region_size(&d, MEMORY_BAR));
	dev_close(&d);
	close(efd);
}

/* One eventfd, many places; as many as there may be. */
static void many(void)
{
	int efd = efd_new(0), bad = 0, right = 0;
	volatile uint8_t *mem;
	struct dev d;

	pci_open(&d, PCI_MEMORY);
	is(bar_map(&d, MEMORY_BAR, &mem), 0, "memory is mapped");
	clear(mem, MOST);
	for (uint32_t i = 0; i < MOST; i++)
		bad |= set32(&d, at(MEMORY_BAR, 4 * i), i + 1, efd);
	is(bad, 0, "%d ioeventfds", MOST);
	is(set32(&d, at(MEMORY_BAR, 0), 5, efd), -ENOSPC, "one more: ENOSPC");
	is(set32(&d, at(MEMORY_BAR, 0), 1, efd), -EEXIST, "one that is there: EEXIST");
	is(set32(&d, at(MEMORY_BAR, 0), 5, -1), -ENODEV, "one that is not: ENODEV");
	efd_signal(efd);
	ok(becomes((volatile uint32_t *)(mem + 4 * (MOST - 1)), MOST), "signalled, the last writes");
	sleep_ms(QUIET);
	for (uint32_t i = 0; i < MOST; i++)
		right += ((volatile uint32_t *)mem)[i] == i + 1;
	is(right, MOST, "and so do all");
	is(set32(&d, at(MEMORY_BAR, 4), 2, -1), 0, "one is taken away");
	is(set32(&d, at(MEMORY_BAR, 0), 5, efd), 0, "another has its place");
	munmap((void *)mem, region_size(&d, MEMORY_BAR));
	dev_close(&d);
	close(efd);
}

static void ports(void)
{
	int efd = efd_new(0);
	uint32_t value = 0;
	struct dev d;
	long end = now_ms() + SOON;

	pci_open(&d, PCI_NIC);
	cfg_command(&d, PCI_COMMAND_IO, 0);
	is(bar_pwrite(&d, 2, NIC_IOADDR, &value, 4), 4, "an I/O port");
	is(set32(&d, at(2, NIC_IOADDR), 0x10, efd), 0, "an eventfd that writes to it");
	efd_signal(efd);
	while (bar_pread(&d, 2, NIC_IOADDR, &value, 4) == 4 && value != 0x10 && now_ms() < end)
		sleep_ms(1);
	is(value, 0x10, "does");
	dev_close(&d);
	close(efd);
}

/* What comes while the device's memory is off is lost, and does no harm. */
static void silent(void)
{
	int efd = efd_new(0);
	struct dev d;
	uint32_t pm;

	pci_open(&d, PCI_NVME);
	pm = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	is(set32(&d, NVME_AQA, 0x00020002, efd), 0, "an eventfd that writes");
	dev_write(&d, NVME_AQA, 0x00010001);
	cfg_command(&d, 0, MEMORY);
	efd_signal(efd);
	sleep_ms(QUIET);
	cfg_command(&d, MEMORY, 0);
	sleep_ms(QUIET);
	is(dev_read(&d, NVME_AQA), 0x00010001, "signalled with memory off: lost");
	efd_signal(efd);
	ok(becomes(reg32(&d, NVME_AQA), 0x00020002), "with memory on: written");

	cfg_write(&d, pm, 2, cfg_read(&d, pm, 2) | 3);
	efd_signal(efd);
	sleep_ms(QUIET);
	cfg_write(&d, pm, 2, cfg_read(&d, pm, 2) & ~3u);
	cfg_command(&d, MEMORY, 0);
	dev_write(&d, NVME_AQA, 0x00010001);
	sleep_ms(QUIET);
	is(dev_read(&d, NVME_AQA), 0x00010001, "signalled in D3: lost");
	efd_signal(efd);
	ok(becomes(reg32(&d, NVME_AQA), 0x00020002), "in D0 again: written");
	dev_close(&d);
	close(efd);
}

/* Signalled by an interrupt. */
static void interrupted(void)
{
	int32_t efd = efd_new(0);
	struct dev d;

	pci_open(&d, PCI_EDU);
	is(irq_vectors(d.fd, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, &efd), 0, "MSI signals an eventfd");
	is(set32(&d, EDU_REG_LIVE, 0x77, efd), 0, "that writes");
	dev_write(&d, EDU_REG_LIVE, 0);
	edu_raise(&d, 1);
	ok(becomes(reg32(&d, EDU_REG_LIVE), ~0x77u), "an interrupt writes");
	edu_ack(&d);
	is(irq_disable(d.fd, VFIO_PCI_MSI_IRQ_INDEX), 0, "MSI off");
	dev_close(&d);
	close(efd);
}

static volatile bool stop;
static int storm_efd;

static void *signals(void *arg)
{
	while (!stop)
		efd_signal(storm_efd);
	return arg;
}

/* Signalled all the time, by two threads, while the device goes and comes. */
static void storm(void)
{
	const uint64_t reg = NVME_AQA;
	pthread_t threads[2];
	struct dev d;
	int bad = 0;
	uint32_t pm;

	storm_efd = efd_new(0);
	for (int round = 0; round < 3; round++) {
		stop = false;
		pci_open(&d, PCI_NVME);
		pm = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
		bad |= set32(&d, reg, 0x00030003, storm_efd);
		for (int i = 0; i < 2; i++)
			if (pthread_create(&threads[i], NULL, signals, NULL))
				tap_bail("no thread");
		for (int i = 0; i < 100; i++) {
			cfg_command(&d, 0, MEMORY);
			cfg_command(&d, MEMORY, 0);
			if (i % 10 == 0) {
				bad |= pci_reset(&d);
				cfg_write(&d, pm, 2, cfg_read(&d, pm, 2) | 3);
				cfg_write(&d, pm, 2, cfg_read(&d, pm, 2) & ~3u);
				cfg_command(&d, MEMORY, 0);
			}
			bad |= set32(&d, reg, 0x00030003, -1);
			bad |= set32(&d, reg, 0x00030003, storm_efd);
		}
		ok(becomes(reg32(&d, reg), 0x00030003), "a storm: it still writes");
		if (round)
			dev_close(&d);		/* while signals come */
		stop = true;
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		if (!round)
			dev_close(&d);
	}
	is(bad, 0, "memory off and on, resets, D3 and away: no error");
	close(storm_efd);
}

/* Unbound under its user. */
static void revoked(void)
{
	int efd = efd_new(0);
	struct dev d;

	if (tap_kernel) {
		tap_skip("the kernel waits until the device is closed");
		return;
	}
	board_grace(50);
	pci_open(&d, PCI_EDU);
	is(set32(&d, EDU_REG_LIVE, 1, efd), 0, "an eventfd that writes");
	is(board_unbind(PCI_EDU), 0, "the device is unbound");
	efd_signal(efd);
	is(set32(&d, EDU_REG_LIVE, 1, -1), -ENODEV, "IOEVENTFD: ENODEV");
	is(set32(&d, EDU_REG_LIVE, 2, efd), -ENODEV, "another: ENODEV");
	is(efd_take(efd, 0), 1, "a signal is nobody's");
	dev_close(&d);
	board_take(PCI_EDU);
	pci_open(&d, PCI_EDU);
	is(set32(&d, EDU_REG_LIVE, 1, efd), 0, "bound again it can have one");
	dev_close(&d);
	close(efd);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	refused();
	writes();
	widths();
	many();
	ports();
	silent();
	interrupted();
	storm();
	revoked();
	return tap_done();
}
