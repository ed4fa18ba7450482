# SPDX-License-Identifier: GPL-2.0-only
"""Every program of tests/abi, every script of tests/vm/guest and tests/clients, in a guest of its own on each kernel.

A line in a comment of the source says how its guest is to be; several give several runs:

	/* vm: smp=1 memory=1G timeout=120 cmdline="iommu.passthrough=1" args="..." */
	 * vm: params="vfio.removal_grace_ms=200" kernels="6.12" overlay="odd" load="no"
	 * vm: board=pci bind=no gic=2 igb=yes iommu=no oracle=yes

Without one it is run once, on the platform board as it is. The kernels are those in $KERNELS; $T picks
programs. $ORACLE set runs those for the PCI board on the kernel's own VFIO, and those that say oracle=yes
on kernels that have vfio-platform.
"""

import os
import re
import shlex

import pytest

import board
import tap

KERNELS = os.environ.get("KERNELS", "6.1 6.12 7.2 7.2-16k").split()
ONLY = os.environ.get("T", "").split()
ORACLE = bool(os.environ.get("ORACLE"))
OPTION_LINE = re.compile(r"^\s*(?:/\*|\*|#)\s*vm:\s*(.*?)\s*(?:\*/)?\s*$", re.MULTILINE)
OPTIONS = {"smp", "memory", "timeout", "cmdline", "params", "args", "kernels", "overlay", "load", "board",
           "bind", "stock", "kvm", "gic", "igb", "iommu", "oracle", "programs", "files"}


def sources():
    for source in sorted((board.ROOT / "tests" / "abi").glob("*.c")):
        if not source.name.startswith("lib"):
            yield source, board.TESTS / source.stem, source.stem
    for source in sorted((board.ROOT / "tests" / "vm" / "guest").glob("*.sh")):
        yield source, source, f"sh /bin/{source.name}"
    for source in sorted((board.ROOT / "tests" / "clients").glob("*.sh")):
        yield source, source, f"sh /bin/{source.name}"


def option_lines(source):
    """The source's vm: lines, each as a dictionary."""
    for line in OPTION_LINE.findall(source.read_text()) or [""]:
        options = dict(word.split("=", 1) for word in shlex.split(line))
        if unknown := options.keys() - OPTIONS:
            raise ValueError(f"{source}: unknown vm: option {', '.join(sorted(unknown))}")
        yield options


def job(kernel, source, program, command, options, name):
    """A job for conftest: boot, run, count."""
    suite = {"abi": "abi", "guest": "tools", "clients": "clients"}[source.parent.name]

    def do():
        result = board.run(
            kernel, f"{command} {options.get('args', '')}{' --kernel' * (ORACLE and suite == 'abi')}",
            [program, *board.BUILD.glob(options.get("programs", "none")),
             *board.ROOT.glob(options.get("files", "none"))],
            modules="kernel" if ORACLE else "evfio",
            parameters=options.get("params", "").split(), append=options.get("cmdline", ""),
            layout=options.get("board", "platform"),
            stock=options.get("stock", "").split(),
            smp=int(options.get("smp", 2)), memory=options.get("memory", "512M"),
            timeout=int(options.get("timeout", 60)), overlay=options.get("overlay", ""),
            mode=[word for word, wanted in {
                "unbound": options.get("bind") == "no", "unloaded": options.get("load") == "no",
                "clients": suite == "clients", "kvm": options.get("kvm") == "yes",
                f"gic{options.get('gic')}": "gic" in options, "igb": options.get("igb") == "yes",
                "noiommu": options.get("iommu") == "no"}.items() if wanted])
        if result.data:
            board.GCOV.mkdir(parents=True, exist_ok=True)
            (board.GCOV / f"{name}.tar.gz").write_bytes(result.data)
        if result.trouble:
            tally = tap.parse(result.output)
            tally.failed = [*(f for f in tally.failed if f != "no test was run"),
                            *(f"the guest: {line}" for line in result.trouble)]
        else:
            tally = tap.parse(result.output, result.status)
        return tally, f"--- output\n{result.output}\n--- kernel log\n{result.tail}"
    do.suite = kernel, suite
    return do


def runs():
    if unknown := set(ONLY) - {source.stem for source, *_ in sources()}:
        raise ValueError(f"no such program: {', '.join(sorted(unknown))}")
    for source, program, command in sources():
        if ONLY and source.stem not in ONLY:
            continue
        for number, options in enumerate(option_lines(source), 1):
            pci = options.get("board") == "pci"
            if ORACLE and not pci and options.get("oracle") != "yes":
                continue
            for kernel in KERNELS:
                if ORACLE and not pci and "vfio_platform" not in board.stock_modules(kernel):
                    continue
                if kernel not in options.get("kernels", kernel).split():
                    continue
                # The sanitized kernel has few host drivers.
                wanted = set(options.get("stock", "").replace("-", "_").split())
                if wanted and wanted - board.stock_modules(kernel).keys():
                    continue
                name = f"{kernel}-{source.stem}" + (f"-{number}" if number > 1 else "")
                yield pytest.param(job(kernel, source, program, command, options, name), id=name)


@pytest.mark.parametrize("job", runs())
def test_guest(job, count):
    count(job)
