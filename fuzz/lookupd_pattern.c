/* Expressions and texts: what compiles stays within its states, and matches in bounded time. */
#include "lib/bug.h"
#include "lookupd/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is the expression, the rest the text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pattern p;
	struct span input = span_of(data, size);
	size_t end = span_find(input, '\n');
	struct span text = span_head(span_from(input, end + 1), 600);

	if (pattern_compile(&p, span_head(input, end)) != NULL)
		return 0;
	BUG_ON(p.count == 0 || p.count > PATTERN_STATES_MAX);
	for (size_t i = 0; i < p.count; i++)
		for (size_t k = 0; k < 2; k++) {
			int64_t to = (int64_t)i + p.states[i].to[k];

			BUG_ON(to < 0 || to >= (int64_t)p.count);
		}
	pattern_matches(&p, text);
	return 0;
}
