#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Turn what `make demo` prints into a picture of a terminal, an SVG file.

	make demo | tests/docs/render.py >docs/demo.svg
"""

import html
import re
import sys

SECTIONS = ("Bind one to VFIO", "A driver in C")    # of those that there are
PROGRAM = "$ make demo"
WIDTH, HEIGHT, MARGIN = 8.4, 18, 16                 # of a character, of a line, around all
SIZE = 14


def shown(text):
    """The lines that the picture has of the demonstration."""
    sections = re.split(r"^(?=== )", text, flags=re.MULTILINE)
    chosen = [s for s in sections if s.startswith(tuple(f"== {title}" for title in SECTIONS))]
    if len(chosen) != len(SECTIONS):
        raise ValueError("this is not what `make demo` prints")
    return [PROGRAM, "...", *"\n".join(s.rstrip("\n") + "\n" for s in chosen).rstrip("\n").split("\n")]


def picture(lines):
    columns = max(len(line) for line in lines)
    width, height = round(columns * WIDTH) + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    out = ['<?xml version="1.0" encoding="UTF-8"?>',
           "<!-- SPDX-License-Identifier: LGPL-2.1-or-later OR MIT -->",
           "<!-- make demo-picture draws this. -->",
           f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" role="img" aria-label="what make demo shows">',
           "<style>text { font: %dpx monospace; fill: #d8dee9; white-space: pre } "
           ".command { fill: #a3be8c } .title { fill: #88c0d0 }</style>" % SIZE,
           f'<rect width="{width}" height="{height}" rx="6" fill="#242933"/>']
    for number, line in enumerate(lines):
        kind = ' class="command"' if line.startswith("$ ") else ' class="title"' if line.startswith("== ") else ""
        if line:
            out.append(f'<text x="{MARGIN}" y="{MARGIN + SIZE + number * HEIGHT}" xml:space="preserve" '
                       f'textLength="{len(line) * WIDTH:.1f}"{kind}>{html.escape(line, quote=False)}</text>')
    return "\n".join([*out, "</svg>", ""])


def written(svg):
    """The lines of such a picture that are not empty."""
    return [html.unescape(line) for line in re.findall(r"<text [^>]*>(.*?)</text>", svg)]


if __name__ == "__main__":
    sys.stdout.write(picture(shown(sys.stdin.read())))
