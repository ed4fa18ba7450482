# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# libevfio, the evfio command, the examples, their unit tests and manual pages. Included by the top
# Makefile, which sets CROSS_COMPILE, CC, AR, BUILD, PREFIX, DESTDIR and V.
#
#	make user [CROSS_COMPILE=aarch64-linux-gnu-] [STATIC=1] [SHARED=0] [JSON_CFLAGS=... JSON_LIBS=...]
#	make unit
#	make install-user uninstall-user [DESTDIR=...] [PREFIX=/usr/local] [LIBDIR=...] [DOCDIR=...]

BUILD ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DOCDIR ?= $(PREFIX)/share/doc/evfio
EVFIO_VERSION ?= 0.1.0
USER_SOVERSION := 0
PKG_CONFIG ?= pkg-config

# One directory for each machine, so that a native and a cross build do not meet.
UOUT := $(BUILD)/user/$(shell $(CC) -dumpmachine 2>/dev/null)

# The evfio command alone needs json-c. Asked for where it is used: the modules build without.
JSON_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags json-c 2>/dev/null || echo -I/usr/include/json-c)
JSON_LIBS ?= $(shell $(PKG_CONFIG) --libs json-c 2>/dev/null || echo -ljson-c)

USER_CFLAGS ?= -O2 -g
USER_WARN ?= -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
# A region's index is in bits that a 32-bit offset has not.
USER_CPPFLAGS := -Iinclude -Iinclude/uapi -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DEVFIO_VERSION='"$(EVFIO_VERSION)"'
USER_CC = $(CC) -std=gnu11 -pthread $(USER_CPPFLAGS) $(CPPFLAGS) $(USER_WARN) $(USER_CFLAGS) \
	$(CFLAGS)

ifeq ($(STATIC),1)
USER_LDFLAGS = -static $(LDFLAGS)
else
USER_LDFLAGS = $(LDFLAGS)
endif

