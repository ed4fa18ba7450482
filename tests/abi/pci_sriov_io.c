// SPDX-License-Identifier: GPL-2.0-only
/*
 * pci_sriov_io - NVMe through virtual functions while another process has the physical one, which
 * is killed, comes back, and loses them
 */
/* vm: board=pci timeout=120 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libnvme.h"
#include "libtap.h"

#define A	"11112222-3333-4444-5555-66667777888a"
#define B	"11112222-3333-4444-5555-66667777888b"
#define SLACK	5000		/* ms, all of them a loaded machine's */

static const uint8_t token_a[16] = { 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44,
				     0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, 0x8a };

/* ---- the process that has the physical function ---- */

struct owner {
	pid_t pid;
	int ask, answer;
};

static void tell(int fd, int32_t value)
{
	if (write(fd, &value, sizeof(value)) != sizeof(value))
		_exit(1);
}

static void own(const char *options, bool first, int ask, int answer)
{
	struct nvme n;
	struct dev d;
	int32_t ids;
	char byte;
	int ret;

	ret = pci_open_as(&d, PCI_SRIOV, options);
	if (!ret && first)
		ret = sriov_feature(d.fd, VFIO_DEVICE_FEATURE_SET, token_a, 16);
	if (!ret && first)
		ret = nvme_start(&n, &d, d.container, IOVA);
	if (!ret && first)
		ret = nvme_virtualize(&n);
	tell(answer, ret);
	while (!ret && read(ask, &byte, 1) == 1)
		tell(answer, pread(d.fd, &ids, sizeof(ids),
				   (off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) == 4 ? ids : 0);
	_exit(0);
}

/* @first: set the token, and give the virtual functions what they need. How that went. */
static int owner_start(struct owner *o, const char *options, bool first)
{
	int ask[2], answer[2];
	int32_t ret = -EPIPE;

	if (pipe(ask) || pipe(answer))
		tap_bail("pipe: %m");
	fflush(stdout);
	o->pid = fork();
	if (!o->pid) {
		/* This process's virtual functions are not that one's. */
		for (int fd = 3; fd < 256; fd++)
			if (fd != ask[0] && fd != answer[1])
				close(fd);
		own(options, first, ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	o->ask = ask[1];
	o->answer = answer[0];
	if (read(o->answer, &ret, sizeof(ret)) != sizeof(ret))
		return -EPIPE;
	return ret;
}

/* The IDs of its device, which it reads now. */
static uint32_t owner_ask(struct owner *o)
{
	uint32_t ids = 0;

	if (write(o->ask, "", 1) != 1 || read(o->answer, &ids, sizeof(ids)) != sizeof(ids))
		return 0;
	return ids;
}

static void owner_end(struct owner *o)
{
	kill(o->pid, SIGKILL);
	child_wait(o->pid);
	close(o->ask);
	close(o->answer);
}

/* ---- virtual functions ---- */

struct vf {
	struct dev d;
	struct nvme n;
};

static void vf_start(struct vf *v, const char *name)
{
	const char *what = name + strlen("0000:00:");

	is(pci_open_as(&v->d, name, " vf_token=" A), 0, "%s: open", what);
	madvise((void *)v->d.regs, v->d.size, MADV_DONTFORK);
	is(nvme_start(&v->n, &v->d, v->d.container, IOVA), 0, "%s: enabled", what);
	is(nvme_admin(&v->n, NVME_IDENTIFY, NVME_CONTROLLER, 0), 0, "%s: identify", what);
	is(v->n.data[0] | v->n.data[1] << 8, cfg_read(&v->d, PCI_VENDOR_ID, 2),
	   "%s: the vendor of its registers", what);
	is(nvme_io_start(&v->n), 0, "%s: queues with MSI-X", what);
}

static void vf_end(struct vf *v)
{
	nvme_end(&v->n);
	dev_close(&v->d);
}

static bool vf_works(struct vf *v, uint64_t block)
{
	return !nvme_read(&v->n, block) && nvme_tells(v->n.data, block);
}

static void work(struct vf *one, struct vf *two)
{
	ok(vf_works(one, 5), "the first reads the disk");
	ok(vf_works(two, 6), "so does the second");
	mem_fill(one->n.data, NVME_BLOCK, 1);
	is(nvme_write(&one->n, 7), 0, "the first writes a block");
	memset(two->n.data, 0, NVME_BLOCK);
	is(nvme_read(&two->n, 7), 0, "the second reads it");
	ok(mem_is(two->n.data, NVME_BLOCK, 1), "byte for byte");

	is(pci_reset(&one->d), 0, "the first is reset");
	ok(vf_works(two, 8), "which the second does not notice");
	is(irq_disable(one->d.fd, VFIO_PCI_MSIX_IRQ_INDEX), 0, "its interrupt");
	cfg_command(&one->d, MEMORY | MASTER, 0);
	is(nvme_restart(&one->n), 0, "it is enabled again");
	is(nvme_io_start(&one->n), 0, "with queues");
	ok(vf_works(one, 9), "and reads");
}

/* ---- one who takes things away, for this process has them ---- */

struct taker {
	pthread_t thread;
	int (*take)(void);
	int ret;
	long ms;
};

static void *taker_run(void *arg)
{
	struct taker *t = arg;
	long start = now_ms();

	t->ret = t->take();
	t->ms = now_ms() - start;
	return NULL;
}

static void taker_start(struct taker *t, int (*take)(void))
{
	t->take = take;
	if (pthread_create(&t->thread, NULL, taker_run, t))
		tap_bail("no thread");
}

static int take_vfs(void)
{
	return sriov_set(PCI_SRIOV, 0);
}

static int take_pf(void)
{
	return board_unbind(PCI_SRIOV);
}

static short events(const struct dev *d, int ms)
{
	struct pollfd pfd = { .fd = d->fd, .events = POLLPRI };

	return poll(&pfd, 1, ms) > 0 ? pfd.revents : 0;
}

static void gone(struct vf *v, const char *what)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	is(xioctl(v->d.fd, VFIO_DEVICE_GET_INFO, &info), -ENODEV, "%s: ENODEV", what);
	ok(read_faults(v->d.regs), "%s: SIGBUS", what);
	is(events(&v->d, 0), POLLPRI | POLLERR | POLLHUP, "%s: POLLHUP", what);
	is(group_status(v->d.group), -ENODEV, "%s: its group as well", what);
	nvme_forget(&v->n);
	dev_close(&v->d);
}

static void killed(struct owner *o, struct vf *one)
{
	struct dev d;

	owner_end(o);
	ok(vf_works(one, 10), "the PF's process is killed: a VF works on");
	is(pci_open_as(&d, PCI_SRIOV, ""), -EACCES, "the next without the token: EACCES");
	dev_close(&d);
	is(owner_start(o, " vf_token=" B, false), -EACCES, "with a wrong one: EACCES");
	owner_end(o);
	is(owner_start(o, " vf_token=" A, false), 0, "with the right one: open");
	ok(vf_works(one, 11), "the VF works on");
}

/* The users do not heed it. */
static void taken(struct owner *o, struct vf *one, struct vf *two)
{
	const int ms = 1500;
	int req = efd_new(0);
	struct taker t;

	board_grace(ms);
	is(irq_trigger(one->d.fd, VFIO_PCI_REQ_IRQ_INDEX, req), 0, "who wants to be told");
	is(events(&one->d, QUIET), 0, "nothing to tell yet");
	taker_start(&t, take_vfs);
	ok(events(&one->d, SOON) & POLLPRI, "sriov_numvfs = 0: POLLPRI");
	ok(events(&two->d, ms / 2) & POLLPRI, "the other is told at the same time");
	is(efd_take(req, SOON), 1, "and the request");
	ok(vf_works(one, 12), "meanwhile the VF works");
	pthread_join(t.thread, NULL);
	is(t.ret, 0, "the administrator gets on");
	ok(t.ms >= ms && t.ms <= ms + SLACK, "after the grace time (%ld ms)", t.ms);
	gone(one, "the first");
	gone(two, "the second");
	ok(access(board_path(PCI_VF1, ""), F_OK), "there is no VF");
	is(owner_ask(o), hw_read(PCI_SRIOV, PCI_VENDOR_ID, 4), "the PF's user works on");
	close(req);
}

/* They do. */
static void heeded(void)
{
	struct taker t;
	struct dev d;

	if (!tap_kernel)
		board_grace(20000);
	is(sriov_set(PCI_SRIOV, 1), 0, "a VF is made");
	is(pci_open_as(&d, PCI_VF1, " vf_token=" A), 0, "opened");
	taker_start(&t, take_vfs);
	sleep_ms(300);
	dev_close(&d);
	pthread_join(t.thread, NULL);
	is(t.ret, 0, "closed when it is to go: it goes");
	ok(t.ms < 10000, "at once (%ld ms)", t.ms);
}

static void unbound(struct owner *o)
{
	struct taker t;
	struct dev v;

	board_grace(200);
	is(sriov_set(PCI_SRIOV, 2), 0, "two VFs");
	is(pci_open_as(&v, PCI_VF2, " vf_token=" A), 0, "one is open, and the PF");
	taker_start(&t, take_pf);
	pthread_join(t.thread, NULL);
	is(t.ret, 0, "the PF is unbound");
	ok(t.ms >= 400 && t.ms < 400 + SLACK, "after both have had their time (%ld ms)", t.ms);
	is(group_status(v.group), -ENODEV, "the VF has gone");
	ok(access(board_path(PCI_VF2, ""), F_OK), "altogether");
	is(owner_ask(o), 0, "the PF's user has nothing any more");
	dev_close(&v);
}

int main(int argc, char **argv)
{
	struct vf one, two;
	struct owner o;
	long pinned;

	tap_start(argc, argv);
	sriov_enable(PCI_SRIOV);
	pinned = pages_pinned();
	is(sriov_set(PCI_SRIOV, 2), 0, "two VFs");
	is(owner_start(&o, "", true), 0, "a process has the PF, and gives each what it needs");
	vf_start(&one, PCI_VF1);
	vf_start(&two, PCI_VF2);
	work(&one, &two);
	killed(&o, &one);
	if (!tap_kernel) {
		taken(&o, &one, &two);
	} else {
		vf_end(&one);
		vf_end(&two);
		is(sriov_set(PCI_SRIOV, 0), 0, "the VFs go");
	}
	heeded();
	if (!tap_kernel)
		unbound(&o);
	owner_end(&o);
	is(pages_pinned(), pinned, "no page stays pinned");
	is(locked_kb(), 0, "nor locked");

	sriov_enable(PCI_SRIOV);
	is(sriov_set(PCI_SRIOV, 2), 0, "all anew");
	is(owner_start(&o, "", true), 0, "a process has the PF");
	vf_start(&one, PCI_VF1);
	ok(vf_works(&one, 13), "and a VF works");
	vf_end(&one);
	owner_end(&o);
	is(sriov_set(PCI_SRIOV, 0), 0, "the VFs go");
	if (!tap_kernel)
		board_grace(3000);
	return tap_done();
}
