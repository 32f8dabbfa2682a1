/* HELO and EHLO: RFC 5321 4.1.1.1. */
#include "smtpd/command.h"
#include "smtpd/worker.h"

/*
 * A domain or an address literal; also names with underscores, without dots or with one at the
 * end, and an address without its tag, since real clients send them. No other octet passes, so
 * that the name can stand in trace fields and log lines.
 */
static bool
name_ok(struct span name)
{
	struct ip ip;

	if (name.len < 1 || name.len > SESSION_HELO_MAX)
		return false;
	if (name.p[0] == '[')
		return address_literal_ok(name) ||
		       (name.p[name.len - 1] == ']' &&
			   ip_parse(span_of(name.p + 1, name.len - 2), &ip));
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alpha(name.p[i]) && !ascii_is_digit(name.p[i]) &&
		    memchr("._-", name.p[i], 3) == NULL)
			return false;
	return true;
}

enum reply_id
helo_check(const struct session *s, struct span argument, union command_args *args_out)
{
	(void)s;
	args_out->helo.name = argument;
	return name_ok(argument) ? REPLY_NONE : REPLY_bad_argument;
}

/* Either of them ends a transaction, RFC 5321 4.1.4. */
static void
begin(struct session *s, const union command_args *args, bool esmtp)
{
	session_end_transaction(s);
	state_set(s, STATE_READY);
	s->esmtp = esmtp;
	s->helo_len = (uint8_t)args->helo.name.len;
	memcpy(s->helo, args->helo.name.p, s->helo_len);
}

void
helo_apply(struct session *s, const union command_args *args)
{
	struct reply_details details = {.argument = span_str(s->worker->conf->top.hostname)};

	begin(s, args, false);
	session_reply_with(s, REPLY_hello, &details);
}

static bool
always(const struct session *s)
{
	(void)s;
	return true;
}

/* Also while tlsd is down: to hide it looks like an attack to senders that insist (row 137). */
static bool
may_start_tls(const struct session *s)
{
	return s->worker->tls_offered && s->tls == NULL;
}

static void
put_size(const struct conf *conf, struct buf *b)
{
	buf_put_u8(b, ' ');
	buf_put_decimal(b, groups_largest(conf));
}

/* Where there are several back ends, recipients of one domain are the likeliest to share one. */
static void
put_limits(const struct conf *conf, struct buf *b)
{
	buf_put_str(b, " RCPTMAX=");
	buf_put_decimal(b, groups_most_recipients(conf));
	buf_put_str(b, " MAILMAX=");
	buf_put_decimal(b, conf->limits.messages_per_session);
	if (conf->backend_count > 1)
		buf_put_str(b, " RCPTDOMAINMAX=1");
}

static const struct {
	const char *keyword;
	bool (*offered)(const struct session *s);
	void (*put_values)(const struct conf *conf, struct buf *b); /* NULL: none */
	const char *source;
} extensions[] = {
    {"PIPELINING", always, NULL, "RFC 2920"},
    {"SIZE", always, put_size, "RFC 1870"},
    {"STARTTLS", may_start_tls, NULL, "RFC 3207"},
    {"ENHANCEDSTATUSCODES", always, NULL, "RFC 2034"},
    {"CHUNKING", always, NULL, "RFC 3030"},
    {"LIMITS", always, put_limits, "RFC 9422"},
    {"SMTPUTF8", mail_utf8_offered, NULL, "RFC 6531"},
    {"8BITMIME", always, NULL, "RFC 6152"},
};

enum { EXTENSION_COUNT = sizeof(extensions) / sizeof(extensions[0]) };

static void
reply_line(struct session *s, struct span line, bool more)
{
	session_reply_with(s, REPLY_hello, &(struct reply_details){.argument = line, .more = more});
}

static void
reply_extension(struct session *s, size_t i)
{
	uint8_t text[100];
	struct buf b = BUF_OVER(text);

	if (!extensions[i].offered(s))
		return;
	buf_put_str(&b, extensions[i].keyword);
	if (extensions[i].put_values != NULL)
		extensions[i].put_values(s->worker->conf, &b);
	reply_line(s, buf_span(&b), i + 1 < EXTENSION_COUNT);
}

void
ehlo_apply(struct session *s, const union command_args *args)
{
	begin(s, args, true);
	reply_line(s, span_str(s->worker->conf->top.hostname), true);
	for (size_t i = 0; i < EXTENSION_COUNT; i++)
		reply_extension(s, i);
}
