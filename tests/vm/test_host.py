# SPDX-License-Identifier: GPL-2.0-only
"""The unit tests, the checks of the source, of device trees and of the documentation."""

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
    pytest.param(job("tests/dts/check.py"), id="dts"),
    pytest.param(job("tests/docs/check.py"), id="docs"),
])
def test_host(job, count):
    count(job)
