/*
 * What content is, as simply as it can be said: the end of data is the first CR LF . CR LF, where a
 * CR LF stands before the first octet. A dot that CR LF precedes is taken away. CR LF becomes LF.
 * For the exhaustive test and the fuzzer.
 */
#ifndef TESTS_SMTPD_REFERENCE_H
#define TESTS_SMTPD_REFERENCE_H

#include "lib/span.h"

struct reference {
	bool ended;
	size_t used; /* octets up to the end of data, or all */
	uint8_t content[4096];
	size_t len;
	uint64_t size;
	bool bare_lf, bare_cr, nul, unended;
};

static inline bool
reference_at(struct span in, size_t i, const char *what)
{
	size_t len = strlen(what);

	return i + len <= in.len && memcmp(in.p + i, what, len) == 0;
}

static inline void
reference_read(struct span in, struct reference *r)
{
	bool line_start = true;

	*r = (struct reference){.used = in.len};
	for (size_t i = 0; i < in.len; i++) {
		if (line_start && reference_at(in, i, ".\r\n")) {
			r->ended = true;
			r->used = i + 3;
			return;
		}
		if (line_start && in.p[i] == '.') {
			line_start = false;
			continue;
		}
		line_start = reference_at(in, i, "\r\n");
		r->nul = r->nul || in.p[i] == '\0';
		r->bare_cr = r->bare_cr || (in.p[i] == '\r' && !line_start);
		r->bare_lf = r->bare_lf || in.p[i] == '\n';
		if (line_start) {
			r->content[r->len++] = '\n';
			r->size += 2;
			i++;
		} else {
			r->content[r->len++] = in.p[i];
			r->size += in.p[i] == '\n' ? 2 : 1;
		}
	}
}

/* The same for chunks, all of them: no dot means anything, and a last line without an end gets one. */
static inline void
reference_read_chunks(struct span in, struct reference *r)
{
	*r = (struct reference){.used = in.len};
	for (size_t i = 0; i < in.len; i++) {
		bool crlf = reference_at(in, i, "\r\n");

		r->nul = r->nul || in.p[i] == '\0';
		r->bare_cr = r->bare_cr || (in.p[i] == '\r' && !crlf);
		r->bare_lf = r->bare_lf || in.p[i] == '\n';
		i += crlf;
		r->content[r->len++] = in.p[i];
		r->size += in.p[i] == '\n' ? 2 : 1;
	}
	r->unended = r->len > 0 && r->content[r->len - 1] != '\n';
	if (r->unended) {
		r->content[r->len++] = '\n';
		r->size += 2;
	}
}

/* '2': taken, '5': refused. */
static inline char
reference_verdict(const struct reference *r, bool reject)
{
	return r->bare_cr || r->nul || (reject && (r->bare_lf || r->unended)) ? '5' : '2';
}

#endif
