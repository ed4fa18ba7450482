# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

include $(sort $(wildcard $(BR2_EXTERNAL_EVFIO_PATH)/package/*/*.mk))
