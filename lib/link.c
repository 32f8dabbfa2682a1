/*
 * A packet is a run of frames; a frame is u32 octets of fields, u16 type, u8 descriptor or
 * not, u8 zero, and the fields. The descriptors of a packet come in the order of the frames
 * that have one.
 */
#include "lib/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bug.h"
#include "lib/log.h"
#include "lib/loop.h"

enum { FRAME_HEAD = 8 };

struct packet {
	struct packet *next;
	size_t len;
	size_t fd_count;
	int fds[LINK_PACKET_FDS];
	uint8_t octets[LINK_PACKET_MAX];
};

struct link {
	struct loop *loop;
	const struct link_role *role;
	void *ctx;
	int fd; /* -1: dead */
	struct watch reader, writer;
	struct deferred flush, lost;
	struct packet *first, *last; /* not sent yet; the last one is being filled */
	struct packet *spare;
	size_t backlog;
	unsigned depth; /* handlers running */
	bool greeted;   /* the peer's hello has come */
	bool freed;     /* link_free was called inside a handler */
	bool violated;  /* it died of what the peer sent */
	bool blamed;    /* and that cannot be our own trouble */
};

static uint64_t violation_count;

static struct {
	void (*fn)(void *arg, const struct link_loss *loss);
	void *arg;
} on_loss;

/* Packets being read: one for each nested link_wait, kept for the next time. */
static struct packet *read_buffers;

/* ---- life ------------------------------------------------------------------------------------ */

static void
packet_drop(struct packet *p)
{
	for (size_t i = 0; i < p->fd_count; i++)
		close(p->fds[i]);
	free(p);
}

static void
queue_drop(struct link *l)
{
	while (l->first != NULL) {
		struct packet *p = l->first;

		l->first = p->next;
		packet_drop(p);
	}
	l->last = NULL;
	l->backlog = 0;
}

/* The link is dead from now on; the owner hears of it at the end of the turn. */
static void
link_die(struct link *l)
{
	if (l->fd < 0)
		return;
	watch_stop(&l->reader);
	watch_stop(&l->writer);
	loop_undefer(&l->flush);
	close(l->fd);
	l->fd = -1;
	queue_drop(l);
	if (l->loop != NULL)
		loop_defer(l->loop, &l->lost);
}

/* It ends, and not because its owner wants it. */
static void
link_break(struct link *l)
{
	struct link_loss loss = {l->role->peer, l->fd, l->blamed};

	if (l->fd >= 0 && on_loss.fn != NULL && !l->role->brief)
		on_loss.fn(on_loss.arg, &loss);
	link_die(l);
}

void
link_on_loss(void (*fn)(void *arg, const struct link_loss *loss), void *arg)
{
	on_loss.fn = fn;
	on_loss.arg = arg;
}

static void
link_release(struct link *l)
{
	if (l->fd >= 0)
		link_die(l);
	loop_undefer(&l->lost);
	free(l->spare);
	free(l);
}

static void
on_lost(void *arg)
{
	struct link *l = arg;

	if (!l->role->brief)
		log_event1(EVENT_link_lost, "peer", program_name(l->role->peer));
	l->depth++;
	if (l->role->on_lost != NULL)
		l->role->on_lost(l->ctx, l);
	l->depth--;
	if (l->freed)
		link_release(l);
}

/* Descriptors did not all come: the peer sent too many, or this process can have no more. */
static const char cut[] = "truncated";

static void
link_violation(struct link *l, const char *reason)
{
	struct log_line line;

	violation_count++;
	l->violated = true;
	l->blamed = reason != cut;
	log_begin(&line, EVENT_link_violation);
	log_str(&line, "peer", program_name(l->role->peer));
	log_str(&line, "reason", reason);
	log_end(&line);
	link_break(l);
}

uint64_t
link_violations(void)
{
	return violation_count;
}

bool
link_violated(const struct link *l)
{
	return l->violated;
}

bool
link_alive(const struct link *l)
{
	return l != NULL && l->fd >= 0;
}

size_t
link_backlog(const struct link *l)
{
	return l->backlog;
}

void
link_free(struct link **link)
{
	struct link *l = *link;

	*link = NULL;
	if (l == NULL)
		return;
	if (l->depth > 0) {
		l->freed = true;
		link_die(l);
		loop_undefer(&l->lost);
	} else
		link_release(l);
}

int
link_pair(int fds_out[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_out);
}

/* ---- sending --------------------------------------------------------------------------------- */

