/*
 * Boxes: what a local part, perhaps behind the prefix of a virtual domain, comes to in qmail-lspawn
 * (assignments, accounts) and qmail-local (the files of the user).
 */
#include "lookupd/lookup_steps.h"

#include "lib/bug.h"

/* A box on its way: controller, extension, file. */
struct box {
	struct question *q;
	const struct boxes *of; /* the installation */
	struct boxes room;      /* for one that is not the first */
	uint16_t number;        /* its number; 1: the first */
	uint8_t octets[BOX_MAX];
	struct span name; /* of octets, lower case */
	struct controller controller;
	struct span rest; /* of name: what a prefix or an account left over */
	/* dash and extension as they stand in file names: dots are colons, "//" is "/" */
	uint8_t file[2 * BOX_MAX];
	size_t dash_len, safe_len;
	struct span *leaf_out; /* NULL, or what follow() gives instead of deciding by it */
	/* The extension itself, for a table behind the file. */
	uint8_t ext_octets[2 * BOX_MAX];
	struct span ext;
};

/* ---- who has it ----------------------------------------------------------------------------------- */

/* The installation that has the domain. Returns: as of lookup_get. */
static enum cdbfile_status
find_boxes(struct box *b)
{
	uint8_t octets[4];
	struct buf key = BUF_OVER(octets);
	struct span value;
	enum cdbfile_status status;
	enum record_status decoded;

	b->number = b->q->boxes > 0 ? b->q->boxes : 1;
	b->of = &b->q->db->header.boxes;
	if (b->number == 1)
		return CDBFILE_FOUND;
	b->room = (struct boxes){0};
	b->of = &b->room;
	if (b->number >= LAYOUT_NO_BOXES)
		return CDBFILE_FOUND;
	key_put_boxes(&key, b->number);
	status = lookup_get(b->q, buf_span(&key), &value);
	if (status == CDBFILE_NONE) {
		lookup_trouble(b->q, "an installation is missing", false);
		return CDBFILE_BAD;
	}
	decoded = status == CDBFILE_FOUND ? boxes_decode(value, &b->room) : RECORD_OK;
	if (decoded == RECORD_OK)
		return status;
	lookup_record_trouble(b->q, decoded);
	return CDBFILE_BAD;
}

/* Returns: STEP_NEXT, and the name, when mail for the address comes to a box. */
static enum step
find_prefix(struct box *b, struct span *prefix_out)
{
	struct question *q = b->q;
	BUF_ROOM uint8_t octets[KEY_MAX];
	struct buf key = BUF_OVER(octets);
	bool addresses = q->found && (q->record->flags & DOMAIN_HAS_ADDRESSES);

	*prefix_out = span_of(NULL, 0);
	if (q->found && (q->record->flags & DOMAIN_LOCAL))
		return STEP_NEXT;
	if (addresses) {
		buf_put_u8(&key, KEY_VIRTUAL);
		buf_put_span(&key, q->local);
		buf_put_u8(&key, '@');
		buf_put_span(&key, q->domain);
		switch (key.full ? CDBFILE_NONE : lookup_get(q, buf_span(&key), prefix_out)) {
		case CDBFILE_BAD:
			return STEP_DECIDED;
		case CDBFILE_FOUND:
			goto found;
		case CDBFILE_NONE:
			break;
		}
	}
	/* A domain that lists know is no other domain's default. */
	if (q->has_prefix)
		*prefix_out = q->prefix;
	else if (!(q->found && (q->record->flags & DOMAIN_TABLE)))
		*prefix_out = b->of->default_prefix;
found:
	if (prefix_out->len > LAYOUT_PREFIX_MAX)
		return lookup_record_trouble(q, RECORD_MALFORMED);
	if (prefix_out->len > 0)
		return STEP_NEXT;
	/* Foreign, unless the operator said that everything is taken, or lists know the domain. */
	if (q->accept)
		return lookup_verdict(q, LEAF_ACCEPT, MATCH_DOMAIN);
	if (q->found && (q->record->flags & DOMAIN_TABLE))
		return lookup_decide(q, RCPT_UNKNOWN_USER);
	return lookup_verdict(q, LEAF_RELAY, MATCH_NONE);
}

/* Takes the value as the controller of the box. */
static enum step
take_controller(struct box *b, struct span value, size_t rest_at)
{
	enum record_status status = controller_decode(value, &b->controller);

	if (status != RECORD_OK)
		return lookup_record_trouble(b->q, status);
	b->rest = span_from(b->name, rest_at);
	return STEP_NEXT;
}

