// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_low_power - a device that sleeps while it is open, and what wakes it
 */
/* vm: board=pci timeout=120 */
/* vm: board=pci timeout=120 params="vfio-pci.disable_idle_d3=1" kernels="6.12" */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define NVME_CAP	0x00
#define NVME_AQA	0x24		/* a register that keeps what is written */

#define NIC_ICR		0xc0		/* e1000e: causes, cleared when read */
#define NIC_ICS		0xc8		/* causes, to be set */
#define NIC_IMS		0xd0		/* causes that interrupt */
#define NIC_CAUSE	0x4u		/* link status change */

#define SET	VFIO_DEVICE_FEATURE_SET
#define GET	VFIO_DEVICE_FEATURE_GET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE
#define ENTRY	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY
#define WAKEUP	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP
#define EXIT	VFIO_DEVICE_FEATURE_LOW_POWER_EXIT

static int feature(const struct dev *d, uint32_t flags, uint32_t size, int32_t efd)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_low_power_entry_with_wakeup entry;
	} arg = {
		.feature = { .argsz = (uint32_t)sizeof(arg.feature) + size, .flags = flags },
		.entry.wakeup_eventfd = efd,
	};

	return xioctl(d->fd, VFIO_DEVICE_FEATURE, &arg);
}

static int entry(const struct dev *d)
{
	return feature(d, SET | ENTRY, 0, -1);
}

static int entry_with_wakeup(const struct dev *d, int32_t efd)
{
	return feature(d, SET | WAKEUP, 8, efd);
}

static int leave(const struct dev *d)
{
	return feature(d, SET | EXIT, 0, -1);
}

/* What runtime PM says of it. */
static bool is_asleep(const struct dev *d)
{
	return !strcmp(file_read(board_path(d->name, "power/runtime_status")), "suspended");
}

static bool falls_asleep(const struct dev *d)
{
	long end = now_ms() + SOON;

	while (!is_asleep(d) && now_ms() < end)
		sleep_ms(1);
	return is_asleep(d);
}

static bool stays_awake(const struct dev *d)
{
	sleep_ms(QUIET);
	return !is_asleep(d);
}

