/* BDAT: RFC 3030 2. The octets that follow are taken by chunk.c. */
#include "smtpd/chunk.h"
#include "smtpd/command.h"

/* bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF; nothing is known of the octets behind a bad one. */
enum reply_id
bdat_check(const struct session *s, struct span argument, union command_args *args_out)
{
	struct span size = span_head(argument, span_find(argument, ' '));
	struct span rest = span_from(argument, size.len);

	(void)s;
	while (rest.len > 0 && rest.p[0] == ' ')
		rest = span_from(rest, 1);
	args_out->bdat.last = rest.len > 0;
	if (!span_decimal(size, UINT64_MAX, &args_out->bdat.size) ||
	    (rest.len > 0 && !span_eq_nocase(rest, SPAN("LAST"))))
		return REPLY_chunk_syntax;
	return REPLY_NONE;
}

void
bdat_apply(struct session *s, const union command_args *args)
{
	/* Chunks without octets could come for ever (row 171). */
	if (args->bdat.size == 0 && !args->bdat.last && !command_count_junk(s))
		return;
	chunk_begin(s, args->bdat.size, args->bdat.last);
}
