/* Messages of strangers, through the reading of signatures into the library. */
#include "validators/dkim.h"
#include "validators/dkim_warm_up.h"

#include "lib/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	struct span content;
	unsigned questions;
};

static long
read_content(void *arg, uint64_t offset, void *p, size_t len)
{
	const struct input *in = arg;
	struct span rest = span_head(span_from(in->content, (size_t)offset), len);

	if (rest.len > 0)
		memcpy(p, rest.p, rest.len);
	return (long)rest.len;
}

/* The keys of the sample, and for other names the end of the message as a key. */
static void
ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	struct input *in = arg;
	struct buf b = BUF_OVER(reply_out->encoded);
	struct msg_dns_record record = {0, dkim_sample_key(name)};

	(void)type;
	BUG_ON(!dns_name_ok(name));
	BUG_ON(++in->questions > DKIM_VERIFIED_MAX);
	if (record.data.len == 0)
		record.data =
		    span_from(in->content, in->content.len > 300 ? in->content.len - 300 : 0);
	reply_out->count = msg_list_put(&b, RECORD_dns_record, &record);
	reply_out->len = b.len;
	reply_out->status = DNS_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim *dkim;
	struct input in = {span_of(data, size), 0};
	struct dkim_content content = {read_content, &in};
	struct resolver resolver = {ask, &in};
	struct dkim_answer answer;

	if (dkim == NULL)
		dkim = dkim_new();
	BUG_ON(dkim == NULL);
	if (!dkim_check(dkim, &content, &resolver, DKIM_SAMPLE_TIME, &answer))
		return 0;
	for (size_t i = 0; i < answer.count; i++)
		BUG_ON(answer.results[i].result == AUTH_UNCHECKED ||
		       answer.results[i].domain_len == 0);
	return 0;
}
