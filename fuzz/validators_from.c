/* From fields of strangers: what comes out are names, and reading does not depend on how they came. */
#include "validators/from.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(struct span name)
{
	if (!dns_name_ok(name) || span_find(name, '.') == name.len)
		abort();
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && c != '-' && c != '_' &&
		    c != '.')
			abort();
	}
}

/* A domain that is found must stand in the value behind an "@", unless it came from U-labels. */
static bool
stands_there(struct span value, struct span name)
{
	for (size_t at = 0; at + name.len <= value.len; at++)
		if (span_eq_nocase(span_head(span_from(value, at), name.len), name))
			return true;
	return false;
}

static bool
is_ascii(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] >= 128)
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of(data, size);
	struct from_authors a, spaced;
	uint8_t *copy;

	from_parse(value, &a);
	if ((a.count > 0) != (a.status == FROM_GOOD) || a.count > FROM_DOMAINS_MAX)
		abort();
	for (size_t i = 0; i < a.count; i++) {
		check_name(from_domain_span(&a.domains[i]));
		if (is_ascii(value) && !stands_there(value, from_domain_span(&a.domains[i])))
			abort();
	}
	if (size == 0 || size >= FROM_VALUE_MAX)
		return 0;
	/* White space before it changes nothing. */
	copy = malloc(size + 1);
	if (copy == NULL)
		return 0;
	copy[0] = ' ';
	memcpy(copy + 1, data, size);
	from_parse(span_of(copy, size + 1), &spaced);
	if (spaced.status != a.status || spaced.count != a.count)
		abort();
	free(copy);
	return 0;
}
