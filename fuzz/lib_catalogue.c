/*
 * The decoder of the message catalogue: the first octet chooses the type, the rest are its
 * fields. What is decoded must encode to the same octets, and its lists must be walkable.
 */
#include "lib/bug.h"
#include "lib/catalogue.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct msg_list *list, enum record_type record)
{
	union {
		struct msg_granted granted;
		struct msg_conf_pair pair;
		struct msg_dns_record dns;
		struct msg_dkim_result dkim;
		struct msg_counter_value counter;
	} element;
	struct span rest = list->encoded;
	unsigned n = 0;

	while (msg_list_next(&rest, record, &element))
		n++;
	BUG_ON(n != list->count);
}

static void
walk_lists(enum msg_type type, const union msg *m)
{
	switch (type) {
	case MSG_conf:
		walk(&m->conf.pairs, RECORD_conf_pair);
		break;
	case MSG_submit:
		walk(&m->submit.recipients, RECORD_granted);
		break;
	case MSG_deliver:
		walk(&m->deliver.recipients, RECORD_granted);
		walk(&m->deliver.signatures, RECORD_dkim_result);
		break;
	case MSG_dns_answer:
		walk(&m->dns_answer.records, RECORD_dns_record);
		break;
	case MSG_status_answer:
		walk(&m->status_answer.counters, RECORD_counter_value);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t room[256 * 1024];
	struct buf b = BUF_OVER(room);
	union msg m;

	if (size < 1 || msg_info(data[0]) == NULL)
		return 0;
	if (!msg_decode((enum msg_type)data[0], span_of(data + 1, size - 1), &m))
		return 0;
	walk_lists((enum msg_type)data[0], &m);
	BUG_ON(!msg_encode((enum msg_type)data[0], &m, &b));
	BUG_ON(!span_eq(buf_span(&b), span_of(data + 1, size - 1)));
	return 0;
}
