# Gatehouse. One plain file: what is built from what, and the commands of README.
#
#   make            build everything under $(BUILD)
#   make run        build, and start the whole gateway on loopback
#   make check      build, and run every test
#   make fuzz       run each fuzzer for FUZZ_SECONDS
#   make bench      measure beside peers
#   make torture    random kills under load, KILLS of them
#   make lint       formatting, clang warnings, cppcheck
#   make docs       write the generated documentation anew
#   make install    DESTDIR and PREFIX are respected; needs no account to exist
#   make clean
#
# V=1 shows the commands.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= $(PREFIX)/etc/gatehouse
PEERS ?= $(BUILD)/peers
FUZZ_SECONDS ?= 60
KILLS ?= 10000

Q := $(if $(V),,@)

CC ?= cc
CLANG ?= clang
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 \
	-Wvla -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fPIE
# clang before 16 wants a second flag for it.
HARDEN += $(shell $(CC) -ftrivial-auto-var-init=zero -x c -fsyntax-only /dev/null 2>/dev/null && \
	echo -ftrivial-auto-var-init=zero)
PIE := -pie
HARDEN_LD = $(PIE) -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
ifeq ($(shell uname -m),aarch64)
HARDEN := $(subst -fcf-protection=full,-mbranch-protection=standard,$(HARDEN))
endif

ALL_CPPFLAGS = -I. -D_GNU_SOURCE $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LD) -Wl,--as-needed $(LDFLAGS)

# Tests and fuzzers run under the sanitizers.
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_CFLAGS = -std=c11 $(WARN) -O1 -g $(SAN) -DGATEHOUSE_TEST

# Foreign libraries, and who links them.
LIBS_lib := -levent_core -lseccomp -lnettle -lidn2
LIBS_supervisor := -lconfuse
LIBS_tlsd := -ltls -lssl -lcrypto
LIBS_lookupd := -lcdb
LIBS_validators := -lspf2 -lopendkim -lcrypto -lpsl
# A fork copies a dozen mappings for each shared object and faults its pages in, and validator forks
# for each message: it has all of them inside, and moves itself into huge pages (validators/image.h).
# Between its segments ld.bfd leaves 2 MiB or more, so that a boundary of huge pages lies there wherever
# the kernel puts it, for many heed no alignment of a static program: twice a huge page is enough while
# no segment has more than 6 MiB (tests/e2e/test_image.py). Its file has holes there: 18 MiB, 9 of them real.
# dkim_engine.c has a function that bears the name of one of libcrypto's, and the first one counts.
# What libc says of names and modules of the network is about functions that validator never calls.
LD_QUIET := $(shell $(CC) $(LDFLAGS) -Wl,--help 2>/dev/null | grep -q no-warnings && echo -Wl,--no-warnings)
PIE_validator := -static-pie
LIBS_validator := -Wl,-z,max-page-size=0x400000 -Wl,-z,muldefs $(LD_QUIET) \
	-Wl,--gc-sections -lspf2 -lopendkim -lpsl $(LIBS_lib) -lunistring -lresolv -lbsd -lmd -ldb \
	-lcrypto
LIBS_resolverd := -lunbound -levent

include sources.mk

DIRS := supervisor smtpd tlsd lookupd validators resolverd queue-handoff backend
SBIN := $(BUILD)/bin
LIBEXEC := $(BUILD)/libexec/gatehouse
PROGRAMS := $(addprefix $(SBIN)/,gatehouse gatehouse-recipients) \
	$(addprefix $(LIBEXEC)/,smtpd tlsd tls-keys lookupd validators validator resolverd \
	queue-handoff qmail-queue-helper gatehouse-maildir)

.PHONY: all run check check-unit check-fuzz check-spf check-recipients check-docs check-e2e check-torture \
	bench fuzz torture lint docs install clean peers
.DELETE_ON_ERROR:

all: $(PROGRAMS)

