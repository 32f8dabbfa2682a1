/* The programs that `gatehouse explain` runs, and its links to them. */
#ifndef SUPERVISOR_EXPLAIN_STAGE_H
#define SUPERVISOR_EXPLAIN_STAGE_H

#include <stdio.h>

#include "supervisor/generation.h"

/* What they answer; handlers are called from stage_wait. */
struct stage_hooks {
	const struct link_role *smtpd_lookupd, *smtpd_validators, *handoff_validators;
	void *ctx;
	/* A line that a program logged, as it wrote it. */
	void (*on_line)(void *ctx, enum program_id program, struct span line);
};

struct stage;

/* Starts the programs and waits until they serve. Takes ownership of conf. Returns: NULL on failure, after saying why. */
struct stage *stage_open(
    struct conf *conf, const char *libexec_dir, const struct stage_hooks *hooks);

/* Ends them. Takes NULL. */
void stage_close(struct stage **stage);

struct link *stage_lookupd(const struct stage *stage);
struct link *stage_validators(const struct stage *stage);

/* Runs the loop until *done or a deadline. Returns: *done. */
bool stage_wait(struct stage *stage, const bool *done, uint64_t timeout_ms);

/* Reads what the programs have logged so far. */
void stage_settle(struct stage *stage);

#endif
