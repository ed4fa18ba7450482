/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libnvme - as much of an NVMe driver as tests of virtual functions need; see libpci.h
 *
 * One command at a time, admin commands by polling, others by interrupt. Numbers and structures are
 * those of the NVM Express Base Specification 1.4.
 */
#ifndef LIBNVME_H
#define LIBNVME_H

#include "libpci.h"

#define NVME_BLOCK	512u
#define NVME_MEM	(64u << 10)	/* what nvme_start() maps */

struct nvme_queue {
	uint16_t id, tail, head, phase;
	uint8_t *sq, *cq;
	int efd;			/* its interrupt, or -1: polled */
};

struct nvme {
	struct dev *d;
	int container;
	uint8_t *mem;			/* queues, then one page for data */
	uint8_t *data;
	uint64_t iova;
	struct nvme_queue admin, io;
};

/*
 * Enable the controller of @d, whose container @container is, with memory mapped at @iova. 0 or
 * -ETIMEDOUT, when it does not become ready, as a virtual one that is not online.
 */
int nvme_start(struct nvme *n, struct dev *d, int container, uint64_t iova);

/* Disable and enable it again. */
int nvme_restart(struct nvme *n);

/* Unmap the memory, or only free it when the device has gone. The device is the caller's. */
void nvme_end(struct nvme *n);
void nvme_forget(struct nvme *n);

/* An admin command on n->data: the status of its completion, 0 if good, or -ETIMEDOUT. */
int nvme_admin(struct nvme *n, uint8_t opcode, uint32_t cdw10, uint32_t cdw11);

#define NVME_IDENTIFY	0x06
#define  NVME_CONTROLLER	0x01	/* cdw10 */
#define  NVME_SECONDARIES	0x15

/* Queues for reading and writing namespace 1, and MSI-X vector 0. The same results. */
int nvme_io_start(struct nvme *n);

/* One block between the disk and n->data, completed by an interrupt. The same results. */
int nvme_read(struct nvme *n, uint64_t block);
int nvme_write(struct nvme *n, uint64_t block);

/* Whether it is what the disk has in a block that nobody has written: where it is. */
bool nvme_tells(const void *data, uint64_t block);

/*
 * The primary controller gives its flexible resources away, and each of the secondary controllers,
 * one for each virtual function, gets two queues and a vector and goes online; 0 or the status of
 * the first command that failed.
 */
int nvme_virtualize(struct nvme *n);

#endif
