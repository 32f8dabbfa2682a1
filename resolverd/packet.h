/*
 * Reads the answer to one question out of a DNS packet (RFC 1035 4), and rebuilds it.
 *
 * Packets come from strangers. Nothing is taken over as it is: addresses have their exact length,
 * names are lower case letters, digits, "-" and "_", and everything is counted.
 */
#ifndef RESOLVERD_PACKET_H
#define RESOLVERD_PACKET_H

#include "lib/buf.h"
#include "lib/catalogue.h"

enum packet_type {
	PACKET_A = 1,
	PACKET_CNAME = 5,
	PACKET_PTR = 12,
	PACKET_MX = 15,
	PACKET_TXT = 16,
	PACKET_AAAA = 28,
};

enum {
	PACKET_RECORDS_MAX = 64,
	PACKET_TXT_MAX = 4096, /* octets of one record, strings joined */
	PACKET_ENCODED_MAX = 20000,
	PACKET_CHAIN_MAX = 8, /* aliases followed */
	PACKET_TTL_MAX = 86400,
	NAME_WIRE_MAX = 255,
	NAME_LABEL_MAX = 63,
};

/* A name as labels with their lengths, lower case, with the final zero. */
struct packet_name {
	uint8_t wire[NAME_WIRE_MAX];
	size_t len;
};

struct packet_answer {
	enum dns_status status;
	uint32_t ttl; /* the least of the records used */
	uint16_t count;
	uint8_t room[PACKET_ENCODED_MAX];
	struct buf encoded; /* over room: dns_record elements */
};

/* Types that may be asked for. */
bool packet_type_ok(uint16_t type);

/*
 * In: text, labels separated by dots, without a final one; a label may hold any octet but the dot.
 * Returns: false when a label or the whole is empty or too long.
 */
bool packet_name_parse(struct span text, struct packet_name *name_out);

/*
 * Appends the name as text.
 * Returns: false, and appends nothing, when it holds other octets than LDH and "_".
 */
bool packet_name_put(const struct packet_name *name, struct buf *b);

/*
 * In: packet, whole; name and type, as asked.
 * Out: *answer_out, always filled: DNS_OK with at least one record; DNS_TROUBLE for a packet that is
 * malformed, says SERVFAIL and the like, or answers something else; DNS_UNUSABLE for one past
 * the bounds above.
 */
void packet_read(struct span packet, const struct packet_name *name, uint16_t type,
    struct packet_answer *answer_out);

#endif
