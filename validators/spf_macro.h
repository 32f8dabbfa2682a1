/*
 * Macros of SPF (RFC 7208 section 7): grammar, and expansion into bounded memory.
 */
#ifndef VALIDATORS_SPF_MACRO_H
#define VALIDATORS_SPF_MACRO_H

#include "lib/buf.h"
#include "lib/ip.h"

struct spf_macro_facts {
	struct ip client;
	struct span local, sender_domain; /* %{l}, %{o}; %{s} is both */
	struct span helo;
	struct span domain; /* %{d}: whose record it is */
	/* %{p}: the validated name of the client; asks the DNS. Valid as long as arg is. */
	struct span (*validated)(void *arg, struct span domain);
	void *arg;
};

/* RFC 7208 7.1 macro-string: also the value of an unknown modifier. */
bool spf_macro_string_ok(struct span text);

/* RFC 7208 7.1 domain-spec: a macro-string that ends in a macro or in a top label. */
bool spf_domain_spec_ok(struct span text);

/*
 * Appends the expansion of a domain-spec that is ok. b->full when it does not fit.
 */
void spf_macro_expand(struct span text, const struct spf_macro_facts *facts, struct buf *b);

/* RFC 7208 7.3: drops labels on the left, and the final dot, until it is a name of at most 253 octets. */
struct span spf_name_trim(struct span name);

#endif
