/* The server over loopback, into a Maildir under a temporary directory. */
#include "backend/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/maildir.h"
#include "lib/loop.h"
#include "lib/netstring.h"

struct place {
	char top[64], path[80];
	struct loop *loop;
	struct sockaddr_in address;
	struct maildir *maildir;
	struct server *server;
};

static void
serve(struct place *p, struct server_options options)
{
	socklen_t len = sizeof(p->address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	p->address =
	    (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)&p->address, len), 0);
	assert_int_equal(listen(fd, 300), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&p->address, &len), 0);
	server_free(&p->server);
	p->server = server_new(p->loop, fd, &options);
	assert_non_null(p->server);
}

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	snprintf(p->top, sizeof(p->top), "%.40s/maildirXXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->path, sizeof(p->path), "%s/M", p->top);
	p->loop = loop_new();
	p->maildir = maildir_open(p->path);
	assert_non_null(p->maildir);
	serve(p, (struct server_options){p->maildir, 1000000, 50});
	*state = p;
	return 0;
}

enum { NAME_MAX_LEN = 400 };

/* Files in a part of the Maildir. Out: name_out, of the last one; NAME_MAX_LEN octets. */
static unsigned
files(const struct place *p, const char *part, char *name_out)
{
	char path[100];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", p->path, part);
	d = opendir(path);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (name_out != NULL)
			snprintf(name_out, NAME_MAX_LEN, "%s/%s", path, e->d_name);
		n++;
	}
	closedir(d);
	return n;
}

static void
empty(const struct place *p, const char *part)
{
	char name[NAME_MAX_LEN];

	while (files(p, part, name) > 0)
		assert_int_equal(unlink(name), 0);
}

static int
teardown(void **state)
{
	struct place *p = *state;
	static const char *const parts[] = {"new", "cur", "tmp"};
	char path[100];

	server_free(&p->server);
	maildir_close(&p->maildir);
	loop_free(&p->loop);
	for (size_t i = 0; i < 3; i++) {
		chmod(p->path, 0700);
		empty(p, parts[i]);
		snprintf(path, sizeof(path), "%s/%s", p->path, parts[i]);
		rmdir(path);
	}
	rmdir(p->path);
	rmdir(p->top);
	free(p);
	return 0;
}

/* ---- a client ---- */

static int
client(struct place *p)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&p->address, sizeof(p->address)), 0);
	return fd;
}

static void
turns(struct place *p)
{
	for (int i = 0; i < 4; i++)
		loop_turn(p->loop, false);
}

/* Sends in pieces, reads the answer. Returns: it, NUL-terminated; empty when there is none. */
static const char *
converse(struct place *p, struct span octets, size_t step)
{
	static char answer[400];
	int fd = client(p);
	ssize_t n;

	while (octets.len > 0) {
		size_t part = octets.len < step ? octets.len : step;

		if (send(fd, octets.p, part, MSG_NOSIGNAL) < 0)
			break;
		octets = span_from(octets, part);
		turns(p);
	}
	shutdown(fd, SHUT_WR);
	turns(p);
	n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
	answer[n > 0 ? n : 0] = '\0';
	close(fd);
	return answer;
}

static struct span
package(struct buf *b, struct span content, struct span sender, struct span recipient)
{
	netstring_put_head(b, netstring_size(content.len) + netstring_size(sender.len) +
				  2 * netstring_size(recipient.len));
	netstring_put(b, content);
	netstring_put(b, sender);
	netstring_put(b, recipient);
	netstring_put(b, recipient);
	buf_put_u8(b, ',');
	assert_false(b->full);
	return buf_span(b);
}

static bool
begins(const char *s, const char *with)
{
	return strncmp(strchr(s, ':') != NULL ? strchr(s, ':') + 1 : s, with, strlen(with)) == 0;
}

static void
expect_file(const char *name, struct span want)
{
	uint8_t *got = malloc(want.len + 1);
	int fd = open(name, O_RDONLY);

	assert_int_equal(read(fd, got, want.len + 1), (ssize_t)want.len);
	assert_memory_equal(got, want.p, want.len);
	close(fd);
	free(got);
}

static void
delivers(void **state)
{
	static const size_t steps[] = {1, 7, 1000};
	struct place *p = *state;
	uint8_t room[300];
	char name[NAME_MAX_LEN];

	for (size_t i = 0; i < 3; i++) {
		struct buf b = BUF_OVER(room);
		struct span octets =
		    package(&b, SPAN("Subject: x\n\nhi\n"), SPAN("s@t"), SPAN("r@u"));

		assert_true(begins(converse(p, octets, steps[i]), "Kdelivered as "));
		assert_int_equal(files(p, "new", name), 1);
		expect_file(name, SPAN("Return-Path: <s@t>\nX-Original-To: r@u\nX-Original-To: "
		                       "r@u\nSubject: x\n\nhi\n"));
		empty(p, "new");
	}
	assert_int_equal(files(p, "tmp", NULL), 0);
}

