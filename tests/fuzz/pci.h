/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differ.c does on the PCI board: its functions, of which each sequence has two, and the calls
 * that only PCI has. A part of differ.c, which includes it once.
 *
 * BARs are read and written where both sides must find the same: no clocks, no link states, nothing
 * that starts something. Configuration space is read and written everywhere, through VFIO, and read
 * behind its back, so that what reaches the hardware is compared as well; the state that a closed
 * function is left in, too.
 *
 * What is not made at all: an interrupt of a function whose line its mate shares, since the kernel
 * leaves INTx on while nobody listens; a write of data that cannot be read, to more than one
 * register, of which the kernel does the first, or to what cannot be written, for which the kernel
 * does not look at the data; a write that ends where MSI's flags begin, with which the kernel
 * writes the flags as well.
 */
#ifndef PCI_H
#define PCI_H

#define CONFIG_SHOWN	0x200u		/* no function has a capability behind that */
#define PORTS		0x3eff0000ull	/* where the board has I/O port 0 */
#define CONFIG_AT(at)	((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40 | (at))
#define ANYWHERE	1		/* an alignment: the registers take any width */

/*
 * A place in a BAR: up to @read bytes can be read from @at on, up to @write written, in units of
 * @align bytes.
 */
struct spot {
	uint8_t bar, align, read, write;
	uint32_t at;
};

static const struct spot edu_spots[] = {
	{ 0, 4, 32, 0, 0 }, { 0, 4, 4, 4, 4 }, { 0, 4, 4, 4, 4 }, { 0, 4, 8, 0, 0x20 },
	{ 0, 4, 4, 4, 0x64 }, { 0, 4, 8, 0, 0x80 }, { 0, 4, 64, 64, 0x1000 }, { }
};

/* Of the controller only the queues' addresses; around the table of MSI-X, which is a hole. */
static const struct spot nvme_spots[] = {
	{ 0, ANYWHERE, 64, 0, 0 }, { 0, 4, 20, 20, 0x24 }, { 0, 4, 20, 20, 0x24 },
	{ 0, 4, 32, 0, 0x1ff0 }, { 0, 4, 32, 16, 0x2000 }, { 0, 4, 32, 0, 0x2400 },
	{ 0, 4, 16, 0, 0x3000 }, { }
};

static const struct spot nic_spots[] = {
	{ 0, 4, 8, 0, 0 }, { 0, 4, 4, 4, 0x38 }, { 0, 4, 8, 8, 0x5200 }, { 0, 1, 8, 0, 0x5400 },
	{ 1, 4, 16, 0, 0 }, { 2, 4, 4, 4, 0 }, { 2, 1, 4, 0, 0 }, { 3, 4, 32, 16, 0 },
	{ 3, 4, 32, 16, 0x40 }, { 3, 4, 8, 0, 0x2000 }, { 6, ANYWHERE, 64, 0, 0 },
	{ 6, ANYWHERE, 64, 8, 0x7ff0 }, { }
};

static const struct spot rocker_spots[] = {
	{ 0, 4, 4, 4, 0x10 }, { 0, 4, 8, 8, 0x18 }, { 0, 4, 8, 0, 0 }, { 0, 4, 4, 0, 0x304 },
	{ 0, 4, 8, 0, 0x320 }, { 1, 4, 32, 16, 0 }, { 1, 4, 32, 16, 0x30 }, { }
};

static const struct spot memory_spots[] = {
	{ 0, 4, 16, 0, 0 }, { 2, ANYWHERE, 64, 64, 0 }, { 2, ANYWHERE, 64, 64, 0x1fffe0 },
	{ 2, ANYWHERE, 64, 64, 0x1000 }, { 2, ANYWHERE, 64, 64, 0x3ff000 },
	{ 2, ANYWHERE, 32, 32, 0x3fffe0 }, { }
};

/* @line: the wire of its INTx, or 4; @vectors: of INTx, MSI, MSI-X */
static const struct function {
	const char *name;
	uint8_t weight;
	uint8_t line;
	uint8_t vectors[3];
	const struct spot *spots;
} functions[] = {
	{ PCI_EDU,	4, 1, { 1, 1, 0 }, edu_spots },
	{ PCI_NVME,	3, 2, { 1, 0, 65 }, nvme_spots },
	{ PCI_NIC,	3, 3, { 1, 1, 5 }, nic_spots },
	{ PCI_FAR,	3, 0, { 1, 1, 5 }, nic_spots },
	{ PCI_BRIDGED,	3, 2, { 1, 1, 0 }, edu_spots },
	{ PCI_TWIN0,	3, 2, { 1, 1, 0 }, edu_spots },
	{ PCI_TWIN1,	1, 2, { 1, 1, 0 }, edu_spots },
	{ PCI_SRIOV,	1, 3, { 1, 0, 63 }, nvme_spots },
	{ PCI_ROCKER,	3, 4, { 0, 0, 4 }, rocker_spots },
	{ PCI_MEMORY,	1, 4, { 0, 0, 0 }, memory_spots },
};

