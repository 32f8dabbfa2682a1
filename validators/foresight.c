#include "validators/foresight.h"

#include <stddef.h>

static void
end_waiting(struct foresight *f)
{
	f->waiting = false;
	timer_stop(&f->timer);
	questions_forget(f->questions, &f->asker);
}

static void
on_over(void *arg)
{
	struct foresight *f = arg;

	end_waiting(f);
	f->over(f);
}

/* The answer itself is kept by questions.c. */
static void
on_answered(struct asker *asker, const struct msg_dns_answer *answer)
{
	struct foresight *f =
	    (struct foresight *)(void *)((char *)asker - offsetof(struct foresight, asker));

	(void)answer;
	if (f->waiting && asker->open == 0)
		on_over(f);
}

static bool
is_plain(struct span name)
{
	bool dot = false;

	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
		dot = dot || c == '.';
	}
	return dot && dns_name_ok(name);
}

/* Returns: false for a name that is left to the checks. */
static bool
question_of(const char *prefix, struct span domain, struct buf *room, struct msg_dns_ask *m_out)
{
	buf_put_str(room, prefix);
	buf_put_lower(room, domain);
	*m_out = (struct msg_dns_ask){.type = DNS_TYPE_TXT, .name = buf_span(room)};
	return !room->full && is_plain(m_out->name);
}

static void
ask(struct foresight *f, const struct ip *client, unsigned *left, const char *prefix,
    struct span domain)
{
	uint8_t name[DNS_NAME_MAX];
	struct buf room = BUF_OVER(name);
	struct msg_dns_answer known;
	struct msg_dns_ask m;

	if (!question_of(prefix, domain, &room, &m) ||
	    questions_known(f->questions, &m, left, &known))
		return;
	m.timeout_ms = (uint32_t)f->questions->timeout_ms;
	questions_ask(f->questions, &f->asker, &m, client, left);
}

static struct span
domain_of(struct span reverse_path)
{
	size_t at = span_find_last(reverse_path, '@');

	return at < reverse_path.len ? span_from(reverse_path, at + 1) : span_of(NULL, 0);
}

bool
foresight_begin(struct foresight *f, struct questions *qs, const struct conf *conf,
    const struct ip *client, unsigned *left, struct span helo, struct span reverse_path,
    void (*over)(struct foresight *f))
{
	struct span domain = domain_of(reverse_path);

	if (f->patience_ms == 0)
		return false;
	f->questions = qs;
	f->over = over;
	f->asker.answered = on_answered;
	ask(f, client, left, "", domain.len > 0 ? domain : helo);
	if (conf->dmarc.check && domain.len > 0)
		ask(f, client, left, "_dmarc.", domain);
	if (f->asker.open == 0)
		return false;
	f->waiting = true;
	if (timer_set(qs->loop, &f->timer, f->patience_ms, on_over, f) == 0)
		return true;
	end_waiting(f);
	return false;
}

static void
tell(struct link *link, const struct msg_dns_ask *ask, const struct msg_dns_answer *answer)
{
	struct msg_dns_foretold m = {
	    ask->type, ask->name, answer->status, answer->security, answer->records};

	link_send(link, MSG_dns_foretold, &m, -1);
}

void
foresight_tell(struct questions *qs, struct asker *asker, struct link *link, struct span helo,
    struct span reverse_path, bool policy)
{
	struct span domain = domain_of(reverse_path);
	uint8_t name[DNS_NAME_MAX];
	struct buf room = BUF_OVER(name);
	struct msg_dns_answer known;
	struct msg_dns_ask ask;
	unsigned left = 1, told = 0;

	if (domain.len == 0 && !policy)
		domain = helo;
	if (!question_of(policy ? "_dmarc." : "", domain, &room, &ask))
		return;
	questions_follow(qs, asker, ask.type, ask.name);
	if (!questions_known(qs, &ask, &left, &known))
		return;
	do {
		tell(link, &ask, &known);
	} while (++told < FORETOLD_MAX && questions_next(qs, asker, &ask, &known));
}

void
foresight_end(struct foresight *f)
{
	if (f->waiting)
		end_waiting(f);
}
