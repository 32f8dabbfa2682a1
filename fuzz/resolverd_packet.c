/* An answer of a stranger's name server: whatever it is, it is read within its bounds. */
#include "resolverd/packet.h"

#include "lib/bug.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First octet: the type that was asked; the name is always the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {PACKET_A, PACKET_AAAA, PACKET_MX, PACKET_PTR, PACKET_TXT};
	static struct packet_answer answer;
	struct msg_dns_record record;
	struct packet_name name;
	struct span rest;
	unsigned n = 0;

	if (size == 0)
		return 0;
	BUG_ON(!packet_name_parse(SPAN("a.example"), &name));
	packet_read(span_of(data + 1, size - 1), &name, types[data[0] % 5], &answer);
	rest = buf_span(&answer.encoded);
	while (msg_list_next(&rest, RECORD_dns_record, &record)) {
		BUG_ON(record.data.len > PACKET_TXT_MAX);
		n++;
	}
	BUG_ON(n != answer.count || n > PACKET_RECORDS_MAX || answer.ttl > PACKET_TTL_MAX);
	BUG_ON((answer.status == DNS_OK) != (n > 0));
	return 0;
}
