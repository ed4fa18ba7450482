// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The manual's examples, which docs/man/pages.awk takes from here, and a test that runs each. They
 * are there to be copied, hence the licence.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/evfio.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"
#include "libtap.h"

#define EDU	"10000000.edu"
#define PF	"0000:00:01.0"
#define VF	"0000:00:01.1"
#define PLACE	"sys/devices/platform/40000000.pcie/pci0000:00/"

/* manual */
static int show(const char *name)
{
	struct evfio_device *dev;
	int err = evfio_open(name, &dev);

	if (err) {
		fprintf(stderr, "%s\n", evfio_error());
		return err;
	}
	printf("%s: group %d, %u regions, %u interrupts\n",
	       evfio_device_name(dev), evfio_device_group(dev),
	       evfio_device_regions(dev), evfio_device_irqs(dev));
	evfio_close(dev);
	return 0;
}

/* manual ends */

/* manual */
static void version(void)
{
	printf("libevfio %s\n", evfio_version());
}

/* manual ends */

/* manual */
/* Two devices that see the same mappings. */
static int open_both(const char *one, const char *two,
		     struct evfio_device *devs[2])
{
	struct evfio_container *ct;
	int err = evfio_container_new(&ct);

	if (err)
		return err;
	err = evfio_open_in(ct, one, &devs[0]);
	if (!err) {
		err = evfio_open_in(ct, two, &devs[1]);
		if (err)
			evfio_close(devs[0]);
	}
	/* Each device that is open has a reference of its own. */
	evfio_container_put(ct);
	return err;
}

/* manual ends */

/* manual */
static void show_pinned(const struct evfio_device *dev)
{
	uint64_t kib;

	if (evfio_container_pinned(evfio_device_container(dev), &kib))
		puts(evfio_error());
	else
		printf("%" PRIu64 " KiB are pinned\n", kib);
}

/* manual ends */

/* manual */
/* Whether the kernel maps many ranges by one call. */
static bool maps_many(const struct evfio_container *ct)
{
	return ioctl(evfio_container_fd(ct), VFIO_CHECK_EXTENSION,
		     EVFIO_EXT_IOMMU_RANGES) > 0;
}

/* manual ends */

/* manual */
/* A device in a known state, which may do DMA. */
static int start(struct evfio_device *dev)
{
	int err = evfio_device_can_reset(dev) ? evfio_device_reset(dev) : 0;

	return err ? err : evfio_device_set_dma(dev, true);
}

/* manual ends */

/* manual */
/* Serves "count" interrupts, or fewer if the device is taken away before. */
static int serve(struct evfio_device *dev, struct evfio_irq *irq, int count)
{
	struct pollfd fds[] = {
		{ .fd = evfio_irq_fd(irq), .events = POLLIN },
		{ .fd = evfio_device_fd(dev), .events = POLLPRI },
	};

	while (count > 0 && !evfio_device_removed(dev)) {
		int fired;

		if (poll(fds, 2, -1) < 0)
			return -errno;
		fired = evfio_irq_wait(irq, 0);
		if (fired == -ETIMEDOUT)
			continue;
		if (fired < 0)
			return fired;
		count -= fired;
		/* ... serve the device, so that its line drops, and then ... */
		evfio_irq_rearm(irq);
	}
	return 0;
}

/* manual ends */

/* manual */
/* Receives the interrupt "done", or if there is none the first. */
static int open_done(struct evfio_device *dev, struct evfio_irq **irq)
{
	int index = evfio_irq_index(dev, "done");
	struct evfio_irq_info info;
	int err;

	err = evfio_irq_info(dev, index < 0 ? 0 : (uint32_t)index, &info);
	if (err)
		return err;
	printf("interrupt %" PRIu32 " \"%s\": %s\n", info.index, info.name,
	       info.flags & EVFIO_IRQ_AUTOMASKED ? "level" : "edge");
	return evfio_irq_open(dev, info.index, irq);
}

/* manual ends */

/* manual */
/* Whether interrupts come, with no need of the device. */
static bool loopback(struct evfio_device *dev)
{
	struct evfio_irq *irq;
	bool came;

	if (evfio_irq_open_name(dev, "done", &irq))
		return false;
	came = !evfio_irq_trigger(irq) && evfio_irq_wait(irq, 1000) == 1;
	evfio_irq_close(irq);
	return came;
}

