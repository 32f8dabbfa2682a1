#include "supervisor/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/clock.h"

#include "supervisor/conf_file.h"
#include "supervisor/explain_stage.h"

enum {
	LOOKUP_MS = 10 * 1000,
	ENVELOPE_MS = 40 * 1000,
	MESSAGE_MS = 60 * 1000,
	INLINE_MAX = 16384,
	SESSION = 1,
	TRANSACTION = 1,
};

struct explain {
	/* what is asked */
	struct ip client;
	const char *helo, *message_path;
	struct address sender, recipient;
	bool judges_envelope; /* by the configuration */
	/* what was answered */
	struct stage *stage;
	bool recipient_answered, envelope_answered, ended, handed_on;
	bool accepted; /* the recipient */
	bool refuses;  /* recipients, for the envelope */
	uint8_t spf;
	int status; /* of the recipient's refusal: EX_TEMPFAIL, 1 */
	struct msg_granted granted;
	uint8_t granted_recipient[512];
	uint8_t route[64], class[64];
	size_t route_len, class_len;
};

/* ---- printing ---------------------------------------------------------------------------------- */

static void
print_span(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		putchar(s.p[i] >= ' ' && s.p[i] < 127 ? s.p[i] : '?');
}

static bool
take_prefix(struct span *line, struct span prefix)
{
	if (!span_eq(span_head(*line, prefix.len), prefix))
		return false;
	*line = span_from(*line, prefix.len);
	return true;
}

/* The value without its quotes, when it is all there is. */
static struct span
unquoted(struct span value)
{
	bool quoted = value.len >= 2 && value.p[0] == '"' &&
	              span_find(span_from(value, 1), '"') == value.len - 2;

	return quoted ? span_of(value.p + 1, value.len - 2) : value;
}

/* Steps are told apart from the rest; what only says that a program runs is left out. */
static void
on_line(void *ctx, enum program_id program, struct span line)
{
	(void)ctx;
	if (line.len > 3 && line.p[0] == '<')
		line = span_from(line, 3);
	if (take_prefix(&line, SPAN("event=step text="))) {
		printf("  ");
		print_span(unquoted(line));
	} else if (take_prefix(&line, SPAN("event=judged "))) {
		printf("judged: ");
		print_span(line);
	} else if (span_eq(span_head(line, 13), SPAN("event=started")) ||
		   span_eq(span_head(line, 14), SPAN("event=resolver"))) {
		return;
	} else {
		printf("%s: ", program_name(program));
		print_span(line);
	}
	putchar('\n');
}

/* ---- answers ----------------------------------------------------------------------------------- */

static void
keep(uint8_t *to, size_t *len_out, struct span s)
{
	memcpy(to, s.p, s.len);
	*len_out = s.len;
}

static void
take_grant(struct explain *e, const struct msg_rcpt_answer *m)
{
	size_t len;

	keep(e->granted_recipient, &len, m->recipient);
	keep(e->route, &e->route_len, m->route);
	keep(e->class, &e->class_len, m->class);
	e->granted = (struct msg_granted){
	    .recipient = span_of(e->granted_recipient, len),
	    .exempt = m->exempt,
	    .size_limit = m->size_limit,
	    .generation = m->generation,
	    .expiry = m->expiry,
	};
	memcpy(e->granted.grant, m->grant, sizeof(e->granted.grant));
}

static void
print_recipient(const struct msg_rcpt_answer *m)
{
	static const char *const verdicts[] = {
	    [RCPT_ACCEPTED] = "accepted",
	    [RCPT_UNKNOWN_USER] = "refused: 550 5.1.1, unknown user",
	    [RCPT_UNKNOWN_DOMAIN] = "refused: 550 5.7.1, domain is not served",
	    [RCPT_REFUSED] = "refused by its record: ",
	    [RCPT_DEFERRED] = "deferred by its record: ",
	    [RCPT_TROUBLE] = "deferred: 451 4.4.3, the database gave no answer",
	};

	printf("recipient: %s", verdicts[m->verdict]);
	print_span(m->status);
	if (m->text.len > 0) {
		putchar(' ');
		print_span(m->text);
	}
	if (m->verdict == RCPT_ACCEPTED) {
		printf(", goes to ");
		print_span(m->recipient);
		printf(" by backend ");
		print_span(m->route.len > 0 ? m->route : SPAN("(first)"));
		if (m->class.len > 0) {
			printf(", class ");
			print_span(m->class);
		}
		if (m->exempt)
			printf(", exempt from refusals by the checks");
		if (m->observed)
			printf(", only observed: else unknown");
	}
	putchar('\n');
}

static void
on_rcpt_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct explain *e = ctx;
	const struct msg_rcpt_answer *a = &m->rcpt_answer;

	(void)link;
	(void)fd;
	print_recipient(a);
	e->recipient_answered = true;
	e->accepted = a->verdict == RCPT_ACCEPTED;
	if (e->accepted)
		take_grant(e, a);
	else
		e->status =
		    a->verdict == RCPT_DEFERRED || a->verdict == RCPT_TROUBLE ? EX_TEMPFAIL : 1;
}

