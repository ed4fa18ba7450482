# SPDX-License-Identifier: GPL-2.0-only
"""Runs the tests, some at a time, counts their TAP points, and closes with a table and one line of totals.

A pytest item is one run of something that prints TAP: a program in a guest, or a check on the host. Its
function returns nothing; it calls the "count" fixture with a job, which is a callable giving a
tap.Tally and some text to show when a point failed. Its attribute "suite" is its row in the table.
"""

import concurrent.futures
import textwrap
import time
import traceback

import pytest

import board
import tap

GUESTS = 3  # at a time: one each for a small machine's processors, and one for those that wait

passed, failed, skipped = [], [], []
rows = {}   # (kernel, suite): passed, failed, skipped, seconds


def timed(job):
    started = time.monotonic()
    try:
        tally, text = job()
    except board.BoardError as error:
        tally, text = tap.Tally(failed=[str(error)]), ""
    except Exception as error:      # a fault of ours must not look like nothing to count
        tally, text = tap.Tally(failed=[repr(error)]), traceback.format_exc()
    return tally, text, time.monotonic() - started


def pytest_collection_modifyitems(items):
    """The long ones, on the host, first: the guests then fill the other place."""
    items.sort(key=lambda item: item.path.stem != "test_host")


@pytest.fixture(scope="session")
def pool(request):
    """Starts the jobs of all selected items, in their order, as soon as the first one is asked for."""
    executor = concurrent.futures.ThreadPoolExecutor(GUESTS)
    jobs = {}
    for item in request.session.items:
        if hasattr(item, "callspec") and "job" in item.callspec.params:
            jobs[item.callspec.params["job"]] = executor.submit(
                timed, item.callspec.params["job"])
    yield jobs
    executor.shutdown(cancel_futures=True)


@pytest.fixture
def count(request, pool):
    def wait(job):
        tally, text, seconds = pool[job].result()
        passed.extend(tally.passed)
        failed.extend(tally.failed)
        skipped.extend(tally.skipped)
        row = rows.setdefault(getattr(job, "suite", ("host", "")), [0, 0, 0, 0])
        for column, value in enumerate((len(tally.passed), len(tally.failed),
                                        len(tally.skipped), seconds)):
            row[column] += value
        request.node.user_properties.append(("word", f"{tally} ({seconds:.1f} s)"))
        if tally.failed:
            points = "\n".join(f"not ok - {point}" for point in tally.failed)
            pytest.fail(points + "\n" + textwrap.indent(text, "  "), pytrace=False)
    return wait


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    # The totals count TAP points; pytest's own line would count runs.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        reporter.summary_stats = lambda: None


def pytest_report_teststatus(report):
    """The words after an item's name: its counts and its time."""
    if report.when == "call":
        word = dict(report.user_properties).get("word")
        if word:
            return report.outcome, "." if report.passed else "F", word
    return None


def pytest_unconfigure(config):
    if rows:
        print(f"\n{'kernel':14} {'suite':6} {'passed':>7} {'failed':>7} {'skipped':>7} {'time':>8}")
        for (kernel, suite), (good, bad, none, seconds) in rows.items():
            print(f"{kernel:14} {suite:6} {good:7} {bad:7} {none:7} {seconds:6.0f} s")
    if passed or failed or skipped:
        extra = f", {len(skipped)} skipped" if skipped else ""
        print(f"{len(passed)} passed, {len(failed)} failed{extra}", flush=True)