/* A lookup of KEY type and octets. Returns: as of lookup_get. */
static enum cdbfile_status
get(struct box *b, enum layout_key type, struct span name, struct span *value_out)
{
	BUF_ROOM uint8_t octets[4 + BOX_MAX];
	struct buf key = BUF_OVER(octets);

	key_put_boxes(&key, b->number);
	buf_put_u8(&key, (uint8_t)type);
	buf_put_span(&key, name);
	BUG_ON(key.full);
	return lookup_get(b->q, buf_span(&key), value_out);
}

/* The longest recorded beginning that ends in a wild octet. */
static enum cdbfile_status
get_prefix(struct box *b, struct span *value_out, size_t *rest_at_out)
{
	const struct boxes *h = b->of;

	for (size_t len = b->name.len; len > 0; len--) {
		enum cdbfile_status status;

		if (!lengths_have(h->prefix_lengths, len, 1) ||
		    span_find(h->wild_octets, b->name.p[len - 1]) == h->wild_octets.len)
			continue;
		status = get(b, KEY_BOX_PREFIX, span_head(b->name, len), value_out);
		*rest_at_out = len;
		if (status != CDBFILE_NONE)
			return status;
	}
	return CDBFILE_NONE;
}

/* The longest account before a break. */
static enum cdbfile_status
get_account(struct box *b, struct span *value_out, size_t *rest_at_out)
{
	const struct boxes *h = b->of;
	size_t len = b->name.len < LAYOUT_ACCOUNT_MAX ? b->name.len : LAYOUT_ACCOUNT_MAX;

	for (;; len--) {
		bool whole = len == b->name.len;
		struct span value, bare, extension;
		enum cdbfile_status status;

		if (lengths_have(h->account_lengths, len, 1) &&
		    (whole || (h->breaks.len == 1 && b->name.p[len] == h->breaks.p[0]))) {
			status = get(b, KEY_ACCOUNT, span_head(b->name, len), &value);
			if (status == CDBFILE_BAD)
				return status;
			if (status == CDBFILE_FOUND) {
				enum record_status decoded =
				    account_decode(value, &bare, &extension);

				if (decoded != RECORD_OK) {
					lookup_record_trouble(b->q, decoded);
					return CDBFILE_BAD;
				}
				*value_out = whole ? bare : extension;
				*rest_at_out = whole ? len : len + 1;
				return CDBFILE_FOUND;
			}
		}
		if (len == 0)
			return CDBFILE_NONE;
	}
}

static enum step
find_controller(struct box *b)
{
	struct span value;
	size_t rest_at = b->name.len;
	enum cdbfile_status status = get(b, KEY_BOX, b->name, &value);

	if (status == CDBFILE_NONE)
		status = get_prefix(b, &value, &rest_at);
	if (status == CDBFILE_NONE)
		status = get_account(b, &value, &rest_at);
	if (status == CDBFILE_BAD)
		return STEP_DECIDED;
	if (status == CDBFILE_FOUND)
		return take_controller(b, value, rest_at);
	value = b->of->alias_controller;
	/* Without the account alias qmail puts mail off. */
	return value.len > 0 ? take_controller(b, value, 0)
	                     : lookup_verdict(b->q, LEAF_DEFER, MATCH_BOX);
}

/* ---- what his files say ------------------------------------------------------------------------------ */

/* Appends the extension as file names have it. */
static void
compose_file(struct box *b)
{
	struct buf ext = BUF_OVER(b->ext_octets), file = BUF_OVER(b->file);

	buf_put_lower(&ext, b->controller.pre);
	buf_put_span(&ext, b->rest);
	b->ext = buf_span(&ext);
	buf_put_span(&file, b->controller.dash);
	b->dash_len = file.len;
	for (size_t i = 0; i < b->ext.len; i++)
		buf_put_u8(&file, b->ext.p[i] == '.' ? ':' : b->ext.p[i]);
	b->safe_len = file.len - b->dash_len;
}

static enum cdbfile_status
get_file(struct box *b, enum layout_key type, struct span name, struct span *value_out)
{
	BUF_ROOM uint8_t octets[8 + 2 * BOX_MAX];
	struct buf key = BUF_OVER(octets);

	key_put_u32(&key, type, b->controller.target);
	buf_put_span(&key, name);
	BUG_ON(key.full);
	return lookup_get(b->q, buf_span(&key), value_out);
}

/*
 * The length of the shortest directory in the name that cannot be searched; SIZE_MAX: none.
 * Returns: false when it has been decided.
 */
static bool
find_unsearchable(struct box *b, struct span name, size_t *len_out)
{
	*len_out = SIZE_MAX;
	if (!(b->controller.flags & CONTROLLER_DIRECTORIES))
		return true;
	for (size_t i = 0; i < name.len; i++) {
		struct span value;

		if (name.p[i] != '/')
			continue;
		switch (get_file(b, KEY_UNSEARCHABLE, span_head(name, i), &value)) {
		case CDBFILE_BAD:
			return false;
		case CDBFILE_FOUND:
			*len_out = i;
			return true;
		case CDBFILE_NONE:
			break;
		}
	}
	return true;
}

