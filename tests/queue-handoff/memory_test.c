/* What was taken and not heard: repeats and the messages of a short while ago. */
#include "queue-handoff/recent.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue-handoff/parts.h"

static const struct span sender = {(const uint8_t *)"s@t", 3};
static const struct span one = {(const uint8_t *)"one@r", 5}, two = {(const uint8_t *)"two@r", 5};

static struct repeat_content
memory_content(const char *text)
{
	return (struct repeat_content){.memory = span_str(text), .fd = -1};
}

static void
only_the_same_message(void **state)
{
	struct repeats *r = repeats_new(1000);
	struct repeat_content content = memory_content("hello\n"),
			      other = memory_content("hello\n\n");
	uint8_t digest[DIGEST_LEN], another[DIGEST_LEN];

	(void)state;
	assert_false(repeats_any(r, 0));
	assert_true(repeats_digest(r, &content, digest));
	assert_true(repeats_digest(r, &other, another));
	repeats_record(r, sender, one, digest, 5000);
	assert_true(repeats_any(r, 5999));
	assert_true(repeats_suspects(r, sender, one, 5999));
	assert_true(repeats_knows(r, sender, one, digest, 5999));
	assert_false(repeats_knows(r, sender, one, another, 5999));
	assert_false(repeats_knows(r, sender, two, digest, 5999));
	assert_false(repeats_knows(r, SPAN(""), one, digest, 5999));
	/* "s@t" + "one@r" are not "s@to" + "ne@r". */
	assert_false(repeats_suspects(r, SPAN("s@to"), SPAN("ne@r"), 5999));
	assert_false(repeats_knows(r, sender, one, digest, 6000));
	assert_false(repeats_any(r, 6000));
	repeats_free(&r);
}

/* In memory or in a file, the content is the same. */
static void
content_of_a_file(void **state)
{
	struct repeats *r = repeats_new(1000);
	size_t size = 200000;
	char *text = malloc(size + 1);
	int fd = memfd_create("content", MFD_CLOEXEC);
	struct repeat_content whole, split, cut;
	uint8_t a[DIGEST_LEN], b[DIGEST_LEN];

	(void)state;
	memset(text, 'x', size);
	text[size] = '\0';
	text[777] = 'y';
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	whole = memory_content(text);
	split = (struct repeat_content){span_of(text, 1000), fd, 1000, size - 1000};
	cut = (struct repeat_content){span_of(text, 1000), fd, 1000, size};
	assert_true(repeats_digest(r, &whole, a));
	assert_true(repeats_digest(r, &split, b));
	assert_memory_equal(a, b, DIGEST_LEN);
	assert_false(repeats_digest(r, &cut, b)); /* there is no more */
	close(fd);
	free(text);
	repeats_free(&r);
}

/* However many come, the newest are known. */
static void
bounded(void **state)
{
	struct repeats *r = repeats_new(1000000);
	uint8_t digest[DIGEST_LEN] = {1};
	char address[40];
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(address, sizeof(address), "u%u@r", i);
		repeats_record(r, sender, span_str(address), digest, i + 1);
		assert_true(repeats_knows(r, sender, span_str(address), digest, i + 2));
	}
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(address, sizeof(address), "u%u@r", i);
		known += repeats_knows(r, sender, span_str(address), digest, 200000);
	}
	assert_in_range(known, 1000, REPEATS_SETS * REPEATS_WAYS);
	repeats_free(&r);
}

/* ---- recent ---- */

static const struct handoff_owner nobody = {9, 9, 9};

static struct handoff_owner
owner(uint64_t transaction)
{
	return (struct handoff_owner){1, 77, transaction};
}

