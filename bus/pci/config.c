// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration space as the user sees it.
 *
 * Each byte has a mask of bits that live here, in a copy, instead of in the hardware, and a mask of
 * bits that the user may write. Both are made from the tables below when the device is opened, and
 * go with the close; evfio_device::lock, held for writing, protects them. Reading and writing is
 * then the same for all of it. Registers that do something have their deed done after the write.
 *
 * A capability that no table names is left out of the list. What lies between capabilities belongs
 * to the device, like its memory: it is read and written as it is.
 */
#include <linux/slab.h>

#include "pci.h"

/**
 * struct pci_config - a user's view
 * @size: bytes of each of the three arrays in @data
 * @value: the copy
 * @virt: bits that live in @value
 * @write: bits that the user may write
 * @pm: where Power Management is, or 0
 * @vpd: Vital Product Data
 * @exp: PCI Express
 * @af: Advanced Features
 * @msi: Message Signalled Interrupts
 * @bars: what the BARs and the ROM's held at open, for when the device has lost them
 * @max_msi: the most that the user may write as MSI's Multiple Message Enable
 * @data: memory of the arrays
 */
struct pci_config {
	u32	size;
	u16	pm;
	u16	vpd;
	u16	exp;
	u16	af;
	u16	msi;
	u32	bars[PCI_STD_NUM_BARS + 1];
	u8	max_msi;
	u8	*value;
	u8	*virt;
	u8	*write;
	u8	data[];
};

#define ALL		U32_MAX
#define NONE		0

/* One register: its place in its capability, its bytes, the bits that live here, those to write. */
struct field {
	u8	at;
	u8	size;
	u32	virt;
	u32	write;
};

/* PCI Local Bus 3.0, 6.1 and 6.2 */
static const struct field header_fields[] = {
	{ PCI_VENDOR_ID,	2, ALL, NONE },	/* those of a VF read as ones */
	{ PCI_DEVICE_ID,	2, ALL, NONE },
	{ PCI_COMMAND,		2, PCI_COMMAND_INTX_DISABLE, ALL },	/* see command_written() */
	{ PCI_STATUS,		2, PCI_STATUS_CAP_LIST, NONE },
	{ PCI_CACHE_LINE_SIZE,	1, NONE, ALL },
	{ PCI_LATENCY_TIMER,	1, NONE, ALL },
	{ PCI_BIST,		1, NONE, ALL },
	{ PCI_BASE_ADDRESS_0,	4, ALL, ALL },	/* the real ones are the kernel's to set */
	{ PCI_BASE_ADDRESS_1,	4, ALL, ALL },
	{ PCI_BASE_ADDRESS_2,	4, ALL, ALL },
	{ PCI_BASE_ADDRESS_3,	4, ALL, ALL },
	{ PCI_BASE_ADDRESS_4,	4, ALL, ALL },
	{ PCI_BASE_ADDRESS_5,	4, ALL, ALL },
	{ PCI_ROM_ADDRESS,	4, ALL, ALL },
	{ PCI_CAPABILITY_LIST,	1, ALL, NONE },
	{ PCI_INTERRUPT_LINE,	1, ALL, ALL },
	{ PCI_INTERRUPT_PIN,	1, ALL, NONE },
};

/* PCI Power Management 1.2, 3.2. Wake-up events are the host's; the state: power_written() */
static const struct field pm_fields[] = {
	{ PCI_PM_PMC,	2, PCI_PM_CAP_PME_MASK, NONE },
	{ PCI_PM_CTRL,	4, PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS,
	  ~(PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS | PCI_PM_CTRL_STATE_MASK) },
};

/* PCI Local Bus 3.0, I.3.1: the kernel reads and writes it, see vpd_written() */
static const struct field vpd_fields[] = {
	{ PCI_VPD_ADDR,	2, ALL, ALL },
	{ PCI_VPD_DATA,	4, ALL, ALL },
};

/* PCI Local Bus 3.0, 6.8.1: address and data are the kernel's, see msi_written() */
static const struct field msi32_fields[] = {
	{ PCI_MSI_FLAGS,	1, ALL, ALL },
	{ PCI_MSI_ADDRESS_LO,	4, ALL, ALL },
	{ PCI_MSI_DATA_32,	2, ALL, ALL },
	{ PCI_MSI_MASK_32,	4, NONE, ALL },
	{ PCI_MSI_PENDING_32,	4, NONE, ALL },
};

