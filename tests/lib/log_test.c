#include "lib/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2];

static int
open_pipe(void **state)
{
	(void)state;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	log_init(pipe_fds[1]);
	return 0;
}

static int
close_pipe(void **state)
{
	(void)state;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static const char *
logged(void)
{
	static char text[256 * 1024];
	ssize_t n;

	log_flush();
	n = read(pipe_fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *
line_with(struct span value)
{
	struct log_line l;

	log_begin(&l, EVENT_fatal);
	log_span(&l, "what", value);
	log_end(&l);
	return logged();
}

static void
values_are_encoded_once_here(void **state)
{
	(void)state;
	assert_string_equal(
	    line_with(SPAN("plain-value:1")), "<3>event=fatal what=plain-value:1\n");
	assert_string_equal(line_with(SPAN("")), "<3>event=fatal what=\"\"\n");
	assert_string_equal(line_with(SPAN("two words")), "<3>event=fatal what=\"two words\"\n");
	assert_string_equal(line_with(SPAN("a\"b\\c")), "<3>event=fatal what=\"a\\x22b\\x5cc\"\n");
}

static void
row_114_no_octet_becomes_syntax(void **state)
{
	(void)state;
	assert_string_equal(line_with(SPAN("\"a\\\" status=accepted rcpt=<x> b\"@c.example")),
	    "<3>event=fatal what=\"\\x22a\\x5c\\x22 status=accepted rcpt=<x> b\\x22@c.example\"\n");
	assert_string_equal(line_with(SPAN("x\r\nevent=forged \x1b]0;t\x07\xff\0")),
	    "<3>event=fatal what=\"x\\x0d\\x0aevent=forged \\x1b]0;t\\x07\\xff\\x00\"\n");
}

static void
every_octet_gives_one_line(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t octet = (uint8_t)c;
		const char *text = line_with(span_of(&octet, 1));
		size_t len = strlen(text);

		assert_true(strchr(text, '\n') == text + len - 1);
		for (size_t i = 0; i < len - 1; i++)
			assert_true(text[i] >= ' ' && text[i] < 0x7f);
	}
}

static void
a_long_line_is_cut_and_whole(void **state)
{
	static char big[5000];
	struct log_line l;
	const char *text;

	(void)state;
	memset(big, 'x', sizeof(big));
	text = line_with(span_of(big, sizeof(big)));
	assert_true(strlen(text) <= LOG_LINE_MAX + 1);
	log_begin(&l, EVENT_fatal);
	for (int i = 0; i < 100; i++)
		log_span(&l, "key", span_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10));
	log_end(&l);
	text = logged();
	assert_true(strlen(text) <= LOG_LINE_MAX + 1);
	assert_non_null(strstr(text, "...\"\n"));
	assert_true(strchr(text, '\n') == text + strlen(text) - 1);
}

static void
row_298_a_full_pipe_drops_and_counts(void **state)
{
	struct log_line l;
	uint64_t before = log_dropped();

	(void)state;
	for (int i = 0; i < 20000; i++)
		log_event1(EVENT_fatal, "what", "filling the pipe until it takes no more of it");
	log_flush();
	assert_true(log_dropped() > before);
	while (logged()[0] != '\0')
		continue;
	log_begin(&l, EVENT_fatal);
	log_u64(&l, "n", UINT64_MAX);
	log_end(&l);
	assert_non_null(strstr(logged(), "n=18446744073709551615\n"));
}

static void
row_314_what_clients_cause_is_limited_and_counted(void **state)
{
	unsigned connects = 0;

	(void)state;
	while (logged()[0] != '\0')
		continue;
	log_limit(10);
	for (int i = 0; i < 1000; i++)
		log_event1(EVENT_connect, "client", "192.0.2.1");
	log_event1(EVENT_transaction, "id", "x");
	for (const char *at = strstr(logged(), "event=connect"); at != NULL;
	     at = strstr(at + 1, "event=connect"))
		connects++;
	/* Five seconds' worth, and what a slow machine earned meanwhile. */
	assert_in_range(connects, 50, 60);
	log_event1(EVENT_transaction, "id", "y");
	log_limit(0);
	assert_non_null(strstr(logged(), "event=transaction id=y"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_encoded_once_here),
	    cmocka_unit_test(row_114_no_octet_becomes_syntax),
	    cmocka_unit_test(every_octet_gives_one_line),
	    cmocka_unit_test(a_long_line_is_cut_and_whole),
	    cmocka_unit_test(row_314_what_clients_cause_is_limited_and_counted),
	    cmocka_unit_test(row_298_a_full_pipe_drops_and_counts),
	};

	return cmocka_run_group_tests(tests, open_pipe, close_pipe);
}
