/*
 * The typed messages between programs: struct msg_NAME for every entry of catalogue.def,
 * one encoder and one decoder.
 */
#ifndef LIB_CATALOGUE_H
#define LIB_CATALOGUE_H

#include "lib/buf.h"
#include "lib/programs.h"

/* A repeated record inside a message. After decoding every element is known to be good. */
struct msg_list {
	struct span encoded; /* the elements */
	uint16_t count;
};

#define MESSAGE(name, number, from, to, cap, fd, help) struct msg_##name {
#define RECORD(name, help) struct msg_##name {
#define U8(owner, field, max, help) uint8_t field;
#define U16(owner, field, max, help) uint16_t field;
#define U32(owner, field, max, help) uint32_t field;
#define U64(owner, field, max, help) uint64_t field;
#define BYTES(owner, field, min, max, help) struct span field;
#define OCTETS(owner, field, octets, help) uint8_t field[octets];
#define LIST(owner, field, record, min, max, help) struct msg_list field;
#define END(name) \
	} \
	;
/* ready has no fields; a struct without members is an extension both compilers take. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include "lib/catalogue.def"
#pragma GCC diagnostic pop
#undef MESSAGE
#undef RECORD
#undef U8
#undef U16
#undef U32
#undef U64
#undef BYTES
#undef OCTETS
#undef LIST
#undef END

/* MSG_NAME is the number of the message on the wire. */
enum msg_type {
	MSG_NONE = 0,
#define MESSAGE(name, number, from, to, cap, fd, help) MSG_##name = number,
#define RECORD(name, help)
#define U8(owner, field, max, help)
#define U16(owner, field, max, help)
#define U32(owner, field, max, help)
#define U64(owner, field, max, help)
#define BYTES(owner, field, min, max, help)
#define OCTETS(owner, field, octets, help)
#define LIST(owner, field, record, min, max, help)
#define END(name)
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
	MSG_LIMIT = 128,
};

/* Indexes of the records that lists repeat. */
enum record_type {
#define MESSAGE(name, number, from, to, cap, fd, help)
#define RECORD(name, help) RECORD_##name,
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
	RECORD_COUNT,
};

/* Room for any decoded message. */
union msg {
#define MESSAGE(name, number, from, to, cap, fd, help) struct msg_##name name;
#define RECORD(name, help)
#include "lib/catalogue.def"
#undef MESSAGE
#undef RECORD
#undef U8
#undef U16
#undef U32
#undef U64
#undef BYTES
#undef OCTETS
#undef LIST
#undef END
};

/* ---- values of enumerated fields ---- */

enum file_kind {
	FILE_RECIPIENTS,
	FILE_CERTIFICATE,
	FILE_KEY,
	FILE_PREVIOUS, /* the database that FILE_RECIPIENTS replaced */
	FILE_OVERLAY,  /* changes since it was made */
};
enum command_verb { COMMAND_STATUS, COMMAND_RELOAD, COMMAND_STOP };

enum rcpt_verdict {
	RCPT_ACCEPTED,
	RCPT_UNKNOWN_USER,   /* 550 5.1.1 */
	RCPT_UNKNOWN_DOMAIN, /* 550 5.7.1 */
	RCPT_REFUSED,        /* 5xx with the record's status and text */
	RCPT_DEFERRED,       /* 4xx with the record's status and text */
	RCPT_TROUBLE,        /* 451 4.4.3: lookupd cannot tell */
};

enum auth_result { /* RFC 8601 2.7 */
	AUTH_UNCHECKED,
	AUTH_NONE,
	AUTH_PASS,
	AUTH_FAIL,
	AUTH_SOFTFAIL,
	AUTH_NEUTRAL, /* for DKIM also "policy" */
	AUTH_TEMPERROR,
	AUTH_PERMERROR,
};

/* "unchecked", or the word of RFC 8601 for SPF. Any value is taken; one that is none is "unchecked". */
const char *auth_result_name(unsigned result);

enum refusal {
	REFUSAL_INTERNAL,         /* 451 4.3.0: a child crashed, hung or lied; a link is down */
	REFUSAL_BUSY,             /* 451 4.3.2 */
	REFUSAL_DNS,              /* 451 4.4.3 */
	REFUSAL_SPF_FAIL,         /* 550 5.7.23, by policy */
	REFUSAL_SPF_DEFER,        /* 451 4.7.24, by policy */
	REFUSAL_SPF_ERROR,        /* 550 5.7.24 */
	REFUSAL_HELO,             /* 550 5.7.23: of the HELO name */
	REFUSAL_FROM_MALFORMED,   /* 554 5.6.0 */
	REFUSAL_FROM_SEVERAL,     /* 550 5.7.1 */
	REFUSAL_DKIM_NONE,        /* 550 5.7.20 */
	REFUSAL_DKIM_UNALIGNED,   /* 550 5.7.22 */
	REFUSAL_DMARC,            /* 550 5.7.26 */
	REFUSAL_DEFERRED,         /* 451 4.7.1: a rule says defer */
	REFUSAL_LISTED,           /* 550 5.7.1: on a DNS list; detail names it */
	REFUSAL_LISTED_DEFER,     /* 451 4.7.1 */
	REFUSAL_NO_REVERSE,       /* 550 5.7.25 */
	REFUSAL_NO_REVERSE_DEFER, /* 451 4.7.25 */
	REFUSAL_SENDER_UNKNOWN,   /* 550 5.1.8 */
	REFUSAL_SENDER_NULL_MX,   /* 550 5.7.27 */
};

