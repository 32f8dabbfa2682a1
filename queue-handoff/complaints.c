#include "queue-handoff/complaints.h"

static const struct complaint table[] = {
#define COMPLAINT(text, about, source) {text, about, source},
#include "queue-handoff/complaints.def"
#undef COMPLAINT
};

static bool
holds(struct span text, struct span part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (span_eq_nocase(span_head(span_from(text, i), part.len), part))
			return true;
	return false;
}

const struct complaint *
complaint_find(struct span text)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (holds(text, span_str(table[i].text)))
			return &table[i];
	return NULL;
}

const struct complaint *
complaints(size_t *count_out)
{
	*count_out = sizeof(table) / sizeof(table[0]);
	return table;
}

/* ---- SMTP and LMTP ------------------------------------------------------------------------------ */

/*
 * RFC 5321 4.2.2, RFC 3463, by the longest prefix that fits. A row without a word is believed: it
 * speaks of the message or of a mailbox.
 */
static const struct {
	const char *status; /* prefix of the enhanced status code */
	const char *about;
} statuses[] = {
    {"5.7.", "authorisation"},
    {"5.5.", "framing"},
    {"5.3.4", "size"},
    {"5.2.3", "size"},
    {"5.3.", "configuration"},
    {"5.4.", "configuration"},
    {"5.1.7", "configuration"},
    {"5.1.8", "configuration"},
};

static const char *
doubt_by_status(struct span status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (span_eq(span_head(status, strlen(statuses[i].status)),
			span_str(statuses[i].status)))
			return statuses[i].about;
	return NULL;
}

/* 500 to 504, 521, 530, 535, 538, 555, 556: none of them is about a message. */
static const char *
doubt_by_code(unsigned code)
{
	if (code >= 500 && code <= 504)
		return "framing";
	if (code == 521 || code == 530 || code == 535 || code == 538)
		return "authorisation";
	if (code == 552)
		return "size";
	return code == 555 || code == 556 ? "framing" : NULL;
}

/* ---- all together ------------------------------------------------------------------------------- */

static bool
is_named(const struct conf_strings *texts, struct span text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (holds(text, span_str(texts->items[i])))
			return true;
	return false;
}

const char *
refusal_doubt(const struct answer *a, const struct group *g, bool trusted)
{
	const struct complaint *known = complaint_find(a->text);
	const char *about = NULL;

	if (is_named(&g->complaints, a->text))
		return "named";
	if (is_named(&g->refusals, a->text))
		return NULL;
	if (known != NULL)
		return known->about;
	if (a->code != 0)
		about = a->status.len > 0 ? doubt_by_status(a->status) : doubt_by_code(a->code);
	if (about != NULL)
		return about;
	return trusted ? NULL : "untried-server";
}
