/*
 * Records of recipients.cdb, decoded and encoded; layout.h has the layout.
 *
 * Decoders take octets of a file and never trust them. Spans in what they give borrow from the
 * value.
 */
#ifndef LOOKUPD_RECORD_H
#define LOOKUPD_RECORD_H

#include "lib/buf.h"
#include "lib/catalogue.h"
#include "lookupd/layout.h"

enum record_status {
	RECORD_OK,
	RECORD_MALFORMED,
	RECORD_UNKNOWN, /* a flag, attribute or verdict that this version does not know */
};

/* ---- attributes ---- */

struct attr {
	uint8_t type;
	struct span octets;
};

/* Returns: RECORD_OK and the next attribute; RECORD_MALFORMED when it does not fit. */
enum record_status attr_next(struct cursor *c, struct attr *a_out);

void attr_put(struct buf *b, uint8_t type, struct span octets);
void attr_put_u16(struct buf *b, uint8_t type, uint16_t v);
void attr_put_u32(struct buf *b, uint8_t type, uint32_t v);
void attr_put_u64(struct buf *b, uint8_t type, uint64_t v);

/* ---- header ---- */

/* Whose a box is, in one installation of qmail. */
struct boxes {
	struct span default_prefix; /* of domains without a prefix of their own; empty: none */
	struct span wild_octets;    /* last octets of box prefixes */
	struct span breaks;         /* the octet between account and extension, or empty */
	struct span prefix_lengths, account_lengths; /* sets */
	struct span alias_controller;                /* of a box that has no other */
	bool unreadable; /* the table of boxes: mail for boxes is put off */
};

struct header {
	uint64_t generation, built, recipients, domains;
	uint64_t files; /* accepting leaves that are in no domain's table */
	/* Of the database that was replaced: its generation, and what is gone. */
	uint64_t before, lost, files_before, files_taken;
	bool forced; /* the operator wanted all that */
	uint16_t version;
	uint32_t flags;         /* of HEADER_FLAG_ */
	struct span attributes; /* the whole value, for those that repeat */
	/* Of an installation of a mail system; empty when there is none. */
	struct span default_domain; /* of an address without one */
	struct span literal_domain; /* what an address literal of the back end stands for */
	struct span appended;       /* to every address that comes in */
	struct span suffix_lengths; /* a set */
	struct boxes boxes;         /* of the first installation */
};

/*
 * Out: *unknown_out, the type of the attribute that made it RECORD_UNKNOWN. An attribute that
 * lookup.c has no step for counts as unknown.
 */
enum record_status header_decode(struct span value, struct header *h_out, uint8_t *unknown_out);
void header_put(struct buf *b, const struct header *h); /* without the attributes that repeat */

/* The record of an installation that is not the first. */
enum record_status boxes_decode(struct span value, struct boxes *b_out);

/* As attributes, in the header or in the record of an installation. */
void boxes_put(struct buf *b, const struct boxes *boxes);

/* ---- domains ---- */

struct domain {
	uint16_t flags, route;
	uint32_t tables[LAYOUT_TABLES_MAX];
	size_t table_count;
	struct span real;         /* domain it is an alias of */
	struct span prefix;       /* of a virtual domain */
	struct span delimiters;   /* octets, empty: none */
	struct span wild_octets;  /* octets, empty: no W records */
	struct span wild_lengths; /* LAYOUT_BITS_LEN octets or empty */
	struct span charset;      /* LAYOUT_BITS_LEN octets or empty */
	struct span class;        /* of recipients without one; may be empty */
	uint64_t size;            /* the same, octets; 0: none */
	bool has_prefix, has_aliases, no_catch_all;
	/* Of a T record. */
	struct span host_charset;
	bool has_host;      /* names have the domain behind them */
	uint32_t skip;      /* octets of the extension before a name, or LAYOUT_SKIP_NOTHING */
	uint32_t patterns;  /* number of its P record; 0: none */
	bool owner_request; /* owner-... and ...-request are never cut */
	uint16_t boxes;     /* the installation that has the domain; 0: not said */
	uint64_t count;
	uint64_t accepts;       /* recipients that are accepted */
	uint64_t before, taken; /* accepted by the database before, and of these no more */
};