#define FUNCTIONS	ARRAY_SIZE(functions)
#define TWIN(n)		(functions[n].name == twins[0] || functions[n].name == twins[1])

static const char *const twins[] = { PCI_TWIN0, PCI_TWIN1 };

/* What the hardware has: looked up once, past VFIO. */
static struct hardware {
	int config;			/* the file */
	uint32_t size;			/* of configuration space */
	uint32_t before[CONFIG_SHOWN / 4];
	uint8_t caps[16];		/* where they begin */
	uint16_t ext_caps[8];
	unsigned int nr_caps, nr_ext_caps;
	uint32_t pm, msi, exp;
	uint64_t table, table_size;	/* of MSI-X: where in the fd, and in bytes */
	uint64_t base[7], bytes[7];
	volatile uint8_t *regs;		/* the first page of BAR 0 */
	int group;
} hardware[FUNCTIONS];

static unsigned int cast[2];		/* whom this sequence is about: the two "edus" */
static bool vectors_fired;
static bool bars_dirty;
static uint8_t in_use[2];		/* likely: an interrupt index, or NONE_IN_USE */
#define NONE_IN_USE	5

static bool is_edu(unsigned int n)
{
	return functions[n].spots == edu_spots;
}

static bool is_rocker(unsigned int n)
{
	return functions[n].spots == rocker_spots;
}

static bool share_a_line(void)
{
	return functions[cast[0]].line == functions[cast[1]].line;
}

static uint32_t hw_config(unsigned int n, uint32_t at)
{
	uint32_t value = 0;

	if (pread(hardware[n].config, &value, 4, at) != 4)
		tap_bail("%s: config 0x%x: %m", functions[n].name, at);
	return value;
}

/*
 * What of it is compared: not what the kernel chooses (where messages go, where the ROM would be),
 * nor what INTx is while nobody listens.
 */
static uint32_t shown(unsigned int n, uint32_t at, uint32_t value)
{
	const uint32_t msi = hardware[n].msi;

	if (msi && at >= msi + PCI_MSI_ADDRESS_LO && at < msi + PCI_MSI_MASK_64)
		return 0;
	if (at == PCI_ROM_ADDRESS)
		return value & PCI_ROM_ADDRESS_ENABLE;
	return at == PCI_COMMAND ? value & ~(uint32_t)PCI_COMMAND_INTX_DISABLE : value;
}

static void cast_draw(void)
{
	unsigned int total = 0, pick, i;

	for (i = 0; i < FUNCTIONS; i++)
		total += functions[i].weight;
	for (unsigned int role = 0; role < 2; role++) {
		pick = below(total);
		for (i = 0; pick >= functions[i].weight; i++)
			pick -= functions[i].weight;
		cast[role] = i;
	}
	if (TWIN(cast[0]) && one_in(2))
		cast[1] = cast[0] == 5 ? 6 : 5;
	if (cast[0] == cast[1])
		cast[1] = (cast[0] + 1) % FUNCTIONS;
	for (i = 0; i < 2; i++) {
		edus[i] = functions[cast[i]].name;
		edu_regs[i] = hardware[cast[i]].regs;
		group_number[i] = hardware[cast[i]].group;
		in_use[i] = NONE_IN_USE;
	}
}

/* Both are functions of one slot, and so of one group. */
static bool one_group(void)
{
	return pci && TWIN(cast[0]) && TWIN(cast[1]);
}

/* Whose device slot this is likely to be, as an index of functions[]. */
static unsigned int function_of(unsigned int slot)
{
	return cast[slot >= D0 && slot <= D3 ? likely[slot].edu & 1 : 0];
}

/* ---- names ---- */

static const char *pci_name(uint64_t n)
{
	static const char *const forms[] = {
		"%s", "%s", "%sx", "%s ", "%s  ", "0000:00:04.0", "0000:00:05.0", "", "nothing",
		"%s\n", "%.11s", "%s bogus=1", " %s",
	};
	static char text[64];

	if (n < 2)
		return edus[n];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof(text), forms[n % ARRAY_SIZE(forms)], edus[0]);
#pragma GCC diagnostic pop
	return text;
}

/* ---- descriptions ---- */

static void make_pci_region_info(struct op *op)
{
	make_region_info(op);
	op->v[0] = one_in(16) ? an_index() : below(10);
	if (one_in(2))
		op->argsz = one_in(4) ? 39 + below(3) : 64;
}

