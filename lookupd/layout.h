/*
 * The layout of recipients.cdb, version 1; docs/recipients-format.md tells it in words.
 *
 * The file is a constant database (D. J. Bernstein's cdb) followed by an end mark. The first
 * octet of a key is its type; integers are little-endian. Values are a fixed head followed by
 * attributes: type (1 octet), length (2 octets), that many octets. What is defined here is the
 * whole of what the sources can say; what lookup.c cannot evaluate yet is answered as trouble.
 */
#ifndef LOOKUPD_LAYOUT_H
#define LOOKUPD_LAYOUT_H

#include <stdint.h>

enum {
	LAYOUT_VERSION = 1,
	LAYOUT_SHARD_MAX = 1024 * 1024 * 1024, /* octets of one cdb; its pointers reach 4 GiB */
	LAYOUT_SHARDS_MAX = 64,
	LAYOUT_PROBES_MAX = 1024,         /* keys of one hash value */
	LAYOUT_END_MARK_LEN = 8 + 8 + 32, /* magic, octets before the mark, their SHA-256 */
	LAYOUT_LOCAL_MAX = 256,           /* octets of a local part in a key */
	LAYOUT_PREFIX_MAX = 512,          /* octets of the prefix of a virtual domain */
	LAYOUT_NESTED_MAX = 299,          /* of a name in a table behind a leaf: vpopmail's cut */
	LAYOUT_ACCOUNT_MAX = 31,          /* of an account: qmail-getpw tries no longer ones */
	LAYOUT_TABLES_MAX = 4,            /* of one domain */
	LAYOUT_NAME_MAX = 64,             /* octets of a route or class */
	LAYOUT_TEXT_MAX = 200,            /* octets of a reply text */
	LAYOUT_STATUS_MAX = 12,           /* octets of an enhanced status code */
	LAYOUT_DELIVERED_TO_MAX = 320,
};

#define LAYOUT_END_MAGIC "GHRCPT1\n"
/* Of a file of several cdbs: before the mark their lengths, u64 each, and how many, u32. */
#define LAYOUT_END_MAGIC_SHARDS "GHRCPTS\n"
#define LAYOUT_FILE_MAX ((uint64_t)LAYOUT_SHARDS_MAX * LAYOUT_SHARD_MAX)

/*
 * The canary: a record that every database has, found by the ordinary lookup, so that a
 * database whose keys were made by other rules is noticed. Its domain cannot be written in
 * a RCPT command, and its verdict is a refusal all the same.
 */
#define LAYOUT_CANARY_DOMAIN "*canary*"
#define LAYOUT_CANARY_LOCAL "Canary+Gatehouse"
#define LAYOUT_CANARY_STATUS "5.2.1"
#define LAYOUT_CANARY_TEXT "canary"

/* Types of keys. The header is the empty key. */
enum layout_key {
	KEY_DOMAIN = 'D',       /* + domain */
	KEY_SUFFIX = 'S',       /* + "." and the rest of a domain */
	KEY_VIRTUAL = 'V',      /* + whole address */
	KEY_BOX = '=',          /* + box */
	KEY_BOX_PREFIX = '+',   /* + beginning of a box */
	KEY_ACCOUNT = 'u',      /* + account */
	KEY_EXTENSION = 'x',    /* + target u32, name */
	KEY_DEFAULT = 'p',      /* + target u32, beginning of a name */
	KEY_UNSEARCHABLE = 'q', /* + target u32, directory */
	KEY_NO_FILE = 'n',      /* + target u32 */
	KEY_USER = 'U',         /* + table u32, local part */
	KEY_WILD = 'W',         /* + table u32, beginning of a local part up to its break octet */
	KEY_CATCH_ALL = 'C',    /* + table u32 */
	KEY_ALIAS = 'A',        /* + table u32, alias that goes before a user */
	KEY_ROUTE = 'R',        /* + route u16 */
	KEY_PATTERNS = 'P',     /* + list u32: rules for what has no record of its own */
	KEY_TABLE = 'T',        /* + table u32: how a table is asked that a leaf leads to */
	/*
	 * + installation u16, then the key of a box as the first installation has it; and nothing
	 * behind it: of the attributes of the header those that are about boxes.
	 */
	KEY_BOXES = 'B',
	/*
	 * + the name of a part of a source that is in no domain's table: a table of users, or an
	 * installation with its files. u64 each: accepting leaves that it has; that it had in the
	 * database before; of these no more.
	 */
	KEY_PART = 'G',
};

