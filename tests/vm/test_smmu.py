# SPDX-License-Identifier: GPL-2.0-only
"""What the SMMU reads in its page tables, told by QEMU, while tests/abi/coherence.c has two devices do DMA.

Memory is write-back cacheable for the device that is coherent, and not cacheable for the one that is not.
"""

import os
import re
import tempfile

import pytest

import board
import tap

KERNELS = [kernel for kernel in os.environ.get("KERNELS", "6.1 6.12 7.2 7.2-16k").split()
           if board.arch(kernel) is board.ARM64]
WALK = re.compile(r"smmu_ptw_page_pte .*\biova=(0x[0-9a-f]+) .*\bpte=(0x[0-9a-f]+)")
# Of a leaf (Arm ARM, D8.3): the index of its memory type, which is Linux's choice, and who shares it.
TYPES = {0: "not cacheable", 1: "write-back", 2: "device"}
SHAREABLE = {0: "nobody", 2: "outer", 3: "inner"}
IOVA = 0x1000000
CACHED, UNCACHED = ("write-back", "inner"), ("not cacheable", "outer")


def attributes(pte):
    return TYPES.get(pte >> 2 & 7), SHAREABLE.get(pte >> 8 & 3)


class Job:
    def __init__(self, kernel):
        self.kernel, self.suite = kernel, (kernel, "smmu")

    def __call__(self):
        with tempfile.NamedTemporaryFile("r", suffix=".trace") as log:
            result = board.run(self.kernel, "coherence", [board.ARM64.tests / "coherence"],
                               extra=["-trace", "smmu_ptw_page_pte", "-D", log.name])
            trace = log.read()
        tally = tap.parse(result.output, result.status)
        tally.failed += result.trouble
        page = 16384 if self.kernel.endswith("-16k") else 4096
        seen = [(int(iova, 16), attributes(int(pte, 16))) for iova, pte in WALK.findall(trace)]
        wanted = [(IOVA, CACHED), (IOVA + page, CACHED), (IOVA, UNCACHED), (IOVA + page, UNCACHED)]
        (tally.passed if seen == wanted else tally.failed).append(f"the SMMU reads {seen}")
        return tally, f"--- output\n{result.output}\n--- trace\n{trace}\n--- kernel log\n{result.tail}"


@pytest.mark.parametrize("job", [pytest.param(Job(kernel), id=kernel) for kernel in KERNELS])
def test_smmu(job, count):
    count(job)
