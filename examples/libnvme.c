// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The driver of nvme.c and sriov/, see libnvme.h.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libnvme.h"

/* 3.1: registers */
#define CAP		0x00
#define CAP_TO(cap)	((cap) >> 24 & 0xff)		/* units of 500 ms */
#define CAP_DSTRD(cap)	((cap) >> 32 & 0xf)
#define CAP_MPSMIN(cap)	((cap) >> 48 & 0xf)
#define CC		0x14
#define CC_EN		(1U << 0)
#define CC_SHN		(1U << 14)
#define CC_SIZES	(6U << 16 | 4U << 20)		/* queue entries: 2^6 and 2^4 bytes */
#define CSTS		0x1c
#define CSTS_RDY	(1U << 0)
#define CSTS_CFS	(1U << 1)
#define CSTS_SHST	(3U << 2)
#define CSTS_SHST_DONE	(2U << 2)
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define DOORBELLS	0x1000

/* 5.3: the queue is contiguous, here by IOVA; its completions are announced by interrupt */
#define QUEUE_PC	(1U << 0)
#define QUEUE_IEN	(1U << 1)

#define PAGE		NVME_PAGE
#define ENTRIES		16U				/* of each queue */
#define TIMEOUT_MS	5000

struct completion {
	uint32_t result, reserved;
	uint16_t sq_head, sq_id, cid, status;
};

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

