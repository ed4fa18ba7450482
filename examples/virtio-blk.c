// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A userspace driver for a disk on virtio-mmio, without an IOMMU: the device is given the addresses
 * that pinned memory has on its bus (docs/no-iommu.md), several requests are under way at a time,
 * and interrupts say which are done.
 *
 *	virtio-blk [OPTIONS] DEVICE				how big the disk is
 *	virtio-blk [OPTIONS] DEVICE read SECTOR COUNT		sectors to standard output
 *	virtio-blk [OPTIONS] DEVICE write SECTOR		standard input, whole sectors of it
 *	virtio-blk [OPTIONS] DEVICE fill SECTOR COUNT		each 8 bytes become their own offset
 *	virtio-blk [OPTIONS] DEVICE verify SECTOR COUNT		are they?
 *	virtio-blk [OPTIONS] DEVICE bench-read SECTOR COUNT	how fast, without looking at data
 *	virtio-blk [OPTIONS] DEVICE bench-write SECTOR COUNT	the same: what was there is lost
 *
 *	--depth=N	requests under way, 1 to 256 (32)
 *	--size=BYTES	of a request, 512 to 65536 (65536)
 *
 * DEVICE is as for `evfio info`, bound in no-IOMMU mode: `evfio bind a000000.virtio_mmio`. A sector
 * has 512 bytes. Registers and structures are those of Virtual I/O Device (VIRTIO) 1.1, with its
 * section numbers. (QEMU's devices are of an older kind unless it is told
 * -global virtio-mmio.force-legacy=false.)
 */
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <evfio/evfio.h>

/* 4.2.2: registers, of 32 bits each */
#define MAGIC			0x000
#define MAGIC_VALUE		0x74726976U	/* "virt" */
#define VERSION			0x004
#define DEVICE_ID		0x008
#define DEVICE_ID_BLOCK		2
#define DEVICE_FEATURES		0x010
#define DEVICE_FEATURES_SEL	0x014		/* which 32 of them */
#define DRIVER_FEATURES		0x020
#define DRIVER_FEATURES_SEL	0x024
#define QUEUE_SEL		0x030
#define QUEUE_NUM_MAX		0x034
#define QUEUE_NUM		0x038
#define QUEUE_READY		0x044
#define QUEUE_NOTIFY		0x050
#define INTERRUPT_STATUS	0x060
#define INTERRUPT_ACK		0x064
#define STATUS			0x070		/* 2.1; writing 0 resets the device */
#define STATUS_ACKNOWLEDGE	0x01
#define STATUS_DRIVER		0x02
#define STATUS_DRIVER_OK	0x04
#define STATUS_FEATURES_OK	0x08
#define QUEUE_DESC		0x080		/* addresses: low half, high half */
#define QUEUE_DRIVER		0x090
#define QUEUE_DEVICE		0x0a0
#define CONFIG			0x100
#define CONFIG_CAPACITY		(CONFIG + 0)	/* 5.2.4: low half, high half */
#define CONFIG_SEG_MAX		(CONFIG + 12)

/* 5.2.3 and 6: features, those above 31 in the second word */
#define F_SEG_MAX		(1U << 2)
#define F_FLUSH			(1U << 9)
#define F_INDIRECT_DESC		(1U << 28)
#define F_VERSION_1		(1U << 0)	/* 32 */

/* 2.6.5: the device follows a chain of descriptors, here in a table of each request's own */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

#define DESC_NEXT		1
#define DESC_WRITE		2		/* by the device */
#define DESC_INDIRECT		4

/* 2.6.6: which descriptors are new for the device, and 2.6.8: which it is done with */
struct available {
	uint16_t flags, index, ring[];
};

struct used {
	uint16_t flags, index;
	struct {
		uint32_t id, length;
	} ring[];
};

/* 5.2.6: requests */
#define BLK_READ		0
#define BLK_WRITE		1
#define BLK_FLUSH		4

#define SECTOR			512U
#define MOST_BYTES		65536U
#define MOST_DEPTH		256U		/* so that each part of the queue fits a page */
#define TIMEOUT_MS		5000

/* What the device is told of a request; the data follow in the next page. */
struct control {
	struct descriptor table[2 + MOST_BYTES / 4096];
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;
};

