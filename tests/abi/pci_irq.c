// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_irq - INTx, MSI and MSI-X as eventfds, and the two that are not the device's: ERR and REQ
 */
/* vm: board=pci timeout=120 */
/* vm: board=pci timeout=120 smp=1 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define NONE	VFIO_IRQ_SET_DATA_NONE
#define BOOL	VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD	VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER	VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK	VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	VFIO_IRQ_SET_ACTION_UNMASK

#define INTX	VFIO_PCI_INTX_IRQ_INDEX
#define MSI	VFIO_PCI_MSI_IRQ_INDEX
#define MSIX	VFIO_PCI_MSIX_IRQ_INDEX
#define ERR	VFIO_PCI_ERR_IRQ_INDEX
#define REQ	VFIO_PCI_REQ_IRQ_INDEX

#define VECTORS		4

static bool disabled(const struct dev *d)
{
	return hw_read(d->name, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;
}

static bool round_trip(struct dev *d, int efd)
{
	edu_raise(d, 1);
	if (efd_take(efd, SOON) != 1)
		return false;
	edu_ack(d);
	return irq_unmask(d->fd, INTX) == 0;
}

static void intx(struct dev *d, int efd)
{
	int unmask = efd_new(0), other = efd_new(0), good;

	is(irq_trigger(d->fd, INTX, efd), 0, "INTx: an eventfd becomes the trigger");
	is(efd_take(efd, QUIET), 0, "nothing comes before the device raises its line");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "the interrupt arrives, once");
	is(efd_take(efd, QUIET), 0, "the line stays active, and nothing more comes");
	ok(disabled(d), "INTx is disabled at the device: it masked itself");
	ok(!(cfg_read(d, PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE),
	   "which is not what the client wrote");
	is(irq_unmask(d->fd, INTX), 0, "unmask while it is active");
	is(efd_take(efd, SOON), 1, "... and it arrives again, once");
	is(efd_take(efd, QUIET), 0, "... and is masked again");
	edu_ack(d);
	is(irq_unmask(d->fd, INTX), 0, "acknowledged, then unmasked");
	is(efd_take(efd, QUIET), 0, "nothing comes");
	ok(!disabled(d), "INTx is enabled at the device");

	is(irq_mask(d->fd, INTX), 0, "mask");
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "nothing comes while it is masked");
	is(irq_set(d->fd, INTX, BOOL | UNMASK, 0), 0, "unmask, DATA_BOOL 0");
	is(efd_take(efd, QUIET), 0, "does not unmask");
	is(irq_set(d->fd, INTX, BOOL | UNMASK, 1), 0, "unmask, DATA_BOOL 1");
	is(efd_take(efd, SOON), 1, "unmasks");
	edu_ack(d);
	irq_unmask(d->fd, INTX);

	cfg_command(d, PCI_COMMAND_INTX_DISABLE, 0);
	edu_raise(d, 1);
	is(efd_take(efd, QUIET), 0, "disabled in the command register, nothing comes");
	cfg_command(d, 0, PCI_COMMAND_INTX_DISABLE);
	is(efd_take(efd, SOON), 1, "enabled there, it arrives");
	edu_ack(d);
	irq_unmask(d->fd, INTX);

	is(irq_set(d->fd, INTX, EVENTFD | UNMASK, unmask), 0, "an eventfd that unmasks");
	is(irq_set(d->fd, INTX, EVENTFD | UNMASK, other), -EBUSY, "a second one: EBUSY");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "an interrupt");
	efd_signal(unmask);
	is(efd_take(efd, SOON), 1, "signalled while the line is active, it comes again");
	edu_ack(d);
	efd_signal(unmask);
	is(efd_take(efd, QUIET), 0, "acknowledged and signalled, nothing comes");
	for (good = 0; good < 500; good++) {
		edu_raise(d, 1);
		if (efd_take(efd, SOON) != 1)
			break;
		edu_ack(d);
		efd_signal(unmask);
	}
	is(good, 500, "500 interrupts, each unmasked by eventfd: 500 arrive");
	is(efd_take(efd, QUIET), 0, "and not one more");
	is(irq_set(d->fd, INTX, EVENTFD | UNMASK, -1), 0, "-1 takes the eventfd away");
	for (good = 0; good < 500 && round_trip(d, efd); good++)
		;
	is(good, 500, "500 interrupts, each unmasked by ioctl: 500 arrive");

	is(irq_set(d->fd, INTX, NONE | TRIGGER, 0), 0, "trigger by hand");
	is(efd_take(efd, SOON), 1, "signals");
	irq_unmask(d->fd, INTX);
	is(irq_trigger(d->fd, INTX, other), 0, "another eventfd becomes the trigger");
	ok(round_trip(d, other), "the interrupt goes to it");
	is(efd_take(efd, 0), 0, "and not to the old one");
	is(irq_disable(d->fd, INTX), 0, "INTx off");
	edu_raise(d, 1);
	is(efd_take(other, QUIET), 0, "nothing comes any more");
	edu_ack(d);
	is(irq_disable(d->fd, INTX), -EINVAL, "INTx off twice: EINVAL");
	close(unmask);
	close(other);
}

/* Devices whose lines the board joins: each hears its own. */
static void shared_line(void)
{
	int first = efd_new(0), second = efd_new(0), good;
	struct dev a, b;

	pci_open(&a, PCI_TWIN0);
	pci_open(&b, PCI_BRIDGED);
	is(irq_trigger(a.fd, INTX, first), 0, "two devices on a line: the first's trigger");
	is(irq_trigger(b.fd, INTX, second), 0, "the second's trigger");
	edu_raise(&a, 1);
	is(efd_take(first, SOON), 1, "the first raises it, and hears it");
	is(efd_take(second, QUIET), 0, "the second does not");
	for (good = 0; good < 50 && round_trip(&b, second); good++)
		;
	is(good, 50, "the first still active, 50 interrupts of the second arrive");
	is(efd_take(first, 0), 0, "none of them at the first");
	edu_ack(&a);
	is(irq_unmask(a.fd, INTX), 0, "the first: acknowledged, unmasked");
	ok(round_trip(&a, first), "and its next one arrives");
	dev_close(&a);
	ok(round_trip(&b, second), "the first is closed, the second goes on");
	dev_close(&b);
	close(first);
	close(second);
}

