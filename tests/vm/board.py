# SPDX-License-Identifier: GPL-2.0-only
"""The boards: a QEMU virt machine whose PCI functions are platform devices behind its SMMU, or are what they are.

run() boots a stock Debian kernel on one with evfio's modules, runs one command and tells how it went.
See dts/qemu-virt/evfio.dtso for what the platform board looks like and why, PCI_DEVICES below for the
PCI board, init for the guest's side.
"""

import base64
import functools
import lzma
import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
CACHE = Path(os.environ.get("EVFIO_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evfio")
GCOV = BUILD / "coverage" / "guests"   # what tests/kernel/coverage reads
OVERLAY = ROOT / "dts" / "qemu-virt" / "evfio.dtso"

# What Debian's kernels do when they boot that no test needs: a third of the time that takes.
NEEDLESS = ("cryptomgr.notests initcall_blacklist=load_system_certificate_list,jent_mod_init,"
            "crypto_kdf108_init,init_encrypted,bpf_tcp_ca_kfunc_init,bpf_dummy_struct_ops_init")

# The kernel's driver for the PL061 is built in, and what it had as a chained interrupt nobody can have after it:
# on the PCI board, where nothing needs it, it is left out.
NO_PL061 = "initcall_blacklist=pl061_gpio_driver_init"

# A numbered machine type, so that every QEMU makes the same board.
MACHINE = "virt-7.2,iommu=smmuv3,gic-version=3"
CPU = "cortex-a57"

SANITIZED = "6.12-sanitize"
# One kernel runs on a processor of the first hour, the others on one with atomic instructions, which
# QEMU runs faster, and with pages of 16 KiB.
CPUS = dict.fromkeys(["6.12", "7.2", "7.2-16k", SANITIZED], "neoverse-n1")
# For all that the sanitized kernel checks: time, memory, and something to run after the command.
SANITIZED_SLOWER, SANITIZED_MEMORY = 5, "512M"
SANITIZED_AFTER = 120       # seconds

@dataclass(frozen=True)
class Arch:
    """What a kernel's architecture makes of the board, and of what runs there."""
    emulator: str
    machine: str
    cpu: str            # unless CPUS has another
    memory: str         # at least
    ecam: int           # where PCI's configuration space is
    its: str            # the node of the interrupt controller's that takes MSIs
    guest: Path
    programs: Path      # the command and the examples
    tests: Path


ARM64 = Arch("qemu-system-aarch64", MACHINE, CPU, "512M", 0x4010000000, "/intc@8000000/its@8080000",
             CACHE / "guest", BUILD / "user" / "aarch64-linux-gnu" / "bin", BUILD / "tests")
# All that the machine has is below 4 GiB, as the kernel reaches no further; some memory is "high", without an
# address of the kernel's; and there is no SMMU: see armhf.dtso.
ARMHF = Arch("qemu-system-arm", "virt-7.2,highmem=off,gic-version=2", "cortex-a15", "1G", 0x3f000000,
             "/intc@8000000/v2m@8020000", CACHE / "guest-armhf",
             BUILD / "user" / "arm-linux-gnueabihf" / "bin", BUILD / "tests" / "armhf")


def arch(name):
    return ARMHF if name.endswith("-armhf") else ARM64


# Labels for the nodes of QEMU's own device tree that the overlay refers to, the one for MSIs apart.
LABELS = {
    "gic": "/intc@8000000",
    "smmu": "/smmuv3@9050000",
    "pl061": "/pl061@9030000",
    "apb_pclk": "/apb-pclk",
}

# Slot, QEMU device, and which BAR (configuration offset, bits) goes to which address. edu's own DMA
# mask of 28 bits is lifted: an IOVA is 48 bits wide here, and edu would silently cut it off.
EDU = "edu,dma_mask=0xffffffffffff"
NVME = "nvme,serial=disk,drive=disk"
FUNCTIONS = [
    (2, EDU, 0x10, 32, 0x10000000),
    (3, EDU, 0x10, 32, 0x10100000),
    (4, EDU, 0x10, 32, 0x10200000),
    (5, EDU, 0x10, 32, 0x10300000),
    (6, "ivshmem-plain,memdev=reset", 0x18, 64, 0x10400000),
    (9, NVME, 0x10, 64, 0x10500000),
]
PCI_COMMAND, PCI_COMMAND_MEMORY_MASTER = 0x04, 0x6

# The PCI board: QEMU's host bridge as it comes, every function behind the SMMU. Addresses and groups
# hold on every kernel; the bus numbers are the kernel's, which counts bridges in their order.
#
#	address		what				group
#	0000:00:01.0	edu: INTx, MSI, no PCIe		alone
#	0000:00:02.0	nvme: MSI-X, PCIe; the disk	alone
#	0000:00:03.0	e1000e: INTx, MSI, MSI-X, I/O	alone
#			ports, AER, a ROM; first end of a cable
#	0000:00:04.0	PCIe root port, stays pcieport's
#	0000:01:00.0	e1000e; the cable's other end	alone, or with its root port (6.1, 6.12)
#	0000:00:05.0	PCIe-to-PCI bridge, without its	with what is behind it
#			driver, which would keep the group
#	0000:02:01.0	edu
#	0000:00:06.0	edu, function 0			both functions together: nothing says that they
#	0000:00:06.1	edu, function 1			cannot reach each other
#	0000:00:07.0	nvme with SR-IOV: two functions,	alone, and so are 0000:00:07.1 and .2
#			which share a disk with it
#	0000:00:08.0	rocker: MSI-X to be fired by	alone
#			hand, no INTx
#	0000:00:09.0	ivshmem: 4 MiB of memory	alone
#	0000:00:0a.0	nvme without a disk		each alone: of Intel's functions in the root
#	0000:00:0a.1	another in the same slot	complex the kernel knows that they are apart
#	0000:00:0b.0	xHCI: 16 vectors of MSI		alone
#	0000:00:0c.0	PCIe root port without ACS	with what is behind it
#	0000:03:00.0	nvme with SR-IOV, left alone: with its root port, 0000:03:00.1 and .2
#			two functions
SRIOV = "sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2"
PCI_DEVICES = [
    f"{EDU},addr=01.0",
    f"{NVME},addr=02.0",
    "e1000e,addr=03.0,netdev=near,romfile={rom}",
    "pcie-root-port,id=root-port,chassis=1,addr=04.0",
    "e1000e,id=far,bus=root-port,netdev=far,romfile=",
    "pcie-pci-bridge,id=bridge,addr=05.0",
    f"{EDU},bus=bridge,addr=01.0",
    f"{EDU},addr=06.0,multifunction=on",
    f"{EDU},addr=06.1",
    "nvme-subsys,id=subsystem",
    f"nvme,id=sriov,addr=07.0,serial=sriov,subsys=subsystem,{SRIOV}",
    "nvme-ns,bus=sriov,drive=shared-disk",
    "rocker,name=rocker,addr=08.0",
    "ivshmem-plain,addr=09.0,memdev=memory",
    "nvme,addr=0a.0,serial=first,use-intel-id=on,multifunction=on",
    "nvme,addr=0a.1,serial=second,use-intel-id=on",
    "nec-usb-xhci,addr=0b.0",
    "pcie-root-port,id=blind-port,chassis=2,addr=0c.0,disable-acs=on",
    "nvme-subsys,id=another-subsystem",
    f"nvme,bus=blind-port,serial=blind,subsys=another-subsystem,{SRIOV}",
]
# With the mode "igb" one more, a network controller without a cable, whose virtual functions are
# 0000:00:1d.0, 0000:00:1d.2, ..., each alone. It wants a newer QEMU than Debian 12 has.
IGB = ["-netdev", "hubport,hubid=1,id=igb", "-device", "igb,addr=0d.0,netdev=igb,romfile="]
NEWER_QEMU = CACHE / "qemu" / "usr" / "bin" / "qemu-system-aarch64"
# What init takes the driver of, and what it binds to vfio-pci.
PCI_BRIDGE = "0000:00:05.0"
PCI_FUNCTIONS = ["0000:00:01.0", "0000:00:02.0", "0000:00:03.0", "0000:01:00.0", "0000:02:01.0",
                 "0000:00:06.0", "0000:00:06.1", "0000:00:07.0", "0000:00:08.0", "0000:00:09.0",
                 "0000:00:0a.0", "0000:00:0a.1", "0000:00:0b.0"]
DISK = 1 << 20      # bytes, see words()
ROM = 1 << 15

# Two more disks of the platform board without its SMMU, on its virtio-mmio transports, which no IOMMU knows of
# anyway: a000000.virtio_mmio, whose interrupt is a level (noiommu.dtso), and a000200.virtio_mmio, an edge, which
# is not coherent as far as software knows. The kernel's drivers are loaded and take them.
VIRTIO_DISKS = ["level", "edge"]
VIRTIO_DISK = 1 << 30       # bytes: words() at first, then zeros
VIRTIO_MODULES = ["virtio_mmio", "virtio_blk"]

BOARDS = ["platform", "pci"]

# A root directory with programs of Debian's, which guests see read-only at /clients, and for that:
CLIENTS = CACHE / "clients"
CLIENT_MODULES = ["virtio_mmio", "9pnet_virtio", "9p"]
CLIENT_DEVICES = ["-fsdev", f"local,id=clients,path={CLIENTS},security_model=none,readonly=on",
                  "-device", "virtio-9p-device,fsdev=clients,mount_tag=clients"]

MODULES = ["vfio", "vfio_iommu_type1", "vfio-platform"]
PCI_MODULE = "vfio-pci"     # where the configuration has it

# What a healthy kernel never says: looked for in lines that bear a kernel time stamp.
TROUBLE = re.compile(
    r"^\[ *\d+\.\d+\].*(\b(BUG|WARNING|Oops|UBSAN|KASAN|ODEBUG)\b|Unable to handle|Kernel panic"
    r"|Internal error|Call trace:|rcu: .*(stall|self-detected)|blocked for more than|soft lockup"
    r"|INFO: (lockdep|possible|trying)|DMA-API: .*(error|driver|device)|refcount_t:|nobody cared|scheduling while atomic|[Bb]ad page)")


class BoardError(Exception):
    """The board cannot be started; the message says what to do."""


@dataclass
class Result:
    """What a command in a guest left behind: the first one the guest's start as well, the last one its end."""
    kernel: str
    status: int | None = None   # of the command; None if the guest never got that far
    output: str = ""            # of the command
    log: str = ""               # the kernel's
    console: str = ""           # all that came over the serial line
    seconds: float = 0
    data: bytes = b""           # an archive (tar.gz) of what gcov counted, from the sanitized kernel
    trouble: list = field(default_factory=list)     # why this run failed, whatever the status says

    @property
    def ok(self):
        return self.status == 0 and not self.trouble

    @property
    def tail(self):
        """The kernel's log since the command began; of a guest that did not live, the last there was."""
        log = self.log.partition("] test starts\n")[2] or self.console
        return "\n".join(log.splitlines()[-60:])


def kernel(name):
    """The directory of a fetched kernel."""
    path = CACHE / "kernels" / name
    if not path.is_dir():
        raise BoardError(f"no kernel {name}: run tests/vm/fetch {name}")
    return path


def release(name):
    return (kernel(name) / "release").read_text().strip()


def run_tool(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise BoardError(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")
    return done.stdout


def device_tree(cpu, smp, more="", layout="platform", of=ARM64):
    """QEMU's own device tree for this machine with the board's overlay merged in, kept in the build directory.

    more: the name of one more overlay beside this file, the file of one elsewhere, or ""; the PCI board
        has no other
    of: the architecture
    """
    last = Path(more).resolve() if more.endswith(".dtso") else Path(__file__).with_name(f"{more}.dtso")
    name = f"{last.stem}-{zlib.crc32(str(last).encode()):08x}" if more.endswith(".dtso") else more
    result = BUILD / "vm" / f"board-{layout}-{cpu}-{smp}{name and '-'}{name}.dtb"
    overlays = [*([Path(__file__).with_name("armhf.dtso")] if of is ARMHF else []),
                *([OVERLAY] if layout == "platform" else []),
                *([last] if more else [])]
    newest = max(p.stat().st_mtime for p in (*overlays, Path(__file__)))
    if result.exists() and result.stat().st_mtime > newest:
        return result
    result.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=result.parent) as tmp:
        base, overlay, merged = (Path(tmp) / n for n in ("base.dtb", "overlay.dtbo", "board.dtb"))
        run_tool(of.emulator, "-M", f"{of.machine},dumpdtb={base}", "-cpu", cpu,
                 "-smp", smp, "-nodefaults", "-display", "none")
        run_tool("fdtput", "-c", base, "/__symbols__")
        for label, path in (LABELS | {"its": of.its}).items():
            run_tool("fdtput", "-t", "s", base, "/__symbols__", label, path)
        # An overlay cannot take anything away.
        if more == "noiommu":
            run_tool("fdtput", "-d", base, "/virtio_mmio@a000200", "dma-coherent")
        for source in overlays:
            run_tool("dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", overlay, source)
            run_tool("fdtoverlay", "-i", base, "-o", merged, overlay)
            merged.rename(base)
        base.rename(result)
    return result


def cpio(entries):
    """An initramfs (cpio "newc", see the kernel's early-userspace documentation) of (name, mode, data)."""
    archive = bytearray()
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    return archive


@functools.lru_cache(None)
def stock_modules(name):
    return {p.name.split(".ko")[0].replace("-", "_"): p
            for p in (kernel(name) / "modules" / "kernel").rglob("*.ko*")}


def in_loading_order(wanted, known):
    """The files of the modules WANTED, before each those it needs; KNOWN is {name: file}."""
    files = []

    def add(module):
        path = known[module.replace("-", "_")]
        if path in files:
            return
        for dependency in run_tool("/sbin/modinfo", "-F", "depends", path).strip().split(","):
            if dependency:
                add(dependency)
        files.append(path)

    for module in wanted:
        add(module)
    return files


@functools.lru_cache(None)
def needed_modules(name, layout="platform"):
    """Evfio's modules for that kernel, and before each the stock ones it needs: files in loading order."""
    own = BUILD / "modules" / release(name)
    wanted = [*MODULES, PCI_MODULE]
    if layout != "pci" and not (own / f"{PCI_MODULE}.ko").exists():
        wanted = MODULES
    for module in wanted:
        if not (own / f"{module}.ko").exists():
            raise BoardError(f"no {module}.ko for {release(name)}: run tests/vm/modules {name}")
    return in_loading_order(wanted, stock_modules(name) |
                            {m.replace("-", "_"): own / f"{m}.ko" for m in wanted})


@functools.lru_cache(None)
def kernel_modules(name, layout="pci"):
    """The kernel's own VFIO for that board's devices, likewise."""
    driver = "vfio_platform" if layout == "platform" else "vfio_pci"
    if driver not in stock_modules(name):
        raise BoardError(f"kernel {name} has no {driver} of its own")
    return in_loading_order(["vfio", "vfio_iommu_type1", driver], stock_modules(name))


def words(size):
    """So many bytes, each 8 of which hold their own offset, little-endian."""
    return b"".join(at.to_bytes(8, "little") for at in range(0, size, 8))


def option_rom():
    """What an expansion ROM must have (PCI Firmware Specification 5.1), the rest as words() has it."""
    rom = bytearray(words(ROM))
    rom[:2] = b"\x55\xaa"
    rom[0x18:0x1a] = (0x20).to_bytes(2, "little")   # where the data structure is
    rom[0x20:0x38] = (b"PCIR" + bytes.fromhex("8680 d310 0000 1800 00 000002") +
                      (ROM // 512).to_bytes(2, "little") + bytes.fromhex("0000 00 80 0000"))
    return rom


def drive(name="disk", file="disk.img", size=DISK):
    """QEMU's words for a disk, the same at each start."""
    return ["-drive", f"if=none,id={name},format=raw,snapshot=on,file={image(file, words(DISK), size)}"]


def image(name, content, size=0):
    """The file of that name in the build directory: made once, never written by a guest. What is missing is zeros."""
    path = BUILD / "vm" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as new:
            new.write(content)
            new.truncate(max(size, len(content)))
        Path(new.name).rename(path)
    return path


def initramfs(name, commands, programs, modules, parameters, mode, layout="platform"):
    """All that the guest has: busybox, init, the modules, the programs, and our wishes in /vm."""
    loads = []
    contents = {
        "init": (Path(__file__).with_name("init").read_bytes(), 0o755),
        "bin/check.sh": (Path(__file__).with_name("check.sh").read_bytes(), 0o644),
        "bin/busybox": ((arch(name).guest / "bin" / "busybox").read_bytes(), 0o755),
        "vm/commands": ("".join(f"{seconds} /vm/command-{number}\n" for number, (_, seconds)
                                in enumerate(commands)).encode(), 0o644),
    }
    for number, (command, _) in enumerate(commands):
        contents[f"vm/command-{number}"] = (f"{command}\n".encode(), 0o644)
    if "shell" in mode:
        contents["vm/shell"] = (b"", 0o644)
    if "symbols" in mode:
        contents["vm/symbols"] = ("".join(
            f"{path.stem.replace('-', '_')} {path}\n" for path in modules if path.suffix == ".ko"
        ).encode(), 0o644)
    if name == SANITIZED:
        contents["vm/after"] = ((ROOT / "tests" / "kernel" / "after").read_bytes(), 0o644)
    for path in modules:
        data = path.read_bytes()
        file = path.name
        if file.endswith(".xz"):
            data, file = lzma.decompress(data), file[:-3]
        contents[f"lib/modules/{file}"] = (data, 0o644)
        prefix = file.removesuffix(".ko") + "."
        loads.append(" ".join([file] + [p.removeprefix(prefix) for p in parameters
                                        if p.startswith(prefix)]))
    for path in programs:
        contents[f"bin/{path.name}"] = (path.read_bytes(), 0o755)
    contents["vm/modules"] = ("".join(f"{line}\n" for line in loads if "unloaded" not in mode).encode(),
                              0o644)
    writes = []
    for slot, _, bar, bits, address in FUNCTIONS if layout == "platform" else ():
        config = arch(name).ecam + (slot << 15)
        writes.append(f"{config + bar:#x} 32 {address:#x}\n")
        if bits == 64:
            writes.append(f"{config + bar + 4:#x} 32 {address >> 32:#x}\n")
        writes.append(f"{config + PCI_COMMAND:#x} 16 {PCI_COMMAND_MEMORY_MASTER:#x}\n")
    contents["vm/devmem"] = ("".join(writes).encode(), 0o644)
    if "clients" in mode:
        contents["vm/clients"] = (b"", 0o644)
    if layout == "pci" and "unbound" not in mode:
        contents["vm/bind"] = ("".join(f"{f} vfio-pci\n" for f in PCI_FUNCTIONS).encode() +
                               f"{PCI_BRIDGE} none\n".encode(), 0o644)

    directories = {str(d) for file in contents for d in Path(file).parents if str(d) != "."}
    directories |= {"proc", "sys", "dev", "tmp", "run"}
    return cpio([(d, 0o040755, b"") for d in sorted(directories)] +
                [(file, 0o100000 | mode, data) for file, (data, mode) in contents.items()])


def qemu(name, dtb, initrd, smp, memory, append, extra, layout="platform", mode=()):
    machine = (arch(name).machine + (",virtualization=on" if "kvm" in mode else "") +
               "".join(f",gic-version={word[3:]}" for word in mode if word.startswith("gic")))
    if "noiommu" in mode:
        machine = machine.replace("iommu=smmuv3,", "")
    emulator = NEWER_QEMU if "igb" in mode else arch(name).emulator
    command = [str(emulator), "-M", machine, "-cpu", CPUS.get(name, arch(name).cpu), "-smp", str(smp), "-m", memory,
               "-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg,thread=multi",
               "-kernel", str(kernel(name) / "vmlinuz"), "-initrd", str(initrd),
               # An oops ends the guest, and the whole log is on the serial line (panic_print).
               # /dev/mem and the registers of bound devices stay open to the tests.
               "-append", "console=ttyAMA0 quiet loglevel=1 log_buf_len=1M oops=panic panic=-1 panic_print=32 "
               f"iomem=relaxed {NEEDLESS} {append}"]
    if layout == "pci":
        command[-1] += f" {NO_PL061}"
        rom = image("rom.bin", option_rom())
        devices = [device.format(rom=rom) for device in PCI_DEVICES]
        command += ["-netdev", "hubport,hubid=0,id=near", "-netdev", "hubport,hubid=0,id=far",
                    "-object", "memory-backend-ram,id=memory,size=4M,share=on", *drive("shared-disk")]
    else:
        devices = [f"{device},addr={slot:02x}.0" for slot, device, *_ in FUNCTIONS]
        command += ["-object", "memory-backend-ram,id=reset,size=1M,share=on"]
    if dtb:
        command += ["-dtb", str(dtb)]
    command += drive()
    if "noiommu" in mode and layout == "platform":
        command += ["-global", "virtio-mmio.force-legacy=false"]
        for number, disk in enumerate(VIRTIO_DISKS):
            command += drive(disk, "virtio.img", VIRTIO_DISK)
            devices.append(f"virtio-blk-device,bus=virtio-mmio-bus.{number},drive={disk}")
    for device in devices:
        command += ["-device", device]
    return command + list(extra)


def run(name, command="", programs=(), timeout=60, **options):
    """Boot kernel NAME, run the shell COMMAND in the guest for up to TIMEOUT seconds, and return a Result.

    More arguments are run_all()'s.
    """
    return run_all(name, [(command, timeout)], programs, **options)[0]


def run_all(name, commands, programs=(), modules="evfio", parameters=(), smp=2, memory="512M", append="",
            extra=(), mode=(), overlay="", echo=False, layout="platform", stock=()):
    """Boot kernel NAME, run COMMANDS in the guest one after the other, and return a Result for each.

    commands: pairs of a shell command and the seconds that it may take
    programs: host files to put into /bin (evfio and the examples are always there when built)
    modules: "evfio"; "kernel", its own VFIO for PCI; or None
    parameters: of modules, as on a kernel command line: "vfio.removal_grace_ms=200"
    append: more kernel command line;  extra: more QEMU arguments
    mode: "shell" gives an interactive guest on this terminal instead, "symbols" prints what gdb needs,
        "unloaded" leaves the modules in /lib/modules, "unbound" PCI functions without a driver, "clients"
        has Debian's programs in /clients, "kvm" a machine that can be a host itself, with its kernel's
        image as /bin/vmlinuz, "gic2" one whose MSIs are not told apart by their senders, "gic4" (with
        "kvm") one that can deliver them to a guest, "igb" one more function on the PCI board, "noiommu" one
        without its SMMU, the platform board with virtio's disks
    overlay: of the device tree, one more, by its name or its file
    echo: pass the guest's output on to stdout as it comes
    layout: one of BOARDS
    stock: names of the kernel's modules to load first
    """
    results = [Result(name) for _ in commands]
    files = [*arch(name).programs.glob("*"), *map(Path, programs)]
    if "kvm" in mode:
        files.append(kernel(name) / "vmlinuz")
    stock = list(stock)
    if "noiommu" in mode and layout == "platform":
        overlay = overlay or "noiommu"
        # The sanitized kernel lacks one.
        stock += [module for module in VIRTIO_MODULES if module in stock_modules(name)]
    known = [*MODULES, PCI_MODULE]
    for parameter in parameters:
        if parameter.split(".")[0] not in known:
            raise BoardError(f"{parameter}: not a parameter of {', '.join(known)}")
    limit = 30
    if name == SANITIZED:
        commands = [(command, seconds * SANITIZED_SLOWER) for command, seconds in commands]
        memory = max(memory, SANITIZED_MEMORY, key=megabytes)
        limit = 60 + SANITIZED_AFTER
    memory = max(memory, arch(name).memory, key=megabytes)
    limit += sum(seconds for _, seconds in commands)
    (BUILD / "vm").mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=BUILD / "vm", suffix=".cpio") as initrd:
        loaded = (needed_modules(name, layout) if modules == "evfio" else
                  kernel_modules(name, layout) if modules == "kernel" else [])
        first = [*stock, *(CLIENT_MODULES if "clients" in mode else ())]
        loaded = in_loading_order(first, stock_modules(name)) + loaded
        if "clients" in mode:
            extra = [*extra, *CLIENT_DEVICES]
        if "igb" in mode:
            extra = [*extra, *IGB]
        initrd.write(initramfs(name, commands, files, loaded, parameters, mode, layout))
        initrd.flush()
        tree = (device_tree(CPUS.get(name, arch(name).cpu), smp, overlay, layout, arch(name))
                if layout == "platform" or overlay else None)
        guest = qemu(name, tree, initrd.name, smp, memory, append, extra, layout, mode)
        if "shell" in mode:
            results[0].status = subprocess.run([*guest, "-serial", "mon:stdio"]).returncode
        else:
            watch(results, [*guest, "-serial", "stdio"], limit, echo)
    return results


def megabytes(size):
    return int(size[:-1]) * {"M": 1, "G": 1024}[size[-1]]


class Watch:
    """Sorts what comes over the serial line into the results."""

    def __init__(self, results):
        self.results = results
        self.at = 0             # whose lines these are
        self.section = "boot"
        self.parts = [{part: [] for part in ("boot", "start", "exit", "data", "log", "end")} for _ in results]
        self.consoles = [[] for _ in results]
        self.began = time.monotonic()

    def line(self, line):
        """Take the next one; true if the command said it."""
        mark = re.match(r"@vm (start|exit|data|log|end) ?(\d*)$", line)
        if mark and mark[1] == "start" and self.section != "boot":
            self.lap()
            self.at += 1
        if self.section != "data":
            self.consoles[self.at].append(line)
        if mark:
            self.section = mark[1]
            if self.section == "exit":
                self.results[self.at].status = int(mark[2])
            return False
        self.parts[self.at][self.section].append(line)
        return self.section == "start"

    def lap(self):
        now = time.monotonic()
        self.results[self.at].seconds = now - self.began
        self.began = now

    def end(self, trouble):
        """No more comes. TROUBLE says why we ended the guest, if we did."""
        self.lap()
        for result, parts, console in zip(self.results, self.parts, self.consoles):
            result.console = "\n".join(console)
            result.output = "\n".join(parts["start"])
            result.log = "\n".join(parts["exit"] + parts["log"])
            result.data = base64.b64decode("".join(parts["data"]))
            if result.status is None:
                result.trouble.append(trouble or "the guest ended before the command did")
            elif result is self.results[-1] and self.section != "end":
                result.trouble.append(trouble or "the guest died after the command")
            elif result.status == 128 + 9:
                result.trouble.append("the command was killed, perhaps at its time limit")
            result.trouble += [line for line in parts["boot"] if line.startswith("Bail out!")]
            result.trouble += [line.removeprefix("@vm trouble ") for line in console
                               if line.startswith("@vm trouble ") or TROUBLE.search(line)][:100]


def watch(results, guest, timeout, echo):
    """Follow the guest's serial line to its end and fill in the results.

    What it says in a line "@vm monitor COMMAND" goes to QEMU's monitor.
    """
    lines = Watch(results)
    limit = time.monotonic() + timeout
    ours, theirs = socket.socketpair()
    monitor = ["-chardev", f"socket,id=monitor,fd={theirs.fileno()}", "-mon", "monitor,mode=readline"]
    with ours, theirs, subprocess.Popen(
            [*guest, *monitor], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        killer = threading.Timer(timeout, process.kill)
        killer.start()
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            if lines.line(line) and echo:
                print(line, flush=True)
            if line.startswith("@vm monitor "):
                ours.sendall(f"{line[12:]}\n".encode())
        killer.cancel()
    lines.end(f"the guest did not end within {timeout} s" if time.monotonic() > limit else "")


def megabytes(size):
    return int(size[:-1]) * {"M": 1, "G": 1024}[size[-1]]
