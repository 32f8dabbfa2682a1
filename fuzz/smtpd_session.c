/*
 * The real session machine, with the other programs played and a clock of its own.
 *
 * The input is a script: an octet says what happens next, the following ones how much of the
 * rest the client says, how long we wait, which program changes its behaviour, or that there is a new database. Held against:
 * no crash, no submit with a recipient that was not granted or a file that is not sealed, never
 * more replies than the client's lines can have caused, nothing left behind.
 */
#include "tests/smtpd/stage.h"

struct script {
	const uint8_t *p;
	size_t left;
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

static void
say(struct stage *g, struct script *s, size_t *lines)
{
	size_t len = take(s);

	len = len < s->left ? len : s->left;
	for (size_t i = 0; i < len; i++)
		*lines += s->p[i] == '\n';
	stage_say(g, s->p, len);
	s->p += len;
	s->left -= len;
}

/* What a person would have to type: the common commands, whole. */
static void
say_common(struct stage *g, struct script *s, size_t *lines)
{
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
	};
	const char *text = common[take(s) % (sizeof(common) / sizeof(common[0]))];

	for (const char *c = text; *c != '\0'; c++)
		*lines += *c == '\n';
	stage_say(g, text, strlen(text));
}

static void
change_partner(struct stage *g, struct script *s)
{
	static const enum program_id who[] = {
	    PROGRAM_LOOKUPD, PROGRAM_VALIDATORS, PROGRAM_QUEUE_HANDOFF, PROGRAM_TLSD};
	uint8_t octet = take(s);
	enum program_id id = who[octet % 4u];

	if (octet / 4u % 4u == 3)
		stage_lose(g, id);
	else
		*stage_partner(g, id) = (enum stage_partner)(octet / 4u % 4u);
	g->refusal = octet / 16 % 4 == 0 ? octet / 64 : -1;
	g->outcome = take(s) % 16u;
	stage_run(g);
}

static void
finish_tls(struct stage *g)
{
	union msg m = {
	    .tls_up = {.session = g->tls_session, .version = SPAN("TLSv1.3"), .cipher = SPAN("X")}};
	int pair[2];

	if (g->tls_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		return;
	close(g->client);
	close(g->tls_fd);
	g->tls_fd = -1;
	g->client = pair[0];
	partners_dispatch(&g->worker, MSG_tls_up, &m, &pair[1]);
	stage_run(g);
}

static void
on_idle(void *arg)
{
	(void)arg;
}

static void
play(struct stage *g, struct script *s, size_t *lines)
{
	while (s->left > 0 && !g->closed) {
		uint8_t what = take(s);

		if (what < 128)
			say(g, s, lines);
		else if (what < 208)
			say_common(g, s, lines);
		else if (what < 224)
			change_partner(g, s);
		else if (what < 236)
			stage_jump(g, take(s) * UINT64_C(997));
		else if (what < 246)
			finish_tls(g);
		else if (what < 252)
			stage_announce(g, take(s) % 4u);
		else if (what == 255)
			worker_drain(&g->worker, true, on_idle, NULL);
		stage_run(g);
	}
}

/* Final lines of replies: "250 ", not "250-". */
static size_t
count_replies(const struct stage *g)
{
	size_t n = 0, start = 0;

	for (size_t i = 0; i < g->heard_len; i++) {
		if (g->heard[i] != '\n')
			continue;
		if (i - start < 5 || !ascii_is_digit(g->heard[start]) || g->heard[i - 1] != '\r')
			abort();
		n += g->heard[start + 3] == ' ';
		start = i + 1;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool log_is_silent;
	struct script script = {data, size};
	struct stage *g;
	size_t lines = 0;

	if (size > 4096)
		return 0;
	if (!log_is_silent)
		log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	log_is_silent = true;
	g = stage_new();
	stage_set(g, "limits.message_size", "65536");
	stage_set(g, "limits.message_memory", "1048576");
	stage_set(g, "limits.sessions", "10");
	if ((take(&script) & 1) != 0)
		stage_set(g, "bare_lf", "reject");
	stage_connect(g);
	stage_run(g);
	play(g, &script, &lines);
	/* The greeting, one for each line, one at the end of content, one that closes. */
	if (count_replies(g) > lines + 3 || g->cheated || g->go > g->commits)
		abort();
	stage_jump(g, 400000);
	if (g->client >= 0)
		close(g->client);
	g->client = -1;
	g->lookupd = g->validators = g->handoff = STAGE_ANSWERS;
	stage_run(g);
	for (int i = 0; i < 4; i++)
		stage_jump(g, 400000);
	if (worker_sessions_open(&g->worker) != 0 || g->worker.blocks.taken != 0 ||
	    g->worker.messages.taken != 0 || g->worker.budget.used != 0)
		abort();
	stage_free(g);
	return 0;
}
