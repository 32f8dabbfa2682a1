#include "lookupd/compile.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include <cmocka.h>

#include "lookupd/lookup.h"
#include "tests/lookupd/databases.h"

static char dir[] = "/tmp/gatehouse-compile-XXXXXX";
static bool force, require_postmaster;
static const char *conf;
static char output[64], input[64], source[72], messages[65536];

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(output, sizeof(output), "%s/r.cdb", dir);
	snprintf(input, sizeof(input), "%s/list", dir);
	snprintf(source, sizeof(source), "list:%s", input);
	return 0;
}

/* Removes everything from the directory. Returns: how many files there were. */
static unsigned
empty_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned count = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
		count++;
	}
	closedir(d);
	return count;
}

static int
empty_before(void **state)
{
	(void)state;
	empty_dir();
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	empty_dir();
	return rmdir(dir);
}

static void
write_file(const char *path, struct span octets)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, octets.p, octets.len), octets.len);
	close(fd);
}

static int
compile_with(const char *const *sources, size_t count, const char *postmaster)
{
	struct address p;
	struct compile_options options = {.output = output,
	    .sources = sources,
	    .source_count = count,
	    .now = 5000,
	    .conf = conf,
	    .force = force,
	    .require_postmaster = require_postmaster,
	    .share = 10};
	FILE *f = fmemopen(messages, sizeof(messages), "w");
	int status;

	if (postmaster != NULL) {
		assert_int_equal(address_from_inside(span_str(postmaster), &p), ADDRESS_OK);
		options.postmaster = &p;
	}
	status = compile(&options, f);
	fclose(f);
	return status;
}

static int
compile_list(struct span octets, const char *postmaster)
{
	const char *sources[] = {source};

	write_file(input, octets);
	return compile_with(sources, 1, postmaster);
}
static int
compile_forced(struct span octets)
{
	int status;

	force = true;
	status = compile_list(octets, NULL);
	force = false;
	return status;
}