/* With what comes behind the fixed part. */
static void run_pci_region_info(const struct op *op, struct answer *a)
{
	union {
		struct vfio_region_info info;
		uint32_t room[24];
	} in = { .info = { .argsz = op->argsz, .index = (uint32_t)op->v[0],
			   .flags = 0xa5a5a5a5, .cap_offset = 7 } };

	call_struct(op, a, VFIO_DEVICE_GET_REGION_INFO, &in, sizeof(in), 12);
}

static void make_pci_irq_info(struct op *op)
{
	make_irq_info(op);
	op->v[0] = one_in(16) ? an_index() : below(6);
}

/*
 * v: flags, the eventfd to be signalled. Only the user lets a device sleep, for disable_idle_d3 is
 * set; its mappings are gone then. Two features are only asked for: nobody has them.
 */
static void make_pci_feature(struct op *op)
{
	const uint64_t ways = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;

	make_feature(op);
	op->v[0] = (op->v[0] & ~0xffull) | below(12);
	if ((op->v[0] & 0xffff) > VFIO_DEVICE_FEATURE_PCI_VF_TOKEN &&
	    (op->v[0] & 0xffff) < VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY &&
	    (op->v[0] & ways) != VFIO_DEVICE_FEATURE_GET)
		op->v[0] |= VFIO_DEVICE_FEATURE_PROBE;
	if (one_in(2)) {
		op->v[0] = VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY + below(3);
		op->v[0] |= VFIO_DEVICE_FEATURE_SET;
	}
	op->v[1] = one_in(4) ? NONE_FD + below(3) : open_slot(A0, 2);
}

static void run_pci_feature(const struct op *op, struct answer *a)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_low_power_entry_with_wakeup entry;
		uint8_t room[48];
	} in = {
		.feature = { .argsz = op->argsz, .flags = (uint32_t)op->v[0] },
		.entry = { .wakeup_eventfd = fds[op->v[1]] },
	};

	call_struct(op, a, VFIO_DEVICE_FEATURE, &in, sizeof(in), 4);
	sleep_ms(1);	/* It sleeps a little later. */
	/* The number of a descriptor is its process's own matter. */
	a->word[2] = 0;
}

/* ---- configuration space ---- */

static uint32_t a_register(unsigned int n)
{
	const struct hardware *hw = &hardware[n];

	switch (below(10)) {
	case 0: case 1: case 2:
		return below(0x40);
	case 3: case 4: case 5:
		return hw->nr_caps ? hw->caps[below(hw->nr_caps)] + below(0x18) : below(0x40);
	case 6:
		return PCI_COMMAND + below(4);
	case 7:
		if (hw->nr_ext_caps)
			return hw->ext_caps[below(hw->nr_ext_caps)] + below(0x40);
		return PCI_BASE_ADDRESS_0 + below(28);
	case 8:
		return hw->size - 4 + below(one_in(4) ? 16 : 4);
	default:
		return below(hw->size);
	}
}

static void make_config_read(struct op *op)
{
	op->fd = a_device();
	op->place = a_place();
	op->v[0] = CONFIG_AT(a_register(function_of(op->fd)));
	op->v[1] = one_in(2) ? 1u << below(3) : below(one_in(4) ? 200 : 9);
	if (one_in(2))
		op->v[0] &= ~(op->v[1] < 8 ? op->v[1] - (op->v[1] > 0) : 7);
}

/* v: place, length, -, value */
static void make_config_write(struct op *op)
{
	const unsigned int slot = a_device(), n = function_of(slot);
	const struct hardware *hw = &hardware[n];
	uint32_t at;

	make_config_read(op);
	op->fd = (uint8_t)slot;
	op->place = one_in(24) ? LOCKED : GOOD;
	if (op->v[1] > 8)
		op->v[1] = 1 + below(8);
	at = (uint32_t)op->v[0];
	op->v[3] = one_in(3) ? (uint32_t)rnd() : one_in(2) ? -below(2) : 1u << below(32);
	if (at < CONFIG_SHOWN && one_in(2))
		op->v[3] ^= shown(n, at & ~3u, hw->before[at / 4]) >> at % 4 * 8;
	switch (below(12)) {
	case 0: case 1: case 2:
		op->v[0] = CONFIG_AT(PCI_COMMAND);
		op->v[1] = one_in(3) ? 1 : 2;
		op->place = a_place();
		op->v[3] = one_in(5) ? 0 : PCI_COMMAND_MEMORY;
		op->v[3] |= one_in(2) ? 0 : PCI_COMMAND_MASTER;
		op->v[3] |= one_in(2) ? 0 : PCI_COMMAND_IO;
		op->v[3] |= one_in(4) ? PCI_COMMAND_INTX_DISABLE : 0;
		op->v[3] |= one_in(8) ? 1u << below(16) : 0;
		break;
	case 3:
		if (!hw->pm)
			break;
		op->v[0] = CONFIG_AT(hw->pm + PCI_PM_CTRL);
		op->v[1] = one_in(3) ? 1 : 2;
		op->v[3] = one_in(2) ? 0 : below(4);
		break;
	case 4:
		if (!hw->exp || !one_in(3))
			break;
		op->v[0] = CONFIG_AT(hw->exp + PCI_EXP_DEVCTL);
		op->v[1] = 2;
		op->v[3] = PCI_EXP_DEVCTL_BCR_FLR | (one_in(2) ? 0 : (uint32_t)rnd() & 0xffff);
		break;
	}
}

