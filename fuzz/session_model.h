/*
 * An independent model of a session, for fuzz/session.c: what a client may be told, and what may
 * reach the hand-off, computed from nothing but the octets that the client said and the replies
 * that it heard, in their order. It shares no code with smtpd but the table of replies, and knows
 * RFC 5321, 2920, 3030 and 6531 as docs/smtp-states.md says them, no internal state.
 *
 * Where the reply depends on things that the client cannot see (time, memory, programs that are
 * down), the model follows the reply, as long as it is one that may be given there.
 */
#ifndef FUZZ_SESSION_MODEL_H
#define FUZZ_SESSION_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "smtpd/reply.h"

enum {
	MODEL_SAID = 1 << 20,
	MODEL_SUBMITS = 200,
	MODEL_RECIPIENTS = 128,
	MODEL_ADDRESS = 600,
	MODEL_LINE = 2048,
	MODEL_SIZE = 65536, /* limits.message_size of the stage */
	MODEL_TEXT_LINE = 65536,
};

#define MODEL_FAIL(...) \
	do { \
		fprintf(stderr, "model: " __VA_ARGS__); \
		fputc('\n', stderr); \
		abort(); \
	} while (0)

enum model_state {
	MODEL_CONNECTED,
	MODEL_GREETED,
	MODEL_READY,
	MODEL_MAIL,
	MODEL_RCPT,
	MODEL_PARTIAL,
	MODEL_CONTENT,
	MODEL_TLS,
	MODEL_CLOSED,
};

/* What validators were given, and what became of it. */
struct model_submit {
	uint64_t transaction;
	uint8_t *content;
	size_t len;
	char to[4096]; /* a space after each */
	bool smtputf8, go, taken, refused;
};

struct model {
	/* the surroundings, set by the driver */
	bool reject_bare_lf, utf8_offered, time_passed, draining;
	bool may_be_closed; /* the last reply reads like one that closes */
	bool trouble;       /* a program was down, or slow, or said no, at some time */

	enum model_state state;
	uint8_t *said;
	size_t said_len, at; /* octets; the ones before `at` were answered */
	bool esmtp, tls, smtputf8, tried;
	uint64_t transaction; /* number of the last MAIL that was tried */
	unsigned errors;      /* replies to wrong commands */
	unsigned recipients;
	char to[MODEL_RECIPIENTS][MODEL_ADDRESS];
	uint8_t *content; /* of the message in progress, as the hand-off must get it */
	size_t content_len, content_size;
	bool content_cr, content_lf, content_nul, content_unended, content_pending_cr;

	struct model_submit submits[MODEL_SUBMITS];
	unsigned submit_count;
};

/* ---- replies -------------------------------------------------------------------------------------- */

struct model_reply {
	unsigned code;
	enum reply_id id;
	bool more;
};

/* Whether the client reads the same as if it were that one, which closes. */
static inline bool
model_reads_like(const struct model_reply *r, enum reply_id id)
{
	const struct reply *a = reply_get(r->id), *b = reply_get(id);

	return a->code == b->code && strcmp(a->text, b->text) == 0 &&
	       strcmp(a->enhanced, b->enhanced) == 0;
}

static inline bool
model_matches(struct span line, const struct reply *r, struct span *rest_out)
{
	char head[64];
	size_t mark = strcspn(r->text, "%");
	int n = snprintf(head, sizeof(head), "%u%c%s%s", r->code, line.len > 3 ? line.p[3] : ' ',
	    r->enhanced, r->enhanced[0] != '\0' ? " " : "");
	struct span text;

	if (!span_eq(span_head(line, (size_t)n), span_of(head, (size_t)n)))
		return false;
	text = span_from(line, (size_t)n);
	if (!span_eq(span_head(text, mark), span_of(r->text, mark)))
		return false;
	text = span_from(text, mark);
	if (r->text[mark] == '\0') {
		*rest_out = text;
		return true;
	}
	/* An argument: what it may be, model_argument_ok says. */
	mark++;
	*rest_out = text;
	return text.len >= strlen(r->text + mark) &&
	       span_eq(
		   span_from(text, text.len - strlen(r->text + mark)), span_str(r->text + mark));
}

