// SPDX-License-Identifier: GPL-2.0-only
/*
 * held - who takes a device from a process that holds its own mmap_lock does not wait for it
 *
 * The process serves a file system of one file itself (FUSE), maps that file, and reads what it
 * mapped through /proc/self/mem: that page fault holds the lock until the process answers.
 *
 *	unload	then the modules go, too
 */
/* vm: kernels="6.12 7.2 7.2-16k 6.12-sanitize" */
/* vm: kernels="6.1" stock="fuse" */
/* vm: kernels="6.12 6.12-sanitize" args=unload alone=yes */
/* vm: iommu=no kernels="6.12 6.12-sanitize" params="vfio.enable_unsafe_noiommu_mode=1" */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/evfio.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libboard.h"
#include "libtap.h"

#define FILE_NAME	"/tmp/held"
#define GRACE		200	/* ms */

static size_t page;
static sem_t asked, answer;

static void reply(int fd, uint64_t unique, int error, const void *out, size_t len)
{
	struct {
		struct fuse_out_header header;
		uint8_t out[256];
	} message = { { (uint32_t)(sizeof(message.header) + len), error, unique }, { 0 } };

	memcpy(message.out, out, len);
	if (write(fd, &message, message.header.len) < 0)
		perror("fuse");
}

/* The file system: its root is a file of a page, which cannot be read. */
static void *serve(void *arg)
{
	static uint8_t buf[1 << 18];
	const struct fuse_in_header *in = (const void *)buf;
	const struct fuse_init_out init = { .major = 7, .minor = 31, .max_write = 4096 };
	const struct fuse_open_out open = { .fh = 1 };
	const struct fuse_attr_out attr = {
		.attr_valid = 1000,
		.attr = { .ino = 1, .size = page, .mode = S_IFREG | 0644, .nlink = 1 },
	};
	const int fd = *(int *)arg;

	while (read(fd, buf, sizeof(buf)) > 0) {
		switch (in->opcode) {
		case FUSE_INIT:
			reply(fd, in->unique, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			reply(fd, in->unique, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			reply(fd, in->unique, 0, &open, sizeof(open));
			break;
		case FUSE_READ:
			sem_post(&asked);
			sem_wait(&answer);
			reply(fd, in->unique, -EIO, "", 0);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			reply(fd, in->unique, -EOPNOTSUPP, "", 0);
		}
	}
	return NULL;
}

static void *fault(void *arg)
{
	int fd = open("/proc/self/mem", O_RDONLY);
	uint8_t byte;

	is(sys(pread(fd, &byte, 1, (off_t)(uintptr_t)arg)), -EIO, "what cannot be read is not");
	close(fd);
	return NULL;
}

/* Hold the lock from now on; sem_post(&answer) ends it. */
static pthread_t hold(void)
{
	static int fuse;
	char options[64];
	pthread_t thread;
	struct stat st;
	void *at;
	int fd;

	fuse = open("/dev/fuse", O_RDWR);
	close(open(FILE_NAME, O_CREAT | O_WRONLY, 0600));
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=0,group_id=0", fuse);
	is(sys(mount("held", FILE_NAME, "fuse", 0, options)), 0, "a file system of one's own");
	pthread_create(&thread, NULL, serve, &fuse);
	fd = open(FILE_NAME, O_RDONLY);
	is(fstat(fd, &st), 0, "the kernel knows its size");
	at = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	ok(at != MAP_FAILED, "its file is mapped");
	close(fd);
	pthread_create(&thread, NULL, fault, at);
	sem_wait(&asked);
	return thread;
}

/* Two pages on the account: one by each of two ways. */
static void charge(const struct dev *d)
{
	uint8_t *mem = mem_new(page);
	struct evfio_device_contig contig = { .argsz = sizeof(contig), .size = page };
	union {
		struct evfio_device_pin pin;
		uint8_t room[sizeof(struct evfio_device_pin) + sizeof(struct evfio_device_extent)];
	} pin = {
		.pin = { .argsz = sizeof(pin), .flags = RW, .vaddr = (uintptr_t)mem, .size = page },
	};

	if (check_extension(d->container, EVFIO_EXT_DEVICE_PIN)) {
		is(xioctl(d->fd, EVFIO_DEVICE_PIN, &pin), 0, "a page is pinned");
		is(xioctl(d->fd, EVFIO_DEVICE_CONTIG, &contig), 0, "a contiguous buffer is made");
	} else {
		is(dma_map(d->container, mem, IOVA, page, RW), 0, "a page is mapped");
		ok(dma_register(d->container, mem, page, RW) >= 0, "it is registered as well");
	}
}

/* Let no more than what was charged be locked, whoever we are. */
static void limit(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct rlimit two = { 2 * page, 2 * page };

	if (setrlimit(RLIMIT_MEMLOCK, &two) || syscall(SYS_capset, &header, none))
		tap_bail("limit: %m");
}

/* Unbind the device when told to. */
static int unbinder(int when)
{
	char byte;

	return read(when, &byte, 1) != 1 || board_unbind(EDU0);
}

/* Its exit status, or -1 if it has not come to an end in 20 s. */
static int wait_some(pid_t pid)
{
	int status;

	for (int i = 0; i < 1000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
		sleep_ms(20);
	}
	return -1;
}

/* The modules go while something is still on the account. */
static void unload(struct dev *d)
{
	static const char *const modules[] = { "vfio_pci", "vfio_platform", "vfio_iommu_type1",
					       "vfio" };

	close(d->fd);
	close(d->group);
	close(d->container);
	for (int i = 0; i < 4; i++)
		is(sys(syscall(SYS_delete_module, modules[i], O_NONBLOCK)), 0, "%s is unloaded",
		   modules[i]);
	sem_post(&answer);
}

int main(int argc, char **argv)
{
	const bool go = argc > 1 && !strcmp(argv[1], "unload");
	pthread_t thread;
	struct dev d, other;
	uint8_t *mem;
	int when[2];
	long charged;
	pid_t pid;

	tap_start(argc - go, argv + go);
	if (tap_kernel) {
		tap_skip("the kernel waits for the process");
		return tap_done();
	}
	page = (size_t)sysconf(_SC_PAGESIZE);
	charged = 2 * (long)page / 1024;
	board_grace(GRACE);
	mem = mem_new(2 * page);
	dev_open(&other, EDU1);
	dev_open(&d, EDU0);
	charge(&d);
	if (go) {
		/* Which could not be closed without the lock. */
		dev_close(&other);
		munmap((void *)d.regs, d.size);
	}
	is(locked_kb(), charged, "both are on the account");
	fflush(stdout);
	if (pipe(when))
		tap_bail("pipe: %m");
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %m");
	if (!pid)
		_exit(unbinder(when[0]));
	thread = hold();
	is(write(when[1], "", 1), 1, "while the lock is held the device is unbound");
	is(wait_some(pid), 0, "that comes to an end");
	ok(!*board_driver(EDU0), "it has no driver");
	is(locked_kb(), charged, "what is on the account stays there");
	if (go)
		unload(&d);
	else
		sem_post(&answer);
	pthread_join(thread, NULL);
	umount2(FILE_NAME, MNT_DETACH);
	if (go)
		return tap_done();
	if (check_extension(other.container, VFIO_TYPE1v2_IOMMU)) {
		limit();
		is(dma_map(other.container, mem, IOVA, 2 * page, RW), 0,
		   "when the lock is free as much can be locked again at once");
		dma_unmap(other.container, IOVA, 2 * page);
	}
	is(unlocked(), 0, "then it is taken off");
	board_grace(3000);
	return tap_done();
}
