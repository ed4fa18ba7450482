// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_sriov_race - a physical function is opened, given tokens and closed while its virtual ones
 * are opened, and made, and taken away: SECONDS long (5)
 */
/* vm: board=pci timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libpci.h"
#include "libtap.h"

#define UUID(n)	"11112222-3333-4444-5555-66667777888" #n

static const char *const options[] = { "", " vf_token=" UUID(0), " vf_token=" UUID(1) };

enum { PF_OPEN, TOKEN, VF_OPEN, DENIED, CYCLE, REBOUND, COUNTS };

static const char *const words[COUNTS] = {
	"times the PF was open", "tokens set", "times a VF was open", "times EACCES",
	"times the VFs came and went", "times the PF was unbound",
};

#define ROWS	5

static volatile unsigned int (*counts)[COUNTS];		/* one row a process */

static void set_token(int fd, unsigned int n)
{
	uint8_t token[16] = { 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44,
			      0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, (uint8_t)(0x80 | n) };

	if (!sriov_feature(fd, VFIO_DEVICE_FEATURE_SET, token, sizeof(token)))
		counts[0][TOKEN]++;
}

/* Once: any of it may fail, for the device comes and goes. */
static void use(const char *name, unsigned int row)
{
	int container = container_open(), group = group_open(name), fd = -1;
	uint8_t ids[4];

	if (group >= 0 && !group_set(group, container) &&
	    !container_set_iommu(container, VFIO_TYPE1v2_IOMMU))
		fd = pci_fd_as(group, name, options[random() % 3]);
	if (fd == -EACCES)
		counts[row][DENIED]++;
	if (fd >= 0) {
		counts[row][row ? VF_OPEN : PF_OPEN]++;
		if (!row)
			set_token(fd, (unsigned int)random() % 2);
		pread(fd, ids, sizeof(ids), (off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40);
		close(pci_fd_as(group, name, options[random() % 3]));
		if (random() % 2)
			usleep((useconds_t)random() % 20000);
		close(fd);
	}
	close(group);
	close(container);
}

/* How often something happened, all in all. */
static unsigned int met(unsigned int what)
{
	unsigned int sum = 0;

	for (unsigned int row = 0; row < ROWS; row++)
		sum += counts[row][what];
	return sum;
}

/* A slow machine gets more time than it was given, until all has happened. */
static bool time_left(long end)
{
	const long now = now_ms();

	for (unsigned int i = 0; i < COUNTS; i++)
		if (!met(i))
			return now < end + 60000;
	return now < end;
}

/* Every fourth time it is the PF that goes. */
static void administer(unsigned int row)
{
	static unsigned int times;

	if (!sriov_set(PCI_SRIOV, 1 + (int)(random() % 2))) {
		usleep((useconds_t)random() % 1000000);
		if (++times % 4) {
			if (!sriov_set(PCI_SRIOV, 0))
				counts[row][CYCLE]++;
			return;
		}
	}
	if (!board_unbind(PCI_SRIOV))
		counts[row][REBOUND]++;
	file_write("/sys/bus/pci/drivers_probe", PCI_SRIOV);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { PCI_SRIOV, PCI_VF1, PCI_VF2, PCI_VF1 };
	long end, seconds = 5, pinned;
	pid_t pids[ROWS];
	struct dev d;

	if (argc > 1 && argv[1][0] != '-') {
		seconds = atol(argv[1]);
		argv++;
		argc--;
	}
	tap_start(argc, argv);
	if (tap_kernel) {
		tap_skip("who takes VFs away would wait for their users for ever");
		return tap_done();
	}
	sriov_enable(PCI_SRIOV);
	board_grace(5);
	counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pinned = pages_pinned();
	end = now_ms() + seconds * 1000;
	fflush(stdout);
	for (unsigned int row = 0; row < ROWS; row++) {
		pids[row] = fork();
		if (pids[row])
			continue;
		srandom(row + 1);
		while (time_left(end)) {
			if (row == ROWS - 1)
				administer(row);
			else
				use(names[row], row);
		}
		_exit(0);
	}
	for (unsigned int row = 0; row < ROWS; row++)
		is(child_wait(pids[row]), 0, "process %u ends", row);
	for (unsigned int i = 0; i < COUNTS; i++)
		ok(met(i), "%u %s", met(i), words[i]);
	sriov_enable(PCI_SRIOV);
	sriov_set(PCI_SRIOV, 0);
	is(sriov_set(PCI_SRIOV, 2), 0, "two VFs");
	is(pci_open_as(&d, PCI_SRIOV, ""), 0, "the PF opens without a token: no VF counts as open");
	set_token(d.fd, 1);
	dev_close(&d);
	is(pci_open_as(&d, PCI_VF1, options[0]), -EACCES, "a VF does not");
	dev_close(&d);
	is(pci_open_as(&d, PCI_VF1, options[2]), 0, "but with it");
	dev_close(&d);
	is(sriov_set(PCI_SRIOV, 0), 0, "the VFs go");
	is(pages_pinned(), pinned, "no page stays pinned");
	board_grace(3000);
	return tap_done();
}
