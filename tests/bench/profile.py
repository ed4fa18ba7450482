#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Where the instructions of one operation go: those of evfio's, and of all that it calls.

	tests/bench/profile.py page 6.1		a page mapped and unmapped, by a call each
	tests/bench/profile.py ranges 6.12	one of 64 pages that are mapped and unmapped by two calls
	tests/bench/profile.py many 6.12	one of 256 pages side by side, mapped by a call and unmapped by one
	tests/bench/profile.py move 6.12	a window of a page moved lazily
	tests/bench/profile.py pread 6.12	a register read
	tests/bench/profile.py irq 6.12		an interrupt, from raising it to unmasking it
	tests/bench/profile.py open 6.12	a second GET_DEVICE_FD, and close

guest.c does that for ever, under the conditions of bench.py. For some hundred times QEMU, which executes
one instruction at a time meanwhile, notes where each is. By name where the kernel tells one; what the
program itself does is "user". Sums are means; an interrupt that falls into an operation counts for it.
"""

import argparse
import bisect
import collections
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
import bench    # noqa: E402

TRACE_LINE = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
SYMBOL_LINE = re.compile(r"([0-9a-f]{16}) \w (\S+)(?:\s+\[(\w+)\])?")
KERNEL = 1 << 63
SECONDS = 2     # of tracing
SHOWN = 60
# Of each operation: how many calls it takes, how many are done by those.
OPERATIONS = {"page": (2, 1), "ranges": (2, 64), "many": (2, 256), "move": (1, 1), "pread": (1, 1),
              "irq": (3, 1), "open": (2, 1)}


def symbols(lines):
    """The functions' addresses, ascending, and their names."""
    found = []
    for line in lines:
        if match := SYMBOL_LINE.match(line):
            address, name, module = match.groups()
            found.append((int(address, 16), f"{name} [{module}]" if module else name))
        elif line.startswith("again and again"):
            break
        elif "not ok" in line or line.startswith("Bail out"):
            raise bench.board.BoardError(line)
    found.sort()
    return [address for address, _ in found], [name for _, name in found]


def trace(kernel, what):
    """The function of each instruction, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        log, control = Path(folder) / "trace", Path(folder) / "monitor"
        with open(bench.OUT / "profile.txt", "w", encoding="utf-8") as said, subprocess.Popen(
                [*bench.prepare(kernel, "evfio", f"guest profile {what} {bench.FLOOR_DEVICE}"), "-D", log,
                 "-monitor", f"unix:{control},server,nowait"], text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as guest:
            addresses, names = symbols(guest.stdout)
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(str(control))
                for command, seconds in (("singlestep on", 1), ("log exec,nochain", SECONDS), ("log none", 1)):
                    monitor.send(f"{command}\n".encode())
                    time.sleep(seconds)
            guest.kill()
        with open(log, encoding="ascii", errors="replace") as lines:
            for line in lines:
                if match := TRACE_LINE.search(line):
                    address = int(match[1], 16)
                    yield names[bisect.bisect(addresses, address) - 1] if address >= KERNEL else "user"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=OPERATIONS)
    parser.add_argument("kernel")
    args = parser.parse_args()

    bench.OUT.mkdir(parents=True, exist_ok=True)
    bench.device_trees()
    # Whole operations only: from a call's beginning to another's.
    each, pieces = OPERATIONS[args.what]
    functions = list(trace(args.kernel, args.what))
    calls = [i for i in range(1, len(functions)) if functions[i - 1] == "user" != functions[i]][::each]
    if len(calls) < 2:
        raise bench.board.BoardError(f"Linux {args.kernel}: no trace, see {bench.OUT / 'profile.txt'}")
    whole = functions[calls[0]:calls[-1]]
    times = (len(calls) - 1) * pieces
    print(f"Linux {args.kernel}: {len(whole) / times:,.0f} instructions, {times} times")
    owners = collections.Counter(re.sub(r".*\[|\]", "", name) if "[" in name else
                                 "the program" if name == "user" else "the kernel" for name in whole)
    print("  " + ", ".join(f"{owner} {count / times:,.0f}" for owner, count in owners.most_common()))
    for name, count in collections.Counter(whole).most_common(SHOWN):
        print(f"  {count / times:9.1f}  {name}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except bench.board.BoardError as error:
        sys.exit(f"profile: {error}")