/* manual ends */

/* manual */
/* The interrupt is held back while a queue is changed. */
static int quietly(struct evfio_irq *irq, void (*change)(void *queue),
		   void *queue)
{
	int err = evfio_irq_mask(irq);

	if (err)
		return err;
	change(queue);
	return evfio_irq_unmask(irq);
}

/* manual ends */

/* manual */
/* Four vectors. The device has registers for their messages, from 0x100 on. */
static int open_queues(struct evfio_device *dev,
		       const struct evfio_region *regs,
		       struct evfio_irq *irqs[4])
{
	uint64_t address;
	uint32_t index, data;
	int i, err = evfio_device_msi(dev, 4, &index);

	if (!err)
		err = evfio_irq_open_vectors(dev, index, 0, 4, irqs);
	for (i = 0; !err && i < 4; i++) {
		err = evfio_irq_message(irqs[i], &address, &data);
		if (!err) {
			evfio_write64(regs, 0x100 + 16 * (uint64_t)i, address);
			evfio_write32(regs, 0x108 + 16 * (uint64_t)i, data);
		}
	}
	return err;
}

/* manual ends */

/* manual */
/* The region "regs", or if there is none the first. */
static int map_registers(const struct evfio_device *dev,
			 struct evfio_region **regs)
{
	int index = evfio_region_index(dev, "regs");
	struct evfio_region_info info;
	int err;

	err = evfio_region_info(dev, index < 0 ? 0 : (uint32_t)index, &info);
	if (err)
		return err;
	printf("region %" PRIu32 " \"%s\": 0x%" PRIx64 " bytes\n",
	       info.index, info.name, info.size);
	return evfio_region_map(dev, info.index, regs);
}

/* manual ends */

/* manual */
/* Registers of each width. */
static uint32_t ring(const struct evfio_device *dev, uint64_t iova)
{
	struct evfio_region *regs;
	uint32_t status;

	if (evfio_region_map_name(dev, "regs", &regs))
		return UINT32_MAX;
	evfio_write8(regs, 0x10, evfio_read8(regs, 0x10) | 1);
	evfio_write16(regs, 0x12, evfio_read16(regs, 0x12) + 1);
	evfio_write64(regs, 0x18, iova);
	/* This one comes after all that is in memory by now. */
	evfio_write32(regs, 0x14, 1);
	status = evfio_read32(regs, 0x14);
	if (evfio_read64(regs, 0x18) != iova)
		status = UINT32_MAX;
	evfio_region_unmap(regs);
	return status;
}

/* manual ends */

/* manual */
/* Fills memory of the device, all of which is there when the doorbell rings. */
static int fill(const struct evfio_device *dev,
		const struct evfio_region *doorbell)
{
	struct evfio_region *memory;
	int err = evfio_region_map_wc(dev, 0, &memory);

	if (err)
		return err;
	if (memory->base) {
		memset((char *)memory->base + 0x200, 0xff, 64);
		evfio_wmb();
	}
	evfio_write32(doorbell, 0x20, 1);
	evfio_region_unmap(memory);
	return 0;
}

/* manual ends */

/* manual */
/* Waits for a mark that the device writes, and reads what it wrote before. */
static uint32_t result(const volatile uint32_t *mark,
		       const volatile uint32_t *value)
{
	while (!*mark)
		;
	evfio_rmb();
	return *value;
}

/* manual ends */

/* manual */
/* Sets a bit of a register; if there is none, that is an error. */
static int set_bit(const struct evfio_region *regs, uint64_t offset,
		   uint64_t bit)
{
	uint64_t value;
	int err = evfio_region_read(regs, offset, 4, &value);

	return err ? err : evfio_region_write(regs, offset, 4, value | bit);
}

/* manual ends */

