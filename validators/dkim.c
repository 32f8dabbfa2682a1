#include "validators/dkim.h"

#include <stdlib.h>

#include "validators/dkim_engine.h"
#include "validators/dkim_fields.h"
#include "validators/dkim_signature.h"
#include "validators/dkim_warm_up.h"
#include "validators/note.h"

/* Small parts: a process that serves one message pays for each page that it is the first to touch. */
enum { BODY_PART = 4 * 1024 };

/* The work memory of one message: kept, and only ever used for one at a time. */
struct dkim {
	struct dkim_engine *engine;
	const struct resolver *resolver;
	struct dkim_fields fields;
	unsigned present[DKIM_WATCHED]; /* how often each watched field is there */
	bool good;                      /* the header could be read */
	size_t count, fed_count, reported_count;
	struct candidate {
		struct dkim_signature signature;
		size_t field;
		bool preferred, fed, reported;
	} candidates[DKIM_READ_MAX];
	/* which of them, in the order in which the library has them */
	struct dkim_signature *fed[DKIM_VERIFIED_MAX];
	struct dns_reply reply;
	uint8_t block[DKIM_HEADER_MAX];
	uint8_t crlf[2 * DKIM_HEADER_MAX]; /* a field, or a part of the body */
};

/* ---- reading --------------------------------------------------------------------------------- */