struct request {
	struct evfio_pin *pin;
	struct control *control;
	uint8_t *data;
	uint64_t at;				/* where on the disk, in bytes */
	size_t bytes;
	bool done;
};

struct disk {
	struct evfio_device *dev;
	struct evfio_region *regs;
	struct evfio_irq *irq;
	uint64_t interrupts;
	uint64_t sectors;
	bool flushes;
	uint32_t depth;
	size_t size;				/* of a request */

	/* The queue: entry N of the ring of descriptors is for request N. */
	struct evfio_pin *queue;
	uint32_t entries;
	struct descriptor *ring;
	struct available *available;
	struct used *used;
	uint16_t submitted, collected;		/* how many; what is beyond 16 bits is lost */
	struct request requests[MOST_DEPTH];
};

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("virtio-blk: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

/* For calls of libevfio, which leave a message when they fail. */
static int check(int ret)
{
	if (ret < 0)
		die("%s", evfio_error());
	return ret;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void reset(const struct disk *disk)
{
	const double end = now() + TIMEOUT_MS / 1e3;

	evfio_write32(disk->regs, STATUS, 0);
	while (evfio_read32(disk->regs, STATUS)) {
		if (now() > end)
			die("the device cannot be reset");
		usleep(1000);
	}
}

/* 3.1.1: no feature is used but those that both sides know. */
static void negotiate(struct disk *disk)
{
	const uint32_t wanted = F_SEG_MAX | F_FLUSH | F_INDIRECT_DESC;
	uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER, features;

	evfio_write32(disk->regs, STATUS, status);
	evfio_write32(disk->regs, DEVICE_FEATURES_SEL, 1);
	if (!(evfio_read32(disk->regs, DEVICE_FEATURES) & F_VERSION_1))
		die("the device is older than virtio 1.0");
	evfio_write32(disk->regs, DRIVER_FEATURES_SEL, 1);
	evfio_write32(disk->regs, DRIVER_FEATURES, F_VERSION_1);
	evfio_write32(disk->regs, DEVICE_FEATURES_SEL, 0);
	features = evfio_read32(disk->regs, DEVICE_FEATURES) & wanted;
	if (!(features & F_INDIRECT_DESC))
		die("the device has no indirect descriptors");
	evfio_write32(disk->regs, DRIVER_FEATURES_SEL, 0);
	evfio_write32(disk->regs, DRIVER_FEATURES, features);
	status |= STATUS_FEATURES_OK;
	evfio_write32(disk->regs, STATUS, status);
	if (evfio_read32(disk->regs, STATUS) != status)
		die("the device does not accept features 0x%" PRIx32, features);

	disk->flushes = features & F_FLUSH;
	disk->sectors = evfio_read32(disk->regs, CONFIG_CAPACITY) |
		(uint64_t)evfio_read32(disk->regs, CONFIG_CAPACITY + 4) << 32;
	if (features & F_SEG_MAX) {
		/* Memory may be in as many pieces as it has pages. */
		size_t most = evfio_read32(disk->regs, CONFIG_SEG_MAX) *
			(size_t)sysconf(_SC_PAGESIZE);

		disk->size = disk->size < most ? disk->size : most;
	}
}

/* Memory that stays where it is, for the device and for us. */
static struct evfio_pin *pin(const struct disk *disk, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct evfio_pin *pin;

	if (memory == MAP_FAILED)
		die("no memory");
	check(evfio_pin_memory(disk->dev, memory, size, EVFIO_DMA_BOTH, &pin));
	return pin;
}

static void unpin(struct evfio_pin *pin)
{
	void *memory = pin->addr;
	const size_t size = pin->size;

	check(evfio_pin_free(pin));
	munmap(memory, size);
}

/*
 * Before the device looks at pinned memory, or writes to it, and after it has written: these do
 * nothing if it is coherent with the processors' caches.
 */
static void to_device(const struct evfio_pin *pin, const void *what, size_t size)
{
	const size_t offset = (size_t)((const uint8_t *)what - (const uint8_t *)pin->addr);

	check(evfio_pin_sync_for_device(pin, offset, size));
}

static void from_device(const struct evfio_pin *pin, const void *what, size_t size)
{
	const size_t offset = (size_t)((const uint8_t *)what - (const uint8_t *)pin->addr);

	check(evfio_pin_sync_for_cpu(pin, offset, size));
}

static void write_address(const struct disk *disk, uint32_t reg, uint64_t address)
{
	evfio_write32(disk->regs, reg, (uint32_t)address);
	evfio_write32(disk->regs, reg + 4, (uint32_t)(address >> 32));
}

/* 4.2.3.2. The parts of the queue need not be consecutive: a page for each. */
static void make_queue(struct disk *disk)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory;

	evfio_write32(disk->regs, QUEUE_SEL, 0);
	disk->entries = evfio_read32(disk->regs, QUEUE_NUM_MAX);
	if (disk->entries > MOST_DEPTH)
		disk->entries = MOST_DEPTH;
	if (disk->depth > disk->entries)
		die("the device's queue has %" PRIu32 " entries", disk->entries);
	disk->queue = pin(disk, 3 * page);
	memory = disk->queue->addr;
	disk->ring = (struct descriptor *)memory;
	disk->available = (struct available *)(memory + page);
	disk->used = (struct used *)(memory + 2 * page);
	to_device(disk->queue, memory, 3 * page);
	evfio_write32(disk->regs, QUEUE_NUM, disk->entries);
	write_address(disk, QUEUE_DESC, evfio_pin_address(disk->queue, 0, NULL));
	write_address(disk, QUEUE_DRIVER, evfio_pin_address(disk->queue, page, NULL));
	write_address(disk, QUEUE_DEVICE, evfio_pin_address(disk->queue, 2 * page, NULL));
	evfio_write32(disk->regs, QUEUE_READY, 1);
}

static void start(struct disk *disk, const char *name)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct request *request;
	uint32_t value;

	check(evfio_open(name, &disk->dev));
	check(evfio_dma_set_mask(evfio_device_container(disk->dev), 64));
	check(evfio_region_map(disk->dev, 0, &disk->regs));
	if (evfio_read32(disk->regs, MAGIC) != MAGIC_VALUE)
		die("%s is no virtio-mmio device", name);
	value = evfio_read32(disk->regs, VERSION);
	if (value != 2)
		die("%s has version %" PRIu32 " of virtio-mmio, this driver is for version 2",
		    name, value);
	value = evfio_read32(disk->regs, DEVICE_ID);
	if (value != DEVICE_ID_BLOCK)
		die("%s is no disk: it has device id %" PRIu32, name, value);

	/* Nothing of an earlier user's is under way after this. */
	reset(disk);
	check(evfio_irq_open(disk->dev, 0, &disk->irq));
	negotiate(disk);
	make_queue(disk);
	for (request = disk->requests; request < disk->requests + disk->depth; request++) {
		request->pin = pin(disk, page + MOST_BYTES);
		request->control = request->pin->addr;
		request->data = (uint8_t *)request->pin->addr + page;
	}
	evfio_write32(disk->regs, STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER |
		      STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}

static void stop(struct disk *disk)
{
	uint32_t i;

	/* The device uses no memory of ours after this. */
	reset(disk);
	for (i = 0; i < disk->depth; i++)
		unpin(disk->requests[i].pin);
	unpin(disk->queue);
	evfio_irq_close(disk->irq);
	evfio_region_unmap(disk->regs);
	evfio_close(disk->dev);
}

static void describe(struct descriptor *entry, uint64_t address, size_t length, int flags, int next)
{
	entry->address = htole64(address);
	entry->length = htole32((uint32_t)length);
	entry->flags = htole16((uint16_t)flags);
	entry->next = htole16((uint16_t)next);
}

/* Puts a request into the queue; the device looks for it when it is notified. */
static void submit(struct disk *disk, struct request *request, uint32_t type)
{
	const size_t data = (size_t)sysconf(_SC_PAGESIZE);
	const uint64_t control = evfio_pin_address(request->pin, 0, NULL);
	const uint16_t number = (uint16_t)(request - disk->requests);
	struct descriptor *table = request->control->table;
	uint16_t *available = &disk->available->ring[disk->submitted % disk->entries];
	int last = 0, entries = 2;
	size_t at, step;

	if (request->at / SECTOR + request->bytes / SECTOR > disk->sectors)
		die("the disk ends at sector %" PRIu64, disk->sectors);
	request->done = false;
	request->control->type = htole32(type);
	request->control->sector = htole64(request->at / SECTOR);
	/* First what is wanted, then data in as many pieces as memory is in, then how it went. */
	describe(&table[0], control + offsetof(struct control, type), 16, 0, 0);
	for (at = 0; at < request->bytes; at += step) {
		const uint64_t address = evfio_pin_address(request->pin, data + at, &step);

		step = step < request->bytes - at ? step : request->bytes - at;
		table[last].flags |= htole16(DESC_NEXT);
		table[last].next = htole16((uint16_t)entries);
		last = entries++;
		describe(&table[last], address, step, type == BLK_READ ? DESC_WRITE : 0, 0);
	}
	table[last].flags |= htole16(DESC_NEXT);
	table[last].next = htole16(1);
	describe(&table[1], control + offsetof(struct control, status), 1, DESC_WRITE, 0);
	to_device(request->pin, request->control, sizeof(*request->control));
	to_device(request->pin, request->data, request->bytes);

	describe(&disk->ring[number], control, (size_t)entries * sizeof(*table), DESC_INDIRECT, 0);
	to_device(disk->queue, &disk->ring[number], sizeof(disk->ring[number]));
	*available = htole16(number);
	to_device(disk->queue, available, sizeof(*available));
	evfio_wmb();
	__atomic_store_n(&disk->available->index, htole16(++disk->submitted), __ATOMIC_RELAXED);
	to_device(disk->queue, &disk->available->index, sizeof(disk->available->index));
}

static void notify(const struct disk *disk)
{
	/* This write comes after all that is in memory by now: see <evfio/region.h>. */
	evfio_write32(disk->regs, QUEUE_NOTIFY, 0);
}

/* How many requests the device is done with; what is beyond 16 bits is lost. */
static uint16_t used(const struct disk *disk)
{
	from_device(disk->queue, &disk->used->index, sizeof(disk->used->index));
	return le16toh(__atomic_load_n(&disk->used->index, __ATOMIC_RELAXED));
}

/* Marks what the device is done with, in the order in which it is. */
static void collect(struct disk *disk)
{
	while (disk->collected != used(disk)) {
		const uint32_t at = disk->collected++ % disk->entries;
		struct request *request;
		uint32_t number;

		evfio_rmb();
		from_device(disk->queue, &disk->used->ring[at], sizeof(disk->used->ring[at]));
		number = le32toh(disk->used->ring[at].id);
		if (number >= disk->depth)
			die("the device is done with request %" PRIu32 ", which is none", number);
		request = &disk->requests[number];
		from_device(request->pin, &request->control->status, 1);
		if (request->control->status)
			die("sector %" PRIu64 ": the device answers with status %u",
			    request->at / SECTOR, request->control->status);
		request->done = true;
	}
}

/*
 * The device is acknowledged before the queue is looked at, so that what is done after the look
 * raises the interrupt again, be it a level or an edge.
 */
static void await(struct disk *disk, const struct request *request)
{
	while (!request->done) {
		check(evfio_irq_wait(disk->irq, TIMEOUT_MS));
		disk->interrupts++;
		evfio_write32(disk->regs, INTERRUPT_ACK,
			      evfio_read32(disk->regs, INTERRUPT_STATUS));
		check(evfio_irq_rearm(disk->irq));
		collect(disk);
	}
}

/* Makes what is to be written, or uses what was read, in order. Returns how many bytes it was. */
typedef size_t work_fn(uint8_t *data, uint64_t at, size_t bytes);

/* Keeps the queue full from one byte to the other, or until there is nothing more to write. */
static uint64_t transfer(struct disk *disk, uint32_t type, work_fn *work, uint64_t at, uint64_t end)
{
	uint64_t first = 0, next = 0, known = 0, moved = 0;
	struct request *request;

	for (;;) {
		while (at < end && next - first < disk->depth) {
			request = &disk->requests[next % disk->depth];
			request->at = at;
			request->bytes = disk->size < end - at ? disk->size : (size_t)(end - at);
			if (type == BLK_WRITE && work)
				request->bytes = work(request->data, at, request->bytes);
			if (!request->bytes)
				end = at;
			else
				submit(disk, request, type);
			at += request->bytes;
			next += !!request->bytes;
		}
		if (known != next)
			notify(disk);
		known = next;
		if (first == next)
			return moved;
		/* Others may be done before the oldest: they wait for their turn. */
		request = &disk->requests[first % disk->depth];
		await(disk, request);
		do {
			if (type == BLK_READ && work) {
				from_device(request->pin, request->data, request->bytes);
				work(request->data, request->at, request->bytes);
			}
			moved += request->bytes;
			request = &disk->requests[++first % disk->depth];
		} while (first != next && request->done);
	}
}

/* What was written is on the disk when this returns. */
static void flush(struct disk *disk)
{
	if (!disk->flushes)
		return;
	disk->requests[0].at = 0;
	disk->requests[0].bytes = 0;
	submit(disk, &disk->requests[0], BLK_FLUSH);
	notify(disk);
	await(disk, &disk->requests[0]);
}

static size_t to_stdout(uint8_t *data, uint64_t at, size_t bytes)
{
	(void)at;
	if (fwrite(data, 1, bytes, stdout) != bytes)
		die("standard output: %s", strerror(errno));
	return bytes;
}

static size_t from_stdin(uint8_t *data, uint64_t at, size_t bytes)
{
	(void)at;
	bytes = fread(data, 1, bytes, stdin);
	if (bytes % SECTOR)
		die("%zu bytes are no whole sectors", bytes);
	return bytes;
}

static size_t fill(uint8_t *data, uint64_t at, size_t bytes)
{
	uint64_t *word = (uint64_t *)data, *end = (uint64_t *)(data + bytes);

	for (; word < end; word++, at += sizeof(*word))
		*word = htole64(at);
	return bytes;
}

static size_t verify(uint8_t *data, uint64_t at, size_t bytes)
{
	uint64_t *word = (uint64_t *)data, *end = (uint64_t *)(data + bytes);

	for (; word < end; word++, at += sizeof(*word)) {
		if (*word != htole64(at))
			die("the word at byte %" PRIu64 " is %" PRIu64, at, le64toh(*word));
	}
	return bytes;
}

static const struct command {
	const char *name;
	int args;
	uint32_t type;
	work_fn *work;
} commands[] = {
	{ "read", 4, BLK_READ, to_stdout },
	{ "write", 3, BLK_WRITE, from_stdin },
	{ "fill", 4, BLK_WRITE, fill },
	{ "verify", 4, BLK_READ, verify },
	{ "bench-read", 4, BLK_READ, NULL },
	{ "bench-write", 4, BLK_WRITE, NULL },
};

/* A number of the command line. */
static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-' || value < least || value > most)
		die("\"%s\" is not a number from %" PRIu64 " to %" PRIu64, text, least, most);
	return value;
}

