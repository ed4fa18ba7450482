// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A userspace driver for NVMe disks; libnvme.c is the driver itself.
 *
 *	nvme [--poll] DEVICE			what the controller and its first namespace are
 *	nvme [--poll] DEVICE read BLOCK COUNT	blocks to standard output
 *	nvme [--poll] DEVICE write BLOCK	standard input, whole blocks of it, to the disk
 *
 * DEVICE is as for `evfio info`, and bound to VFIO: `evfio bind 0000:01:00.0`. It may be a PCI
 * function or a platform device: only the interrupts are not the same.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libnvme.h"

static void read_blocks(struct nvme *nvme, uint64_t block, uint64_t count)
{
	const uint32_t most = nvme->max_transfer / nvme->block_size;

	while (count) {
		const uint32_t now = count < most ? (uint32_t)count : most;

		nvme_transfer(nvme, NVM_READ, block, now);
		if (fwrite(nvme->buffer->addr, nvme->block_size, now, stdout) != now)
			die("standard output: %s", strerror(errno));
		block += now;
		count -= now;
	}
}

static void write_blocks(struct nvme *nvme, uint64_t block)
{
	size_t length;

	while ((length = fread(nvme->buffer->addr, 1, nvme->max_transfer, stdin)) > 0) {
		if (length % nvme->block_size)
			die("%zu bytes are no whole blocks", length);
		nvme_transfer(nvme, NVM_WRITE, block, (uint32_t)length / nvme->block_size);
		block += length / nvme->block_size;
	}
	nvme_flush(nvme);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "poll", no_argument, NULL, 'p' }, { 0 } };
	struct nvme nvme = { 0 };
	struct evfio_device *dev;
	bool poll = false, reads, writes;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) == 'p')
		poll = true;
	argc -= optind;
	argv += optind;
	reads = argc == 4 && !strcmp(argv[1], "read");
	writes = argc == 3 && !strcmp(argv[1], "write");
	if (opt != -1 || !(argc == 1 || reads || writes)) {
		fputs("usage: nvme [--poll] DEVICE [read BLOCK COUNT | write BLOCK]\n", stderr);
		return 2;
	}
	check(evfio_open(argv[0], &dev));
	nvme_start(&nvme, dev, poll);
	nvme_open_namespace(&nvme);
	if (argc == 1)
		nvme_print(&nvme);
	if (reads)
		read_blocks(&nvme, number(argv[2]), number(argv[3]));
	else if (writes)
		write_blocks(&nvme, number(argv[2]));
	nvme_stop(&nvme);
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
	return EXIT_SUCCESS;
}
