/*
 * Plays tests/smtpd/dialogues/ (README there): every scenario with the client's octets as they are
 * grouped in the file, and again octet by octet. The replies must be the same.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "tests/smtpd/stage.h"

#define FOLDER "tests/smtpd/dialogues"

enum { MOST_SCENARIOS = 600, SEGMENT_MAX = 1 << 20 };

struct scenario {
	char name[128];
	char file[128];
	const char *text; /* up to the next scenario */
	size_t len;
	int first_line;
	bool by_octet;
};

struct player {
	struct stage *g;
	const struct scenario *scenario;
	int line;
	bool by_octet;
	int other;        /* the client that is silent now; -1: none */
	uint8_t *segment; /* client lines that are not sent yet */
	size_t segment_len;
};

static struct scenario scenarios[2 * MOST_SCENARIOS];
static size_t scenario_count;

#define COMPLAIN(p, ...) \
	do { \
		print_error("%s:%d: ", (p)->scenario->file, (p)->line); \
		print_error(__VA_ARGS__); \
		print_error("\n"); \
		fail(); \
	} while (0)

/* ---- text ---------------------------------------------------------------------------------- */

static int
hex(uint8_t c)
{
	return ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

static void unescape(struct player *p, struct span text, struct buf *out);

/* \{TEXT*COUNT} */
static size_t
repeat(struct player *p, struct span text, struct buf *out)
{
	size_t close = span_find(text, '}');
	struct span body = span_head(text, close);
	size_t star = span_find_last(body, '*');
	uint64_t count;

	if (close == text.len || star == body.len ||
	    !span_decimal(span_from(body, star + 1), SEGMENT_MAX, &count))
		COMPLAIN(p, "bad repetition");
	for (uint64_t i = 0; i < count; i++)
		unescape(p, span_head(body, star), out);
	return close + 1;
}

static void
unescape(struct player *p, struct span text, struct buf *out)
{
	static const char letters[] = "rnt0\\e", values[] = "\r\n\t\0\\\x1b";

	for (size_t i = 0; i < text.len; i++) {
		const char *at;

		if (text.p[i] != '\\' || i + 1 == text.len) {
			buf_put_u8(out, text.p[i]);
			continue;
		}
		i++;
		at = text.p[i] != '\0' ? strchr(letters, text.p[i]) : NULL;
		if (at != NULL) {
			buf_put_u8(out, (uint8_t)values[at - letters]);
		} else if (text.p[i] == 'x' && i + 2 < text.len) {
			buf_put_u8(out, (uint8_t)(hex(text.p[i + 1]) * 16 + hex(text.p[i + 2])));
			i += 2;
		} else if (text.p[i] == '{') {
			i += repeat(p, span_from(text, i + 1), out);
		} else {
			COMPLAIN(p, "unknown escape \\%c", text.p[i]);
		}
	}
}

/* ---- the client ---------------------------------------------------------------------------- */

static void
flush_segment(struct player *p)
{
	size_t step = p->by_octet ? 1 : p->segment_len;

	for (size_t i = 0; i < p->segment_len && p->g->client >= 0; i += step)
		stage_say(p->g, p->segment + i, step);
	p->segment_len = 0;
}

static void
say(struct player *p, struct span text, const char *end)
{
	struct buf b = buf_over(p->segment + p->segment_len, SEGMENT_MAX - p->segment_len);

	unescape(p, text, &b);
	buf_put_str(&b, end);
	if (b.full)
		COMPLAIN(p, "segment too long");
	p->segment_len += b.len;
}

static void
hear(struct player *p, struct span expected)
{
	struct stage *g = p->g;
	struct span heard, line;
	size_t end;

	flush_segment(p);
	heard = span_of(g->heard, g->heard_len);
	end = span_find(heard, '\n');
	if (end == heard.len)
		COMPLAIN(p, "expected \"%.*s\", the server says nothing%s", (int)expected.len,
		    (const char *)expected.p, g->closed ? " and has closed" : "");
	line = span_head(heard, end > 0 && heard.p[end - 1] == '\r' ? end - 1 : end);
	if (expected.len > 0 && expected.p[expected.len - 1] == '*') {
		expected.len--;
		line = span_head(line, expected.len);
	}
	if (!span_eq(line, expected))
		COMPLAIN(p, "expected \"%.*s\", the server says \"%.*s\"", (int)expected.len,
		    (const char *)expected.p, (int)end, (const char *)heard.p);
	g->heard_len -= end + 1;
	memmove(g->heard, g->heard + end + 1, g->heard_len);
}

static void
hear_nothing(struct player *p)
{
	flush_segment(p);
	if (p->g->heard_len > 0)
		COMPLAIN(p, "the server also says \"%.*s\"", (int)p->g->heard_len,
		    (const char *)p->g->heard);
}

/* ---- directives ------------------------------------------------------------------------------ */

static void play_text(struct player *p, struct span text);

static void
do_client(struct player *p, struct span rest)
{
	say(p, rest, "\r\n");
}

static void
do_octets(struct player *p, struct span rest)
{
	say(p, rest, "");
}

static void
do_closed(struct player *p, struct span rest)
{
	(void)rest;
	hear_nothing(p);
	if (!p->g->closed)
		COMPLAIN(p, "the server did not close");
}

static void
do_open(struct player *p, struct span rest)
{
	(void)rest;
	hear_nothing(p);
	if (p->g->closed)
		COMPLAIN(p, "the server closed");
}

static void
do_set(struct player *p, struct span rest)
{
	char path[100], value[200];
	size_t equals = span_find(rest, '=');

	snprintf(path, sizeof(path), "%.*s", (int)equals - 1, (const char *)rest.p);
	snprintf(value, sizeof(value), "%.*s", (int)(rest.len - equals - 2),
	    (const char *)rest.p + equals + 2);
	stage_set(p->g, path, value);
}

static void
do_connect(struct player *p, struct span rest)
{
	(void)rest;
	stage_connect(p->g);
	stage_run(p->g);
}

/* What a client sends before it could have read the greeting. */
static void
do_early(struct player *p, struct span rest)
{
	say(p, rest, "\r\n");
	stage_connect_saying(p->g, p->segment, p->segment_len);
	stage_run(p->g);
	p->segment_len = 0;
}

static void
do_hello(struct player *p, struct span rest)
{
	(void)rest;
	play_text(p, SPAN("connect\n"
			  "S: 220 mx.ours.example ESMTP\n"
			  "C: EHLO client.example\n"
			  "S: 250-mx.ours.example\n"
			  "S: 250-PIPELINING\n"
			  "S: 250-SIZE *\n"
			  "S: 250-STARTTLS\n"
			  "S: 250-ENHANCEDSTATUSCODES\n"
			  "S: 250-CHUNKING\n"
			  "S: 250-LIMITS RCPTMAX=*\n"
			  "S: 250 8BITMIME\n"));
}

static void
do_envelope(struct player *p, struct span rest)
{
	(void)rest;
	play_text(p, SPAN("C: MAIL FROM:<sender@client.example>\n"
			  "S: 250 2.1.0 Sender ok\n"
			  "C: RCPT TO:<u@ours.example>\n"
			  "S: 250 2.1.5 Recipient ok\n"));
}

static void
do_data(struct player *p, struct span rest)
{
	(void)rest;
	play_text(p, SPAN("C: DATA\nS: 354 End data with <CR><LF>.<CR><LF>\n"));
}

static uint64_t
number(struct player *p, struct span text)
{
	uint64_t n;

	if (!span_decimal(text, UINT32_MAX, &n))
		COMPLAIN(p, "a number is missing");
	return n;
}

static void
do_wait(struct player *p, struct span rest)
{
	flush_segment(p);
	stage_wait(p->g, number(p, rest) * 1000);
}

static void
do_messages(struct player *p, struct span rest)
{
	flush_segment(p);
	if (p->g->submits != number(p, rest))
		COMPLAIN(p, "%u messages were submitted", p->g->submits);
}

static void
do_content(struct player *p, struct span rest)
{
	static uint8_t room[SEGMENT_MAX];
	struct buf b = BUF_OVER(room);
	struct span got = span_of(p->g->last.content, p->g->last.len);

	flush_segment(p);
	unescape(p, rest, &b);
	if (!span_eq(got, buf_span(&b)))
		COMPLAIN(p, "the content is %zu octets: \"%.*s\"", got.len,
		    (int)(got.len < 200 ? got.len : 200), (const char *)got.p);
}

static void
do_recipients(struct player *p, struct span rest)
{
	struct span got = span_str(p->g->last.to);
	uint8_t room[4096];
	struct buf b = BUF_OVER(room);

	flush_segment(p);
	unescape(p, rest, &b);
	if (got.len > 0)
		got.len--;
	if (!span_eq(got, buf_span(&b)))
		COMPLAIN(p, "the recipients are \"%s\"", p->g->last.to);
}

/* Whether the last submitted message was announced as one of SMTPUTF8. */
static void
do_smtputf8(struct player *p, struct span rest)
{
	flush_segment(p);
	if (p->g->last.smtputf8 != span_eq(rest, SPAN("yes")))
		COMPLAIN(p, "it is the other way");
}

/* Loads another database. */
static void
do_generation(struct player *p, struct span rest)
{
	flush_segment(p);
	stage_announce(p->g, number(p, rest));
}

static void
do_granted_by(struct player *p, struct span rest)
{
	flush_segment(p);
	if (p->g->last.generation != number(p, rest))
		COMPLAIN(p, "the grants are of generation %llu",
		    (unsigned long long)p->g->last.generation);
}

static void
do_questions(struct player *p, struct span rest)
{
	flush_segment(p);
	if (p->g->asks != number(p, rest))
		COMPLAIN(p, "lookupd was asked %u times", p->g->asks);
}

/* What validators say of client and sender from now on. */
static void
do_envelope_answer(struct player *p, struct span rest)
{
	flush_segment(p);
	if (span_eq(rest, SPAN("good"))) {
		p->g->envelope = STAGE_ENVELOPE_GOOD;
		return;
	}
	p->g->envelope = STAGE_ENVELOPE_REFUSED;
	p->g->envelope_reason = (unsigned)number(p, rest);
}

static void
do_partner(struct player *p, struct span rest, enum program_id who)
{
	flush_segment(p);
	if (span_eq(rest, SPAN("answers")))
		*stage_partner(p->g, who) = STAGE_ANSWERS;
	else if (span_eq(rest, SPAN("holds")))
		*stage_partner(p->g, who) = STAGE_HOLDS;
	else if (span_eq(rest, SPAN("is down")))
		*stage_partner(p->g, who) = STAGE_IS_DOWN;
	else if (span_eq(rest, SPAN("dies")))
		stage_lose(p->g, who);
	else
		COMPLAIN(p, "answers, holds, is down or dies");
	stage_run(p->g);
}

static void
do_lookupd(struct player *p, struct span rest)
{
	do_partner(p, rest, PROGRAM_LOOKUPD);
}

static void
do_validators(struct player *p, struct span rest)
{
	if (stage_begins(rest, "refuses "))
		p->g->refusal = (int)number(p, span_from(rest, 8));
	else
		do_partner(p, rest, PROGRAM_VALIDATORS);
}

static void
do_handoff(struct player *p, struct span rest)
{
	if (stage_begins(rest, "says "))
		p->g->outcome = (int)number(p, span_from(rest, 5));
	else
		do_partner(p, rest, PROGRAM_QUEUE_HANDOFF);
}

static void
do_tlsd(struct player *p, struct span rest)
{
	do_partner(p, rest, PROGRAM_TLSD);
}

/* The client goes away: at once, or by shutting down its side only. */
static void
do_leave(struct player *p, struct span rest)
{
	flush_segment(p);
	if (span_eq(rest, SPAN("half"))) {
		shutdown(p->g->client, SHUT_WR);
	} else {
		close(p->g->client);
		p->g->client = -1;
	}
	stage_run(p->g);
}

static void
on_idle(void *arg)
{
	(void)arg;
}

static void
do_drain(struct player *p, struct span rest)
{
	(void)rest;
	flush_segment(p);
	worker_drain(&p->g->worker, true, on_idle, NULL);
	stage_run(p->g);
}

/* The client comes on an address of listen_tls. */
static void
do_tls_first(struct player *p, struct span rest)
{
	(void)rest;
	p->g->tls_first = true;
}

/* tlsd has done the handshake: the client goes on over the plain side. */
static void
do_tls_up(struct player *p, struct span rest)
{
	union msg m = {
	    .tls_up = {
		.session = p->g->tls_session, .version = SPAN("TLSv1.3"), .cipher = SPAN("AES")}};
	int pair[2];

	(void)rest;
	flush_segment(p);
	if (p->g->tls_fd < 0)
		COMPLAIN(p, "tlsd was given no socket");
	close(p->g->client);
	close(p->g->tls_fd);
	p->g->tls_fd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		COMPLAIN(p, "socketpair");
	p->g->client = pair[0];
	partners_dispatch(&p->g->worker, MSG_tls_up, &m, &pair[1]);
	stage_run(p->g);
}

/* A second client speaks from now on, or the first one again. */
static void
do_other(struct player *p, struct span rest)
{
	struct stage *g = p->g;
	int client = p->other;

	(void)rest;
	hear_nothing(p);
	p->other = g->client;
	g->client = client;
	g->closed = false;
}

static void
do_sessions(struct player *p, struct span rest)
{
	flush_segment(p);
	if (worker_sessions_open(&p->g->worker) != number(p, rest))
		COMPLAIN(p, "%u sessions are open", worker_sessions_open(&p->g->worker));
}

static void
do_whole(struct player *p, struct span rest)
{
	(void)p;
	(void)rest;
}

static const struct {
	const char *word;
	void (*play)(struct player *p, struct span rest);
} directives[] = {
    {"C:", do_client},
    {"c:", do_octets},
    {"S:", hear},
    {"closed", do_closed},
    {"open", do_open},
    {"set", do_set},
    {"connect", do_connect},
    {"early:", do_early},
    {"hello", do_hello},
    {"envelope", do_envelope},
    {"data", do_data},
    {"wait", do_wait},
    {"messages", do_messages},
    {"content:", do_content},
    {"recipients:", do_recipients},
    {"smtputf8", do_smtputf8},
    {"generation", do_generation},
    {"granted-by", do_granted_by},
    {"questions", do_questions},
    {"lookupd", do_lookupd},
    {"validators", do_validators},
    {"queue-handoff", do_handoff},
    {"tlsd", do_tlsd},
    {"leave", do_leave},
    {"drain", do_drain},
    {"tls-first", do_tls_first},
    {"envelope-answer", do_envelope_answer},
    {"tls-up", do_tls_up},
    {"sessions", do_sessions},
    {"other", do_other},
    {"whole", do_whole},
};

static void
play_line(struct player *p, struct span line)
{
	size_t end = span_find(line, ' ');
	struct span word = span_head(line, end);

	if (line.len == 0 || line.p[0] == '#')
		return;
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		if (span_eq(word, span_str(directives[i].word))) {
			directives[i].play(p, span_from(line, end + 1));
			return;
		}
	}
	COMPLAIN(p, "unknown directive");
}

