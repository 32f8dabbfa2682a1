#include "smtpd/avoid.h"

#include "smtpd/worker.h"

enum {
	NETWORK_V4 = 15, /* octets of a client's address that count: /24 */
	NETWORK_V6 = 8,  /* /64 */
};

/* Of the client's network, the group and the sender of the transaction. */
static uint64_t
note_of(const struct session *s, struct span route)
{
	uint8_t room[700];
	struct buf b = BUF_OVER(room);

	buf_put(&b, s->client.octets, ip_is_v4(&s->client) ? NETWORK_V4 : NETWORK_V6);
	buf_put_u8(&b, (uint8_t)route.len);
	buf_put_span(&b, route);
	buf_put_span(&b, address_span(&s->transaction->from));
	return clients_note_of(&s->worker->clients, buf_span(&b));
}

void
avoid_record(const struct session *s)
{
	const struct transaction *t = s->transaction;
	struct worker *w = s->worker;

	clients_note(&w->clients, note_of(s, span_of(t->route, t->route_len)), AVOID_S, w->now_ms);
}

bool
avoid_now(const struct session *s, struct span route)
{
	struct worker *w = s->worker;
	uint64_t note;

	if (!clients_any_note(&w->clients, w->now_ms))
		return false;
	note = note_of(s, route);
	if (!clients_noted(&w->clients, note, w->now_ms))
		return false;
	s->transaction->avoided = note;
	return true;
}

void
avoid_end(const struct session *s)
{
	if (s->transaction->avoided != 0)
		clients_note_done(&s->worker->clients, s->transaction->avoided);
}
