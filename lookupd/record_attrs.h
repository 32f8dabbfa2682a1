/*
 * Attributes of records, for who decodes and encodes records; private to record*.c.
 */
#ifndef LOOKUPD_RECORD_ATTRS_H
#define LOOKUPD_RECORD_ATTRS_H

#include "lookupd/record.h"

/*
 * What is done with an attribute; `record` is the structure that is filled. A repeated
 * attribute overwrites: no encoder of ours writes one twice.
 */
struct attr_row {
	uint8_t type;
	bool (*take)(void *record, struct span octets);
};

#define ROWS(array) (array), sizeof(array) / sizeof((array)[0])

/*
 * Takes all attributes that are left.
 * Out: *unknown_out, with RECORD_UNKNOWN: the type of the first that no row knows and that must
 * not be ignored.
 */
enum record_status attr_take_all(
    struct cursor c, const struct attr_row *rows, size_t count, void *record, uint8_t *unknown_out);

/* Each takes the whole of an attribute. Returns: false when it is not of that form. */
bool attr_take_u16(struct span s, uint16_t *v_out);
bool attr_take_u32(struct span s, uint32_t *v_out);
bool attr_take_u64(struct span s, uint64_t *v_out);
bool attr_take_numbers(struct span s, uint64_t *const *numbers, size_t count);
bool attr_take_octets(struct span s, size_t least, size_t most, struct span *s_out);
bool attr_take_set(struct span s, struct span *set_out);

void attr_put_numbers(struct buf *b, uint8_t type, const uint64_t *numbers, size_t count);

/* Unless there are none. */
void attr_put_some(struct buf *b, uint8_t type, struct span octets);

#endif