static void
play_text(struct player *p, struct span text)
{
	bool inner = text.p < (const uint8_t *)p->scenario->text ||
	             text.p >= (const uint8_t *)p->scenario->text + p->scenario->len;

	while (text.len > 0) {
		size_t end = span_find(text, '\n');

		p->line += inner ? 0 : 1;
		play_line(p, span_head(text, end));
		text = span_from(text, end + 1);
	}
}

/* ---- scenarios -------------------------------------------------------------------------------- */

static void
play(void **state)
{
	const struct scenario *scenario = *state;
	struct player p = {
	    .g = stage_new(),
	    .scenario = scenario,
	    .line = scenario->first_line,
	    .by_octet = scenario->by_octet,
	    .other = -1,
	    .segment = malloc(SEGMENT_MAX),
	};

	assert_non_null(p.segment);
	play_text(&p, span_of(scenario->text, scenario->len));
	hear_nothing(&p);
	assert_false(p.g->cheated);
	free(p.segment);
	if (p.other >= 0)
		close(p.other);
	stage_free(p.g);
}

static void
add_scenario(const char *file, const char *title, size_t title_len, const char *text, size_t len,
    int line, bool by_octet)
{
	struct scenario *s = &scenarios[scenario_count++];

	if (scenario_count >= sizeof(scenarios) / sizeof(scenarios[0]))
		abort();
	snprintf(s->name, sizeof(s->name), "%.*s%s", (int)title_len, title,
	    by_octet ? " (octet by octet)" : "");
	snprintf(s->file, sizeof(s->file), FOLDER "/%s", file);
	s->text = text;
	s->len = len;
	s->first_line = line;
	s->by_octet = by_octet;
}