static void msi(struct dev *d, int efd)
{
	int other = efd_new(0), good;

	is(irq_trigger(d->fd, MSI, efd), 0, "MSI: an eventfd becomes the trigger");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "the interrupt arrives");
	edu_ack(d);
	for (good = 0; good < 500; good++) {
		edu_raise(d, 1);
		if (efd_take(efd, SOON) != 1)
			break;
		edu_ack(d);
	}
	is(good, 500, "500 interrupts, never unmasked: 500 arrive");
	is(irq_mask(d->fd, MSI), -ENOTTY, "it cannot be masked: ENOTTY");
	is(irq_unmask(d->fd, MSI), -ENOTTY, "nor unmasked: ENOTTY");
	is(irq_trigger(d->fd, INTX, other), -EINVAL, "no INTx at the same time: EINVAL");
	is(irq_set(d->fd, MSI, NONE | TRIGGER, 0), 0, "trigger by hand, DATA_NONE");
	is(irq_set(d->fd, MSI, BOOL | TRIGGER, 0), 0, "DATA_BOOL 0");
	is(irq_set(d->fd, MSI, BOOL | TRIGGER, 1), 0, "DATA_BOOL 1");
	is(efd_take(efd, SOON), 2, "two of the three signal");
	is(irq_trigger(d->fd, MSI, other), 0, "another eventfd");
	edu_raise(d, 1);
	is(efd_take(other, SOON), 1, "gets the next one");
	is(efd_take(efd, QUIET), 0, "and the old one nothing");
	edu_ack(d);
	is(irq_trigger(d->fd, MSI, -1), 0, "-1 takes it away");
	edu_raise(d, 1);
	is(efd_take(other, QUIET), 0, "nothing comes");
	edu_ack(d);
	is(irq_trigger(d->fd, MSI, efd), 0, "an eventfd again");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "and the next one arrives");
	edu_ack(d);
	is(irq_vectors(d->fd, MSI, 0, 0, &efd), 0, "eventfds for no vectors change nothing");
	edu_raise(d, 1);
	is(efd_take(efd, SOON), 1, "the next one still arrives");
	edu_ack(d);
	is(irq_disable(d->fd, MSI), 0, "MSI off");
	is(irq_vectors(d->fd, INTX, 0, 0, &efd), -EINVAL, "not so INTx: EINVAL");
	is(irq_disable(d->fd, MSI), -EINVAL, "MSI off twice: EINVAL");
	is(irq_set(d->fd, MSI, NONE | TRIGGER, 0), -EINVAL,
	   "off, it is not triggered by hand: EINVAL");
	close(other);
}