static void make_hardware(struct op *op)
{
	op->v[0] = below(2);
	op->v[1] = a_register((unsigned int)cast[op->v[0]]) & ~3u;
	if (op->v[1] >= hardware[cast[op->v[0]]].size)
		op->v[1] = PCI_COMMAND;
}

/* What is in the hardware now. */
static void run_hardware(const struct op *op, struct answer *a)
{
	const unsigned int n = cast[op->v[0]];
	const uint32_t at = (uint32_t)op->v[1];

	a->word[0] = shown(n, at, hw_config(n, at));
	a->words = 1;
}

/* ---- BARs ---- */

/* v: place, length, the function it is meant for, value */
static void make_bar(struct op *op, bool write)
{
	const unsigned int n = function_of(op->fd = a_device());
	const struct spot *spots = functions[n].spots, *spot;
	unsigned int count, max;
	uint64_t at;

	op->place = !write ? a_place() : one_in(24) ? LOCKED : GOOD;
	for (count = 0; spots[count].align; )
		count++;
	do
		spot = &spots[below(count)];
	while (write && !spot->write);
	max = write ? spot->write : spot->read;
	at = spot->align * below(max / spot->align);
	op->v[1] = spot->align * (1 + below((max - (unsigned int)at) / spot->align));
	at += spot->at;
	if (one_in(6) && spot->bar != VFIO_PCI_BAR2_REGION_INDEX) {
		/* At the end of the BAR, and across it. */
		at = hardware[n].bytes[spot->bar] - spot->align * (below(6) - 1ull);
		op->v[1] = spot->align * below(6);
	}
	at |= (uint64_t)spot->bar << 40;
	if (one_in(24)) {
		static const uint64_t odd[] = { 4ull << 40, 5ull << 40, 6ull << 40, 8ull << 40,
						9ull << 40, 1ull << 39, 1ull << 63, ~0ull };

		at = PICK(odd);
	}
	if (one_in(24))
		op->v[1] = 0;
	op->v[0] = at;
	op->v[2] = n;
	op->v[3] = one_in(2) ? (uint32_t)rnd() : 1u << below(32);
}

/*
 * It has turned out to be another function: of a width that this one's registers do not answer to
 * the machine dies, with the kernel's own module too.
 */
static bool is_astray(const struct op *op, const struct answer *a)
{
	return a->edu >= 0 && op->v[0] >> 40 < VFIO_PCI_ROM_REGION_INDEX &&
	       functions[cast[a->edu]].spots != functions[op->v[2]].spots;
}

static void make_bar_read(struct op *op)
{
	make_bar(op, false);
}

static void make_bar_write(struct op *op)
{
	make_bar(op, true);
}

static void run_bytes_read(const struct op *op, struct answer *a)
{
	static const uint8_t zeros[256];
	const uint32_t *back = at(ARGS);

	if (is_astray(op, a))
		return;
	a->ret = sys(pread(fds[op->fd], put(op, zeros, sizeof(zeros)), op->v[1], (off_t)op->v[0]));
	/* Of a read that fails the kernel may have done a part. */
	if (op->place != GOOD || a->ret < 0)
		return;
	a->words = 18;
	for (unsigned int i = 0; i < a->words; i++)
		a->word[i] = back[i];
}

static void run_bytes_write(const struct op *op, struct answer *a)
{
	const uint64_t msi = a->edu < 0 ? 0 : hardware[cast[a->edu]].msi;
	uint32_t data[32];

	if (is_astray(op, a) || (msi && op->v[0] + op->v[1] == CONFIG_AT(msi + PCI_MSI_FLAGS)))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(data); i++)
		data[i] = (uint32_t)op->v[3] + i;
	a->ret = sys(pwrite(fds[op->fd], put(op, data, sizeof(data)), op->v[1], (off_t)op->v[0]));
	bars_dirty = true;
}