/* manual */
/* Takes 64 bytes from the device, which tells when it has written them. */
static int receive(struct evfio_container *ct,
		   const struct evfio_region *regs, struct evfio_irq *irq,
		   void *bytes)
{
	struct evfio_dma *buf;
	int err, ret;

	err = evfio_dma_alloc(ct, 4096, 0, EVFIO_DMA_FROM_DEVICE, &buf);
	if (err)
		return err;
	err = evfio_dma_sync_for_device(buf, 0, 64);
	if (!err) {
		evfio_write64(regs, 0x28, buf->iova);
		err = evfio_irq_wait(irq, 1000);
	}
	if (err > 0)
		err = evfio_dma_sync_for_cpu(buf, 0, 64);
	if (!err)
		memcpy(bytes, buf->addr, 64);
	ret = evfio_dma_free(buf);
	return err ? err : ret;
}

/* manual ends */

/* manual */
/* A device with 32 bits of address; behind each mapping a page of nobody. */
static int limits(struct evfio_device *dev)
{
	struct evfio_container *ct = evfio_device_container(dev);

	evfio_dma_set_guard(ct, 4096);
	return evfio_dma_set_mask(ct, 32);
}

/* manual ends */

/* manual */
/* Memory of the program, at any IOVA, and at one that the device expects. */
static int lend(struct evfio_container *ct, void *memory, size_t size,
		struct evfio_dma *dmas[2])
{
	const struct evfio_dma fixed = {
		.addr = memory,
		.iova = 0x1000000,
		.size = size,
	};
	int err;

	err = evfio_dma_map(ct, memory, size, EVFIO_DMA_TO_DEVICE, &dmas[0]);
	if (err)
		return err;
	err = evfio_dma_map_at(ct, &fixed, EVFIO_DMA_TO_DEVICE, &dmas[1]);
	if (err)
		evfio_dma_free(dmas[0]);
	return err;
}

/* manual ends */

/* manual */
/* A ring of 64 pages, each mapped by itself, and taken back. */
static int ring_pages(struct evfio_container *ct, uint8_t *memory, size_t page)
{
	struct evfio_dma *dmas[64];
	struct iovec pages[64];
	int i, err;

	for (i = 0; i < 64; i++) {
		pages[i].iov_base = memory + (size_t)i * page;
		pages[i].iov_len = page;
	}
	err = evfio_dma_map_many(ct, pages, 64, EVFIO_DMA_BOTH, dmas);
	if (err)
		return err;
	/* ... dmas[i]->iova is where the device finds pages[i] ... */
	return evfio_dma_free_many(dmas, 64);
}

/* manual ends */

/* manual */
static int show_iommu(struct evfio_container *ct)
{
	struct evfio_iova_range ranges[16];
	uint64_t sizes;
	uint32_t left;
	int i, count = evfio_dma_ranges(ct, ranges, 16);

	if (count < 0 || evfio_dma_page_sizes(ct, &sizes))
		return -1;
	for (i = 0; i < count && i < 16; i++)
		printf("IOVAs 0x%" PRIx64 " to 0x%" PRIx64 "\n",
		       ranges[i].first, ranges[i].last);
	printf("smallest page: 0x%" PRIx64 " bytes\n", sizes & -sizes);
	if (!evfio_dma_available(ct, &left))
		printf("room for %" PRIu32 " mappings\n", left);
	return count;
}

/* manual ends */

/* manual */
/* Pinned once; the device sees one page of it after the other. */
static int stream(struct evfio_container *ct, void *memory, size_t page,
		  unsigned int pages)
{
	struct evfio_slice slice = { .offset = 0, .size = page };
	struct evfio_dma *window = NULL;
	struct evfio_buffer *buf;
	int err;

	err = evfio_buffer_new(ct, memory, pages * page,
			       EVFIO_DMA_TO_DEVICE | EVFIO_BUFFER_LAZY, &buf);
	if (err)
		return err;
	for (; !err && slice.offset < pages * page; slice.offset += page) {
		err = evfio_buffer_move(buf, &window, &slice, 1);
		/* ... the device reads at window->iova ... */
	}
	/* No window any more, and no way to one that there was. */
	slice = (struct evfio_slice){ 0 };
	if (!err)
		err = evfio_buffer_move(buf, &window, &slice, 1);
	if (!err)
		err = evfio_buffer_flush(buf);
	return err ? err : evfio_buffer_free(buf);
}

/* manual ends */