static enum step follow(struct box *b, struct span value);

/* A file of this name: decided by it, or by a directory before it, or STEP_NEXT. */
static enum step
try_file(struct box *b, enum layout_key type, struct span name, size_t unsearchable)
{
	struct span value;

	if (name.len > unsearchable)
		return lookup_verdict(b->q, LEAF_DEFER, MATCH_BOX);
	if (type == KEY_DEFAULT && !lengths_have(b->controller.default_lengths, name.len, 0))
		return STEP_NEXT;
	switch (get_file(b, type, name, &value)) {
	case CDBFILE_NONE:
		return STEP_NEXT;
	case CDBFILE_FOUND:
		return follow(b, value);
	default:
		return STEP_DECIDED;
	}
}

/* Runs of "/" as one. Returns: the new length. */
static size_t
collapse(uint8_t *octets, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (octets[i] != '/' || n == 0 || octets[n - 1] != '/')
			octets[n++] = octets[i];
	return n;
}

/*
 * The file of the whole extension, then the default files: of the whole extension when it ends in
 * "-", and of each beginning of it that does, down to the empty one. Collapsing changes neither
 * where a "-" stands in their order nor that a beginning of the extension is one of the name.
 */
static enum step
find_file(struct box *b)
{
	size_t dash = collapse(b->file, b->dash_len), len, unsearchable;
	enum step step;

	memmove(b->file + dash, b->file + b->dash_len, b->safe_len);
	len = collapse(b->file, dash + b->safe_len);
	/* The extension may begin with the slash that the dash ends in. */
	if (dash > len)
		dash = len;
	if (!find_unsearchable(b, span_of(b->file, len), &unsearchable))
		return STEP_DECIDED;
	step = try_file(b, KEY_EXTENSION, span_of(b->file, len), unsearchable);
	for (size_t i = len; step == STEP_NEXT; i--) {
		if (i == dash || (i > dash && b->file[i - 1] == '-'))
			step = try_file(b, KEY_DEFAULT, span_of(b->file, i), unsearchable);
		if (i <= dash)
			break;
	}
	return step;
}

/* ---- tables behind a file ------------------------------------------------------------------------------ */

static enum step
ask_names(struct box *b, const struct domain *d, uint32_t table)
{
	struct question *q = b->q;
	struct span user = span_head(b->ext, LAYOUT_NESTED_MAX);

	if (lookup_ask(q, KEY_USER, table, user, MATCH_USER) == STEP_DECIDED)
		return STEP_DECIDED;
	for (size_t len = user.len; len >= 2; len--)
		if (span_find(d->wild_octets, user.p[len - 1]) < d->wild_octets.len &&
		    lengths_have(d->wild_lengths, len, 1) &&
		    lookup_ask(q, KEY_WILD, table, span_head(user, len), MATCH_EXTENSIONS) ==
			STEP_DECIDED)
			return STEP_DECIDED;
	for (size_t i = 1; i < user.len; i++) {
		if (span_find(d->delimiters, user.p[i]) == d->delimiters.len)
			continue;
		if (lookup_ask(q, KEY_USER, table, span_head(user, i), MATCH_DELIMITED) ==
		    STEP_DECIDED)
			return STEP_DECIDED;
		break;
	}
	if (lookup_ask(q, KEY_CATCH_ALL, table, span_of(NULL, 0), MATCH_CATCH_ALL) == STEP_DECIDED)
		return STEP_DECIDED;
	return lookup_decide(q, RCPT_UNKNOWN_USER);
}

/* name@domain, @domain, name@. */
static enum step
ask_with_host(struct box *b, const struct domain *d, uint32_t table)
{
	struct question *q = b->q;
	struct span name = d->skip == LAYOUT_SKIP_NOTHING ? b->name : span_from(b->ext, d->skip);
	BUF_ROOM uint8_t octets[ADDRESS_MAX];
	struct buf whole = BUF_OVER(octets);

	buf_put_span(&whole, name);
	buf_put_u8(&whole, '@');
	buf_put_span(&whole, q->domain);
	if (whole.full)
		return lookup_decide(q, RCPT_UNKNOWN_USER);
	if (lookup_ask(q, KEY_USER, table, buf_span(&whole), MATCH_USER) == STEP_DECIDED ||
	    lookup_ask(q, KEY_USER, table, span_from(buf_span(&whole), name.len),
		MATCH_CATCH_ALL) == STEP_DECIDED ||
	    lookup_ask(q, KEY_USER, table, span_head(buf_span(&whole), name.len + 1), MATCH_USER) ==
		STEP_DECIDED ||
	    lookup_ask(q, KEY_CATCH_ALL, table, span_of(NULL, 0), MATCH_CATCH_ALL) == STEP_DECIDED)
		return STEP_DECIDED;
	return lookup_decide(q, RCPT_UNKNOWN_USER);
}

