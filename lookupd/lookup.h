/*
 * The decision about one recipient.
 *
 * A lookup is a sequence of steps; each either decides or passes on. What the database asks for
 * and no step can evaluate is trouble, never "unknown".
 */
#ifndef LOOKUPD_LOOKUP_H
#define LOOKUPD_LOOKUP_H

#include "lib/address.h"
#include "lookupd/database.h"

/* Which rule decided. */
enum lookup_match {
	MATCH_NONE,
	MATCH_USER,       /* the local part as it is */
	MATCH_DELIMITED,  /* the local part without its extension */
	MATCH_EXTENSIONS, /* a record for all extensions of a local part */
	MATCH_CATCH_ALL,
	MATCH_PATTERN,    /* an expression on the whole address */
	MATCH_BOX,        /* a file, or its absence, of the user who has the box */
	MATCH_DOMAIN,     /* every local part of the domain */
	MATCH_POSTMASTER, /* the configured address */
	MATCH_OVERLAY,    /* said since the database was made */
	MATCH_OBSERVED,   /* none: the domain is only observed */
};

struct lookup_result {
	enum rcpt_verdict verdict;
	enum lookup_match match;
	/* Borrowed from the database, or static. */
	struct span status, text; /* RCPT_REFUSED, RCPT_DEFERRED */
	struct span route, class; /* RCPT_ACCEPTED; may be empty */
	struct span delivered_to; /* RCPT_ACCEPTED; empty: not known */
	uint64_t size_limit;      /* octets, 0: none */
	bool no_bounces;          /* RCPT_ACCEPTED: but not from the null sender */
	enum leaf_verdict leaf; /* what the record says; LEAF_RELAY: the back end would relay it */
	uint8_t leaf_flags;     /* LEAF_UNVERIFIED ... */
	const char *trouble;    /* RCPT_TROUBLE: why, a static text */
	bool unevaluable;       /* RCPT_TROUBLE: a record that this version cannot evaluate */
};

/*
 * In: a, with a domain.
 * Cost: at most about (2 + octets of a set that stand in the local part) probes for each table;
 * of boxes, one for each "." and "%", wild octet, break and "-" in the address that has a length
 * which the database knows.
 */
void lookup(const struct database *db, const struct address *a, struct lookup_result *r_out);

/* Sees each record that a lookup finds, in their order. */
struct lookup_trace {
	void (*on_record)(struct lookup_trace *t, struct span key, struct span value);
	/* From inside: whose forward it is, where the domain is no installation's; 0: not said. */
	uint16_t boxes;
};

enum lookup_from {
	LOOKUP_FROM_OUTSIDE, /* RCPT: only for domains that are served */
	LOOKUP_FROM_INSIDE,  /* a forward of the back end, which may go anywhere */
};

/*
 * The same for an address that need not be one of SMTP: without a domain it gets that of the
 * installation, and it may be empty. Longer than ADDRESS_MAX: unknown.
 * In: trace, or NULL.
 */
void lookup_octets(const struct database *db, struct span address, enum lookup_from from,
    struct lookup_trace *trace, struct lookup_result *r_out);

/*
 * The leaf that a box comes to which has nothing behind the name that led to its controller.
 * In: db, of which only records of files are asked.
 * Returns: empty when it is a table, or no record says it, or something is wrong.
 */
struct span lookup_box_leaf(const struct database *db, struct span controller);

/* Asks for the canary by the ordinary steps. Returns: whether the database answers as it must. */
bool lookup_canary(const struct database *db);

/*
 * The rule of RFC 5321 4.5.1: mail for <postmaster>, and for postmaster@ of a domain that the
 * database serves but for which it knows no postmaster, goes to the address `postmaster`.
 *
 * Where the database serves the domain of that address, its record decides as for any other
 * recipient; should it not accept it, the answer is a 4xx, since a refused postmaster would be
 * our fault. Where the database does not know that domain, the address is taken as configured,
 * without route and class.
 *
 * In: asked, with or without domain; postmaster, NULL when none is configured.
 * Out: *recipient_out, where the mail goes: asked or postmaster.
 */
void lookup_recipient(const struct database *db, const struct address *asked,
    const struct address *postmaster, struct lookup_result *r_out,
    const struct address **recipient_out);

/*
 * Rows 85 and 106: whether a local part, which a mail system might take for a route, a file, a
 * program or an option, is only found when a record spells it out.
 */
bool lookup_literal_only(struct span local);

/* Postfix cuts nothing off owner-... and ...-request when "-" is a delimiter. */
bool lookup_never_cut(struct span local, struct span delimiters);

/* "user", "extensions", ... for reports. */
const char *lookup_match_name(enum lookup_match match);

#endif
