#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# libevfio on PCI functions: tests/unit/board-libpci.c has the points.
# vm: board=pci timeout=120 alone=yes

exec board-libpci