/* manual */
/* Without an IOMMU: the device is told address and size of each piece. */
static int send(struct evfio_device *dev, const struct evfio_region *regs,
		void *memory, size_t size)
{
	struct evfio_pin *pin;
	size_t at, left;
	int err, ret;

	err = evfio_pin_memory(dev, memory, size, EVFIO_DMA_BOTH, &pin);
	if (err)
		return err;
	err = evfio_pin_sync_for_device(pin, 0, size);
	for (at = 0; !err && at < size; at += left) {
		evfio_write64(regs, 0x30, evfio_pin_address(pin, at, &left));
		evfio_write64(regs, 0x38, left);
	}
	/* ... when the device is done with it ... */
	if (!err)
		err = evfio_pin_sync_for_cpu(pin, 0, size);
	ret = evfio_pin_free(pin);
	return err ? err : ret;
}

/* manual ends */

/* manual */
/* A picture, in one piece for the device, and then as a dma-buf for others. */
static int picture(struct evfio_device *dev, const struct evfio_region *regs,
		   size_t size, int *dmabuf)
{
	struct evfio_contig *buf;
	int err, ret;

	err = evfio_contig_alloc(dev, size, 0, EVFIO_CONTIG_CACHED, &buf);
	if (err)
		return err;
	memset(buf->addr, 0x80, buf->size);
	err = evfio_contig_sync_for_device(buf, 0, buf->size);
	evfio_write64(regs, 0x40, buf->address);
	/* ... when the device has written into it ... */
	if (!err)
		err = evfio_contig_sync_for_cpu(buf, 0, buf->size);
	*dmabuf = err ? err : evfio_contig_export(buf);
	ret = evfio_contig_free(buf);
	return *dmabuf < 0 ? *dmabuf : ret;
}

/* manual ends */

/* manual */
/* Of PCI Express: how fast the link is. */
static int link_speed(const struct evfio_device *dev)
{
	int err, cap = evfio_pci_find_cap(dev, PCI_CAP_ID_EXP);
	uint32_t status;

	if (cap < 0)
		return cap;
	err = evfio_pci_read(dev, (uint32_t)cap + PCI_EXP_LNKSTA, 2, &status);
	return err ? err : (int)(status & PCI_EXP_LNKSTA_CLS);
}

/* manual ends */

/* manual */
/* The device answers no access, and does no DMA. */
static int silence(struct evfio_device *dev)
{
	return evfio_pci_command(dev, EVFIO_PCI_IO | EVFIO_PCI_MEMORY |
				 EVFIO_PCI_MASTER, false);
}

/* manual ends */

/* manual */
/* Of PCI Express: has the device forget its correctable errors. */
static int forget_errors(struct evfio_device *dev)
{
	int cap = evfio_pci_find_ext_cap(dev, PCI_EXT_CAP_ID_ERR);

	if (cap < 0)
		return cap;
	return evfio_pci_write(dev, (uint32_t)cap + PCI_ERR_COR_STATUS, 4, ~0U);
}

/* manual ends */

/* manual */
/* All the virtual functions that there can be; then the names of them. */
static int all_vfs(const char *name)
{
	struct evfio_sysdev *pf, *vfs = NULL, *vf;
	int err = evfio_sysdev_find(name, &pf);

	if (err)
		return err;
	err = evfio_sriov_max(pf);
	if (err > 0)
		err = evfio_sriov_create(name, (unsigned int)err);
	if (!err)
		err = evfio_sriov_vfs(pf, &vfs);
	for (vf = vfs; vf; vf = vf->next)
		puts(vf->name);
	evfio_sysdev_free(vfs);
	evfio_sysdev_free(pf);
	return err < 0 ? err : evfio_sriov_remove(name, false);
}

/* manual ends */

/* manual */
/* The user of a physical function; the text is for those of virtual ones. */
static int share(struct evfio_device *pf, char text[EVFIO_TOKEN_TEXT])
{
	struct evfio_token token;
	int err = evfio_token_new(&token);

	if (!err)
		err = evfio_token_set(pf, &token);
	if (!err)
		evfio_token_print(&token, text);
	return err;
}

/* manual ends */

/* manual */
/* The user of a virtual function, who was given that text. */
static int open_vf(const char *name, const char *text, struct evfio_device **vf)
{
	struct evfio_token token;
	int err = evfio_token_parse(text, &token);

	return err ? err : evfio_open_token(NULL, name, &token, vf);
}

/* manual ends */

