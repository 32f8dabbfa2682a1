/*
 * What a Postfix does with all names of one domain.
 */
#ifndef LOOKUPD_POSTFIX_DOMAIN_H
#define LOOKUPD_POSTFIX_DOMAIN_H

#include "lookupd/postfix_names.h"
#include "lookupd/postfix_sheet.h"
#include "lookupd/record.h"

enum { POSTFIX_ORIGINS_MAX = 64 };

/* Where the local parts of a domain come from: its own, and those of domains it leads to. */
struct postfix_origins {
	const struct postfix_named_domain *at[POSTFIX_ORIGINS_MAX];
	size_t count;
};

struct postfix_domain {
	struct postfix *p;
	const struct postfix_names *names;
	struct span name;
	bool rules;       /* there are patterns */
	bool below_relay; /* what is said of names below a relay domain must not reach it */
	struct leaf any;  /* of a local part that no table has */
	struct postfix_origins origins;
	struct sheet *sheet; /* while it is filled */
};

/* In: p, names, name, rules. Out: any, origins. */
void postfix_domain_begin(struct postfix_domain *d);

/* Every record that the domain needs, into the sheet. */
void postfix_domain_fill(struct postfix_domain *d, struct sheet *sheet);

/* One local part. */
struct leaf postfix_domain_judge(struct postfix_domain *d, struct span local);

#endif
