#include "lookupd/shortcut.h"

#include "lookupd/lookup.h"

static enum cdbfile_status
get(const void *from, struct span key, struct span *value_out)
{
	const struct collection *c = from;

	return records_get(&c->records, key, value_out, NULL) ? CDBFILE_FOUND : CDBFILE_NONE;
}

/* Appends the controller. Returns: false when it is as it was. */
static bool
put_known(const struct collection *c, struct span value, struct buf *to)
{
	const struct database db = {.get = get, .from = c};
	struct span leaf = lookup_box_leaf(&db, value);
	struct controller controller;

	if (leaf.len == 0 || leaf.len > UINT16_MAX ||
	    controller_decode(value, &controller) != RECORD_OK)
		return false;
	controller.known = leaf;
	controller_put(to, &controller);
	return true;
}

/* Of the two controllers of an account that of the bare name. */
static bool
put_account(const struct collection *c, struct span value, struct buf *to)
{
	struct span bare, extension;
	uint8_t octets[SHORTCUT_MAX];
	struct buf known = BUF_OVER(octets);

	if (account_decode(value, &bare, &extension) != RECORD_OK || !put_known(c, bare, &known) ||
	    known.full || known.len > UINT16_MAX)
		return false;
	buf_put_u16(to, (uint16_t)known.len);
	buf_put_span(to, buf_span(&known));
	buf_put_u16(to, (uint16_t)extension.len);
	buf_put_span(to, extension);
	return true;
}

struct span
shortcut(const struct collection *c, struct span key, struct span value, struct buf *to)
{
	bool shorter = false;

	/* Behind the number of an installation stands the key of a box. */
	if (key.len > 3 && key.p[0] == KEY_BOXES)
		key = span_from(key, 3);
	if (key.len > 0 && key.p[0] == KEY_BOX)
		shorter = put_known(c, value, to);
	else if (key.len > 0 && key.p[0] == KEY_ACCOUNT)
		shorter = put_account(c, value, to);
	return shorter && !to->full ? buf_span(to) : value;
}
