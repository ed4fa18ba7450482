// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The user of an NVMe controller's physical function (PF), by whose leave its virtual functions
 * (VFs) work; vf.c is the user of one.
 *
 *	sriov-pf DEVICE TOKEN-FILE
 *
 * It sets a new token and leaves it in TOKEN-FILE, for its own user alone to read; with a file that
 * is there it opens DEVICE by the token in it, as it must while somebody uses a VF. Then it gives
 * each VF that the administrator makes (`evfio sriov create`) two queues and an interrupt, and
 * brings it online, until DEVICE is taken away. When this program ends its controller stops, and
 * all VFs with it: that is how far VFs depend on their PF. docs/sriov.md has the rest.
 *
 * Commands and structures are those of the NVM Express Base Specification, 1.4.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libnvme.h"

#define INTERVAL_MS	200		/* how often it looks for new VFs */

/* 5.22: Virtualization Management, what to do to a secondary controller and with which resource */
#define ASSIGN		0x8
#define ONLINE		0x9
#define QUEUES		(0U << 8)
#define INTERRUPTS	(1U << 8)

/* 5.15.2.16: what the identification of secondary controllers has of each, from byte 32 on */
struct secondary {
	uint16_t id, primary_id;
	uint8_t online, reserved[3];
	uint16_t vf;				/* the first is 1 */
	uint16_t queues, interrupts;
	uint8_t more[18];
};

/* The token that an earlier run left; false if there is no such file. */
static bool load_token(const char *path, struct evfio_token *token)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[EVFIO_TOKEN_TEXT + 1] = "";
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid() || st.st_mode & 077)
		die("%s: others than its owner, or than we, know this token", path);
	if (read(fd, text, sizeof(text) - 1) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	check(evfio_token_parse(text, token));
	explicit_bzero(text, sizeof(text));
	return true;
}

static void save_token(const char *path, const struct evfio_token *token)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char text[EVFIO_TOKEN_TEXT];

	evfio_token_print(token, text);
	text[sizeof(text) - 1] = '\n';
	if (fd < 0 || write(fd, text, sizeof(text)) != (ssize_t)sizeof(text) || close(fd))
		die("%s: %s", path, strerror(errno));
	explicit_bzero(text, sizeof(text));
}

static struct evfio_device *open_pf(const char *name, const char *path)
{
	struct evfio_token token;
	struct evfio_device *pf;

	if (load_token(path, &token)) {
		check(evfio_open_token(NULL, name, &token, &pf));
	} else {
		check(evfio_open(name, &pf));
		check(evfio_token_new(&token));
		check(evfio_token_set(pf, &token));
		save_token(path, &token);
	}
	explicit_bzero(&token, sizeof(token));
	return pf;
}

/* One action on a secondary controller; returns how much it got. */
static uint32_t manage(struct nvme *nvme, uint16_t id, uint32_t action, uint32_t count)
{
	const struct nvme_command command = {
		.cdw10 = (uint32_t)id << 16 | action,
		.cdw11 = count,
	};

	return nvme_admin(nvme, ADMIN_VIRT_MGMT, &command);
}

static void bring_online(struct nvme *nvme, uint16_t id, const struct evfio_sysdev *vf)
{
	const uint32_t queues = manage(nvme, id, ASSIGN | QUEUES, 2);
	const uint32_t interrupts = manage(nvme, id, ASSIGN | INTERRUPTS, 1);

	manage(nvme, id, ONLINE, 0);
	printf("%s: online, %" PRIu32 " queues, %" PRIu32 " interrupt\n", vf->name, queues,
	       interrupts);
}

/* Brings those VFs online that are there and are not. */
static void serve(struct nvme *nvme)
{
	struct evfio_sysdev *pf, *vfs, *vf;
	const struct secondary *entry;
	const uint8_t *list;
	uint8_t i;

	check(evfio_sysdev_find(evfio_device_name(nvme->dev), &pf));
	check(evfio_sriov_vfs(pf, &vfs));
	list = nvme_identify(nvme, IDENTIFY_SECONDARY, 0);
	for (i = 0; i < list[0]; i++) {
		uint16_t number;

		entry = (const struct secondary *)(list + 32) + i;
		number = le16toh(entry->vf);
		for (vf = vfs; vf && number > 1; vf = vf->next)
			number--;
		if (vf && !entry->online)
			bring_online(nvme, le16toh(entry->id), vf);
	}
	evfio_sysdev_free(vfs);
	evfio_sysdev_free(pf);
}

int main(int argc, char **argv)
{
	struct nvme nvme = { 0 };
	struct evfio_irq *req;

	if (argc != 3) {
		fputs("usage: sriov-pf DEVICE TOKEN-FILE\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	nvme_start(&nvme, open_pf(argv[1], argv[2]), false);
	nvme_print(&nvme);
	/* The event that somebody wants the device back. */
	check(evfio_irq_open_name(nvme.dev, "req", &req));
	do
		serve(&nvme);
	while (evfio_irq_wait(req, INTERVAL_MS) == -ETIMEDOUT);
	printf("%s: to be let go\n", argv[1]);
	evfio_irq_close(req);
	nvme_stop(&nvme);
	return EXIT_SUCCESS;
}
