/* The programs of the gateway; design in docs/architecture.md. Numbers travel on links. */
#ifndef LIB_PROGRAMS_H
#define LIB_PROGRAMS_H

#include <stdint.h>

enum program_id {
	PROGRAM_SUPERVISOR,
	PROGRAM_SMTPD,
	PROGRAM_TLSD,
	PROGRAM_TLS_KEYS,
	PROGRAM_LOOKUPD,
	PROGRAM_VALIDATORS, /* the dispatcher */
	PROGRAM_VALIDATOR,  /* the zygote, and the child of one message */
	PROGRAM_RESOLVERD,
	PROGRAM_QUEUE_HANDOFF,
	PROGRAM_QMAIL_QUEUE, /* runs qmail-queue for queue-handoff */
	PROGRAM_CLI,         /* gatehouse status, reload, stop */
	PROGRAM_COUNT,
};

/* Sets of programs, for the catalogue and the option tables. */
#define BY(id) (1u << (id))
#define BY_SUPERVISOR BY(PROGRAM_SUPERVISOR)
#define BY_SMTPD BY(PROGRAM_SMTPD)
#define BY_TLSD BY(PROGRAM_TLSD)
#define BY_TLS_KEYS BY(PROGRAM_TLS_KEYS)
#define BY_LOOKUPD BY(PROGRAM_LOOKUPD)
#define BY_VALIDATORS BY(PROGRAM_VALIDATORS)
#define BY_VALIDATOR BY(PROGRAM_VALIDATOR)
#define BY_RESOLVERD BY(PROGRAM_RESOLVERD)
#define BY_QUEUE_HANDOFF BY(PROGRAM_QUEUE_HANDOFF)
#define BY_QMAIL_QUEUE BY(PROGRAM_QMAIL_QUEUE)
#define BY_CLI BY(PROGRAM_CLI)
#define BY_ANY ((1u << PROGRAM_COUNT) - 1u)
#define BY_CHILDREN (BY_ANY & ~(BY_SUPERVISOR | BY_CLI))

/* "smtpd", "tls-keys", ...: the name of the executable, in log lines and in `users`. */
const char *program_name(enum program_id id);

#endif
