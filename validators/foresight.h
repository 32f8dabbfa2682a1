/*
 * Questions that the checks of a message will ask for sure, or nearly: asked before there is a
 * process, all at the same time, when the envelope is known. A process that begins when their
 * answers are there waits for the DNS less often, and there is nothing to it while it waits.
 *
 * What is asked follows from the envelope alone: the SPF record and the DMARC policy of the sender's
 * domain. A name with anything but letters, digits, hyphens, underscores and dots is left to the checks.
 */
#ifndef VALIDATORS_FORESIGHT_H
#define VALIDATORS_FORESIGHT_H

#include "lib/conf.h"
#include "lib/loop.h"

#include "validators/questions.h"

enum {
	FORESIGHT_MS = 1000, /* that its answers are waited for; the checks ask themselves then */
	FORETOLD_MAX = 8,    /* answers that a process is told before a job */
};

/* Zeroed memory is one that waits for nothing; patience_ms is set by the caller. */
struct foresight {
	struct asker asker;
	struct timer timer;
	struct questions *questions;
	void (*over)(struct foresight *f);
	uint32_t patience_ms; /* that answers are waited for; 0: nothing is asked */
	bool waiting;
};

/*
 * Asks what is not known already.
 * In: client and left, as for questions_ask; helo and reverse_path, of the envelope.
 * Returns: true when there is something to wait for: over is called then, later, from the loop.
 */
bool foresight_begin(struct foresight *f, struct questions *qs, const struct conf *conf,
    const struct ip *client, unsigned *left, struct span helo, struct span reverse_path,
    void (*over)(struct foresight *f));

/*
 * Tells a process what is known of that, before its job, and what was asked next the time before:
 * the records that the SPF record includes, the key of the signature.
 * In: asker, of the job; policy, the DMARC policy; else the SPF record. What is not known is left out.
 */
void foresight_tell(struct questions *qs, struct asker *asker, struct link *link, struct span helo,
    struct span reverse_path, bool policy);

/* Waits no longer; over is not called. Takes one that waits for nothing, too. */
void foresight_end(struct foresight *f);

#endif
