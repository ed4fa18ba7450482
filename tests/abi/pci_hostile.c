// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_hostile - what a client that means harm makes of a function that is its own
 *
 * It writes the table of MSI-X, reaches for other functions' registers and for memory that is not
 * mapped, switches the device off under threads that use it, leaves it asleep, and keeps its
 * interrupt line up. Each section says what is in its way.
 */
/* vm: board=pci timeout=120 */
/* vm: board=pci timeout=120 cmdline="iommu.passthrough=1" kernels="6.12" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define INTX		VFIO_PCI_INTX_IRQ_INDEX
#define MSIX		VFIO_PCI_MSIX_IRQ_INDEX

#define NIC_ICR		0xc0		/* causes, cleared when read */
#define NIC_ICS		0xc8		/* causes, to be set */
#define NIC_IMS		0xd0		/* causes that interrupt */
#define NVME_CAP	0x00
#define NVME_INTMS	0x0c
#define NVME_TABLE	0x2000		/* of MSI-X */
#define ROCKER_BAR	1		/* its table begins BAR 1 */
#define VECTORS		4		/* of the rocker */

static size_t page;

/* Where a page of ours is in memory. */
static uint64_t physical(const void *mem)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)mem / page * sizeof(entry))) !=
	    sizeof(entry) || !(entry << 9))
		tap_bail("pagemap: %m");
	close(fd);
	return (entry << 9 >> 9) * page;
}

/* ---- the table of MSI-X: mapped, it can be written; the SMMU and the ITS know whose it is ---- */

struct entry {
	uint32_t address, address_hi, data, control;
};

static void set_entry(volatile struct entry *entry, uint64_t address, uint32_t data)
{
	entry->control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	entry->address = (uint32_t)address;
	entry->address_hi = (uint32_t)(address >> 32);
	entry->data = data;
	entry->control = 0;
}

/* How often our eventfds have been signalled, once that is @want times, and a while later. */
static uint64_t heard(const int32_t *efds, uint64_t want)
{
	const long end = now_ms() + SOON;
	uint64_t sum = 0;

	while (sum < want && now_ms() < end)
		for (int i = 0; i < VECTORS; i++)
			sum += efd_take(efds[i], 0);
	sleep_ms(QUIET);
	for (int i = 0; i < VECTORS; i++)
		sum += efd_take(efds[i], 0);
	return sum;
}

/* Fires vector 0, whatever message that is by now. */
static uint64_t fired(const struct dev *d, const int32_t *efds, uint64_t want)
{
	rocker_fire(d, 0);
	return heard(efds, want);
}