/*
 * Installations of mail systems in one database. The boxes of the first one have no number in
 * their keys. From LAYOUT_NO_BOXES on they have no boxes at all: their number only tells them
 * apart.
 */
enum { LAYOUT_NO_BOXES = 0x8000 };

/* An attribute type with this bit may be ignored by who does not know it. */
enum { ATTR_IGNORABLE = 0x80 };

/* Attributes of the header. */
enum {
	HEADER_VERSION = 1,           /* u16; first */
	HEADER_GENERATION = 2,        /* u64 */
	HEADER_BUILT = 3,             /* u64, unix seconds */
	HEADER_RECIPIENTS = 4,        /* u64, records of type U, W, C, A without the canary's */
	HEADER_DOMAINS = 5,           /* u64, records of type D and S without the canary's */
	HEADER_FLAGS = 6,             /* u32 of HEADER_FLAG_ */
	HEADER_DEFAULT_DOMAIN = 16,   /* domain of an address without one */
	HEADER_SUFFIX_LENGTHS = 17,   /* set of lengths that S keys have */
	HEADER_DEFAULT_VIRTUAL = 18,  /* prefix for domains without a record */
	HEADER_WILD_OCTETS = 19,      /* last octets that + keys have */
	HEADER_PREFIX_LENGTHS = 20,   /* set of lengths that + keys have */
	HEADER_ACCOUNT_LENGTHS = 21,  /* set of lengths that u keys have */
	HEADER_BREAK = 22,            /* the octet between account and extension */
	HEADER_ALIAS_CONTROLLER = 23, /* controller of boxes without another */
	HEADER_OWN_ADDRESS = 24, /* 16 octets, repeated: addresses of the back end; the domain that
	                             * stands for it, or nothing: that of the next attribute */
	HEADER_LITERAL_DOMAIN = 25, /* domain that stands for those addresses */
	HEADER_APPENDED = 27,       /* octets that SMTP appends to each address (RELAYCLIENT) */
	HEADER_PATTERN = 26,        /* repeated, in order: regular expression, NUL, leaf */
	HEADER_SOURCE = 0x81,       /* repeated: 32 octets SHA-256, then KIND:NAME */
	/* u64 each: generation before, domains lost, accepting leaves of boxes before, of these no more */
	HEADER_BEFORE = 0x82,
	HEADER_FORCED = 0x83, /* empty: whatever was lost, it is meant */
	HEADER_FILES = 0x84,  /* u64, accepting leaves that are in no domain's table */
};

enum {
	HEADER_FLAG_OPEN = 1,       /* the back end limits no domain: no rcpthosts */
	HEADER_FLAG_ASSIGN_BAD = 2, /* the table of boxes could not be read */
	HEADER_FLAGS_KNOWN = 3,
};

/* Flags of a D or S record. */
enum {
	DOMAIN_SERVED = 1,         /* mail for it may come in (rcpthosts) */
	DOMAIN_LOCAL = 2,          /* the local part is a box */
	DOMAIN_PERCENT = 4,        /* percent hack */
	DOMAIN_VIRTUAL = 8,        /* a prefix and the local part make a box */
	DOMAIN_HAS_ADDRESSES = 16, /* V records exist */
	DOMAIN_ALIAS = 32,         /* ask again with the real domain */
	DOMAIN_TABLE = 64,         /* the local part is looked up in tables */
	DOMAIN_ACCEPT = 128,       /* every local part is accepted */
	DOMAIN_FLAGS = 255,
};

