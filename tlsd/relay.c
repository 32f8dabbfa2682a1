#include "tlsd/relay.h"

#include <errno.h>
#include <sys/socket.h>

/* ---- from smtpd to the client ------------------------------------------------------------------------- */

/* Out: *done_out, how many octets the TLS side took. */
static enum flow
client_put(struct relay *r, struct span octets, size_t *done_out)
{
	*done_out = 0;
	while (*done_out < octets.len) {
		ssize_t n =
		    tls_stream_write(r->stream, octets.p + *done_out, octets.len - *done_out);

		if (n == TLS_WANT_WRITE)
			return FLOW_FULL;
		if (n <= 0) /* TLS_WANT_READ would be a renegotiation, and there is none */
			return FLOW_BROKEN;
		*done_out += (size_t)n;
	}
	return FLOW_GOES;
}

enum flow
relay_flush(struct relay *r)
{
	struct span waiting = pipe_waiting(&r->to_client);
	enum flow flow;
	size_t done;

	if (waiting.len == 0)
		return FLOW_GOES;
	flow = client_put(r, waiting, &done);
	pipe_passed(&r->to_client, done);
	return flow;
}

enum flow
relay_out(struct relay *r)
{
	enum flow flow = relay_flush(r);
	struct span octets;
	size_t done;
	ssize_t n;

	if (flow != FLOW_GOES)
		return flow;
	n = recv(r->plain, r->scratch, RELAY_SCRATCH, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return FLOW_GOES;
	if (n <= 0)
		return FLOW_ENDED;
	octets = span_of(r->scratch, (size_t)n);
	flow = client_put(r, octets, &done);
	if (flow == FLOW_FULL && !pipe_keep(&r->to_client, span_from(octets, done)))
		return FLOW_BROKEN;
	return flow;
}

/* ---- from the client to smtpd --------------------------------------------------------------------------- */

/* smtpd that has closed takes nothing any more; its end is seen when the plain socket is read. */
static enum flow
plain_put(struct relay *r, struct span octets, size_t *done_out)
{
	*done_out = 0;
	while (*done_out < octets.len) {
		ssize_t n = send(r->plain, octets.p + *done_out, octets.len - *done_out,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return FLOW_FULL;
		if (n < 0) {
			*done_out = octets.len;
			return FLOW_ENDED;
		}
		*done_out += (size_t)n;
	}
	return FLOW_GOES;
}

static enum flow
plain_flush(struct relay *r)
{
	struct span waiting = pipe_waiting(&r->to_plain);
	enum flow flow;
	size_t done;

	if (waiting.len == 0)
		return FLOW_GOES;
	flow = plain_put(r, waiting, &done);
	pipe_passed(&r->to_plain, done);
	return flow;
}

/*
 * Reads whole records while one more fits, so that nothing decrypted stays behind inside, where
 * no watch would see it.
 * Out: *len_out, octets in the scratch buffer. Returns: what tls_stream_read() said last.
 */
static ssize_t
client_get(struct relay *r, size_t *len_out)
{
	ssize_t n = 1;

	*len_out = 0;
	while (n > 0 && RELAY_SCRATCH - *len_out >= TLS_RECORD_MAX) {
		n = tls_stream_read(r->stream, r->scratch + *len_out, RELAY_SCRATCH - *len_out);
		if (n > 0)
			*len_out += (size_t)n;
	}
	return n;
}

enum flow
relay_in(struct relay *r)
{
	enum flow flow = plain_flush(r);
	struct span octets;
	size_t len, done;
	ssize_t n;

	if (flow != FLOW_GOES)
		return flow;
	n = client_get(r, &len);
	r->client_wants_write = n == TLS_WANT_WRITE;
	if (len > 0) {
		octets = span_of(r->scratch, len);
		flow = plain_put(r, octets, &done);
		if (flow == FLOW_FULL && !pipe_keep(&r->to_plain, span_from(octets, done)))
			return FLOW_BROKEN;
	}
	if (n == TLS_BROKEN)
		return FLOW_BROKEN;
	return n == TLS_END ? FLOW_ENDED : flow;
}
