#include "lib/link.h"
#include "lib/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The end under test plays queue-handoff; the other end is smtpd, or raw octets. */
struct end {
	struct loop *loop;
	struct link *link;
	unsigned handled, lost;
	uint64_t last_session;
	int kept_fd;
	bool free_in_handler;
};

static void
on_commit_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct end *e = ctx;

	(void)link;
	(void)fd;
	e->handled++;
	e->last_session = m->commit_answer.session;
	if (e->free_in_handler)
		link_free(&e->link);
}

static void
on_commit_ask(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct end *e = ctx;
	struct msg_commit_answer answer = {m->commit_ask.session, m->commit_ask.transaction, 1};

	(void)fd;
	e->handled++;
	link_send(link, MSG_commit_answer, &answer, -1);
}

static void
on_tls_start(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct end *e = ctx;

	(void)link;
	e->handled++;
	e->last_session = m->tls_start.session;
	e->kept_fd = *fd;
	*fd = -1;
}

static void
on_lost(void *ctx, struct link *link)
{
	struct end *e = ctx;

	(void)link;
	e->lost++;
}

static const struct link_handler handoff_handlers[] = {{MSG_commit_answer, on_commit_answer}};
static const struct link_handler smtpd_handlers[] = {{MSG_commit_ask, on_commit_ask}};
static const struct link_handler tlsd_handlers[] = {{MSG_tls_start, on_tls_start}};

static const struct link_role handoff_role = {
    .self = PROGRAM_QUEUE_HANDOFF,
    .peer = PROGRAM_SMTPD,
    .handlers = handoff_handlers,
    .handler_count = 1,
    .on_lost = on_lost,
};
static const struct link_role smtpd_role = {
    .self = PROGRAM_SMTPD,
    .peer = PROGRAM_QUEUE_HANDOFF,
    .handlers = smtpd_handlers,
    .handler_count = 1,
    .on_lost = on_lost,
};
static const struct link_role smtpd_tls_role = {
    .self = PROGRAM_SMTPD, .peer = PROGRAM_TLSD, .on_lost = on_lost};
static const struct link_role tlsd_role = {
    .self = PROGRAM_TLSD,
    .peer = PROGRAM_SMTPD,
    .handlers = tlsd_handlers,
    .handler_count = 1,
    .on_lost = on_lost,
};

struct pair {
	struct loop *loop;
	struct end a, b; /* a: handoff (or tlsd), b: smtpd */
};

static void
pair_open(struct pair *p, const struct link_role *a, const struct link_role *b)
{
	int fds[2];

	memset(p, 0, sizeof(*p));
	p->a.kept_fd = p->b.kept_fd = -1;
	p->loop = loop_new();
	assert_non_null(p->loop);
	assert_int_equal(link_pair(fds), 0);
	p->a.link = link_new(p->loop, fds[0], a, &p->a);
	p->b.link = link_new(p->loop, fds[1], b, &p->b);
	assert_non_null(p->a.link);
	assert_non_null(p->b.link);
}

static void
turns(struct loop *loop, unsigned n)
{
	while (n-- > 0)
		loop_turn(loop, false);
}

static void
pair_close(struct pair *p)
{
	link_free(&p->a.link);
	link_free(&p->b.link);
	loop_free(&p->loop);
}

static void
a_question_is_answered(void **state)
{
	struct msg_commit_ask ask = {42, 1};
	struct pair p;

	(void)state;
	pair_open(&p, &handoff_role, &smtpd_role);
	assert_true(link_send(p.a.link, MSG_commit_ask, &ask, -1));
	turns(p.loop, 6);
	assert_int_equal(p.b.handled, 1);
	assert_int_equal(p.a.handled, 1);
	assert_int_equal(p.a.last_session, 42);
	pair_close(&p);
}

static void
thousands_of_messages_arrive_in_order_and_once(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, &handoff_role, &smtpd_role);
	for (unsigned i = 0; i < 20000; i++) {
		struct msg_commit_ask ask = {i, i};

		assert_true(link_send(p.a.link, MSG_commit_ask, &ask, -1));
	}
	turns(p.loop, 400);
	assert_int_equal(p.b.handled, 20000);
	assert_int_equal(p.a.handled, 20000);
	assert_int_equal(p.a.last_session, 19999);
	assert_int_equal(link_backlog(p.a.link), 0);
	pair_close(&p);
}