static void
on_generation(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)ctx;
	(void)link;
	(void)m;
	(void)fd;
}

static void
on_envelope_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct explain *e = ctx;

	(void)link;
	(void)fd;
	e->envelope_answered = true;
	e->spf = m->envelope_answer.spf;
	e->refuses = m->envelope_answer.refuse;
	if (m->envelope_answer.refuse && e->accepted && !e->granted.exempt)
		e->status = refusal_is_for_good(m->envelope_answer.reason) ? 1 : EX_TEMPFAIL;
}

static void
on_refused(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct explain *e = ctx;

	(void)link;
	(void)fd;
	e->ended = true;
	/* What a refusal for now is, the judged line says by its name. */
	e->status = refusal_is_for_good(m->refused.reason) ? 1 : EX_TEMPFAIL;
}

static void
on_deliver(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct explain *e = ctx;

	(void)link;
	(void)fd;
	e->ended = e->handed_on = true;
	if (m->deliver.listed.len > 0)
		printf("marked: on the lists %.*s\n", (int)m->deliver.listed.len,
		    (const char *)m->deliver.listed.p);
	if (m->deliver.disposition || m->deliver.listed.len > 0)
		printf("disposition: quarantine\n");
}

static const struct link_handler lookupd_handlers[] = {
    {MSG_rcpt_answer, on_rcpt_answer},
    {MSG_generation, on_generation},
};

static const struct link_handler validators_handlers[] = {
    {MSG_envelope_answer, on_envelope_answer},
    {MSG_refused, on_refused},
};

static const struct link_handler handoff_handlers[] = {
    {MSG_deliver, on_deliver},
};

static const struct link_role smtpd_lookupd = {
    PROGRAM_SMTPD, PROGRAM_LOOKUPD, lookupd_handlers, 2, NULL, true};
static const struct link_role smtpd_validators = {
    PROGRAM_SMTPD, PROGRAM_VALIDATORS, validators_handlers, 2, NULL, true};
static const struct link_role handoff_validators = {
    PROGRAM_QUEUE_HANDOFF, PROGRAM_VALIDATORS, handoff_handlers, 1, NULL, true};

/* ---- questions --------------------------------------------------------------------------------- */

static bool
ask_recipient(struct explain *e)
{
	struct msg_rcpt_ask m = {SESSION, TRANSACTION, address_span(&e->recipient)};

	return link_send(stage_lookupd(e->stage), MSG_rcpt_ask, &m, -1) &&
	       stage_wait(e->stage, &e->recipient_answered, LOOKUP_MS);
}

static bool
ask_envelope(struct explain *e)
{
	struct msg_envelope m = {
	    .session = SESSION,
	    .transaction = TRANSACTION,
	    .helo = span_str(e->helo),
	    .reverse_path = address_span(&e->sender),
	};
	struct msg_arrival arrival;

	/* Nothing of it is judged, and nothing is answered. */
	if (!e->judges_envelope)
		return true;
	memcpy(arrival.client, e->client.octets, sizeof(arrival.client));
	memcpy(m.client, e->client.octets, sizeof(m.client));
	return link_send(stage_validators(e->stage), MSG_arrival, &arrival, -1) &&
	       link_send(stage_validators(e->stage), MSG_envelope, &m, -1) &&
	       stage_wait(e->stage, &e->envelope_answered, ENVELOPE_MS);
}

/* After the steps that led to it, which come by another way. */
static void
print_envelope(const struct explain *e)
{
	stage_settle(e->stage);
	printf("envelope: spf=%s, %s\n", auth_result_name(e->spf),
	    e->refuses ? "recipients are refused unless they are exempt"
		       : "recipients are not refused");
}

