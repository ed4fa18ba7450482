# SPDX-License-Identifier: GPL-2.0-only
"""Every program of tests/abi, every script of tests/vm/guest and tests/clients, in a guest, on each kernel.

A line in a comment of the source says how its guest is to be; several give several runs:

	/* vm: smp=1 memory=1G timeout=120 cmdline="iommu.passthrough=1" args="..." */
	 * vm: params="vfio.removal_grace_ms=200" kernels="6.12" overlay="odd" load="no"
	 * vm: board=pci bind=no gic=2 igb=yes iommu=no modules=kernel oracle=yes alone=yes

Without one it is run once, on the platform board as it is. Those that want the same guest share it, in their
order: each has to leave the board as it found it. One that cannot, or needs it fresh, says alone=yes. The kernels are those in $KERNELS; $T picks programs. $ORACLE set runs those for the PCI
board on the kernel's own VFIO, and those that say oracle=yes on kernels that have vfio-platform.
"""

import os
import re
import shlex

import pytest

import board
import tap

KERNELS = os.environ.get("KERNELS", "6.1 6.12 7.2 7.2-16k 6.1-armhf").split()
ONLY = os.environ.get("T", "").split()
ORACLE = bool(os.environ.get("ORACLE"))
OPTION_LINE = re.compile(r"^\s*(?:/\*|\*|#)\s*vm:\s*(.*?)\s*(?:\*/)?\s*$", re.MULTILINE)
OPTIONS = {"smp", "memory", "timeout", "cmdline", "params", "args", "kernels", "overlay", "load", "board",
           "bind", "stock", "kvm", "gic", "igb", "iommu", "modules", "oracle", "programs", "files", "alone"}
# What does not make it another guest.
OWN = {"timeout", "args", "kernels", "oracle", "programs", "files", "alone"}


def sources():
    """Each with its program, a file or the name of what is built of it, and the command that runs it."""
    for source in sorted((board.ROOT / "tests" / "abi").glob("*.c")):
        if not source.name.startswith("lib"):
            yield source, source.stem, source.stem
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


class Guest:
    """A guest and the runs that share it. Called, it boots and runs them: a tally, a text, seconds for each."""

    def __init__(self, kernel, suite, options):
        self.kernel, self.suite, self.options = kernel, suite, options
        self.jobs = []

    def __call__(self):
        options = self.options
        results = board.run_all(
            self.kernel, [(job.command, job.timeout) for job in self.jobs],
            dict.fromkeys(file for job in self.jobs for file in job.files),
            modules="kernel" if ORACLE else options.get("modules", "evfio"),
            parameters=options.get("params", "").split(), append=options.get("cmdline", ""),
            layout=options.get("board", "platform"),
            stock=options.get("stock", "").split(),
            smp=int(options.get("smp", 2)), memory=options.get("memory", "512M"),
            overlay=options.get("overlay", ""),
            mode=[word for word, wanted in {
                "unbound": options.get("bind") == "no", "unloaded": options.get("load") == "no",
                "clients": self.suite == "clients", "kvm": options.get("kvm") == "yes",
                f"gic{options.get('gic')}": "gic" in options, "igb": options.get("igb") == "yes",
                "noiommu": options.get("iommu") == "no"}.items() if wanted])
        return [job.judge(result) for job, result in zip(self.jobs, results)]


class Job:
    """A run, for conftest: what it counts is in the answer of its guest, at its place."""

    def __init__(self, guest, name, program, command, options):
        self.guest, self.name, self.place = guest, name, len(guest.jobs)
        self.suite = guest.kernel, guest.suite
        self.command = f"{command} {options.get('args', '')}{' --kernel' * (ORACLE and guest.suite == 'abi')}"
        self.timeout = int(options.get("timeout", 60))
        self.files = [program, *board.BUILD.glob(options.get("programs", "none")),
                      *board.ROOT.glob(options.get("files", "none"))]
        guest.jobs.append(self)

    def judge(self, result):
        if result.data:
            board.GCOV.mkdir(parents=True, exist_ok=True)
            (board.GCOV / f"{self.name}.tar.gz").write_bytes(result.data)
        if result.trouble:
            tally = tap.parse(result.output)
            tally.failed = [*(f for f in tally.failed if f != "no test was run"),
                            *(f"the guest: {line}" for line in result.trouble)]
        else:
            tally = tap.parse(result.output, result.status)
        company = f"--- guest\n{', '.join(job.name for job in self.guest.jobs)}\n" * (len(self.guest.jobs) > 1)
        return (tally, f"{company}--- output\n{result.output}\n--- kernel log\n{result.tail}",
                result.seconds)


def runs():
    if unknown := set(ONLY) - {source.stem for source, *_ in sources()}:
        raise ValueError(f"no such program: {', '.join(sorted(unknown))}")
    stems = [source.stem for source, *_ in sources()]
    if twice := {stem for stem in stems if stems.count(stem) > 1}:
        raise ValueError(f"two programs of one name: {', '.join(sorted(twice))}")
    guests = {}     # by what they are
    for source, program, command in sources():
        suite = {"abi": "abi", "guest": "tools", "clients": "clients"}[source.parent.name]
        if ONLY and source.stem not in ONLY:
            continue
        for number, options in enumerate(option_lines(source), 1):
            pci = options.get("board") == "pci"
            if ORACLE and not pci and options.get("oracle") != "yes":
                continue
            for kernel in KERNELS:
                # Debian's have neither vfio-platform nor no-IOMMU mode.
                if ORACLE and (not pci or options.get("iommu") == "no") and \
                        "vfio_platform" not in board.stock_modules(kernel):
                    continue
                if kernel not in options.get("kernels", kernel).split():
                    continue
                # 32-bit Arm's board has no SMMU.
                if board.arch(kernel) is board.ARMHF and options.get("iommu") != "no":
                    continue
                # The sanitized kernel has few host drivers.
                wanted = set(options.get("stock", "").replace("-", "_").split())
                if wanted and wanted - board.stock_modules(kernel).keys():
                    continue
                name = f"{kernel}-{source.stem}" + (f"-{number}" if number > 1 else "")
                kind = (kernel, suite, *sorted((option, value) for option, value in options.items()
                                               if option not in OWN), *[name] * ("alone" in options))
                guest = guests.setdefault(kind, Guest(kernel, suite, options))
                yield pytest.param(Job(guest, name, board.arch(kernel).tests / program, command, options),
                                   id=name)


@pytest.mark.parametrize("job", runs())
def test_guest(job, count):
    count(job)