static void
descriptors_arrive_with_their_messages(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p, &tlsd_role, &smtpd_tls_role);
	for (unsigned i = 0; i < 100; i++) {
		struct msg_tls_start start = {i};
		int fd = memfd_create("t", MFD_CLOEXEC);

		assert_int_equal(pwrite(fd, &i, sizeof(i), 0), sizeof(i));
		assert_true(link_send(p.b.link, MSG_tls_start, &start, fd));
		if (i % 10 != 9)
			continue;
		turns(p.loop, 4);
		assert_int_equal(p.a.handled, i + 1);
		unsigned content = 0;
		assert_int_equal(pread(p.a.kept_fd, &content, sizeof(content), 0), sizeof(content));
		assert_int_equal(content, p.a.last_session);
	}
	/* All but the ones that the handler kept are closed again; the test kept 100. */
	pair_close(&p);
}

static void
a_full_queue_refuses_and_does_not_grow(void **state)
{
	struct msg_commit_ask ask = {1, 1};
	struct pair p;
	unsigned sent = 0;

	(void)state;
	pair_open(&p, &handoff_role, &smtpd_role);
	while (link_send(p.a.link, MSG_commit_ask, &ask, -1))
		sent++;
	assert_true(sent > 1000);
	assert_true(link_backlog(p.a.link) <= LINK_QUEUE_MAX + 1024);
	assert_true(link_alive(p.a.link));
	pair_close(&p);
}

static void
the_end_of_the_peer_is_told_once_from_the_loop(void **state)
{
	struct msg_commit_ask ask = {1, 1};
	struct pair p;

	(void)state;
	pair_open(&p, &handoff_role, &smtpd_role);
	turns(p.loop, 4);
	link_free(&p.b.link);
	turns(p.loop, 4);
	assert_int_equal(p.a.lost, 1);
	assert_false(link_send(p.a.link, MSG_commit_ask, &ask, -1));
	turns(p.loop, 4);
	assert_int_equal(p.a.lost, 1);
	pair_close(&p);
}

static void
a_handler_may_free_its_link(void **state)
{
	struct msg_commit_ask ask = {1, 1};
	struct pair p;

	(void)state;
	pair_open(&p, &handoff_role, &smtpd_role);
	p.a.free_in_handler = true;
	for (int i = 0; i < 10; i++)
		link_send(p.a.link, MSG_commit_ask, &ask, -1);
	turns(p.loop, 6);
	assert_int_equal(p.a.handled, 1);
	assert_int_equal(p.a.lost, 0);
	pair_close(&p);
}

/* ---- row 272: what a hostile peer may send -------------------------------------------------------- */

struct hostile {
	const char *name;
	bool hello; /* a proper hello first */
	bool fd;    /* with a descriptor */
	size_t len;
	const char *octets;
};

#define HEAD(len, type, fd, zero) len "\0\0\0" type "\0" fd zero