enum record_status domain_decode(struct span value, struct domain *d_out);
void domain_put(struct buf *b, const struct domain *d);

/* Bit n of a set of LAYOUT_BITS_LEN octets; false for the empty set. */
bool bits_have(struct span bits, unsigned n);
void bits_set(uint8_t bits[LAYOUT_BITS_LEN], unsigned n);

/* Whether a set of lengths has len. In: from, the length that its first bit stands for. */
bool lengths_have(struct span set, size_t len, size_t from);
void lengths_set(uint8_t set[LAYOUT_BITS_LEN], size_t len, size_t from);

/* ---- boxes ---- */

struct controller {
	uint8_t kind;      /* CONTROLLER_FIXED or CONTROLLER_TARGET */
	struct span known; /* of the latter: what a box without extension comes to; empty: ask */
	struct span fixed; /* a leaf */
	/* CONTROLLER_TARGET: */
	uint32_t target;
	uint8_t none; /* enum leaf_verdict when no file matches and there is no n record */
	uint8_t flags;
	struct span default_lengths; /* of the names of p records */
	struct span dash, pre;
};

enum record_status controller_decode(struct span value, struct controller *c_out);
void controller_put(struct buf *b, const struct controller *c);

/* The two controllers of an account, for itself and for its extensions. */
enum record_status account_decode(struct span value, struct span *bare_out, struct span *ext_out);

/* ---- leaves ---- */

struct leaf {
	uint8_t verdict, immediate; /* enum leaf_verdict */
	uint8_t flags;
	uint16_t route; /* 0: that of the domain */
	uint32_t next_table;
	uint64_t size;
	struct span class, status, text, delivered_to;
	bool no_bounces;
};

enum record_status leaf_decode(struct span value, struct leaf *l_out);
void leaf_put(struct buf *b, const struct leaf *l);

/* Whether a value is a leaf that takes mail. */
bool leaf_accepts(struct span value);

/* The name in an R record. */
enum record_status route_decode(struct span value, struct span *name_out);

/* ---- rules about texts in records; the list parser holds its input against the same ---- */

/* [A-Za-z0-9._-], 1 to LAYOUT_NAME_MAX octets. */
bool record_name_ok(struct span name);

/* RFC 3463: class "." subject "." detail, the class being `class`. */
bool record_status_ok(struct span status, uint8_t class);

/* Printable ASCII, 1 to LAYOUT_TEXT_MAX octets. */
bool record_text_ok(struct span text);

/* Printable ASCII, 1 to LAYOUT_DELIVERED_TO_MAX octets. */
bool delivered_to_ok(struct span text);

/* ---- keys ---- */

/* A word for a type of key ("user"), or NULL when no record begins with it. */
const char *key_type_name(uint8_t type);

/* Begins a key with a type and a table, target or route. */
static inline void
key_put_u16(struct buf *b, enum layout_key type, uint16_t number)
{
	buf_put_u8(b, (uint8_t)type);
	buf_put_u16(b, number);
}

static inline void
key_put_u32(struct buf *b, enum layout_key type, uint32_t number)
{
	buf_put_u8(b, (uint8_t)type);
	buf_put_u32(b, number);
}

/* Begins the key of a box of an installation, which its type and name follow. */
void key_put_boxes(struct buf *b, uint16_t installation);

/* Records that name a recipient, and that name a domain: what the header counts. */
bool key_is_recipient(struct span key);
bool key_is_domain(struct span key);

/* The domain of the canary. */
bool key_is_canary(struct span key);

/* Leaves of a box: extension, default file, no file. */
bool key_is_file(struct span key);

#endif
