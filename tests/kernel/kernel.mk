# SPDX-License-Identifier: GPL-2.0-only
#
# The sanitized kernel; included by tests/tests.mk.
#
#	make check-sanitize	the guest tests on it: fails on any report, leak or pin as well; T="NAME..." some of them
#	make coverage		the same, make fail-nth and a short make fuzz with modules that count; then what
#				of them ran: build/coverage/index.html; fails below what tests/kernel/judge asks
#	make sanitize-kernel	only build it: some minutes, once

SANITIZED := 6.12-sanitize

.PHONY: check-sanitize coverage sanitize-kernel
sanitize-kernel:
	@tests/vm/setup
	@tests/kernel/build $(SANITIZED)

check-sanitize:
	$(call guest-build,$(SANITIZED))
	@tests/vm/fetch clients
	@$(MAKE) -s --no-print-directory $(AT_ONCE) tests clients
	@KERNELS=$(SANITIZED) T="$(T)" PYTHONDONTWRITEBYTECODE=1 \
		/usr/bin/python3 -m pytest -p no:cacheprovider -v --no-header -rN tests/vm/test_guest.py

# A report also of a run that failed; but then make fails. With T="NAME..." the other tests' counts are
# those of the last run.
coverage:
	@$(if $(T),,rm -rf $(BUILD)/coverage)
	@status=0; export COVERAGE=1; $(MAKE) -s --no-print-directory check-sanitize || status=$$?; \
		$(if $(T),,$(MAKE) -s --no-print-directory fail-nth || status=$$?;) \
		$(if $(T),,$(MAKE) -s --no-print-directory fuzz MINUTES=1 || status=$$?;) \
		tests/kernel/coverage $(SANITIZED) && exit $$status
