#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What evfio's operations cost, in instructions, and what those of the kernel's own modules do.

	tests/bench/bench.py 6.1 6.12			measure: a table, build/bench/*.csv and *.svg
	tests/bench/bench.py --check 6.1 6.12		and fail where it got worse than record.csv
	tests/bench/bench.py --record 6.1 6.12		and make that the record, also docs/costs.*
	tests/bench/bench.py --repeat 6.1 6.12		measure twice: how far do two runs differ?
	tests/bench/bench.py --wall 5 6.1 6.12		nanoseconds instead, in 5 pairs of boots
	tests/bench/bench.py --iommufd 6.12-plain	against iommufd, in the place of a container

guest.c runs under -icount, where the guest's clock counts instructions, so that neither the machine nor
what else it does matters. It runs in three guests, on the same kernel: one with evfio's modules, one with
the kernel's. As Debian's kernels have VFIO for PCI only, the device, an edu behind the SMMUv3, is a
platform device in the former and a PCI function in the latter. The third has floor.c, which pins and maps
and does nothing else: no VFIO can cost less.

Two more guests run DPDK's testpmd (tests/clients/dpdk.sh) on the PCI board, which is the same for both. One
kernel will do: forwarding never enters it.

Since two runs agree, --check takes the kernel's figures from the cache if all is as it was then: QEMU, kernel,
device tree, programs.

Debian's kernels have no iommufd; the one that tests/kernel/build makes has, and VFIO for platform devices. So
there is the same device in the three guests of --iommufd: with evfio, with the kernel's container (type1), and
with /dev/iommu, which takes the calls of one.

Instructions say nothing of caches and locks that are fought for, and an emulator's nanoseconds say little
of any processor's; --wall gives the latter, for a second look. Pairs of boots take turns in who is first;
a ratio is the median of the pairs' ratios, shown with the lowest and the highest.
"""

import argparse
import concurrent.futures
import csv
import hashlib
import json
import lzma
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "vm"))
import board    # noqa: E402

GUEST = board.BUILD / "bench" / "guest"
OUT = board.BUILD / "bench"
RECORD = HERE / "record.csv"
DOCS = board.ROOT / "docs"
FIELDS = ["kernel", "operation", "unit", "evfio", "in-kernel", "ratio", "floor"]
SIDES = ["evfio", "in-kernel", "floor"]

TOLERANCE = 0.02    # of --check
AGREEMENT = 0.005   # of --repeat

# evfio's side: the plain device, and one with a clock and a reset line.
COMMANDS = {
    "evfio": "guest platform 10000000.edu 10100000.edu",
    "in-kernel": "guest pci 0000:00:02.0",
    "floor": "guest floor",
}
FLOOR_DEVICE = "10000000.edu"

# On a kernel that has all three.
PLATFORM_COMMANDS = {
    "evfio": "guest platform 10000000.edu",
    "type1": "guest platform 10000000.edu",
    "iommufd": "mount -o bind /dev/iommu /dev/vfio/vfio && guest platform 10000000.edu",
}
# The kernel's wants to know how to reset the device, and that its interrupts are told from other devices'.
KERNEL_PARAMETERS = ("vfio-platform.reset_required=0", "vfio_iommu_type1.allow_unsafe_interrupts=1",
                     "iommufd.allow_unsafe_interrupts=1")

TIMEOUT = 1800      # seconds, for a guest

DPDK = HERE.parent / "clients" / "dpdk.sh"
DPDK_KERNEL = "6.12"

# Time is what is executed, and the same at each start, as random numbers are.
COUNTING = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm"]

STOCK = ["vfio_iommu_type1", "vfio_pci"]
# Which files' text a row counts: ours, the kernel's.
TEXT = [
    ("vfio.ko (and virqfd)", ["vfio"], ["vfio", "vfio_virqfd"]),
    ("vfio_iommu_type1.ko", ["vfio_iommu_type1"], ["vfio_iommu_type1"]),
    ("vfio-platform.ko | vfio-pci*.ko", ["vfio-platform"],
     ["vfio_pci", "vfio_pci_core"]),
]


def stock_chain(name):
    """The kernel's own modules, in loading order."""
    stock = board.stock_modules(name)
    files = []

    def add(path):
        if path in files:
            return
        for dependency in board.run_tool("/sbin/modinfo", "-F", "depends", path).strip().split(","):
            if dependency:
                add(stock[dependency.replace("-", "_")])
        files.append(path)

    for module in STOCK:
        add(stock[module])
    return files


def device_trees():
    """The board's, and QEMU's own with its PCIe host; their random numbers made the same for all."""
    shutil.copy(board.device_tree(board.CPU, 1), OUT / "evfio.dtb")
    board.run_tool("qemu-system-aarch64", "-M", f"{board.MACHINE},dumpdtb={OUT / 'in-kernel.dtb'}",
                   "-cpu", board.CPU, "-smp", "1", "-nodefaults", "-display", "none")
    shutil.copy(OUT / "evfio.dtb", OUT / "floor.dtb")
    for side in SIDES:
        for seed, words in (("rng-seed", "12345678"), ("kaslr-seed", "12")):
            board.run_tool("fdtput", "-t", "x", OUT / f"{side}.dtb", "/chosen", seed, *words)
        # fdtput leaves what was there in the file, behind what it writes: dtc does not.
        board.run_tool("dtc", "-q", "-I", "dtb", "-O", "dtb", "-o", OUT / f"{side}.dtb",
                       OUT / f"{side}.dtb")


def prepare(name, side, command=None, wall=False, modules=None, parameters=()):
    """The command line of a guest that runs guest.c on these modules, and its files."""
    command = command or ("WALL=1 " if wall else "") + COMMANDS[side]
    image = OUT / f"{name}-{side}.cpio"
    modules = modules or {"evfio": board.needed_modules, "in-kernel": stock_chain,
               "floor": lambda kernel: [OUT / "floor" / kernel / "floor.ko"]}[side](name)
    # The kernel itself finds the PCI functions, and sets them up.
    functions = () if side == "in-kernel" else board.FUNCTIONS
    with mock.patch.object(board, "FUNCTIONS", functions):
        image.write_bytes(board.initramfs(name, [(command, TIMEOUT)], [GUEST], modules,
                                          (f"floor.dev={FLOOR_DEVICE}", *parameters), ()))
    guest = ["qemu-system-aarch64", "-M", board.MACHINE, "-cpu", board.CPU, "-smp", "1",
             "-m", "2560M", "-nodefaults", "-display", "none", "-no-reboot",
             *([] if wall else COUNTING),
             "-kernel", str(board.kernel(name) / "vmlinuz"), "-initrd", str(image),
             "-dtb", str(OUT / f"{side}.dtb"), "-serial", "stdio",
             # Where things are is the same at each start as well.
             "-append", "console=ttyAMA0 quiet loglevel=1 oops=panic panic=-1 iomem=relaxed "
             "nokaslr norandmaps cma=0 transparent_hugepage=never hugepagesz=2M "
             "hugepages=512",
             "-object", "memory-backend-ram,id=reset,size=1M,share=on", *board.drive()]
    for slot, device, *_ in board.FUNCTIONS:
        guest += ["-device", f"{device},addr={slot:02x}.0"]
    return guest


def prepare_dpdk(name, side):
    """The same for DPDK's testpmd."""
    image = OUT / f"{name}-{side}-dpdk.cpio"
    files = board.in_loading_order(board.CLIENT_MODULES, board.stock_modules(name))
    files += board.needed_modules(name, "pci") if side == "evfio" else board.kernel_modules(name)
    image.write_bytes(board.initramfs(name, [(f"sh /bin/{DPDK.name} rate", TIMEOUT)], [DPDK], files, (),
                                      ("clients",), "pci"))
    guest = board.qemu(name, None, image, 1, "1G", "nokaslr norandmaps",
                       [*board.CLIENT_DEVICES, *COUNTING, "-serial", "stdio"], "pci")
    guest[guest.index("-accel") + 1] = "tcg,thread=single"
    return guest


def measure(name, guest):
    """One guest's rows: {operation: (unit, value)}, and its comments."""
    result = board.Result(name)
    board.watch([result], guest, TIMEOUT + 60, False)
    if not result.ok:
        raise board.BoardError(f"Linux {name}: no figures\n" + "\n".join(
            [*result.trouble, result.output, result.tail]))
    lines = result.output.splitlines()
    rows = {}
    for line in lines:
        if line.count("\t") == 2:
            operation, unit, value = line.split("\t")
            rows[operation] = (unit, float(value))
    return rows, [line[2:] for line in lines if line.startswith("# ")]


def inputs(guest):
    """A name for all that a guest's figures depend on: its words, and what is in the files they name."""
    digest = hashlib.sha256(board.run_tool(guest[0], "--version").encode())
    for part in re.split("[=,\0]", "\0".join(guest)):
        path = Path(part)
        digest.update(path.read_bytes() if path.is_file() else part.encode())
        if part == str(board.CLIENTS):
            digest.update(repr(sorted((str(file), file.lstat().st_size) for file in path.rglob("*"))).encode())
    return digest.hexdigest()


def remembered(name, guest, anew):
    """As measure(), but once only, or anew."""
    path = board.CACHE / "bench" / f"{inputs(guest)}.json"
    if anew or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(measure(name, guest)))
    return json.loads(path.read_text())


def text_size(path):
    """Code and constants of a module."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        data = path.read_bytes()
        file.write(lzma.decompress(data) if path.suffix == ".xz" else data)
        file.flush()
        return int(board.run_tool("aarch64-linux-gnu-size", file.name).splitlines()[1].split()[0])


def text_rows(name):
    own = board.BUILD / "modules" / board.release(name)
    stock = board.stock_modules(name)
    for title, ours, theirs in TEXT:
        yield (f"text of {title}", sum(text_size(own / f"{m}.ko") for m in ours),
               sum(text_size(stock[m]) for m in theirs if m in stock))


def measure_all(kernels, remember=False):
    """The table, a list of dictionaries with FIELDS, and the guests' comments; or the kernel's remembered."""
    table, comments = [], []
    device_trees()
    ways = {name: {prepare: SIDES, prepare_dpdk: SIDES[:2]} if name == DPDK_KERNEL else {prepare: SIDES}
            for name in kernels}
    guests = {(name, side, how): how(name, side)
              for name in kernels for how, sides in ways[name].items() for side in sides}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {(name, side, how): pool.submit(measure, name, guest) if side == "evfio" else
                pool.submit(remembered, name, guest, not remember)
                for (name, side, how), guest in guests.items()}
    for name in kernels:
        rows = []
        for how, sides in ways[name].items():
            figures = {}
            for side in sides:
                figures[side], said = jobs[name, side, how].result()
                comments += [f"{name}, {side}: {line}" for line in said]
            rows += [(operation, unit, *(figures.get(side, {}).get(operation, (unit, None))[1]
                                         for side in SIDES))
                     for operation, (unit, _) in figures["evfio"].items()]
        rows += [(title, "bytes", mine, other, None) for title, mine, other in text_rows(name)]
        for operation, unit, mine, other, least in rows:
            table.append({"kernel": name, "operation": operation, "unit": unit, "evfio": mine,
                          "in-kernel": other, "ratio": mine / other if other else None, "floor": least})
    return table, comments


def measure_wall(name, pairs):
    """Print the table of one kernel: median times and ratios, and how far the ratios spread."""
    sides = SIDES[:2]
    guests = {side: prepare(name, side, wall=True) for side in sides}
    runs = {side: [] for side in sides}
    for pair in range(pairs):
        for side in sides if pair % 2 else reversed(sides):
            runs[side].append(measure(name, guests[side])[0])
    print(f"Linux {name} ({board.release(name)}), nanoseconds, {pairs} pairs of boots")
    print(f"  {'':50}{'evfio':>14}{'in-kernel':>14}{'ratio':>8}  spread")
    for operation, (unit, _) in runs["evfio"][0].items():
        if unit != "instructions" or operation not in runs["in-kernel"][0]:
            continue
        ours, theirs = ([run[operation][1] for run in runs[side]] for side in sides)
        ratios = [mine / other for mine, other in zip(ours, theirs)]
        print(f"  {operation:50}{number(statistics.median(ours)):>14}"
              f"{number(statistics.median(theirs)):>14}{statistics.median(ratios):8.3f}"
              f"  {min(ratios):.3f} to {max(ratios):.3f}", flush=True)


def measure_iommufd(name):
    """Print what operations cost with evfio, and its ratio to the kernel's container and to iommufd."""
    figures = {}
    for side, command in PLATFORM_COMMANDS.items():
        own = side == "evfio"
        guest = prepare(name, "evfio", command, modules=None if own else board.kernel_modules(name, "platform"),
                        parameters=() if own else KERNEL_PARAMETERS)
        figures[side], _ = measure(name, guest)
    print(f"Linux {name} ({board.release(name)}), a platform device, instructions")
    print(f"  {'':50}{'evfio':>14}{'type1':>14}{'ratio':>8}{'iommufd':>14}{'ratio':>8}")
    for operation, (unit, ours) in figures["evfio"].items():
        line = f"  {operation:50}{number(ours):>14}"
        for side in "type1", "iommufd":
            theirs = figures[side].get(operation, (unit, None))[1]
            line += f"{number(theirs):>14}" + (f"{ours / theirs:8.3f}" if theirs else f"{'-':>8}")
        if unit == "instructions":
            print(line)


def number(value):
    return "-" if value is None else f"{value:,.0f}"


def show(table, comments):
    print("evfio: edu as a platform device. in-kernel: the same device, kernel and machine, edu as a\n"
          "PCI function, vfio-pci (Debian's kernels have VFIO for no other bus). DPDK: PCI with both.\n")
    print(f"{'':52}{'':14}{'evfio':>14}{'in-kernel':>14}{'ratio':>8}{'floor':>14}{'ratio':>8}")
    kernel = None
    for row in table:
        if row["kernel"] != kernel:
            kernel = row["kernel"]
            print(f"Linux {kernel} ({board.release(kernel)})")
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
        print(f"  {row['operation']:50}{row['unit']:14}{number(row['evfio']):>14}"
              f"{number(row['in-kernel']):>14}{ratio:>8}{number(row['floor']):>14}{over_floor(row):>8}")
    print()
    for line in comments:
        print(f"{line}")


def over_floor(row):
    return f"{row['evfio'] / row['floor']:.2f}" if row["floor"] else "-"


def write_csv(path, table):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({key: "" if value is None else
                             f"{value:.4g}" if key == "ratio" else
                             f"{value:.0f}" if key in SIDES else value
                             for key, value in row.items()})


def read_csv(path):
    """{(kernel, operation): row}"""
    with open(path, newline="") as file:
        return {(row["kernel"], row["operation"]):
                {key: float(value) if key in FIELDS[3:] and value else value or None
                 for key, value in row.items()}
                for row in csv.DictReader(file)}


def write_page(path, table):
    """docs/costs.md"""
    lines = ["<!-- SPDX-License-Identifier: GPL-2.0-only -->", "# Costs", "",
             "What operations cost, and what they cost with the kernel's own modules, as `make bench-record` found",
             "them. The device is QEMU's edu behind an SMMUv3, once a platform device and once a PCI function; DPDK's",
             "testpmd has two e1000e, PCI functions both times. The floor is what a module costs that pins pages and",
             "tells the IOMMU, and does nothing else. QEMU counts instructions, so that two runs agree;",
             "`tests/bench/bench.py` has the details, and `make bench-wall` measures time.", "",
             "![Ratios: less than 1 is less than the kernel's](costs.svg)"]
    kernel = None
    for row in table:
        if row["kernel"] != kernel:
            kernel = row["kernel"]
            lines += ["", f"## Linux {kernel} ({board.release(kernel)})", "",
                      "| operation | unit | evfio | in-kernel | ratio | floor | ratio |",
                      "|---|---|--:|--:|--:|--:|--:|"]
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.3f}"
        lines.append(f"| {row['operation'].replace('|', '/')} | {row['unit']} | {number(row['evfio'])} "
                     f"| {number(row['in-kernel'])} | {ratio} | {number(row['floor'])} "
                     f"| {over_floor(row)} |")
    path.write_text("\n".join(lines) + "\n")


def draw(table, kernels):
    """Ratios as bars, a colour a kernel; what has none is left out."""
    rows = {}
    for row in table:
        if row["ratio"] is not None:
            rows.setdefault(row["operation"], {})[row["kernel"]] = row["ratio"]
    data = OUT / "ratio.dat"
    data.write_text("".join(
        f'"{operation}"\t' + "\t".join(str(ratios.get(k, "?")) for k in kernels) + "\n"
        for operation, ratios in reversed(rows.items())))
    top = len(rows) - 0.4
    script = f"""
        set terminal svg size 900,{80 + 18 * len(rows) * len(kernels)} noenhanced font "sans,12"
        set output "{OUT / 'bench.svg'}"
        set title "Costs of evfio / costs of the kernel's own modules"
        set datafile missing "?"
        set key outside bottom center horizontal
        set xrange [0:*]
        set yrange [-0.6:{top}]
        set xtics 0.25
        set grid xtics
        set style fill solid 0.8
        set border 3
        set ytics nomirror
        set arrow from 1,-0.6 to 1,{top} nohead lw 2
        height = {0.8 / len(kernels)}
        plot """
    plots = [f'"{data}" using (0):0:ytic(1) with dots lc "white" notitle']
    for i, kernel in enumerate(kernels):
        # Horizontal bars are boxes given by their corners.
        place = f"$0+0.4-height*{i + 0.5}"
        plots.append(f'"{data}" using (${i + 2}/2):({place}):(0):(${i + 2}):'
                     f'({place}-height*0.45):({place}+height*0.45) '
                     f'with boxxyerror title "Linux {kernel}"')
    subprocess.run(["gnuplot"], input=script + ", ".join(plots) + "\n", text=True, check=True)


def growth(was, now):
    """
    How much more than it did evfio costs, by itself and in ratio to the kernel: of the two, what is nearer to
    nothing. A newer kernel may make both dearer; the kernel's own modules may have come by other pages.
    """
    grown = [now[key] / was[key] - 1 for key in ("evfio", "ratio") if was[key] and now[key]]
    return min(grown, key=abs)


def check(table):
    """Compare with the record; the number of rows that got worse."""
    record = read_csv(RECORD)
    bad = better = 0
    for row in table:
        key = row["kernel"], row["operation"]
        if key not in record:
            print(f"not in the record: {key[0]}: {key[1]}")
            bad += 1
            continue
        grown = growth(record[key], row)
        if grown > TOLERANCE:
            print(f"worse: {key[0]}: {key[1]}: {number(record[key]['evfio'])} -> {number(row['evfio'])}, "
                  f"{100 * grown:+.1f} %")
            bad += 1
        elif grown < -TOLERANCE:
            better += 1
    here = {(row["kernel"], row["operation"]) for row in table}
    kernels = {row["kernel"] for row in table}
    for key in record:
        if key[0] in kernels and key not in here:
            print(f"no longer measured: {key[0]}: {key[1]}")
            bad += 1
    print(f"{len(table)} figures, {bad} worse than the record by more than {100 * TOLERANCE:.0f} %, "
          f"{better} better" + (" (make bench-record keeps them)" if better else ""))
    return bad


def compare(first, second):
    """Two runs; the number of figures that do not agree."""
    bad, worst = 0, (0, "")
    for a, b in zip(first, second):
        for side in SIDES:
            if not a[side]:
                continue
            off = abs(b[side] / a[side] - 1)
            worst = max(worst, (off, f"{a['kernel']}: {a['operation']}, {side}"))
            if off > AGREEMENT:
                print(f"differs: {a['kernel']}: {a['operation']}, {side}: {a[side]:.0f}, {b[side]:.0f}")
                bad += 1
    print(f"two runs: at most {100 * worst[0]:.3f} % apart ({worst[1] or 'none'})")
    return bad


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--repeat", action="store_true")
    parser.add_argument("--iommufd", action="store_true")
    parser.add_argument("--wall", type=int, metavar="PAIRS")
    parser.add_argument("kernels", nargs="+", metavar="KERNEL")
    args = parser.parse_args()

    OUT.mkdir(parents=True, exist_ok=True)
    if args.iommufd:
        device_trees()
        for name in args.kernels:
            measure_iommufd(name)
        return 0
    if args.wall:
        device_trees()
        for name in args.kernels:
            measure_wall(name, args.wall)
        return 0
    table, comments = measure_all(args.kernels, args.check)
    show(table, comments)
    write_csv(OUT / "bench.csv", table)
    draw(table, args.kernels)
    print(f"\n{OUT / 'bench.csv'}, {OUT / 'bench.svg'}")
    bad = 0
    if args.record:
        write_csv(RECORD, table)
        write_page(DOCS / "costs.md", table)
        shutil.copy(OUT / "bench.svg", DOCS / "costs.svg")
    if args.repeat:
        bad += compare(table, measure_all(args.kernels)[0])
    if args.check:
        bad += check(table)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except board.BoardError as error:
        sys.exit(f"bench: {error}")