static const struct field msi64_fields[] = {
	{ PCI_MSI_FLAGS,	1, ALL, ALL },
	{ PCI_MSI_ADDRESS_LO,	4, ALL, ALL },
	{ PCI_MSI_ADDRESS_HI,	4, ALL, ALL },
	{ PCI_MSI_DATA_64,	2, ALL, ALL },
	{ PCI_MSI_MASK_64,	4, NONE, ALL },
	{ PCI_MSI_PENDING_64,	4, NONE, ALL },
};

/* PCI-X 2.0, 7.2 */
static const struct field pcix_fields[] = {
	{ PCI_X_CMD,		2, NONE, ALL },
	{ PCI_X_ECC_CSR,	4, NONE, ALL },
};

/*
 * PCI Express 5.0, 7.5.3. Phantom functions could get past the IOMMU, the payload size concerns the
 * whole hierarchy, forwarding of ARI is the port's. Reset and read request size: express_written()
 */
static const struct field express_fields[] = {
	{ PCI_EXP_DEVCTL,  2,
	  PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ,
	  ~PCI_EXP_DEVCTL_PHANTOM },
	{ PCI_EXP_DEVCTL2, 2, NONE, ~PCI_EXP_DEVCTL2_ARI },
};

/* PCI Advanced Features: see af_written() */
static const struct field af_fields[] = {
	{ PCI_AF_CTRL,	1, PCI_AF_CTRL_FLR, PCI_AF_CTRL_FLR },
};

/* PCI Express 5.0, 7.8.4 */
#define UNCORRECTABLE	(PCI_ERR_UNC_UND | PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN |		\
			 PCI_ERR_UNC_POISON_TLP | PCI_ERR_UNC_FCP | PCI_ERR_UNC_COMP_TIME |	\
			 PCI_ERR_UNC_COMP_ABORT | PCI_ERR_UNC_UNX_COMP | PCI_ERR_UNC_RX_OVER |	\
			 PCI_ERR_UNC_MALF_TLP | PCI_ERR_UNC_ECRC | PCI_ERR_UNC_UNSUP |		\
			 PCI_ERR_UNC_ACSV | PCI_ERR_UNC_INTN | PCI_ERR_UNC_MCBTLP |		\
			 PCI_ERR_UNC_ATOMEG | PCI_ERR_UNC_TLPPRE)
#define CORRECTABLE	(PCI_ERR_COR_RCVR | PCI_ERR_COR_BAD_TLP | PCI_ERR_COR_BAD_DLLP |	\
			 PCI_ERR_COR_REP_ROLL | PCI_ERR_COR_REP_TIMER | PCI_ERR_COR_ADV_NFAT |	\
			 PCI_ERR_COR_INTERNAL | PCI_ERR_COR_LOG_OVER)
static const struct field aer_fields[] = {
	{ PCI_ERR_UNCOR_STATUS,	4, NONE, UNCORRECTABLE },
	{ PCI_ERR_UNCOR_MASK,	4, NONE, UNCORRECTABLE },
	{ PCI_ERR_UNCOR_SEVER,	4, NONE, UNCORRECTABLE },
	{ PCI_ERR_COR_STATUS,	4, NONE, CORRECTABLE },
	{ PCI_ERR_COR_MASK,	4, NONE, CORRECTABLE },
	{ PCI_ERR_CAP,		4, NONE, PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE },
};

/* PCI Express 5.0, 7.8.1: which of the budgets is shown */
static const struct field power_fields[] = {
	{ PCI_PWR_DATA,	1, NONE, ALL },
};

/* How long a capability is when its registers say so; @at is where it begins. */

static u32 register_at(struct pci_dev *pdev, u32 at)
{
	u32 value = 0;

	pci_read_config_dword(pdev, at, &value);
	return value;
}

static u32 msi_length(struct pci_dev *pdev, u32 at)
{
	u32 flags = register_at(pdev, at) >> 16;

	return 10 + (flags & PCI_MSI_FLAGS_64BIT ? 4 : 0) +
	       (flags & PCI_MSI_FLAGS_MASKBIT ? 10 : 0);
}

static u32 pcix_length(struct pci_dev *pdev, u32 at)
{
	return PCI_X_CMD_VERSION(register_at(pdev, at) >> 16) ? PCI_CAP_PCIX_SIZEOF_V2 :
								PCI_CAP_PCIX_SIZEOF_V0;
}

static u32 ht_length(struct pci_dev *pdev, u32 at)
{
	return register_at(pdev, at) >> 24 & HT_3BIT_CAP_MASK ? HT_CAP_SIZEOF_SHORT :
								HT_CAP_SIZEOF_LONG;
}

