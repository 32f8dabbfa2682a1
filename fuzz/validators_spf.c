/*
 * SPF records of strangers, through reader, macros and library. The input is what every TXT
 * question is answered with; other questions are answered by its last octets.
 */
#include "validators/spf.h"

#include "lib/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	struct span text;
	unsigned questions;
};

static void
ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	struct input *in = arg;
	struct msg_dns_record record = {0, in->text};
	struct buf b = BUF_OVER(reply_out->encoded);
	uint8_t choice = in->text.len > 0 ? in->text.p[(in->questions * 7) % in->text.len] : 0;

	BUG_ON(!dns_name_ok(name));
	BUG_ON(++in->questions > 200);
	if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA)
		record.data = choice % 2 == 0 ? SPAN("\xc0\0\2\1") : SPAN("\xc0\0\2\2");
	if (type == DNS_TYPE_AAAA)
		record.data = SPAN("\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	if (type == DNS_TYPE_MX || type == DNS_TYPE_PTR)
		record.data = span_head(in->text, choice % 200);
	reply_out->count = 0;
	for (int i = 0; i < choice % 16; i++)
		if (msg_list_put(&b, RECORD_dns_record, &record))
			reply_out->count++;
	if (type == DNS_TYPE_TXT && reply_out->count == 0 &&
	    msg_list_put(&b, RECORD_dns_record, &record))
		reply_out->count++;
	reply_out->len = b.len;
	reply_out->status = reply_out->count > 0 ? DNS_OK
	                    : choice % 32 == 0   ? DNS_TROUBLE
	                    : choice % 32 == 16  ? DNS_NO_NAME
	                                         : DNS_NO_DATA;
	if (type == DNS_TYPE_TXT && reply_out->count > 1) { /* two policies end it at once */
		reply_out->count = 1;
		b.len = 0;
		msg_list_put(&b, RECORD_dns_record, &record);
		reply_out->len = b.len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct spf *spf;
	struct spf_question q = {
	    .helo = SPAN("helo.example"), .sender = SPAN("l-o.c@sender.example")};
	struct input in = {span_of(data, size), 0};
	struct resolver resolver = {ask, &in};
	struct spf_answer answer;

	if (size == 0 || size > DNS_RECORD_MAX)
		return 0;
	if (spf == NULL)
		spf = spf_new();
	BUG_ON(!ip_parse(
	    data[size - 1] % 2 == 0 ? SPAN("192.0.2.1") : SPAN("2001:db8::1"), &q.client));
	spf_check(spf, &q, &resolver, &answer);
	BUG_ON(answer.result == AUTH_UNCHECKED || answer.domain_len > DNS_NAME_MAX ||
	       answer.reason_len > sizeof(answer.reason));
	return 0;
}