static int
open_files(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* A message that was taken; its memory holds envelope and content. In: file_len, octets of a file. */
static void
taken(struct recent *r, uint64_t transaction, size_t len, size_t file_len, uint64_t now_ms)
{
	size_t size = 40 + len;
	uint8_t *memory = malloc(size);
	struct buf b = buf_over(memory, size);
	struct repeat_content content = {.fd = -1, .file_len = file_len};
	struct handoff_owner who = owner(transaction);
	size_t envelope;

	buf_put_u16(&b, 3);
	buf_put_span(&b, sender);
	buf_put_u16(&b, 5);
	buf_put_span(&b, one);
	buf_put_u16(&b, 5);
	buf_put_span(&b, two);
	envelope = b.len;
	memset(memory + envelope, 'a' + (int)(transaction % 26), len);
	content.memory = span_of(memory + envelope, len);
	if (file_len > 0) {
		content.fd = memfd_create("content", MFD_CLOEXEC);
		assert_int_equal(ftruncate(content.fd, (off_t)file_len), 0);
	}
	recent_keep(r, &who, memory, size, span_of(memory, envelope), &content, now_ms);
}

static bool
known(struct repeats *p, uint64_t transaction, size_t len, uint64_t now_ms)
{
	char text[100];
	struct repeat_content content = {.memory = span_of(text, len), .fd = -1};
	uint8_t digest[DIGEST_LEN];

	memset(text, 'a' + (int)(transaction % 26), len);
	assert_true(repeats_digest(p, &content, digest));
	assert_int_equal(repeats_knows(p, sender, one, digest, now_ms),
	    repeats_knows(p, sender, two, digest, now_ms));
	return repeats_knows(p, sender, one, digest, now_ms);
}

static void
recorded_when_unheard(void **state)
{
	struct repeats *p = repeats_new(100000);
	struct recent *r = recent_new(p);
	struct handoff_owner who;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		taken(r, i, 50, 0, 1000 + i);
	assert_false(recent_undelivered(r, &nobody, 2000));
	who = owner(3);
	assert_true(recent_undelivered(r, &who, 2000));
	assert_false(recent_undelivered(r, &who, 2000)); /* once */
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(known(p, i, 50, 2000), i == 3);
	/* Of a worker that has died everything of the last moments. */
	recent_worker_lost(r, 2, 2000);
	assert_false(known(p, 1, 50, 2000));
	recent_worker_lost(r, 1, 2000);
	assert_true(known(p, 1, 50, 2000));
	recent_free(&r);
	repeats_free(&p);
}

static void
recent_is_bounded(void **state)
{
	struct repeats *p = repeats_new(100000);
	struct recent *r = recent_new(p);
	int before = open_files();
	struct handoff_owner who = owner(0);

	(void)state;
	for (uint64_t i = 0; i < RECENT_MOST + 1; i++)
		taken(r, i, 10, 0, 1000);
	assert_false(recent_undelivered(r, &who, 1000));
	for (uint64_t i = 0; i < 3 * RECENT_FILES; i++)
		taken(r, i, 10, 1000, 1000);
	assert_in_range(open_files(), before, before + RECENT_FILES + 1);
	taken(r, 1, 10, RECENT_OCTETS + 1, 1000); /* too large to be kept at all */
	who = owner(1);
	assert_false(recent_undelivered(r, &who, 1000));
	for (uint64_t i = 0; i < 100; i++)
		taken(r, i, 1024 * 1024, 0, 1000);
	who = owner(10);
	assert_false(recent_undelivered(r, &who, 1000));
	who = owner(99);
	assert_true(recent_undelivered(r, &who, 1000));
	/* Time passes. */
	taken(r, 500, 10, 0, 1000 + RECENT_MS + 1);
	who = owner(98);
	assert_false(recent_undelivered(r, &who, 1000 + RECENT_MS + 1));
	assert_in_range(open_files(), 0, before + 1);
	recent_free(&r);
	repeats_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_same_message),
	    cmocka_unit_test(content_of_a_file),
	    cmocka_unit_test(bounded),
	    cmocka_unit_test(recorded_when_unheard),
	    cmocka_unit_test(recent_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