/* Returns: octets read, fewer than cap only at the end of the content; -1 on failure. */
static long
read_fully(const struct dkim_content *c, uint64_t offset, uint8_t *p, size_t cap)
{
	size_t have = 0;

	while (have < cap) {
		long n = c->read(c->arg, offset + have, p + have, cap - have);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (long)have;
}

/* LF becomes CRLF; a CR before it is the content's own and stays. */
static struct span
to_crlf(struct dkim *d, struct span lf)
{
	struct buf b = BUF_OVER(d->crlf);

	while (lf.len > 0) {
		size_t line = span_find(lf, '\n');

		buf_put_span(&b, span_head(lf, line));
		if (line < lf.len)
			buf_put_str(&b, "\r\n");
		lf = span_from(lf, line + 1);
	}
	return buf_span(&b);
}

/* ---- signatures ------------------------------------------------------------------------------ */

static bool
is_signature(const struct dkim_field *f)
{
	return span_eq_nocase(f->name, SPAN("DKIM-Signature"));
}

static void
decide(struct dkim_signature *s, enum auth_result result, const char *reason)
{
	s->decided = result;
	s->reason = reason;
}

/* Reads the signatures, as many as are worth it. */
static void
read_signatures(struct dkim *d, uint64_t now, dkim_prefer_fn *prefer, void *arg)
{
	d->count = d->fed_count = d->reported_count = 0;
	for (size_t i = 0; i < d->fields.count && d->count < DKIM_READ_MAX; i++) {
		const struct dkim_field *f = &d->fields.items[i];
		struct candidate *c = &d->candidates[d->count];
		struct dkim_signature *s = &c->signature;

		if (!is_signature(f) || !dkim_signature_read(f->value, now, s))
			continue;
		c->field = i;
		c->fed = c->reported = false;
		c->preferred = prefer != NULL && prefer(arg, span_of(s->domain, s->domain_len));
		d->count++;
	}
}

static void
choose(struct dkim *d, bool preferred)
{
	for (size_t i = 0; i < d->count && d->fed_count < DKIM_VERIFIED_MAX; i++) {
		struct candidate *c = &d->candidates[i];

		if (c->preferred != preferred || c->signature.decided != AUTH_UNCHECKED)
			continue;
		c->fed = c->reported = true;
		d->fed_count++;
		d->reported_count++;
	}
}

/*
 * The library gets the first few that may be of the author's domain, and of the others what
 * there is room for; those have a result, and of the rest the first ones.
 */
static void
choose_signatures(struct dkim *d, bool fed_field[DKIM_FIELDS_MAX])
{
	size_t n = 0;

	choose(d, true);
	choose(d, false);
	for (size_t i = 0; i < d->fields.count; i++)
		fed_field[i] = !is_signature(&d->fields.items[i]);
	for (size_t i = 0; i < d->count; i++) {
		struct candidate *c = &d->candidates[i];

		if (c->fed) {
			fed_field[c->field] = true;
			d->fed[n++] = &c->signature;
			continue;
		}
		if (c->signature.decided == AUTH_UNCHECKED)
			decide(&c->signature, AUTH_NEUTRAL, "policy, too many signatures");
		if (d->reported_count < DKIM_REPORTED_MAX) {
			c->reported = true;
			d->reported_count++;
		}
	}
}

static void
count_watched(struct dkim *d)
{
	for (size_t i = 0; i < d->fields.count; i++) {
		enum dkim_watched w = dkim_watched_by_name(d->fields.items[i].name);

		if (w < DKIM_WATCHED)
			d->present[w]++;
	}
}

/* Every signature that was to be verified has this result. */
static void
decide_all(struct dkim *d, enum auth_result result, const char *reason)
{
	for (size_t i = 0; i < d->fed_count; i++)
		decide(d->fed[i], result, reason);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void
ask_key(struct dkim *d, const struct dkim_signature *s)
{
	uint8_t room[DNS_NAME_MAX];
	struct buf name = BUF_OVER(room);

	buf_put(&name, s->selector, s->selector_len);
	buf_put_str(&name, "._domainkey.");
	buf_put(&name, s->domain, s->domain_len);
	d->resolver->ask(d->resolver->arg, buf_span(&name), DNS_TYPE_TXT, &d->reply);
}

/* Returns: NULL, or why there is no key that could be used, with its result. */
static const char *
select_key(const struct dns_reply *reply, struct span *key_out, enum auth_result *result_out)
{
	struct span rest = dns_records(reply);
	struct msg_dns_record record;

	*result_out = reply->status == DNS_TROUBLE ? AUTH_TEMPERROR : AUTH_PERMERROR;
	if (reply->status == DNS_TROUBLE)
		return "no answer from the DNS";
	if (reply->status != DNS_OK || !dns_next(&rest, &record))
		return reply->status == DNS_UNUSABLE ? "oversized answer from the DNS" : "no key";
	if (reply->count != 1)
		return "more than one key";
	if (record.data.len >= DKIM_KEY_MAX || span_find(record.data, '\0') < record.data.len)
		return "key not understood";
	*key_out = record.data;
	return NULL;
}

/*
 * The library takes a temporary failure for a bad signature and stops at it: it is told that
 * there is no key, and what is true is remembered here.
 */
static long
fetch_key(void *arg, size_t index, uint8_t *text_out)
{
	struct dkim *d = arg;
	struct dkim_signature *s = d->fed[index];
	struct span key = {NULL, 0};
	enum auth_result result;
	const char *why;

	ask_key(d, s);
	why = select_key(&d->reply, &key, &result);
	if (why != NULL) {
		decide(s, result, why);
		return -1;
	}
	if (key.len > 0)
		memcpy(text_out, key.p, key.len);
	return (long)key.len;
}

/* ---- verifying ------------------------------------------------------------------------------- */

static bool
feed_header(struct dkim *d, struct dkim_session *session, const bool fed_field[DKIM_FIELDS_MAX])
{
	for (size_t i = 0; i < d->fields.count; i++)
		if (fed_field[i] &&
		    !dkim_session_field(session, to_crlf(d, d->fields.items[i].whole)))
			return false;
	return dkim_session_header_end(session, d->fed_count);
}

/* Returns: 1, 0 when the library does not want it, -1 when it cannot be read. */
static int
feed_body(struct dkim *d, struct dkim_session *session, const struct dkim_content *content)
{
	uint64_t offset = d->fields.body;
	long n;

	while ((n = read_fully(content, offset, d->block, BODY_PART)) > 0) {
		if (!dkim_session_body(session, to_crlf(d, span_of(d->block, (size_t)n))))
			return 0;
		offset += (uint64_t)n;
	}
	return n == 0 ? 1 : -1;
}

/*
 * What was signed once and is there twice: the reader may show the one that was not signed.
 */
static bool
has_unsigned_double(const struct dkim *d, const struct dkim_signature *s)
{
	for (unsigned w = 0; w < DKIM_WATCHED; w++)
		if (s->signed_count[w] > 0 && d->present[w] > s->signed_count[w])
			return true;
	return false;
}

static void
take_results(struct dkim *d, struct dkim_session *session)
{
	for (size_t i = 0; i < d->fed_count; i++) {
		struct dkim_signature *s = d->fed[i];
		const char *reason;
		enum auth_result result = dkim_session_result(session, i, &reason);

		if (s->decided != AUTH_UNCHECKED)
			continue; /* by fetch_key */
		if (result == AUTH_PASS && has_unsigned_double(d, s))
			decide(s, AUTH_NEUTRAL, "policy, a signed field was doubled");
		else
			decide(s, result, reason);
	}
}

/* Returns: false when our own trouble left no result. */
static bool
verify(struct dkim *d, const struct dkim_content *content, const bool fed_field[DKIM_FIELDS_MAX])
{
	struct dkim_session *session = dkim_session_new(d->engine, fetch_key, d);
	bool ok = session != NULL;
	int body;

	if (!ok)
		return false;
	if (!feed_header(d, session, fed_field)) {
		decide_all(d, AUTH_PERMERROR, "malformed header");
		goto out;
	}
	body = feed_body(d, session, content);
	ok = body >= 0 && (body == 0 || dkim_session_end(session));
	if (ok && body == 0)
		decide_all(d, AUTH_PERMERROR, "malformed body");
	else if (ok)
		take_results(d, session);
out:
	dkim_session_free(&session);
	return ok;
}

static void
put_result(const struct dkim_signature *s, struct dkim_result *r)
{
	r->result = s->decided;
	r->reason = s->reason;
	r->algorithm = s->algorithm;
	r->domain_len = s->domain_len;
	r->selector_len = s->selector_len;
	r->tag_len = s->tag_len;
	memcpy(r->domain, s->domain, s->domain_len);
	memcpy(r->selector, s->selector, s->selector_len);
	memcpy(r->tag, s->tag, s->tag_len);
}

static void
put_answer(const struct dkim *d, struct dkim_answer *a)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct dkim_signature *s = &d->candidates[i].signature;

		if (!d->candidates[i].reported)
			continue;
		note("dkim signature", span_of(s->domain, s->domain_len),
		    span_str(auth_result_name(s->decided)));
		if (s->reason[0] != '\0')
			note("dkim reason", span_of(s->selector, s->selector_len),
			    span_str(s->reason));
		put_result(s, &a->results[a->count++]);
	}
}

