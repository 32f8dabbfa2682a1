/*
 * PROXY headers: the verdict is the same octet by octet; a prefix of a good one only ever needs
 * more; nothing behind it is looked at; no more than PROXY_MAX octets are waited for.
 */
#include <stdlib.h>

#include "smtpd/proxy.h"

static void
check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, part;
	enum proxy_status status = proxy_parse(span_of(data, size), &whole);

	check(status != PROXY_MORE || size < PROXY_MAX);
	if (size > PROXY_MAX + 16)
		size = PROXY_MAX + 16;
	for (size_t len = 0; len <= size; len++) {
		/* A copy of exact size, so that a read behind it is found. */
		uint8_t *copy = malloc(len + 1);
		enum proxy_status now;

		memcpy(copy, data, len);
		copy = realloc(copy, len > 0 ? len : 1);
		now = proxy_parse(span_of(copy, len), &part);
		free(copy);
		if (now == PROXY_MORE)
			continue;
		check(now == status);
		if (now == PROXY_GOOD)
			check(part.len == len && whole.len == len && part.port == whole.port &&
			      part.unknown == whole.unknown &&
			      memcmp(&part.client, &whole.client, sizeof(part.client)) == 0);
		return 0;
	}
	check(status == PROXY_MORE || size == PROXY_MAX + 16);
	return 0;
}