/* v: window, place, length, protection, flags */
static void make_bar_mmap(struct op *op)
{
	const unsigned int n = function_of(op->fd = a_device());
	uint64_t bar = functions[n].spots[below(3)].bar, size;

	make_mmap(op);
	if (one_in(8))
		bar = below(10);
	size = bar < 6 ? hardware[n].bytes[bar] : PAGE;
	switch (below(8)) {
	case 0:
		op->v[1] = PAGE;
		break;
	case 1:
		op->v[1] = size - PAGE;
		break;
	case 2:
		op->v[1] = size & -PAGE;
		break;
	default:
		op->v[1] = 0;
	}
	op->v[1] |= bar << 40;
	op->v[2] = one_in(2) ? PAGE : one_in(4) ? size + PAGE : size;
	if (op->v[2] > REGS_STEP || !op->v[2])
		op->v[2] = REGS_STEP;
}

/* Nothing is written where one of them is a network controller: its second register resets it. */
static void make_bar_touch(struct op *op)
{
	const bool nic = functions[cast[0]].spots == nic_spots ||
			 functions[cast[1]].spots == nic_spots;

	make_touch(op);
	op->v[1] = one_in(8) ? PAGE : one_in(3) ? 0 : 4;
	op->v[2] = !nic && op->v[1] == 4 && one_in(2);
	if (op->v[4] == 8)
		op->v[1] &= -8ull;
	op->v[4] = op->v[1] == PAGE || op->v[4] == 8 ? 4 : op->v[4];
}

static void run_bar_touch(const struct op *op, struct answer *a)
{
	run_touch(op, a);
	bars_dirty |= op->v[2];
}

/* ---- interrupts ---- */

/* What function @n has of it; or, if it is likely to be in use, what is. */
static uint32_t a_kind(unsigned int slot)
{
	const unsigned int role = likely[slot].edu & 1, n = cast[role];
	static const uint32_t odd[] = { 5, 6, 0x7fffffff, 0x80000000, 0xffffffff };
	uint32_t index;

	if (one_in(24))
		return PICK(odd);
	if (one_in(7))
		return VFIO_PCI_ERR_IRQ_INDEX + below(2);
	if (in_use[role] != NONE_IN_USE && !one_in(5))
		return in_use[role];
	for (index = below(3); !functions[n].vectors[index] && !one_in(8); )
		index = below(3);
	return index;
}

static void make_pci_irqs(struct op *op)
{
	const uint32_t mask = VFIO_IRQ_SET_ACTION_MASK, eventfd = VFIO_IRQ_SET_DATA_EVENTFD;
	const uint32_t trigger = VFIO_IRQ_SET_ACTION_TRIGGER;
	uint64_t vectors = 1;
	uint32_t index, data;
	bool off;

	make_set_irqs(op);
	off = !op->v[3];
	index = a_kind(op->fd);
	/* MSI and MSI-X have nothing but triggers. */
	if ((index == VFIO_PCI_MSI_IRQ_INDEX || index == VFIO_PCI_MSIX_IRQ_INDEX) && !one_in(4) &&
	    !(op->v[0] & trigger)) {
		op->v[0] = eventfd | trigger;
		op->v[4] = one_in(4) ? (uint64_t)NONE_FD : open_slot(T0, 3);
	}
	/* The kernel has no eventfd that masks; see deliberate.h. */
	if (op->v[0] & eventfd && op->v[0] & mask)
		op->v[4] = NONE_FD;
	op->v[1] = index;
	if (index < 3)
		vectors = functions[function_of(op->fd)].vectors[index];
	if (!off && index == VFIO_PCI_MSIX_IRQ_INDEX && vectors) {
		op->v[2] = one_in(2) ? 0 : below((unsigned int)vectors + one_in(8));
		op->v[3] = 1 + below(one_in(4) ? 8 : 3);
		if (op->v[2] + op->v[3] > vectors && !one_in(8))
			op->v[3] = vectors - op->v[2];
	}
	data = op->v[0] & eventfd ? 4 : op->v[0] & VFIO_IRQ_SET_DATA_BOOL ? 1 : 0;
	op->argsz = IRQ_HEAD + (uint32_t)(op->v[3] < 64 ? op->v[3] : 1) * data;
	if (one_in(16))
		op->argsz = an_argsz(op->argsz);
}

/*
 * INTx that is in use without a trigger takes interrupts with the kernel, and masks itself; with
 * evfio it waits. So those that raise it are not left without.
 *
 * Eventfds that signal are dealt out in turn, beginning with the one that is named.
 */