/* manual */
/* What the device tree says of a device. */
static int configure(const struct evfio_device *dev)
{
	const char *path = evfio_device_syspath(dev);
	uint32_t width = 4, reg[4];
	char name[64];

	if (evfio_dt_has(path, "reg-io-width") &&
	    evfio_dt_u32(path, "reg-io-width", 0, &width))
		return -1;
	if (evfio_dt_string(path, "compatible", 0, name, sizeof(name)) < 0 ||
	    evfio_dt_read(path, "reg", reg, sizeof(reg)) != sizeof(reg))
		return -1;
	printf("%s: accesses of %" PRIu32 " bytes\n", name, width);
	return evfio_dt_string_index(path, "reg-names", "aux");
}

/* manual ends */

/* manual */
/* What could be opened now, or why not; how many can. */
static int list(void)
{
	struct evfio_sysdev *all, *dev;
	int ready = 0;

	if (evfio_sysdev_list(&all))
		return -1;
	for (dev = all; dev; dev = dev->next) {
		int err = evfio_sysdev_check(dev);

		printf("%s: %s\n", dev->name, err ? evfio_error() : "ready");
		ready += !err;
	}
	evfio_sysdev_free(all);
	return ready;
}

/* manual ends */

/* manual */
/* How many devices must be bound to VFIO, or to nothing, together with one. */
static int companions(const struct evfio_sysdev *dev)
{
	struct evfio_sysdev *members, *member;
	int count = 0;

	if (evfio_group_members(dev->group, &members))
		return -1;
	for (member = members; member; member = member->next)
		count += !!strcmp(member->syspath, dev->syspath);
	evfio_sysdev_free(members);
	return count;
}

/* manual ends */

/* manual */
/* Before all else, in a container that has the host's sysfs elsewhere. */
static int elsewhere(const char *directory)
{
	return evfio_sysfs_set_root(directory);
}

/* manual ends */

/* manual */
/* Has a device for as long as a function runs, unless the host lives on it. */
static int borrow(const char *name, int (*use)(const char *name))
{
	int err = evfio_bind_check(name), ret;

	if (!err)
		err = evfio_bind(name);
	if (err)
		return err;
	ret = use(name);
	err = evfio_unbind(name);
	return ret ? ret : err;
}

/* manual ends */

/* manual */
static void found(void *arg, enum evfio_finding what, const char *text,
		  const char *where)
{
	int *obstacles = arg;

	*obstacles += what == EVFIO_OBSTACLE;
	if (what == EVFIO_REMEDY)
		printf("%s: %s\n", where, text);
	else
		puts(text);
}

/* How many things stand between a program and a device. */
static int count_obstacles(const char *name)
{
	int obstacles = 0;

	if (evfio_diagnose_board(found, &obstacles) ||
	    evfio_diagnose(name, found, &obstacles))
		return -1;
	return obstacles;
}

/* manual ends */

static void changed(void *queue)
{
	*(int *)queue = (int)fake.mask_count;
}

static void interrupts(struct evfio_device *dev)
{
	struct evfio_region *regs;
	struct evfio_irq *irq, *irqs[4];
	int i, masked = 0;

	if (!is(open_done(dev, &irq), 0, "an interrupt by its name, if it has one"))
		return;
	evfio_irq_trigger(irq);
	evfio_irq_trigger(irq);
	is(serve(dev, irq, 2), 0, "a loop around poll() serves two");
	is(fake.unmask_count, 2, "and rearms the interrupt");
	is(quietly(irq, changed, &masked), 0, "mask and unmask");
	is(masked, 1, "it was masked meanwhile");
	is(fake.unmask_count, 3, "and is not any more");
	evfio_irq_close(irq);
	ok(loopback(dev), "loopback");

	is(map_registers(dev, &regs), 0, "registers by their name, if they have one");
	is(open_queues(dev, regs, irqs), 0, "vectors");
	ok(evfio_read64(regs, 0x130) == 0x8000040 && evfio_read32(regs, 0x138) == 103,
	   "whose messages are in registers");
	for (i = 0; i < 4; i++)
		evfio_irq_close(irqs[i]);
	evfio_region_unmap(regs);
	fake.msi = 0;
}

