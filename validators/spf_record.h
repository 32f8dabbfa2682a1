/*
 * SPF records (RFC 7208 section 12): a strict reader of the whole grammar.
 *
 * Nothing here asks, expands or matches.
 */
#ifndef VALIDATORS_SPF_RECORD_H
#define VALIDATORS_SPF_RECORD_H

#include "lib/ip.h"
#include "lib/span.h"

enum spf_term_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_OTHER_MODIFIER,
};

struct spf_term {
	enum spf_term_kind kind;
	uint8_t qualifier;     /* one of + - ~ ?; mechanisms only */
	struct span domain;    /* domain-spec with its macros; empty: none was given */
	struct ip network;     /* ip4, ip6 */
	unsigned cidr4, cidr6; /* bits that must match */
};

enum spf_next { SPF_NEXT_TERM, SPF_NEXT_END, SPF_NEXT_BAD };

/* "v=spf1" in any case, at the end or before a space: RFC 7208 4.5. */
bool spf_record_is_one(struct span text);

/* The terms of a record that is one. */
struct span spf_record_terms(struct span record);

/*
 * Takes the next term.
 * In: rest, shrinks; starts as spf_record_terms().
 * Out: *why_out, a static text, for SPF_NEXT_BAD.
 */
enum spf_next spf_record_next(struct span *rest, struct spf_term *term_out, const char **why_out);

/*
 * The whole record is good, and has redirect and exp at most once: RFC 7208 4.6, 6.
 * Out: *why_out, a static text, when it is not.
 */
bool spf_record_check(struct span record, const char **why_out);

#endif
