# SPDX-License-Identifier: GPL-2.0-only
#
# The Buildroot tree, with a checkout of Buildroot; included by tests/tests.mk.
#
#	make check-buildroot BUILDROOT=DIR	T="STAGE..." some of style, config, build, static, boot; "style config"
#						builds nothing

.PHONY: check-buildroot
check-buildroot:
	@tests/buildroot/run '$(BUILDROOT)' $(T)
