/*
 * One line of a recipient list (`list:FILE`); gatehouse-recipients(8) describes the format.
 *
 *   line       = [ recipient *( blanks attribute ) ] [ blanks ] [ "#" comment ]
 *   recipient  = local "@" domain | local break "*@" domain | "@" domain | "domain:" domain
 *   local      = 1*atext-or-dot | Quoted-string
 *   attribute  = name "=" ( word | DQUOTE text DQUOTE )
 */
#ifndef LOOKUPD_LIST_H
#define LOOKUPD_LIST_H

#include "lib/address.h"

enum { LIST_LINE_MAX = 2048 }; /* octets without the line end */

enum list_status { LIST_EMPTY, LIST_ENTRY, LIST_ERROR };

enum list_kind {
	LIST_ADDRESS,
	LIST_EXTENSIONS,   /* local ends in its break octet */
	LIST_CATCH_ALL,    /* local is empty */
	LIST_ALIAS_DOMAIN, /* real is the domain that it stands for */
	LIST_DOMAIN,       /* what holds for recipients of the domain that do not say it */
};

enum list_verdict { LIST_ACCEPT, LIST_REJECT, LIST_DEFER, LIST_DISCARD };

struct list_entry {
	enum list_kind kind;
	enum list_verdict verdict;
	uint8_t octets[ADDRESS_MAX + 1]; /* local and domain, lower case */
	uint8_t real_octets[ADDRESS_DOMAIN_MAX + 1];
	struct span local, domain, real; /* of these: the structure must not be copied */
	/* Borrowed from the line; empty when not given. */
	struct span backend, class, status, text, delivered_to, delimiters;
	uint64_t size;
	uint8_t flags; /* of struct leaf; a list sets none */
	bool no_bounces;
};

/*
 * In: line, without its line end; any octets.
 * Out: entry_out for LIST_ENTRY; *error_out, a static text, for LIST_ERROR.
 */
enum list_status list_parse(struct span line, struct list_entry *entry_out, const char **error_out);

#endif