static void
large_message(void **state)
{
	struct place *p = *state;
	uint8_t *content = malloc(900000), *room = malloc(1000000), *want = malloc(1000000);
	struct buf b = buf_over(room, 1000000), w = buf_over(want, 1000000);
	char name[NAME_MAX_LEN];

	for (size_t i = 0; i < 900000; i++)
		content[i] = (uint8_t)(i * 7);
	package(&b, span_of(content, 900000), SPAN(""), SPAN("r@u"));
	assert_true(begins(converse(p, buf_span(&b), 50000), "Kdelivered as "));
	buf_put_str(&w, "Return-Path: <>\nX-Original-To: r@u\nX-Original-To: r@u\n");
	buf_put_span(&w, span_of(content, 900000));
	assert_int_equal(files(p, "new", name), 1);
	expect_file(name, buf_span(&w));
	assert_int_equal(files(p, "tmp", NULL), 0);
	free(content);
	free(room);
	free(want);
}

/* Nothing is delivered unless the very last octet has come. */
static void
cut_at_every_octet(void **state)
{
	struct place *p = *state;
	uint8_t room[300];
	struct buf b = BUF_OVER(room);
	struct span octets = package(&b, SPAN("Subject: x\n\nhi\n"), SPAN("s@t"), SPAN("r@u"));

	for (size_t n = 0; n < octets.len; n++) {
		assert_string_equal(converse(p, span_head(octets, n), 1000), "");
		assert_int_equal(files(p, "new", NULL) + files(p, "tmp", NULL), 0);
	}
}

static void
refuses(void **state)
{
	static const struct {
		struct span content, sender, recipient;
		const char *answer;
	} rows[] = {
	    {{(const uint8_t *)"x\n", 2}, {(const uint8_t *)"s\n@t", 4}, {(const uint8_t *)"r", 1},
		"Dsorry"},
	    {{(const uint8_t *)"x\n", 2}, {(const uint8_t *)"s", 1}, {(const uint8_t *)"r\0", 2},
		"Dsorry"},
	    {{(const uint8_t *)"x\n", 2}, {(const uint8_t *)"s", 1}, {NULL, 0}, "Dsorry"},
	};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t room[300];
		struct buf b = BUF_OVER(room);

		package(&b, rows[i].content, rows[i].sender, rows[i].recipient);
		assert_true(begins(converse(p, buf_span(&b), 5), rows[i].answer));
	}
	assert_int_equal(files(p, "new", NULL), 0);
}

static void
message_too_large(void **state)
{
	struct place *p = *state;
	uint8_t room[300];
	struct buf b = BUF_OVER(room);

	serve(p, (struct server_options){p->maildir, 14, 50});
	package(&b, SPAN("Subject: x\n\nhi\n"), SPAN("s@t"), SPAN("r@u"));
	assert_true(begins(converse(p, buf_span(&b), 5), "Dmessage too large"));
	assert_int_equal(files(p, "new", NULL) + files(p, "tmp", NULL), 0);
}

static void
discards(void **state)
{
	struct place *p = *state;
	uint8_t room[300];
	struct buf b = BUF_OVER(room);

	serve(p, (struct server_options){NULL, 1000, 50});
	package(&b, SPAN("Subject: x\n\nhi\n"), SPAN("s@t"), SPAN("r@u"));
	assert_true(begins(converse(p, buf_span(&b), 5), "Kdiscarded"));
	assert_int_equal(files(p, "new", NULL), 0);
}

/* Trouble of its own is Z, and nothing is left behind. */
static void
directory_gone(void **state)
{
	struct place *p = *state;
	uint8_t room[300];
	struct buf b = BUF_OVER(room);
	char path[100];

	snprintf(path, sizeof(path), "%s/new", p->path);
	assert_int_equal(rmdir(path), 0);
	package(&b, SPAN("Subject: x\n\nhi\n"), SPAN("s@t"), SPAN("r@u"));
	assert_true(begins(converse(p, buf_span(&b), 1000), "Zcannot write"));
	assert_int_equal(files(p, "tmp", NULL), 0);
}

static void
idle_connection_is_closed(void **state)
{
	struct place *p = *state;
	int fd = client(p);
	char c;

	assert_int_equal(send(fd, "18:", 3, 0), 3);
	turns(p);
	loop_turn(p->loop, true); /* the timer */
	while (recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
		loop_turn(p->loop, true);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void
many_connections(void **state)
{
	struct place *p = *state;
	uint8_t room[300];
	struct buf b = BUF_OVER(room);
	struct span octets = package(&b, SPAN("Subject: x\n\nhi\n"), SPAN("s@t"), SPAN("r@u"));
	int fds[200];

	serve(p, (struct server_options){p->maildir, 1000, 60000});
	for (size_t at = 0; at < octets.len; at++) {
		for (size_t i = 0; i < 200; i++) {
			if (at == 0)
				fds[i] = client(p);
			assert_int_equal(send(fds[i], octets.p + at, 1, 0), 1);
		}
		turns(p);
	}
	for (int i = 0; i < 400; i++)
		loop_turn(p->loop, false);
	for (size_t i = 0; i < 200; i++) {
		char answer[100];

		assert_true(recv(fds[i], answer, sizeof(answer), MSG_DONTWAIT) > 0);
		close(fds[i]);
	}
	assert_int_equal(files(p, "new", NULL), 200);
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLACED(delivers),
	    PLACED(large_message),
	    PLACED(cut_at_every_octet),
	    PLACED(refuses),
	    PLACED(message_too_large),
	    PLACED(discards),
	    PLACED(directory_gone),
	    PLACED(idle_connection_is_closed),
	    PLACED(many_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
