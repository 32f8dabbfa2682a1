/*
 * What a Postfix does with an address, from its parameters and tables: the source postfix:DIR.
 *
 * postfix_setup.c reads the installation. postfix_find.c asks tables for an address,
 * postfix_resolve.c is trivial-rewrite, postfix_rcpt.c what smtpd answers, postfix_final.c what
 * becomes of accepted mail (cleanup, qmgr, virtual), postfix_local*.c is local. postfix_names.c
 * gathers every address that tables and accounts know of; postfix_domain.c asks for all of one
 * domain, and postfix_source.c makes records of the answers (postfix_leaf.c, postfix_sheet.c).
 */
#ifndef LOOKUPD_POSTFIX_H
#define LOOKUPD_POSTFIX_H

#include "lookupd/postfix_table.h"
#include "lookupd/postfix_text.h"

/*
 * Local part and extension that stand for any that no table has; they cannot be asked for in a
 * session.
 */
#define POSTFIX_ANY_LOCAL "\x01"
#define POSTFIX_ANY_EXTENSION "\x02"

/* ---- an installation ---- */

struct postfix_item {
	struct keymap_item by_word;
	bool negated;
	struct postfix_table *table; /* NULL: a word */
	struct span word;            /* lower case */
	struct postfix_item *next;
};

/* Tables, or domains and tables of them, in the order in which they are asked. */
struct postfix_list {
	const char *parameter;
	struct postfix_item *first, **tail;
	struct keymap words; /* of a list of nothing but words, which is searched by them */
	bool only_words;
};

struct postfix_user {
	struct keymap_item item; /* the name */
	const char *home;
	uint32_t uid, gid;
	struct postfix_user *next;
};

/* Parameters, by their own names. */
struct postfix_parameters {
	struct postfix_list mydestination, virtual_alias_domains, virtual_mailbox_domains,
	    relay_domains;
	struct postfix_list virtual_alias_maps, virtual_mailbox_maps, virtual_uid_maps,
	    virtual_gid_maps, relay_recipient_maps, local_recipient_maps, alias_maps,
	    canonical_maps, recipient_canonical_maps, relocated_maps, transport_maps,
	    fallback_transport_maps, mailbox_transport_maps, mailbox_command_maps;
	struct span myhostname, mydomain, myorigin, recipient_delimiter, double_bounce_sender,
	    empty_address_recipient, luser_relay, fallback_transport, mailbox_transport,
	    mailbox_command, home_mailbox, forward_path, local_transport, virtual_transport,
	    relay_transport, default_transport, inet_interfaces, proxy_interfaces,
	    parent_domain_matches_subdomains, propagate_unmatched_extensions,
	    allow_mail_to_commands, allow_mail_to_files, canonical_classes,
	    recipient_canonical_classes, masquerade_domains, masquerade_classes,
	    virtual_minimum_uid, virtual_alias_recursion_limit, virtual_alias_expansion_limit,
	    smtpd_recipient_restrictions, smtpd_relay_restrictions;
	bool append_at_myorigin, append_dot_mydomain, swap_bangpath, allow_percent_hack,
	    allow_min_user, allow_untrusted_routing, owner_request_special, require_home_directory,
	    smtpd_reject_unlisted_recipient;
};

struct postfix_notes;
struct postfix_names;

/* What the operator says holds. */
struct postfix_said {
	struct span name; /* empty: of domains of which nothing is said */
	enum postfix_word word;
	bool used;
	struct postfix_said *next;
};

struct postfix {
	struct pool pool;
	struct report *report;
	struct digest digest;
	const char *source; /* as in reports */
	const char *dir, *bin, *root, *passwd;
	bool strict; /* what is delivered and bounced as well is refused */
	struct postfix_parameters is;
	struct postfix_table *tables, **table_tail;
	struct keymap users;
	struct postfix_user *first_user, **user_tail;
	bool failed, trouble; /* as in struct postfix_reader */
	/* Of tables, of rules in them, and of domains elsewhere. */
	struct postfix_said *said, *said_rules, *said_remote;
	struct postfix_said *elsewhere; /* domains that another source has; no words */
	struct span backend;            /* that gets its mail, or empty */
	/* While an address is judged: what is asked for an unknown local part or extension. */
	struct postfix_notes *notes;
	struct postfix_names *names; /* NULL: not gathered yet */
	bool whole;             /* the key is a whole address or domain: rules are asked, too */
	enum postfix_word word; /* of the tables that were asked and are not listed */
};