static void registers(struct evfio_device *dev)
{
	static const uint32_t mark = 1, value = 5;
	struct evfio_region *regs;
	uint64_t byte = 0;

	is(ring(dev, 0x123456789a), 1, "registers of each width");
	evfio_region_map(dev, 0, &regs);
	is(evfio_read16(regs, 0x12), 1, "one of two bytes");
	is(fill(dev, regs), 0, "memory of the device");
	is(evfio_read32(regs, 0x20), 1, "and its doorbell");
	/* The made-up device's file has the region, write-combined, at its second part. */
	evfio_region_read(regs, 0, 1, &byte);
	is((long long)byte, 0, "the region itself is as it was");
	is(result(&mark, &value), 5, "what the device wrote");
	is(set_bit(regs, 0x50, 8), 0, "a bit of a register");
	is(evfio_read32(regs, 0x50), 8, "is set");
	is(set_bit(regs, regs->size, 8), -ERANGE, "one that is not there is an error");
	evfio_region_unmap(regs);
}

static void dma(struct evfio_device *dev)
{
	struct evfio_container *ct = evfio_device_container(dev);
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory = aligned_alloc(page, 64 * page), bytes[64];
	struct evfio_dma *dmas[2];
	struct evfio_region *regs;
	struct evfio_irq *irq;
	int fd;

	show_pinned(dev);
	ok(maps_many(ct), "the kernel maps many");
	is(limits(dev), 0, "limits");
	ok(ct->guard == 4096 && ct->iova.last == UINT32_MAX, "are the container's");
	evfio_region_map(dev, 0, &regs);
	evfio_irq_open(dev, 0, &irq);
	memset(bytes, 1, sizeof(bytes));
	is(receive(ct, regs, irq, bytes), -ETIMEDOUT, "nothing comes");
	is(bytes[63], 1, "and nothing is read");
	evfio_irq_trigger(irq);
	is(receive(ct, regs, irq, bytes), 0, "64 bytes come");
	is(bytes[63], 0, "and are read");
	is(evfio_read32(regs, 0x28), 0x10000, "the device knew where to");
	evfio_irq_close(irq);
	is(lend(ct, memory, page, dmas), 0, "memory of the program, twice");
	ok(fake_mapped(0x1000000, memory, page), "once where it is wanted");
	evfio_dma_free_many(dmas, 2);
	is(ring_pages(ct, memory, page), 0, "64 pages");
	is(show_iommu(ct), 2, "two ranges");
	is(stream(ct, memory, page, 4), 0, "a window that moves over four pages");
	is(fake.move_calls, 6, "and away, and out of reach");
	is(picture(dev, regs, 3 * page, &fd), -EOPNOTSUPP, "no dma-buf behind an IOMMU");
	is(evfio_read32(regs, 0x40), 0x10000, "but a buffer");
	is(fake.mappings + fake.buffers, 0, "nothing is mapped, nothing registered");
	evfio_region_unmap(regs);
	free(memory);
}

static void no_iommu(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = aligned_alloc(page, 2 * page);
	struct evfio_region *regs;
	struct evfio_device *dev;
	int fd;

	tree_remove("dev/vfio/3");
	tree_text("dev/vfio/noiommu-3", "");
	is(evfio_open(EDU, &dev), 0, "a device without an IOMMU");
	is(limits(dev), 0, "its address bits");
	evfio_region_map(dev, 0, &regs);
	is(send(dev, regs, memory, 2 * page), 0, "memory in two pieces");
	is(evfio_read32(regs, 0x30), (long long)(0x80000000 + 2 * page), "of which the device got");
	is(evfio_read32(regs, 0x38), (long long)page, "each page");
	is(fake.pins, 0, "nothing is pinned");
	is(picture(dev, regs, page, &fd), 0, "a contiguous buffer");
	is(evfio_read32(regs, 0x40), 0x90000000, "for the device");
	ok(fd >= 0, "and as dma-buf");
	close(fd);
	is(fake.contigs, 0, "given back");
	evfio_region_unmap(regs);
	evfio_close(dev);
	tree_remove("dev/vfio/noiommu-3");
	tree_text("dev/vfio/3", "");
	free(memory);
}

