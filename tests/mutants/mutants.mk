# SPDX-License-Identifier: GPL-2.0-only
#
# A test of the tests; included by tests/tests.mk.
#
#	make mutants	seeded bugs, each to be found by the tests that are meant to; T="WORD..." some of them

.PHONY: mutants
mutants:
	@tests/vm/setup
	@tests/mutants/run $(T)