static u32 vendor_length(struct pci_dev *pdev, u32 at)
{
	return register_at(pdev, at) >> 16 & 0xff;
}

static u32 sata_length(struct pci_dev *pdev, u32 at)
{
	const u32 registers = register_at(pdev, at + PCI_SATA_REGS) & PCI_SATA_REGS_MASK;

	return registers == PCI_SATA_REGS_INLINE ? PCI_SATA_SIZEOF_LONG : PCI_SATA_SIZEOF_SHORT;
}

static u32 express_length(struct pci_dev *pdev, u32 at)
{
	const bool integrated = pci_pcie_type(pdev) == PCI_EXP_TYPE_RC_END;

	if ((pcie_caps_reg(pdev) & PCI_EXP_FLAGS_VERS) == 1)
		return integrated ? PCI_EXP_DEVSTA + 2 : PCI_CAP_EXP_ENDPOINT_SIZEOF_V1;
	return integrated ? PCI_EXP_DEVSTA2 + 2 : PCI_CAP_EXP_ENDPOINT_SIZEOF_V2;
}

static u32 ext_vendor_length(struct pci_dev *pdev, u32 at)
{
	return register_at(pdev, at + PCI_VNDR_HEADER) >> 20;
}

static u32 dvsec_length(struct pci_dev *pdev, u32 at)
{
	return register_at(pdev, at + PCI_DVSEC_HEADER1) >> 20;
}

static u32 vc_length(struct pci_dev *pdev, u32 at)
{
	const u32 channels = 1 + (register_at(pdev, at + PCI_VC_PORT_CAP1) & PCI_VC_CAP1_EVCC);
	const u32 cap2 = register_at(pdev, at + PCI_VC_PORT_CAP2);
	const u32 length = PCI_CAP_VC_BASE_SIZEOF + channels * PCI_CAP_VC_PER_VC_SIZEOF;
	const u32 phases = cap2 & PCI_VC_CAP2_128_PHASE ? 128 :
			   cap2 & PCI_VC_CAP2_64_PHASE ? 64 :
			   cap2 & PCI_VC_CAP2_32_PHASE ? 32 : 0;

	return phases ? round_up(length, 16) + phases / 2 : length;
}

static u32 acs_length(struct pci_dev *pdev, u32 at)
{
	const u32 cap = register_at(pdev, at + PCI_ACS_CAP);

	if (!(cap & PCI_ACS_EC))
		return 8;
	return 8 + round_up(cap >> 8 & 0xff ?: 256, 32) / 8;
}

static u32 rebar_length(struct pci_dev *pdev, u32 at)
{
	const u32 control = register_at(pdev, at + PCI_REBAR_CTRL);

	return 4 + 8 * ((control & PCI_REBAR_CTRL_NBAR_MASK) >> 5);
}

static u32 dpa_length(struct pci_dev *pdev, u32 at)
{
	return PCI_DPA_BASE_SIZEOF + 1 +
	       (register_at(pdev, at + PCI_DPA_CAP) & PCI_DPA_CAP_SUBSTATE_MASK);
}

static u32 tph_length(struct pci_dev *pdev, u32 at)
{
	const u32 cap = register_at(pdev, at + PCI_TPH_CAP);

	if ((cap & PCI_TPH_CAP_LOC_MASK) != PCI_TPH_LOC_CAP)
		return PCI_TPH_BASE_SIZEOF;
	return PCI_TPH_BASE_SIZEOF + 2 + 2 * ((cap & PCI_TPH_CAP_ST_MASK) >> PCI_TPH_CAP_ST_SHIFT);
}

/**
 * struct cap - a capability that is shown
 * @id: its number
 * @size: its bytes, or
 * @length: the function that tells
 * @raw: written as it is: its registers are the vendor's
 * @fields: what of it is not plainly read-only
 * @n: how many of them
 */
struct cap {
	u16			id;
	u8			size;
	bool			raw;
	u8			n;
	u32			(*length)(struct pci_dev *pdev, u32 at);
	const struct field	*fields;
};

#define FIELDS(table)	.fields = table, .n = ARRAY_SIZE(table)

