#include "smtpd/transaction.h"

#include "lib/bug.h"

enum {
	GRANTED_OVERHEAD =
	    2 + 1 + 8 + 8 + 8 + 32, /* octets of a granted record besides its address */
};

struct arena_block {
	struct arena_block *next;
	size_t used; /* octets of memory[] */
	_Alignas(16) uint8_t memory[];
};

enum { ARENA_ROOM = TRANSACTION_BLOCK - sizeof(struct arena_block) };

/* A queue of addresses, each with its length in front. */
struct asked {
	size_t head, tail; /* octets: oldest, end */
	uint8_t octets[TRANSACTION_BLOCK - 2 * sizeof(size_t)];
};

_Static_assert(sizeof(struct asked) == TRANSACTION_BLOCK, "one block");
_Static_assert(
    sizeof(struct transaction) < ARENA_ROOM / 2, "room for recipients in the first block");

/* ---- the arena -------------------------------------------------------------------------- */

static struct arena_block *
add_block(struct pool *blocks, struct arena_block *next)
{
	struct arena_block *block = pool_take(blocks);

	if (block != NULL)
		*block = (struct arena_block){.next = next};
	return block;
}

static void *
block_alloc(struct arena_block *block, size_t size)
{
	size_t padded = (size + 15) & ~(size_t)15;
	void *p = block->memory + block->used;

	if (padded > ARENA_ROOM - block->used)
		return NULL;
	block->used += padded;
	return p;
}

static void *
arena_alloc(struct transaction *t, size_t size)
{
	void *p = block_alloc(t->arena, size);
	struct arena_block *block;

	if (p != NULL)
		return p;
	block = add_block(t->blocks, t->arena);
	if (block == NULL)
		return NULL;
	t->arena = block;
	return block_alloc(block, size);
}

struct transaction *
transaction_new(struct pool *blocks, struct pool *messages, struct budget *budget)
{
	struct arena_block *arena = add_block(blocks, NULL);
	struct transaction *t;

	if (arena == NULL)
		return NULL;
	t = block_alloc(arena, sizeof(*t));
	BUG_ON(t == NULL);
	memset(t, 0, sizeof(*t));
	t->blocks = blocks;
	t->arena = arena;
	t->tail = &t->first;
	message_init(&t->message, messages, budget);
	return t;
}

void
transaction_free(struct transaction **t)
{
	struct arena_block *block;
	struct pool *blocks;

	if (*t == NULL)
		return;
	message_clear(&(*t)->message);
	blocks = (*t)->blocks;
	pool_give(blocks, (*t)->asked);
	block = (*t)->arena;
	/* The transaction itself lies in the last of them. */
	while (block != NULL) {
		struct arena_block *next = block->next;

		pool_give(blocks, block);
		block = next;
	}
	*t = NULL;
}

struct span
transaction_keep(struct transaction *t, struct span octets)
{
	uint8_t *copy = octets.len > 0 ? arena_alloc(t, octets.len) : NULL;

	if (copy == NULL)
		return span_of(NULL, 0);
	memcpy(copy, octets.p, octets.len);
	return span_of(copy, octets.len);
}

/* ---- questions -------------------------------------------------------------------------- */

bool
transaction_can_ask(const struct transaction *t, size_t len)
{
	if (t->asked == NULL)
		return true;
	return t->pending < TRANSACTION_PENDING_MAX &&
	       sizeof(t->asked->octets) - t->asked->tail >= len + 2;
}

bool
transaction_ask(struct transaction *t, struct span address)
{
	struct buf b;

	BUG_ON(address.len > ADDRESS_MAX);
	if (!transaction_can_ask(t, address.len))
		return false;
	if (t->asked == NULL) {
		t->asked = pool_take(t->blocks);
		if (t->asked == NULL)
			return false;
		t->asked->head = t->asked->tail = 0;
	}
	b = buf_over(t->asked->octets + t->asked->tail, sizeof(t->asked->octets) - t->asked->tail);
	buf_put_u16(&b, (uint16_t)address.len);
	buf_put_span(&b, address);
	t->asked->tail += b.len;
	t->pending++;
	return true;
}

void
transaction_answered(struct transaction *t, struct span *address_out)
{
	struct cursor c;
	uint16_t len = 0;

	BUG_ON(t->pending == 0);
	c = cursor_over(
	    span_of(t->asked->octets + t->asked->head, t->asked->tail - t->asked->head));
	BUG_ON(!cursor_u16(&c, &len) || !cursor_bytes(&c, len, address_out));
	t->asked->head += len + 2u;
	if (--t->pending > 0)
		return;
	/* The octets stay as they are until another taker of the pool writes there. */
	t->asked->head = t->asked->tail = 0;
}

/* ---- recipients ------------------------------------------------------------------------- */

/* FNV-1a over lower case; only spreads, protects nothing: the list has at most 1000 entries. */
static uint32_t
hash_of(struct span address)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < address.len; i++)
		h = (h ^ ascii_lower(address.p[i])) * 16777619u;
	return h;
}

