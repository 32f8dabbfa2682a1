/*
 * Answers of the DNS that may be given again: what resolverd said of late, for as long as it may
 * be kept, at most a minute. A message asks for what the one before it has asked for; its question
 * need not go as far as resolverd.
 *
 * The table forgets: an answer that shares its place with a newer one is gone. Its key is secret, so
 * nobody can choose names that share one.
 *
 * An answer also knows its successor: what was asked next when it was asked last. Who is about to ask
 * for the one can be told both.
 */
#ifndef VALIDATORS_KNOWN_H
#define VALIDATORS_KNOWN_H

#include "lib/catalogue.h"
#include "lib/siphash.h"

#include "validators/dns.h"

enum {
	KNOWN_MAX = 1024,          /* answers */
	KNOWN_OCTETS_MAX = 1024,   /* of the records of one; a longer one is not kept */
	KNOWN_KEEP_MS = 60 * 1000, /* at most */
	KNOWN_NOWHERE = KNOWN_MAX  /* no place */
};

/* What was asked. Names that differ in case are different names here. */
struct known_key {
	uint16_t type;
	uint8_t name_len;
	uint8_t name[DNS_NAME_MAX];
};

struct known_answer {
	uint64_t until_ms; /* 0: a free place */
	struct known_key key;
	struct msg_dns_answer answer; /* its records are below */
	uint16_t successor;           /* place of what was asked next, KNOWN_NOWHERE: nothing */
	bool again;                   /* asked more than once, so that it is no single message's */
	uint8_t records[KNOWN_OCTETS_MAX];
};

struct known_answers {
	uint8_t secret[SIPHASH_KEY_LEN];
	struct known_answer places[KNOWN_MAX];
};

/* In: name, 1 to DNS_NAME_MAX octets. */
void known_key_of(struct known_key *key_out, uint16_t type, struct span name);

/* In: zeroed memory. */
void known_init(struct known_answers *known);

/* Keeps an answer that is one, and may be kept. */
void known_keep(struct known_answers *known, const struct known_key *key, uint64_t now_ms,
    const struct msg_dns_answer *answer);

/*
 * In: an answer that is found has been asked for again.
 * Out: the answer as it was, its `asked` 0, its time to live what is left of it; its records are
 * borrowed until something is kept.
 * Returns: false when it is not known.
 */
bool known_find(struct known_answers *known, const struct known_key *key, uint64_t now_ms,
    struct msg_dns_answer *answer_out);

/* Returns: the place of an answer to this, whether there is one or not. */
uint16_t known_place(const struct known_answers *known, const struct known_key *key);

/* In: places; the second was asked next after the first, by the same asker. */
void known_follow(struct known_answers *known, uint16_t place, uint16_t successor);

/*
 * The successor of what has this place, if it is known and more than one has asked for it: a name may
 * be made of the addresses of a message, and those are told to no other.
 * Out: key, borrowed like the records of the answer.
 * Returns: its place; KNOWN_NOWHERE when there is none.
 */
uint16_t known_successor(const struct known_answers *known, uint16_t place, uint64_t now_ms,
    const struct known_key **key_out, struct msg_dns_answer *answer_out);

void known_forget_all(struct known_answers *known);

#endif