static void run_pci_irqs(const struct op *op, struct answer *a)
{
	union {
		struct vfio_irq_set set;
		uint8_t room[128];
	} in = { .set = { .argsz = op->argsz, .flags = (uint32_t)op->v[0],
			  .index = (uint32_t)op->v[1], .start = (uint32_t)op->v[2],
			  .count = (uint32_t)op->v[3] } };
	const uint32_t trigger = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	const bool deal = op->v[4] >= T0 && op->v[4] <= T2;
	int efds[16];

	if (op->v[1] == VFIO_PCI_INTX_IRQ_INDEX && op->v[0] == trigger && fds[op->v[4]] < 0 &&
	    a->edu >= 0 && is_edu(cast[a->edu]) && !share_a_line())
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(efds); i++)
		efds[i] = fds[deal ? T0 + (op->v[4] - T0 + i) % 3 : op->v[4]];
	if (op->v[0] & VFIO_IRQ_SET_DATA_EVENTFD)
		memcpy(in.set.data, efds, sizeof(efds));
	else
		for (unsigned int i = 0; i < ARRAY_SIZE(efds); i++)
			in.set.data[i] = i % 3 == 1 ? !op->v[5] : (uint8_t)op->v[5];
	call_struct(op, a, VFIO_DEVICE_SET_IRQS, &in, sizeof(in), 0);
	/* If it is signalled already, a thread of the kernel's may do what that means. */
	if ((op->v[0] & VFIO_IRQ_SET_DATA_EVENTFD) && (op->v[0] & VFIO_IRQ_SET_ACTION_UNMASK))
		sleep_ms(1);
}

static void expect_irqs(const struct op *op)
{
	uint8_t *now = &in_use[likely[op->fd].edu & 1];

	if (op->fd < D0 || op->fd > D3 || !likely[op->fd].open || op->v[1] > 2)
		return;
	if (op->v[0] == (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER) &&
	    *now == NONE_IN_USE && op->v[4] <= NONE_FD)
		*now = (uint8_t)op->v[1];
	else if (!op->v[3] && *now == op->v[1])
		*now = NONE_IN_USE;
}

/* Rather of who is likely to hear it. */
static void make_pci_raise(struct op *op)
{
	make_raise(op);
	if (in_use[op->v[0]] == NONE_IN_USE)
		op->v[0] = 1 - op->v[0];
}

static void make_pci_count(struct op *op)
{
	const unsigned int role = in_use[0] == NONE_IN_USE;

	make_count(op);
	if (!one_in(4))
		op->fd = (uint8_t)(one_in(4) ? T2 : T0 + role);
}

/*
 * An edu raises what it has, a rocker fires a vector; both if their memory answers. One that the
 * last call has let sleep does by then.
 */
static void run_pci_raise(const struct op *op, struct answer *a)
{
	const unsigned int role = (unsigned int)op->v[0], n = cast[role];

	sleep_ms(1);
	if (is_rocker(n)) {
		vectors_fired = true;
		*(volatile uint32_t *)(edu_regs[role] + 0x20) = (uint32_t)op->v[1] % 4;
	} else if (is_edu(n) && !share_a_line()) {
		run_raise(op, a);
	}
}

static void run_pci_ack(const struct op *op, struct answer *a)
{
	if (is_edu(cast[op->v[0]]))
		run_ack(op, a);
}

static void run_pci_dma(const struct op *op, struct answer *a)
{
	const unsigned int role = (unsigned int)op->v[0];

	/* Not if its memory does not answer. */
	if (is_edu(cast[role]) && reg_read(role, EDU_REG_ID) == EDU_ID)
		run_dma(op, a);
	else
		a->ret = -ENODEV;
}

/* An interrupt that the kernel sends again by a thread of its own has come by then. */
static void run_pci_count(const struct op *op, struct answer *a)
{
	sleep_ms(1);
	run_count(op, a);
}

/* ---- ioeventfds ---- */

/*
 * v: width, place, value, eventfd. Where something can be written at once; at no odd address, for
 * such a write is an Oops of the kernel's. What signals is told by the test alone, not by lines.
 */