static ssize_t
packet_send(int fd, struct packet *p)
{
	struct iovec iov = {p->octets, p->len};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(p->fds))];
	} control;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (p->fd_count == 0)
		return send(fd, p->octets, p->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(p->fd_count * sizeof(int));
	memcpy(CMSG_DATA(&control.head), p->fds, p->fd_count * sizeof(int));
	m.msg_control = &control;
	m.msg_controllen = CMSG_SPACE(p->fd_count * sizeof(int));
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The packet is with the kernel: our copies of its descriptors go, its memory is kept for the next. */
static void
packet_sent(struct link *l)
{
	struct packet *p = l->first;

	l->first = p->next;
	if (l->first == NULL)
		l->last = NULL;
	l->backlog -= p->len;
	for (size_t i = 0; i < p->fd_count; i++)
		close(p->fds[i]);
	if (l->spare == NULL)
		l->spare = p;
	else
		free(p);
}

static void
on_writable(void *arg, unsigned events)
{
	(void)events;
	link_flush(arg);
}

void
link_flush(struct link *l)
{
	loop_undefer(&l->flush);
	while (l->fd >= 0 && l->first != NULL) {
		if (packet_send(l->fd, l->first) >= 0) {
			packet_sent(l);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) {
			if (l->loop == NULL ||
			    (!l->writer.active && watch_start(l->loop, &l->writer, l->fd,
						      WATCH_WRITE, on_writable, l) != 0))
				link_break(l);
			return;
		}
		link_break(l);
		return;
	}
	watch_stop(&l->writer);
}

static void
on_flush(void *arg)
{
	link_flush(arg);
}

/* Returns: a packet with room for a frame of `len` octets, or NULL. */
static struct packet *
packet_with_room(struct link *l, size_t len, bool has_fd)
{
	struct packet *p = l->last;

	if (p != NULL && LINK_PACKET_MAX - p->len >= len &&
	    (!has_fd || p->fd_count < LINK_PACKET_FDS))
		return p;
	p = l->spare != NULL ? l->spare : malloc(sizeof(*p));
	if (p == NULL)
		return NULL;
	l->spare = NULL;
	p->next = NULL;
	p->len = p->fd_count = 0;
	if (l->last != NULL)
		l->last->next = p;
	else
		l->first = p;
	l->last = p;
	return p;
}

/* Appends the frame, or leaves the packet as it was. */
static bool
frame_put(struct packet *p, enum msg_type type, const void *fields, int fd)
{
	struct buf b = buf_over(p->octets + p->len, LINK_PACKET_MAX - p->len);
	struct buf head = buf_over(b.p, FRAME_HEAD);

	b.len = FRAME_HEAD;
	if (!msg_encode(type, fields, &b))
		return false;
	buf_put_u32(&head, (uint32_t)(b.len - FRAME_HEAD));
	buf_put_u16(&head, (uint16_t)type);
	buf_put_u8(&head, fd >= 0);
	buf_put_u8(&head, 0);
	p->len += b.len;
	if (fd >= 0)
		p->fds[p->fd_count++] = fd;
	return true;
}

bool
link_send(struct link *l, enum msg_type type, const void *fields, int fd)
{
	const struct msg_info *info = msg_info(type);
	struct packet *p;
	size_t before;

	BUG_ON(info == NULL || (info->fd == NO_FD && fd >= 0) || (info->fd == FD && fd < 0));
	if (!link_alive(l))
		goto refuse;
	BUG_ON(
	    (info->senders & BY(l->role->self)) == 0 || (info->receivers & BY(l->role->peer)) == 0);
	if (l->backlog > LINK_QUEUE_MAX)
		goto refuse;
	p = packet_with_room(l, FRAME_HEAD + info->cap, fd >= 0);
	if (p == NULL)
		goto refuse;
	before = p->len;
	if (!frame_put(p, type, fields, fd))
		goto refuse;
	l->backlog += p->len - before;
	/* While the kernel takes no more, the watch flushes. */
	if (!l->writer.active && l->loop != NULL)
		loop_defer(l->loop, &l->flush);
	return true;
refuse:
	if (fd >= 0)
		close(fd);
	return false;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static struct packet *
read_buffer_take(void)
{
	struct packet *p = read_buffers;

	if (p != NULL)
		read_buffers = p->next;
	else
		p = malloc(sizeof(*p));
	if (p != NULL)
		p->len = p->fd_count = 0;
	return p;
}

static void
read_buffer_give(struct packet *p)
{
	for (size_t i = 0; i < p->fd_count; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	p->next = read_buffers;
	read_buffers = p;
}

enum received { RECEIVED, RECEIVED_NOTHING, RECEIVED_END, RECEIVED_BAD };

static enum received
packet_receive(int fd, struct packet *p)
{
	struct iovec iov = {p->octets, sizeof(p->octets)};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(p->fds))];
	} control;
	struct msghdr m = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? RECEIVED_NOTHING : RECEIVED_END;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		p->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(p->fds, CMSG_DATA(c), p->fd_count * sizeof(int));
	}
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return RECEIVED_BAD;
	p->len = (size_t)n;
	return n == 0 ? RECEIVED_END : RECEIVED;
}

/* Returns: NULL when the peer is the program that it should be and speaks our catalogue. */
static const char *
hello_check(struct link *l, enum msg_type type, const union msg *m)
{
	if (type != MSG_hello)
		return "no-hello";
	if (m->hello.program != l->role->peer)
		return "wrong-program";
	if (m->hello.digest != catalogue_digest())
		return "other-catalogue";
	l->greeted = true;
	return NULL;
}

