/*
 * One evaluation of SPF: its names, its questions, its limits. Knows nothing of the library.
 */
#ifndef VALIDATORS_SPF_RUN_H
#define VALIDATORS_SPF_RUN_H

#include "validators/spf.h"
#include "validators/spf_macro.h"

enum { SPF_PLACES = 320 }; /* (1 + 10 records) x 13 terms, and 10 x 11 hosts */

/* What a placeholder in a record of ours stands for. */
enum spf_place_kind {
	SPF_PLACE_RECORD, /* the domain of include or redirect, or the first one */
	SPF_PLACE_A,
	SPF_PLACE_MX,
	SPF_PLACE_MX_HOST,
	SPF_PLACE_PTR,
	SPF_PLACE_EXISTS,
};

struct spf_place {
	enum spf_place_kind kind;
	unsigned bits; /* of the client's address that must match: of 32 or 128 */
	uint8_t len;
	uint8_t name[DNS_NAME_MAX]; /* empty: one that no DNS can hold */
};

enum spf_trouble { SPF_FINE, SPF_PERMANENT, SPF_TEMPORARY };

struct spf_run {
	const struct spf_question *question;
	const struct resolver *resolver;
	struct spf_macro_facts facts;
	enum spf_trouble trouble; /* overrides what the library says */
	bool no_record;           /* at the first domain */
	bool no_mail;             /* its record is nothing but -all */
	bool everybody;           /* a record lets anybody pass */
	unsigned terms, voids;
	struct buf reason;
	size_t places_used;
	bool have_validated;
	uint8_t validated[DNS_NAME_MAX];
	size_t validated_len;
	struct dns_reply reply;         /* of the question in progress */
	struct dns_reply address_reply; /* of one about a name in `reply` */
	uint8_t local[256], domain[DNS_NAME_MAX];
	uint8_t record[DNS_RECORD_MAX]; /* the one being rewritten: replies come and go meanwhile */
	struct spf_place places[SPF_PLACES];
};

/* Out: answer of a lookup as the library is told it. */
enum spf_found { SPF_FOUND, SPF_NOT_FOUND, SPF_NO_NAME, SPF_GAVE_UP };

/* In: reason_room holds the reason and outlives the run. */
void spf_run_init(struct spf_run *run, const struct spf_question *q,
    const struct resolver *resolver, struct buf reason_room);

/* The first trouble is the verdict; `name` may be empty. */
void spf_run_trouble(
    struct spf_run *run, enum spf_trouble trouble, const char *what, struct span name);

/*
 * Makes a place. A name that no DNS can hold is kept as the empty name, which is never found.
 * Returns: its number, or -1 when there are too many; that is a permanent trouble.
 */
int spf_run_place(struct spf_run *run, enum spf_place_kind kind, struct span name, unsigned bits);

/* A term that asks the DNS: RFC 7208 4.6.4. Returns: false past the limit. */
bool spf_run_count_term(struct spf_run *run);

/*
 * Looks whether a name of the place has an address that matches the client's (a, mx host), or any
 * at all (exists), or is a validated name of the client (ptr).
 * Out: *match_out, with SPF_FOUND.
 */
enum spf_found spf_run_lookup(struct spf_run *run, const struct spf_place *place, bool *match_out);

/*
 * Asks for the hosts of an mx term and makes a place for each, one more than the limit at most.
 * Out: *first_out and *count_out, with SPF_FOUND.
 */
enum spf_found spf_run_mx(
    struct spf_run *run, const struct spf_place *place, int *first_out, size_t *count_out);

/*
 * Fetches the record of a domain and checks it. The very first may be missing: run->no_record.
 * Out: *record_out, borrowed until the next record.
 * Returns: false when there is none that can be used.
 */
bool spf_run_record(struct spf_run *run, const struct spf_place *place, struct span *record_out);

/* The client's address lies in the network. */
bool spf_ip_matches(const struct ip *client, const struct ip *network, unsigned bits);

#endif