static void table(void)
{
	uint8_t *mem = mem_new(page), *others = mem_new(page), ones[12];
	const struct vfio_region_info *info;
	volatile struct entry *entry, *prey;
	int32_t efds[VECTORS], theirs[2];
	struct entry own, now;
	struct dev d, victim;
	uint32_t at, flags;

	pci_open(&victim, PCI_NVME);
	pci_open(&d, PCI_ROCKER);
	for (int i = 0; i < VECTORS; i++)
		efds[i] = efd_new(0);
	theirs[0] = efd_new(0);
	theirs[1] = efd_new(0);
	is(irq_vectors(victim.fd, MSIX, 0, 2, theirs), 0, "table: the victim has two vectors");
	is(irq_vectors(d.fd, MSIX, 0, VECTORS, efds), 0, "the attacker four");

	memset(ones, 0xff, sizeof(ones));
	at = cfg_cap(&d, PCI_CAP_ID_MSIX);
	flags = hw_read(PCI_ROCKER, at + PCI_MSIX_FLAGS, 2);
	is(cfg_pwrite(&d, at, ones, sizeof(ones)), sizeof(ones), "its capability is overwritten");
	is(hw_read(PCI_ROCKER, at + PCI_MSIX_FLAGS, 2), flags, "which the device does not see");
	is(bar_pwrite(&d, ROCKER_BAR, 0, ones, sizeof(ones)), sizeof(ones),
	   "its table is overwritten by write()");
	is(fired(&d, efds, 1), 1, "which it does not see either: its vector arrives");
	if (region_info(&d, ROCKER_BAR, &info) || !(info->flags & VFIO_REGION_INFO_FLAG_MMAP)) {
		tap_skip("pages so large that its table cannot be mapped");
		goto out;
	}
	is(bar_map(&d, ROCKER_BAR, (volatile uint8_t **)&entry), 0, "its table is mapped");
	prey = (volatile struct entry *)(victim.regs + NVME_TABLE);
	own = *entry;

	/* An ITS looks a message's number up in a table that the sender has to itself. */
	set_entry(entry, (uint64_t)prey[1].address_hi << 32 | prey[1].address, prey[1].data);
	now = *entry;
	is(now.data, prey[1].data, "the victim's message is written into it");
	is(fired(&d, efds, 1), 1, "sent, it is one of the attacker's own");
	for (uint32_t data = 0; data < 256; data++) {
		set_entry(entry, (uint64_t)own.address_hi << 32 | own.address, data);
		rocker_fire(&d, 0);
	}
	is(heard(efds, VECTORS), VECTORS, "of 256 messages, four are its own");
	is(efd_take(theirs[0], 0) + efd_take(theirs[1], 0), 0, "and none is the victim's");

	/* To any other address it is DMA, for which the SMMU has the attacker's own mappings. */
	is(dma_map(d.container, mem, IOVA, page, RW), 0, "a page of the attacker's");
	is(dma_map(victim.container, others, IOVA, page, RW), 0, "and one of the victim's");
	set_entry(entry, IOVA + 64, 0x5ec2e7);
	is(fired(&d, efds, 0), 0, "a message to that address is no interrupt");
	is(*(uint32_t *)(mem + 64), 0x5ec2e7, "but is written to the attacker's page");
	is(*(uint32_t *)(others + 64), 0, "not to the victim's");
	set_entry(entry, physical(others) + 64, 0x5ec2e7);
	is(fired(&d, efds, 0), 0, "to where that is in memory");
	is(*(uint32_t *)(others + 64), 0, "it does not come");

	is(irq_vectors(d.fd, MSIX, 0, 1, &(int32_t){ -1 }), 0, "its vector 0 is taken away");
	is(irq_vectors(d.fd, MSIX, 0, 1, efds), 0, "and given back");
	now = *entry;
	is(memcmp(&now, &own, sizeof(own)), 0, "with the message that it had");
	munmap((void *)entry, region_size(&d, ROCKER_BAR));
out:
	dev_close(&d);
	dev_close(&victim);
	for (int i = 0; i < VECTORS; i++)
		close(efds[i]);
	close(theirs[0]);
	close(theirs[1]);
	mem_free(mem, page);
	mem_free(others, page);
}

/* ---- configuration space ends where it ends ---- */

/* All of a function's configuration, past VFIO. */
static uint32_t config_sum(const char *name)
{
	uint32_t sum = 0;

	for (uint32_t at = 0; at < PCI_CFG_SPACE_SIZE; at += 4)
		sum = sum * 31 + hw_read(name, at, 4);
	return sum;
}