static int
lines_before(const char *text, const char *at)
{
	int n = 1;

	for (const char *p = text; p < at; p++)
		n += *p == '\n';
	return n;
}

/* "== name" begins a scenario. */
static void
split(const char *file, const char *text)
{
	const char *at = strstr(text, "== ");

	while (at != NULL) {
		const char *title = at + 3;
		const char *body = strchr(title, '\n') + 1;
		const char *next = strstr(body - 1, "\n== ");
		size_t title_len = strcspn(title, "\n");
		size_t len = next != NULL ? (size_t)(next + 1 - body) : strlen(body);
		int line = lines_before(text, body) - 1;

		add_scenario(file, title, title_len, body, len, line, false);
		if (memmem(body, len, "whole\n", 6) == NULL)
			add_scenario(file, title, title_len, body, len, line, true);
		at = next != NULL ? next + 1 : NULL;
	}
}

static char *
read_whole(const char *file)
{
	char path[300];
	FILE *f;
	char *text = calloc(1, 1 << 20);

	snprintf(path, sizeof(path), FOLDER "/%s", file);
	f = fopen(path, "r");
	if (f == NULL || text == NULL || fread(text, 1, (1 << 20) - 1, f) == 0)
		abort();
	fclose(f);
	return text;
}

int
main(void)
{
	static struct CMUnitTest tests[2 * MOST_SCENARIOS];
	static char *texts[100];
	struct dirent **names;
	int n = scandir(FOLDER, &names, NULL, alphasort), rc;
	size_t files = 0;

	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	for (int i = 0; i < n; i++) {
		if (strstr(names[i]->d_name, ".dialogue") != NULL) {
			texts[files] = read_whole(names[i]->d_name);
			split(names[i]->d_name, texts[files++]);
		}
	}
	for (size_t i = 0; i < scenario_count; i++)
		tests[i] = (struct CMUnitTest){scenarios[i].name, play, NULL, NULL, &scenarios[i]};
	if (scenario_count == 0)
		return 1;
	rc = _cmocka_run_group_tests("dialogues", tests, scenario_count, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	while (files > 0)
		free(texts[--files]);
	return rc;
}
