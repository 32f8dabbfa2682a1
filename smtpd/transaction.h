/*
 * One mail transaction: from the accepted MAIL to the reply at the end of data, RSET, or the
 * end of the session. All its memory is one arena with a cap; it is given back at once.
 */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "lib/address.h"
#include "lib/catalogue.h"
#include "smtpd/content.h"
#include "smtpd/header.h"
#include "smtpd/id.h"
#include "smtpd/message.h"
#include "smtpd/reply.h"

enum {
	TRANSACTION_BLOCK = 4096,        /* octets of the first block, and of each further one */
	TRANSACTION_GRANTED_MAX = 80000, /* octets of all recipients inside `submit` */
	TRANSACTION_PENDING_MAX = 128,   /* RCPTs whose answer is outstanding */
};

/* An accepted recipient, as lookupd granted it. */
struct recipient {
	struct recipient *next;
	uint64_t size_limit, generation, expiry;
	uint64_t delivered_to; /* header_digest of what the back end would write; 0: not known */
	uint32_t hash;         /* of the address in lower case */
	uint16_t len, local_len;
	uint16_t asked_len; /* 0: asked for by this very address */
	uint8_t exempt;     /* from the checks of client and sender */
	uint8_t grant[32];
	uint8_t address[]; /* inside form; behind it, the one that was asked for */
};

struct arena_block;

struct transaction {
	uint64_t number; /* counts up in this worker; the nonce of the grants */
	struct id id;
	struct pool *blocks;
	struct arena_block *arena;

	/* MAIL */
	struct address from;
	uint64_t declared_size; /* 0: not said */
	bool eight_bit, smtputf8;

	/* what validators say of client and sender; smtpd/envelope.h */
	bool awaits_envelope;           /* RCPT waits for it */
	enum reply_id envelope_refusal; /* REPLY_NONE: nothing is wrong */
	struct span envelope_detail;    /* for that reply; in the arena */
	struct span client_name;        /* forward-confirmed; in the arena; empty: none */

	/* RCPT */
	struct recipient *first, **tail;
	unsigned recipients; /* accepted, without duplicates */
	size_t granted_len;  /* octets they take inside `submit` */
	uint8_t route[64], class[64];
	uint8_t route_len, class_len;
	uint64_t size_limit; /* smallest limit of all that applies */
	bool knows_loops;    /* delivered_to of some recipient is known */
	unsigned tried;      /* RCPTs answered */
	unsigned others;     /* RCPTs refused because they belong to another group or class */
	uint64_t avoided;    /* note of a group that deferred the message before; 0: none */
	unsigned excess;     /* RCPTs refused because the transaction was full */
	struct asked *asked; /* addresses whose answer is outstanding; NULL when none is */
	unsigned pending;    /* how many those are */
	unsigned stale;      /* answers that will come but were given up */

	/* DATA */
	struct content content;
	struct header header;
	struct message message;
	bool storage_failed;
	bool ended;      /* the content is complete */
	uint64_t stored; /* octets of content in LF form, once it ended */

	/* after the end of data: recipients that lookupd is asked about again */
	const struct recipient *unasked;
	struct recipient *unanswered;
	unsigned outstanding; /* those between them */

	bool submitted; /* validators have it; they need no envelope_drop */
	bool committed; /* we told queue-handoff to go */
	enum auth_result spf;

	/* for the log; clock_ms() */
	uint64_t mail_ms, data_ms, end_ms;
	enum reply_id verdict; /* what the client was told at the end; REPLY_NONE: nothing */
};

/*
 * In: blocks, a pool of TRANSACTION_BLOCK octets; outlives the transaction.
 * Returns: NULL when memory is out.
 */
struct transaction *transaction_new(
    struct pool *blocks, struct pool *messages, struct budget *budget);
void transaction_free(struct transaction **t);

/* Returns: a copy that lives as long as the transaction; empty when memory is out. */
struct span transaction_keep(struct transaction *t, struct span octets);

/* Remembers an address that lookupd is asked about. Returns: false when too many are outstanding, or no memory. */
bool transaction_ask(struct transaction *t, struct span address);

/* Whether transaction_ask would take another address of that length. */
bool transaction_can_ask(const struct transaction *t, size_t len);

/* Takes back the oldest address asked about. Out: *address_out, valid until the next call of transaction_ask or _answered. */
void transaction_answered(struct transaction *t, struct span *address_out);

/* An entry with the same local part octets and the same domain, or NULL. */
const struct recipient *transaction_find(const struct transaction *t, struct span address);

/* Whether the answer belongs to the same back-end group and policy class as those before. */
bool transaction_same_group(const struct transaction *t, const struct msg_rcpt_answer *answer);

/* Adds an accepted recipient. In: asked, as the client named it. Returns: false when its memory is used up. */
bool transaction_add(
    struct transaction *t, struct span asked, const struct msg_rcpt_answer *answer);

/* Whether a Delivered-To: field with that digest says that one of the recipients had the message before (row 182). */
bool transaction_is_loop(const struct transaction *t, uint64_t digest);

/*
 * Replaces the grant of a recipient by a newer one. A single recipient may go elsewhere now; of
 * several, each must go where it went. Returns: false when it does not, or memory is out.
 */
bool transaction_renew(
    struct transaction *t, struct recipient *r, const struct msg_rcpt_answer *answer);

/* The address that the client named. */
struct span transaction_asked(const struct recipient *r);

/* Encodes the list of grants for `submit` into b. */
struct msg_list transaction_granted(const struct transaction *t, struct buf *b);

#endif