/* Attributes of a D or S record, after flags u16 and route u16 (0: none). */
enum {
	DOMAIN_PREFIX = 1,       /* of DOMAIN_VIRTUAL; empty: an exception */
	DOMAIN_REAL = 2,         /* of DOMAIN_ALIAS */
	DOMAIN_TABLES = 3,       /* u32, one to four, in the order of asking */
	DOMAIN_DELIMITERS = 4,   /* octets: the local part is also looked up cut at the first one */
	DOMAIN_WILD_OCTETS = 5,  /* break octets of the W records of its tables */
	DOMAIN_WILD_LENGTHS = 6, /* 32 octets: bit n-1 is set when a W record has n octets */
	DOMAIN_CHARSET = 7,      /* 32 octets: bit n is set when a local part may have octet n */
	DOMAIN_ALIASES = 8,      /* empty: A records exist in its tables */
	DOMAIN_CLASS = 9,        /* policy class of recipients without one */
	DOMAIN_SIZE = 10,        /* u64, size limit of recipients without one */
	DOMAIN_HOST_CHARSET = 11,  /* of T records, 32 octets: octets that the domain may have */
	DOMAIN_OWNER_REQUEST = 12, /* empty: owner-... and ...-request are never cut */
	DOMAIN_PATTERNS = 13,      /* u32: a P record */
	DOMAIN_HOST = 14,          /* of T records, u32: names end in @domain; octets before them */
	DOMAIN_BOXES = 15,         /* u16, the installation that has it; none: the first */
	DOMAIN_COUNT = 0x81,       /* u64, recipients */
	DOMAIN_ACCEPTS = 0x82,     /* u64, recipients that are accepted */
	DOMAIN_NO_CATCH_ALL = 0x84, /* empty: no C records in its tables */
	DOMAIN_BEFORE = 0x83,       /* u64 accepted by the database before, u64 of these no more */
};

/*
 * A set of lengths is 32 octets. Of keys, bit n-1 stands for length n; of the names of p records,
 * which may be empty, bit n for length n. The last bit also stands for all longer ones.
 */
enum { LAYOUT_BITS_LEN = 32, LAYOUT_LAST_BIT = 255 };

/* Kinds of controllers. */
enum {
	CONTROLLER_FIXED,  /* leaf */
	CONTROLLER_TARGET, /* the files of a user; layout in record_box.c */
	CONTROLLER_KNOWN, /* the same, and before it the leaf that a box without extension comes to */
};
enum { CONTROLLER_DIRECTORIES = 1 /* q records exist */ };

/* In DOMAIN_HOST: the whole box is the name. */
#define LAYOUT_SKIP_NOTHING UINT32_MAX

/* Verdicts of a leaf. */
enum leaf_verdict {
	LEAF_ACCEPT,
	LEAF_UNKNOWN,
	LEAF_DEFER,      /* for a while: status and text are its own, else 4.3.0 */
	LEAF_DISCARD,    /* the back end takes it and stores nothing */
	LEAF_DISABLED,   /* 5.2.1 */
	LEAF_OVER_QUOTA, /* 4.2.2 */
	LEAF_MOVED,      /* 5.1.6 */
	LEAF_AUTH_ONLY,  /* 5.7.1 */
	LEAF_RELAY,      /* the back end would send it on */
	LEAF_ASK,        /* only the back end knows */
	LEAF_REFUSE,     /* status and text are its own */
	LEAF_TABLE,      /* ask in the table of LEAF_NEXT_TABLE */
	LEAF_VERDICTS,
};

/* Flags of a leaf: for reports, they decide nothing. */
enum {
	LEAF_UNVERIFIED = 1, /* a program decides in the end */
	LEAF_PARTIAL = 2,    /* delivered, and bounced by one target */
	LEAF_LATE = 4,       /* the verdict is that of a forward target */
	LEAF_FLAGS = 7,
};

/* Attributes of a leaf, after verdict u8, immediate verdict u8, flags u8. */
enum {
	LEAF_ROUTE = 1,           /* u16: an R record */
	LEAF_CLASS = 2,           /* policy class, [A-Za-z0-9._-] */
	LEAF_STATUS = 3,          /* enhanced status code */
	LEAF_TEXT = 4,            /* reply text, printable ASCII */
	LEAF_SIZE = 5,            /* u64, largest message in octets */
	LEAF_NEXT_TABLE = 6,      /* u32 */
	LEAF_NO_BOUNCES = 7,      /* empty: nothing from the null sender */
	LEAF_DELIVERED_TO = 0x81, /* what the back end writes into Delivered-To: */
};

/* Attributes of an R record. */
enum {
	ROUTE_NAME = 1, /* name of a back-end group, [A-Za-z0-9._-] */
};

#endif