static bool
same_address(const struct recipient *r, struct span address, size_t local_len)
{
	struct span have = span_of(r->address, r->len);

	return r->len == address.len && r->local_len == local_len &&
	       span_eq(span_head(have, local_len), span_head(address, local_len)) &&
	       span_eq_nocase(span_from(have, local_len), span_from(address, local_len));
}

const struct recipient *
transaction_find(const struct transaction *t, struct span address)
{
	uint32_t hash = hash_of(address);
	size_t local_len = span_find_last(address, '@');

	for (const struct recipient *r = t->first; r != NULL; r = r->next)
		if (r->hash == hash && same_address(r, address, local_len))
			return r;
	return NULL;
}

bool
transaction_same_group(const struct transaction *t, const struct msg_rcpt_answer *answer)
{
	return t->recipients == 0 || (span_eq(span_of(t->route, t->route_len), answer->route) &&
					 span_eq(span_of(t->class, t->class_len), answer->class));
}

static void
fix_group(struct transaction *t, const struct msg_rcpt_answer *answer)
{
	BUG_ON(answer->route.len > sizeof(t->route) || answer->class.len > sizeof(t->class));
	if (answer->route.len > 0)
		memcpy(t->route, answer->route.p, answer->route.len);
	if (answer->class.len > 0)
		memcpy(t->class, answer->class.p, answer->class.len);
	t->route_len = (uint8_t)answer->route.len;
	t->class_len = (uint8_t)answer->class.len;
}

struct span
transaction_asked(const struct recipient *r)
{
	return r->asked_len > 0 ? span_of(r->address + r->len, r->asked_len)
	                        : span_of(r->address, r->len);
}

/* Its grant. */
static void
set_grant(struct transaction *t, struct recipient *r, const struct msg_rcpt_answer *answer)
{
	r->exempt = answer->exempt;
	r->size_limit = answer->size_limit;
	r->generation = answer->generation;
	r->expiry = answer->expiry;
	memcpy(r->grant, answer->grant, sizeof(r->grant));
	r->delivered_to = answer->delivered_to.len > 0 ? header_digest(answer->delivered_to) : 0;
	t->knows_loops = t->knows_loops || r->delivered_to != 0;
	if (r->size_limit > 0 && r->size_limit < t->size_limit)
		t->size_limit = r->size_limit;
}

static struct recipient *
make_recipient(struct transaction *t, struct span asked, struct span address)
{
	size_t asked_len = span_eq(asked, address) ? 0 : asked.len;
	struct recipient *r = arena_alloc(t, sizeof(*r) + address.len + asked_len);

	if (r == NULL)
		return NULL;
	*r = (struct recipient){
	    .hash = hash_of(address),
	    .len = (uint16_t)address.len,
	    .local_len = (uint16_t)span_find_last(address, '@'),
	    .asked_len = (uint16_t)asked_len,
	};
	memcpy(r->address, address.p, address.len);
	if (asked_len > 0)
		memcpy(r->address + r->len, asked.p, asked_len);
	return r;
}

bool
transaction_add(struct transaction *t, struct span asked, const struct msg_rcpt_answer *answer)
{
	size_t granted_len = GRANTED_OVERHEAD + answer->recipient.len;
	struct recipient *r;

	if (t->granted_len + granted_len > TRANSACTION_GRANTED_MAX)
		return false;
	r = make_recipient(t, asked, answer->recipient);
	if (r == NULL)
		return false;
	if (t->recipients == 0)
		fix_group(t, answer);
	set_grant(t, r, answer);
	*t->tail = r;
	t->tail = &r->next;
	t->recipients++;
	t->granted_len += granted_len;
	return true;
}

bool
transaction_is_loop(const struct transaction *t, uint64_t digest)
{
	for (const struct recipient *r = t->first; r != NULL; r = r->next)
		if (r->delivered_to != 0 && r->delivered_to == digest)
			return true;
	return false;
}

bool
transaction_renew(struct transaction *t, struct recipient *r, const struct msg_rcpt_answer *answer)
{
	if (t->recipients == 1) {
		t->first = NULL;
		t->tail = &t->first;
		t->recipients = 0;
		t->granted_len = 0;
		return transaction_add(t, transaction_asked(r), answer);
	}
	if (!span_eq(span_of(r->address, r->len), answer->recipient) ||
	    !transaction_same_group(t, answer))
		return false;
	set_grant(t, r, answer);
	return true;
}

struct msg_list
transaction_granted(const struct transaction *t, struct buf *b)
{
	struct msg_list list = {.count = 0};
	size_t start = b->len;

	for (const struct recipient *r = t->first; r != NULL; r = r->next) {
		struct msg_granted g = {
		    .recipient = span_of(r->address, r->len),
		    .exempt = r->exempt,
		    .size_limit = r->size_limit,
		    .generation = r->generation,
		    .expiry = r->expiry,
		};

		memcpy(g.grant, r->grant, sizeof(g.grant));
		if (!msg_list_put(b, RECORD_granted, &g))
			break;
		list.count++;
	}
	list.encoded = span_of(b->p + start, b->len - start);
	return list;
}