static void run(struct disk *disk, const struct command *command, char **argv)
{
	const uint64_t at = number(argv[0], 0, disk->sectors);
	const double begin = now();
	uint64_t end = UINT64_MAX, moved;
	double seconds;

	if (argv[1])
		end = (at + number(argv[1], 0, disk->sectors - at)) * SECTOR;
	moved = transfer(disk, command->type, command->work, at * SECTOR, end);
	if (command->type == BLK_WRITE)
		flush(disk);
	seconds = now() - begin;
	fprintf(stderr, "%s: %" PRIu64 " bytes, %" PRIu64 " interrupts, %.1f MiB/s\n",
		command->name, moved, disk->interrupts, (double)moved / seconds / (1 << 20));
}

static const struct command *parse(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc == commands[i].args && !strcmp(argv[1], commands[i].name))
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "depth", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 's' },
		{ 0 },
	};
	static struct disk disk = { .depth = 32, .size = MOST_BYTES };
	const struct command *command;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'd')
			disk.depth = (uint32_t)number(optarg, 1, MOST_DEPTH);
		else if (opt == 's')
			disk.size = (size_t)number(optarg, SECTOR, MOST_BYTES) / SECTOR * SECTOR;
		else
			break;
	}
	argc -= optind;
	argv += optind;
	command = parse(argc, argv);
	if (opt != -1 || !(argc == 1 || command)) {
		fputs("usage: virtio-blk [OPTIONS] DEVICE [COMMAND SECTOR [COUNT]]\n", stderr);
		return 2;
	}
	start(&disk, argv[0]);
	if (command)
		run(&disk, command, argv + 2);
	else
		printf("%-11s%" PRIu64 " sectors of %u bytes\n", "disk", disk.sectors, SECTOR);
	stop(&disk);
	if (fflush(stdout) || ferror(stdout))
		die("standard output: %s", strerror(errno));
	return EXIT_SUCCESS;
}
