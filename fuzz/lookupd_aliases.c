/* Lists of addresses in alias files: bounded, and what is quoted again reads the same. */
#include "lib/bug.h"
#include "lookupd/postfix_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct postfix_address *a)
{
	uint8_t octets[POSTFIX_QUOTED_MAX];
	struct buf b = BUF_OVER(octets);
	struct postfix_address back;
	struct span local = postfix_local(postfix_span(a)), rest;
	size_t len = postfix_split(local, SPAN("+-"), true, SPAN("double-bounce"));

	BUG_ON(len > local.len || (local.len > 0 && len == 0));
	BUG_ON(postfix_has_domain(postfix_span(a)) && a->len == 0);
	postfix_put_quoted(&b, postfix_span(a));
	BUG_ON(b.full);
	/* Domains are not quoted: only those that are plain come back. */
	for (size_t i = local.len + 1; i < a->len; i++)
		if (!ascii_is_alpha(a->octets[i]) && a->octets[i] != '.')
			return;
	rest = buf_span(&b);
	BUG_ON(!postfix_next_address(&rest, &back));
	BUG_ON(!a->overlong && !span_eq(postfix_span(&back), postfix_span(a)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size), word;
	struct postfix_address a;
	size_t left = rest.len + 1;

	while (postfix_next_address(&rest, &a)) {
		BUG_ON(rest.len >= left || a.len > sizeof(a.octets));
		left = rest.len;
		check_again(&a);
	}
	BUG_ON(rest.len > 0);
	rest = span_of(data, size);
	while (postfix_next_word(&rest, &word))
		BUG_ON(word.len == 0);
	return 0;
}