static void one_kind_at_a_time(struct dev *d, int efd)
{
	int good = 0;

	for (int i = 0; i < 20; i++) {
		int32_t index = i & 1 ? MSI : INTX;

		good += !irq_trigger(d->fd, (uint32_t)index, efd);
		good += irq_trigger(d->fd, index == MSI ? INTX : MSI, efd) == -EINVAL;
		edu_raise(d, 1);
		good += efd_take(efd, SOON) == 1;
		edu_ack(d);
		good += !irq_disable(d->fd, (uint32_t)index);
	}
	is(good, 80, "INTx and MSI in turn, 20 times: one works, the other is EINVAL meanwhile");
}

/* Vector @n is fired: did it signal its eventfd, once, and no other? */
static bool fires(struct dev *d, const int32_t *efds, uint32_t n)
{
	bool good;

	rocker_fire(d, n);
	good = efd_take(efds[n], SOON) == 1;
	for (int i = 0; i < VECTORS; i++)
		good &= efd_take(efds[i], 0) == 0;
	return good;
}

/* A vector that fired while it could not be sent is sent later: forget that. */
static void settle(const int32_t *efds)
{
	sleep_ms(QUIET);
	for (int i = 0; i < VECTORS; i++)
		efd_take(efds[i], 0);
}

/* Does nobody hear it? */
static bool silent(struct dev *d, const int32_t *efds, uint32_t n)
{
	bool good = true;

	rocker_fire(d, n);
	sleep_ms(QUIET);
	for (int i = 0; i < VECTORS; i++)
		good &= efd_take(efds[i], 0) == 0;
	return good;
}

