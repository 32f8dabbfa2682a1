/*
 * Mail addresses as RFC 5321 4.1.2 writes them, and the form in which they travel inside.
 *
 * Inside the gateway a mailbox is `local-part "@" domain` with the quoting of the local part
 * taken away, as qmail-queue and QMQP have it; the last "@" separates, since a domain cannot
 * hold one. It never contains NUL, CR, LF or any other control character. Its octets keep
 * the case in which they came; only the lookup key is lower-cased.
 *
 * An address may be UTF-8 (RFC 6531 3.3); whether one is welcome is for the caller to say, who
 * looks at `utf8`.
 */
#ifndef LIB_ADDRESS_H
#define LIB_ADDRESS_H

#include "lib/buf.h"

enum {
	ADDRESS_LOCAL_MAX = 256,  /* octets, unquoted */
	ADDRESS_DOMAIN_MAX = 255, /* octets */
	ADDRESS_LABEL_MAX = 63,
	ADDRESS_MAX = ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX,
};

enum address_status {
	ADDRESS_OK,
	ADDRESS_SYNTAX,    /* not an RFC 5321 path */
	ADDRESS_ROUTE,     /* a source route, RFC 5321 appendix F.2 */
	ADDRESS_NON_ASCII, /* neither ASCII nor UTF-8, or with a control character beyond ASCII */
	ADDRESS_LENGTH,    /* a part is over its limit */
};

struct address {
	uint8_t octets[ADDRESS_MAX]; /* inside form; empty for the null reverse-path */
	uint16_t len;
	uint16_t local_len; /* octets before the last "@"; == len when there is no domain */
	bool utf8;          /* some of them are not ASCII */
};

static inline struct span
address_span(const struct address *a)
{
	return span_of(a->octets, a->len);
}

static inline struct span
address_local(const struct address *a)
{
	return span_of(a->octets, a->local_len);
}

/* Empty when the address has no domain. */
static inline struct span
address_domain(const struct address *a)
{
	return a->local_len < a->len
	           ? span_of(a->octets + a->local_len + 1, (size_t)(a->len - a->local_len - 1))
	           : span_of(NULL, 0);
}

/*
 * Parses what stands between "<" and ">" of a reverse-path: a mailbox, or nothing.
 * RFC 5321 4.1.2 Reverse-path; a source route is refused, not stripped.
 */
enum address_status address_parse_reverse(struct span text, struct address *a_out);

/*
 * Parses what stands between "<" and ">" of a forward-path: a mailbox, or the bare
 * `postmaster` of RFC 5321 4.1.1.3 in any case.
 */
enum address_status address_parse_forward(struct span text, struct address *a_out);

/*
 * Takes an address that is already in the inside form (from a link, a list file, a
 * configuration) and checks it by the same limits; a bare postmaster is one, the empty
 * address is not.
 */
enum address_status address_from_inside(struct span inside, struct address *a_out);

/*
 * A domain name of RFC 5321 4.1.2 with underscore tolerated: labels of letters, digits, "-"
 * and "_", 1 to 63 octets each, neither beginning nor ending in "-", at most 255 octets in all,
 * no "." at either end. Says nothing about address literals.
 */
bool address_domain_ok(struct span domain);

/* An address literal with its brackets: [192.0.2.1] or [IPv6:2001:db8::1], RFC 5321 4.1.3. */
bool address_literal_ok(struct span literal);

/* Appends the address as a quoted Mailbox of RFC 5321 where it needs quoting. */
void address_put_path(struct buf *b, struct span inside);

#endif
