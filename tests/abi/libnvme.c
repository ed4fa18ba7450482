// SPDX-License-Identifier: GPL-2.0-only
/*
 * libnvme - see libnvme.h
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libnvme.h"
#include "libtap.h"

/* 3.1: registers */
#define CC		0x14
#define CC_EN		1u
#define CC_SIZES	(6u << 16 | 4u << 20)	/* queue entries: 2^6 and 2^4 bytes */
#define CSTS		0x1c
#define CSTS_RDY	1u
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define DOORBELL	0x1000			/* 4 bytes each, as QEMU has them */

/* 5 and 6: commands */
#define CREATE_SQ	0x01
#define CREATE_CQ	0x05
#define VIRT_MGMT	0x1c
#define  PRIMARY_ALLOC	0x1		/* 5.22: action | resource | controller << 16 */
#define  ASSIGN		0x8
#define  ONLINE		0x9
#define  QUEUES		(0u << 8)
#define  VECTORS	(1u << 8)
#define NVM_WRITE	0x01
#define NVM_READ	0x02

#define PAGE		4096u
#define ENTRIES		16u
#define SLOT		64u			/* bytes of a command */
#define DATA		4			/* page of n->mem */

static uint32_t reg(const struct nvme *n, uint32_t at)
{
	return dev_read(n->d, at);
}

static void set_reg(const struct nvme *n, uint32_t at, uint32_t value)
{
	dev_write(n->d, at, value);
}