static bool msix_enabled(const struct dev *d)
{
	return hw_read(d->name, cfg_cap(d, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2) &
	       PCI_MSIX_FLAGS_ENABLE;
}

static void msix(void)
{
	const int32_t nobody[VECTORS] = { -1, -1, -1, -1 };
	int32_t efds[VECTORS + 1], bad[VECTORS];
	struct vfio_irq_info info;
	uint32_t good;
	struct dev d;

	pci_open(&d, PCI_ROCKER);
	for (int i = 0; i <= VECTORS; i++)
		efds[i] = efd_new(0);
	memcpy(bad, efds, sizeof(bad));
	bad[2] = 12345;
	irq_info(d.fd, MSIX, &info);
	is(info.count, VECTORS, "MSI-X: four vectors");

	is(irq_vectors(d.fd, MSIX, 0, VECTORS, efds), 0, "four eventfds");
	ok(msix_enabled(&d), "MSI-X is enabled at the device");
	for (uint32_t i = 0; i < VECTORS; i++)
		ok(fires(&d, efds, i), "vector %u alone fires", i);
	is(irq_vectors(d.fd, MSIX, 2, 1, nobody), 0, "vector 2 is taken away");
	ok(silent(&d, efds, 2), "and is silent");
	ok(fires(&d, efds, 1) && fires(&d, efds, 3), "its neighbours are not");
	is(irq_vectors(d.fd, MSIX, 2, 1, &efds[2]), 0, "vector 2 is given back");
	settle(efds);
	ok(fires(&d, efds, 2), "and fires");
	is(irq_vectors(d.fd, MSIX, 0, 1, &efds[3]), 0, "vector 0 gets vector 3's eventfd");
	rocker_fire(&d, 0);
	is(efd_take(efds[3], SOON), 1, "and signals it");
	is(irq_vectors(d.fd, MSIX, 0, 1, efds), 0, "and its own again");
	for (good = 0; good < 1000 && fires(&d, efds, good % VECTORS); good++)
		;
	is(good, 1000, "1000 interrupts over four vectors: 1000 arrive where they belong");

	is(irq_vectors(d.fd, MSIX, 0, VECTORS + 1, efds), -EINVAL, "five vectors: EINVAL");
	is(irq_vectors(d.fd, MSIX, VECTORS, 1, efds), -EINVAL, "a fifth vector: EINVAL");
	is(irq_vectors(d.fd, MSIX, 1, VECTORS, efds), -EINVAL, "four from the second on: EINVAL");
	is(irq_vectors(d.fd, MSIX, ~0u, 1, efds), -EINVAL, "vector ~0: EINVAL");
	is(irq_vectors(d.fd, MSIX, 0, VECTORS, bad), -EBADF, "one that is no file: EBADF");
	is(irq_vectors(d.fd, MSIX, 0, VECTORS, efds), 0, "after that, four good ones");
	ok(fires(&d, efds, 0) && fires(&d, efds, 3), "fire");
	is(irq_mask(d.fd, MSIX), -ENOTTY, "it cannot be masked: ENOTTY");
	is(irq_set(d.fd, MSIX, NONE | TRIGGER, 0), 0, "trigger by hand, DATA_NONE");
	is(efd_take(efds[0], SOON), 1, "signals");

	is(irq_disable(d.fd, MSIX), 0, "MSI-X off");
	ok(silent(&d, efds, 0), "nothing fires");
	ok(!msix_enabled(&d), "it is disabled at the device");

	is(irq_vectors(d.fd, MSIX, 0, 2, efds), 0, "two vectors only");
	settle(efds);
	ok(fires(&d, efds, 0) && fires(&d, efds, 1), "fire");
	ok(silent(&d, efds, 2), "a third does not");
	is(irq_vectors(d.fd, MSIX, 2, 2, efds + 2),
	   info.flags & VFIO_IRQ_INFO_NORESIZE ? -EINVAL : 0,
	   "two more while they run: as NORESIZE says");
	settle(efds);
	if (!(info.flags & VFIO_IRQ_INFO_NORESIZE))
		ok(fires(&d, efds, 2) && fires(&d, efds, 3), "the new ones fire");
	ok(fires(&d, efds, 0) && fires(&d, efds, 1), "the two go on");
	is(irq_disable(d.fd, MSIX), 0, "MSI-X off");

	is(irq_vectors(d.fd, MSIX, 0, VECTORS, nobody), 0, "four vectors for nobody yet");
	ok(silent(&d, efds, 1), "are silent");
	is(irq_vectors(d.fd, MSIX, 3, 1, &efds[3]), 0, "one gets an eventfd");
	settle(efds);
	ok(fires(&d, efds, 3), "and fires");
	is(irq_vectors(d.fd, MSIX, 0, 3, efds), 0, "three more");
	settle(efds);
	for (uint32_t i = 0; i < VECTORS; i++)
		ok(fires(&d, efds, i), "vector %u fires", i);

	dev_close(&d);
	ok(!(hw_read(PCI_ROCKER, PCI_COMMAND, 2) & MASTER), "closed with its vectors on");
	is(file_count("/proc/interrupts", PCI_ROCKER), 0,
	   "/proc/interrupts does not name it any more");
	pci_open(&d, PCI_ROCKER);
	ok(!msix_enabled(&d), "opened again, MSI-X is off");
	ok(silent(&d, efds, 0), "nothing is left of the triggers");
	is(irq_vectors(d.fd, INTX, 0, 1, efds), -EINVAL, "it has no INTx: EINVAL");
	dev_close(&d);
	for (int i = 0; i <= VECTORS; i++)
		close(efds[i]);
}

/* xHCI 1.1, 5.4 and 5.5: interrupter @n has its registers at XHCI_RUN + 0x20 * n. */
#define XHCI_CMD	0x40u
#define XHCI_CMD_INTE	0x04u
#define XHCI_RUN	0x1020u
#define XHCI_IMAN	0x00u
#define XHCI_IMAN_IE	0x02u
#define XHCI_ERSTSZ	0x08u
#define XHCI_ERSTBA	0x10u
#define XHCI_ERDP	0x18u
#define XHCI_ERDP_EHB	0x08u
#define USB_VECTORS	16u

/* Each interrupter gets a ring of events, whose description lies at IOVA. */
static void usb_start(struct dev *d, void *mem)
{
	const struct { uint64_t base; uint32_t entries, reserved; } ring = { IOVA + 0x800, 16, 0 };

	memcpy(mem, &ring, sizeof(ring));
	is(dma_map(d->container, mem, IOVA, (uint64_t)sysconf(_SC_PAGESIZE), RW), 0,
	   "%s: a ring of events", d->name);
	for (uint32_t n = 0; n < USB_VECTORS; n++) {
		dev_write(d, XHCI_RUN + 0x20 * n + XHCI_ERSTSZ, 1);
		dev_write(d, XHCI_RUN + 0x20 * n + XHCI_ERSTBA, IOVA);
		dev_write(d, XHCI_RUN + 0x20 * n + XHCI_ERSTBA + 4, 0);
		dev_write(d, XHCI_RUN + 0x20 * n + XHCI_IMAN, XHCI_IMAN_IE);
	}
	dev_write(d, XHCI_CMD, XHCI_CMD_INTE);
}

/* To be told that events are left in its ring makes an interrupter interrupt again. */
static void usb_fire(struct dev *d, uint32_t n)
{
	dev_write(d, XHCI_RUN + 0x20 * n + XHCI_ERDP, (IOVA + 0x800 + 16) | XHCI_ERDP_EHB);
}

/* Vector @n is fired: eventfd @by is signalled, once, and no other; none if @by is NOBODY. */
#define NOBODY	USB_VECTORS
static bool usb_heard(struct dev *d, const int32_t *efds, uint32_t n, uint32_t by)
{
	bool good = true;

	usb_fire(d, n);
	if (by == NOBODY)
		sleep_ms(QUIET);
	else
		good = efd_take(efds[by], SOON) == 1;
	for (uint32_t i = 0; i < USB_VECTORS; i++)
		good &= efd_take(efds[i], 0) == 0;
	return good;
}

/* The first @count of its vectors arrive each at its own eventfd, none of the others anywhere. */
static void usb_vectors(struct dev *d, const int32_t *efds, uint32_t count)
{
	const uint32_t at = cfg_cap(d, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS;
	uint32_t order = 0, good = 0;

	if (!is(irq_vectors(d->fd, MSI, 0, count, efds), 0, "%u vectors of MSI", count))
		return;
	while (1u << order < count)
		order++;
	is((hw_read(d->name, at, 2) & PCI_MSI_FLAGS_QSIZE) >> 4, order,
	   "the device has been given 2^%u", order);
	for (uint32_t n = 0; n < count; n++)
		good += usb_heard(d, efds, n, n);
	is(good, count, "each alone signals its eventfd");
	if (count < 1u << order)
		ok(usb_heard(d, efds, count, NOBODY), "the next one nobody's");
	is(irq_vectors(d->fd, MSI, count, 1, &efds[count]), -EINVAL, "one more: EINVAL");
}

/* Several vectors of MSI, which lie side by side. After few of them some kernels have no more. */
static void several_msi(void)
{
	static const uint32_t counts[] = { 15, 8, 3, 2, 1 };
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int32_t efds[USB_VECTORS + 1], nobody = -1;
	uint32_t at, flags, good = 0;
	void *mem = mem_new(page);
	struct dev d;

	pci_open(&d, PCI_USB);
	for (size_t i = 0; i <= USB_VECTORS; i++)
		efds[i] = efd_new(0);
	usb_start(&d, mem);
	is(irq_count(d.fd, MSI), USB_VECTORS, "MSI: 16 vectors");
	is(irq_vectors(d.fd, MSI, 0, USB_VECTORS + 1, efds), -EINVAL, "17 of them: EINVAL");
	usb_vectors(&d, efds, USB_VECTORS);
	while (good < 320 && usb_heard(&d, efds, good % USB_VECTORS, good % USB_VECTORS))
		good++;
	is(good, 320, "320 interrupts over 16 vectors arrive where they belong");
	is(irq_vectors(d.fd, MSI, 5, 1, &nobody), 0, "vector 5 is taken away");
	ok(usb_heard(&d, efds, 5, NOBODY), "and silent");
	ok(usb_heard(&d, efds, 4, 4) && usb_heard(&d, efds, 6, 6), "its neighbours are not");
	is(irq_vectors(d.fd, MSI, 5, 1, &efds[5]), 0, "vector 5 is given back");
	ok(usb_heard(&d, efds, 5, 5), "and fires");

	at = cfg_cap(&d, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS;
	flags = cfg_read(&d, at, 2) | PCI_MSI_FLAGS_ENABLE;
	cfg_write(&d, at, 2, flags & ~(uint32_t)PCI_MSI_FLAGS_QSIZE);
	ok(usb_heard(&d, efds, 7, 0), "told that it has one vector, the device uses the first");
	cfg_write(&d, at, 2, flags | PCI_MSI_FLAGS_QSIZE);
	is((hw_read(PCI_USB, at, 2) & PCI_MSI_FLAGS_QSIZE) >> 4, 4,
	   "it is not told that it has more than it was given");
	ok(usb_heard(&d, efds, 7, 7), "and uses all of them again");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		is(irq_disable(d.fd, MSI), 0, "MSI off");
		usb_vectors(&d, efds, counts[i]);
	}
	dev_close(&d);
	is(file_count("/proc/interrupts", PCI_USB), 0,
	   "closed, /proc/interrupts does not name it any more");
	for (size_t i = 0; i <= USB_VECTORS; i++)
		close(efds[i]);
	mem_free(mem, page);
}

/* More vectors than the interrupt controller has for the device: no matter what for. */
static void too_many(int efd)
{
	const int32_t bad = 12345;
	struct dev d;

	pci_open(&d, PCI_NVME);
	is(irq_vectors(d.fd, MSIX, 0, 2, (int32_t[]){ efd, efd }), 0, "two vectors of many");
	is(irq_vectors(d.fd, MSIX, 64, 1, &efd), -EINVAL, "the last of them: EINVAL");
	is(irq_vectors(d.fd, MSIX, 64, 1, &bad), -EINVAL, "for no file: EINVAL, too");
	dev_close(&d);
}

/* A device with all three kinds: one at a time. */
static void three_kinds(void)
{
	static const uint32_t kinds[] = { INTX, MSI, MSIX };
	int efd = efd_new(0);
	struct dev d;

	dev_open(&d, PCI_NIC);
	for (int i = 0; i < 3; i++) {
		is(irq_trigger(d.fd, kinds[i], efd), 0, "interrupt index %u", kinds[i]);
		for (int j = 0; j < 3; j++)
			if (j != i)
				is(irq_trigger(d.fd, kinds[j], efd), -EINVAL,
				   "%u at the same time: EINVAL", kinds[j]);
		is(irq_set(d.fd, kinds[i], NONE | TRIGGER, 0), 0, "triggered by hand");
		is(efd_take(efd, SOON), 1, "signals");
		is(irq_disable(d.fd, kinds[i]), 0, "off");
	}
	dev_close(&d);
	close(efd);
}

static void errors(struct dev *d, int efd)
{
	struct {
		struct vfio_irq_set set;
		int32_t efds[2];
	} in = { .set = { .argsz = sizeof(in.set) + 4, .index = INTX, .count = 1,
			  .flags = EVENTFD | TRIGGER }, .efds = { efd, efd } };
	static const uint32_t flags[] = {
		0, TRIGGER, NONE | BOOL | TRIGGER, EVENTFD | TRIGGER | 1u << 6,
		EVENTFD | TRIGGER | 1u << 31,
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		in.set.flags = flags[i];
		is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "flags 0x%x: EINVAL",
		   flags[i]);
	}
	in.set.flags = EVENTFD;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -ENOTTY, "no action: ENOTTY");
	in.set.flags = EVENTFD | TRIGGER | MASK;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -ENOTTY, "two actions: ENOTTY");
	in.set.flags = EVENTFD | TRIGGER;
	in.set.argsz = sizeof(in.set) + 3;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "argsz without its eventfd: EINVAL");
	in.set.argsz = sizeof(in.set) - 1;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "argsz too small: EINVAL");
	in.set.argsz = sizeof(in);
	in.set.count = 2;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "two of INTx: EINVAL");
	in.set.count = 1;
	in.set.start = 1;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "the second of INTx: EINVAL");
	in.set.start = 0;
	in.set.index = VFIO_PCI_NUM_IRQS;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "index 5: EINVAL");
	in.set.index = MSIX;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "MSI-X of a device without: EINVAL");
	in.set.index = INTX;
	in.efds[0] = 12345;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EBADF, "no file: EBADF");
	in.efds[0] = d->fd;
	is(xioctl(d->fd, VFIO_DEVICE_SET_IRQS, &in), -EINVAL, "a file that is no eventfd: EINVAL");
	is(irq_trigger(d->fd, INTX, efd), 0, "after all that, a trigger");
	ok(round_trip(d, efd), "works");
	is(irq_disable(d->fd, INTX), 0, "and off");
}

