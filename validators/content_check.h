/* Everything that is found out about the content of one message: signatures, authors, policies. */
#ifndef VALIDATORS_CONTENT_CHECK_H
#define VALIDATORS_CONTENT_CHECK_H

#include "validators/dkim.h"
#include "validators/dmarc.h"
#include "validators/spf.h"

#include "lib/conf.h"

/* The libraries, warm, and the options that matter here. */
struct content_tools {
	struct spf *spf;
	struct dkim *dkim;
	struct dmarc *dmarc;
	const struct conf *conf;
};

struct content_question {
	struct dkim_content content;
	uint64_t received; /* unix seconds */
	struct span helo, reverse_path;
	unsigned checks; /* set of enum check_wanted; WANT_SPF: about the client of the relay */
};

struct content_answer {
	struct dkim_answer dkim;
	struct from_authors from;
	struct dmarc_author authors[FROM_DOMAINS_MAX]; /* from.count of them */
	bool sealed;                                   /* a trusted sealer has signed it */
	bool relayed; /* client and spf are those of the relay's client */
	struct ip client;
	struct spf_answer spf;
};

/*
 * Out: *answer_out, what was not wanted empty.
 * Returns: false when our own trouble left no result.
 */
bool content_check(const struct content_tools *tools, const struct content_question *q,
    const struct resolver *resolver, struct content_answer *answer_out);

#endif
