# SPDX-License-Identifier: GPL-2.0-only
"""Read TAP, the Test Anything Protocol: as much of it as evfio's tests speak."""

import re
from dataclasses import dataclass, field

LINE = re.compile(r"(?P<not>not )?ok\b(?: +\d+)?(?: +- +| +)?(?P<text>.*)$")
PLAN = re.compile(r"1\.\.(?P<count>\d+)(?: *# *SKIP\b(?P<why>.*))?$", re.IGNORECASE)
SKIP = re.compile(r"#\s*SKIP\b", re.IGNORECASE)


@dataclass
class Tally:
    """The points of one producer. What goes wrong with the producer itself is a failed point too."""
    passed: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)

    def __str__(self):
        counts = [(len(self.passed), "ok"), (len(self.failed), "failed"),
                  (len(self.skipped), "skipped")]
        return ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing"


def parse(text, status=0):
    """Count the points of a program's output; status is its exit status."""
    tally = Tally()
    planned = 0     # in all: the output may be that of several programs, each with its plan
    for line in text.splitlines():
        if match := PLAN.match(line):
            planned += int(match["count"])
            if match["why"] is not None:
                tally.skipped.append(match["why"].strip() or "all")
        elif line.startswith("Bail out!"):
            tally.failed.append(line)
        elif match := LINE.match(line):
            where = (tally.skipped if SKIP.search(match["text"]) else
                     tally.failed if match["not"] else tally.passed)
            where.append(match["text"])
    count = len(tally.passed) + len(tally.failed) + len(tally.skipped)
    if planned and planned != count:
        tally.failed.append(f"{planned} points were planned, {count} came")
    elif not count:
        tally.failed.append("no test was run")
    if status and not tally.failed:
        tally.failed.append(f"no point failed, and yet the exit status is {status}")
    return tally
