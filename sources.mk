# Sources, one per line. A program is its main file and what it needs of its directory and of lib.

SRC_lib := \
	lib/address.c \
	lib/buf.c \
	lib/bug.c \
	lib/catalogue.c \
	lib/clock.c \
	lib/conf.c \
	lib/digest.c \
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

# main: supervisor/main.c
SRC_supervisor :=

# main: smtpd/main.c
SRC_smtpd :=

# main: tlsd/main.c (tlsd), tlsd/keys_main.c (tls-keys)
SRC_tlsd :=

# main: lookupd/main.c (lookupd), lookupd/recipients_main.c (gatehouse-recipients)
SRC_lookupd :=

# main: validators/main.c (validators), validators/child_main.c (validator)
SRC_validators :=

# main: resolverd/main.c
SRC_resolverd :=

# main: queue-handoff/main.c
SRC_queue-handoff :=

# main: backend/main.c (gatehouse-maildir)
SRC_backend :=