static bool
all_in(struct span octets, struct span charset)
{
	for (size_t i = 0; i < octets.len; i++)
		if (charset.len > 0 && !bits_have(charset, octets.p[i]))
			return false;
	return true;
}

/* vdelivermail and the like: the extension is a name in a table. */
static enum step
follow_table(struct box *b, uint32_t table)
{
	uint8_t octets[8];
	struct buf key = BUF_OVER(octets);
	struct span value;
	struct domain d;
	enum record_status status;

	key_put_u32(&key, KEY_TABLE, table);
	switch (lookup_get(b->q, buf_span(&key), &value)) {
	case CDBFILE_NONE:
		return lookup_trouble(b->q, "a table is missing", false);
	case CDBFILE_BAD:
		return STEP_DECIDED;
	case CDBFILE_FOUND:
		break;
	}
	status = domain_decode(value, &d);
	if (status != RECORD_OK || d.flags != DOMAIN_TABLE)
		return lookup_record_trouble(b->q, status != RECORD_OK ? status : RECORD_UNKNOWN);
	if (!all_in(span_head(b->ext, LAYOUT_NESTED_MAX), d.charset) ||
	    !all_in(b->q->domain, d.host_charset))
		return lookup_decide(b->q, RCPT_UNKNOWN_USER);
	return d.has_host ? ask_with_host(b, &d, table) : ask_names(b, &d, table);
}

static enum step
follow(struct box *b, struct span value)
{
	struct leaf leaf;
	bool table = leaf_decode(value, &leaf) == RECORD_OK && leaf.verdict == LEAF_TABLE;

	if (b->leaf_out != NULL) {
		if (!table)
			*b->leaf_out = value;
		return STEP_DECIDED;
	}
	return table ? follow_table(b, leaf.next_table) : lookup_leaf(b->q, value, MATCH_BOX);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static enum step
apply_controller(struct box *b)
{
	struct span value;
	enum step step;

	if (b->controller.kind == CONTROLLER_FIXED)
		return lookup_leaf(b->q, b->controller.fixed, MATCH_BOX);
	/* Who wants to see the records is led by way of them. */
	if (b->controller.known.len > 0 && b->rest.len == 0 && b->q->trace == NULL)
		return lookup_leaf(b->q, b->controller.known, MATCH_BOX);
	if (b->controller.dash.len + b->controller.pre.len > BOX_MAX)
		return lookup_record_trouble(b->q, RECORD_MALFORMED);
	compose_file(b);
	step = find_file(b);
	if (step == STEP_DECIDED)
		return step;
	switch (get_file(b, KEY_NO_FILE, span_of(NULL, 0), &value)) {
	case CDBFILE_FOUND:
		return follow(b, value);
	case CDBFILE_NONE:
		return lookup_verdict(b->q, (enum leaf_verdict)b->controller.none, MATCH_BOX);
	default:
		return STEP_DECIDED;
	}
}

enum step
lookup_step_box(struct question *q)
{
	BUF_ROOM struct box b; /* each function fills what the next one needs */
	struct buf name = BUF_OVER(b.octets);
	struct span prefix;

	b.q = q;
	b.leaf_out = NULL;
	if (find_boxes(&b) == CDBFILE_BAD || find_prefix(&b, &prefix) == STEP_DECIDED)
		return STEP_DECIDED;
	if (prefix.len > 0) {
		buf_put_lower(&name, prefix);
		buf_put_u8(&name, '-');
	}
	buf_put_span(&name, q->local);
	BUG_ON(name.full);
	b.name = buf_span(&name);
	if (b.name.len == 0)
		return lookup_verdict(q, LEAF_DISCARD, MATCH_BOX);
	if (b.of->unreadable)
		return lookup_verdict(q, LEAF_DEFER, MATCH_BOX);
	return find_controller(&b) == STEP_DECIDED ? STEP_DECIDED : apply_controller(&b);
}

struct span
lookup_box_leaf(const struct database *db, struct span controller)
{
	static const struct domain none;
	struct lookup_result r;
	BUF_ROOM struct question q;
	BUF_ROOM struct box b;
	struct span leaf = span_of(NULL, 0);

	q.db = db;
	q.trace = NULL;
	q.r = &r;
	q.record = &none;
	b.q = &q;
	b.leaf_out = &leaf;
	b.name = b.rest = leaf;
	if (controller_decode(controller, &b.controller) == RECORD_OK &&
	    b.controller.kind == CONTROLLER_TARGET && b.controller.known.len == 0)
		(void)apply_controller(&b);
	return leaf;
}
