/*
 * DMARC (RFC 9989): which policy the domain of an author has, and whether what was authenticated
 * is aligned with it.
 *
 * Policies and organisational domains are found by the tree walk; the public suffix list is only
 * a guard (suffix.h). The verdict is a pure function over pairs of alignment and result, so that
 * a result can never be counted for a domain that did not have it.
 */
#ifndef VALIDATORS_DMARC_H
#define VALIDATORS_DMARC_H

#include "validators/dns.h"
#include "validators/from.h"

#include "lib/conf.h"

enum {
	DMARC_WALK_MAX = 8,   /* questions of one walk; RFC 9989 4.10 */
	DMARC_NAMES_MAX = 40, /* different names that are asked for one message */
};

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };

enum dmarc_found {
	DMARC_NO_RECORD, /* the mechanism does not apply */
	DMARC_FOUND,
	DMARC_TROUBLE,  /* the DNS did not say */
	DMARC_UNUSABLE, /* a record without a policy that could be understood */
};

enum dmarc_match {
	DMARC_APART,
	DMARC_ALIGNED,
	DMARC_UNSURE, /* the DNS did not say whose domain it is */
};

/* What was authenticated: one signature, or the envelope. */
struct dmarc_identity {
	struct span domain; /* lower case; empty: none */
	enum auth_result result;
};

/* One author's domain, judged. */
struct dmarc_author {
	struct from_domain domain;
	struct from_domain policy_domain; /* where the record is */
	enum dmarc_found found;
	/* Of p=, sp= or np=, whichever holds for this domain, after t=; or what the operator says. */
	enum dmarc_policy requested;
	enum dmarc_match spf;  /* of the envelope's domain, whatever its result will be */
	enum auth_result dkim; /* what the signatures make of it: pass, fail or temperror */
};

/* The records found for one message; a name is asked for once. */
struct dmarc_names;

struct dmarc; /* work memory of one message */

/*
 * In: overrides, policies of the operator as option dmarc.override has them; borrowed for its
 * lifetime. Returns: NULL when memory is out, or there is no public suffix list.
 */
struct dmarc *dmarc_new(const struct conf_strings *overrides);
void dmarc_free(struct dmarc **dmarc);

/*
 * Judges every author's domain.
 * In: authors, FROM_GOOD; becomes FROM_SEVERAL when they are of different organisations, and
 * nothing else is found out then; signatures, at most `signature_count`; envelope, the domain that
 * SPF is or was asked about.
 * Out: authors_out, one for each domain.
 */
void dmarc_check(struct dmarc *dmarc, const struct resolver *resolver, struct from_authors *authors,
    const struct dmarc_identity *signatures, size_t signature_count, struct span envelope,
    struct dmarc_author authors_out[FROM_DOMAINS_MAX]);

/* May be aligned in relaxed mode, as far as can be said without asking anybody. */
bool dmarc_may_align(const struct from_authors *authors, struct span domain);

/* ---- pure -------------------------------------------------------------------------------------- */

/* An identity as the verdict sees it. */
struct dmarc_pair {
	enum dmarc_match match;
	enum auth_result result;
};

/*
 * Returns: AUTH_PASS when any pair is aligned and passed; AUTH_TEMPERROR when one could have been,
 * had the DNS answered; else AUTH_FAIL.
 */
enum auth_result dmarc_verdict(const struct dmarc_pair *pairs, size_t count);

/*
 * RFC 9989 4.4: strict is equality, relaxed the same organisational domain.
 * In: names in lower case; organisations empty when not known.
 */
enum dmarc_match dmarc_align(bool strict, struct span author, struct span author_organization,
    struct span domain, struct span domain_organization);

#endif
