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

static void
ask(struct foresight *f, const struct ip *client, unsigned *left, const char *prefix,
    struct span domain)
{
	uint8_t room[DNS_NAME_MAX];
	struct buf name = BUF_OVER(room);
	struct msg_dns_ask m = {.type = DNS_TYPE_TXT};
	struct msg_dns_answer known;

	buf_put_str(&name, prefix);
	buf_put_lower(&name, domain);
	m.name = buf_span(&name);
	if (name.full || !is_plain(m.name) || questions_known(f->questions, &m, left, &known))
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

void
foresight_end(struct foresight *f)
{
	if (f->waiting)
		end_waiting(f);
}