/* In the space of addresses that the host has for it, the twin's begins at 4096. */
static void neighbours(void)
{
	static const char *const all[] = {
		PCI_EDU, PCI_NVME, PCI_NIC, PCI_PORT, PCI_FAR, PCI_BRIDGED, PCI_TWIN1, PCI_SRIOV,
	};
	static const uint64_t offsets[] = {
		256, 257, 4095, 4096, 4096 + PCI_COMMAND, 4096 + PCI_BASE_ADDRESS_0,
		2 * 4096 + PCI_COMMAND, 1ull << 15 | PCI_COMMAND, 1ull << 20 | PCI_COMMAND,
		1ull << 32 | PCI_COMMAND, (1ull << 40) - 4096 + PCI_COMMAND, (1ull << 40) - 1,
		(1ull << 60) + PCI_COMMAND, (1ull << 63) - (7ull << 40) + PCI_COMMAND,
		PCI_COMMAND - (14ull << 40), -(7ull << 40) - 4,
	};
	static const size_t lengths[] = { 1, 2, 3, 4, 8, 4096, 1ul << 31, SIZE_MAX / 2, SIZE_MAX };
	uint32_t sums[COUNT(all)];
	int done = 0, changed = 0;
	uint8_t ones[8192];
	struct dev d;

	memset(ones, 0xff, sizeof(ones));
	dev_open(&d, PCI_TWIN0);
	for (size_t i = 0; i < COUNT(all); i++)
		sums[i] = config_sum(all[i]);
	for (size_t i = 0; i < COUNT(offsets); i++)
		for (size_t j = 0; j < COUNT(lengths); j++)
			done += cfg_pwrite(&d, offsets[i], ones, lengths[j]) >= 0;
	is(done, 0, "config: nothing is written behind its end");
	for (size_t i = 0; i < COUNT(offsets); i++)
		for (size_t j = 0; j < COUNT(lengths); j++)
			done += cfg_pread(&d, offsets[i], ones, lengths[j]) >= 0;
	is(done, 0, "nothing is read there");
	for (uint64_t back = 1; back < 8; back++)
		for (size_t j = 0; j < COUNT(lengths); j++)
			done += lengths[j] > back &&
				cfg_pwrite(&d, 256 - back, ones, lengths[j]) >= 0;
	is(done, 0, "nor written across it");
	for (size_t i = 0; i < COUNT(all); i++)
		changed += sums[i] != config_sum(all[i]);
	is(changed, 0, "no other function has changed");
	dev_close(&d);
}

/* ---- bus mastering: the client's to turn on, and worth what is mapped ---- */

static void nothing_mapped(void)
{
	uint8_t *mem = mem_new(page);
	struct dev d, peer;
	uint64_t targets[5];
	uint32_t value = 0;
	int harmed = 0;

	mem_fill(mem, page, 1);
	pci_open(&d, PCI_EDU);
	pci_open(&peer, PCI_MEMORY);
	bar_pwrite(&peer, VFIO_PCI_BAR2_REGION_INDEX, 0, &(uint32_t){ 0x900d }, 4);
	targets[0] = IOVA;
	targets[1] = 0;
	targets[2] = physical(mem);
	targets[3] = hw_bar(PCI_MEMORY, VFIO_PCI_BAR2_REGION_INDEX, &(uint64_t){ 0 });
	targets[4] = (1ull << 48) - page;
	for (size_t i = 0; i < COUNT(targets); i++) {
		is(edu_store(&d, targets[i], 64), 0, "nothing is mapped: a write to 0x%llx",
		   (unsigned long long)targets[i]);
		harmed += !mem_is(mem, page, 1);
		harmed += bar_pread(&peer, VFIO_PCI_BAR2_REGION_INDEX, 0, &value, 4) != 4 ||
			  value != 0x900d;
	}
	is(harmed, 0, "reaches neither memory nor another device");

	/* Under way while all is closed. Mapped where it is, the page is there without SMMU. */
	is(dma_map(d.container, mem, physical(mem), page, RW), 0, "a page is mapped");
	edu_dma_start(&d, physical(mem), 64, EDU_DMA_STORE);
	dev_close(&d);
	mem_fill(mem, page, 2);
	sleep_ms(500);
	ok(mem_is(mem, page, 2), "closed at once, the transfer does not come any more");
	dev_close(&peer);
	mem_free(mem, page);
}

static bool is_master(const char *name)
{
	return hw_read(name, PCI_COMMAND, 2) & MASTER;
}

