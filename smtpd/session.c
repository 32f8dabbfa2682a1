#include "smtpd/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bug.h"

#include "smtpd/arrival.h"
#include "smtpd/avoid.h"
#include "smtpd/chunk.h"
#include "smtpd/command.h"
#include "smtpd/counters.h"
#include "smtpd/data.h"
#include "smtpd/envelope.h"
#include "smtpd/journal.h"
#include "smtpd/penalty.h"
#include "smtpd/recheck.h"
#include "smtpd/recipients.h"
#include "smtpd/submission.h"
#include "smtpd/tls.h"
#include "smtpd/worker.h"

enum { READS_PER_TURN = 8 };

static void on_event(void *arg, unsigned events);

static bool
in_states(const struct session *s, unsigned set)
{
	return (set & 1u << s->state) != 0;
}

/* ---- deadlines ---------------------------------------------------------------------------- */

static void
update_deadline(struct session *s)
{
	uint64_t total = s->started_ms + s->worker->conf->limits.session_total * 1000;
	uint64_t at = s->phase_ms;

	if (s->blocked && s->write_ms < at)
		at = s->write_ms;
	if (in_states(s, IN_COMMANDS | IN_CONTENT) && total < at)
		at = total;
	if (s->held_ms != 0 && s->held_ms < at)
		at = s->held_ms;
	worker_set_deadline(s, at);
}

void
session_expect_within(struct session *s, uint64_t ms)
{
	s->phase_ms = s->worker->now_ms + ms;
	update_deadline(s);
}

void
session_hold(struct session *s, uint64_t ms)
{
	uint64_t until = s->worker->now_ms + ms;

	if (!in_states(s, IN_COMMANDS) || until <= s->held_ms)
		return;
	s->held_ms = until;
	update_deadline(s);
}

static void
release(struct session *s)
{
	s->held_ms = 0;
	if (in_states(s, IN_COMMANDS) && !recipients_pending(s))
		session_expect_within(s, worker_command_ms(s->worker));
	else
		update_deadline(s);
	/* Before the next command, which may have a penalty of its own. */
	session_settle(s);
	session_resume(s);
}

void
session_hurry(struct session *s)
{
	uint64_t at = s->worker->now_ms + worker_command_ms(s->worker);

	if (in_states(s, IN_COMMANDS | IN_CONTENT) && at < s->phase_ms) {
		s->phase_ms = at;
		update_deadline(s);
	}
}

/* ---- output ------------------------------------------------------------------------------- */

/* A second watch of the same kind replaces the first. */
static bool
watch(struct session *s, unsigned also)
{
	return watch_start(s->worker->loop, &s->watch, s->fd,
		   WATCH_READ | WATCH_CLOSED | WATCH_EDGE | also, on_event, s) == 0;
}

static void
set_blocked(struct session *s, bool blocked)
{
	if (s->blocked == blocked)
		return;
	s->blocked = blocked;
	s->write_ms = s->worker->now_ms + SESSION_WRITE_MS;
	if (!watch(s, blocked ? WATCH_WRITE : 0))
		session_close(s, "memory");
	update_deadline(s);
}

/* Returns: whether the socket still is good. */
static bool
flush(struct session *s)
{
	enum output_status status;

	if (output_empty(&s->output))
		return true;
	status = output_flush(&s->output, &s->worker->blocks, s->fd);
	set_blocked(s, status == OUTPUT_BLOCKED);
	return status != OUTPUT_BROKEN;
}

static bool
open_output(struct session *s, struct buf *b)
{
	struct output *o = &s->output;

	if (o->cap > 0 && o->cap - o->len < REPLY_LINE_MAX && !s->blocked && !flush(s))
		return false;
	return output_open(o, &s->worker->blocks, REPLY_LINE_MAX, b);
}

/* We end it, and neither the client asked for it nor is it trouble of ours. */
static bool
is_ejection(enum reply_id id)
{
	return reply_get(id)->kind == REPLY_KIND_CLOSE && id != REPLY_bye && id != REPLY_busy &&
	       id != REPLY_timeout && id != REPLY_client_gone;
}

void
session_reply_with(struct session *s, enum reply_id id, const struct reply_details *details)
{
	static const struct reply_details none;
	struct buf b;

	if (!in_states(s, ~(IN(CLOSING) | IN(CLOSED))))
		return;
	if (reply_get(id)->kind == REPLY_KIND_ERROR) {
		count(COUNT_commands_wrong);
		if (penalty_for(s, ++s->errors, s->worker->conf->limits.errors)) {
			id = REPLY_too_many_errors;
			details = &none;
		}
	}
	worker_settle_later(s);
	if (!open_output(s, &b)) {
		session_close(s, "output");
		return;
	}
	reply_put(&b, id, details);
	output_commit(&s->output, &b);
	if (is_ejection(id))
		count(COUNT_sessions_refused);
	if (reply_get(id)->kind == REPLY_KIND_CLOSE)
		session_close(s, reply_get(id)->name);
}