USER_LIB_SRCS := $(sort $(wildcard lib/*.c))
USER_LIB_OBJS := $(USER_LIB_SRCS:%.c=$(UOUT)/obj/%.o)
# examples/x.c is the program x, examples/sriov/x.c is sriov-x; libnvme.c is of those that drive disks.
USER_SRIOV := $(patsubst examples/sriov/%.c,$(UOUT)/bin/sriov-%,$(sort $(wildcard examples/sriov/*.c)))
USER_SINGLE := $(addprefix $(UOUT)/bin/,contig driver edu nvme pin pl031 pl061 virtio-blk)
USER_EXAMPLES := $(USER_SINGLE) $(USER_SRIOV)
USER_EXAMPLE_OBJS := $(patsubst %.c,$(UOUT)/obj/%.o,$(wildcard examples/*.c examples/*/*.c))
USER_TOOL_OBJS := $(patsubst %.c,$(UOUT)/obj/%.o,$(sort $(wildcard tools/*.c)))
USER_UNITS := $(patsubst tests/unit/%.c,$(UOUT)/unit/%,$(sort $(wildcard tests/unit/test-*.c)))
USER_BOARD := $(patsubst tests/unit/%.c,$(UOUT)/bin/%,$(sort $(wildcard tests/unit/board-*.c)))
USER_UNIT_LIBS := $(patsubst %.c,$(UOUT)/obj/%.o,$(sort $(wildcard tests/unit/lib*.c)))

USER_HEADERS := $(sort $(wildcard include/evfio/*.h))
# The manual's section 3, of which libevfio.3 is made last.
USER_MAN3 := $(BUILD)/man3

USER_A := $(UOUT)/lib/libevfio.a
USER_SO := $(UOUT)/lib/libevfio.so.$(EVFIO_VERSION)

ifeq ($(V),1)
USER_SAY = @:
USER_Q :=
else
USER_SAY = @printf '  %-7s %s\n'
USER_Q := @
endif

.PHONY: user unit install-user uninstall-user
# Objects of programs are kept as well, for the next build.
.SECONDARY:

# SHARED=0 where the C library has no shared ones.
USER_LINKS := $(if $(filter 0,$(SHARED)),,$(UOUT)/lib/libevfio.so)

user: $(USER_A) $(USER_LINKS) $(UOUT)/bin/evfio $(USER_EXAMPLES) $(USER_MAN3)/libevfio.3
# What is linked statically is for the board, and so are the library's tests there.
ifeq ($(STATIC),1)
user: $(USER_BOARD)
endif

# Objects are position-independent, so that the archive and the shared library share them. The rules
# depend on this file: its flags are part of what they make.
$(UOUT)/obj/%.o: %.c lib/user.mk
	@mkdir -p $(@D)
	$(USER_SAY) CC $@
	$(USER_Q)$(USER_CC) -fPIC -MMD -MP $(OBJ_CFLAGS) -c -o $@ $<

$(USER_TOOL_OBJS): OBJ_CFLAGS = $(JSON_CFLAGS)
$(UOUT)/obj/tests/unit/%.o: OBJ_CFLAGS = -Ilib
$(UOUT)/obj/examples/sriov/%.o: OBJ_CFLAGS = -Iexamples

$(USER_A): $(USER_LIB_OBJS)
	@mkdir -p $(@D)
	$(USER_SAY) AR $@
	$(USER_Q)rm -f $@ && $(AR) rcs $@ $^

$(USER_SO): $(USER_LIB_OBJS) lib/libevfio.map
	@mkdir -p $(@D)
	$(USER_SAY) LD $@
	$(USER_Q)$(CC) -shared -pthread $(CFLAGS) $(LDFLAGS) \
		-Wl,-soname,libevfio.so.$(USER_SOVERSION) -Wl,-z,defs \
		-Wl,--version-script=lib/libevfio.map -o $@ $(USER_LIB_OBJS)

$(UOUT)/lib/libevfio.so: $(USER_SO)
	$(USER_Q)ln -sf $(<F) $(@D)/libevfio.so.$(USER_SOVERSION)
	$(USER_Q)ln -sf libevfio.so.$(USER_SOVERSION) $@

# The programs take the archive: they run from the build directory and in an initramfs as they are.
$(UOUT)/bin/evfio: $(USER_TOOL_OBJS) $(USER_A)
	@mkdir -p $(@D)
	$(USER_SAY) LD $@
	$(USER_Q)$(CC) -pthread $(CFLAGS) $(USER_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(JSON_LIBS)

$(USER_SINGLE): $(UOUT)/bin/%: $(UOUT)/obj/examples/%.o
$(USER_SRIOV): $(UOUT)/bin/sriov-%: $(UOUT)/obj/examples/sriov/%.o
$(UOUT)/bin/nvme $(USER_SRIOV): $(UOUT)/obj/examples/libnvme.o
$(USER_EXAMPLES): $(USER_A)
	@mkdir -p $(@D)
	$(USER_SAY) LD $@
	$(USER_Q)$(CC) -pthread $(CFLAGS) $(USER_LDFLAGS) -o $@ $(filter %.o,$^) $(USER_A)

$(USER_BOARD): $(UOUT)/bin/%: $(UOUT)/obj/tests/unit/%.o $(UOUT)/obj/tests/unit/libtap.o $(USER_A)
	@mkdir -p $(@D)
	$(USER_SAY) LD $@
	$(USER_Q)$(CC) -pthread $(CFLAGS) $(USER_LDFLAGS) -o $@ $^

$(USER_MAN3)/libevfio.3: docs/man/pages.awk docs/man/libevfio.3 $(USER_HEADERS) examples/driver.c \
		tests/unit/test-manual.c
	@rm -rf $(@D) && mkdir -p $(@D)
	$(USER_SAY) MAN $(@D)
	$(USER_Q)awk -v out=$(@D) -f $^

# A program linked with or without -static is another program: note which it was, and link anew when
# that changes.
$(UOUT)/static: FORCE
	@mkdir -p $(@D)
	@echo '$(STATIC)' | cmp -s - $@ || echo '$(STATIC)' >$@
$(UOUT)/bin/evfio $(USER_EXAMPLES): $(UOUT)/static
.PHONY: FORCE

-include $(USER_LIB_OBJS:.o=.d) $(USER_TOOL_OBJS:.o=.d)
-include $(USER_EXAMPLE_OBJS:.o=.d)
-include $(USER_UNITS:$(UOUT)/unit/%=$(UOUT)/obj/tests/unit/%.d) $(USER_UNIT_LIBS:.o=.d)
-include $(USER_BOARD:$(UOUT)/bin/%=$(UOUT)/obj/tests/unit/%.d)

# Unit tests: C programs that print TAP, run by tests/unit/run under valgrind, and the checks of
# headers, symbols and the command that need more than C.
$(USER_UNITS): $(UOUT)/unit/%: $(UOUT)/obj/tests/unit/%.o $(USER_UNIT_LIBS) $(USER_A)
	@mkdir -p $(@D)
	$(USER_SAY) LD $@
	$(USER_Q)$(CC) -pthread $(CFLAGS) $(LDFLAGS) -Wl,--wrap=open,--wrap=open64,--wrap=close,--wrap=ioctl \
		-Wl,--wrap=malloc -o $@ $^

unit: user $(USER_UNITS)
	$(USER_Q)CC='$(CC)' UOUT='$(UOUT)' tests/unit/run $(USER_UNITS)

USER_MAN1 := $(sort $(wildcard docs/man/*.1))
USER_UAPI := $(sort $(wildcard include/uapi/linux/*.h))

# The examples are installed as they are, with a makefile of their own: to be read, and to begin with.
USER_EXAMPLE_SRCS := examples/Makefile $(sort $(wildcard examples/*.[ch] examples/*/*.[ch]))
USER_INCLUDE = $(DESTDIR)$(PREFIX)/include
USER_MAN = $(DESTDIR)$(PREFIX)/share/man
USER_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
USER_RULES = $(DESTDIR)$(PREFIX)/lib/udev/rules.d

# The loader finds a library below /usr/local when ldconfig has; not all C libraries have one.
install-user: user
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(USER_INCLUDE)/evfio' \
		'$(USER_INCLUDE)/linux' '$(USER_MAN)/man1' '$(USER_MAN)/man3' '$(USER_COMPLETIONS)' \
		'$(USER_RULES)' '$(DESTDIR)$(PREFIX)/share/evfio' \
		$(patsubst %,'$(DESTDIR)$(DOCDIR)/%',$(sort $(dir $(USER_EXAMPLE_SRCS))))
	install -m 755 $(UOUT)/bin/evfio '$(DESTDIR)$(PREFIX)/bin'
	install -m 644 $(USER_HEADERS) '$(USER_INCLUDE)/evfio'
	install -m 644 $(USER_UAPI) '$(USER_INCLUDE)/linux'
	install -m 644 $(USER_A) '$(DESTDIR)$(LIBDIR)'
ifneq ($(USER_LINKS),)
	install -m 755 $(USER_SO) '$(DESTDIR)$(LIBDIR)'
	ln -sf $(notdir $(USER_SO)) '$(DESTDIR)$(LIBDIR)/libevfio.so.$(USER_SOVERSION)'
	ln -sf libevfio.so.$(USER_SOVERSION) '$(DESTDIR)$(LIBDIR)/libevfio.so'
endif
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
		-e 's|@VERSION@|$(EVFIO_VERSION)|' lib/libevfio.pc.in \
		>'$(DESTDIR)$(LIBDIR)/pkgconfig/libevfio.pc'
	install -m 644 $(USER_MAN1) '$(USER_MAN)/man1'
	install -m 644 $(USER_MAN3)/*.3 '$(USER_MAN)/man3'
	install -m 644 tools/completion.bash '$(USER_COMPLETIONS)/evfio'
	install -m 644 tools/udev.rules '$(USER_RULES)/80-vfio.rules'
	install -m 644 tools/mdev.conf '$(DESTDIR)$(PREFIX)/share/evfio'
	for f in $(USER_EXAMPLE_SRCS); do install -m 644 $$f '$(DESTDIR)$(DOCDIR)'/$$f || exit 1; done
	$(if $(DESTDIR),,ldconfig 2>/dev/null || :)

uninstall-user: $(USER_MAN3)/libevfio.3
	for f in $(USER_MAN3)/*.3; do rm -f '$(USER_MAN)'/man3/$${f##*/} || exit 1; done
	rm -rf '$(DESTDIR)$(DOCDIR)/examples' '$(USER_INCLUDE)/evfio' '$(DESTDIR)$(PREFIX)/share/evfio'
	rm -f '$(DESTDIR)$(PREFIX)/bin/evfio' '$(USER_COMPLETIONS)/evfio' '$(USER_RULES)/80-vfio.rules' \
		'$(DESTDIR)$(LIBDIR)/libevfio.a' \
		'$(DESTDIR)$(LIBDIR)/libevfio.so' \
		'$(DESTDIR)$(LIBDIR)/libevfio.so.$(USER_SOVERSION)' \
		'$(DESTDIR)$(LIBDIR)/$(notdir $(USER_SO))' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/libevfio.pc' \
		$(USER_UAPI:include/uapi/%='$(USER_INCLUDE)/%') \
		$(USER_MAN1:docs/man/%='$(USER_MAN)/man1/%')
