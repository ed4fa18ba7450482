# SPDX-License-Identifier: GPL-2.0-only
#
# The packages; included by tests/tests.mk.
#
#	make check-packages	build them, lintian, install, use, upgrade and remove them on a Debian on the board;
#				T="STAGE..." some of agree, build, lint, board

.PHONY: check-packages
check-packages:
	@tests/vm/setup
	@tests/vm/fetch guest 6.1
	@tests/packaging/check $(T)