static void make_ioeventfd(struct op *op)
{
	static const uint64_t nowhere[] = { 4ull << 40, 5ull << 40, 6ull << 40, 7ull << 40,
					    8ull << 40, 9ull << 40, 1ull << 39 };
	static const uint8_t bad_widths[] = { 0, 3, 5, 0x10, 0x14 };
	static const uint8_t others[] = { NONE_FD, NONE_FD, NONE_FD, NULL_FD, BAD_FD };
	const struct spot *spots = functions[function_of(op->fd = a_device())].spots, *spot;
	unsigned int count, width, slots;
	uint32_t at;

	for (count = 0; spots[count].align; )
		count++;
	do
		spot = &spots[below(count)];
	while (!spot->write);
	width = spot->align == ANYWHERE ? 1u << below(4) : 4;
	at = (spot->at + width - 1) & -width;
	slots = (spot->at + spot->write - at) / width;
	op->v[0] = one_in(16) ? PICK(bad_widths) : width;
	op->v[1] = (uint64_t)spot->bar << 40 | (at + (one_in(3) ? width * below(slots) : 0));
	if (one_in(12))
		op->v[1] = PICK(nowhere);
	op->v[2] = below(3) * 0x01010101u;
	op->v[3] = one_in(4) ? PICK(others) : open_slot(A0, 2);
	op->argsz = an_argsz(sizeof(struct vfio_device_ioeventfd));
	op->place = a_place();
}

static void run_ioeventfd(const struct op *op, struct answer *a)
{
	struct vfio_device_ioeventfd in = {
		.argsz = op->argsz, .flags = (uint32_t)op->v[0], .offset = op->v[1],
		.data = op->v[2], .fd = fds[op->v[3]],
	};

	call_struct(op, a, VFIO_DEVICE_IOEVENTFD, &in, sizeof(in), 0);
	bars_dirty = true;
	sleep_ms(1);
}

/*
 * What it writes may be written by a thread of the kernel's; and not at all while the device is let
 * sleep, which for one that has no D3 is a difference, and so none is then.
 */
static void run_pci_signal(const struct op *op, struct answer *a)
{
	struct vfio_device_feature awake = {
		.argsz = sizeof(awake),
		.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
	};

	for (unsigned int slot = D0; slot <= D3; slot++)
		ioctl(fds[slot], VFIO_DEVICE_FEATURE, &awake);
	run_signal(op, a);
	sleep_ms(1);
}

/* ---- resets ---- */

static void make_hot_info(struct op *op)
{
	static const uint32_t sizes[] = { 12, 20, 24, 28, 36, 44, 48 };

	op->fd = a_device();
	op->place = a_place();
	op->argsz = one_in(3) ? an_argsz(PICK(sizes)) : 64;
}

static void run_hot_info(const struct op *op, struct answer *a)
{
	union {
		struct vfio_pci_hot_reset_info info;
		uint32_t room[24];
	} in = { .info = { .argsz = op->argsz, .flags = 0xa5a5a5a5, .count = 77 } };

	/* Of a container the number means another. */
	if (edu_of[op->fd] < 0)
		return;
	call_struct(op, a, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &in, sizeof(in), 12);
}

/* v: count, the slots of three groups, flags */
static void make_hot_reset(struct op *op)
{
	op->fd = a_device();
	op->place = a_place();
	op->v[0] = one_in(4) ? below(5) : 1;
	for (unsigned int i = 1; i <= 3; i++)
		op->v[i] = one_in(6) ? any_slot() : one_in(3) ? a_group() :
			   G0 + (likely[op->fd].edu & 1u);
	if (one_in(8))
		op->v[0] = 0x40000000u << below(2);
	op->v[4] = one_in(12);
	op->argsz = an_argsz(12 + 4 * (uint32_t)(op->v[0] & 3));
}

static void run_hot_reset(const struct op *op, struct answer *a)
{
	union {
		struct vfio_pci_hot_reset reset;
		uint32_t room[16];
	} in = { .reset = { .argsz = op->argsz, .flags = (uint32_t)op->v[4],
			    .count = (uint32_t)op->v[0] } };

	for (unsigned int i = 0; i < 3; i++)
		in.reset.group_fds[i] = fds[op->v[1 + i]];
	call_struct(op, a, VFIO_DEVICE_PCI_HOT_RESET, &in, sizeof(in), 0);
}

/* ---- sequences ---- */

static void caps_find(struct hardware *hw, unsigned int n)
{
	uint32_t at, next, table;

	for (at = hw_config(n, PCI_CAPABILITY_LIST & ~3u) & 0xfc; at; at = next) {
		next = hw_config(n, at) >> 8 & 0xfc;
		hw->caps[hw->nr_caps++] = (uint8_t)at;
		switch (hw_config(n, at) & 0xff) {
		case PCI_CAP_ID_PM:
			hw->pm = at;
			break;
		case PCI_CAP_ID_MSI:
			hw->msi = at;
			break;
		case PCI_CAP_ID_MSIX:
			table = hw_config(n, at + PCI_MSIX_TABLE);
			hw->table = (uint64_t)(table & PCI_MSIX_TABLE_BIR) << 40 |
				    (table & PCI_MSIX_TABLE_OFFSET);
			hw->table_size = PCI_MSIX_ENTRY_SIZE *
					 ((hw_config(n, at) >> 16 & PCI_MSIX_FLAGS_QSIZE) + 1);
			break;
		case PCI_CAP_ID_EXP:
			hw->exp = at;
		}
	}
	for (at = PCI_CFG_SPACE_SIZE; hw->size > at && at; at = hw_config(n, at) >> 20)
		hw->ext_caps[hw->nr_ext_caps++] = (uint16_t)at;
}

