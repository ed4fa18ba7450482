// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The user of a virtual function (VF) of an NVMe controller, whose physical function pf.c has.
 *
 *	sriov-vf DEVICE <TOKEN-FILE			what the controller and the disk are
 *	sriov-vf DEVICE BLOCK <TOKEN-FILE		the line that is in a block
 *	sriov-vf DEVICE BLOCK TEXT <TOKEN-FILE		... after writing it
 *	sriov-vf --stay DEVICE ...			then stay, until DEVICE is taken away
 *
 * The token comes by standard input: whoever starts this program may read TOKEN-FILE, its user need
 * not, and no list of processes shows it. The user needs DEVICE's node in /dev/vfio alone.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libnvme.h"

static struct evfio_device *open_vf(const char *name)
{
	char text[EVFIO_TOKEN_TEXT + 1] = "";
	struct evfio_token token;
	struct evfio_device *vf;

	if (read(STDIN_FILENO, text, sizeof(text) - 1) < 0)
		die("standard input: %s", strerror(errno));
	check(evfio_token_parse(text, &token));
	explicit_bzero(text, sizeof(text));
	check(evfio_open_token(NULL, name, &token, &vf));
	explicit_bzero(&token, sizeof(token));
	return vf;
}

static void use_block(struct nvme *nvme, uint64_t block, const char *text)
{
	char *line = nvme->buffer->addr;

	if (text) {
		memset(line, 0, nvme->block_size);
		strncpy(line, text, nvme->block_size - 1);
		nvme_transfer(nvme, NVM_WRITE, block, 1);
		nvme_flush(nvme);
		memset(line, 0, nvme->block_size);
	}
	nvme_transfer(nvme, NVM_READ, block, 1);
	printf("block %" PRIu64 ": %.*s\n", block, (int)strnlen(line, nvme->block_size), line);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "stay", no_argument, NULL, 's' }, { 0 } };
	struct evfio_irq *req = NULL;
	struct nvme nvme = { 0 };
	bool stay = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) == 's')
		stay = true;
	argc -= optind;
	argv += optind;
	if (opt != -1 || argc < 1 || argc > 3) {
		fputs("usage: sriov-vf [--stay] DEVICE [BLOCK [TEXT]] <TOKEN-FILE\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	nvme_start(&nvme, open_vf(argv[0]), false);
	nvme_open_namespace(&nvme);
	nvme_print(&nvme);
	if (argc > 1)
		use_block(&nvme, number(argv[1]), argv[2]);
	if (stay) {
		/* The event that somebody wants the device back. */
		check(evfio_irq_open_name(nvme.dev, "req", &req));
		while (evfio_irq_wait(req, -1) == -EINTR)
			;
		printf("%s: to be let go\n", argv[0]);
		evfio_irq_close(req);
	}
	nvme_stop(&nvme);
	return EXIT_SUCCESS;
}
