#include "tlsd/keys_serve.h"

#include <unistd.h>

#include "lib/log.h"

#include "tlsd/keys_counters.h"
#include "tlsd/sign_check.h"
#include "tlsd/small_file.h"

/* ---- signing ----------------------------------------------------------------------------------- */

/* A flood of refusals is one line a second; the counters have them all. */
static void
complain(struct keys_server *s, const char *reason, uint64_t now_ms)
{
	if (s->complained_ms != 0 && now_ms - s->complained_ms < 1000)
		return;
	s->complained_ms = now_ms;
	log_event1(EVENT_signature_refused, "reason", reason);
}

size_t
keys_serve_sign(
    struct keys_server *s, const struct msg_sign_ask *ask, uint64_t now_ms, uint8_t *signature_out)
{
	const struct private_key *key;
	enum sign_verdict verdict;
	struct key_id id;
	size_t len;

	/* Before anything that costs: who asks too often gets no work done. */
	if (!bucket_spend(&s->bucket, now_ms)) {
		KEYS_COUNT(refused_rate)++;
		complain(s, "rate", now_ms);
		return 0;
	}
	memcpy(id.octets, ask->key, sizeof(id.octets));
	key = keyring_find(&s->ring, &id, now_ms);
	if (key == NULL) {
		KEYS_COUNT(refused_key)++;
		complain(s, "unknown-key", now_ms);
		return 0;
	}
	verdict = sign_check(private_key_facts(key), ask->scheme, ask->data);
	if (verdict != SIGN_FINE) {
		KEYS_COUNT(refused_shape)++;
		complain(s, sign_verdict_text(verdict), now_ms);
		return 0;
	}
	len = private_key_sign(key, (enum sign_scheme)ask->scheme, ask->data, signature_out);
	if (len > 0) {
		KEYS_COUNT(signatures)++;
	} else {
		KEYS_COUNT(failed)++;
		complain(s, "libcrypto", now_ms);
	}
	return len;
}

static void
on_sign_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct keys_server *s = ctx;
	uint8_t signature[KEY_SIGNATURE_MAX];
	size_t len = keys_serve_sign(s, &m->sign_ask, loop_now(s->loop), signature);
	struct msg_sign_answer answer = {m->sign_ask.serial, span_of(signature, len)};

	(void)fd;
	link_send(link, MSG_sign_answer, &answer, -1);
}

static void
on_tlsd_lost(void *ctx, struct link *link)
{
	struct keys_server *s = ctx;

	if (link != s->tlsd)
		return;
	link_free(&s->tlsd);
	if (s->on_idle != NULL)
		s->on_idle(s->arg);
}

static const struct link_handler handlers[] = {{MSG_sign_ask, on_sign_ask}};

static const struct link_role role = {
    .self = PROGRAM_TLS_KEYS,
    .peer = PROGRAM_TLSD,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .on_lost = on_tlsd_lost,
};

int
keys_serve_peer(struct keys_server *s, int fd)
{
	link_free(&s->tlsd);
	s->tlsd = link_new(s->loop, fd, &role, s);
	return s->tlsd != NULL ? 0 : -1;
}

/* ---- key files --------------------------------------------------------------------------------- */

static const char *
file_take(struct keys_server *s, struct span name, int fd, struct key_facts *facts_out)
{
	static uint8_t room[KEYS_FILE_MAX];
	struct private_key *key = NULL;
	const char *why;
	long len = small_file_read(fd, room, sizeof(room), &why);

	if (len >= 0)
		key = private_key_parse(span_of(room, (size_t)len), &why);
	keys_wipe(room, sizeof(room));
	if (key == NULL)
		return why;
	*facts_out = *private_key_facts(key);
	return keyring_put(&s->ring, name, key, loop_now(s->loop));
}

const char *
keys_serve_file(struct keys_server *s, struct span name, int fd)
{
	struct key_facts facts = {.kind = KEY_RSA};
	struct log_line line;
	const char *why = file_take(s, name, fd, &facts);

	close(fd);
	log_begin(&line, why == NULL ? EVENT_key_loaded : EVENT_key_refused);
	log_span(&line, "file", name);
	if (why == NULL) {
		log_str(&line, "kind", facts.kind == KEY_RSA ? "rsa" : "ecdsa");
		log_u64(&line, "bits", facts.bits);
	} else {
		log_str(&line, "reason", why);
		KEYS_COUNT(keys_refused)++;
	}
	log_end(&line);
	return why;
}

static void
on_sweep(void *arg)
{
	struct keys_server *s = arg;

	keyring_sweep(&s->ring, loop_now(s->loop));
	timer_set(s->loop, &s->sweep, KEYS_SWEEP_MS, on_sweep, s);
}

/* ---- life -------------------------------------------------------------------------------------- */

int
keys_serve_init(struct keys_server *s, struct loop *loop)
{
	*s = (struct keys_server){.loop = loop};
	bucket_init(&s->bucket, KEYS_PER_SECOND, KEYS_BURST, loop_now(loop));
	return timer_set(loop, &s->sweep, KEYS_SWEEP_MS, on_sweep, s);
}

void
keys_serve_clear(struct keys_server *s)
{
	timer_stop(&s->sweep);
	link_free(&s->tlsd);
	keyring_clear(&s->ring);
}
