/* DMARC records of strangers, alone and in a tree walk in which every name has one of them. */
#include "validators/dmarc_record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	struct span rest; /* records, separated by NUL */
	unsigned questions;
};

/* The next record; first an octet that says how the question ends. */
static void
ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	struct input *in = arg;
	struct buf b = BUF_OVER(reply_out->encoded);
	struct msg_dns_record record = {0};

	if (!dns_name_ok(name) || ++in->questions > 2 * DMARC_NAMES_MAX)
		abort();
	reply_out->count = 0;
	reply_out->status = type == DNS_TYPE_TXT && in->rest.len > 0
	                        ? (enum dns_status)(in->rest.p[0] % 5)
	                        : DNS_NO_NAME;
	record.data = span_head(span_from(in->rest, 1), span_find(span_from(in->rest, 1), 0));
	in->rest = span_from(in->rest, record.data.len + 2);
	if (reply_out->status == DNS_OK && msg_list_put(&b, RECORD_dns_record, &record))
		reply_out->count = 1;
	reply_out->len = b.len;
}

static void
check_record(struct span text)
{
	struct dmarc_record r;

	if (!dmarc_record_is_one(text))
		return;
	dmarc_record_parse(text, &r);
	if (r.p > DMARC_POLICY_REJECT || r.sp > DMARC_POLICY_REJECT || r.np > DMARC_POLICY_REJECT ||
	    r.psd > DMARC_PSD_NO || (!r.usable && r.p != DMARC_POLICY_NONE))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dmarc *dmarc;
	static const struct conf_strings overrides = {0, NULL};
	const struct dmarc_identity signatures[] = {{SPAN("x.b.example.co.uk"), AUTH_PASS},
	    {SPAN("other.example"), AUTH_PASS}, {SPAN("a.b.example.co.uk"), AUTH_TEMPERROR}};
	struct dmarc_author found[FROM_DOMAINS_MAX];
	struct input in = {span_of(data, size), 0};
	struct resolver resolver = {ask, &in};
	struct from_authors authors;

	check_record(in.rest);
	if (dmarc == NULL)
		dmarc = dmarc_new(&overrides);
	from_parse(SPAN("m@a.b.example.co.uk, n@c.example.co.uk"), &authors);
	if (dmarc == NULL || authors.status != FROM_GOOD)
		abort();
	dmarc_check(dmarc, &resolver, &authors, signatures, 3, SPAN("y.example.co.uk"), found);
	for (size_t i = 0; i < authors.count; i++)
		if ((found[i].found == DMARC_FOUND) != (found[i].policy_domain.len > 0) &&
		    found[i].found != DMARC_UNUSABLE)
			abort();
	return 0;
}
