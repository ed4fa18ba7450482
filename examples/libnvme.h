/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A driver for NVMe controllers: one command at a time, completed by interrupt or by polling. What
 * goes wrong ends the program, with a message. Registers, commands and structures are those of the
 * NVM Express Base Specification, 1.4, named as there.
 */
#ifndef EXAMPLES_LIBNVME_H
#define EXAMPLES_LIBNVME_H

#include <stdbool.h>
#include <stdint.h>

#include <evfio/evfio.h>

#define NVME_PAGE	4096U				/* CC.MPS = 0 */
#define NVME_BUFFER	(32 * NVME_PAGE)		/* of data */
#define NVME_NSID	1U

/* 5 and 6: commands */
#define ADMIN_CREATE_SQ		0x01
#define ADMIN_CREATE_CQ		0x05
#define ADMIN_IDENTIFY		0x06
#define ADMIN_VIRT_MGMT		0x1c
#define IDENTIFY_NS		0x00
#define IDENTIFY_CTRL		0x01
#define IDENTIFY_SECONDARY	0x15
#define NVM_FLUSH		0x00
#define NVM_WRITE		0x01
#define NVM_READ		0x02

struct nvme_command {
	uint32_t opcode_cid;
	uint32_t nsid;
	uint64_t reserved, mptr, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

/* A submission queue and its completion queue. */
struct nvme_queue {
	uint32_t id;
	struct evfio_dma *sq, *cq;
	uint32_t tail, head;
	uint16_t phase;			/* which entries of cq are new: those that have it */
	struct evfio_irq *irq;		/* NULL: polled */
};

struct nvme {
	struct evfio_device *dev;
	struct evfio_region *regs;
	uint32_t doorbell_stride;
	struct nvme_queue admin, io;
	struct evfio_dma *prps;		/* the list of pages that a command may refer to */
	struct evfio_dma *buffer;
	uint32_t max_transfer;		/* bytes in one command */
	uint64_t blocks;
	uint32_t block_size;
};

/* Prints the program's name and the message, and ends it. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* For calls of libevfio, which leave a message when they fail: returns what they returned. */
int check(int ret);

/* Takes over an open device, and brings its controller up: its admin queue works then. */
void nvme_start(struct nvme *nvme, struct evfio_device *dev, bool poll);

/* Looks at the first namespace, and makes the queue for reads and writes. */
void nvme_open_namespace(struct nvme *nvme);

/* What the controller is, and the namespace if it is open, to standard output. */
void nvme_print(struct nvme *nvme);

/* Shuts the controller down, frees everything and closes the device. */
void nvme_stop(struct nvme *nvme);

/* An admin command; returns dword 0 of its completion. */
uint32_t nvme_admin(struct nvme *nvme, uint8_t opcode, const struct nvme_command *command);

/* 5.15: returns 4096 bytes, which are in the buffer until the next command. */
const uint8_t *nvme_identify(struct nvme *nvme, uint32_t what, uint32_t nsid);

/* Moves count blocks, at most max_transfer bytes, between the disk and the buffer. */
void nvme_transfer(struct nvme *nvme, uint8_t opcode, uint64_t block, uint32_t count);

/* What was written is on the disk when this returns. */
void nvme_flush(struct nvme *nvme);

/* A number of the command line. */
uint64_t number(const char *text);

#endif /* EXAMPLES_LIBNVME_H */