static void pci(void)
{
	static uint8_t config[8192];
	struct evfio_device *dev, *vf;
	char text[EVFIO_TOKEN_TEXT];
	uint32_t value = 0;

	config[4096 + PCI_COMMAND] = 15;
	config[4096 + PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[4096 + PCI_CAPABILITY_LIST] = 0x40;
	config[4096 + 0x40] = PCI_CAP_ID_EXP;
	config[4096 + 0x40 + PCI_EXP_LNKSTA] = 3;
	config[4096 + 0x100] = PCI_EXT_CAP_ID_ERR;
	config[4096 + 0x102] = 1;
	tree_file("dev/vfio/device-" PF, (const char *)config, sizeof(config));
	tree_text("dev/vfio/8", "");
	strcpy(fake.vf_token, "x");
	fake.idle = true;
	is(evfio_open(PF, &dev), 0, "a physical function");
	is(link_speed(dev), 3, "the speed of its link");
	is(silence(dev), 0, "no answer from now on");
	evfio_pci_read(dev, PCI_COMMAND, 2, &value);
	is(value, PCI_COMMAND_SPECIAL, "is in the command register");
	is(forget_errors(dev), 0, "errors");
	evfio_pci_read(dev, 0x100 + PCI_ERR_COR_STATUS, 4, &value);
	is(value, 0xffffffff, "are told to be forgotten");
	is(share(dev, text), 0, "its token");
	is_str(text, fake.vf_token, "is the kernel's");
	evfio_close(dev);

	fake.idle = false;
	tree_link(PLACE VF "/driver", "sys/bus/pci/drivers/vfio-pci");
	is(open_vf(VF, "01234567-89ab-cdef-0123-456789abcdef", &vf), -EACCES, "not with another");
	is(open_vf(VF, text, &vf), 0, "a virtual function with it");
	evfio_close(vf);

	*fake.vf_token = '\0';
	is(all_vfs(PF), -EOPNOTSUPP, "a device without SR-IOV");
	tree_text(PLACE PF "/sriov_totalvfs", "1\n");
	tree_text(PLACE PF "/sriov_numvfs", "0\n");
	tree_text("sys/module/vfio_pci/parameters/enable_sriov", "Y\n");
	tree_link(PLACE PF "/virtfn0", PLACE VF);
	is(all_vfs(PF), 0, "a virtual function, made and removed");
	is_str(tree_read(PLACE PF "/sriov_numvfs"), "0\n", "none is left");
}

static void sysfs(void)
{
	struct evfio_sysdev *dev;
	char root[1024];

	is(list(), 4, "devices that are ready");
	evfio_sysdev_find("10200000.edu", &dev);
	is(companions(dev), 1, "one more in its isolation set");
	evfio_sysdev_free(dev);
	is(count_obstacles("10100000.edu") > 0, 1, "one that is not bound");
	is(borrow(EDU, show), 0, "bound, used and given back");
	is_str(tree_read("sys/bus/platform/drivers/vfio-platform/unbind"), EDU, "which was");
	is(borrow("1.edu", show), -ENOENT, "one that is not there");
	snprintf(root, sizeof(root), "%s/proc", tree_dir());
	is(elsewhere(root), 0, "another directory for /sys");
	is(list(), 0, "has no devices");
}

int main(void)
{
	struct evfio_device *dev, *devs[2];

	tree_new();
	fake_reset();
	version();
	is(show(EDU), 0, "a device");
	is(show("20000000.edu"), -ENOENT, "none");
	is(open_both(EDU, "9010000.pl031", devs), 0, "two in one container");
	ok(evfio_device_container(devs[0]) == evfio_device_container(devs[1]), "which it is");
	evfio_close(devs[0]);
	evfio_close(devs[1]);
	is(open_both(EDU, "1.edu", devs), -ENOENT, "or none of them");
	is(fake.groups, 0, "nothing is open");

	fake.can_reset = true;
	if (is(evfio_open(EDU, &dev), 0, "open " EDU)) {
		is(start(dev), 0, "a device in a known state");
		is(fake.resets, 1, "is reset");
		is(configure(dev), 1, "its device-tree node");
		fake.unmask_count = 0;
		interrupts(dev);
		registers(dev);
		dma(dev);
		evfio_close(dev);
	}
	no_iommu();
	pci();
	sysfs();
	tree_free();
	return done();
}
