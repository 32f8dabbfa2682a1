#include "validators/content_check.h"

#include "lib/domain_list.h"
#include "lib/idn.h"

#include "validators/dkim_fields.h"
#include "validators/note.h"
#include "validators/received.h"

/* ---- the header -------------------------------------------------------------------------------- */

/* Returns: how many there are; the first one is given. */
static size_t
find_field(const struct dkim_fields *fields, struct span name, struct span *value_out)
{
	size_t n = 0;

	for (size_t i = 0; i < fields->count; i++) {
		if (!span_eq_nocase(fields->items[i].name, name))
			continue;
		if (n++ == 0)
			*value_out = fields->items[i].value;
	}
	return n;
}

/* Rows 191 and 200: one From:, and only From: says who the author is. */
static void
find_authors(const struct dkim_fields *fields, struct from_authors *authors)
{
	struct span value = {NULL, 0};
	size_t n = fields != NULL ? find_field(fields, SPAN("From"), &value) : 0;

	authors->count = 0;
	authors->status = fields == NULL || n > 1 ? FROM_MALFORMED : FROM_MISSING;
	if (n == 1)
		from_parse(value, authors);
}

/* ---- a relay's client ---------------------------------------------------------------------------- */

/* The domain that SPF judges: of the reverse-path, or without one the HELO name. */
static struct span
envelope_domain(const struct content_question *q)
{
	return q->reverse_path.len == 0
	           ? q->helo
	           : span_from(q->reverse_path, span_find_last(q->reverse_path, '@') + 1);
}

static void
check_relayed(const struct content_tools *tools, struct content_question *q,
    const struct dkim_fields *fields, const struct resolver *resolver, struct content_answer *a)
{
	struct received_client client;
	struct spf_question spf = {.sender = q->reverse_path};
	struct span value;

	if (fields == NULL || find_field(fields, SPAN("Received"), &value) == 0 ||
	    !received_parse(value, &client))
		return;
	/* The HELO name of the connection is the relay's. */
	q->helo = client.helo;
	a->relayed = true;
	a->client = spf.client = client.ip;
	spf.helo = client.helo;
	spf_check(tools->spf, &spf, resolver, &a->spf);
}

/* ---- authors and signatures ------------------------------------------------------------------------ */

static bool
is_preferred(void *arg, struct span domain)
{
	return dmarc_may_align(arg, domain);
}

static bool
is_sealed(const struct conf_strings *sealers, const struct dkim_answer *dkim)
{
	for (size_t i = 0; i < dkim->count; i++) {
		const struct dkim_result *r = &dkim->results[i];

		if (r->result == AUTH_PASS &&
		    domain_list_has(sealers, span_of(r->domain, r->domain_len)))
			return true;
	}
	return false;
}

static void
note_author(const struct dmarc_author *a)
{
	static const char *const found[] = {
	    "no policy", "policy at", "policy not known, no answer", "policy not understood"};
	static const char *const policies[] = {"none", "quarantine", "reject"};
	static const char *const matches[] = {"not aligned", "aligned", "alignment not known"};

	if (!note_wanted())
		return;
	note("dmarc", from_domain_span(&a->domain), span_str(found[a->found]));
	if (a->found != DMARC_FOUND)
		return;
	note("dmarc policy at", from_domain_span(&a->policy_domain),
	    span_str(policies[a->requested]));
	note("dmarc envelope", from_domain_span(&a->domain), span_str(matches[a->spf]));
	note("dmarc signatures", from_domain_span(&a->domain), span_str(auth_result_name(a->dkim)));
}

static void
check_dmarc(const struct content_tools *tools, const struct content_question *q,
    const struct resolver *resolver, struct content_answer *a)
{
	struct dmarc_identity signatures[DKIM_REPORTED_MAX];
	uint8_t room[DNS_NAME_MAX], ascii[DNS_NAME_MAX];
	struct buf domain = BUF_OVER(room), labels = BUF_OVER(ascii);

	for (size_t i = 0; i < a->dkim.count; i++) {
		const struct dkim_result *r = &a->dkim.results[i];

		signatures[i].domain = span_of(r->domain, r->domain_len);
		signatures[i].result = r->result;
	}
	/* What is no name of the DNS is aligned with nothing. */
	if (idn_to_ascii(envelope_domain(q), &labels) == IDN_OK && !labels.full)
		buf_put_lower(&domain, buf_span(&labels));
	for (size_t i = 0; i < a->from.count; i++)
		note("author", from_domain_span(&a->from.domains[i]), span_of(NULL, 0));
	dmarc_check(tools->dmarc, resolver, &a->from, signatures, a->dkim.count,
	    domain.full ? span_of(NULL, 0) : buf_span(&domain), a->authors);
	for (size_t i = 0; i < a->from.count; i++)
		note_author(&a->authors[i]);
}

bool
content_check(const struct content_tools *tools, const struct content_question *asked,
    const struct resolver *resolver, struct content_answer *a)
{
	struct content_question q = *asked;
	const struct dkim_fields *fields;

	a->dkim.count = 0;
	a->sealed = a->relayed = false;
	if (!dkim_read_header(tools->dkim, &q.content, &fields))
		return false;
	find_authors(fields, &a->from);
	if ((q.checks & WANT_SPF) != 0)
		check_relayed(tools, &q, fields, resolver, a);
	if ((q.checks & WANT_DKIM) != 0 &&
	    !dkim_verify_signatures(
		tools->dkim, &q.content, resolver, q.received, is_preferred, &a->from, &a->dkim))
		return false;
	a->sealed = is_sealed(&tools->conf->dmarc.trusted_sealers, &a->dkim);
	if ((q.checks & WANT_DMARC) != 0 && a->from.status == FROM_GOOD)
		check_dmarc(tools, &q, resolver, a);
	return true;
}