static uint32_t power_state(const struct dev *d, uint32_t pm)
{
	return hw_read(d->name, pm + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK;
}

static void asked(void)
{
	struct dev d;
	int efd = efd_new(0);

	pci_open(&d, PCI_NVME);
	for (uint32_t id = ENTRY; id <= EXIT; id++) {
		is(feature(&d, PROBE | SET | id, 0, -1), 0, "feature %u can be set", id);
		is(feature(&d, PROBE | id, 0, -1), 0, "feature %u is there", id);
		is(feature(&d, PROBE | GET | id, 0, -1), -EINVAL, "feature %u cannot be got", id);
		is(feature(&d, GET | id, 8, efd), -EINVAL, "feature %u: GET: EINVAL", id);
		is(feature(&d, id, 8, efd), -EINVAL, "feature %u: nothing: EINVAL", id);
	}
	is(feature(&d, SET | WAKEUP, 7, efd), -EINVAL, "no room for an eventfd: EINVAL");
	is(entry_with_wakeup(&d, -1), -EINVAL, "eventfd -1: EINVAL");
	is(entry_with_wakeup(&d, 12345), -EBADF, "no file: EBADF");
	is(entry_with_wakeup(&d, d.container), -EINVAL, "no eventfd: EINVAL");
	is(leave(&d), 0, "EXIT of what is awake");
	is(entry(&d), 0, "ENTRY");
	is(entry(&d), -EINVAL, "ENTRY twice: EINVAL");
	is(entry_with_wakeup(&d, efd), -EINVAL, "with an eventfd: EINVAL");
	is(leave(&d), 0, "EXIT");
	is(leave(&d), 0, "EXIT twice");
	is(entry(&d), 0, "ENTRY again");
	is(efd_take(efd, 0), 0, "nothing was signalled");
	dev_close(&d);
	close(efd);
}

static void sleeps(void)
{
	const struct vfio_region_info *info;
	uint32_t value, pm;
	struct dev d;
	void *mem;

	pci_open(&d, PCI_NVME);
	pm = cfg_cap(&d, PCI_CAP_ID_PM);
	value = dev_read(&d, NVME_CAP);
	dev_write(&d, NVME_AQA, 0x00050005);
	ok(stays_awake(&d), "open, it is awake");
	is(entry(&d), 0, "ENTRY");
	ok(falls_asleep(&d), "it falls asleep");
	is(power_state(&d, pm), 3, "in D3");
	ok(read_faults(d.regs), "its registers are gone: SIGBUS");
	ok(is_asleep(&d), "which does not wake it");
	mem = mmap(NULL, 4096, PROT_READ, MAP_SHARED, d.fd, 0);
	ok(mem != MAP_FAILED && read_faults(mem), "mapped again they are gone too");
	munmap(mem, 4096);

	value = 0;
	is(bar_pread(&d, 0, NVME_AQA, &value, 4), 4, "pread() wakes it");
	is(value, 0x00050005, "and finds what was written");
	ok(falls_asleep(&d), "it falls asleep again");
	value = 0x00060006;
	is(bar_pwrite(&d, 0, NVME_AQA, &value, 4), 4, "so does pwrite()");
	is(cfg_read(&d, PCI_VENDOR_ID, 2), 0x1b36, "and pread() of configuration space");
	is(region_info(&d, 0, &info), 0, "and an ioctl");
	ok(read_faults(d.regs), "its registers stay away");
	ok(falls_asleep(&d), "it falls asleep again");

	is(leave(&d), 0, "EXIT");
	ok(stays_awake(&d), "it stays awake");
	is(power_state(&d, pm), 0, "in D0");
	ok(!read_faults(d.regs), "its registers are there");
	is(dev_read(&d, NVME_AQA), 0x00060006, "and hold what was written");
	is(cfg_read(&d, PCI_COMMAND, 2) & (MEMORY | MASTER), MEMORY | MASTER, "so does its command");
	is(hw_read(PCI_NVME, PCI_COMMAND, 2) & (MEMORY | MASTER), MEMORY | MASTER, "the real one");

	is(entry(&d), 0, "ENTRY");
	ok(falls_asleep(&d), "it falls asleep");
	is(pci_reset(&d), 0, "RESET");
	ok(falls_asleep(&d), "it falls asleep again");
	dev_close(&d);
	pci_open(&d, PCI_NVME);
	ok(stays_awake(&d), "closed asleep, and opened: it is awake");
	ok(!read_faults(d.regs), "and has its registers");
	dev_close(&d);
}

static void wakes(void)
{
	int efd = efd_new(0);
	uint32_t value;
	struct dev d;

	pci_open(&d, PCI_NVME);
	is(entry_with_wakeup(&d, efd), 0, "ENTRY_WITH_WAKEUP");
	ok(falls_asleep(&d), "it falls asleep");
	ok(read_faults(d.regs), "SIGBUS");
	is(efd_take(efd, 0), 0, "which does not wake it");
	is(bar_pread(&d, 0, NVME_CAP, &value, 4), 4, "pread()");
	is(efd_take(efd, 0), 1, "signals");
	ok(stays_awake(&d), "it stays awake");
	ok(!read_faults(d.regs), "its registers are there");
	is(leave(&d), 0, "EXIT");
	is(efd_take(efd, 0), 0, "signals nothing any more");

	is(entry_with_wakeup(&d, efd), 0, "again");
	ok(falls_asleep(&d), "it falls asleep");
	is(entry(&d), 0, "ENTRY, which wakes it");
	is(efd_take(efd, 0), 1, "signals");
	ok(falls_asleep(&d), "and lets it sleep again");
	is(leave(&d), 0, "EXIT");
	is(efd_take(efd, 0), 0, "signals nothing");

	is(entry_with_wakeup(&d, efd), 0, "once more");
	ok(falls_asleep(&d), "it falls asleep");
	is(leave(&d), 0, "EXIT");
	is(efd_take(efd, 0), 1, "signals");
	is(entry_with_wakeup(&d, efd), 0, "and once more");
	ok(falls_asleep(&d), "it falls asleep");
	close(efd);
	dev_close(&d);
}

/* It was in D3 already, by its own registers. */
static void own_d3(void)
{
	uint32_t pm;
	struct dev d;

	pci_open(&d, PCI_NVME);
	pm = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	cfg_write(&d, pm, 2, cfg_read(&d, pm, 2) | 3);
	is(entry(&d), 0, "ENTRY in D3");
	ok(falls_asleep(&d), "it falls asleep");
	is(leave(&d), 0, "EXIT");
	is(cfg_read(&d, pm, 2) & 3, 0, "it is in D0 now");
	cfg_command(&d, MEMORY, 0);
	ok(!read_faults(d.regs), "and its registers are there");
	dev_close(&d);
}

static void cause(struct dev *d)
{
	dev_write(d, NIC_ICS, NIC_CAUSE);
}

/* Interrupts are what they were. */
static void interrupts(uint32_t index)
{
	int32_t efd = efd_new(0);
	struct dev d;

	pci_open(&d, PCI_NIC);
	is(irq_vectors(d.fd, index, 0, 1, &efd), 0, "index %u: a trigger", index);
	dev_write(&d, NIC_IMS, NIC_CAUSE);
	cause(&d);
	is(efd_take(efd, SOON), 1, "index %u: an interrupt", index);
	dev_read(&d, NIC_ICR);
	if (!index)
		is(irq_unmask(d.fd, index), 0, "unmasked");
	is(entry(&d), 0, "ENTRY");
	ok(falls_asleep(&d), "it falls asleep");
	is(leave(&d), 0, "EXIT");
	cause(&d);
	is(efd_take(efd, SOON), 1, "index %u: an interrupt", index);
	dev_read(&d, NIC_ICR);

	if (!index) {
		/* Masked now, and so it stays. */
		is(entry(&d), 0, "ENTRY");
		ok(falls_asleep(&d), "it falls asleep");
		is(leave(&d), 0, "EXIT");
		cause(&d);
		is(efd_take(efd, QUIET), 0, "masked before, masked after");
		is(irq_unmask(d.fd, index), 0, "unmasked");
		is(efd_take(efd, SOON), 1, "it is heard");
		dev_read(&d, NIC_ICR);
	}
	is(irq_disable(d.fd, index), 0, "index %u: off", index);
	dev_close(&d);
	close(efd);
}

/* An eventfd that unmasks does so while it sleeps, too, and one that writes is not heard. */
static void eventfds(void)
{
	const uint32_t unmask = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK;
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg), .flags = VFIO_DEVICE_IOEVENTFD_32, .offset = NIC_ICS,
		.data = NIC_CAUSE,
	};
	int32_t efd = efd_new(0), unmasks = efd_new(0);
	uint64_t heard;
	struct dev d;

	arg.fd = efd_new(0);
	pci_open(&d, PCI_NIC);
	is(irq_vectors(d.fd, 0, 0, 1, &efd), 0, "INTx");
	is(irq_set(d.fd, 0, unmask, unmasks), 0, "an eventfd that unmasks it");
	is(xioctl(d.fd, VFIO_DEVICE_IOEVENTFD, &arg), 0, "an eventfd that raises it");
	dev_write(&d, NIC_IMS, NIC_CAUSE);
	cause(&d);
	is(efd_take(efd, SOON), 1, "an interrupt masks it");
	dev_read(&d, NIC_ICR);
	is(entry(&d), 0, "ENTRY");
	ok(falls_asleep(&d), "it falls asleep");
	efd_signal(unmasks);
	efd_signal(arg.fd);
	sleep_ms(QUIET);
	ok(is_asleep(&d), "both are signalled, it sleeps");
	is(leave(&d), 0, "EXIT");
	is(efd_take(efd, QUIET), 0, "it was not raised");
	cause(&d);
	heard = efd_take(efd, tap_kernel ? QUIET : SOON);
	if (heard || !tap_kernel)
		is(heard, 1, "but is unmasked");
	else
		tap_skip("this kernel has forgotten that it is unmasked");
	dev_read(&d, NIC_ICR);
	is(irq_disable(d.fd, 0), 0, "INTx off");
	dev_close(&d);
	close(arg.fd);
	close(unmasks);
	close(efd);
}

