#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue-handoff/job.h"

enum { TURN_MAX = 1024 * 1024 }; /* octets for one job at a time; then others get their turn */

/* Where in the package the next octet stands. */
static bool
in_head(const struct job *j)
{
	return j->sent < j->split;
}

static bool
in_file(const struct job *j)
{
	return !in_head(j) && j->sent < j->split + j->file_len;
}

/* ---- as it is ------------------------------------------------------------------------------------ */

static ssize_t
send_memory(struct job *j)
{
	uint64_t from = in_head(j) ? j->sent : j->sent - j->file_len;
	/* Without a file in between all memory goes at once, but for what is held back. */
	bool to_file = in_head(j) && j->file_len > 0;
	uint64_t to = to_file ? j->split : j->memory_len - j->protocol->talk->held_len;

	return send(
	    j->fd, j->memory + from, (size_t)(to - from), MSG_NOSIGNAL | (to_file ? MSG_MORE : 0));
}

/* An explicit offset: whoever else has the descriptor may move the offset that it shares. */
static ssize_t
send_file(struct job *j)
{
	uint64_t done = j->sent - j->split;
	off_t at = (off_t)(j->file_from + done);
	uint64_t left = j->file_len - done;
	ssize_t n = sendfile(j->fd, j->content_fd, &at, left < TURN_MAX ? (size_t)left : TURN_MAX);

	/* A sealed file is not shorter than it was. */
	if (n == 0) {
		errno = EIO;
		return -1;
	}
	return n;
}

static enum send_status
send_as_it_is(struct job *j)
{
	uint64_t stop = job_package_len(j) - j->protocol->talk->held_len;
	uint64_t turn = 0;

	while (j->sent < stop && turn < TURN_MAX) {
		ssize_t n = in_file(j) ? send_file(j) : send_memory(j);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? SEND_LATER : SEND_ERROR;
		j->sent += (uint64_t)n;
		j->moved += (uint64_t)n;
		turn += (uint64_t)n;
	}
	return j->sent == stop ? SEND_DONE : SEND_LATER;
}

/* ---- in lines --------------------------------------------------------------------------------------- */

enum send_status
job_send_out(struct job *j)
{
	while (j->out_at < j->out_len) {
		ssize_t n = send(j->fd, j->out + j->out_at, j->out_len - j->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? SEND_LATER : SEND_ERROR;
		j->out_at += (size_t)n;
		j->moved += (uint64_t)n;
	}
	return SEND_DONE;
}

/* Reads what comes next of the file. Returns: 0 octets only on error. */
static struct span
read_file(struct job *j, uint8_t *room, size_t cap)
{
	uint64_t done = j->sent - j->split;
	uint64_t left = j->file_len - done;
	ssize_t n;

	do
		n = pread(j->content_fd, room, left < cap ? (size_t)left : cap,
		    (off_t)(j->file_from + done));
	while (n < 0 && errno == EINTR);
	return span_of(room, n > 0 ? (size_t)n : 0);
}

/* Fills out with the next lines; its room is twice what is read, so that dots and CRs fit.
 * Returns: false when the content cannot be read, or holds what no line can. */
static bool
fill_out(struct job *j)
{
	uint8_t room[JOB_OUT / 2 - 2]; /* the end of a last line fits as well */
	struct buf b = buf_over(j->out, JOB_OUT);
	struct span in = in_file(j)
	                     ? read_file(j, room, sizeof(room))
	                     : span_head(span_of(j->memory + j->sent, (size_t)(j->split - j->sent)),
				   sizeof(room));
	size_t used;

	if (in.len == 0 || !lines_put(&j->lines, in, &b, &used))
		return false;
	j->sent += used;
	if (j->sent == job_package_len(j) && !lines_finish(&j->lines, &b))
		return false;
	j->out_at = 0;
	j->out_len = b.len;
	return true;
}

static enum send_status
send_in_lines(struct job *j)
{
	uint64_t before = j->sent;

	for (;;) {
		enum send_status status = job_send_out(j);

		if (status != SEND_DONE)
			return status;
		if (j->sent == job_package_len(j))
			return SEND_DONE;
		if (j->sent - before >= TURN_MAX)
			return SEND_LATER;
		if (!fill_out(j)) {
			errno = EIO;
			return SEND_ERROR;
		}
	}
}

enum send_status
job_send_package(struct job *j)
{
	return j->protocol->talk->in_lines ? send_in_lines(j) : send_as_it_is(j);
}

/* ---- the end ---------------------------------------------------------------------------------------- */

int
job_send_commit(struct job *j)
{
	const struct protocol *p = j->protocol;
	struct span held =
	    p->talk->in_lines
		? p->talk->held
		: span_of(j->memory + j->memory_len - p->talk->held_len, p->talk->held_len);

	while (j->held_sent < held.len) {
		ssize_t n =
		    send(j->fd, held.p + j->held_sent, held.len - j->held_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		j->held_sent += (size_t)n;
	}
	return 0;
}
