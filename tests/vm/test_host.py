# SPDX-License-Identifier: GPL-2.0-only
"""What needs no guest: the unit tests and the checks of the source."""

import subprocess

import pytest

import board
import tap


def job(*command):
    def do():
        done = subprocess.run(command, cwd=board.ROOT, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return tap.parse(done.stdout, done.returncode), "--- output\n" + done.stdout
    return do


@pytest.mark.parametrize("job", [
    pytest.param(job("make", "-s", "--no-print-directory", "unit"), id="unit"),
    pytest.param(job("tests/lint"), id="lint"),
    pytest.param(job("tests/build", "6.1"), id="build"),
])
def test_host(job, count):
    count(job)