int check(int ret)
{
	if (ret < 0)
		die("%s", evfio_error());
	return ret;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void wait_csts(const struct nvme *nvme, uint32_t mask, uint32_t want, int64_t timeout)
{
	const int64_t end = now_ms() + timeout;
	uint32_t csts;

	while (((csts = evfio_read32(nvme->regs, CSTS)) & mask) != want) {
		if (csts & CSTS_CFS || now_ms() > end)
			die("the controller's status is 0x%" PRIx32, csts);
		usleep(1000);
	}
}

static void ring(const struct nvme *nvme, uint32_t number, uint32_t value)
{
	evfio_write32(nvme->regs, DOORBELLS + number * nvme->doorbell_stride, value);
}

static void new_queue(struct nvme *nvme, struct nvme_queue *queue, uint32_t id)
{
	struct evfio_container *ct = evfio_device_container(nvme->dev);

	queue->id = id;
	queue->phase = 1;
	check(evfio_dma_alloc(ct, PAGE, PAGE, EVFIO_DMA_TO_DEVICE, &queue->sq));
	check(evfio_dma_alloc(ct, PAGE, PAGE, EVFIO_DMA_BOTH, &queue->cq));
	check(evfio_dma_sync_for_device(queue->cq, 0, PAGE));
}

/* The next completion, if it is there already: the controller turns the phase at every round. */
static struct completion *completed(const struct nvme_queue *queue)
{
	struct completion *entry = (struct completion *)queue->cq->addr + queue->head;
	uint16_t status;

	check(evfio_dma_sync_for_cpu(queue->cq, queue->head * sizeof(*entry), sizeof(*entry)));
	status = le16toh(__atomic_load_n(&entry->status, __ATOMIC_ACQUIRE));
	return (status & 1) == queue->phase ? entry : NULL;
}

static struct completion *wait_completion(const struct nvme_queue *queue)
{
	const int64_t end = now_ms() + TIMEOUT_MS;
	struct completion *entry;

	while (!(entry = completed(queue))) {
		if (queue->irq) {
			/* What was completed has been served: a wire is down, and may come up. */
			check(evfio_irq_rearm(queue->irq));
			check(evfio_irq_wait(queue->irq, TIMEOUT_MS));
		} else if (now_ms() > end) {
			die("queue %" PRIu32 ": no completion in time", queue->id);
		}
	}
	return entry;
}

/* Lets the controller do a command, and waits for the end of it. Returns what it answers. */
static uint32_t submit(const struct nvme *nvme, struct nvme_queue *queue, uint8_t opcode,
		       const struct nvme_command *command)
{
	struct nvme_command *slot = (struct nvme_command *)queue->sq->addr + queue->tail;
	struct completion *entry;
	uint32_t result;
	uint16_t status;

	*slot = (struct nvme_command) {
		.opcode_cid = htole32(opcode | queue->tail << 16),
		.nsid = htole32(command->nsid),
		.prp1 = htole64(command->prp1),
		.prp2 = htole64(command->prp2),
		.cdw10 = htole32(command->cdw10),
		.cdw11 = htole32(command->cdw11),
		.cdw12 = htole32(command->cdw12),
	};
	check(evfio_dma_sync_for_device(queue->sq, queue->tail * sizeof(*slot), sizeof(*slot)));
	queue->tail = (queue->tail + 1) % ENTRIES;
	/* This write comes after all that is in memory by now: see <evfio/region.h>. */
	ring(nvme, 2 * queue->id, queue->tail);

	entry = wait_completion(queue);
	result = le32toh(entry->result);
	status = le16toh(entry->status) >> 1;
	queue->head = (queue->head + 1) % ENTRIES;
	if (!queue->head)
		queue->phase ^= 1;
	ring(nvme, 2 * queue->id + 1, queue->head);
	/* 4.6.1: type in bits 8 to 10, code below; all the rest is advice. */
	if (status & 0x7ff)
		die("command 0x%02x of queue %" PRIu32 " failed: status type %u, code 0x%02x",
		    opcode, queue->id, status >> 8 & 7, status & 0xff);
	return result;
}

uint32_t nvme_admin(struct nvme *nvme, uint8_t opcode, const struct nvme_command *command)
{
	return submit(nvme, &nvme->admin, opcode, command);
}

static void enable(struct nvme *nvme)
{
	const uint64_t cap = evfio_read64(nvme->regs, CAP);
	const int64_t timeout = (int64_t)CAP_TO(cap) * 500;

	/* A virtual function until its physical function's user lets it work. */
	if (!cap)
		die("the controller of %s is offline", evfio_device_name(nvme->dev));
	if (CAP_MPSMIN(cap))
		die("the controller has no pages of 4 KiB");
	nvme->doorbell_stride = 4U << CAP_DSTRD(cap);
	evfio_write32(nvme->regs, CC, 0);
	wait_csts(nvme, CSTS_RDY, 0, timeout);
	/* Nothing of an earlier user's is under way any more: now it may reach our memory. */
	check(evfio_device_set_dma(nvme->dev, true));

	new_queue(nvme, &nvme->admin, 0);
	evfio_write32(nvme->regs, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	evfio_write64(nvme->regs, ASQ, nvme->admin.sq->iova);
	evfio_write64(nvme->regs, ACQ, nvme->admin.cq->iova);
	evfio_write32(nvme->regs, CC, CC_SIZES | CC_EN);
	wait_csts(nvme, CSTS_RDY, CSTS_RDY, timeout);
}

/* The queue for reads and writes; its interrupt is vector 1, or the one that there is. */
static void create_io_queue(struct nvme *nvme)
{
	struct nvme_queue *io = &nvme->io;
	struct nvme_command command = { 0 };

	new_queue(nvme, io, 1);
	command.prp1 = io->cq->iova;
	command.cdw10 = (ENTRIES - 1) << 16 | io->id;
	command.cdw11 = QUEUE_PC | (io->irq ? QUEUE_IEN : 0);
	if (io->irq != nvme->admin.irq)
		command.cdw11 |= 1U << 16;
	nvme_admin(nvme, ADMIN_CREATE_CQ, &command);
	command.prp1 = io->sq->iova;
	command.cdw11 = io->id << 16 | QUEUE_PC;
	nvme_admin(nvme, ADMIN_CREATE_SQ, &command);
}

/* Buffer and list of its pages but the first: PRP 1 names that one, PRP 2 the next or the list. */
static void make_buffer(struct nvme *nvme)
{
	struct evfio_container *ct = evfio_device_container(nvme->dev);
	uint64_t *list;
	uint32_t i;

	check(evfio_dma_alloc(ct, NVME_BUFFER, PAGE, EVFIO_DMA_BOTH, &nvme->buffer));
	check(evfio_dma_alloc(ct, PAGE, PAGE, EVFIO_DMA_TO_DEVICE, &nvme->prps));
	list = nvme->prps->addr;
	for (i = 1; i < NVME_BUFFER / PAGE; i++)
		list[i - 1] = htole64(nvme->buffer->iova + i * PAGE);
	check(evfio_dma_sync_for_device(nvme->prps, 0, PAGE));
}

const uint8_t *nvme_identify(struct nvme *nvme, uint32_t what, uint32_t nsid)
{
	const struct nvme_command command = {
		.nsid = nsid,
		.prp1 = nvme->buffer->iova,
		.cdw10 = what,
	};

	check(evfio_dma_sync_for_device(nvme->buffer, 0, PAGE));
	nvme_admin(nvme, ADMIN_IDENTIFY, &command);
	check(evfio_dma_sync_for_cpu(nvme->buffer, 0, PAGE));
	return nvme->buffer->addr;
}

/* Text of the controller is padded by spaces. */
static void print_text(const char *name, const uint8_t *text, int length)
{
	while (length && (text[length - 1] == ' ' || !text[length - 1]))
		length--;
	printf("%-11s%.*s\n", name, length, (const char *)text);
}

void nvme_print(struct nvme *nvme)
{
	const uint8_t *data = nvme_identify(nvme, IDENTIFY_CTRL, 0);

	print_text("model", data + 24, 40);
	print_text("serial", data + 4, 20);
	print_text("firmware", data + 64, 8);
	if (nvme->blocks)
		printf("%-11s%u: %" PRIu64 " blocks of %" PRIu32 " bytes\n", "namespace",
		       NVME_NSID, nvme->blocks, nvme->block_size);
}

void nvme_open_namespace(struct nvme *nvme)
{
	const uint8_t *data = nvme_identify(nvme, IDENTIFY_CTRL, 0);
	uint32_t format;
	uint64_t size;

	nvme->max_transfer = NVME_BUFFER;
	if (data[77] && data[77] < 5)
		nvme->max_transfer = PAGE << data[77];

	data = nvme_identify(nvme, IDENTIFY_NS, NVME_NSID);
	memcpy(&size, data, sizeof(size));
	nvme->blocks = le64toh(size);
	format = data[26] & 0xf;
	nvme->block_size = 1U << data[128 + 4 * format + 2];
	if (!nvme->blocks || nvme->block_size < 512 || nvme->block_size > nvme->max_transfer)
		die("namespace %u has %" PRIu64 " blocks of %" PRIu32 " bytes", NVME_NSID,
		    nvme->blocks, nvme->block_size);
	create_io_queue(nvme);
}

/*
 * A vector of MSI-X for each queue, the admin queue's being 0 always; or one for both: of a wire,
 * and of a virtual function that got no more.
 */
static void open_interrupts(struct nvme *nvme)
{
	const int msix = evfio_irq_index(nvme->dev, "msix");
	struct evfio_irq_info info = { 0 };
	struct evfio_irq *irqs[2];

	if (msix > 0)
		check(evfio_irq_info(nvme->dev, (uint32_t)msix, &info));
	if (info.count > 1) {
		check(evfio_irq_open_vectors(nvme->dev, info.index, 0, 2, irqs));
	} else {
		check(evfio_irq_open(nvme->dev, info.count ? info.index : 0, irqs));
		irqs[1] = irqs[0];
	}
	nvme->admin.irq = irqs[0];
	nvme->io.irq = irqs[1];
}

void nvme_start(struct nvme *nvme, struct evfio_device *dev, bool poll)
{
	nvme->dev = dev;
	check(evfio_region_map(dev, 0, &nvme->regs));
	if (!poll)
		open_interrupts(nvme);
	enable(nvme);
	make_buffer(nvme);
}

void nvme_stop(struct nvme *nvme)
{
	struct evfio_dma *memory[] = {
		nvme->admin.sq, nvme->admin.cq, nvme->io.sq, nvme->io.cq, nvme->prps, nvme->buffer,
	};
	size_t i;

	evfio_write32(nvme->regs, CC, CC_SIZES | CC_EN | CC_SHN);
	wait_csts(nvme, CSTS_SHST, CSTS_SHST_DONE, TIMEOUT_MS);
	check(evfio_device_set_dma(nvme->dev, false));
	for (i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
		check(evfio_dma_free(memory[i]));
	if (nvme->io.irq != nvme->admin.irq)
		evfio_irq_close(nvme->io.irq);
	evfio_irq_close(nvme->admin.irq);
	evfio_region_unmap(nvme->regs);
	evfio_close(nvme->dev);
}

void nvme_transfer(struct nvme *nvme, uint8_t opcode, uint64_t block, uint32_t count)
{
	const uint32_t bytes = count * nvme->block_size;
	const struct nvme_command command = {
		.nsid = NVME_NSID,
		.prp1 = nvme->buffer->iova,
		.prp2 = bytes > 2 * PAGE ? nvme->prps->iova : nvme->buffer->iova + PAGE,
		.cdw10 = (uint32_t)block,
		.cdw11 = (uint32_t)(block >> 32),
		.cdw12 = count - 1,
	};

	if (block >= nvme->blocks || count > nvme->blocks - block)
		die("the disk ends at block %" PRIu64, nvme->blocks);
	check(evfio_dma_sync_for_device(nvme->buffer, 0, bytes));
	submit(nvme, &nvme->io, opcode, &command);
	check(evfio_dma_sync_for_cpu(nvme->buffer, 0, bytes));
}

void nvme_flush(struct nvme *nvme)
{
	const struct nvme_command flush = { .nsid = NVME_NSID };

	submit(nvme, &nvme->io, NVM_FLUSH, &flush);
}

uint64_t number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-')
		die("\"%s\" is not a number", text);
	return value;
}