# ---- compiling --------------------------------------------------------------------------------

# The packages that the build needs; installs what is missing when it may.
$(BUILD)/.deps: tools/deps
	@mkdir -p $(BUILD)
	tools/deps
	@touch $@

# And those of tests, fuzzers and checks.
$(BUILD)/.deps-check: tools/deps | $(BUILD)/.deps
	@mkdir -p $(BUILD)
	tools/deps check
	@touch $@

$(BUILD)/obj/%.o: %.c | $(BUILD)/.deps
	@mkdir -p $(@D); echo "compile $@"
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/san/%.o: %.c | $(BUILD)/.deps-check
	@mkdir -p $(@D); echo "compile $@"
	$(Q)$(CC) $(ALL_CPPFLAGS) $(SAN_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/obj/%.o: %.c | $(BUILD)/.deps-check
	@mkdir -p $(@D); echo "compile $@"
	$(Q)$(CLANG) $(ALL_CPPFLAGS) $(SAN_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

# One archive for each directory and flavour; a program takes from it what it needs.
define ARCHIVE
$(BUILD)/obj/$(1).a: $(SRC_$(1):%.c=$(BUILD)/obj/%.o)
	@rm -f $$@ && ar rcs $$@ $$^
$(BUILD)/san/$(1).a: $(SRC_$(1):%.c=$(BUILD)/san/%.o)
	@rm -f $$@ && ar rcs $$@ $$^
$(BUILD)/fuzz/obj/$(1).a: $(SRC_$(1):%.c=$(BUILD)/fuzz/obj/%.o)
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach dir,lib $(DIRS),$(eval $(call ARCHIVE,$(dir))))

-include $(shell find $(BUILD)/obj $(BUILD)/san $(BUILD)/fuzz/obj -type f -name '*.d' 2>/dev/null)

# ---- programs ---------------------------------------------------------------------------------

LINK = @mkdir -p $(@D); echo "link $@"; \
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^)

O := $(BUILD)/obj
$(SBIN)/gatehouse: $(O)/supervisor/main.o $(O)/supervisor.a $(O)/lib.a
	$(LINK) $(LIBS_supervisor) $(LIBS_lib)
$(SBIN)/gatehouse-recipients: $(O)/lookupd/recipients_main.o $(O)/lookupd.a $(O)/lib.a
	$(LINK) $(LIBS_lookupd) $(LIBS_lib)
$(LIBEXEC)/smtpd: $(O)/smtpd/main.o $(O)/smtpd.a $(O)/lib.a
	$(LINK) $(LIBS_lib)
$(LIBEXEC)/tlsd: $(O)/tlsd/main.o $(O)/tlsd.a $(O)/lib.a
	$(LINK) $(LIBS_tlsd) $(LIBS_lib)
$(LIBEXEC)/tls-keys: $(O)/tlsd/keys_main.o $(O)/tlsd.a $(O)/lib.a
	$(LINK) $(LIBS_tlsd) $(LIBS_lib)
$(LIBEXEC)/lookupd: $(O)/lookupd/main.o $(O)/lookupd.a $(O)/lib.a
	$(LINK) $(LIBS_lookupd) $(LIBS_lib)
$(LIBEXEC)/validators: $(O)/validators/main.o $(O)/validators.a $(O)/lib.a
	$(LINK) $(LIBS_validators) $(LIBS_lib)
# What it has inside is recorded beside it: `gatehouse check` says when the host has a newer one. It is
# linked anew after any change of packages, for their archives bear the times at which Debian made them.
$(LIBEXEC)/validator: PIE := $(PIE_validator)
$(LIBEXEC)/validator: $(O)/validators/child_main.o $(O)/validators.a $(O)/lib.a tools/libraries \
    $(wildcard /var/lib/dpkg/status)
	$(LINK) $(LIBS_validator) -Wl,-Map=$(O)/validator.map
	@tools/libraries $(O)/validator.map >$@.libraries