static inline bool
model_id_ok(struct span rest)
{
	if (rest.len == 0)
		return true;
	if (!span_eq(span_head(rest, 5), SPAN(", id ")) || rest.len > 5 + 32)
		return false;
	for (size_t i = 5; i < rest.len; i++)
		if (!ascii_is_alpha(rest.p[i]) && !ascii_is_digit(rest.p[i]))
			return false;
	return rest.len > 5;
}

static inline bool
model_argument_ok(const struct model *m, enum reply_id id, struct span rest)
{
	static const char *const known[] = {"mx.ours.example", "PIPELINING", "SIZE 65536",
	    "STARTTLS", "ENHANCEDSTATUSCODES", "CHUNKING", "8BITMIME", "Mailbox disabled",
	    "Mailbox full", "Mailbox not available now", "LIMITS RCPTMAX=100 MAILMAX=100",
	    "LIMITS RCPTMAX=100 MAILMAX=100 RCPTDOMAINMAX=1", "mx.ours.example ESMTP"};
	uint64_t n;

	if (id == REPLY_chunk_ok)
		return span_decimal(span_head(rest, span_find(rest, ' ')), UINT64_MAX, &n);
	if (span_eq(rest, SPAN("SMTPUTF8")))
		return m->utf8_offered && id == REPLY_hello;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq(rest, span_str(known[i])))
			return true;
	return false;
}

/* I8: every line is one of the table, octet by octet. In: without CR LF. */
static inline struct model_reply
model_parse_reply(const struct model *m, struct span line)
{
	struct model_reply best = {0};

	if (line.len < 4 || line.len > 510 || (line.p[3] != ' ' && line.p[3] != '-'))
		MODEL_FAIL("no reply: %.*s", (int)line.len, (const char *)line.p);
	for (unsigned id = 1; id < REPLY_COUNT; id++) {
		const struct reply *r = reply_get((enum reply_id)id);
		bool argument = strchr(r->text, '%') != NULL;
		struct span rest;

		if (!model_matches(line, r, &rest))
			continue;
		if (argument ? model_argument_ok(m, (enum reply_id)id, rest) : model_id_ok(rest))
			best = (struct model_reply){r->code, (enum reply_id)id, line.p[3] == '-'};
		if (best.id == (enum reply_id)id && !argument)
			break; /* of several with one text the first; the states tell them apart */
	}
	if (best.id == REPLY_NONE)
		MODEL_FAIL("not of the table: %.*s", (int)line.len, (const char *)line.p);
	if (best.more && best.id != REPLY_hello)
		MODEL_FAIL("a reply of several lines: %.*s", (int)line.len, (const char *)line.p);
	return best;
}

/* ---- content --------------------------------------------------------------------------------------- */

static inline void
model_content_begin(struct model *m)
{
	m->content_len = m->content_size = 0;
	m->content_cr = m->content_lf = m->content_nul = false;
	m->content_unended = m->content_pending_cr = false;
}

static inline void
model_content_put(struct model *m, uint8_t c)
{
	m->content[m->content_len++] = c;
	m->content_size += c == '\n' ? 2 : 1;
}

/* Octets of a chunk; a CR at its end is looked at with the next one. */
static inline void
model_chunk_put(struct model *m, struct span chunk)
{
	for (size_t i = 0; i < chunk.len; i++) {
		uint8_t c = chunk.p[i];

		if (m->content_pending_cr && c != '\n') {
			m->content_cr = true;
			model_content_put(m, '\r');
		}
		if (c == '\n' && !m->content_pending_cr)
			m->content_lf = true;
		m->content_pending_cr = c == '\r';
		m->content_nul = m->content_nul || c == '\0';
		if (c != '\r')
			model_content_put(m, c);
	}
}

static inline void
model_chunk_last(struct model *m)
{
	if (m->content_pending_cr) {
		m->content_cr = true;
		model_content_put(m, '\r');
	}
	if (m->content_len > 0 && m->content[m->content_len - 1] != '\n') {
		m->content_unended = true;
		model_content_put(m, '\n');
	}
}

/* Index behind CR LF . CR LF, where CR LF stands before the first octet; 0: it is not there. */
static inline size_t
model_find_end(struct span s)
{
	if (span_eq(span_head(s, 3), SPAN(".\r\n")))
		return 3;
	for (size_t i = 0; i + 5 <= s.len; i++)
		if (memcmp(s.p + i, "\r\n.\r\n", 5) == 0)
			return i + 5;
	return 0;
}