static void not_the_devices(void)
{
	int efd = efd_new(0), other = efd_new(0);
	struct dev d;
	pid_t pid;

	dev_open(&d, PCI_NIC);
	is(irq_trigger(d.fd, ERR, efd), 0, "ERR: an eventfd");
	is(irq_set(d.fd, ERR, NONE | TRIGGER, 0), 0, "trigger by hand");
	is(efd_take(efd, SOON), 1, "signals");
	is(irq_trigger(d.fd, ERR, -1), 0, "-1 takes it away");
	is(irq_set(d.fd, ERR, NONE | TRIGGER, 0), -EINVAL, "triggered by hand without: EINVAL");
	is(efd_take(efd, QUIET), 0, "nothing is signalled");
	is(irq_mask(d.fd, ERR), -ENOTTY, "it cannot be masked: ENOTTY");

	is(irq_trigger(d.fd, REQ, efd), 0, "REQ: an eventfd");
	is(irq_set(d.fd, REQ, BOOL | TRIGGER, 1), 0, "trigger by hand");
	is(efd_take(efd, SOON), 1, "signals");
	is(irq_trigger(d.fd, REQ, other), 0, "another eventfd");
	is(irq_disable(d.fd, REQ), 0, "none");
	is(irq_trigger(d.fd, REQ, efd), 0, "the first again");
	is(efd_take(efd, QUIET), 0, "nothing comes as long as nobody wants the device");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dev_close(&d);		/* its copies: they would keep the device open */
		_exit(board_unbind(PCI_NIC) ? 1 : 0);
	}
	ok(efd_take(efd, SOON) > 0, "somebody unbinds it: REQ is signalled");
	dev_close(&d);
	is(child_wait(pid), 0, "closed, it is unbound");
	is(efd_take(other, 0), 0, "and the other eventfd heard nothing");
	ok(!*board_driver(PCI_NIC), "it has no driver");
	board_take(PCI_NIC);
	close(efd);
	close(other);
}

int main(int argc, char **argv)
{
	int efd;
	struct dev d;

	tap_start(argc, argv);
	efd = efd_new(0);
	pci_open(&d, PCI_EDU);
	intx(&d, efd);
	msi(&d, efd);
	one_kind_at_a_time(&d, efd);
	errors(&d, efd);
	is(irq_trigger(d.fd, ERR, efd), -EINVAL, "ERR: not without PCI Express");
	/* Closed with a trigger set and the line masked; the next user starts afresh. */
	irq_trigger(d.fd, INTX, efd);
	edu_raise(&d, 1);
	is(efd_take(efd, SOON), 1, "an interrupt before the device is closed");
	dev_close(&d);
	pci_open(&d, PCI_EDU);
	is(irq_trigger(d.fd, INTX, efd), 0, "opened again, a trigger");
	ok(round_trip(&d, efd), "the interrupt arrives unmasked");
	dev_close(&d);
	shared_line();
	msix();
	several_msi();
	too_many(efd);
	three_kinds();
	not_the_devices();
	close(efd);
	return tap_done();
}
