/*
 * Whole sessions: the real session machine of smtpd, with the other programs played, links that
 * die, and a clock of its own, held against an independent model (session_model.h).
 *
 * The input is a script: an octet says what happens next, the following ones how much of the
 * rest the client says, which common command it says, how long we wait, what a program does from
 * now on (answer, hold its answers back, be down, die), or that there is another database. Besides
 * what the model says: nothing without a grant is submitted, no file that is not sealed, and
 * nothing is left behind.
 */
#include "fuzz/session_model.h"
#include "tests/smtpd/stage.h"

struct script {
	const uint8_t *p;
	size_t left;
};

struct play {
	struct stage *g;
	struct model *m;
	struct script script;
	uint64_t waited_ms;
	bool by_octet; /* the client sends each octet for itself */
};

static uint8_t
take(struct script *s)
{
	uint8_t octet = s->left > 0 ? *s->p : 0;

	if (s->left > 0) {
		s->p++;
		s->left--;
	}
	return octet;
}

/* ---- what the stage sees, for the model ------------------------------------------------------- */

static struct model_submit *
submit_of(struct model *m, uint64_t transaction)
{
	for (unsigned i = 0; i < m->submit_count; i++)
		if (m->submits[i].transaction == transaction)
			return &m->submits[i];
	return NULL;
}

static void
on_submit(struct stage *g, struct model *m, uint64_t transaction)
{
	struct model_submit *s = &m->submits[m->submit_count];

	if (m->submit_count == MODEL_SUBMITS || submit_of(m, transaction) != NULL)
		MODEL_FAIL("a transaction is submitted twice");
	m->submit_count++;
	s->transaction = transaction;
	s->len = g->last.len;
	s->content = malloc(s->len + 1);
	memcpy(s->content, g->last.content, s->len);
	memcpy(s->to, g->last.to, sizeof(g->last.to));
	s->smtputf8 = g->last.smtputf8;
}

/* In: value, go or the outcome. */
static void
observe(void *arg, struct stage *g, enum msg_type type, uint64_t transaction, unsigned value)
{
	struct model *m = arg;
	struct model_submit *s;

	if (type == MSG_submit) {
		on_submit(g, m, transaction);
		return;
	}
	s = submit_of(m, transaction);
	if (s == NULL)
		MODEL_FAIL("nothing was submitted");
	if (type == MSG_commit_answer && value != 0) {
		if (s->go)
			MODEL_FAIL("told to go twice");
		s->go = true;
	}
	if (type == MSG_outcome && value == HANDOFF_TAKEN)
		s->taken = true;
	/* What was taken before needs no go. */
	if (type == MSG_outcome && value == HANDOFF_TAKEN_BEFORE)
		s->taken = s->go = true;
	if ((type == MSG_outcome && !s->taken) || type == MSG_refused)
		m->trouble = true;
}

/* ---- the client --------------------------------------------------------------------------------- */

static void
listen_in(struct play *p)
{
	struct stage *g = p->g;
	size_t taken = model_hear(p->m, span_of(g->heard, g->heard_len));

	g->heard_len -= taken;
	memmove(g->heard, g->heard + taken, g->heard_len);
}

static void
say_piece(struct play *p, const void *octets, size_t len)
{
	if (p->g->client < 0 || p->g->closed)
		return;
	len = stage_say(p->g, octets, len);
	model_say(p->m, octets, len);
	listen_in(p);
}

