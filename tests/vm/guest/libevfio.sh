#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# libevfio on real devices: tests/unit/board-libevfio.c has the points.
# vm: timeout=120 alone=yes

evfio bind 10000000.edu 10100000.edu >/dev/null || echo "Bail out! cannot bind the devices"
exec board-libevfio