/* The file, with lines that end in LF. Returns: a memory file, -1 with errno. */
static int
read_message(const char *path, uint64_t *size_out)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FILE *in = fopen(path, "re"), *out = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
	int c, last = 0, wrong = in == NULL || out == NULL;

	*size_out = 0;
	for (; !wrong && (c = getc(in)) != EOF; last = c) {
		if (last == '\r' && c != '\n' && putc('\r', out) != EOF)
			++*size_out;
		if (c != '\r' && putc(c, out) != EOF)
			++*size_out;
	}
	if (in != NULL)
		fclose(in);
	if (out != NULL && fclose(out) != 0)
		wrong = 1;
	if (wrong && fd >= 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
ask_message(struct explain *e)
{
	uint8_t room[800];
	struct buf list = BUF_OVER(room);
	struct msg_submit m = {
	    .session = SESSION,
	    .transaction = TRANSACTION,
	    .id = SPAN("explained"),
	    .received = clock_unix(),
	    .budget_ms = MESSAGE_MS,
	    .helo = span_str(e->helo),
	    .esmtp = 1,
	    .reverse_path = address_span(&e->sender),
	    .route = span_of(e->route, e->route_len),
	    .class = span_of(e->class, e->class_len),
	    .recipients = {.count = 1},
	};
	int fd = read_message(e->message_path, &m.size);

	if (fd < 0) {
		fprintf(stderr, "gatehouse: %s: %s\n", e->message_path, strerror(errno));
		return false;
	}
	if (!e->accepted)
		e->granted.recipient = address_span(&e->recipient);
	memcpy(m.client, e->client.octets, sizeof(m.client));
	if (!msg_list_put(&list, RECORD_granted, &e->granted) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
		close(fd);
		return false;
	}
	m.recipients.encoded = buf_span(&list);
	return link_send(stage_validators(e->stage), MSG_submit, &m, fd) &&
	       stage_wait(e->stage, &e->ended, MESSAGE_MS);
}

/* ---- the whole --------------------------------------------------------------------------------- */

static int
conclude(const struct explain *e)
{
	int status = e->status;

	if (e->message_path != NULL && !e->handed_on && status == EX_OK)
		status = 1;
	printf("verdict: %s\n", status == EX_OK && e->message_path != NULL
				    ? "the message goes to the back end"
				: status == EX_OK       ? "the recipient is accepted"
				: status == EX_TEMPFAIL ? "deferred"
							: "not accepted");
	return status;
}

static int
explain(struct explain *e, struct conf *conf, const char *libexec_dir)
{
	const struct stage_hooks hooks = {
	    &smtpd_lookupd, &smtpd_validators, &handoff_validators, e, on_line};
	int status = EX_TEMPFAIL;

	conf->top.log_checks = true;
	e->judges_envelope = conf_judges_envelope(conf);
	e->stage = stage_open(conf, libexec_dir, &hooks);
	if (e->stage == NULL) {
		fprintf(stderr, "gatehouse: the programs cannot be started\n");
		return EX_TEMPFAIL;
	}
	e->status = EX_OK;
	if (ask_recipient(e) && ask_envelope(e)) {
		print_envelope(e);
		if (e->message_path == NULL || ask_message(e))
			status = EX_OK;
	}
	if (status != EX_OK)
		fprintf(stderr, "gatehouse: no complete answer\n");
	stage_close(&e->stage);
	return status == EX_OK ? conclude(e) : status;
}

static int
usage(const char *what)
{
	fprintf(stderr,
	    "gatehouse: %s\nusage: gatehouse [-f FILE] explain --ip ADDRESS --helo NAME --from "
	    "SENDER"
	    " --rcpt RECIPIENT [--message FILE]\n",
	    what);
	return EX_USAGE;
}

/* Without the angle brackets that it may have. */
static struct span
path_of(const char *text)
{
	struct span s = span_str(text);

	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		s = span_of(s.p + 1, s.len - 2);
	return s;
}

/* Returns: NULL, or what is wrong. */
static const char *
parse(struct explain *e, int argc, char **argv)
{
	static const struct option options[] = {
	    {"ip", required_argument, NULL, 'i'},
	    {"helo", required_argument, NULL, 'h'},
	    {"from", required_argument, NULL, 's'},
	    {"rcpt", required_argument, NULL, 'r'},
	    {"message", required_argument, NULL, 'm'},
	    {NULL, 0, NULL, 0},
	};
	bool ip = false, sender = false, recipient = false;
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i' && !(ip = ip_parse(span_str(optarg), &e->client)))
			return "--ip is no address";
		else if (option == 'h')
			e->helo = optarg;
		else if (option == 's' && !(sender = address_parse_reverse(path_of(optarg),
							 &e->sender) == ADDRESS_OK))
			return "--from is no address";
		else if (option == 'r' && !(recipient = address_parse_forward(path_of(optarg),
							    &e->recipient) == ADDRESS_OK))
			return "--rcpt is no address";
		else if (option == 'm')
			e->message_path = optarg;
		else if (option == '?')
			return "no such option";
	}
	if (optind != argc || !ip || !sender || !recipient || e->helo == NULL)
		return "--ip, --helo, --from and --rcpt are needed, and nothing else but --message";
	if (!address_domain_ok(span_str(e->helo)) && !address_literal_ok(span_str(e->helo)))
		return "--helo is neither a name nor an address literal";
	return NULL;
}

/* Without the checks of what only a running gateway needs: the file only has to be readable. */
static struct conf *
read_options(const char *path)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct conf *conf = errors != NULL ? conf_file_read(path, errors, NULL) : NULL;

	if (conf == NULL)
		fprintf(stderr, "%s\n",
		    errors != NULL && errors->count > 0 ? errors->text[0] : "out of memory");
	else if (conf->top.recipients == NULL || conf->top.hostname == NULL) {
		fprintf(stderr, "gatehouse: %s: hostname and recipients must be set\n", path);
		conf_free(&conf);
	}
	free(errors);
	return conf;
}

int
explain_run(const char *config_path, const char *libexec_dir, int argc, char **argv)
{
	static struct explain e;
	const char *wrong = parse(&e, argc, argv);
	struct conf *conf;
	int status;

	if (wrong != NULL)
		return usage(wrong);
	conf = read_options(config_path);
	if (conf == NULL)
		return EX_CONFIG;
	setvbuf(stdout, NULL, _IOLBF, 0);
	status = explain(&e, conf, libexec_dir);
	return fflush(stdout) == 0 ? status : EX_IOERR;
}