$(LIBEXEC)/resolverd: $(O)/resolverd/main.o $(O)/resolverd.a $(O)/lib.a
	$(LINK) $(LIBS_resolverd) $(LIBS_lib)
$(LIBEXEC)/queue-handoff: $(O)/queue-handoff/main.o $(O)/queue-handoff.a $(O)/lib.a
	$(LINK) $(LIBS_lib)
$(LIBEXEC)/qmail-queue-helper: $(O)/queue-handoff/helper_main.o $(O)/queue-handoff.a $(O)/lib.a
	$(LINK) $(LIBS_lib)
$(LIBEXEC)/gatehouse-maildir: $(O)/backend/main.o $(O)/backend.a $(O)/lib.a
	$(LINK) $(LIBS_lib)

# Where `gatehouse` looks for its configuration is the one thing that PREFIX changes in the code.
$(O)/supervisor/main.o: ALL_CPPFLAGS += -DSYSCONFDIR='"$(SYSCONFDIR)"'
$(O)/supervisor/main.o: $(BUILD)/.sysconfdir
$(BUILD)/.sysconfdir: FORCE
	@mkdir -p $(BUILD); echo '$(SYSCONFDIR)' | cmp -s - $@ || echo '$(SYSCONFDIR)' >$@
FORCE:

run: all
	tools/run $(BUILD)

# ---- tests ------------------------------------------------------------------------------------

