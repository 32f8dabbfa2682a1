#include "lib/programs.h"

#include "lib/bug.h"

static const char *const names[PROGRAM_COUNT] = {
    [PROGRAM_SUPERVISOR] = "gatehouse",
    [PROGRAM_SMTPD] = "smtpd",
    [PROGRAM_TLSD] = "tlsd",
    [PROGRAM_TLS_KEYS] = "tls-keys",
    [PROGRAM_LOOKUPD] = "lookupd",
    [PROGRAM_VALIDATORS] = "validators",
    [PROGRAM_VALIDATOR] = "validator",
    [PROGRAM_RESOLVERD] = "resolverd",
    [PROGRAM_QUEUE_HANDOFF] = "queue-handoff",
    [PROGRAM_QMAIL_QUEUE] = "qmail-queue-helper",
    [PROGRAM_CLI] = "cli",
};

const char *
program_name(enum program_id id)
{
	BUG_ON((unsigned)id >= PROGRAM_COUNT);
	return names[id];
}