static void
say(struct play *p, const void *octets, size_t len)
{
	const uint8_t *at = octets;

	if (!p->by_octet || len > 600) {
		say_piece(p, octets, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		say_piece(p, at + i, 1);
}

static void
say_rest(struct play *p)
{
	size_t len = take(&p->script);

	len = len < p->script.left ? len : p->script.left;
	say(p, p->script.p, len);
	p->script.p += len;
	p->script.left -= len;
}

/* What a person would have to type: the common commands, whole. */
static const char *const common[] = {
    "EHLO x\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "RCPT TO:<u@ours.example>\r\n",
    "RCPT TO:<unknown@ours.example>\r\n",
    "RCPT TO:<second@ours.example>\r\n",
    "DATA\r\n",
    "Subject: x\r\n\r\n.\r\n",
    "\r\n.\r\n",
    "STARTTLS\r\n",
    "RSET\r\n",
    "QUIT\r\n",
    "MAIL FROM:<>\r\n",
    "RCPT TO:<u@ours.example>\r\nRCPT TO:<v@ours.example>\r\nDATA\r\n",
    "MAIL FROM:<a@b.example> SIZE=70000\r\nRCPT TO:<u@ours.example>\r\nDATA\r\n",
    "RCPT TO:<leaves@ours.example>\r\nRCPT TO:<moves@ours.example>\r\n",
    "RCPT TO:<leaves@ours.example>\r\n",
    "BDAT 14\r\nSubject: x\r\n\r\n",
    "BDAT 14 LAST\r\nSubject: x\r\n\r\n",
    "BDAT 0\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 6 LAST\r\nQUIT\r\n",
    "BDAT 3 LAST\r\n\r\n.",
    "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@ours.example>\r\nBDAT 11 LAST\r\nSubject: x\n",
    "MAIL FROM:<\xc3\xbc@b.example> SMTPUTF8\r\nRCPT TO:<\xc3\xbc@ours.example>\r\n",
    "RCPT TO:<loops@ours.example>\r\n",
    "Delivered-To: box-loops@store\r\n",
    "RCPT TO:<postmaster>\r\n",
    "RCPT TO:<small@ours.example>\r\n",
    "HELO x\r\n",
    "NOOP\r\n",
    "\n.\n",
    "\r\n.\r",
};

static void
say_common(struct play *p)
{
	const char *text = common[take(&p->script) % (sizeof(common) / sizeof(common[0]))];

	say(p, text, strlen(text));
}

/* A chunk of the size that it says, or another one. */
static void
say_chunk(struct play *p)
{
	char head[64];
	unsigned size = take(&p->script), how = take(&p->script);
	size_t len = size < p->script.left ? size : p->script.left;
	int n = snprintf(head, sizeof(head), "BDAT %u%s\r\n",
	    (how & 8) != 0 ? size * 1000 : (unsigned)len, (how & 1) != 0 ? " LAST" : "");

	say(p, head, (size_t)n);
	say(p, p->script.p, len);
	p->script.p += len;
	p->script.left -= len;
}

/* Much of the same, up to some hundred thousand octets. */
static void
say_much(struct play *p)
{
	static char line[1024 * 80];
	size_t len = (size_t)(take(&p->script) + 1) * 320;
	uint8_t c = take(&p->script);

	memset(line, c, len);
	say(p, line, len);
}

static void
leave(struct play *p)
{
	if (p->g->client < 0)
		return;
	if ((take(&p->script) & 1) != 0) {
		shutdown(p->g->client, SHUT_WR);
	} else {
		close(p->g->client);
		p->g->client = -1;
	}
	stage_run(p->g);
	if (p->g->client >= 0)
		listen_in(p);
	/* What it said last may have been read or not. */
	p->m->trouble = p->m->time_passed = true;
}

/* ---- everybody else ---------------------------------------------------------------------------------- */

static void
change_partner(struct play *p)
{
	static const enum program_id who[] = {
	    PROGRAM_LOOKUPD, PROGRAM_VALIDATORS, PROGRAM_QUEUE_HANDOFF, PROGRAM_TLSD};
	struct stage *g = p->g;
	uint8_t octet = take(&p->script);
	enum program_id id = who[octet % 4u];

	p->m->trouble = true;
	if (octet / 4u % 4u == 3) {
		p->m->time_passed =
		    true; /* for who waits for an outcome, the end of a link is as good */
		stage_lose(g, id);
	} else {
		*stage_partner(g, id) = (enum stage_partner)(octet / 4u % 4u);
	}
	g->refusal = octet / 16 % 4 == 0 ? octet / 64 : -1;
	g->outcome = take(&p->script) % 16u;
	stage_run(g);
}

/* An outcome that nobody was asked for: a program behind us in wrong hands (promise P2). */
static void
send_rogue_outcome(struct play *p)
{
	struct stage *g = p->g;
	union msg m = {0};

	if (g->submits == 0)
		return;
	m.outcome = (struct msg_outcome){
	    g->session_handle, g->last_transaction, (uint8_t)(take(&p->script) % 16u)};
	if (m.outcome.outcome == HANDOFF_TAKEN_BEFORE)
		return; /* what a back end had before, only queue-handoff knows */
	p->m->trouble = true;
	stage_dispatch(g, MSG_outcome, &m);
	stage_run(g);
}

static void
wait_for(struct play *p, uint64_t ms)
{
	p->waited_ms += ms;
	p->m->time_passed = p->m->time_passed || p->waited_ms > 20000;
	p->m->trouble = p->m->trouble || p->waited_ms > 4000; /* for lookupd that is too long */
	stage_jump(p->g, ms);
	listen_in(p);
}

static void
finish_tls(struct play *p)
{
	struct stage *g = p->g;
	struct model *m = p->m;
	union msg up = {
	    .tls_up = {.session = g->tls_session, .version = SPAN("TLSv1.3"), .cipher = SPAN("X")}};
	int pair[2];

	if (g->tls_fd < 0 || g->client < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		return;
	listen_in(p);
	close(g->client);
	close(g->tls_fd);
	g->tls_fd = -1;
	g->client = pair[0];
	g->closed = false;
	/* What was said in plain text meanwhile is nobody's. */
	m->at = m->said_len;
	if (m->state == MODEL_TLS) {
		m->state = MODEL_GREETED;
		m->tls = true;
		m->esmtp = false;
		model_forget(m);
	}
	partners_dispatch(&g->worker, MSG_tls_up, &up, &pair[1]);
	stage_run(g);
}

static void
announce(struct play *p)
{
	p->m->trouble = true; /* it may know other recipients */
	stage_announce(p->g, take(&p->script) % 4u);
	stage_run(p->g);
}

static void
on_idle(void *arg)
{
	(void)arg;
}

static void
drain(struct play *p)
{
	p->m->draining = true;
	worker_drain(&p->g->worker, true, on_idle, NULL);
	stage_run(p->g);
}

static void
play(struct play *p)
{
	while (p->script.left > 0 && !p->g->closed) {
		uint8_t what = take(&p->script);

		if (what < 100)
			say_rest(p);
		else if (what < 128)
			say_chunk(p);
		else if (what < 200)
			say_common(p);
		else if (what < 208)
			say_much(p);
		else if (what < 224)
			change_partner(p);
		else if (what < 232)
			wait_for(p, take(&p->script) * UINT64_C(997));
		else if (what < 236)
			wait_for(p, take(&p->script) * UINT64_C(31));
		else if (what < 238)
			send_rogue_outcome(p);
		else if (what < 246)
			finish_tls(p);
		else if (what < 252)
			announce(p);
		else if (what < 254)
			leave(p);
		else
			drain(p);
		listen_in(p);
	}
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

/* Everybody answers; penalties pass. */
static void
settle(struct play *p)
{
	struct stage *g = p->g;

	g->lookupd = g->validators = g->handoff = STAGE_ANSWERS;
	stage_run(g);
	/* Three waits without an answer are longer than any penalty. */
	for (int quiet = 0; quiet < 3; quiet++) {
		size_t before = p->m->at;

		wait_for(p, 11000);
		if (p->m->at > before)
			quiet = 0;
	}
	if (g->heard_len > 0)
		MODEL_FAIL("half a reply");
	if (g->client >= 0 && !g->closed)
		model_settled(p->m);
	if (g->cheated || g->go > g->commits)
		MODEL_FAIL("submitted without a grant, or not sealed");
}

static void
end(struct stage *g)
{
	stage_jump(g, 400000);
	if (g->client >= 0)
		close(g->client);
	g->client = -1;
	stage_run(g);
	for (int i = 0; i < 4; i++)
		stage_jump(g, 400000);
	if (worker_sessions_open(&g->worker) != 0 || g->worker.blocks.taken != 0 ||
	    g->worker.messages.taken != 0 || g->worker.budget.used != 0)
		MODEL_FAIL("something is left behind");
}

static void
begin(struct play *p)
{
	struct stage *g = p->g;
	uint8_t options = take(&p->script);

	stage_set(g, "limits.message_size", "65536");
	stage_set(g, "limits.message_memory", "1048576");
	stage_set(g, "limits.sessions", "10");
	p->m->reject_bare_lf = (options & 1) != 0;
	if (p->m->reject_bare_lf)
		stage_set(g, "bare_lf", "reject");
	p->m->utf8_offered = (options & 2) != 0;
	if (p->m->utf8_offered)
		stage_set(g, "backend.store.smtputf8", "true");
	p->by_octet = (options & 4) != 0;
	if ((options & 8) != 0)
		stage_set(g, "limits.delay", "10");
	g->observe = observe;
	g->observer = p->m;
	stage_connect(g);
	stage_run(g);
	listen_in(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool log_is_silent;
	struct play p = {.script = {data, size}};

	if (size > 4096)
		return 0;
	if (!log_is_silent)
		log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	log_is_silent = true;
	p.g = stage_new();
	p.m = model_new();
	begin(&p);
	play(&p);
	settle(&p);
	end(p.g);
	stage_free(p.g);
	model_free(p.m);
	return 0;
}