/* Content between 354 and the end of data: a dot that CR LF precedes is taken away. */
static inline void
model_take_data(struct model *m, struct span s)
{
	s.len -= 3; /* the last dot and its CR LF */
	for (size_t i = 0; i < s.len; i++) {
		bool at_start = i == 0 || (i > 1 && s.p[i - 2] == '\r' && s.p[i - 1] == '\n');

		if (at_start && s.p[i] == '.')
			continue;
		if (s.p[i] == '\r' && i + 1 < s.len && s.p[i + 1] == '\n')
			continue;
		m->content_cr = m->content_cr || s.p[i] == '\r';
		m->content_nul = m->content_nul || s.p[i] == '\0';
		m->content_lf = m->content_lf || (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'));
		model_content_put(m, s.p[i]);
	}
}

/* Every line is a field or goes on one, up to an empty line; nothing that could be a loop. */
static inline bool
model_header_good(const struct model *m)
{
	struct span rest = span_of(m->content, m->content_len);
	unsigned fields = 0;

	while (rest.len > 0 && rest.p[0] != '\n') {
		size_t end = span_find(rest, '\n');
		struct span line = span_head(rest, end);
		bool fold = line.p[0] == ' ' || line.p[0] == '\t';
		size_t n = 0;

		while (
		    n < line.len && (fold ? line.p[n] == ' ' || line.p[n] == '\t'
					  : line.p[n] > 32 && line.p[n] < 127 && line.p[n] != ':'))
			n++;
		if (n == line.len || (fold ? fields == 0 : n == 0 || line.p[n] != ':'))
			return false;
		if (++fields > 90 || end == rest.len)
			return false;
		rest = span_from(rest, end + 1);
	}
	return m->content_len < 60000;
}

static inline bool
model_content_refusable(const struct model *m)
{
	return m->content_cr || m->content_nul || m->content_len == 0 ||
	       m->content_size > MODEL_SIZE ||
	       (m->reject_bare_lf && (m->content_lf || m->content_unended));
}

/* The transaction is over. */
static inline void
model_on_end(struct model *m, const struct model_reply *r, bool whole)
{
	struct model_submit *s = NULL;
	char want[sizeof(s->to)] = "";
	size_t len = 0;

	for (unsigned i = 0; i < m->submit_count; i++)
		if (m->submits[i].transaction == m->transaction)
			s = &m->submits[i];
	if (s != NULL && !whole)
		MODEL_FAIL("submitted, and not whole");
	if (s != NULL && model_content_refusable(m))
		MODEL_FAIL("submitted, and to be refused");
	if (r->code == 250 && (s == NULL || !s->go || !s->taken))
		MODEL_FAIL("250, and not taken");
	if (r->code != 250 && s != NULL && s->go && s->taken && !m->time_passed)
		MODEL_FAIL("taken, and not 250");
	if (r->code >= 500 && s == NULL && whole && !model_content_refusable(m) &&
	    model_header_good(m) && r->id != REPLY_loop && !m->trouble)
		MODEL_FAIL("good content is refused with %u", r->code);
	if (s == NULL)
		return;
	for (unsigned i = 0; i < m->recipients; i++)
		len += (size_t)snprintf(want + len, sizeof(want) - len, "%s ", m->to[i]);
	/* Who is asked for as postmaster goes elsewhere, and another database may send him elsewhere. */
	if (strstr(want, "postmaster ") == NULL && strcmp(want, s->to) != 0)
		MODEL_FAIL("recipients %s, not %s", s->to, want);
	if (!span_eq(span_of(s->content, s->len), span_of(m->content, m->content_len)))
		MODEL_FAIL("another content of %zu octets, not %zu", s->len, m->content_len);
	if (s->smtputf8 != m->smtputf8)
		MODEL_FAIL("SMTPUTF8");
}

static inline void
model_forget(struct model *m)
{
	m->recipients = 0;
	m->tried = m->smtputf8 = false;
	model_content_begin(m);
}

/* ---- commands --------------------------------------------------------------------------------------- */

struct model_command {
	struct span line, verb, argument; /* without the line end */
	size_t used;                      /* octets with it */
	bool whole, bare_lf, odd, too_long, has_more;
};

static inline struct span
model_trim(struct span s)
{
	while (s.len > 0 && s.p[0] == ' ')
		s = span_from(s, 1);
	while (s.len > 0 && s.p[s.len - 1] == ' ')
		s.len--;
	return s;
}

static inline struct model_command
model_next_command(const struct model *m)
{
	struct span rest = span_of(m->said + m->at, m->said_len - m->at);
	size_t lf = span_find(rest, '\n');
	struct model_command c = {.whole = lf < rest.len, .used = lf + 1};

	if (!c.whole)
		return c;
	c.has_more = rest.len > c.used;
	c.too_long = c.used > MODEL_LINE;
	c.bare_lf = lf == 0 || rest.p[lf - 1] != '\r';
	c.line = span_head(rest, c.bare_lf ? lf : lf - 1);
	c.odd = span_find(c.line, '\r') < c.line.len || span_find(c.line, '\0') < c.line.len;
	c.verb = span_head(c.line, span_find(c.line, ' '));
	c.argument = model_trim(span_from(c.line, c.verb.len));
	return c;
}

static inline bool
model_verb(const struct model_command *c, const char *verb)
{
	return span_eq_nocase(c->verb, span_str(verb));
}

/* What the hand-off must be told of "TO:<path> ...". Returns: false when it is no simple path. */
static inline bool
model_path(struct span argument, char to[MODEL_ADDRESS])
{
	bool quoted = false;
	size_t len = 0, i;

	argument = model_trim(span_from(argument, 3));
	if (argument.len == 0 || argument.p[0] != '<')
		return false;
	for (i = 1; i < argument.len && (quoted || argument.p[i] != '>'); i++) {
		if (argument.p[i] == '"')
			quoted = !quoted;
		else if (quoted && argument.p[i] == '\\' && ++i == argument.len)
			return false;
		if (argument.p[i] == '"' && argument.p[i - 1] != '\\')
			continue;
		if (len == MODEL_ADDRESS - 1)
			return false;
		to[len++] = (char)argument.p[i];
	}
	to[len] = '\0';
	return i < argument.len;
}

static inline bool
model_same(const char *a, const char *b)
{
	size_t at = span_find_last(span_str(a), '@');

	return strlen(a) == strlen(b) && strncmp(a, b, at) == 0 && strcasecmp(a + at, b + at) == 0;
}

static inline void
model_add(struct model *m, struct span argument)
{
	char to[MODEL_ADDRESS];

	if (!model_path(argument, to))
		MODEL_FAIL("a recipient that cannot be read is accepted: %.*s", (int)argument.len,
		    (const char *)argument.p);
	if (strncasecmp(to, "postmaster", 11) == 0)
		strcpy(to, "postmaster");
	for (unsigned i = 0; i < m->recipients; i++)
		if (model_same(m->to[i], to))
			return;
	if (m->recipients == MODEL_RECIPIENTS)
		MODEL_FAIL("too many recipients");
	strcpy(m->to[m->recipients++], to);
}

static inline bool
model_code_in(unsigned code, const char *codes)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", code);
	return strstr(codes, text) != NULL;
}