/* Message Signalled Interrupts have their fields chosen by their address's size; MSI-X has none. */
static const struct cap caps[] = {
	{ PCI_CAP_ID_PM,	PCI_PM_SIZEOF, FIELDS(pm_fields) },
	{ PCI_CAP_ID_AGP,	PCI_AGP_SIZEOF },
	{ PCI_CAP_ID_VPD,	PCI_CAP_VPD_SIZEOF, FIELDS(vpd_fields) },
	{ PCI_CAP_ID_MSI,	.length = msi_length },
	{ PCI_CAP_ID_PCIX,	.length = pcix_length, FIELDS(pcix_fields) },
	{ PCI_CAP_ID_HT,	.length = ht_length },
	{ PCI_CAP_ID_VNDR,	.length = vendor_length, .raw = true },
	{ PCI_CAP_ID_EXP,	.length = express_length, FIELDS(express_fields) },
	{ PCI_CAP_ID_MSIX,	PCI_CAP_MSIX_SIZEOF },
	{ PCI_CAP_ID_SATA,	.length = sata_length },
	{ PCI_CAP_ID_AF,	PCI_CAP_AF_SIZEOF, FIELDS(af_fields) },
	{ }
};

static const struct cap ext_caps[] = {
	{ PCI_EXT_CAP_ID_ERR,	PCI_ERR_ROOT_COMMAND, FIELDS(aer_fields) },
	{ PCI_EXT_CAP_ID_VC,	.length = vc_length },
	{ PCI_EXT_CAP_ID_DSN,	PCI_EXT_CAP_DSN_SIZEOF },
	{ PCI_EXT_CAP_ID_PWR,	PCI_EXT_CAP_PWR_SIZEOF, FIELDS(power_fields) },
	{ PCI_EXT_CAP_ID_MFVC,	.length = vc_length },
	{ PCI_EXT_CAP_ID_VC9,	.length = vc_length },
	{ PCI_EXT_CAP_ID_VNDR,	.length = ext_vendor_length, .raw = true },
	{ PCI_EXT_CAP_ID_ACS,	.length = acs_length },
	{ PCI_EXT_CAP_ID_ARI,	PCI_EXT_CAP_ARI_SIZEOF },
	{ PCI_EXT_CAP_ID_ATS,	PCI_EXT_CAP_ATS_SIZEOF },
	{ PCI_EXT_CAP_ID_SRIOV,	PCI_EXT_CAP_SRIOV_SIZEOF },
	{ PCI_EXT_CAP_ID_MCAST,	PCI_EXT_CAP_MCAST_ENDPOINT_SIZEOF },
	{ PCI_EXT_CAP_ID_PRI,	PCI_EXT_CAP_PRI_SIZEOF },
	{ PCI_EXT_CAP_ID_REBAR,	.length = rebar_length },
	{ PCI_EXT_CAP_ID_DPA,	.length = dpa_length },
	{ PCI_EXT_CAP_ID_TPH,	.length = tph_length },
	{ PCI_EXT_CAP_ID_LTR,	PCI_EXT_CAP_LTR_SIZEOF },
	{ PCI_EXT_CAP_ID_DVSEC,	.length = dvsec_length, .raw = true },
	{ }
};

/* ------------------------------------------------------------------------- the view, at open */

/* Registers are aligned, and so are the arrays. */
static u16 value16(const struct pci_config *c, u32 at)
{
	return le16_to_cpup((__le16 *)(c->value + at));
}

static void set_value16(struct pci_config *c, u32 at, u16 value)
{
	*(__le16 *)(c->value + at) = cpu_to_le16(value);
}

static u32 value32(const struct pci_config *c, u32 at)
{
	return le32_to_cpup((__le32 *)(c->value + at));
}

static void set_value32(struct pci_config *c, u32 at, u32 value)
{
	*(__le32 *)(c->value + at) = cpu_to_le32(value);
}

/* The fields of the capability at @at, as far as they are within its @length. */
static void apply(struct pci_config *c, u32 at, u32 length, const struct field *f, u32 n)
{
	u32 i;

	for (; n--; f++)
		for (i = 0; i < f->size && f->at + i < length; i++) {
			c->virt[at + f->at + i] = f->virt >> (8 * i);
			c->write[at + f->at + i] = f->write >> (8 * i);
		}
}

static void copy_registers(struct pci_config *c, struct pci_dev *pdev, u32 at, u32 length)
{
	u32 i;

	for (i = at & ~3; i < at + length; i += 4)
		set_value32(c, i, register_at(pdev, i));
}

/* Find @id in a table and how long the capability at @at is; 0: it is not to be shown. */
static u32 look_up(const struct cap *table, u16 id, struct pci_config *c, struct pci_dev *pdev,
		   u32 at, const struct cap **cap)
{
	for (*cap = table; (*cap)->id; ++*cap)
		if ((*cap)->id == id)
			return min((*cap)->length ? (*cap)->length(pdev, at) : (*cap)->size,
				   c->size - at);
	return 0;
}