static const struct hostile rows[] = {
    {"short frame head", true, false, 3, "\x01\x00\x00"},
    {"length past the end", true, false, 8, HEAD("\x11", "\x25", "\x00", "\x00")},
    {"length of four gigabytes", true, false, 8, "\xff\xff\xff\xff\x25\x00\x00\x00"},
    {"unknown type", true, false, 8, HEAD("\x00", "\x7f", "\x00", "\x00")},
    {"type beyond the table", true, false, 8, "\x00\x00\x00\x00\xff\xff\x00\x00"},
    {"type zero", true, false, 8, HEAD("\x00", "\x00", "\x00", "\x00")},
    {"not what smtpd may say", true, false, 8 + 17,
	HEAD("\x11", "\x26", "\x00", "\x00") "12345678abcdefgh\x01"},
    {"not for us", true, false, 8 + 9, HEAD("\x09", "\x3c", "\x00", "\x00") "12345678\x01"},
    {"bad descriptor flag", true, false, 8 + 17,
	HEAD("\x11", "\x25", "\x02", "\x00") "12345678abcdefgh\x01"},
    {"reserved octet", true, false, 8 + 17,
	HEAD("\x11", "\x25", "\x00", "\x01") "12345678abcdefgh\x01"},
    {"descriptor announced, none sent", true, false, 8 + 17,
	HEAD("\x11", "\x25", "\x01", "\x00") "12345678abcdefgh\x01"},
    {"descriptor sent, none announced", true, true, 8 + 17,
	HEAD("\x11", "\x25", "\x00", "\x00") "12345678abcdefgh\x01"},
    {"value out of bounds", true, false, 8 + 17,
	HEAD("\x11", "\x25", "\x00", "\x00") "12345678abcdefgh\x02"},
    {"fields too short", true, false, 8 + 16,
	HEAD("\x10", "\x25", "\x00", "\x00") "12345678abcdefgh"},
    {"fields too long", true, false, 8 + 18,
	HEAD("\x12", "\x25", "\x00", "\x00") "12345678abcdefgh\x01\x00"},
    {"message before hello", false, false, 8 + 17,
	HEAD("\x11", "\x25", "\x00", "\x00") "12345678abcdefgh\x01"},
    {"hello of another catalogue", false, false, 8 + 9,
	HEAD("\x09", "\x01", "\x00", "\x00") "12345678\x01"},
    {"hello twice", true, false, 8 + 9, HEAD("\x09", "\x01", "\x00", "\x00") "12345678\x01"},
};

static void
send_hello(int fd, enum program_id who)
{
	uint8_t octets[64];
	struct buf b = BUF_OVER(octets);
	struct msg_hello hello = {catalogue_digest(), (uint8_t)who};

	buf_put_u32(&b, 9);
	buf_put_u16(&b, MSG_hello);
	buf_put_u16(&b, 0);
	assert_true(msg_encode(MSG_hello, &hello, &b));
	assert_int_equal(send(fd, b.p, b.len, 0), b.len);
}

static void
send_raw(int fd, const struct hostile *row)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char copy[256];
	struct iovec iov = {copy, row->len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(copy, row->octets, row->len);
	if (row->fd) {
		int zero = STDIN_FILENO;

		memset(&control, 0, sizeof(control));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &zero, sizeof(zero));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.room);
	}
	assert_int_equal(sendmsg(fd, &m, 0), row->len);
}

static int
lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void
row_272_a_hostile_peer_only_loses_its_link(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loop *loop = loop_new();
		struct end e = {.kept_fd = -1};
		uint64_t before = link_violations();
		int fds[2], free_before;

		assert_int_equal(link_pair(fds), 0);
		e.link = link_new(loop, fds[0], &handoff_role, &e);
		if (rows[i].hello)
			send_hello(fds[1], PROGRAM_SMTPD);
		free_before = lowest_free_descriptor();
		send_raw(fds[1], &rows[i]);
		turns(loop, 3);
		if (e.lost != 1 || e.handled != 0 || link_violations() != before + 1)
			fail_msg("row: %s", rows[i].name);
		/* The link's own descriptor is free again, and nothing that came is left open. */
		assert_true(lowest_free_descriptor() <= free_before);
		link_free(&e.link);
		close(fds[1]);
		loop_free(&loop);
	}
}

static void
another_program_at_the_other_end_is_refused(void **state)
{
	struct loop *loop = loop_new();
	struct end e = {.kept_fd = -1};
	int fds[2];

	(void)state;
	assert_int_equal(link_pair(fds), 0);
	e.link = link_new(loop, fds[0], &handoff_role, &e);
	send_hello(fds[1], PROGRAM_TLSD);
	turns(loop, 3);
	assert_int_equal(e.lost, 1);
	link_free(&e.link);
	close(fds[1]);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_question_is_answered),
	    cmocka_unit_test(thousands_of_messages_arrive_in_order_and_once),
	    cmocka_unit_test(descriptors_arrive_with_their_messages),
	    cmocka_unit_test(a_full_queue_refuses_and_does_not_grow),
	    cmocka_unit_test(the_end_of_the_peer_is_told_once_from_the_loop),
	    cmocka_unit_test(a_handler_may_free_its_link),
	    cmocka_unit_test(row_272_a_hostile_peer_only_loses_its_link),
	    cmocka_unit_test(another_program_at_the_other_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