/* It is answered with 5xx. In: an enum refusal; any value is taken. */
bool refusal_is_for_good(unsigned reason);

enum handoff_outcome {
	HANDOFF_TAKEN,         /* 250: the back end's complete, positive answer has been read */
	HANDOFF_NO_CONNECTION, /* 451 4.4.1 */
	HANDOFF_BROKEN,        /* 451 4.4.2: the conversation broke off or took too long */
	HANDOFF_PROTOCOL,      /* 451 4.3.0: not an answer of its protocol */
	HANDOFF_DEFERRED,      /* 451 4.3.0: the back end said so */
	HANDOFF_REFUSED,       /* 554 5.3.0: the back end refused for good, and is believed */
	HANDOFF_DOUBTED,       /* 451 4.3.0: it refused for good, and is not believed */
	HANDOFF_GRANT,         /* 451 4.3.0: a recipient had no good grant */
	HANDOFF_INTERNAL,      /* 451 4.3.0: memory, descriptors, a link */
	HANDOFF_BUSY,          /* 451 4.3.2 */
	HANDOFF_GIVEN_UP,      /* smtpd said no at the commit question */
	HANDOFF_MIXED, /* 451 4.3.0: not the same answer for every recipient; all are remembered */
	HANDOFF_TAKEN_BEFORE, /* 250: a repeat; the back end took it already, and gets no second copy */
};

/* The domain of a reverse-path. */
enum sender_domain {
	SENDER_UNCHECKED,
	SENDER_GOOD,
	SENDER_UNKNOWN, /* it has neither a mail exchanger nor an address */
	SENDER_NULL_MX, /* it says that it takes no mail: RFC 7505 */
	SENDER_TROUBLE, /* the DNS did not answer */
};

enum dns_status {
	DNS_OK,
	DNS_NO_DATA,
	DNS_NO_NAME,
	DNS_TROUBLE,  /* may be different later */
	DNS_UNUSABLE, /* an answer past our bounds: asking again will not help */
};

/* What DNSSEC says of an answer. */
enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_BOGUS };

/* The key of the root zone as Debian's package dns-root-data installs it. */
#define DNS_ROOT_KEY "/usr/share/dns/root.key"

enum dkim_algorithm { DKIM_OTHER, DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_RSA_SHA1 };

/* What a check is to find out; a set. */
enum check_wanted {
	WANT_SPF = 1,      /* with the client of a trusted relay's Received:, in a message job */
	WANT_SPF_HELO = 2, /* of the HELO name too */
	WANT_DKIM = 4,
	WANT_DMARC = 8,
	WANT_SENDER = 16, /* whether the domain of the reverse-path takes mail */
};

enum tls_failure { TLS_FAILED_HANDSHAKE, TLS_FAILED_TIMEOUT, TLS_FAILED_INTERNAL };

enum sign_scheme { SIGN_ECDSA, SIGN_RSA_PKCS1, SIGN_RSA_PSS };

/* ---- encoding and decoding ---- */

enum msg_fd { NO_FD, FD, MAY_FD };

struct msg_info {
	const char *name;
	enum msg_type type;
	unsigned senders, receivers; /* sets of programs, BY() */
	size_t cap;                  /* octets of the encoded fields at most */
	enum msg_fd fd;
};

/* Returns: the entry, or NULL when no message has that number. */
const struct msg_info *msg_info(unsigned type);

/* A number that differs between different catalogues; travels in the hello. */
uint64_t catalogue_digest(void);

/* Writes docs/catalogue.md to standard output. */
void catalogue_print_markdown(void);

/*
 * Appends the fields of a message.
 * In: fields, the struct msg_NAME of that type.
 * Returns: false when a field is out of its bounds or the whole is over the cap or does not
 * fit into b; then b is marked full.
 */
bool msg_encode(enum msg_type type, const void *fields, struct buf *b);

/*
 * Decodes the fields of a message and checks every bound, those of list elements included;
 * octets left over are an error.
 * Out: m->NAME; its spans and lists borrow from `encoded`.
 */
bool msg_decode(enum msg_type type, struct span encoded, union msg *m);

/*
 * Encodes one element of a list into b. The caller gathers elements in a buffer and then
 * sets list.encoded and list.count. Returns: false when it is out of bounds or does not fit;
 * the octets are as before then, and b is marked full.
 */
bool msg_list_put(struct buf *b, enum record_type record, const void *element);

/*
 * Takes the next element of a decoded list. `rest` starts as the list's `encoded` and shrinks.
 * Returns: false at the end.
 */
bool msg_list_next(struct span *rest, enum record_type record, void *element_out);

#endif