# tests/DIR/FILE_test.c is linked with the archive of DIR and with lib.
UNIT_TESTS := $(patsubst %.c,$(BUILD)/san/%,$(wildcard tests/*/*_test.c))
# Made by a chain of patterns, but kept.
.SECONDARY: $(UNIT_TESTS:%=%.o)
FUZZERS := $(patsubst fuzz/%.c,%,$(wildcard fuzz/*_*.c)) session

define UNIT_TEST
$(BUILD)/san/tests/$(1)/%_test: $(BUILD)/san/tests/$(1)/%_test.o \
    $(if $(filter-out lib,$(1)),$(BUILD)/san/$(1).a) $(BUILD)/san/lib.a
	@echo "link $$@"; $(CC) $(SAN_CFLAGS) -o $$@ $$^ \
	    $(if $(filter-out lib,$(1)),$(LIBS_$(1))) $(LIBS_lib) -lcmocka
endef
$(foreach dir,lib $(DIRS),$(eval $(call UNIT_TEST,$(dir))))

# fuzz/DIR_THING.c likewise; built twice: to replay the corpus, and as a libFuzzer program.
# fuzz/session.c plays whole sessions of smtpd.
fuzz_dir = $(if $(filter session,$(1)),smtpd,$(firstword $(subst _, ,$(1))))
define FUZZER
$(BUILD)/san/fuzz/$(1): $(BUILD)/san/fuzz/$(1).o $(BUILD)/san/fuzz/replay.o \
    $(BUILD)/san/$(call fuzz_dir,$(1)).a $(BUILD)/san/lib.a
	@echo "link $$@"; $(CC) $(SAN_CFLAGS) -o $$@ $$^ $(LIBS_$(call fuzz_dir,$(1))) $(LIBS_lib)
$(BUILD)/fuzz/$(1): $(BUILD)/fuzz/obj/fuzz/$(1).o \
    $(BUILD)/fuzz/obj/$(call fuzz_dir,$(1)).a $(BUILD)/fuzz/obj/lib.a
	@echo "link $$@"; $(CLANG) $(SAN_CFLAGS) -fsanitize=fuzzer -o $$@ $$^ \
	    $(LIBS_$(call fuzz_dir,$(1))) $(LIBS_lib)
endef
$(foreach fuzzer,$(FUZZERS),$(eval $(call FUZZER,$(fuzzer))))

check: all check-docs check-unit check-fuzz check-spf check-recipients check-torture check-e2e

check-unit: all $(UNIT_TESTS)
	tests/unit $(BUILD) $(UNIT_TESTS)

# SPF against another implementation: random records, the same each time.
check-spf: all peers $(BUILD)/san/tests/validators/spf_suite_test
	BUILD=$(BUILD) PEERS=$(PEERS) tests/validators/spf_compare --seed 5 --count 2000

# Importers against what the back ends did: tests/recipients/README.md.
$(BUILD)/tests/recipients-ask: $(O)/tests/recipients/ask.o $(O)/lookupd.a $(O)/smtpd.a $(O)/lib.a
	$(LINK) $(LIBS_lookupd) $(LIBS_lib)

check-recipients: all peers $(BUILD)/tests/recipients-ask
	BUILD=$(BUILD) PEERS=$(PEERS) tests/recipients/check

check-fuzz: $(FUZZERS:%=$(BUILD)/san/fuzz/%)
	fuzz/replay-all $(BUILD) $(FUZZERS)

include docs.mk

# Peers for tests and benches: unpacked under $(BUILD), never installed.
peers:
	tools/peers -d $(PEERS)

# The same gateway with all of its libraries shared: tests/e2e/host.c stands in front of the C library.
SHARED := $(BUILD)/shared
$(SHARED)/libexec/gatehouse/validator: $(O)/validators/child_main.o $(O)/validators.a $(O)/lib.a
	$(LINK) $(LIBS_validators) $(LIBS_lib)
$(SHARED)/bin/gatehouse: $(PROGRAMS) $(SHARED)/libexec/gatehouse/validator
	@mkdir -p $(@D)
	@ln -f $(filter-out %/validator,$(filter $(LIBEXEC)/%,$^)) $(SHARED)/libexec/gatehouse
	@cp $(SBIN)/gatehouse $@

check-e2e: all peers $(BUILD)/.deps-check $(SHARED)/bin/gatehouse
	BUILD=$(BUILD) PEERS=$(PEERS) tests/e2e/run -j 2

check-torture: all peers
	BUILD=$(BUILD) PEERS=$(PEERS) tests/e2e/torture 200

torture: all peers $(SHARED)/bin/gatehouse
	LEDGER=all BUILD=$(BUILD) PEERS=$(PEERS) tests/e2e/run test_ledger test_ledger_real
	E2E_FAULTS=all BUILD=$(BUILD) PEERS=$(PEERS) tests/e2e/run test_host
	BUILD=$(BUILD) PEERS=$(PEERS) tests/e2e/torture $(KILLS)

bench: all peers
	BUILD=$(BUILD) PEERS=$(PEERS) bench/run
	BUILD=$(BUILD) PEERS=$(PEERS) bench/recipients

lint: all
	tools/lint $(BUILD)

fuzz: $(FUZZERS:%=$(BUILD)/fuzz/%)
	fuzz/run $(BUILD) $(FUZZ_SECONDS) $(FUZZERS)

# ---- install ----------------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec/gatehouse \
	    $(DESTDIR)$(SYSCONFDIR) $(DESTDIR)$(PREFIX)/share/doc/gatehouse/backends \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 755 $(SBIN)/gatehouse $(SBIN)/gatehouse-recipients $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(filter $(LIBEXEC)/%,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/libexec/gatehouse
	install -m 644 $(LIBEXEC)/validator.libraries $(DESTDIR)$(PREFIX)/libexec/gatehouse
	install -m 644 docs/gatehouse.conf.sample $(DESTDIR)$(SYSCONFDIR)
	install -m 644 docs/gatehouse.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 docs/gatehouse.8 docs/gatehouse-recipients.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 docs/*.md $(DESTDIR)$(PREFIX)/share/doc/gatehouse
	install -m 644 docs/backends/*.md $(DESTDIR)$(PREFIX)/share/doc/gatehouse/backends

clean:
	rm -rf $(BUILD)
