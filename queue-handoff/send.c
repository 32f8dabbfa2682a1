#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

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

static ssize_t
send_memory(struct job *j)
{
	uint64_t from = in_head(j) ? j->sent : j->sent - j->file_len;
	/* Without a file in between all memory goes at once, but for what is held back. */
	bool to_file = in_head(j) && j->file_len > 0;
	uint64_t to = to_file ? j->split : j->memory_len - QMQP_HELD_BACK;

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

enum send_status
job_send_package(struct job *j)
{
	uint64_t stop = job_package_len(j) - QMQP_HELD_BACK;
	uint64_t turn = 0;

	while (j->sent < stop && turn < TURN_MAX) {
		ssize_t n = in_file(j) ? send_file(j) : send_memory(j);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? SEND_LATER : SEND_ERROR;
		j->sent += (uint64_t)n;
		turn += (uint64_t)n;
	}
	return j->sent == stop ? SEND_DONE : SEND_LATER;
}

int
job_send_commit(struct job *j)
{
	uint64_t end = job_package_len(j);

	while (j->sent < end) {
		size_t left = (size_t)(end - j->sent);
		ssize_t n = send(j->fd, j->memory + j->memory_len - left, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		j->sent += (uint64_t)n;
	}
	return 0;
}