/* Returns: NULL or why the message closes the link. */
static const char *
message_handle(struct link *l, enum msg_type type, const union msg *m, int *fd)
{
	const struct link_role *role = l->role;

	if (!l->greeted)
		return hello_check(l, type, m);
	for (size_t i = 0; i < role->handler_count; i++) {
		if (role->handlers[i].type == type) {
			role->handlers[i].fn(l->ctx, l, m, fd);
			return NULL;
		}
	}
	return "not-understood";
}

struct frame {
	uint32_t len;
	uint16_t type;
	uint8_t has_fd;
	struct span fields;
};

static bool
frame_next(struct cursor *c, struct frame *f)
{
	uint8_t zero;

	return cursor_u32(c, &f->len) && cursor_u16(c, &f->type) && cursor_u8(c, &f->has_fd) &&
	       cursor_u8(c, &zero) && f->has_fd <= 1 && zero == 0 &&
	       cursor_bytes(c, f->len, &f->fields);
}

/* Before any of it is handled: frames fill the packet, and each descriptor has its frame. */
static bool
packet_sound(const struct packet *p)
{
	struct cursor c = cursor_over(span_of(p->octets, p->len));
	struct frame f;
	size_t fds = 0;

	while (c.left > 0) {
		if (!frame_next(&c, &f))
			return false;
		fds += f.has_fd;
	}
	return fds == p->fd_count;
}

/* Returns: NULL or why the link must close. In: fd, that of the frame; *fd is -1 for none. */
static const char *
frame_handle(struct link *l, const struct frame *f, int *fd)
{
	const struct msg_info *info = msg_info(f->type);
	union msg m;

	if (info == NULL || (info->senders & BY(l->role->peer)) == 0 ||
	    (info->receivers & BY(l->role->self)) == 0)
		return "not-allowed";
	if ((info->fd == NO_FD && f->has_fd) || (info->fd == FD && !f->has_fd))
		return "descriptor";
	if (!msg_decode(info->type, f->fields, &m))
		return info->name;
	return message_handle(l, info->type, &m, fd);
}

static void
packet_handle(struct link *l, struct packet *p)
{
	struct cursor c = cursor_over(span_of(p->octets, p->len));
	const char *wrong = packet_sound(p) ? NULL : "frame";
	struct frame f;
	size_t fd_at = 0;
	int none = -1;

	while (wrong == NULL && l->fd >= 0 && frame_next(&c, &f))
		wrong = frame_handle(l, &f, f.has_fd ? &p->fds[fd_at++] : &none);
	if (wrong != NULL && l->fd >= 0)
		link_violation(l, wrong);
}

/* Reads and handles one packet. Returns: what came; l may be freed when l->depth was 0. */
static enum received
link_read(struct link *l)
{
	struct packet *p = read_buffer_take();
	enum received what = RECEIVED_NOTHING;

	if (p == NULL)
		return what; /* level-triggered: tried again in the next turn */
	what = packet_receive(l->fd, p);
	if (what == RECEIVED)
		packet_handle(l, p);
	else if (what == RECEIVED_BAD)
		link_violation(l, cut);
	else if (what == RECEIVED_END)
		link_break(l);
	read_buffer_give(p);
	return what;
}

/* One packet a time: the watch is level-triggered, and to look for another in vain costs as much. */
static void
on_readable(void *arg, unsigned events)
{
	struct link *l = arg;

	(void)events;
	l->depth++;
	link_read(l);
	l->depth--;
	if (l->freed && l->depth == 0)
		link_release(l);
}

int
link_wait(struct link *l, int timeout_ms)
{
	struct pollfd pfd = {.events = POLLIN};
	enum received what;
	int ready;
	bool alive;

	if (l->fd < 0)
		return -1;
	/* On a brief link hello goes with the first thing that there is to say. */
	if (l->greeted || !l->role->brief)
		link_flush(l);
	pfd.fd = l->fd;
	if (l->fd < 0)
		return -1;
	do
		ready = poll(&pfd, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return 0;
	l->depth++;
	what = link_read(l);
	l->depth--;
	alive = l->fd >= 0;
	if (l->freed && l->depth == 0)
		link_release(l);
	if (!alive)
		return -1;
	return what == RECEIVED ? 1 : 0;
}

struct link *
link_new(struct loop *loop, int fd, const struct link_role *role, void *ctx)
{
	struct msg_hello hello = {catalogue_digest(), (uint8_t)role->self};
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		close(fd);
		return NULL;
	}
	l->loop = loop;
	l->role = role;
	l->ctx = ctx;
	l->fd = fd;
	l->flush = (struct deferred){.fn = on_flush, .arg = l};
	l->lost = (struct deferred){.fn = on_lost, .arg = l};
	if ((loop != NULL && watch_start(loop, &l->reader, fd, WATCH_READ, on_readable, l) != 0) ||
	    !link_send(l, MSG_hello, &hello, -1)) {
		link_release(l);
		return NULL;
	}
	return l;
}