/* One that has no D3 sleeps as well, for all that evfio knows of what is above it. */
static void eventfd_of_an_edu(void)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg), .flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = EDU_REG_LIVE, .data = 0x12345678,
	};
	struct dev d;

	arg.fd = efd_new(0);
	pci_open(&d, PCI_EDU);
	dev_write(&d, EDU_REG_LIVE, 0);
	is(xioctl(d.fd, VFIO_DEVICE_IOEVENTFD, &arg), 0, "an eventfd that writes to an edu");
	is(entry(&d), 0, "ENTRY");
	ok(falls_asleep(&d), "it falls asleep");
	efd_signal(arg.fd);
	sleep_ms(QUIET);
	is(leave(&d), 0, "EXIT");
	is(dev_read(&d, EDU_REG_LIVE), tap_kernel ? ~0x12345678u : ~0u,
	   tap_kernel ? "it was written to" : "it was not written to");
	efd_signal(arg.fd);
	sleep_ms(QUIET);
	is(dev_read(&d, EDU_REG_LIVE), ~0x12345678u, "it is when it is awake");
	dev_close(&d);
	close(arg.fd);
}

/* A device that raises its interrupt while it sleeps is heard when it is awake again. */
static void raised_asleep(const char *name)
{
	int32_t efd = efd_new(0);
	volatile uint32_t *raise;
	uint64_t size;
	struct dev d;

	raise = mem_physical(hw_bar(name, 0, &size) + EDU_REG_RAISE);
	pci_open(&d, name);
	is(irq_vectors(d.fd, 0, 0, 1, &efd), 0, "%s: INTx", name);
	is(entry(&d), 0, "ENTRY");
	ok(falls_asleep(&d), "it falls asleep");
	*raise = 1;
	is(efd_take(efd, QUIET), 0, "its interrupt is not heard");
	ok(is_asleep(&d), "and does not wake it");
	is(leave(&d), 0, "EXIT");
	is(efd_take(efd, SOON), 1, "now it is heard");
	dev_write(&d, EDU_REG_ACK, 1);
	is(irq_disable(d.fd, 0), 0, "INTx off");
	dev_close(&d);
	close(efd);
}

