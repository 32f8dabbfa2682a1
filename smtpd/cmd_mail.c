/* MAIL: RFC 5321 4.1.1.2, with SIZE (RFC 1870), BODY (RFC 6152) and SMTPUTF8 (RFC 6531). */
#include "smtpd/command.h"
#include "smtpd/envelope.h"
#include "smtpd/parameters.h"
#include "smtpd/worker.h"

/* Which parameters were there; none may come twice (row 68). */
enum { SEEN_SIZE = 1, SEEN_BODY = 2, SEEN_SMTPUTF8 = 4 };

/* Every back end must take it: which one it will be is not known before RCPT. */
bool
mail_utf8_offered(const struct session *s)
{
	const struct conf *conf = s->worker->conf;

	for (size_t i = 0; i < conf->backend_count; i++)
		if (!conf->backend[i].smtputf8)
			return false;
	return conf->backend_count > 0;
}

static enum reply_id
check_size(const struct session *s, const struct parameter *p, union command_args *args)
{
	struct span value = p->value;
	static const uint64_t largest = UINT64_MAX;
	uint64_t limit = groups_largest(s->worker->conf);

	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_digit(value.p[i]))
			return REPLY_bad_argument;
	if (value.len == 0 || value.len > 20) /* size-value = 1*20DIGIT */
		return REPLY_bad_argument;
	if (!span_decimal(value, largest, &args->mail.size) || args->mail.size > limit)
		return REPLY_size_declared;
	return REPLY_NONE;
}

static enum reply_id
check_body(const struct session *s, const struct parameter *p, union command_args *args)
{
	(void)s;
	args->mail.eight_bit = span_eq_nocase(p->value, SPAN("8BITMIME"));
	if (args->mail.eight_bit || span_eq_nocase(p->value, SPAN("7BIT")))
		return REPLY_NONE;
	return REPLY_bad_argument;
}

/* RFC 6531 3.4: it has no value. */
static enum reply_id
check_smtputf8(const struct session *s, const struct parameter *p, union command_args *args)
{
	if (!mail_utf8_offered(s))
		return REPLY_bad_parameter;
	args->mail.smtputf8 = true;
	return p->has_value ? REPLY_bad_argument : REPLY_NONE;
}

static const struct {
	const char *keyword;
	unsigned seen;
	enum reply_id (*check)(
	    const struct session *s, const struct parameter *p, union command_args *args);
} parameters[] = {
    {"SIZE", SEEN_SIZE, check_size},
    {"BODY", SEEN_BODY, check_body},
    {"SMTPUTF8", SEEN_SMTPUTF8, check_smtputf8},
};

static enum reply_id
check_parameter(
    const struct session *s, const struct parameter *p, unsigned *seen, union command_args *args)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		if (!span_eq_nocase(p->keyword, span_str(parameters[i].keyword)))
			continue;
		if ((*seen & parameters[i].seen) != 0)
			return REPLY_bad_argument;
		*seen |= parameters[i].seen;
		return parameters[i].check(s, p, args);
	}
	return REPLY_bad_parameter;
}

static enum reply_id
check_parameters(const struct session *s, struct span rest, union command_args *args)
{
	unsigned seen = 0;
	struct parameter p;
	enum parameter_status status;
	enum reply_id complaint = REPLY_NONE;

	while ((status = parameter_next(&rest, &p)) == PARAMETER_OK && complaint == REPLY_NONE)
		/* Extensions are only for those who said EHLO (row 50). */
		complaint = s->esmtp ? check_parameter(s, &p, &seen, args) : REPLY_bad_parameter;
	if (complaint == REPLY_NONE && status == PARAMETER_MALFORMED)
		complaint = REPLY_bad_argument;
	return complaint;
}

/* What is wrong with a reverse-path. */
static const enum reply_id address_replies[] = {
    [ADDRESS_OK] = REPLY_NONE,
    [ADDRESS_SYNTAX] = REPLY_sender_syntax,
    [ADDRESS_ROUTE] = REPLY_sender_route,
    [ADDRESS_NON_ASCII] = REPLY_non_ascii,
    [ADDRESS_LENGTH] = REPLY_sender_syntax,
};

enum reply_id
mail_check(const struct session *s, struct span argument, union command_args *args_out)
{
	struct span path, rest;
	enum reply_id complaint;

	args_out->mail.size = 0;
	args_out->mail.eight_bit = args_out->mail.smtputf8 = false;
	switch (path_split(argument, SPAN("FROM:"), &path, &rest)) {
	case PATH_NO_PATH:
		return REPLY_bad_argument;
	case PATH_MALFORMED:
		return REPLY_sender_syntax;
	case PATH_OK:
		break;
	}
	complaint = address_replies[address_parse_reverse(path, &args_out->mail.from)];
	if (complaint == REPLY_NONE && args_out->mail.from.utf8 && !mail_utf8_offered(s))
		complaint = REPLY_non_ascii;
	if (complaint == REPLY_NONE)
		complaint = check_parameters(s, rest, args_out);
	if (complaint == REPLY_NONE && args_out->mail.from.utf8 && !args_out->mail.smtputf8)
		complaint = REPLY_non_ascii;
	return complaint;
}

static struct transaction *
begin_transaction(struct session *s, const union command_args *args)
{
	struct worker *w = s->worker;
	struct transaction *t = transaction_new(&w->blocks, &w->messages, &w->budget);

	if (t == NULL)
		return NULL;
	t->number = ++w->transactions;
	id_next(&w->ids, &t->id);
	t->from = args->mail.from;
	t->declared_size = args->mail.size;
	t->eight_bit = args->mail.eight_bit;
	t->smtputf8 = args->mail.smtputf8;
	t->size_limit = w->conf->limits.message_size;
	t->mail_ms = w->now_ms;
	return t;
}

void
mail_apply(struct session *s, const union command_args *args)
{
	struct transaction *t;

	if (s->messages >= s->worker->conf->limits.messages_per_session) {
		session_reply(s, REPLY_too_many_messages);
		return;
	}
	/* Row 20: it would be judged under a wrong address. */
	if (s->client_unknown) {
		session_reply(s, REPLY_no_client);
		return;
	}
	t = begin_transaction(s, args);
	if (t == NULL) {
		session_reply(s, REPLY_no_memory);
		return;
	}
	if (!budget_has(&s->worker->budget, t->declared_size)) {
		transaction_free(&t);
		session_reply(s, REPLY_no_storage);
		return;
	}
	s->transaction = t;
	state_set(s, STATE_MAIL);
	envelope_ask(s);
	session_reply(s, REPLY_sender_ok);
}