/* What any command can get where it is not allowed, or with an argument that is none. */
#define MODEL_ALLOW(codes) \
	do { \
		if (!model_code_in(r->code, codes)) \
			MODEL_FAIL("%u to \"%.*s\" in state %d", r->code, (int)c->line.len, \
			    (const char *)c->line.p, m->state); \
	} while (0)

static inline void
model_hello(struct model *m, const struct model_command *c, const struct model_reply *r, bool esmtp)
{
	MODEL_ALLOW("250 501");
	if (r->code != 250)
		return;
	m->esmtp = esmtp;
	m->state = MODEL_READY;
	model_forget(m);
}

static inline void
model_mail(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	if (m->state != MODEL_READY) {
		MODEL_ALLOW("503");
		return;
	}
	MODEL_ALLOW("250 451 452 501 552 553 555");
	if (model_code_in(r->code, "250 452"))
		m->transaction++;
	if (r->code != 250)
		return;
	model_forget(m);
	m->state = MODEL_MAIL;
	m->smtputf8 = false;
	/* A parameter, not part of the path. */
	for (struct span rest = c->argument; rest.len > 0; rest = span_from(rest, 1))
		if (span_eq_nocase(span_head(rest, 9), SPAN(" SMTPUTF8")) &&
		    span_find(rest, '>') == rest.len)
			m->smtputf8 = true;
	if (m->smtputf8 && !m->utf8_offered)
		MODEL_FAIL("SMTPUTF8 that was not offered");
}