/* Show the capability at @at; its first bytes, which hold the link to the next one, live here. */
static void show(struct pci_config *c, struct pci_dev *pdev, const struct cap *cap, u32 at,
		 u32 length, u32 link, u32 link_size)
{
	copy_registers(c, pdev, at, length);
	memset(c->virt + at, 0, length);
	memset(c->write + at, cap->raw ? 0xff : 0, length);
	memset(c->virt + at + link, 0xff, link_size);
	memset(c->write + at + link, 0, link_size);
	apply(c, at, length, cap->fields, cap->n);
}

static void note(struct pci_config *c, struct pci_dev *pdev, u16 id, u32 at, u32 length)
{
	switch (id) {
	case PCI_CAP_ID_PM:
		c->pm = at;
		set_value16(c, at + PCI_PM_PMC, value16(c, at + PCI_PM_PMC) & ~PCI_PM_CAP_PME_MASK);
		set_value16(c, at + PCI_PM_CTRL, value16(c, at + PCI_PM_CTRL) &
			    ~(PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS));
		break;
	case PCI_CAP_ID_VPD:
		c->vpd = at;
		break;
	case PCI_CAP_ID_EXP:
		c->exp = at;
		break;
	case PCI_CAP_ID_AF:
		c->af = at;
		break;
	case PCI_CAP_ID_MSI:
		c->msi = at;
		if (value16(c, at + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_64BIT)
			apply(c, at, length, msi64_fields, ARRAY_SIZE(msi64_fields));
		else
			apply(c, at, length, msi32_fields, ARRAY_SIZE(msi32_fields));
	}
}

static void add_capabilities(struct pci_config *c, struct pci_dev *pdev)
{
	u32 rounds = (PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / PCI_CAP_SIZEOF;
	u32 link = PCI_CAPABILITY_LIST;
	bool any = false;
	const struct cap *cap;
	u32 at, length;
	u8 id, next;

	if (!(value16(c, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return;
	for (at = c->value[link]; at >= PCI_STD_HEADER_SIZEOF && rounds--; at = next) {
		pci_read_config_byte(pdev, at, &id);
		pci_read_config_byte(pdev, at + PCI_CAP_LIST_NEXT, &next);
		length = look_up(caps, id, c, pdev, at, &cap);
		if (!length) {
			c->value[link] = next;
			continue;
		}
		show(c, pdev, cap, at, length, PCI_CAP_LIST_NEXT, 1);
		note(c, pdev, id, at, length);
		link = at + PCI_CAP_LIST_NEXT;
		any = true;
	}
	if (!any)
		c->value[PCI_STATUS] &= ~PCI_STATUS_CAP_LIST;
}

static void add_extended_capabilities(struct pci_config *c, struct pci_dev *pdev)
{
	u32 rounds = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / PCI_CAP_SIZEOF;
	const struct cap hidden = { };
	const struct cap *cap;
	u32 at, next, header, length, link = 0;
	bool any = false;

	if (c->size <= PCI_CFG_SPACE_SIZE || !c->exp || !register_at(pdev, PCI_CFG_SPACE_SIZE))
		return;
	for (at = PCI_CFG_SPACE_SIZE; at >= PCI_CFG_SPACE_SIZE && rounds--; at = next) {
		header = register_at(pdev, at);
		next = PCI_EXT_CAP_NEXT(header);
		length = look_up(ext_caps, PCI_EXT_CAP_ID(header), c, pdev, at, &cap);
		if (length) {
			show(c, pdev, cap, at, length, 0, PCI_CAP_SIZEOF);
			any = true;
		} else if (link) {
			set_value32(c, link, (value32(c, link) & 0xfffff) | next << 20);
			continue;
		} else {
			/* The list begins here; without a name it only leads on. */
			show(c, pdev, &hidden, at, PCI_CAP_SIZEOF, 0, PCI_CAP_SIZEOF);
			set_value32(c, at, next << 20);
		}
		link = at;
	}
	if (!any)
		set_value32(c, PCI_CFG_SPACE_SIZE, 0);
}

/* Let the copies of the BARs hold what registers of the BARs' sizes would. */
static void size_bars(struct pci_config *c, struct pci_dev *pdev)
{
	unsigned long flags;
	u32 at, fixed;
	u64 mask;
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		at = PCI_BASE_ADDRESS_0 + 4 * i;
		if (!pci_resource_start(pdev, i)) {
			set_value32(c, at, 0);
			continue;
		}
		mask = ~(pci_resource_len(pdev, i) - 1);
		flags = pci_resource_flags(pdev, i);
		if (flags & IORESOURCE_IO)
			fixed = PCI_BASE_ADDRESS_SPACE_IO;
		else
			fixed = (flags & IORESOURCE_PREFETCH ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0) |
				(flags & IORESOURCE_MEM_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0);
		set_value32(c, at, (value32(c, at) & mask) | fixed);
		if (fixed & PCI_BASE_ADDRESS_MEM_TYPE_64 && !(flags & IORESOURCE_IO)) {
			i++;
			set_value32(c, at + 4, value32(c, at + 4) & (mask >> 32));
		}
	}
	mask = 0;
	if (pci_resource_start(pdev, PCI_ROM_RESOURCE))
		mask = ~(pci_resource_len(pdev, PCI_ROM_RESOURCE) - 1) | PCI_ROM_ADDRESS_ENABLE;
	set_value32(c, PCI_ROM_ADDRESS, value32(c, PCI_ROM_ADDRESS) & mask);
}

/**
 * pci_config_new() - make a user's view of the registers as they are now
 * @pv: the device, enabled
 *
 * Return: the view, for kfree(), or NULL without memory.
 */
struct pci_config *pci_config_new(struct pci_vdev *pv)
{
	struct pci_dev *pdev = pv->pdev;
	const u32 size = pdev->cfg_size;
	struct pci_config *c;
	u32 i;

	c = kzalloc(struct_size(c, data, 3 * size), GFP_KERNEL_ACCOUNT);
	if (!c)
		return NULL;
	c->size = size;
	c->value = c->data;
	c->virt = c->value + size;
	c->write = c->virt + size;

	copy_registers(c, pdev, 0, PCI_STD_HEADER_SIZEOF);
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		c->bars[i] = value32(c, PCI_BASE_ADDRESS_0 + 4 * i);
	c->bars[i] = value32(c, PCI_ROM_ADDRESS);
	memset(c->write + PCI_STD_HEADER_SIZEOF, 0xff, size - PCI_STD_HEADER_SIZEOF);
	apply(c, 0, PCI_STD_HEADER_SIZEOF, header_fields, ARRAY_SIZE(header_fields));
	if (pdev->is_virtfn) {
		set_value16(c, PCI_VENDOR_ID, pdev->vendor);
		set_value16(c, PCI_DEVICE_ID, pdev->device);
	}
	if (pdev->no_command_memory) {
		c->value[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
		c->virt[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
	}
	if (!pv->vdev.irqs[VFIO_PCI_INTX_IRQ_INDEX].count)
		c->value[PCI_INTERRUPT_PIN] = 0;
	add_capabilities(c, pdev);
	add_extended_capabilities(c, pdev);
	size_bars(c, pdev);
	return c;
}

/**
 * pci_config_memory() - whether the device's memory answers, as far as the user's registers say
 * @pv: the device, open. That of a virtual function is not switched by its command register
 */
bool pci_config_memory(struct pci_vdev *pv)
{
	return !pv->asleep && !pci_sleeps(pv->pdev) &&
	       (pv->pdev->no_command_memory ||
		pv->config->value[PCI_COMMAND] & PCI_COMMAND_MEMORY);
}

/**
 * pci_config_restored() - the command register holds what it did before the device slept
 * @pv: the device, open
 */
void pci_config_restored(struct pci_vdev *pv)
{
	const u16 on = PCI_COMMAND_IO | (pv->pdev->no_command_memory ? 0 : PCI_COMMAND_MEMORY);
	u16 command;

	pci_read_config_word(pv->pdev, PCI_COMMAND, &command);
	set_value16(pv->config, PCI_COMMAND,
		    (value16(pv->config, PCI_COMMAND) & ~on) | (command & on));
}

/**
 * pci_config_msi() - MSI has been given vectors
 * @pv: the device, open
 * @vectors: how many
 */
void pci_config_msi(struct pci_vdev *pv, u32 vectors)
{
	pv->config->max_msi = order_base_2(vectors);
}

/* ------------------------------------------------------------------------ registers that act */

/* The device has been reset behind our back, and has forgotten where its memory is. */
static void restore_bars(struct pci_config *c, struct pci_dev *pdev)
{
	int i;

	if (pdev->is_virtfn)
		return;
	pci_info(pdev, "has lost its BARs in a reset: restored\n");
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		pci_user_write_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, c->bars[i]);
	pci_user_write_config_dword(pdev, PCI_ROM_ADDRESS, c->bars[i]);
}

static bool lost_bars(struct pci_config *c, struct pci_dev *pdev, u16 new)
{
	const u16 on = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
	u32 bar;
	u16 now;
	int i;

	pci_user_read_config_word(pdev, PCI_COMMAND, &now);
	if (pdev->no_command_memory)
		now |= PCI_COMMAND_MEMORY;
	/* The user thinks it on, and so do we, but it is off. */
	if (new & value16(c, PCI_COMMAND) & ~now & on)
		return true;
	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (c->bars[i] && (pci_user_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i,
							      &bar) || bar != c->bars[i]))
			return true;
	return false;
}

/* Memory and I/O are remembered though they live in the hardware; INTx is masked by the core. */
static void command_written(struct pci_vdev *pv, u16 new, bool low)
{
	const u16 on = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
	struct pci_config *c = pv->config;
	struct evfio_irq *intx = &pv->vdev.irqs[VFIO_PCI_INTX_IRQ_INDEX];
	const bool hold = value16(c, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;

	if (low) {
		set_value16(c, PCI_COMMAND, (value16(c, PCI_COMMAND) & ~on) | (new & on));
		pci_memory(pv, pci_config_memory(pv));
	}
	if (intx->count)
		evfio_line_hold(intx->lines, hold);
}

static void power_written(struct pci_vdev *pv, u32 new)
{
	if (pv->vfs == VFS_NONE)
		pci_power(pv, (__force pci_power_t)(new & PCI_PM_CTRL_STATE_MASK));
}

/* Setting the flag writes, clearing it reads; the flag's change says that it is done. */
static void vpd_written(struct pci_vdev *pv)
{
	struct pci_config *c = pv->config;
	const u16 address = value16(c, c->vpd + PCI_VPD_ADDR);
	u32 data = 0;

	if (address & PCI_VPD_ADDR_F) {
		data = value32(c, c->vpd + PCI_VPD_DATA);
		if (pci_write_vpd(pv->pdev, address & ~PCI_VPD_ADDR_F, 4, &data) != 4)
			return;
	} else {
		if (pci_read_vpd(pv->pdev, address, 4, &data) < 0)
			return;
		set_value32(c, c->vpd + PCI_VPD_DATA, data);
	}
	set_value16(c, c->vpd + PCI_VPD_ADDR, address ^ PCI_VPD_ADDR_F);
}

/* A read request is not less than a payload: that would only make the device slow. */
static void express_written(struct pci_vdev *pv, u16 old)
{
	struct pci_config *c = pv->config;
	const u32 at = c->exp + PCI_EXP_DEVCTL;
	u16 control = value16(c, at);

	if (control & PCI_EXP_DEVCTL_BCR_FLR) {
		control &= ~PCI_EXP_DEVCTL_BCR_FLR;
		set_value16(c, at, control);
		if (register_at(pv->pdev, c->exp + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR)
			pci_function_reset(&pv->vdev);
	}
	if ((control ^ old) & PCI_EXP_DEVCTL_READRQ)
		pcie_set_readrq(pv->pdev, max(128 << ((control & PCI_EXP_DEVCTL_READRQ) >> 12),
					      pcie_get_mps(pv->pdev)));
}

static void af_written(struct pci_vdev *pv)
{
	const u8 both = PCI_AF_CAP_FLR | PCI_AF_CAP_TP;
	struct pci_config *c = pv->config;
	u8 *control = c->value + c->af + PCI_AF_CTRL;

	if (!(*control & PCI_AF_CTRL_FLR))
		return;
	*control &= ~PCI_AF_CTRL_FLR;
	if ((register_at(pv->pdev, c->af) >> 24 & both) == both)
		pci_function_reset(&pv->vdev);
}

/* The kernel programs address and data; the user may switch off and on what it has set up. */
static void msi_written(struct pci_vdev *pv)
{
	struct pci_config *c = pv->config;
	u16 flags = value16(c, c->msi + PCI_MSI_FLAGS);

	if (pv->in_use != VFIO_PCI_MSI_IRQ_INDEX)
		flags &= ~PCI_MSI_FLAGS_ENABLE;
	if ((flags & PCI_MSI_FLAGS_QSIZE) >> 4 > c->max_msi)
		flags = (flags & ~PCI_MSI_FLAGS_QSIZE) | c->max_msi << 4;
	set_value16(c, c->msi + PCI_MSI_FLAGS, flags);
	pci_user_write_config_word(pv->pdev, c->msi + PCI_MSI_FLAGS, flags);
}

/* ---------------------------------------------------------------------------- read and write */

static u32 get(const u8 *bytes, u32 width)
{
	__le32 value = 0;

	memcpy(&value, bytes, width);
	return le32_to_cpu(value);
}

static void put(u8 *bytes, u32 value, u32 width)
{
	const __le32 le = cpu_to_le32(value);

	memcpy(bytes, &le, width);
}

static int hardware_read(struct pci_dev *pdev, u32 at, u32 width, u32 *value)
{
	u16 word;
	u8 byte;
	int ret;

	switch (width) {
	case 4:
		return pci_user_read_config_dword(pdev, at, value);
	case 2:
		ret = pci_user_read_config_word(pdev, at, &word);
		*value = word;
		return ret;
	default:
		ret = pci_user_read_config_byte(pdev, at, &byte);
		*value = byte;
		return ret;
	}
}

static int hardware_write(struct pci_dev *pdev, u32 at, u32 width, u32 value)
{
	switch (width) {
	case 4:
		return pci_user_write_config_dword(pdev, at, value);
	case 2:
		return pci_user_write_config_word(pdev, at, value);
	default:
		return pci_user_write_config_byte(pdev, at, value);
	}
}

static int config_read(struct pci_vdev *pv, u32 at, u32 width, u32 *value)
{
	struct pci_config *c = pv->config;
	const u32 virt = get(c->virt + at, width);
	u32 hardware = 0;
	int ret = 0;

	if (virt != ALL >> (32 - 8 * width))
		ret = hardware_read(pv->pdev, at, width, &hardware);
	*value = (get(c->value + at, width) & virt) | (hardware & ~virt);
	return ret;
}

static int config_write(struct pci_vdev *pv, u32 at, u32 width, u32 value)
{
	struct pci_config *c = pv->config;
	const u32 write = get(c->write + at, width);
	const u32 here = write & get(c->virt + at, width);
	const u32 there = write & ~here;
	const u16 old = c->exp ? value16(c, c->exp + PCI_EXP_DEVCTL) : 0;
	u32 hardware = 0;
	int ret = 0;

	if (at == PCI_COMMAND && lost_bars(c, pv->pdev, value))
		restore_bars(c, pv->pdev);
	if (at == PCI_COMMAND && !(value & PCI_COMMAND_MEMORY))
		pci_memory(pv, false);
	put(c->value + at, (get(c->value + at, width) & ~here) | (value & here), width);
	if (there && there != ALL >> (32 - 8 * width))
		ret = hardware_read(pv->pdev, at, width, &hardware);
	if (there && !ret)
		ret = hardware_write(pv->pdev, at, width, (hardware & ~there) | (value & there));
	if (ret)
		return ret;

	/* @width bytes cross no aligned double word: each of these is met at its start or not. */
	if (at < PCI_STD_HEADER_SIZEOF) {
		if (at == PCI_COMMAND || at == PCI_COMMAND + 1)
			command_written(pv, value, at == PCI_COMMAND);
		size_bars(c, pv->pdev);
	} else if (c->pm && at == c->pm + PCI_PM_CTRL) {
		power_written(pv, value);
	} else if (c->vpd && at <= c->vpd + PCI_VPD_ADDR + 1 &&
		   at + width > c->vpd + PCI_VPD_ADDR + 1) {
		vpd_written(pv);
	} else if (c->exp && (at & ~3) == c->exp + PCI_EXP_DEVCTL) {
		express_written(pv, old);
	} else if (c->af && (at & ~3) == c->af + (PCI_AF_CTRL & ~3)) {
		af_written(pv);
	} else if (c->msi && at <= c->msi + PCI_MSI_FLAGS && at + width > c->msi + PCI_MSI_FLAGS) {
		msi_written(pv);
	}
	return 0;
}

/**
 * pci_config_access() - read or write configuration space as a user
 * @pv: the device, open
 * @off: where
 * @buf: bytes as they lie there
 * @count: how many
 * @write: which
 *
 * Return: 0 or an errno.
 */
int pci_config_access(struct pci_vdev *pv, u32 off, u8 *buf, size_t count, bool write)
{
	u32 width, value;
	int ret;

	lockdep_assert_held_write(&pv->vdev.lock);
	for (; count; off += width, buf += width, count -= width) {
		width = !(off % 4) && count >= 4 ? 4 : !(off % 2) && count >= 2 ? 2 : 1;
		if (write) {
			ret = config_write(pv, off, width, get(buf, width));
		} else {
			ret = config_read(pv, off, width, &value);
			if (!ret)
				put(buf, value, width);
		}
		if (ret)
			return ret;
	}
	return 0;
}
