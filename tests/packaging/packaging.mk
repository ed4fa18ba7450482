# SPDX-License-Identifier: GPL-2.0-only
#
# The packages; included by tests/tests.mk.
#
#	make check-packages	build them, and what lintian says;  T="STAGE..." some of agree, build, lint

.PHONY: check-packages
check-packages:
	@tests/vm/setup
	@tests/vm/fetch 6.1
	@tests/packaging/check $(T)
