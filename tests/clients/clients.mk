# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel's own tests of VFIO, built for the guest from Debian's newest source package; included by
# tests/tests.mk.

selftests := $(addprefix $(BUILD)/clients/,vfio_dma_mapping_test vfio_dma_mapping_mmio_test \
	vfio_pci_device_test vfio_pci_device_init_perf_test vfio_pci_sriov_uapi_test)
selftests-root := $(EVFIO_CACHE)/selftests
selftests-source := $(selftests-root)/tools/testing/selftests

.PHONY: clients
clients: $(selftests)

$(selftests): $(BUILD)/clients/%: tests/clients/selftests.h
	@tests/vm/fetch selftests
	@mkdir -p $(@D)
	$(CROSS)gcc -static -pthread -s -O2 -w -D_GNU_SOURCE -include $< \
		-I$(selftests-source)/vfio/lib/include -I$(selftests-source) -I$(selftests-root)/tools/include \
		-isystem $(selftests-root)/usr/include/aarch64-linux-gnu -isystem $(selftests-root)/usr/include \
		-o $@ $(selftests-source)/vfio/$(@F).c $(selftests-source)/vfio/lib/*.c \
		$(selftests-root)/usr/lib/aarch64-linux-gnu/libuuid.a