static int wait_ready(const struct nvme *n, uint32_t ready)
{
	long end = now_ms() + SOON;

	while ((reg(n, CSTS) & CSTS_RDY) != ready) {
		/* One that is not online is all zeros. */
		if (now_ms() > end || (ready && !reg(n, CC)))
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

static void new_queue(struct nvme *n, struct nvme_queue *q, uint16_t id)
{
	*q = (struct nvme_queue){ .id = id, .phase = 1, .efd = -1 };
	q->sq = n->mem + 2 * id * PAGE;
	q->cq = q->sq + PAGE;
	memset(q->sq, 0, 2 * PAGE);
}

static uint64_t iova_of(const struct nvme *n, const uint8_t *p)
{
	return n->iova + (uint64_t)(p - n->mem);
}

int nvme_restart(struct nvme *n)
{
	int ret;

	set_reg(n, CC, 0);
	ret = wait_ready(n, 0);
	if (ret)
		return ret;
	if (n->io.efd >= 0)
		close(n->io.efd);
	new_queue(n, &n->admin, 0);
	new_queue(n, &n->io, 1);
	set_reg(n, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	set_reg(n, ASQ, (uint32_t)iova_of(n, n->admin.sq));
	set_reg(n, ASQ + 4, (uint32_t)(iova_of(n, n->admin.sq) >> 32));
	set_reg(n, ACQ, (uint32_t)iova_of(n, n->admin.cq));
	set_reg(n, ACQ + 4, (uint32_t)(iova_of(n, n->admin.cq) >> 32));
	set_reg(n, CC, CC_SIZES | CC_EN);
	return wait_ready(n, CSTS_RDY);
}

int nvme_start(struct nvme *n, struct dev *d, int container, uint64_t iova)
{
	int ret;

	*n = (struct nvme){ .d = d, .container = container, .iova = iova, .io.efd = -1 };
	n->mem = mem_new(NVME_MEM);
	n->data = n->mem + DATA * PAGE;
	ret = dma_map(container, n->mem, iova, NVME_MEM, RW);
	if (ret)
		tap_bail("%s: memory: %s", d->name, strerror(-ret));
	if (!d->regs)
		tap_bail("%s: no registers", d->name);
	cfg_command(d, MEMORY | MASTER, 0);
	return nvme_restart(n);
}

void nvme_forget(struct nvme *n)
{
	if (n->io.efd >= 0)
		close(n->io.efd);
	mem_free(n->mem, NVME_MEM);
}

void nvme_end(struct nvme *n)
{
	dma_unmap(n->container, n->iova, NVME_MEM);
	nvme_forget(n);
}

static int submit(struct nvme *n, struct nvme_queue *q, uint8_t opcode, uint32_t nsid,
		  const uint8_t *data, const uint32_t *cdw)
{
	uint32_t *command = (uint32_t *)(q->sq + q->tail * SLOT);
	const volatile uint16_t *status = (uint16_t *)(q->cq + q->head * 16 + 14);
	long end = now_ms() + SOON;
	uint64_t prp = iova_of(n, data);
	int ret;

	memset(command, 0, SLOT);
	command[0] = opcode | (uint32_t)q->tail << 16;
	command[1] = nsid;
	command[6] = (uint32_t)prp;
	command[7] = (uint32_t)(prp >> 32);
	memcpy(command + 10, cdw, 3 * sizeof(*cdw));
	q->tail = (q->tail + 1) % ENTRIES;
	__sync_synchronize();
	set_reg(n, DOORBELL + 8u * q->id, q->tail);
	if (q->efd >= 0 && !efd_take(q->efd, SOON))
		return -ETIMEDOUT;
	while ((*status & 1) != q->phase)
		if (now_ms() > end)
			return -ETIMEDOUT;
	ret = *status >> 1 & 0x7ff;
	q->head = (q->head + 1) % ENTRIES;
	if (!q->head)
		q->phase ^= 1;
	set_reg(n, DOORBELL + 8u * q->id + 4, q->head);
	return ret;
}

int nvme_admin(struct nvme *n, uint8_t opcode, uint32_t cdw10, uint32_t cdw11)
{
	const uint32_t cdw[] = { cdw10, cdw11, 0 };

	return submit(n, &n->admin, opcode, 0, n->data, cdw);
}

int nvme_io_start(struct nvme *n)
{
	const uint32_t size_and_id = (ENTRIES - 1) << 16 | 1;
	const uint32_t cq[] = { size_and_id, 3, 0 }, sq[] = { size_and_id, 1 << 16 | 1, 0 };
	int ret;

	n->io.efd = efd_new(0);
	ret = irq_vectors(n->d->fd, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1, &n->io.efd);
	if (!ret)
		ret = submit(n, &n->admin, CREATE_CQ, 0, n->io.cq, cq);
	if (!ret)
		ret = submit(n, &n->admin, CREATE_SQ, 0, n->io.sq, sq);
	/* The admin queue has vector 0 as well. */
	efd_take(n->io.efd, 0);
	return ret;
}

static int move(struct nvme *n, uint8_t opcode, uint64_t block)
{
	const uint32_t cdw[] = { (uint32_t)block, (uint32_t)(block >> 32), 0 };

	return submit(n, &n->io, opcode, 1, n->data, cdw);
}

int nvme_read(struct nvme *n, uint64_t block)
{
	return move(n, NVM_READ, block);
}

int nvme_write(struct nvme *n, uint64_t block)
{
	return move(n, NVM_WRITE, block);
}

bool nvme_tells(const void *data, uint64_t block)
{
	uint64_t word;

	memcpy(&word, data, sizeof(word));
	return word == block * NVME_BLOCK;
}

int nvme_virtualize(struct nvme *n)
{
	uint8_t list[PAGE];
	uint32_t id;
	int ret;

	ret = nvme_admin(n, NVME_IDENTIFY, NVME_CONTROLLER, 0);
	id = (uint32_t)(n->data[78] | n->data[79] << 8) << 16;
	ret = ret ? ret : nvme_admin(n, VIRT_MGMT, PRIMARY_ALLOC | QUEUES | id, 0);
	ret = ret ? ret : nvme_admin(n, VIRT_MGMT, PRIMARY_ALLOC | VECTORS | id, 0);
	/* It has given them away when it is enabled the next time. */
	ret = ret ? ret : nvme_restart(n);
	ret = ret ? ret : nvme_admin(n, NVME_IDENTIFY, NVME_SECONDARIES, 0);
	memcpy(list, n->data, sizeof(list));
	for (unsigned int i = 0; !ret && i < list[0]; i++) {
		id = (uint32_t)(list[32 * (i + 1)] | list[32 * (i + 1) + 1] << 8) << 16;
		ret = nvme_admin(n, VIRT_MGMT, ASSIGN | QUEUES | id, 2);
		ret = ret ? ret : nvme_admin(n, VIRT_MGMT, ASSIGN | VECTORS | id, 1);
		ret = ret ? ret : nvme_admin(n, VIRT_MGMT, ONLINE | id, 0);
	}
	return ret;
}