static void set_master(const char *name)
{
	hw_write(name, PCI_COMMAND, 2, hw_read(name, PCI_COMMAND, 2) | MASTER);
}

/*
 * Whoever had turned it on: it is off until the client turns it on, and when he has gone. Enabled
 * by others, too, it is not PCI's core that turns it off.
 */
static void masters(const char *name)
{
	struct dev d;

	board_unbind(name);
	file_write(board_path(name, "enable"), "1");
	set_master(name);
	board_take(name);
	is(is_master(name), tap_kernel, "%s: a master before it was bound, it is none now", name);
	set_master(name);
	dev_open(&d, name);
	ok(!is_master(name), "%s: made one before it was opened, it is none now", name);
	ok(!(cfg_read(&d, PCI_COMMAND, 2) & MASTER), "%s: nor does its client think so", name);
	cfg_command(&d, MASTER, 0);
	ok(is_master(name), "%s: its client makes it one", name);
	dev_close(&d);
	ok(!is_master(name), "%s: closed, it is none", name);
	board_unbind(name);
	file_write(board_path(name, "enable"), "0");
}

/* ---- what a function is told, in its order: the kernel's notes of what is written to it ---- */

#define TRACING	"/sys/kernel/tracing/"

struct told {
	uint32_t at, value;
} told[64];
static unsigned int tolds;

static bool listen(void)
{
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (file_write(TRACING "kprobe_events", "p:config pci_generic_config_write "
		       "devfn=%x1:u32 at=%x2:u32 value=%x4:x32"))
		return false;
	file_write(TRACING "events/kprobes/config/enable", "1");
	return true;
}

/* What has been written to @name since. */
static void listened(const char *name)
{
	unsigned int devfn, slot;
	const char *what;
	char line[256];
	FILE *trace;

	file_write(TRACING "events/kprobes/config/enable", "0");
	trace = fopen(TRACING "trace", "re");
	if (!trace || sscanf(name, "%*x:%*x:%x", &slot) != 1)
		tap_bail("no trace of %s", name);
	tolds = 0;
	while (tolds < COUNT(told) && fgets(line, sizeof(line), trace)) {
		what = strstr(line, "devfn=");
		if (what && sscanf(what, "devfn=%u at=%u value=%x", &devfn, &told[tolds].at,
				   &told[tolds].value) == 3 && devfn == slot << 3)
			tolds++;
	}
	fclose(trace);
	file_write(TRACING "kprobe_events", "-:config");
}

/* The place of the last write to register @at before @end whose @mask is @value; -1: none. */
static int last(uint32_t at, uint32_t mask, uint32_t value, int end)
{
	while (end--)
		if (told[end].at == at && (told[end].value & mask) == value)
			break;
	return end;
}

