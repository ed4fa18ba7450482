#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boot an image that Buildroot made, log in on its console, and try what it is for. Prints TAP.

	tests/buildroot/boot.py DIRECTORY-OF-IMAGES
"""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
import board  # noqa: E402

BOOT, COMMAND = 120, 60     # seconds


class Console:
    """The guest's serial line."""

    def __init__(self, script):
        self.guest = subprocess.Popen([script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
        self.text = ""      # all that came
        self.read = 0       # and how much of it was looked at

    def until(self, pattern, seconds):
        """What comes up to the pattern, and the match; or the rest and None."""
        limit = time.monotonic() + seconds
        while True:
            found = re.compile(pattern, re.M).search(self.text, self.read)
            if found:
                before = self.text[self.read:found.start()]
                self.read = found.end()
                return before, found
            left = limit - time.monotonic()
            if left <= 0 or not select.select([self.guest.stdout], [], [], left)[0]:
                return self.text[self.read:], None
            data = os.read(self.guest.stdout.fileno(), 65536)
            if not data:
                return self.text[self.read:], None
            self.text += data.decode(errors="replace").replace("\r", "")

    def say(self, line):
        self.guest.stdin.write(line.encode() + b"\n")
        self.guest.stdin.flush()

    def run(self, command):
        """The output of a shell command and its status, None if it does not come."""
        self.say(f"{command}; echo \"@status $?\"")
        output, status = self.until(r"^@status (\d+)$", COMMAND)
        return output, int(status[1]) if status else None


class Points:
    def __init__(self):
        self.count = self.failed = 0

    def point(self, good, text, output=""):
        self.count += 1
        self.failed += not good
        print(f"{'' if good else 'not '}ok {self.count} - {text}", flush=True)
        if not good:
            print(*(f"# {line}" for line in output.splitlines()[-60:]), sep="\n", flush=True)
        return good


def look(console, point):
    output, prompt = console.until(r"login: ", BOOT)
    if not point(prompt, "the image boots", output):
        return
    console.say("root")
    console.until(r"^# ", COMMAND)
    console.say("stty -echo; PS1=; dmesg -n 1")
    console.run("true")

    output, status = console.run("ls /sys/module/vfio/parameters/removal_grace_ms "
                                 "/sys/module/vfio_iommu_type1 /sys/module/vfio_platform /sys/module/vfio_pci")
    point(status == 0, "the start script has loaded evfio's modules", output)

    output, status = console.run("evfio-demo")
    point(status == 0, "evfio-demo succeeds", output)
    for words in ("compare    all 4080 bytes are equal", "which is not mapped: memory untouched",
                  "Pages still pinned for DMA: 0"):
        point(words in output, f"it says: {' '.join(words.split())}", output)
    output, status = console.run("/usr/libexec/evfio/edu 10000000.edu")
    point(status == 1, "the example does not drive a device that is not bound", output)

    output, status = console.run("evfio bind 10000000.edu && sleep 2 && ls --color=never -l /dev/vfio/")
    point(re.search(r"^crw-rw---- .*root +vfio .* \d+$", output, re.M), "mdev gives the node of a group to vfio", output)
    output, status = console.run("evfio unbind 10000000.edu")
    point(status == 0, "the device is given back", output)

    output, status = console.run("/etc/init.d/S30evfio stop && ! lsmod | grep ^vfio")
    point(status == 0, "the start script unloads them", output)
    output, status = console.run("mkdir -p /etc/default; echo NOIOMMU=yes >/etc/default/evfio; /etc/init.d/S30evfio start && "
                                 "grep Y /sys/module/vfio/parameters/enable_unsafe_noiommu_mode")
    point(status == 0, "/etc/default/evfio switches no-IOMMU mode on", output)

    output, status = console.run("dmesg")
    trouble = [line for line in output.splitlines() if board.TROUBLE.search(line)]
    point(status == 0 and re.search(r"^\[ *\d", output, re.M) and not trouble, "the kernel's log is clean",
          "\n".join(trouble) or output)
    console.say("poweroff")
    output, end = console.until(r"\Z(?!)", COMMAND)
    point(console.guest.poll() == 0 or console.guest.wait(5) == 0, "the image shuts down", output)


def main():
    points = Points()
    console = Console(str(Path(sys.argv[1]).resolve() / "start-qemu.sh"))
    try:
        look(console, points.point)
    finally:
        console.guest.kill()
        Path(sys.argv[1], "console.log").write_text(console.text)
    print(f"1..{points.count}")
    return points.failed > 0


if __name__ == "__main__":
    sys.exit(main())