static inline void
model_rcpt(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	static const char *const unknown[] = {
	    "TO:<unknown", "TO:<-", "TO:<.", "TO:<trouble", "TO:<disabled", "TO:<full"};

	if (m->state != MODEL_MAIL && m->state != MODEL_RCPT) {
		MODEL_ALLOW("503");
		return;
	}
	MODEL_ALLOW("250 451 452 501 550 552 553 555");
	if (!model_code_in(r->code, "501 553 555"))
		m->tried = true;
	if (r->code != 250)
		return;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		if (span_eq_nocase(
			span_head(c->argument, strlen(unknown[i])), span_str(unknown[i])))
			MODEL_FAIL("accepted: %.*s", (int)c->line.len, (const char *)c->line.p);
	model_add(m, c->argument);
	m->state = MODEL_RCPT;
}

static inline void
model_data(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	if (c->argument.len > 0 && (m->state == MODEL_MAIL || m->state == MODEL_RCPT))
		MODEL_ALLOW("501");
	else if (m->state == MODEL_RCPT)
		MODEL_ALLOW("354 452");
	else if (m->state == MODEL_MAIL)
		MODEL_ALLOW(m->tried ? "554" : "503");
	else
		MODEL_ALLOW("503");
	if (r->code != 354)
		return;
	model_content_begin(m);
	m->state = MODEL_CONTENT;
}

/* Returns: octets that the chunk has; they were taken when they were said. */
static inline uint64_t
model_bdat(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	struct span size = span_head(c->argument, span_find(c->argument, ' '));
	struct span mark = model_trim(span_from(c->argument, size.len));
	struct span rest = span_of(m->said + m->at + c->used, m->said_len - m->at - c->used);
	bool in_transaction =
	    m->state == MODEL_MAIL || m->state == MODEL_RCPT || m->state == MODEL_PARTIAL;
	bool takes = m->esmtp && (m->state == MODEL_RCPT || m->state == MODEL_PARTIAL);
	bool last = mark.len > 0;
	uint64_t n;

	if (!span_decimal(size, UINT64_MAX, &n) || (last && !span_eq_nocase(mark, SPAN("LAST")))) {
		MODEL_ALLOW("521");
		return 0;
	}
	if (n > rest.len) { /* not all of it was said: only a closing reply can come */
		MODEL_ALLOW("552");
		if (n <= 2 * MODEL_SIZE && n + m->content_size <= 2 * MODEL_SIZE)
			MODEL_FAIL("a reply before the end of the chunk");
		m->state = MODEL_CLOSED;
		return 0;
	}
	if (n > 2 * MODEL_SIZE || n + m->content_size > 2 * MODEL_SIZE) {
		MODEL_ALLOW("552");
		m->state = MODEL_CLOSED;
		return n;
	}
	if (!takes)
		MODEL_ALLOW(m->state == MODEL_MAIL && m->tried && m->esmtp ? "554" : "503");
	else if (m->state == MODEL_RCPT)
		model_content_begin(m);
	if (takes && n <= MODEL_SIZE + 10) {
		model_chunk_put(m, span_head(rest, n));
		if (last)
			model_chunk_last(m);
	} else if (takes && r->code < 400) {
		MODEL_FAIL("a chunk beyond the limit is taken");
	}
	if (takes && !last && r->code == 250) {
		if (r->id != REPLY_chunk_ok || m->content_cr || m->content_nul)
			MODEL_FAIL("a chunk is taken");
		m->state = MODEL_PARTIAL;
		return n;
	}
	if (takes)
		model_on_end(m, r, last && n <= MODEL_SIZE + 10);
	if (in_transaction) {
		m->state = MODEL_READY;
		model_forget(m);
	}
	return n;
}

static inline void
model_starttls(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	if (m->state != MODEL_READY || (m->tls && c->argument.len == 0) || !m->esmtp)
		MODEL_ALLOW(c->argument.len > 0 ? "501 503" : "503");
	else
		MODEL_ALLOW(c->argument.len > 0 ? "501" : "220 454");
	if (r->code == 220)
		m->state = MODEL_TLS;
}