void
session_reply(struct session *s, enum reply_id id)
{
	session_reply_with(s, id, &(struct reply_details){0});
}

/* ---- the end ------------------------------------------------------------------------------ */

void
session_end_transaction(struct session *s)
{
	struct transaction *t = s->transaction;
	struct msg_envelope_drop drop;

	if (t == NULL)
		return;
	avoid_end(s);
	drop = (struct msg_envelope_drop){.session = s->handle, .transaction = t->number};
	if (!t->submitted && conf_judges_envelope(s->worker->conf))
		worker_send(s->worker, PROGRAM_VALIDATORS, MSG_envelope_drop, &drop, -1);
	journal_transaction(s);
	transaction_free(&s->transaction);
	gauge(COUNT_message_memory, s->worker->budget.used);
}

void
session_close(struct session *s, const char *reason)
{
	if (!in_states(s, ~(IN(CLOSING) | IN(CLOSED))))
		return;
	/* The rest of the content is coming; a close now would take our reply away from the client. */
	if (in_states(s, IN_CONTENT))
		s->unread = true;
	state_set(s, STATE_CLOSING);
	s->reason = reason;
	s->held_ms = 0;
	session_expect_within(s, SESSION_WRITE_MS);
	worker_settle_later(s);
}

void
session_end(struct session *s, const char *reason)
{
	if (s->state == STATE_CLOSED)
		return;
	if (s->reason == NULL)
		s->reason = reason;
	session_end_transaction(s);
	state_set(s, STATE_CLOSED);
	submission_session_ended(s);
	journal_end(s);
	watch_stop(&s->watch);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	admission_end(s->worker, &s->admission);
	input_clear(&s->input, &s->worker->blocks);
	output_clear(&s->output, &s->worker->blocks);
	free(s->tls);
	s->tls = NULL;
	worker_set_deadline(s, UINT64_MAX);
	worker_settle_later(s);
}

/*
 * Our last reply is written. When the client may still be sending, a close would reset the
 * connection and could destroy that reply in its hands.
 */
static void
finish_closing(struct session *s)
{
	if (!s->unread && !s->readable) {
		session_end(s, NULL);
		return;
	}
	if (s->lingering)
		return;
	s->lingering = true;
	shutdown(s->fd, SHUT_WR);
	session_expect_within(s, SESSION_LINGER_MS);
	session_resume(s);
}

void
session_settle(struct session *s)
{
	if (s->fd < 0)
		return;
	if (s->worker->goodbye && in_states(s, IN(CONNECTED) | (IN_COMMANDS & ~IN(PARTIAL))) &&
	    !recipients_pending(s))
		session_reply(s, REPLY_busy);
	if (s->held_ms == 0 && !flush(s)) {
		session_end(s, "client-reset");
		return;
	}
	if (s->state == STATE_CLOSING) {
		session_end_transaction(s);
		if (output_empty(&s->output))
			finish_closing(s);
	}
}

void
session_drain(struct session *s)
{
	worker_settle_later(s);
}

/* ---- input -------------------------------------------------------------------------------- */

static bool
takes_input(const struct session *s)
{
	if (s->held_ms != 0)
		return false;
	return in_states(s, IN_CONTENT) || (in_states(s, IN_COMMANDS) && !s->waiting);
}

static bool
wants_input(const struct session *s)
{
	return (takes_input(s) && !s->blocked) || (s->state == STATE_CLOSING && s->lingering);
}

/* Takes a command, or content. Returns: octets used. */
static size_t
take_some(struct session *s, struct span in)
{
	if (s->state == STATE_CONTENT)
		return data_take(s, in);
	if (s->state == STATE_CHUNK)
		return chunk_take(s, in);
	return command_take(s, in);
}

/* In: what is there to use; keeps what cannot be used yet. */
static void
take_input(struct session *s, struct span in)
{
	size_t used = 0;

	while (used < in.len && takes_input(s)) {
		size_t n = take_some(s, span_from(in, used));

		if (n == 0)
			break;
		used += n;
	}
	if (in_states(s, IN(CLOSING) | IN(CLOSED))) {
		s->unread = s->unread || used < in.len;
		s->drained += in.len - used;
		input_clear(&s->input, &s->worker->blocks);
	} else if (!input_keep(&s->input, &s->worker->blocks, span_from(in, used))) {
		session_close(s, "memory");
	}
}

static void
on_end_of_input(struct session *s)
{
	session_close(s, "client-closed");
	s->readable = s->unread = false; /* nothing is left to wait for */
	worker_settle_later(s);
}

/*
 * A short read has emptied the socket, unless the end of input comes right behind it, or the read
 * stopped at an urgent octet (row 17). So half a line and content are always followed by another
 * read, and whole commands, which are the rule, are not.
 */
