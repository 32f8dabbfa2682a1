/*
 * A place for jobs: real jobs over real loopback sockets against scripted back ends, all in one
 * loop, with the test as smtpd.
 */
#ifndef TESTS_QUEUE_HANDOFF_HANDOFF_PLACE_H
#define TESTS_QUEUE_HANDOFF_HANDOFF_PLACE_H

#include "queue-handoff/handoff.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "queue-handoff/job.h"
#include "tests/queue-handoff/fake_backend.h"

enum { NOTHING = -1, OWNERS = 4000 };

enum commit { COMMIT_GO, COMMIT_NO, COMMIT_NEVER, COMMIT_AFTER_EARLY, COMMIT_WORKER_LOST };

struct place {
	struct loop *loop;
	struct fake *fakes[3];
	struct backends backends;
	struct handoff_port port;
	struct handoff *handoff;
	enum commit commit;
	unsigned protocol;
	unsigned recalls;
	bool recalled_for_good;
	char recalled[101];
	void (*run)(
	    struct place *p, int fd); /* the local program; NULL: there is nobody to run it */
	bool asked[OWNERS];
	int outcome[OWNERS]; /* enum handoff_outcome or NOTHING, by transaction */
	unsigned told;
	bool deaf; /* smtpd cannot be asked */
	uint64_t transaction;
	uint8_t list[512];
	struct msg_list recipients;
};

static inline bool
port_ask(void *ctx, const struct handoff_owner *owner)
{
	struct place *p = ctx;

	p->asked[owner->transaction] = true;
	return !p->deaf;
}

static inline bool
port_run(void *ctx, int fd)
{
	struct place *p = ctx;

	if (p->run == NULL) {
		close(fd);
		return false;
	}
	p->run(p, fd);
	return true;
}

static inline void
port_recall(
    void *ctx, struct span sender, struct span recipient, uint64_t declared_size, bool for_good)
{
	struct place *p = ctx;

	(void)sender;
	(void)declared_size;
	assert_in_range(recipient.len, 1, 100);
	p->recalls++;
	p->recalled_for_good = for_good;
	memcpy(p->recalled, recipient.p, recipient.len);
	p->recalled[recipient.len] = '\0';
}

static inline void
port_tell(void *ctx, const struct handoff_owner *owner, enum handoff_outcome outcome)
{
	struct place *p = ctx;

	assert_int_equal(p->outcome[owner->transaction], NOTHING);
	p->outcome[owner->transaction] = (int)outcome;
	p->told++;
}

/* The servers of these tests have IPv4 addresses. */
static inline struct sockaddr_in *
server_in(struct server *s)
{
	return (struct sockaddr_in *)(void *)&s->address;
}

static inline void
group_set(struct place *p, unsigned servers)
{
	struct group *g = &p->backends.groups[0];

	*g = (struct group){.title = "test",
	    .protocol = protocol_get(p->protocol),
	    .count = servers,
	    .connect_ms = 200,
	    .write_ms = 200,
	    .reply_ms = 200};
	for (unsigned i = 0; i < servers; i++) {
		g->servers[i].name = "fake";
		*server_in(&g->servers[i]) = p->fakes[i]->address;
		g->servers[i].address_len = sizeof(struct sockaddr_in);
	}
}

static inline int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct msg_granted g = {.recipient = SPAN("u@r.example")};
	struct buf b = BUF_OVER(p->list);

	p->loop = loop_new();
	for (unsigned i = 0; i < 3; i++)
		p->fakes[i] = fake_new(p->loop);
	p->backends.count = 1;
	group_set(p, 1);
	p->port = (struct handoff_port){p, port_ask, port_run, port_recall, port_tell};
	p->handoff = handoff_new(p->loop, &p->port, SPAN("mx.our.example"), HANDOFF_JOBS);
	msg_list_put(&b, RECORD_granted, &g);
	p->recipients = (struct msg_list){buf_span(&b), 1};
	for (size_t i = 0; i < OWNERS; i++)
		p->outcome[i] = NOTHING;
	*state = p;
	return 0;
}

static inline int
teardown(void **state)
{
	struct place *p = *state;

	handoff_free(&p->handoff);
	for (unsigned i = 0; i < 3; i++)
		fake_free(p->fakes[i]);
	loop_free(&p->loop);
	free(p);
	return 0;
}

static inline struct handoff_request
request(struct place *p, struct span content)
{
	return (struct handoff_request){
	    .owner = {1, 77, ++p->transaction},
	    .id = SPAN("TESTTESTTEST"),
	    .group = &p->backends.groups[0],
	    .parts =
		{
		    .ours = SPAN("Received: by test\n"),
		    .content = content,
		    .sender = SPAN("s@t.example"),
		    .recipients = p->recipients,
		},
	    .content_fd = -1,
	    .budget_ms = 1000,
	};
}

static inline void
answer_question(struct place *p, const struct handoff_owner *owner)
{
	if (!p->asked[owner->transaction])
		return;
	if (p->commit == COMMIT_NEVER ||
	    (p->commit == COMMIT_AFTER_EARLY && !p->fakes[0]->said_early))
		return;
	p->asked[owner->transaction] = false;
	if (p->commit == COMMIT_WORKER_LOST)
		handoff_worker_lost(p->handoff, owner->worker);
	else
		handoff_commit(p->handoff, owner, p->commit != COMMIT_NO);
}

/* Runs one job to its end. Returns: its outcome, or NOTHING when it ended without one. */
static inline int
run(struct place *p, struct handoff_request r)
{
	assert_true(handoff_start(p->handoff, &r));
	while (handoff_running(p->handoff) > 0) {
		answer_question(p, &r.owner);
		if (handoff_running(p->handoff) > 0)
			loop_turn(p->loop, true);
	}
	return p->outcome[r.owner.transaction];
}

static inline int
run_small(struct place *p)
{
	return run(p, request(p, SPAN("Subject: x\n\nhello\n")));
}

static const char package[] =
    "70:36:Received: by test\nSubject: x\n\nhello\n,11:s@t.example,11:u@r.example,,";

enum { PACKAGE_LEN = sizeof(package) - 1 };

static inline int
big_file(size_t size)
{
	int fd = memfd_create("content", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t *octets = malloc(size);

	for (size_t i = 0; i < size; i++)
		octets[i] = i % 61 == 60 ? '\n' : (uint8_t)('a' + i % 23);
	assert_int_equal(write(fd, octets, size), (ssize_t)size);
	free(octets);
	return fd;
}

static inline struct handoff_request
request_file(struct place *p, size_t size, uint64_t from)
{
	struct handoff_request r = request(p, SPAN(""));

	r.content_fd = big_file(size);
	r.file_from = from;
	r.parts.file_len = size - from;
	return r;
}

/* A listener whose queue is full. Out: *address_out, fill, 8 connections. */
static inline int
full_listener(struct sockaddr_in *address_out, int *fill)
{
	socklen_t len = sizeof(*address_out);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*address_out =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)address_out, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	getsockname(fd, (struct sockaddr *)address_out, &len);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fill[i], (struct sockaddr *)address_out, len);
	}
	return fd;
}

static inline void
turns(struct place *p, int n)
{
	while (n-- > 0)
		loop_turn(p->loop, false);
}

/* As program_begin() has it, since sendfile knows no MSG_NOSIGNAL; and log lines only when
 * somebody wants to see them. */
static inline void
process_begin(void)
{
	struct rlimit files;

	/* Both ends of a thousand connections are in this process. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	log_init(getenv("TEST_LOG") != NULL ? STDERR_FILENO : open("/dev/null", O_WRONLY));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
