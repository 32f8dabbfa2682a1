#include "smtpd/message.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bug.h"

bool
budget_has(const struct budget *b, uint64_t octets)
{
	return octets <= b->total && b->used <= b->total - octets;
}

bool
budget_take(struct budget *b, uint64_t octets)
{
	if (!budget_has(b, octets))
		return false;
	b->used += octets;
	return true;
}

void
budget_give(struct budget *b, uint64_t octets)
{
	BUG_ON(octets > b->used);
	b->used -= octets;
}

void
message_init(struct message *m, struct pool *pool, struct budget *budget)
{
	*m = (struct message){.pool = pool, .budget = budget, .fd = -1};
}

bool
message_reserve(struct message *m, uint64_t octets)
{
	if (octets <= m->charged)
		return true;
	if (!budget_take(m->budget, octets - m->charged))
		return false;
	m->charged = octets;
	return true;
}

/* Charges for `size` octets: the buffer first, then in steps, so that a message is charged seldom. */
static bool
charge(struct message *m, uint64_t size)
{
	if (size <= m->charged)
		return true;
	if (size <= MESSAGE_INLINE)
		return message_reserve(m, MESSAGE_INLINE);
	return message_reserve(m, (size + MESSAGE_STEP - 1) / MESSAGE_STEP * MESSAGE_STEP);
}

static bool
write_out(struct message *m, struct span s)
{
	while (s.len > 0) {
		ssize_t n = pwrite(m->fd, s.p, s.len, (off_t)m->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		m->written += (uint64_t)n;
		s = span_from(s, (size_t)n);
	}
	return true;
}

static bool
write_buffer(struct message *m)
{
	if (m->fd < 0)
		m->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->fd < 0 || !write_out(m, span_of(m->buffer, m->buffered)))
		return false;
	m->buffered = 0;
	return true;
}

bool
message_put(struct message *m, struct span octets)
{
	if (octets.len == 0)
		return true;
	if (!charge(m, message_size(m) + octets.len))
		return false;
	if (m->buffer == NULL && (m->buffer = pool_take(m->pool)) == NULL)
		return false;
	if (octets.len > MESSAGE_INLINE - m->buffered) {
		if (!write_buffer(m))
			return false;
		if (octets.len >= MESSAGE_INLINE)
			return write_out(m, octets);
	}
	memcpy(m->buffer + m->buffered, octets.p, octets.len);
	m->buffered += octets.len;
	return true;
}

bool
message_seal(struct message *m)
{
	if (m->fd < 0)
		return true;
	return write_buffer(m) &&
	       fcntl(m->fd, F_ADD_SEALS,
		   F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

uint64_t
message_size(const struct message *m)
{
	return m->written + m->buffered;
}

struct span
message_inline(const struct message *m)
{
	return m->fd < 0 ? span_of(m->buffer, m->buffered) : span_of(NULL, 0);
}

int
message_take_fd(struct message *m)
{
	int fd = m->fd;

	m->fd = -1;
	return fd;
}

void
message_release(struct message *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	pool_give(m->pool, m->buffer);
	m->buffer = NULL;
	m->buffered = 0;
}

void
message_clear(struct message *m)
{
	message_release(m);
	budget_give(m->budget, m->charged);
	m->charged = 0;
	m->written = 0;
}
