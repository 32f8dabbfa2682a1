/* The tree walk of RFC 9989 4.10: records from a name up to its top-level domain. */
#ifndef VALIDATORS_DMARC_WALK_H
#define VALIDATORS_DMARC_WALK_H

#include "validators/dmarc_record.h"

/* What _dmarc.NAME says. */
struct dmarc_name {
	struct from_domain name;
	enum dmarc_found found;
	struct dmarc_record record; /* when DMARC_FOUND or DMARC_UNUSABLE */
};

struct dmarc_names {
	const struct resolver *resolver;
	struct dns_reply *reply; /* room for one answer */
	size_t count;
	struct dmarc_name items[DMARC_NAMES_MAX];
};

/* The steps of one walk, from the name itself upwards. */
struct dmarc_walk {
	size_t count;
	bool trouble; /* a step is missing because the DNS did not answer */
	const struct dmarc_name *steps[DMARC_WALK_MAX];
};

/* Asks for one name, unless it is known. Returns: never NULL. */
const struct dmarc_name *dmarc_name_ask(struct dmarc_names *names, struct span name);

/* In: name, borrowed by nobody afterwards. */
void dmarc_walk(struct dmarc_names *names, struct span name, struct dmarc_walk *walk_out);

/*
 * RFC 9989 4.10.2.
 * In: name, where the walk started.
 * Returns: the organisational domain, the end of `name`; empty when the walk had trouble.
 */
struct span dmarc_organization(const struct dmarc_walk *walk, struct span name);

/* Returns: the step with exactly that name and a record, or NULL. */
const struct dmarc_name *dmarc_walk_find(const struct dmarc_walk *walk, struct span name);

#endif
