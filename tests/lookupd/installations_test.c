#include "lookupd/installations.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookupd/compile.h"
#include "lookupd/guard.h"
#include "lookupd/loader.h"
#include "lookupd/lookup.h"

/* Copies of two installations of qmail, a/ and b/, and one of vpopmail beside a third, v/. */
static char root[] = "/tmp/gatehouse-several-XXXXXX";
static char messages[65536];
static struct database *db;
static bool beside_the_old; /* the database in place stays, and is compared */

static const char *
in_root(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static void
dir(const char *name)
{
	assert_int_equal(mkdir(in_root(name), 0755), 0);
}

static void
file(const char *name, const char *text)
{
	FILE *f = fopen(in_root(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* What every installation has. In: top, "/a". */
static void
installation(const char *top, const char *me, const char *domains)
{
	static const char *const dirs[] = {"", "/q", "/q/control", "/q/users", "/q/alias", "/etc",
	    "/home", "/home/joe", "/home/joe/Maildir", "/home/joe/Maildir/tmp"};
	char name[256];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", top, dirs[i]);
		dir(name);
	}
	snprintf(name, sizeof(name), "%s/etc/passwd", top);
	file(name, "alias:x:7:7::/q/alias:\nqmailp:x:8:8::/q:\njoe:x:500:500::/home/joe:\n");
	snprintf(name, sizeof(name), "%s/q/control/me", top);
	file(name, me);
	snprintf(name, sizeof(name), "%s/q/control/locals", top);
	file(name, domains);
	snprintf(name, sizeof(name), "%s/q/control/rcpthosts", top);
	file(name, domains);
}

/* Homes as their owner has them; the rest belongs to root. */
static void
owners(const char *top, const char *const *names)
{
	char name[256], stats[4096] = "";

	for (; *names != NULL; names++)
		snprintf(stats + strlen(stats), sizeof(stats) - strlen(stats), "0755 500 500 %s\n",
		    *names);
	snprintf(name, sizeof(name), "%s/stat", top);
	file(name, stats);
}

static int
make(void **state)
{
	static const char *const homes[] = {
	    "/home/joe", "/home/joe/Maildir", "/home/joe/Maildir/tmp", NULL};

	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	installation("/a", "a.example\n", "a.example\n");
	installation("/b", "b.example\n", "b.example\n");
	file("/a/home/joe/.qmail", "./Maildir/\n");
	file("/b/home/joe/.qmail", "./Maildir/\n");
	owners("/a", homes);
	owners("/b", homes);
	return 0;
}

static int
clear(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	database_free(&db);
	if (pid == 0) {
		execlp("rm", "rm", "-rf", root, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* "qmail:/q" of one of the copies, with more options. */
static const char *
source(const char *kind, const char *top, const char *options)
{
	static char texts[4][1024];
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "%s,root=%s%s,stat=%s%s/stat%s", kind, root, top, root,
	    top, options);
	return text;
}

static int
compile_all(const char *first, const char *second, const char *third)
{
	const char *sources[] = {first, second, third};
	char output[512];
	FILE *to = fmemopen(messages, sizeof(messages), "w");
	struct compile_options o = {.output = output,
	    .share = 10,
	    .sources = sources,
	    .source_count = third != NULL ? 3 : 2};
	const char *error;
	bool unreadable;
	int status, fd;

	assert_non_null(to);
	snprintf(output, sizeof(output), "%s/r.cdb", root);
	if (!beside_the_old)
		unlink(output);
	memset(messages, 0, sizeof(messages));
	status = compile(&o, to);
	fclose(to);
	database_free(&db);
	fd = open(output, O_RDONLY | O_CLOEXEC);
	if (status == 0 && fd >= 0)
		db = loader_load(fd, &error, &unreadable);
	return status;
}

static int
compile_both(const char *options_a, const char *options_b)
{
	return compile_all(
	    source("qmail:/q", "/a", options_a), source("qmail:/q", "/b", options_b), NULL);
}

static void
says(const char *text)
{
	if (strstr(messages, text) == NULL)
		print_error("no \"%s\" in:\n%s\n", text, messages);
	assert_non_null(strstr(messages, text));
}

/* The verdict, and the back end of what is accepted. */
static const char *
asked(const char *text)
{
	static char answer[128];
	static const char *const verdicts[] = {
	    "accepted", "unknown-user", "unknown-domain", "refused", "deferred", "trouble"};
	struct lookup_result r;

	assert_non_null(db);
	lookup_octets(db, span_str(text), LOOKUP_FROM_OUTSIDE, NULL, &r);
	snprintf(answer, sizeof(answer), "%s%s%.*s", verdicts[r.verdict],
	    r.route.len > 0 ? " " : "", (int)r.route.len, (const char *)r.route.p);
	return answer;
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void
users_of_one_name_are_two(void **state)
{
	(void)state;
	file("/a/home/joe/.qmail-only", "./Maildir/\n");
	file("/b/home/joe/.qmail-default", "./Maildir/\n");
	file("/b/q/alias/.qmail-sales", "joe\n");
	file("/a/q/alias/.qmail-default", "nobody-has-this\n");
	assert_int_equal(compile_both(",backend=one", ",backend=two"), 0);
	assert_string_equal(asked("joe@a.example"), "accepted one");
	assert_string_equal(asked("joe@b.example"), "accepted two");
	assert_string_equal(asked("joe-only@a.example"), "accepted one");
	assert_string_equal(asked("joe-more@a.example"), "unknown-user");
	assert_string_equal(asked("joe-more@b.example"), "accepted two");
	assert_string_equal(asked("sales@b.example"), "accepted two");
	assert_string_equal(asked("sales@a.example"), "unknown-user");
	/* The default domain is that of the first. */
	assert_string_equal(asked("joe"), "accepted one");
}

static void
a_bare_forward_stays_at_home(void **state)
{
	(void)state;
	file("/a/q/alias/.qmail-here", "joe-b\n");
	file("/b/q/alias/.qmail-here", "joe-b\n");
	file("/b/home/joe/.qmail-b", "./Maildir/\n");
	assert_int_equal(compile_both("", ""), 0);
	assert_string_equal(asked("here@a.example"), "unknown-user");
	assert_string_equal(asked("here@b.example"), "accepted");
}

static void
a_forward_goes_to_the_other(void **state)
{
	(void)state;
	file("/a/q/alias/.qmail-good", "joe@b.example\n");
	file("/a/q/alias/.qmail-dead", "nobody@b.example\n");
	file("/b/q/alias/.qmail-back", "good@a.example\n");
	assert_int_equal(compile_both("", ""), 0);
	assert_string_equal(asked("good@a.example"), "accepted");
	assert_string_equal(asked("dead@a.example"), "unknown-user");
	assert_string_equal(asked("back@b.example"), "accepted");
}

static void
words_are_of_one_source(void **state)
{
	(void)state;
	file("/a/q/alias/.qmail-away", "x@else.example\n");
	file("/b/q/alias/.qmail-away", "x@else.example\n");
	file("/a/home/joe/.qmail-part", "./Maildir/\nnobody@a.example\n");
	file("/b/home/joe/.qmail-part", "./Maildir/\nnobody@a.example\n");
	assert_int_equal(compile_both(",relay:else.example=accept", ",strict=yes"), 0);
	assert_string_equal(asked("away@a.example"), "accepted");
	assert_string_equal(asked("away@b.example"), "refused");
	assert_string_equal(asked("joe-part@a.example"), "accepted");
	assert_string_equal(asked("joe-part@b.example"), "unknown-user");
}

static void
two_cannot_keep_a_domain(void **state)
{
	(void)state;
	file("/b/q/control/locals", "b.example\na.example\n");
	assert_int_equal(compile_both("", ""), EX_CONFIG);
	says("/q/control/locals:2: error: another source has this domain already");
	says("this is the place: a.example");
	assert_int_equal(compile_both("", ",elsewhere=A.example"), 0);
	assert_string_equal(asked("joe@a.example"), "accepted");
	assert_int_equal(compile_both(",backend=one,elsewhere=a.example", ",backend=two"), 0);
	/* b has it, but its rcpthosts does not. */
	assert_string_equal(asked("joe@a.example"), "unknown-domain");
}

/* control/rcpthosts of a host that only sends it on. */
static void
who_keeps_a_domain_has_it(void **state)
{
	(void)state;
	file("/a/q/control/rcpthosts", "a.example\nb.example\nc.example\n");
	file("/b/q/control/rcpthosts", "b.example\na.example\nc.example\n");
	assert_int_equal(compile_both(",backend=one", ",backend=two"), 0);
	assert_string_equal(asked("joe@a.example"), "accepted one");
	assert_string_equal(asked("joe@b.example"), "accepted two");
	assert_string_equal(asked("x@c.example"), "refused");
	assert_int_equal(compile_both(",backend=one", ",backend=two,relay:c.example=accept"), 0);
	assert_string_equal(asked("x@c.example"), "accepted one");
}

static void
the_longest_name_says_whose_it_is(void **state)
{
	(void)state;
	file("/b/q/control/virtualdomains", ".example:joe\n.sub.a.example:joe\n");
	file("/b/q/control/rcpthosts", "b.example\n.example\n.sub.a.example\n");
	file("/b/home/joe/.qmail-default", "./Maildir/\n");
	assert_int_equal(compile_both(",backend=one", ",backend=two"), 0);
	assert_string_equal(asked("joe@a.example"), "accepted one");
	assert_string_equal(asked("any@a.example"), "unknown-user");
	assert_string_equal(asked("any@z.example"), "accepted two");
	assert_string_equal(asked("any@x.sub.a.example"), "accepted two");
}

static void
a_default_for_all_domains_is_of_one_source(void **state)
{
	(void)state;
	file("/b/q/control/virtualdomains", ":joe\n");
	file("/a/q/alias/.qmail-far", "any@nobodys.example\n");
	file("/b/q/alias/.qmail-far", "any@nobodys.example\n");
	file("/b/home/joe/.qmail-default", "./Maildir/\n");
	file("/a/q/control/rcpthosts", "a.example\nonly-a.example\n");
	file("/b/q/control/rcpthosts", "b.example\nonly-b.example\n");
	assert_int_equal(compile_both("", ",backend=two"), 0);
	assert_string_equal(asked("any@only-b.example"), "accepted two");
	assert_string_equal(asked("any@only-a.example"), "refused");
	assert_string_equal(asked("any@nobodys.example"), "unknown-domain");
	/* What b forwards there stays with it; a sends it on. */
	assert_string_equal(asked("far@b.example"), "accepted two");
	assert_string_equal(asked("far@a.example"), "refused");
	assert_int_equal(unlink(in_root("/b/q/control/rcpthosts")), 0);
	assert_int_equal(compile_both("", ""), EX_CONFIG);
	says("an installation cannot share a database");
}

static void
without_rcpthosts_its_own_domains_are_served(void **state)
{
	(void)state;
	assert_int_equal(unlink(in_root("/b/q/control/rcpthosts")), 0);
	file("/a/q/control/locals", "a.example\nhidden.example\n");
	assert_int_equal(compile_both("", ""), 0);
	assert_string_equal(asked("joe@b.example"), "accepted");
	assert_string_equal(asked("joe@hidden.example"), "unknown-domain");
	assert_string_equal(asked("joe@foreign.example"), "unknown-domain");
	assert_int_equal(compile_both("", ",relayclient=x"), EX_CONFIG);
	says("relayclient= changes every address");
}

/* Mail for the boxes of one is put off, not that of the other. */
static void
a_damaged_table_is_of_one_source(void **state)
{
	(void)state;
	file("/b/q/users/cdb", "damaged");
	assert_int_equal(compile_both("", ""), 0);
	assert_string_equal(asked("joe@a.example"), "accepted");
	assert_string_equal(asked("joe@b.example"), "deferred");
}

static void
address_literals(void **state)
{
	(void)state;
	assert_int_equal(
	    compile_both(",own=192.0.2.1,backend=one", ",own=192.0.2.2,backend=two"), 0);
	assert_string_equal(asked("joe@[192.0.2.1]"), "accepted one");
	assert_string_equal(asked("joe@[192.0.2.2]"), "accepted two");
	assert_string_equal(asked("joe@[127.0.0.1]"), "accepted one");
	assert_string_equal(asked("joe@[192.0.2.3]"), "unknown-domain");
}

/* One of a domain beside the two of qmail. */
static void
vpopmail(void)
{
	static const char *const none[] = {NULL};

	dir("/v");
	dir("/v/q");
	dir("/v/q/control");
	dir("/v/q/users");
	dir("/v/etc");
	dir("/v/v");
	dir("/v/v/v.example");
	file("/v/etc/passwd", "v:x:89:89::/v:\n");
	file("/v/q/control/me", "v-host.example\n");
	file("/v/q/control/rcpthosts", "v.example\na.example\n");
	file("/v/q/control/virtualdomains", "v.example:joe\n");
	file("/v/q/users/assign", "+joe-:v:89:89:/v/v.example:-::\n.\n");
	file("/v/v/v.example/.qmail-default", "| vdelivermail '' bounce-no-mailbox\n");
	file("/v/v/v.example/vpasswd", "bob:x:1:0::/v/v.example/bob:NOQUOTA\n");
	owners("/v", none);
}

static void
vpopmail_beside(void **state)
{
	(void)state;
	vpopmail();
	file("/a/home/joe/.qmail-bob", "bob@v.example\n");
	assert_int_equal(compile_all(source("qmail:/q", "/a", ""), source("qmail:/q", "/b", ""),
			     source("vpopmail:/v,qmail=/q", "/v", ",backend=three")),
	    0);
	assert_string_equal(asked("bob@v.example"), "accepted three");
	assert_string_equal(asked("joe@v.example"), "unknown-user");
	assert_string_equal(asked("joe-bob@a.example"), "accepted");
	assert_string_equal(asked("joe-bob@b.example"), "unknown-user");
}

static void
lists(const char *top, unsigned count, bool there)
{
	char name[64];

	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/q/alias/.qmail-l%u", top, i);
		if (there)
			file(name, "joe\n");
		else
			assert_int_equal(unlink(in_root(name)), 0);
	}
}

/* A small installation that is lost beside a large one. */
static void
row_264_the_guard_counts_each_installation(void **state)
{
	(void)state;
	lists("/a", 400, true);
	lists("/b", 30, true);
	assert_int_equal(compile_both("", ""), 0);
	lists("/b", 30, false);
	beside_the_old = true;
	assert_int_equal(compile_both("", ""), EX_CONFIG);
	beside_the_old = false;
	says("too many recipients are no longer accepted: 30 of 32 in /q,root=");
}

/* Users of two domains of one vpopmail. */
static void
users(const char *domain, unsigned count)
{
	char name[64], text[8192] = "";

	for (unsigned i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "u%u:x:1:0::/v/%s/u%u:NOQUOTA\n", i, domain, i);
	snprintf(name, sizeof(name), "/v/v/%s/vpasswd", domain);
	file(name, text);
}

static void
row_264_the_guard_counts_each_table(void **state)
{
	(void)state;
	vpopmail();
	dir("/v/v/w.example");
	file("/v/v/w.example/.qmail-default", "| vdelivermail '' bounce-no-mailbox\n");
	file("/v/q/control/rcpthosts", "v.example\nw.example\n");
	file("/v/q/control/virtualdomains", "v.example:joe\nw.example:jim\n");
	file("/v/q/users/assign",
	    "+joe-:v:89:89:/v/v.example:-::\n+jim-:v:89:89:/v/w.example:-::\n.\n");
	users("v.example", 150);
	users("w.example", 30);
	assert_int_equal(compile_all(source("qmail:/q", "/a", ""),
			     source("vpopmail:/v,qmail=/q", "/v", ""), NULL),
	    0);
	assert_string_equal(asked("u29@w.example"), "accepted");
	users("w.example", 1);
	beside_the_old = true;
	assert_int_equal(compile_all(source("qmail:/q", "/a", ""),
			     source("vpopmail:/v,qmail=/q", "/v", ""), NULL),
	    EX_CONFIG);
	beside_the_old = false;
	says("too many recipients are no longer accepted: 29 of 30 in "
	     "/v/w.example/vpasswd of /v,qmail=/q,root=");
}

/* For who has only the file that was put in place. */
static void
row_264_the_file_says_what_a_part_lost(void **state)
{
	struct guard_check g;
	uint8_t octets[24];
	struct buf value = BUF_OVER(octets);

	(void)state;
	buf_put_u64(&value, 1);
	buf_put_u64(&value, 30);
	buf_put_u64(&value, 29);
	guard_check_init(&g, 10);
	guard_check_part(&g, SPAN("table"), span_head(buf_span(&value), 23));
	assert_false(g.wrong);
	guard_check_part(&g, SPAN("table"), buf_span(&value));
	assert_true(g.wrong);
	assert_string_equal(g.why, "29 of 30 recipients of a source are lost: table");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clear)
	static const struct CMUnitTest tests[] = {
	    TEST(users_of_one_name_are_two),
	    TEST(a_bare_forward_stays_at_home),
	    TEST(a_forward_goes_to_the_other),
	    TEST(words_are_of_one_source),
	    TEST(two_cannot_keep_a_domain),
	    TEST(who_keeps_a_domain_has_it),
	    TEST(the_longest_name_says_whose_it_is),
	    TEST(a_default_for_all_domains_is_of_one_source),
	    TEST(without_rcpthosts_its_own_domains_are_served),
	    TEST(a_damaged_table_is_of_one_source),
	    TEST(address_literals),
	    TEST(vpopmail_beside),
	    TEST(row_264_the_guard_counts_each_installation),
	    TEST(row_264_the_guard_counts_each_table),
	    cmocka_unit_test(row_264_the_file_says_what_a_part_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
