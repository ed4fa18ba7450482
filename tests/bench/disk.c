// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel's own driver makes of a disk: so many MiB of it, so many requests at a time, by
 * its asynchronous calls and past its caches. Prints MiB/s.
 *
 *	disk read|write FILE BYTES DEPTH MIB		BYTES: of a request
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const bool writes = argc == 6 && !strcmp(argv[1], "write");
	size_t bytes, depth, i, count;
	struct io_event *events;
	aio_context_t context = 0;
	struct iocb **ready;
	int64_t end, at = 0;
	long under_way = 0;
	double begin;
	int fd;

	if (argc != 6)
		errx(2, "usage: disk read|write FILE BYTES DEPTH MIB");
	bytes = strtoul(argv[3], NULL, 0);
	depth = strtoul(argv[4], NULL, 0);
	end = atoll(argv[5]) << 20;
	fd = open(argv[2], O_RDWR | O_DIRECT);
	ready = calloc(depth, sizeof(*ready));
	events = calloc(depth, sizeof(*events));
	if (fd < 0 || !ready || !events || syscall(SYS_io_setup, depth, &context))
		err(1, "%s", argv[2]);
	for (i = 0; i < depth; i++) {
		void *memory = aligned_alloc(65536, (bytes + 65535) & ~(size_t)65535);

		ready[i] = calloc(1, sizeof(**ready));
		if (!memory || !ready[i])
			errx(1, "no memory");
		memset(memory, 0, bytes);
		ready[i]->aio_buf = (uintptr_t)memory;
	}
	begin = now();
	/* What is ready is given to the kernel, and what it is done with is ready again. */
	for (count = depth; at < end || under_way; ) {
		size_t wanted = 0;
		long done;

		for (; wanted < count && at < end; wanted++, at += (int64_t)bytes) {
			ready[wanted]->aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
			ready[wanted]->aio_fildes = (uint32_t)fd;
			ready[wanted]->aio_nbytes = bytes;
			ready[wanted]->aio_offset = at;
		}
		if (syscall(SYS_io_submit, context, wanted, ready) != (long)wanted)
			err(1, "io_submit");
		under_way += (long)wanted;
		done = syscall(SYS_io_getevents, context, 1, depth, events, NULL);
		if (done < 1)
			err(1, "io_getevents");
		under_way -= done;
		for (count = 0; count < (size_t)done; count++) {
			ready[count] = (struct iocb *)(uintptr_t)events[count].obj;
			if (events[count].res != (int64_t)bytes)
				errx(1, "a request ended with %lld", (long long)events[count].res);
		}
	}
	if (writes && fdatasync(fd))
		err(1, "fdatasync");
	printf("%.1f\n", (double)end / (now() - begin) / (1 << 20));
	return 0;
}