static volatile bool stop;
static struct dev shared;

/* Reads and describes; returns how often that failed. */
static void *uses(void *arg)
{
	const struct vfio_region_info info = { .argsz = sizeof(info) };
	struct vfio_region_info in;
	uint32_t value;
	long bad = 0;

	while (!stop) {
		bad += sys(pread(shared.fd, &value, 4, NVME_AQA)) != 4 || value != 0x00070007;
		in = info;
		bad += !!xioctl(shared.fd, VFIO_DEVICE_GET_REGION_INFO, &in);
	}
	*(long *)arg = bad;
	return NULL;
}

/* Two threads use it while a third lets it sleep and wakes it. */
static void storm(void)
{
	pthread_t threads[2];
	long bad[2];
	int wrong = 0;

	pci_open(&shared, PCI_NVME);
	dev_write(&shared, NVME_AQA, 0x00070007);
	stop = false;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, uses, &bad[i]))
			tap_bail("no thread");
	for (int i = 0; i < 200; i++) {
		wrong |= entry(&shared);
		if (i % 4 == 0)
			sleep_ms(5);
		wrong |= leave(&shared);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	is(wrong, 0, "200 times ENTRY and EXIT");
	is(bad[0] + bad[1], 0, "its other users notice nothing");
	dev_close(&shared);
}

static void revoked(void)
{
	int efd = efd_new(0);
	struct dev d;

	if (tap_kernel) {
		tap_skip("the kernel waits until the device is closed");
		return;
	}
	board_grace(50);
	pci_open(&d, PCI_NVME);
	is(entry_with_wakeup(&d, efd), 0, "ENTRY_WITH_WAKEUP");
	ok(falls_asleep(&d), "it falls asleep");
	is(board_unbind(PCI_NVME), 0, "it is unbound");
	is(leave(&d), -ENODEV, "EXIT: ENODEV");
	dev_close(&d);
	board_take(PCI_NVME);
	pci_open(&d, PCI_NVME);
	ok(!read_faults(d.regs), "bound and opened again, it has its registers");
	is(entry(&d), 0, "and can sleep");
	ok(falls_asleep(&d), "does");
	dev_close(&d);
	close(efd);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	asked();
	sleeps();
	wakes();
	own_d3();
	interrupts(VFIO_PCI_INTX_IRQ_INDEX);
	interrupts(VFIO_PCI_MSI_IRQ_INDEX);
	eventfds();
	eventfd_of_an_edu();
	raised_asleep(PCI_EDU);
	raised_asleep(PCI_BRIDGED);
	raised_asleep(PCI_TWIN0);
	storm();
	revoked();
	return tap_done();
}