/* Closed in the middle of all it does, it is told to stop its DMA before it is reset. */
static void stops_first(void)
{
	uint32_t express;
	struct dev d;
	int reset;

	pci_open(&d, PCI_NVME);
	express = cfg_cap(&d, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;
	if (!listen()) {
		tap_skip("a kernel without kprobes: what a function is told is not heard");
		dev_close(&d);
		return;
	}
	dev_close(&d);
	listened(PCI_NVME);
	reset = last(express, PCI_EXP_DEVCTL_BCR_FLR, PCI_EXP_DEVCTL_BCR_FLR, (int)tolds);
	ok(reset >= 0, "closed, a function is reset");
	ok(last(PCI_COMMAND, MASTER, 0, reset) > last(PCI_COMMAND, MASTER, MASTER, reset),
	   "when it is no bus master any more");
}

/* The table of MSI-X does not answer in D3: what is to be written to it is written in D0. */
static void woken(void)
{
	int32_t efds[2] = { efd_new(0), efd_new(0) };
	uint32_t power, msix, value;
	struct dev d;
	int at;

	pci_open(&d, PCI_NVME);
	power = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	msix = cfg_cap(&d, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS;
	for (int i = 0; i < 2 && listen(); i++) {
		is(irq_vectors(d.fd, MSIX, 0, 2, efds), 0, "a function has vectors");
		cfg_write(&d, power, 2, cfg_read(&d, power, 2) | 3);
		if (i)
			dev_close(&d);
		else
			is(irq_disable(d.fd, MSIX), 0, "and falls asleep: they are taken away");
		listened(PCI_NVME);
		at = last(msix, PCI_MSIX_FLAGS_ENABLE, 0, (int)tolds);
		ok(at >= 0, "%s: MSI-X is disabled", i ? "closed" : "open");
		is(last(power, 3, 0, at) > last(power, 3, 3, at), i || !tap_kernel, "in D0");
		if (i)
			break;
		is(cfg_read(&d, power, 2) & 3, 3, "it sleeps again");
		is(bar_pread(&d, 0, NVME_CAP, &value, 4), -EIO, "its registers are not read");
		is(irq_vectors(d.fd, MSIX, 0, 2, efds), -EINVAL, "it is given none: EINVAL");
		cfg_write(&d, power, 2, cfg_read(&d, power, 2) & ~3u);
	}
	if (d.fd >= 0)
		dev_close(&d);
	close(efds[0]);
	close(efds[1]);
}

/* One that is woken for its vectors' sake, and forgets when it wakes, sleeps on as it was. */
static void sleeps_on(void)
{
	const uint32_t asleep = PCI_PM_CTRL_DATA_SEL_MASK | 3;
	int32_t efds[2] = { efd_new(0), efd_new(0) };
	uint32_t power, command;
	struct dev d;

	pci_open(&d, PCI_NIC);
	power = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	is(irq_vectors(d.fd, MSIX, 0, 2, efds), 0, "a function has vectors");
	command = cfg_read(&d, PCI_COMMAND, 2);
	cfg_write(&d, power, 2, cfg_read(&d, power, 2) | asleep);
	cfg_command(&d, MASTER, 0);
	is(irq_mask(d.fd, INTX), -EINVAL, "asleep, it has no other interrupts: EINVAL");
	is(cfg_read(&d, power, 2) & asleep, asleep, "it sleeps on, its power control is as it was");
	is(cfg_read(&d, PCI_COMMAND, 2), command | MASTER, "with what was written to it meanwhile");
	cfg_write(&d, power, 2, cfg_read(&d, power, 2) & ~3u);
	is(cfg_read(&d, PCI_COMMAND, 2), command, "which it forgets when it wakes");
	dev_close(&d);
	close(efds[0]);
	close(efds[1]);
}

/*
 * What it forgets when it wakes is its command register: nobody takes its memory for switched on,
 * or its interrupt for masked, or for wanted, because they were so when it fell asleep.
 */
static void forgets(void)
{
	int efd = efd_new(0);
	uint32_t power, state, value;
	struct dev d;

	if (tap_kernel) {
		tap_skip("the kernel's VFIO: what changes in D3 is forgotten");
		return;
	}
	pci_open(&d, PCI_NIC);
	power = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	state = cfg_read(&d, power, 2) & ~3u;
	is(irq_trigger(d.fd, INTX, efd), 0, "a function has INTx");
	is(irq_mask(d.fd, INTX), 0, "it is masked");
	cfg_write(&d, power, 2, state | 3);
	is(irq_unmask(d.fd, INTX), 0, "falls asleep, and is unmasked");
	cfg_write(&d, power, 2, state);
	dev_write(&d, NIC_IMS, 1);
	dev_write(&d, NIC_ICS, 1);
	is(efd_take(efd, SOON), 1, "awake, it interrupts");

	dev_read(&d, NIC_ICR);
	irq_unmask(d.fd, INTX);
	cfg_write(&d, power, 2, state | 3);
	is(irq_disable(d.fd, INTX), 0, "asleep, it has its INTx taken away");
	cfg_write(&d, power, 2, state);
	ok(hw_read(PCI_NIC, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE, "awake, it raises none");

	cfg_command(&d, 0, MEMORY);
	cfg_write(&d, power, 2, state | 3);
	cfg_command(&d, MEMORY, 0);
	cfg_write(&d, power, 2, state);
	is(bar_pread(&d, 0, 8, &value, 4), hw_read(PCI_NIC, PCI_COMMAND, 2) & MEMORY ? 4 : -EIO,
	   "its memory, switched on while it slept, is read if it answers");
	dev_close(&d);
	close(efd);
}

static struct hammer {
	struct dev d;
	uint32_t value;			/* of the register that is read */
	volatile bool stop;
	int wrong, faults, refused, done;
} hammer;

/* Memory comes on for each change of interrupts. */
static void *by_changes(void *d)
{
	int efd = efd_new(0);

	while (!hammer.stop)
		irq_trigger(((struct dev *)d)->fd, VFIO_PCI_REQ_IRQ_INDEX, efd);
	close(efd);
	return NULL;
}

/* It comes on, and goes off, in the register that holds INTx's mask, which is left alone. */
static void memory_alone(void)
{
	int efd = efd_new(0), mask = efd_new(0), unmask = efd_new(0), lost = 0;
	struct dev d;
	pthread_t thread;

	if (tap_kernel) {
		tap_skip("the kernel's VFIO has no eventfd that masks");
		return;
	}
	pci_open(&d, PCI_NIC);
	is(irq_trigger(d.fd, INTX, efd), 0, "a function has INTx");
	irq_set(d.fd, INTX, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, mask);
	irq_set(d.fd, INTX, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, unmask);
	cfg_command(&d, 0, MEMORY);
	pthread_create(&thread, NULL, by_changes, &d);
	for (int i = 0; i < 3000; i++) {
		efd_signal(mask);
		efd_signal(unmask);
		lost += !!(hw_read(PCI_NIC, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE);
	}
	hammer.stop = true;
	pthread_join(thread, NULL);
	hammer.stop = false;
	is(lost, 0, "unmasked 3000 times while its memory is switched on and off: never masked");
	dev_close(&d);
	close(efd);
	close(mask);
	close(unmask);
}

/* ---- switched off while it is in use: SIGBUS, EIO, and nothing worse ---- */

static __thread sigjmp_buf landing;

static void on_fault(int sig)
{
	siglongjmp(landing, sig);
}

static void count(int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void *by_mapping(void *write)
{
	volatile uint8_t *regs = hammer.d.regs;

	while (!hammer.stop) {
		if (sigsetjmp(landing, 1)) {
			count(&hammer.faults);
			continue;
		}
		if (write)
			*(volatile uint32_t *)(regs + NVME_INTMS) = 0;
		else if (*(volatile uint32_t *)(regs + NVME_CAP) != hammer.value)
			count(&hammer.wrong);
		count(&hammer.done);
	}
	return NULL;
}

static void *by_file(void *write)
{
	const uint32_t none = 0;
	uint32_t value;
	long ret;

	while (!hammer.stop) {
		ret = sys(write ? pwrite(hammer.d.fd, &none, 4, NVME_INTMS) :
				  pread(hammer.d.fd, &value, 4, NVME_CAP));
		if (ret == -EIO)
			count(&hammer.refused);
		else if (ret != 4 || (!write && value != hammer.value))
			count(&hammer.wrong);
	}
	return NULL;
}

/* The table of MSI-X is the kernel's to write, whatever the client has done to its memory. */
static void *by_interrupts(void *arg)
{
	int32_t efds[2] = { efd_new(0), efd_new(0) };

	while (!hammer.stop) {
		int ret = irq_vectors(hammer.d.fd, MSIX, 0, 2, efds);

		/* There are none to be had in D3. */
		if (ret ? ret != -EINVAL : irq_disable(hammer.d.fd, MSIX))
			count(&hammer.wrong);
	}
	close(efds[0]);
	close(efds[1]);
	return arg;
}

static void switched_off(void)
{
	char writes[] = "writes";
	struct sigaction act = { .sa_handler = on_fault };
	struct dev *d = &hammer.d;
	pthread_t threads[5];
	uint32_t power;
	int resets = 0;

	dev_open(d, PCI_NVME);
	power = cfg_cap(d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	hammer.value = dev_read(d, NVME_CAP);
	sigaction(SIGBUS, &act, NULL);
	pthread_create(&threads[0], NULL, by_mapping, NULL);
	pthread_create(&threads[1], NULL, by_mapping, writes);
	pthread_create(&threads[2], NULL, by_file, NULL);
	pthread_create(&threads[3], NULL, by_file, writes);
	pthread_create(&threads[4], NULL, by_interrupts, NULL);
	for (int i = 0; i < 200; i++) {
		cfg_command(d, 0, MEMORY);
		if (i % 3 == 0)
			sleep_ms(1);
		cfg_command(d, MEMORY, 0);
		if (i % 10 == 0) {
			cfg_write(d, power, 2, cfg_read(d, power, 2) | 3);
			sleep_ms(1);
			cfg_write(d, power, 2, cfg_read(d, power, 2) & ~3u);
			cfg_command(d, MEMORY, 0);
		}
		if (i % 50 == 0)
			resets += !pci_reset(d);
		sleep_ms(1);
	}
	hammer.stop = true;
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	signal(SIGBUS, SIG_DFL);
	is(hammer.wrong, 0, "memory off, asleep, reset, under five threads: no answer is wrong");
	ok(hammer.faults && hammer.refused, "some are SIGBUS, some EIO");
	ok(hammer.done, "and some are none");
	is(resets, 4, "its resets have been done");
	is(dev_read(d, NVME_CAP), hammer.value, "and it answers");
	dev_close(d);
}

/* ---- left asleep, with its memory off: the next client has it as new ---- */

static int leave_asleep(void *arg)
{
	struct dev d;
	uint32_t at;

	dev_open(&d, arg);
	at = cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	cfg_write(&d, PCI_BASE_ADDRESS_0, 4, 0x12340000);
	cfg_command(&d, MASTER | PCI_COMMAND_INTX_DISABLE, 0);
	cfg_write(&d, at, 2, cfg_read(&d, at, 2) | 3);
	cfg_command(&d, 0, MEMORY);
	kill(getpid(), SIGKILL);
	return 0;
}

static void asleep(const char *name)
{
	uint32_t before, bar, after = 0;
	struct dev d;

	dev_open(&d, name);
	bar_pread(&d, 0, 8, &before, 4);
	bar = cfg_read(&d, PCI_BASE_ADDRESS_0, 4);
	dev_close(&d);
	is(in_child(leave_asleep, (void *)name), -SIGKILL, "%s: its client dies and leaves it asleep",
	   name);
	dev_open(&d, name);
	is(cfg_read(&d, cfg_cap(&d, PCI_CAP_ID_PM) + PCI_PM_CTRL, 2) & 3, 0,
	   "%s: the next one finds it awake", name);
	is(cfg_read(&d, PCI_COMMAND, 2) & (MEMORY | MASTER | PCI_COMMAND_INTX_DISABLE), MEMORY,
	   "%s: with its memory on, and no bus master", name);
	is(cfg_read(&d, PCI_BASE_ADDRESS_0, 4), bar, "%s: and its BAR where it is", name);
	is(bar_pread(&d, 0, 8, &after, 4), 4, "%s: where it can be read", name);
	is(after, before, "%s: as before", name);
	dev_close(&d);
}

/* ---- a line that stays up costs one interrupt each time it is unmasked ---- */

/* Interrupts of the line that a function has, by /proc/interrupts. */
static long interrupts(const char *name)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char line[1024], *at, *end;
	long sum = 0, n;

	while (fgets(line, sizeof(line), file)) {
		if (!strstr(line, name))
			continue;
		for (at = strchr(line, ':') + 1; n = strtol(at, &end, 10), end != at; at = end)
			sum += n;
	}
	fclose(file);
	return sum;
}

/* Writes the command register, which holds the mask, as fast as it can. */
static void *commands(void *arg)
{
	const struct dev *d = arg;
	const uint16_t value = MEMORY | MASTER;

	while (!hammer.stop)
		pwrite(d->fd, &value, sizeof(value),
		       ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + PCI_COMMAND);
	return NULL;
}

/* By ioctl or by eventfd. */
static void unmask_by(const struct dev *d, int unmask, int turn)
{
	if (turn & 1)
		efd_signal(unmask);
	else
		irq_unmask(d->fd, INTX);
}

static void line_up(void)
{
	int efd = efd_new(0), unmask = efd_new(0), theirs = efd_new(0), good;
	struct dev d, victim;
	pthread_t thread;
	long before;

	pci_open(&victim, PCI_BRIDGED);
	pci_open(&d, PCI_TWIN0);
	is(irq_trigger(victim.fd, INTX, theirs), 0, "a line that two functions share: the victim");
	is(irq_trigger(d.fd, INTX, efd), 0, "and the attacker");
	is(irq_set(d.fd, INTX, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK, unmask), 0,
	   "who can unmask it by an eventfd, too");
	before = interrupts(PCI_TWIN0);
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "it is raised");
	sleep_ms(QUIET);
	is(interrupts(PCI_TWIN0) - before, 1, "and stays up: one interrupt");
	for (good = 0; good < 1000; good++) {
		unmask_by(&d, unmask, good);
		if (efd_take(efd, SOON) != 1)
			break;
	}
	is(good, 1000, "unmasked 1000 times, it comes as often");
	ok(interrupts(PCI_TWIN0) - before <= 1001, "and costs no more than one interrupt each time");

	/* A write that was on its way when the line was masked unmasks it: it is masked again. */
	before = interrupts(PCI_TWIN0);
	hammer.stop = false;
	pthread_create(&thread, NULL, commands, &d);
	for (good = 0; !tap_kernel && good < 1000; good++) {
		edu_ack(&d);
		unmask_by(&d, unmask, good);
		edu_raise(&d, 1);
		if (efd_take(efd, SOON) != 1)
			break;
		sleep_ms(1);
	}
	hammer.stop = true;
	pthread_join(thread, NULL);
	is(good, tap_kernel ? 0 : 1000, "1000 times more, while its command register is written");
	ok(interrupts(PCI_TWIN0) - before <= 2000, "none costs more than two");
	sleep_ms(QUIET);
	before = interrupts(PCI_TWIN0);
	sleep_ms(QUIET);
	is(interrupts(PCI_TWIN0) - before, 0, "it is masked");
	is(efd_take(theirs, 0), 0, "the victim has heard nothing");
	for (good = 0; good < 50; good++) {
		edu_raise(&victim, 1);
		if (efd_take(theirs, SOON) != 1)
			break;
		edu_ack(&victim);
		irq_unmask(victim.fd, INTX);
	}
	is(good, 50, "and has its own interrupts");
	edu_ack(&d);
	dev_close(&d);
	dev_close(&victim);
	close(efd);
	close(unmask);
	close(theirs);
}

int main(int argc, char **argv)
{
	tap_start(argc, argv);
	page = (size_t)sysconf(_SC_PAGESIZE);
	table();
	neighbours();
	nothing_mapped();
	masters(PCI_EDU);
	masters(PCI_NVME);
	stops_first();
	woken();
	sleeps_on();
	forgets();
	memory_alone();
	switched_off();
	asleep(PCI_NVME);
	asleep(PCI_NIC);
	asleep(PCI_FAR);
	line_up();
	return tap_done();
}
