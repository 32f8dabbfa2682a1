/*
 * What the importers of mail systems say: records of any kind, what a domain is besides its
 * lists, and where mail for a record goes on to. Where forwards end is found out when all
 * sources have been read (resolve.h); until then a leaf has only its immediate verdict.
 *
 * Functions that return false or NULL have no memory left; `failed` stays set then, so that an
 * importer may look once, at its end.
 */
#ifndef LOOKUPD_RULES_H
#define LOOKUPD_RULES_H

#include "lookupd/pool.h"
#include "lookupd/keymap.h"
#include "lookupd/provenance.h"
#include "lookupd/record.h"

struct rule_forward {
	struct span address; /* as the back end has it: perhaps without domain, perhaps empty */
	struct place place;
	struct rule_forward *next;
};

/* What is known of the end of a rule's forwards. */
enum rule_state { RULE_PENDING, RULE_ACTIVE, RULE_RESOLVED };

/*
 * An installation of a mail system, of which one database may have several: what is local to
 * one of them means nothing in another.
 */
struct installation {
	uint16_t number; /* from 1, in the order of the sources; as in DOMAIN_BOXES */
	const char *source;
	struct boxes boxes;
	/* Forwards to domains that are no installation's. */
	struct keymap relayed;
	bool relay_all;
	bool strict;  /* what is delivered and bounced as well is refused */
	bool open;    /* its SMTP server limits no domain */
	bool appends; /* and appends something to each address */
	struct installation *next;
};

struct rule {
	struct keymap_item item; /* the key of its record */
	const struct installation *of;
	struct span value; /* of the record; of a leaf only when it has been resolved */
	struct provenance from;
	bool is_leaf;
	bool delivered; /* it succeeds by more than forwarding: a foreign target does not matter */
	bool stores;    /* and keeps the mail: a target that bounces makes it a partial delivery */
	enum rule_state state;
	struct leaf leaf;
	struct rule_forward *forwards, **forward_tail;
	struct rule *next;
};

/* A domain as importers see it; a list may name the same domain. */
struct rule_domain {
	struct keymap_item item; /* the name, lower case; a suffix begins with "." */
	struct domain domain;
	struct provenance from;        /* of what made it served, local or virtual */
	struct provenance served_from; /* rcpthosts and the like */
	const struct installation *of;
	bool kept; /* it has a place there: it is not only served, to be sent on */
	struct rule_domain *next;
};

struct part; /* parts.h */

struct rules {
	struct pool pool;
	struct keymap records, domains, parts;
	struct part *first_part, *counting;   /* the one that was counted last */
	struct rule *first_rule, **rule_tail; /* in the order in which they were added */
	struct rule_domain *first_domain, **domain_tail;
	uint64_t recipients; /* rules whose keys name a recipient */
	size_t files;        /* different sources in the places of rules, as importers count them */
	uint32_t targets, tables; /* numbers given away */
	bool has_postmaster;      /* the gateway has one for domains without */
	bool failed;              /* memory was out */
	struct installation *first_installation, **installation_tail;
	unsigned with_boxes, without_boxes; /* of installations */
	const struct installation *reading; /* the one whose rules are being added */
};

void rules_init(struct rules *r);
void rules_clear(struct rules *r);

/*
 * An installation, which all rules belong to that are added until the next one is begun.
 * In: source, of reports; boxes, whether it has any.
 * Returns: NULL without memory, or when there are too many.
 */
struct installation *rules_begin(struct rules *r, const char *source, bool boxes);

/*
 * Adds a record. Where the key is there already the first one stays, as in a cdb.
 * In: key, value: copied.
 * Returns: the record of that key; NULL without memory. *new_out (NULL: not wanted): whether it
 * is this one.
 */
struct rule *rules_add(
    struct rules *r, struct span key, struct span value, struct provenance from, bool *new_out);

/*
 * Adds a leaf: leaf->immediate is what this rule itself does, its verdict is found by
 * resolve. The spans of the leaf are copied.
 */
struct rule *rules_add_leaf(struct rules *r, struct span key, const struct leaf *leaf,
    struct provenance from, bool *new_out);

/* Mail that the leaf takes also goes to address (copied). */
bool rules_forward(struct rules *r, struct rule *rule, struct span address, struct place place);

struct rule *rules_find(const struct rules *r, struct span key);

/* The domain, made when it is not there. In: name in any case. */
struct rule_domain *rules_domain(struct rules *r, struct span name, struct provenance from);
struct rule_domain *rules_find_domain(const struct rules *r, struct span lower_name);

/* The operator lets mail that is forwarded to this domain go out; ".x" means all below x. */
bool rules_allow_relay(struct rules *r, struct installation *i, struct span domain);
bool rules_relay_allowed(const struct installation *i, struct span domain);

/* Numbers of tables that no list has. */
uint32_t rules_new_table(struct rules *r);
uint32_t rules_new_target(struct rules *r);

#endif
