#include "validators/transaction.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/bug.h"

#include "validators/counters.h"
#include "validators/dispatcher.h"

/* Workers count their transactions up one by one: the low bits spread them evenly. */
static size_t
bucket_of(const struct worker *worker, uint64_t number)
{
	return (size_t)((number * WORKERS_MAX + worker->index) % TRANSACTION_BUCKETS);
}

static void
enlist(struct transactions *table, struct transaction *t)
{
	struct transaction **bucket = &table->buckets[bucket_of(t->worker, t->number)];

	t->next = *bucket;
	*bucket = t;
	t->next_of = t->worker->transactions;
	if (t->next_of != NULL)
		t->next_of->prev_of = t;
	t->worker->transactions = t;
	gauge(COUNT_transactions, ++table->count);
}

static void
delist(struct transactions *table, struct transaction *t)
{
	struct transaction **at = &table->buckets[bucket_of(t->worker, t->number)];

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (t->prev_of != NULL)
		t->prev_of->next_of = t->next_of;
	else
		t->worker->transactions = t->next_of;
	if (t->next_of != NULL)
		t->next_of->prev_of = t->prev_of;
	gauge(COUNT_transactions, --table->count);
}

struct transaction *
transaction_new(struct transactions *table, struct worker *worker, uint64_t session,
    uint64_t number, const struct ip *client, struct span helo, struct span reverse_path)
{
	struct transaction *t;
	struct buf room;

	if (table->count >= TRANSACTIONS_MAX)
		return NULL;
	t = calloc(1, sizeof(*t) + helo.len + reverse_path.len);
	if (t == NULL)
		return NULL;
	t->worker = worker;
	t->session = session;
	t->number = number;
	t->client = t->spf_client = *client;
	t->questions_left = QUESTIONS_PER_MESSAGE;
	room = buf_over(t->room, helo.len + reverse_path.len);
	buf_put_span(&room, helo);
	buf_put_span(&room, reverse_path);
	t->helo = span_of(t->room, helo.len);
	t->reverse_path = span_of(t->room + helo.len, reverse_path.len);
	enlist(table, t);
	return t;
}

struct transaction *
transaction_find(const struct transactions *table, const struct worker *worker, uint64_t session,
    uint64_t number)
{
	struct transaction *t = table->buckets[bucket_of(worker, number)];

	while (t != NULL && (t->worker != worker || t->number != number || t->session != session))
		t = t->next;
	return t;
}

/* Octets that the encoded message takes at most. */
static size_t
submit_size(const struct msg_submit *m)
{
	enum { FIXED = 256 };

	return FIXED + m->id.len + m->helo.len + m->tls_version.len + m->tls_cipher.len +
	       m->reverse_path.len + m->route.len + m->class.len + m->recipients.encoded.len +
	       m->content.len;
}

bool
transaction_hold(struct transaction *t, const struct msg_submit *m, int fd)
{
	struct dispatcher *d = t->worker->dispatcher;
	size_t cap = submit_size(m);
	struct held_message *h = malloc(sizeof(*h) + cap);
	struct buf b;

	if (h == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	memset(h, 0, sizeof(*h));
	b = buf_over(h->encoded, cap);
	BUG_ON(!msg_encode(MSG_submit, m, &b));
	h->len = b.len;
	h->fd = fd;
	t->held = h;
	d->held_octets += h->len;
	gauge(COUNT_messages_held, ++d->held_count);
	return true;
}

void
transaction_submitted(const struct held_message *held, union msg *m_out)
{
	BUG_ON(!msg_decode(MSG_submit, span_of(held->encoded, held->len), m_out));
}

static void
held_free(struct transaction *t)
{
	struct dispatcher *d = t->worker->dispatcher;
	struct held_message *h = t->held;

	t->held = NULL;
	if (h == NULL)
		return;
	d->held_octets -= h->len;
	gauge(COUNT_messages_held, --d->held_count);
	timer_stop(&h->timer);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

void
transaction_free(struct transactions *table, struct transaction **t_at)
{
	struct transaction *t = *t_at;

	*t_at = NULL;
	if (t == NULL)
		return;
	foresight_end(&t->foresight);
	for (int kind = 0; kind < JOB_KINDS; kind++)
		job_cancel(&t->jobs[kind], JOB_CANCELLED);
	jobs_owner_gone(&t->worker->dispatcher->jobs, t);
	clients_release(&t->client_known);
	delist(table, t);
	held_free(t);
	free(t);
}