static bool
is_in_the_middle(const struct session *s)
{
	return in_states(s, IN_CONTENT) || s->input.len > 0 || s->line.discarded > 0;
}

static void
read_once(struct session *s)
{
	struct input *kept = &s->input;
	size_t room = in_states(s, IN_CONTENT) ? INPUT_LARGE : INPUT_BLOCK;
	uint8_t *to = s->worker->inbox;
	ssize_t n;

	if (kept->p != NULL) {
		to = kept->p + kept->len;
		room = kept->cap - kept->len;
	}
	n = recv(s->fd, to, room, MSG_DONTWAIT);
	if (n == 0) {
		on_end_of_input(s);
	} else if (n < 0 && errno == EAGAIN) {
		s->readable = false;
	} else if (n < 0 && errno != EINTR) {
		session_end(s, "client-reset");
	} else if (n > 0) {
		kept->len += kept->p != NULL ? (size_t)n : 0;
		s->readable = (size_t)n == room || s->hangup;
		take_input(s, kept->p != NULL ? input_span(kept) : span_of(to, (size_t)n));
		s->readable = s->readable || is_in_the_middle(s);
	}
}

void
session_resume(struct session *s)
{
	int reads = 0;

	s->waiting = false;
	if (s->input.len > 0)
		take_input(s, input_span(&s->input));
	while (s->readable && wants_input(s)) {
		if (reads++ == READS_PER_TURN) {
			worker_resume_later(s);
			return;
		}
		read_once(s);
	}
	if (s->lingering && s->drained > SESSION_LINGER_OCTETS)
		session_end(s, NULL);
}

ssize_t
session_peek(const struct session *s)
{
	uint8_t octet;
	ssize_t n = recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool
session_has_more(struct session *s, struct span rest)
{
	return rest.len > 0 || (s->readable && session_peek(s) > 0);
}

/*
 * Exim sends QUIT and the end of its side behind its last message, and then reads both replies. QUIT
 * alone, as the last word, tells it from a client that has gone: none that goes on asking for its
 * reply would have said it.
 */
static bool
said_goodbye(const struct session *s)
{
	static const char quit[] = "QUIT\r\n";
	uint8_t octets[sizeof(quit)]; /* one more than may be there */
	size_t len = s->input.len;
	ssize_t n;

	if (len >= sizeof(octets))
		return false;
	if (len > 0)
		memcpy(octets, s->input.p, len);
	n = recv(s->fd, octets + len, sizeof(octets) - len, MSG_PEEK | MSG_DONTWAIT);
	len += n > 0 ? (size_t)n : 0;
	return span_eq_nocase(span_of(octets, len), span_str(quit));
}

bool
session_client_gone(const struct session *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
	bool ended = poll(&p, 1, 0) > 0;

	if (ended && (p.revents & (POLLHUP | POLLERR)) != 0)
		return true;
	return (s->hangup || (ended && (p.revents & POLLRDHUP) != 0)) && !said_goodbye(s);
}

/* ---- the socket goes and comes ------------------------------------------------------------------ */

int
session_detach(struct session *s)
{
	int fd = s->fd;

	watch_stop(&s->watch);
	s->fd = -1;
	s->readable = s->hangup = false;
	return fd;
}

bool
session_attach(struct session *s, int fd)
{
	BUG_ON(s->fd >= 0);
	s->fd = fd;
	return watch(s, 0);
}

/* ---- events ------------------------------------------------------------------------------- */

static void
on_event(void *arg, unsigned events)
{
	struct session *s = arg;

	worker_wake(s->worker);
	if ((events & WATCH_CLOSED) != 0)
		s->hangup = true;
	if ((events & (WATCH_READ | WATCH_CLOSED)) != 0)
		s->readable = true;
	if ((events & WATCH_WRITE) != 0)
		session_settle(s);
	if (s->state == STATE_CONNECTED && s->readable)
		arrival_on_input(s);
	else
		session_resume(s);
}

void
session_overdue(struct session *s)
{
	bool stuck = s->blocked && s->write_ms <= s->worker->now_ms;

	if (s->state == STATE_CONNECTED) {
		arrival_overdue(s);
	} else if (s->held_ms != 0 && s->held_ms <= s->worker->now_ms) {
		release(s);
	} else if (s->state == STATE_RECHECK) {
		recheck_overdue(s);
	} else if (s->state == STATE_SUBMITTED) {
		submission_overdue(s);
	} else if (stuck || in_states(s, IN(TLS) | IN(CLOSING))) {
		session_end(s, stuck ? "write-timeout" : "timeout");
	} else if (s->waiting && envelope_awaited(s)) {
		envelope_give_up(s);
	} else if (recipients_pending(s)) {
		recipients_overdue(s);
	} else {
		count(COUNT_sessions_timed_out);
		session_reply(s, REPLY_timeout);
	}
}
