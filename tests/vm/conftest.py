# SPDX-License-Identifier: GPL-2.0-only
"""Runs the tests, some at a time, counts their TAP points, and closes with a table and one line of totals.

A pytest item is one run of something that prints TAP: a program in a guest, or a check on the host. Its
function returns nothing; it calls the "count" fixture with a job, which is a callable giving a
tap.Tally and some text to show when a point failed. Its attribute "suite" is its row in the table.
A job whose attribute "guest" says that it shares one is the answer number "place" of that callable instead.
"""

import concurrent.futures
import textwrap
import time
import traceback

import pytest

import board
import tap

GUESTS = 4  # at a time: two for each of a small machine's processors, since many wait

passed, failed, skipped = [], [], []
rows = {}   # (kernel, suite): passed, failed, skipped, seconds


def timed(job, places):
    """The answers of so many jobs in one: of each a tally, a text, and seconds."""
    started = time.monotonic()
    try:
        answers = job()
        if isinstance(answers, list):
            return answers
        tally, text = answers
    except board.BoardError as error:
        tally, text = tap.Tally(failed=[str(error)]), ""
    except Exception as error:      # a fault of ours must not look like nothing to count
        tally, text = tap.Tally(failed=[repr(error)]), traceback.format_exc()
    return [(tally, text, time.monotonic() - started)] * places


def pytest_collection_modifyitems(items):
    """What runs on the host first, as it is said first what is wrong with the source."""
    items.sort(key=lambda item: item.path.stem != "test_host")


@pytest.fixture(scope="session")
def pool(request):
    """Starts the jobs of all selected items, those that may take longest first."""
    executor = concurrent.futures.ThreadPoolExecutor(GUESTS)
    guests = {}
    for item in request.session.items:
        if hasattr(item, "callspec") and "job" in item.callspec.params:
            job = item.callspec.params["job"]
            guests.setdefault(getattr(job, "guest", job), []).append(job)
    yield {guest: executor.submit(timed, guest, len(jobs)) for guest, jobs in sorted(
        guests.items(), key=lambda of: -sum(getattr(job, "timeout", float("inf")) for job in of[1]))}
    executor.shutdown(cancel_futures=True)


@pytest.fixture
def count(request, pool):
    def wait(job):
        tally, text, seconds = pool[getattr(job, "guest", job)].result()[getattr(job, "place", 0)]
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