static inline void
model_simple(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	static const char *const refused[] = {"ATRN", "AUTH", "BURL", "ETRN", "EXPN", "SAML",
	    "SEND", "SOML", "TURN", "XCLIENT", "XFORWARD"};
	static const char *const http[] = {
	    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (model_verb(c, refused[i])) {
			MODEL_ALLOW("502");
			return;
		}
	}
	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++) {
		if (model_verb(c, http[i])) {
			MODEL_ALLOW("554");
			return;
		}
	}
	MODEL_ALLOW("500 554");
	if (r->code == 554 && (r->id != REPLY_not_smtp || c->line.len == 0 || c->line.p[0] != 0x16))
		MODEL_FAIL("554 to %.*s", (int)c->line.len, (const char *)c->line.p);
}

/* Returns: octets of a chunk behind the line. */
static inline uint64_t
model_on_command(struct model *m, const struct model_command *c, const struct model_reply *r)
{
	if (model_verb(c, "EHLO") || model_verb(c, "HELO")) {
		model_hello(m, c, r, ascii_lower(c->verb.p[0]) == 'e');
	} else if (model_verb(c, "MAIL")) {
		model_mail(m, c, r);
	} else if (model_verb(c, "RCPT")) {
		model_rcpt(m, c, r);
	} else if (model_verb(c, "DATA")) {
		model_data(m, c, r);
	} else if (model_verb(c, "BDAT")) {
		return model_bdat(m, c, r);
	} else if (model_verb(c, "STARTTLS")) {
		model_starttls(m, c, r);
	} else if (model_verb(c, "RSET")) {
		MODEL_ALLOW(c->argument.len > 0 ? "501" : "250");
		if (r->code == 250) {
			m->state = m->state == MODEL_GREETED ? MODEL_GREETED : MODEL_READY;
			model_forget(m);
		}
	} else if (model_verb(c, "NOOP")) {
		MODEL_ALLOW("250");
	} else if (model_verb(c, "HELP")) {
		MODEL_ALLOW("214");
	} else if (model_verb(c, "VRFY")) {
		MODEL_ALLOW(c->argument.len > 0 ? "252" : "501");
	} else if (model_verb(c, "QUIT")) {
		MODEL_ALLOW(c->argument.len > 0 ? "501" : "221");
	} else {
		model_simple(m, c, r);
	}
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

/* Replies that can come at any time, and why. Returns: whether it is one. */
static inline bool
model_ends_anyway(const struct model *m, const struct model_reply *r)
{
	switch (r->id) {
	case REPLY_timeout:
		if (!m->time_passed)
			MODEL_FAIL("a timeout, and no time has passed");
		return true;
	case REPLY_busy:
		if (!m->draining)
			MODEL_FAIL("busy, and nothing ends");
		return true;
	case REPLY_too_many_errors:
		if (m->errors < 3)
			MODEL_FAIL("too many errors: %u", m->errors);
		return true;
	case REPLY_too_much_junk:
	case REPLY_too_many_unknown:
	case REPLY_too_many_excess:
	case REPLY_too_many_messages:
		return true;
	default:
		return false;
	}
}

static inline void
model_on_content_reply(struct model *m, const struct model_reply *r)
{
	struct span rest = span_of(m->said + m->at, m->said_len - m->at);
	size_t end = model_find_end(rest);

	if (end == 0) {
		if (!model_reads_like(r, REPLY_far_too_large) || rest.len <= 2000)
			MODEL_FAIL("%u before the end of data", r->code);
		m->state = MODEL_CLOSED;
		return;
	}
	if (!model_code_in(r->code, "250 451 452 500 550 552 554"))
		MODEL_FAIL("%u at the end of data", r->code);
	model_take_data(m, span_head(rest, end));
	/* It depends on how the octets came whether their end was seen before there were too many. */
	m->may_be_closed = m->may_be_closed || m->content_size > 4000;
	model_on_end(m, r, true);
	m->at += end;
	m->state = MODEL_READY;
	model_forget(m);
}

static inline void
model_on_line_reply(struct model *m, const struct model_reply *r)
{
	struct model_command c = model_next_command(m);
	size_t rest = m->said_len - m->at;

	if (!c.whole) {
		if (rest == 0 ||
		    (!model_reads_like(r, REPLY_endless_line) && r->id != REPLY_not_smtp))
			MODEL_FAIL("%u, and nothing was asked", r->code);
		m->state = MODEL_CLOSED;
		return;
	}
	/* RFC 2920 3.1: nothing follows these before their reply. */
	if (r->id == REPLY_not_synchronized) {
		if (!c.has_more || !(model_verb(&c, "EHLO") || model_verb(&c, "HELO") ||
				       model_verb(&c, "DATA") || model_verb(&c, "STARTTLS")))
			MODEL_FAIL("not synchronized");
		return;
	}
	if (r->id == REPLY_not_smtp && c.line.len > 0 && c.line.p[0] == 0x16)
		return;
	if (c.bare_lf || c.too_long || c.odd || c.line.len == 0) {
		if (r->code != 500 && r->code != 521)
			MODEL_FAIL("%u to a line that is none", r->code);
		m->at += c.used;
		m->may_be_closed = m->may_be_closed || c.used > 60000;
		return;
	}
	m->at += c.used + model_on_command(m, &c, r);
}

/* One final line of a reply. */
static inline void
model_on_reply(struct model *m, const struct model_reply *r)
{
	m->may_be_closed = false;
	if (m->state == MODEL_CLOSED)
		MODEL_FAIL("%u after the last reply", r->code);
	if (m->state == MODEL_TLS)
		MODEL_FAIL("%u in plain text after STARTTLS", r->code);
	if (m->state == MODEL_CONNECTED) {
		if (r->code != 220 && r->code != 554 && r->code != 421)
			MODEL_FAIL("%u for a greeting", r->code);
		m->state = MODEL_GREETED;
	} else if (!model_ends_anyway(m, r)) {
		if (m->state == MODEL_CONTENT)
			model_on_content_reply(m, r);
		else
			model_on_line_reply(m, r);
	}
	m->errors += reply_get(r->id)->kind == REPLY_KIND_ERROR;
	if (reply_get(r->id)->kind == REPLY_KIND_CLOSE)
		m->state = MODEL_CLOSED;
}

/* All that the client has heard; takes whole lines. Returns: octets taken. */
static inline size_t
model_hear(struct model *m, struct span heard)
{
	size_t taken = 0;

	while (taken < heard.len) {
		struct span rest = span_from(heard, taken);
		size_t lf = span_find(rest, '\n');
		struct model_reply r;

		if (lf == rest.len)
			break;
		if (lf == 0 || rest.p[lf - 1] != '\r')
			MODEL_FAIL("a reply ends by LF alone");
		r = model_parse_reply(m, span_head(rest, lf - 1));
		if (!r.more)
			model_on_reply(m, &r);
		taken += lf + 1;
	}
	return taken;
}

/* The client says more. */
static inline void
model_say(struct model *m, const uint8_t *p, size_t len)
{
	if (len > MODEL_SAID - m->said_len)
		MODEL_FAIL("too much is said");
	memcpy(m->said + m->said_len, p, len);
	m->said_len += len;
}

/* Everybody has answered and nobody waits: whether every command that was said had its reply. */
static inline void
model_settled(const struct model *m)
{
	struct model_command c = model_next_command(m);

	if (m->may_be_closed)
		return;
	if (m->state == MODEL_CONTENT &&
	    model_find_end(span_of(m->said + m->at, m->said_len - m->at)) > 0)
		MODEL_FAIL("no reply to the end of data");
	if (m->state >= MODEL_GREETED && m->state <= MODEL_PARTIAL && c.whole &&
	    !model_verb(&c, "BDAT"))
		MODEL_FAIL("no reply to %.*s", (int)c.line.len, (const char *)c.line.p);
}

static inline struct model *
model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	if (m == NULL || (m->said = malloc(MODEL_SAID)) == NULL ||
	    (m->content = malloc(MODEL_SAID + 2)) == NULL)
		abort();
	return m;
}

static inline void
model_free(struct model *m)
{
	for (unsigned i = 0; i < m->submit_count; i++)
		free(m->submits[i].content);
	free(m->said);
	free(m->content);
	free(m);
}

#endif