static struct database *
result(void)
{
	const char *error;
	bool unreadable;
	int fd = open(output, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? loader_load(fd, &error, &unreadable) : NULL;
}

static void
has(const char *text)
{
	if (strstr(messages, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, messages);
}

static void
has_not(const char *text)
{
	if (strstr(messages, text) != NULL)
		fail_msg("\"%s\" in: %s", text, messages);
}

/* ---- what comes out -------------------------------------------------------------------------------- */

static void
good_list(void **state)
{
	struct database *db;
	struct stat st;

	(void)state;
	assert_int_equal(compile_list(SPAN("a@example.com\npostmaster@example.com\n"), NULL), 0);
	assert_string_equal(messages, "2 recipients in 1 domains, generation 5000\n");
	assert_int_equal(stat(output, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	db = result();
	assert_non_null(db);
	assert_int_equal(db->header.built, 5000);
	database_free(&db);
	assert_int_equal(empty_dir(), 2); /* no temporary file is left */
}

static void
generations_count_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		char text[64];

		assert_int_equal(compile_list(SPAN("postmaster@example.com\n"), NULL), 0);
		snprintf(text, sizeof(text), "generation %u\n", 5000 + i);
		has(text);
	}
	write_file(output, SPAN("not a database"));
	assert_int_equal(compile_list(SPAN("postmaster@example.com\n"), NULL), 0);
	has("r.cdb: warning: the file that is replaced is no good: too short");
	has("generation 5000\n");
}

static void
line_ends_marks_and_missing_last_line_feed(void **state)
{
	static const struct span lists[] = {
	    SPAN("\xef\xbb\xbfpostmaster@example.com\nb@example.com"),
	    SPAN("# x\r\npostmaster@example.com\r\n\r\nb@example.com\r\n"),
	    SPAN("postmaster@example.com\n\n\nb@example.com\n\n"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		assert_int_equal(compile_list(lists[i], NULL), 0);
		has("2 recipients in 1 domains");
	}
}

/* Lines lie across every border of what is read at once. */
static void
many_lines(void **state)
{
	enum { LINES = 30000, LINE = 40 };
	char *text = malloc((size_t)LINES * LINE);
	size_t len = 0;
	struct database *db;
	struct lookup_result r;
	struct address a;

	(void)state;
	for (unsigned i = 0; i < LINES; i++)
		len += (size_t)sprintf(text + len, "user%u@d%u.example\n", i, i % 7);
	assert_int_equal(compile_list(span_of(text, len), "user0@d0.example"), 0);
	db = result();
	assert_non_null(db);
	assert_int_equal(db->header.recipients, LINES);
	assert_int_equal(db->header.domains, 7);
	for (unsigned i = 0; i < LINES; i++) {
		int n = sprintf(text, "user%u@d%u.example", i, i % 7);

		assert_int_equal(address_from_inside(span_of(text, (size_t)n), &a), ADDRESS_OK);
		lookup(db, &a, &r);
		assert_int_equal(r.verdict, RCPT_ACCEPTED);
	}
	database_free(&db);
	free(text);
}

static void
several_sources(void **state)
{
	char second[64], second_source[72];
	const char *sources[] = {source, second_source};

	(void)state;
	snprintf(second, sizeof(second), "%s/second", dir);
	snprintf(second_source, sizeof(second_source), "list:%s", second);
	write_file(input, SPAN("postmaster@example.com\na@example.com\n"));
	write_file(second, SPAN("\na@example.com\nb@example.com\n"));
	assert_int_equal(compile_with(sources, 2, NULL), 0);
	has("/second:2: warning: repeats line 2: a@example.com");
	has("/list:2: warning: this is the line");
	has("3 recipients in 1 domains");
	write_file(second, SPAN("a@example.com class=x\n"));
	assert_int_equal(compile_with(sources, 2, NULL), EX_CONFIG);
	has("/second:1: error: contradicts line 2: a@example.com class=x");
}

/* ---- what is wrong ----------------------------------------------------------------------------------- */

static void
every_error_is_told_and_nothing_is_written(void **state)
{
	struct database *db;

	(void)state;
	assert_int_equal(compile_list(SPAN("postmaster@example.com\n"), NULL), 0);
	assert_int_equal(compile_list(SPAN("a@example.com\nnobody\nb@example.com\n\nx%y@example."
					   "com\nc@d colour=red\n\xff\n"),
			     NULL),
	    EX_CONFIG);
	has("/list:2: error: no @");
	has("/list:5: error: % ! | and /");
	has("/list:6: error: an unknown attribute");
	has("/list:7: error: not UTF-8 text: \\xff\n");
	has("4 errors, 0 warnings; nothing was written");
	has_not(":1:");
	has_not(":3:");
	db = result();
	assert_non_null(db);
	assert_int_equal(db->header.recipients, 1);
	database_free(&db);
	assert_int_equal(empty_dir(), 2);
}

static void
duplicates(void **state)
{
	(void)state;
	assert_int_equal(
	    compile_list(
		SPAN("postmaster@example.com\nA@example.com\na@Example.com # again\n"), NULL),
	    0);
	has("/list:3: warning: repeats line 2");
	has("2 recipients");
	assert_int_equal(
	    compile_list(SPAN("a@example.com\na@example.com size=5\n"), NULL), EX_CONFIG);
	has("/list:2: error: contradicts line 1");
	/* These are different things. */
	assert_int_equal(
	    compile_list(SPAN("bob@example.com\nbob+*@example.com\n@example.com\n"), NULL), 0);
	has_not("repeats");
}

static void
row_264_nothing_in_it(void **state)
{
	(void)state;
	assert_int_equal(compile_list(SPAN(""), NULL), EX_CONFIG);
	has("no recipient");
	assert_int_equal(compile_list(SPAN("# only this\n"), NULL), EX_CONFIG);
	assert_null(result());
}

static void
overlong_lines(void **state)
{
	enum { LONG = 200000 };
	char *text = malloc(LONG + 64);

	(void)state;
	memset(text, 'x', LONG);
	memcpy(text, "a@example.com\n", 14);
	strcpy(text + LONG, "\nnobody\n");
	assert_int_equal(compile_list(span_str(text), NULL), EX_CONFIG);
	has("/list:2: error: the line is longer than 2048 octets");
	has("/list:3: error: no @");
	has("2 errors");
	text[LONG] = '\0'; /* the overlong line is the last one, and has no end */
	assert_int_equal(compile_list(span_str(text), NULL), EX_CONFIG);
	has("1 errors");
	free(text);
}

static void
sources_that_cannot_be_read(void **state)
{
	char missing[96], directory[96];
	const char *sources[] = {missing, directory};

	(void)state;
	snprintf(missing, sizeof(missing), "list:%s/missing", dir);
	snprintf(directory, sizeof(directory), "list:%s", dir);
	assert_int_equal(compile_with(sources, 2, NULL), EX_CONFIG);
	has("/missing: error: cannot be read: No such file or directory");
	has(": error: cannot be read: Is a directory");
	has("2 errors");
	assert_null(result());
}

static void
kinds_that_are_not_known(void **state)
{
	static const char *const sources[] = {"ldap:x", "/etc/passwd", "list"};

	(void)state;
	assert_int_equal(compile_with(sources, 3, NULL), EX_USAGE);
	has("the kinds are: list, qmail, vpopmail, passwd, command, postfix, ldif: ldap:x");
	has("3 errors");
}

static void
output_that_cannot_be_written(void **state)
{
	char saved[64];
	const char *sources[] = {source};

	(void)state;
	memcpy(saved, output, sizeof(saved));
	write_file(input, SPAN("postmaster@example.com\n"));
	snprintf(output, sizeof(output), "%s/missing/r.cdb", dir);
	assert_int_equal(compile_with(sources, 1, NULL), EX_CONFIG);
	has("cannot make a file beside it: No such file");
	memcpy(output, saved, sizeof(saved));
	/* A directory stands in the way of the rename. */
	assert_int_equal(mkdir(output, 0755), 0);
	assert_int_equal(compile_with(sources, 1, NULL), EX_CONFIG);
	has("cannot be put in place: Is a directory");
	assert_int_equal(rmdir(output), 0);
	assert_int_equal(empty_dir(), 1);
}

static void
postmasters(void **state)
{
	static const struct span with =
	    SPAN("a@one.example\npostmaster@two.example\n@three.example\n");

	(void)state;
	assert_int_equal(compile_list(with, NULL), 0);
	has("warning: no postmaster@ in this domain, and no --postmaster is said to be configured: "
	    "one.example");
	has_not("two.example");
	has_not("three.example");
	assert_int_equal(compile_list(with, "a@one.example"), 0);
	has_not("warning");
	assert_int_equal(compile_list(with, "b@one.example"), 0);
	has("warning: the sources do not accept the configured postmaster");
	assert_int_equal(compile_list(with, "admin@away.example"), 0);
	has("warning: the domain of the configured postmaster is not in the sources");
	/* A refused one is none. */
	assert_int_equal(compile_forced(SPAN("postmaster@one.example reject=\"5.1.1 No\"\n")), 0);
	has("no postmaster@ in this domain");
}

/* A warning as a rule: a back end without one is no reason to serve none of its users. */
static void
row_265_without_postmaster(void **state)
{
	static const struct span without =
	    SPAN("a@one.example\npostmaster@two.example\n@three.example\n"
		 "@four.example alias=two.example\n");

	(void)state;
	assert_int_equal(compile_list(without, NULL), 0);
	has("warning: no postmaster@ in this domain");
	require_postmaster = true;
	unlink(output);
	assert_int_equal(compile_list(without, NULL), EX_CONFIG);
	has("error: mail for postmaster of this domain is not taken; nothing was written: "
	    "one.example");
	has_not("two.example");
	has_not("three.example");
	assert_int_equal(access(output, F_OK), -1);
	/* The gateway takes it where the domains do not. */
	assert_int_equal(compile_list(without, "a@one.example"), 0);
	unlink(output);
	assert_int_equal(compile_list(without, "b@one.example"), EX_CONFIG);
	has("not taken; nothing was written: one.example");
	assert_int_equal(compile_list(SPAN("postmaster@one.example\n"), NULL), 0);
	require_postmaster = false;
}

/* user0@d, user1@d, ... */
static struct span
users(const char *domain, unsigned from, unsigned upto)
{
	static char text[65536];
	size_t len = 0;

	for (unsigned i = from; i < upto; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "user%u@%s\n", i, domain);
	return span_of(text, len);
}

/* Promise P5: many of the users gone is trouble, until somebody says that it is meant. */
static void
row_264_shrunken_lists(void **state)
{
	(void)state;
	assert_int_equal(compile_list(users("d.example", 0, 400), NULL), 0);
	/* A tenth may go, and no more. */
	assert_int_equal(compile_list(users("d.example", 41, 400), NULL), EX_CONFIG);
	has("r.cdb: error: too many recipients are no longer accepted: 41 of 400 in d.example");
	has("nothing was written (--force: it is meant)");
	assert_int_equal(empty_dir(), 2);
	assert_int_equal(compile_list(users("d.example", 0, 400), NULL), 0);
	assert_int_equal(compile_list(users("d.example", 40, 400), NULL), 0);
	/* Not how many there are counts, but who is gone. */
	assert_int_equal(compile_list(users("d.example", 1000, 2000), NULL), EX_CONFIG);
	has("360 of 360 in d.example");
	assert_int_equal(compile_forced(users("d.example", 1000, 2000)), 0);
	has("warning: too many");
	/* Twenty may always go. */
	assert_int_equal(compile_forced(users("d.example", 0, 20)), 0);
	assert_int_equal(compile_list(SPAN("other@d.example\n"), NULL), 0);
	assert_int_equal(compile_forced(users("d.example", 0, 21)), 0);
	assert_int_equal(compile_list(SPAN("other@d.example\n"), NULL), EX_CONFIG);
	/* Who is refused or put off now is no longer accepted; what covers him keeps him. */
	assert_int_equal(compile_list(SPAN("@d.example reject=\"5.2.1 no\"\n"), NULL), EX_CONFIG);
	assert_int_equal(compile_list(SPAN("@d.example\n"), NULL), 0);
	assert_int_equal(compile_list(SPAN("x@d.example\n"), NULL), 0);
}

/* Recipients that come in another order, or between others, are the same recipients. */
static void
order_does_not_matter(void **state)
{
	char text[16384];
	size_t len = 0;

	(void)state;
	assert_int_equal(compile_list(users("d.example", 0, 300), NULL), 0);
	for (unsigned i = 300; i > 0; i--)
		len +=
		    (size_t)snprintf(text + len, sizeof(text) - len, "user%u@d.example\n", i - 1);
	assert_int_equal(compile_list(span_of(text, len), NULL), 0);
	has_not("no longer accepted");
	len = 0;
	for (unsigned i = 0; i < 300; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "new%u@d.example\nuser%u@d.example\nmore%u@d.example\n", i, i, i);
	assert_int_equal(compile_list(span_of(text, len), NULL), 0);
	has_not("no longer accepted");
	/* All of one kind and every third of another, spread. */
	len = 0;
	for (unsigned i = 0; i < 300; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "new%u@d.example\n%s%u@d.example\n", i, i % 3 == 0 ? "x" : "user", i);
	assert_int_equal(compile_list(span_of(text, len), NULL), EX_CONFIG);
	has("400 of 900 in d.example");
}

static void
row_264_lost_domains(void **state)
{
	(void)state;
	assert_int_equal(compile_list(SPAN("a@one.example\na@two.example\n"), NULL), 0);
	assert_int_equal(compile_list(SPAN("a@one.example\n"), NULL), EX_CONFIG);
	has("error: a domain is lost: two.example");
	assert_int_equal(compile_list(SPAN("a@one.example\ndomain:two.example\n"), NULL), 0);
	assert_int_equal(
	    compile_list(SPAN("a@one.example\n@two.example alias=one.example\n"), NULL), 0);
	assert_int_equal(compile_forced(SPAN("")), 0);
	has("0 recipients in 0 domains");
	assert_int_equal(compile_list(SPAN(""), NULL), EX_CONFIG);
}

/* What was in place is kept, unless it was no good. */
static void
the_one_before_is_kept(void **state)
{
	struct database *db;
	char previous[80];
	const char *error;
	bool unreadable;

	(void)state;
	snprintf(previous, sizeof(previous), "%s.prev", output);
	assert_int_equal(compile_list(SPAN("a@one.example\n"), NULL), 0);
	assert_int_not_equal(access(previous, F_OK), 0);
	assert_int_equal(compile_list(SPAN("b@one.example\n"), NULL), 0);
	db = loader_load(open(previous, O_RDONLY | O_CLOEXEC), &error, &unreadable);
	assert_non_null(db);
	assert_int_equal(db->header.generation, 5000);
	database_free(&db);
	write_file(output, SPAN("damaged"));
	assert_int_equal(compile_list(SPAN("c@one.example\n"), NULL), 0);
	has("the file that is replaced is no good");
	db = loader_load(open(previous, O_RDONLY | O_CLOEXEC), &error, &unreadable);
	assert_non_null(db);
	assert_int_equal(db->header.generation, 5000);
	database_free(&db);
	db = loader_load(open(output, O_RDONLY | O_CLOEXEC), &error, &unreadable);
	assert_non_null(db);
	assert_int_equal(db->header.before, 0);
	database_free(&db);
}

/*
 * Two blocks of three characters that lead from one state of cdb's hash to the same next one; n
 * such choices in a row make 2^n names with the same hash value.
 */
enum { BLOCK = 3, ALPHABET = 36, BLOCKS_THERE_ARE = ALPHABET * ALPHABET * ALPHABET };

static uint32_t
cdb_step(uint32_t h, const char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h * 33) ^ (uint8_t)octets[i];
	return h;
}

static void
block_of(unsigned n, char block_out[BLOCK])
{
	for (size_t i = 0; i < BLOCK; i++, n /= ALPHABET)
		block_out[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[n % ALPHABET];
}

static uint32_t
colliding_blocks(uint32_t h, char one[BLOCK], char other[BLOCK])
{
	static unsigned seen[1 << 20]; /* by the lower bits of the next state: block + 1 */
	uint32_t next;

	memset(seen, 0, sizeof(seen));
	for (unsigned n = 0; n < BLOCKS_THERE_ARE; n++) {
		block_of(n, one);
		next = cdb_step(h, one, BLOCK);
		if (seen[next & 0xfffff] != 0) {
			block_of(seen[next & 0xfffff] - 1, other);
			if (cdb_step(h, other, BLOCK) == next)
				return next;
		}
		seen[next & 0xfffff] = n + 1;
	}
	fail();
	return 0;
}

static void
row_268_colliding_names(void **state)
{
	enum { BLOCKS = 11, NAMES = 1 << BLOCKS };
	char blocks[BLOCKS][2][BLOCK], *text = malloc((size_t)NAMES * 64);
	uint32_t h = cdb_step(5381, "U\1\0\0\0", 5);
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < BLOCKS; i++)
		h = colliding_blocks(h, blocks[i][0], blocks[i][1]);
	for (unsigned n = 0; n < NAMES; n++) {
		for (size_t i = 0; i < BLOCKS; i++) {
			memcpy(text + len, blocks[i][n >> i & 1], BLOCK);
			len += BLOCK;
		}
		len += (size_t)sprintf(text + len, "@example.com\n");
	}
	assert_int_equal(compile_list(span_of(text, len), NULL), EX_CONFIG);
	has("the result is no good and was not put in place: too many keys with the same hash "
	    "value");
	assert_null(result());
	assert_int_equal(empty_dir(), 1);
	assert_int_equal(compile_list(span_of(text, len / 4), NULL), 0);
	free(text);
}

static void
f41_a_killed_builder_leaves_nothing_that_counts(void **state)
{
	char leftover[80];
	struct database *db;

	(void)state;
	snprintf(leftover, sizeof(leftover), "%s.abcdef", output);
	write_file(leftover, SPAN("half a database"));
	assert_int_equal(compile_list(SPAN("postmaster@example.com\n"), NULL), 0);
	db = result();
	assert_non_null(db);
	database_free(&db);
}

static void
f41_a_full_disk(void **state)
{
	static const struct rlimit small = {1000, RLIM_INFINITY},
				   none = {RLIM_INFINITY, RLIM_INFINITY};
	struct database *db;
	int status;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(compile_list(SPAN("postmaster@example.com\n"), NULL), 0);
	write_file(input, SPAN("postmaster@example.com\na@example.com\n"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	status = compile_with((const char *const[]){source}, 1, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(status, EX_TEMPFAIL);
	has("r.cdb: error: cannot be written");
	db = result();
	assert_non_null(db);
	assert_int_equal(db->header.recipients, 1);
	database_free(&db);
	assert_int_equal(empty_dir(), 2);
}

static void
too_many_break_characters(void **state)
{
	static const char breaks[] = "#$&'+-=?^_`{}~.";
	char text[1024];
	size_t len = 0;

	(void)state;
	/* Every one that a local part can have fits. */
	for (size_t i = 0; i < sizeof(breaks) - 1; i++)
		len += (size_t)sprintf(text + len, "a%c*@example.com\n", breaks[i]);
	assert_int_equal(compile_list(span_of(text, len), NULL), 0);
	has("15 recipients");
}

#define TEST(name) cmocka_unit_test_setup(name, empty_before)

static void
back_ends_are_those_of_the_configuration(void **state)
{
	static const struct span list = SPAN("a@d.example backend=one\n"
					     "b@d.example backend=two\n"
					     "c@d.example backend=three\n");

	char conf_path[80];

	(void)state;
	snprintf(conf_path, sizeof(conf_path), "%s/conf", dir);
	write_file(conf_path, SPAN("# backend two {\n"
				   "hostname = \"backend three {\" // backend two {\n"
				   "/* backend three { */ backend one{ servers = {\"x\"} }\n"
				   "backend 'three'\n\t{ }\n"));
	conf = conf_path;
	assert_int_equal(compile_list(list, "a@d.example"), 0);
	has("list:2: warning: the configuration has no such section backend; mail for it is "
	    "deferred: two");
	has_not(": one");
	has_not(": three");
	unlink(conf_path);
	assert_int_equal(compile_list(list, "a@d.example"), EX_CONFIG);
	has("conf: error: cannot be read");
	conf = NULL;
}

static void
aliases_lead_to_domains(void **state)
{
	(void)state;
	assert_int_equal(compile_list(SPAN("a@b.example\n"
					   "@one.example alias=two.example\n"
					   "@two.example alias=one.example\n"
					   "@three.example alias=four.example\n"),
			     NULL),
	    EX_CONFIG);
	assert_non_null(strstr(messages, ":2: error: an alias domain leads to no domain"));
	assert_non_null(strstr(messages, ":4: error: an alias domain leads to no domain"));
	assert_int_equal(compile_list(SPAN("a@b.example\n"
					   "@one.example alias=b.example\n"
					   "a@one.example\n"),
			     NULL),
	    EX_CONFIG);
	assert_non_null(strstr(messages, ":3: error: contradicts line 2"));
	assert_int_equal(compile_list(SPAN("a@b.example\n"
					   "domain:b.example class=x\n"
					   "domain:b.example class=y\n"),
			     NULL),
	    EX_CONFIG);
	assert_non_null(strstr(messages, ":3: error: contradicts line 2"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(back_ends_are_those_of_the_configuration, empty_before),
	    cmocka_unit_test_setup(aliases_lead_to_domains, empty_before),
	    TEST(good_list),
	    TEST(generations_count_up),
	    TEST(line_ends_marks_and_missing_last_line_feed),
	    TEST(many_lines),
	    TEST(several_sources),
	    TEST(every_error_is_told_and_nothing_is_written),
	    TEST(duplicates),
	    TEST(row_264_nothing_in_it),
	    TEST(overlong_lines),
	    TEST(sources_that_cannot_be_read),
	    TEST(kinds_that_are_not_known),
	    TEST(output_that_cannot_be_written),
	    TEST(postmasters),
	    TEST(row_265_without_postmaster),
	    TEST(row_264_shrunken_lists),
	    TEST(order_does_not_matter),
	    TEST(row_264_lost_domains),
	    TEST(the_one_before_is_kept),
	    TEST(row_268_colliding_names),
	    TEST(f41_a_killed_builder_leaves_nothing_that_counts),
	    TEST(f41_a_full_disk),
	    TEST(too_many_break_characters),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
