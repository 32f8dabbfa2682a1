#include "lookupd/report.h"

void
report_octets(FILE *to, struct span octets)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < octets.len; i++) {
		uint8_t c = octets.p[i];

		if (c == '\\')
			fputs("\\\\", to);
		else if (c >= ' ' && c <= '~')
			fputc(c, to);
		else
			fprintf(to, "\\x%c%c", hex[c >> 4], hex[c & 15]);
	}
}

static void
say(struct report *r, const char *severity, const char *source, unsigned line, const char *message,
    struct span detail)
{
	if (source != NULL) {
		report_octets(r->to, span_str(source));
		if (line > 0)
			fprintf(r->to, ":%u", line);
		fputs(": ", r->to);
	}
	fprintf(r->to, "%s: %s", severity, message);
	if (detail.len > 0) {
		fputs(": ", r->to);
		report_octets(r->to, detail);
	}
	fputc('\n', r->to);
}

void
report_error(
    struct report *r, const char *source, unsigned line, const char *message, struct span detail)
{
	r->errors++;
	say(r, "error", source, line, message, detail);
}

void
report_warning(
    struct report *r, const char *source, unsigned line, const char *message, struct span detail)
{
	r->warnings++;
	say(r, "warning", source, line, message, detail);
}
