# Gatehouse. One plain file: what is built from what, and the commands of README.
#
#   make            build everything under $(BUILD)
#   make run        build, and start the whole gateway on loopback
#   make check      build, and run every test
#   make fuzz       run each fuzzer for FUZZ_SECONDS
#   make bench      measure beside peers
#   make torture    random kills under load, KILLS of them
#   make lint       format, clang-tidy, cppcheck, clang build
#   make install    DESTDIR and PREFIX are respected; needs no account to exist
#   make clean

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 60
KILLS ?= 2000

CC ?= cc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-fPIE -D_FORTIFY_SOURCE=2 -ftrivial-auto-var-init=zero
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
ALL_CPPFLAGS := -I. -D_GNU_SOURCE $(CPPFLAGS)
ALL_CFLAGS := -std=c11 $(WARN) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS := $(HARDEN_LD) -Wl,--as-needed $(LDFLAGS)

include sources.mk

.PHONY: all run check bench fuzz torture lint install clean deps docs
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

# ---- compiling ----------------------------------------------------------------------------

$(BUILD)/obj/%.o: %.c $(BUILD)/.deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# The packages that the build needs; installs what is missing when it may.
$(BUILD)/.deps: tools/deps
	@mkdir -p $(BUILD)
	@tools/deps build
	@touch $@

clean:
	rm -rf $(BUILD)