static void pci_setup(void)
{
	struct hardware *hw;
	struct dev d;

	for (unsigned int n = 0; n < FUNCTIONS; n++) {
		hw = &hardware[n];
		board_take(functions[n].name);
		hw->group = board_group(functions[n].name);
		hw->config = open(board_path(functions[n].name, "config"), O_RDWR | O_CLOEXEC);
		hw->size = (uint32_t)lseek(hw->config, 0, SEEK_END);
		for (uint32_t i = 0; i < 7; i++)
			hw->base[i] = hw_bar(functions[n].name, i, &hw->bytes[i]);
		hw->regs = mem_physical(hw->base[0]);
		caps_find(hw, n);
		/* Some of it is only there when it has been opened once. */
		dev_open(&d, functions[n].name);
		dev_close(&d);
		/* The kernel's module loses the interrupt line of some when they are bound. */
		if (pwrite(hw->config, "\x21", 1, PCI_INTERRUPT_LINE) != 1)
			tap_bail("config: %m");
		for (uint32_t at = 0; at < CONFIG_SHOWN && at < hw->size; at += 4)
			hw->before[at / 4] = hw_config(n, at);
	}
}

/* Both are closed: what their registers hold is told, and made what it was. */
static void pci_compare(void)
{
	uint32_t now, before, was, is;

	for (unsigned int role = 0; role < 2; role++) {
		const struct hardware *hw = &hardware[cast[role]];

		for (uint32_t at = 0; at < CONFIG_SHOWN && at < hw->size; at += 4) {
			before = hw->before[at / 4];
			now = hw_config(cast[role], at);
			if (now == before)
				continue;
			was = shown(cast[role], at, before);
			is = shown(cast[role], at, now);
			if (tell && was != is)
				printf("  end config %u 0x%x: ", role, at);
			if (was != is)
				say("%x %x\n", was, is);
			if (pwrite(hw->config, &before, 4, at) != 4)
				tap_bail("config 0x%x: %m", at);
			/* Those that ones make zeros. */
			now = hw_config(cast[role], at);
			if (now != before && pwrite(hw->config, &now, 4, at) != 4)
				tap_bail("config 0x%x: %m", at);
			pwrite(hw->config, &before, 4, at);
		}
	}
}

/* All that can be written in a function's BARs is zero again. */
static void bars_settle(unsigned int n)
{
	const struct hardware *hw = &hardware[n];
	uint64_t address;
	uint8_t *page;

	for (const struct spot *s = functions[n].spots; s->align; s++) {
		if (!s->write || s->bar > VFIO_PCI_BAR5_REGION_INDEX)
			continue;
		address = hw->base[s->bar] + s->at;
		if (s->bar == VFIO_PCI_BAR2_REGION_INDEX && functions[n].spots == nic_spots)
			address += PORTS;
		page = mem_physical(address & -PAGE);
		for (unsigned int i = 0; i < s->write; i += 4)
			*(volatile uint32_t *)(page + address % PAGE + i) = 0;
		munmap(page, PAGE);
	}
}

/* Vectors that fired while they could not be sent are sent when they can. */
static void vectors_settle(unsigned int n)
{
	int32_t efds[4];
	struct dev d;

	pci_open(&d, functions[n].name);
	for (unsigned int i = 0; i < 4; i++)
		efds[i] = efd_new(0);
	if (irq_vectors(d.fd, VFIO_PCI_MSIX_IRQ_INDEX, 0, 4, efds))
		tap_bail("settle: no vectors");
	dev_close(&d);
	for (unsigned int i = 0; i < 4; i++)
		close(efds[i]);
}

/* Whatever @role's function has been through, the next sequence finds it as the first one did. */
static void pci_settle(unsigned int role)
{
	const unsigned int n = cast[role];
	struct dev d;

	if (bars_dirty)
		bars_settle(n);
	if (vectors_fired && is_rocker(n))
		vectors_settle(n);
	if (!is_edu(n))
		return;
	edu_settle(role);
	if (!buffer_dirty)
		return;
	pci_open(&d, functions[n].name);
	if (dma_map(d.container, at(CHECK), IOVA, PAGE, RO))
		tap_bail("settle: cannot map");
	transfer(role, IOVA, EDU_BUFFER_MAX, 0);
	dev_close(&d);
	edu_settle(role);
}

#endif