/* Most header blocks are small: reads more only while the end of this one is not in sight. */
static int
read_header(struct dkim *d, const struct dkim_content *content, bool *good_out)
{
	enum { FIRST = 4 * 1024, GROWTH = 4 };

	for (size_t cap = FIRST;; cap *= GROWTH) {
		long n = read_fully(content, 0, d->block, cap);

		if (n < 0)
			return -1;
		*good_out =
		    dkim_fields_split(span_of(d->block, (size_t)n), (size_t)n < cap, &d->fields);
		if (*good_out || (size_t)n < cap || cap == sizeof(d->block))
			return 0;
	}
}

bool
dkim_read_header(
    struct dkim *d, const struct dkim_content *content, const struct dkim_fields **fields_out)
{
	if (read_header(d, content, &d->good) != 0)
		return false;
	*fields_out = d->good ? &d->fields : NULL;
	return true;
}

bool
dkim_verify_signatures(struct dkim *d, const struct dkim_content *content,
    const struct resolver *resolver, uint64_t now, dkim_prefer_fn *prefer, void *arg,
    struct dkim_answer *answer_out)
{
	bool fed_field[DKIM_FIELDS_MAX];

	answer_out->count = 0;
	d->resolver = resolver;
	memset(d->present, 0, sizeof(d->present));
	read_signatures(d, now, prefer, arg);
	choose_signatures(d, fed_field);
	count_watched(d);
	if (!d->good)
		decide_all(d, AUTH_PERMERROR, "malformed header");
	else if (d->present[DKIM_WATCH_FROM] != 1)
		decide_all(d, AUTH_PERMERROR, "not exactly one From");
	else if (d->fed_count > 0 && !verify(d, content, fed_field))
		return false;
	put_answer(d, answer_out);
	return true;
}

bool
dkim_check(struct dkim *d, const struct dkim_content *content, const struct resolver *resolver,
    uint64_t now, struct dkim_answer *answer_out)
{
	const struct dkim_fields *fields;

	answer_out->count = 0;
	return dkim_read_header(d, content, &fields) &&
	       dkim_verify_signatures(d, content, resolver, now, NULL, NULL, answer_out);
}

/* ---- warming up ------------------------------------------------------------------------------ */

static long
read_sample(void *arg, uint64_t offset, void *p, size_t len)
{
	struct span rest = span_head(span_from(span_str(arg), (size_t)offset), len);

	if (rest.len > 0)
		memcpy(p, rest.p, rest.len);
	return (long)rest.len;
}

static void
sample_key(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	struct buf b = BUF_OVER(reply_out->encoded);
	struct msg_dns_record record = {0, dkim_sample_key(name)};

	(void)arg;
	(void)type;
	reply_out->status = DNS_OK;
	reply_out->count = 1;
	msg_list_put(&b, RECORD_dns_record, &record);
	reply_out->len = b.len;
}

/* Both algorithms, for each loads its own part of the cryptographic library. */
static bool
warm_up(struct dkim *d)
{
	struct dkim_content content = {read_sample, (void *)(uintptr_t)dkim_sample_message};
	struct resolver resolver = {sample_key, NULL};
	struct dkim_answer answer;

	return dkim_check(d, &content, &resolver, DKIM_SAMPLE_TIME, &answer) && answer.count == 2 &&
	       answer.results[0].result == AUTH_PASS && answer.results[1].result == AUTH_PASS;
}

struct dkim *
dkim_new(void)
{
	struct dkim *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->engine = dkim_engine_new();
	if (d->engine == NULL || !warm_up(d))
		dkim_destroy(&d);
	return d;
}

void
dkim_destroy(struct dkim **dkim_at)
{
	struct dkim *d = *dkim_at;

	*dkim_at = NULL;
	if (d == NULL)
		return;
	dkim_engine_free(&d->engine);
	free(d);
}
