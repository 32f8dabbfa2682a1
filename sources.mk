# Sources, one per line, and what each program links.

LIB_SRC := \
	lib/address.c \
	lib/buf.c \
	lib/bug.c \
	lib/catalogue.c \
	lib/clock.c \
	lib/conf.c \
	lib/grant.c \
	lib/ip.c \
	lib/link.c \
	lib/log.c \
	lib/loop.c \
	lib/netstring.c \
	lib/program.c \
	lib/programs.c \
	lib/sandbox.c \
	lib/span.c

SUPERVISOR_SRC := \
	supervisor/main.c

SMTPD_SRC := \
	smtpd/main.c

TLSD_SRC := \
	tlsd/main.c

TLS_KEYS_SRC := \
	tlsd/keys_main.c

LOOKUPD_SRC := \
	lookupd/main.c

RECIPIENTS_SRC := \
	lookupd/recipients_main.c

VALIDATORS_SRC := \
	validators/main.c

VALIDATOR_SRC := \
	validators/child_main.c

RESOLVERD_SRC := \
	resolverd/main.c

QUEUE_HANDOFF_SRC := \
	queue-handoff/main.c

BACKEND_SRC := \
	backend/main.c
