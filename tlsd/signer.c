#include "tlsd/signer.h"

#include "lib/clock.h"

#include "tlsd/counters.h"

static void
on_sign_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct signer *s = ctx;
	const struct msg_sign_answer *answer = &m->sign_answer;

	(void)link;
	(void)fd;
	/* Whatever it is the answer to. */
	s->rest_until_ms = 0;
	s->works = true;
	if (answer->serial == s->proof && s->proof != 0) {
		s->proof = 0;
		s->on_proof(s->arg, answer->signature);
	} else if (answer->serial == s->wanted && s->wanted != 0) {
		s->wanted = 0;
		s->answered = true;
		s->answer_len = 0;
		if (answer->signature.len <= sizeof(s->answer)) {
			memcpy(s->answer, answer->signature.p, answer->signature.len);
			s->answer_len = answer->signature.len;
		}
	}
}

static void
on_keys_lost(void *ctx, struct link *link)
{
	struct signer *s = ctx;

	if (link == s->link)
		link_free(&s->link);
}

static const struct link_handler handlers[] = {{MSG_sign_answer, on_sign_answer}};

static const struct link_role role = {
    .self = PROGRAM_TLSD,
    .peer = PROGRAM_TLS_KEYS,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_keys_lost,
};

void
signer_init(struct signer *s, struct loop *loop)
{
	*s = (struct signer){.loop = loop};
}

void
signer_clear(struct signer *s)
{
	link_free(&s->link);
}

int
signer_peer(struct signer *s, int fd)
{
	link_free(&s->link);
	s->wanted = s->proof = 0;
	s->rest_until_ms = 0;
	s->works = false;
	s->link = link_new(s->loop, fd, &role, s);
	if (s->link == NULL)
		return -1;
	if (s->on_link != NULL)
		s->on_link(s->arg);
	return 0;
}

/* Returns: the serial of the question, 0 when it cannot be asked. */
static uint32_t
ask(struct signer *s, const struct key_id *key, enum sign_scheme scheme, struct span data)
{
	struct msg_sign_ask question = {.scheme = (uint8_t)scheme, .data = data};

	if (++s->serial == 0)
		s->serial = 1;
	question.serial = s->serial;
	memcpy(question.key, key->octets, sizeof(question.key));
	return link_send(s->link, MSG_sign_ask, &question, -1) ? s->serial : 0;
}

/* The loop's time stands still while we wait inside a turn, so the clock is asked. */
static void
wait_for_answer(struct signer *s)
{
	uint64_t now_ms = clock_ms(), deadline_ms = now_ms + SIGNER_TIMEOUT_MS;

	while (!s->answered && now_ms < deadline_ms) {
		if (link_wait(s->link, (int)(deadline_ms - now_ms)) < 0)
			return;
		now_ms = clock_ms();
	}
	if (!s->answered) {
		TLSD_COUNT(signatures_timeout)++;
		s->rest_until_ms = now_ms + SIGNER_REST_MS;
	}
}

size_t
signer_sign(void *arg, const struct key_id *key, enum sign_scheme scheme, struct span data,
    uint8_t *signature_out)
{
	struct signer *s = arg;

	if (!link_alive(s->link) || !s->works ||
	    (s->rest_until_ms != 0 && clock_ms() < s->rest_until_ms))
		return 0;
	s->wanted = ask(s, key, scheme, data);
	if (s->wanted == 0)
		return 0;
	s->answered = false;
	wait_for_answer(s);
	s->wanted = 0;
	if (!s->answered)
		return 0;
	if (s->answer_len == 0)
		TLSD_COUNT(signatures_refused)++;
	else
		TLSD_COUNT(signatures)++;
	memcpy(signature_out, s->answer, s->answer_len);
	return s->answer_len;
}

bool
signer_prove(struct signer *s, const struct key_id *key, enum sign_scheme scheme, struct span data)
{
	s->proof = link_alive(s->link) ? ask(s, key, scheme, data) : 0;
	return s->proof != 0;
}
