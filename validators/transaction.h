/*
 * Transactions: what is known about a message between MAIL and its verdict.
 *
 * A transaction belongs to the link that it came on and ends with it. Its facts are those that
 * smtpd gave at MAIL; a message that is submitted with other facts gets a check of its own.
 */
#ifndef VALIDATORS_TRANSACTION_H
#define VALIDATORS_TRANSACTION_H

#include "validators/clients.h"
#include "validators/foresight.h"
#include "validators/jobs.h"
#include "validators/policy.h"

#include "lib/ip.h"

struct worker;

enum {
	TRANSACTIONS_MAX = 65536, /* of all workers together */
	TRANSACTION_BUCKETS = 4096,
	SPF_DOMAIN_MAX = 255,
	SPF_REASON_MAX = 200,
	SIGNATURES_MAX = 8,
	SIGNATURES_OCTETS = 4500, /* as encoded records */
};

enum check_state { CHECK_NOT_WANTED, CHECK_RUNNING, CHECK_DONE, CHECK_FAILED };

struct spf_check {
	enum check_state state;
	uint8_t result; /* enum auth_result */
	uint8_t helo;   /* of the HELO name; AUTH_UNCHECKED: not asked */
	bool no_mail;   /* the domain's whole record is -all */
	uint8_t sender; /* enum sender_domain */
	uint8_t domain_len, reason_len;
	uint8_t domain[SPF_DOMAIN_MAX];
	uint8_t reason[SPF_REASON_MAX];
};

/* Judged signatures as dkim_result records, and a line about them for the log. */
struct dkim_check {
	uint16_t count, passed;
	bool key_trouble; /* a key was not got */
	size_t len, note_len;
	uint8_t encoded[SIGNATURES_OCTETS];
	uint8_t note[400];
};

struct author_check {
	struct policy_author verdict;
	struct from_domain domain, policy_domain;
};

/* What was found out about the content. */
struct content_state {
	enum check_state state;
	unsigned checks; /* set of enum check_wanted: what was asked for */
	struct dkim_check dkim;
	enum from_status from;
	bool sealed;  /* signed by a trusted sealer */
	bool relayed; /* the transaction's spf and spf_client are about a relay's client */
	size_t author_count;
	struct author_check authors[FROM_DOMAINS_MAX];
};

/* A submitted message that waits for its verdict. */
struct held_message {
	uint64_t due_ms; /* loop time at which the reply is due */
	struct timer timer;
	int fd;             /* -1: the content is in `encoded` */
	uint8_t all_exempt; /* no recipient wants the checks to refuse anything */
	struct content_state content;
	size_t len;
	uint8_t encoded[]; /* the submit message */
};

struct transaction {
	struct transaction *next;              /* of the bucket */
	struct transaction *prev_of, *next_of; /* of the worker */
	struct worker *worker;
	uint64_t session, number;
	struct job *jobs[JOB_KINDS];
	struct foresight foresight; /* while it waits, the check of the envelope has not begun */
	struct held_message *held;  /* NULL: not submitted yet */
	unsigned questions_left;
	enum refusal failure; /* once a check is CHECK_FAILED */
	bool told;            /* smtpd has the result of the envelope */
	bool judges_client;   /* its name and lists count */
	struct spf_check spf;
	struct client_waiter client_known;
	struct ip client;
	struct ip spf_client;           /* the one that SPF judged */
	struct span helo, reverse_path; /* in room */
	uint8_t room[];
};

struct transactions {
	size_t count;
	struct transaction *buckets[TRANSACTION_BUCKETS];
};

/*
 * Makes one. In: the spans are copied.
 * Returns: NULL when there are too many or memory is out.
 */
struct transaction *transaction_new(struct transactions *table, struct worker *worker,
    uint64_t session, uint64_t number, const struct ip *client, struct span helo,
    struct span reverse_path);

/* Returns: NULL when there is none. */
struct transaction *transaction_find(const struct transactions *table, const struct worker *worker,
    uint64_t session, uint64_t number);

/*
 * Keeps a submitted message, descriptor included.
 * In: fd is owned from now on, in case of failure too.
 * Returns: false when memory is out.
 */
bool transaction_hold(struct transaction *t, const struct msg_submit *m, int fd);

/* The message as it was submitted. Out: its spans lie in the held message. */
void transaction_submitted(const struct held_message *held, union msg *m_out);

/* Cancels its jobs, closes what it holds. Clears *t; takes NULL. */
void transaction_free(struct transactions *table, struct transaction **t);

#endif