/* Reads parameters, tables and accounts. In: text, DIR[,OPTION...]; source and report are set. Returns: false when something failed; reported. */
bool postfix_setup(struct postfix *p, const char *text);
void postfix_clear(struct postfix *p);

/* ---- tables, asked for addresses (mail_addr_find) ---- */

struct postfix_found {
	struct span value;
	const struct postfix_table *table;
	struct span extension; /* of the question, with its delimiter, when it did not count */
};

/* One key in all tables of a list. */
bool postfix_find_key(struct postfix *p, const struct postfix_list *list, struct span key,
    bool folded, struct postfix_found *found_out);

enum postfix_find { POSTFIX_FIND_ADDRESS, POSTFIX_FIND_TRANSPORT, POSTFIX_FIND_UNFOLDED };

/* The whole address, without extension, the bare name if the domain is local, @domain. */
bool postfix_find(struct postfix *p, const struct postfix_list *list, struct span address,
    enum postfix_find how, struct postfix_found *found_out);

/* Whether a list of domains has this one; with subdomains as in a domain_list. */
bool postfix_has(struct postfix *p, const struct postfix_list *list, struct span domain);
bool postfix_has_parent(
    struct postfix *p, const struct postfix_list *list, struct span domain, bool parent_style);

/* Whether parent_domain_matches_subdomains has this parameter. */
bool postfix_parent_style(const struct postfix *p, const char *parameter);

size_t postfix_split_local(const struct postfix *p, struct span local);

/* ---- trivial-rewrite ---- */

enum postfix_class {
	POSTFIX_CLASS_BAD, /* the address is no address */
	POSTFIX_CLASS_LOCAL,
	POSTFIX_CLASS_ALIAS,
	POSTFIX_CLASS_VIRTUAL,
	POSTFIX_CLASS_RELAY,
	POSTFIX_CLASS_DEFAULT,
};

struct postfix_resolved {
	enum postfix_class class;
	bool routed;               /* the local part has routing characters left in it */
	struct span transport;     /* its name */
	struct span nexthop;       /* of error and retry: the text */
	bool moved;                /* relocated_maps has it */
	struct postfix_address to; /* the address that is delivered to */
};

bool postfix_is_local(struct postfix *p, struct span domain);
enum postfix_class postfix_class_of(struct postfix *p, struct span domain);

/* Canonical form: a domain for every address (rewrite_tree). */
void postfix_rewrite(struct postfix *p, struct postfix_address *a);
void postfix_resolve(
    struct postfix *p, const struct postfix_address *a, struct postfix_resolved *r_out);

/* ---- verdicts ---- */

/* What happened to the copies of a message; several are said together. */
enum {
	POSTFIX_DISCARDED = 1,
	POSTFIX_DELIVERED = 2,
	POSTFIX_REMOTE = 4,
	POSTFIX_TEMPORARY = 8,
	POSTFIX_BOUNCED = 16,
	POSTFIX_UNVERIFIED = 32, /* a program decides in the end */
};

enum postfix_reason {
	POSTFIX_UNKNOWN_USER,
	POSTFIX_NO_RELAY,
	POSTFIX_BAD_ADDRESS,
	POSTFIX_MOVED,
	POSTFIX_ERROR_TRANSPORT,
	POSTFIX_LATE, /* accepted, and bounced by a target */
};

struct postfix_outcome {
	unsigned what;                  /* of POSTFIX_DISCARDED ... */
	enum postfix_reason reason;     /* why refused */
	bool refused;                   /* smtpd says no */
	struct span text;               /* "5.1.6 text" of relocated and error, or empty */
	const struct postfix_table *by; /* the table that decided, NULL: none */
	bool forwarded;                 /* the verdict is that of another address */
};

/* A chain of deliveries in which an address must not come twice (Delivered-To). */
struct postfix_trail {
	const struct postfix_trail *before;
	struct span address;
	unsigned depth;
};

/* smtpd's RCPT, then all that follows. */
void postfix_judge(
    struct postfix *p, const struct postfix_address *asked, struct postfix_outcome *o_out);

/* Accepted, or forwarded by local: through cleanup to its ends. */
void postfix_deliver(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o);

/* The same without canonical mapping, which virtual aliases come behind. */
void postfix_deliver_canonical(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o);

/* local(8). In: r, resolved, of class local. */
void postfix_deliver_local(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o);

#endif
