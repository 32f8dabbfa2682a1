#include "lookupd/qmail_source.h"

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

#include "lookupd/cdbfile.h"
#include "lookupd/compile.h"
#include "lookupd/loader.h"
#include "lookupd/lookup.h"

/* A copy of an installation: what is not listed in stat belongs to root, mode 0755 or as it is. */
static char root[] = "/tmp/gatehouse-qmail-XXXXXX";
static char messages[65536];
static char stats[8192];
static struct database *db;

static const char *
in_root(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static void
own(const char *name, unsigned mode, unsigned uid)
{
	size_t n = strlen(stats);

	snprintf(stats + n, sizeof(stats) - n, "%o %u %u %s\n", mode, uid, uid, name);
}

static void
dir(const char *name, unsigned uid)
{
	assert_int_equal(mkdir(in_root(name), 0755), 0);
	own(name, 0755, uid);
}

static void
file(const char *name, const char *text, unsigned uid)
{
	FILE *f = fopen(in_root(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	own(name, 0644, uid);
}

static int
remove_all(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("rm", "rm", "-rf", root, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int
make(void **state)
{
	(void)state;
	strcpy(root + strlen(root) - 6, "XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	stats[0] = '\0';
	dir("/q", 0);
	dir("/q/control", 0);
	dir("/q/users", 0);
	dir("/q/alias", 7);
	dir("/home", 0);
	dir("/home/joe", 500);
	dir("/home/joe/Maildir", 500);
	dir("/home/joe/Maildir/tmp", 500);
	dir("/etc", 0);
	file("/etc/passwd",
	    "alias:x:7:7::/q/alias:\nqmailp:x:8:8::/q:\n"
	    "joe:x:500:500::/home/joe:\n",
	    0);
	file("/q/control/me", "me.example\n", 0);
	file("/q/control/locals", "local.example\n", 0);
	file("/q/control/rcpthosts", "local.example\nvirtual.example\nrelay.example\n", 0);
	file("/q/control/virtualdomains", "virtual.example:joe-virtual\n", 0);
	file("/home/joe/.qmail", "./Maildir/\n", 500);
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	database_free(&db);
	return remove_all();
}

/* Compiles with options behind those of the copy. Returns: the exit status. */
static int
compile_with(const char *options)
{
	char source[1024], output[512], list[512];
	const char *sources[] = {source};
	FILE *to = fmemopen(messages, sizeof(messages), "w"), *f;
	struct compile_options o = {.output = output, .sources = sources, .source_count = 1};
	const char *error;
	bool unreadable;
	int status, fd;

	assert_non_null(to);
	snprintf(list, sizeof(list), "%s/stat", root);
	f = fopen(list, "w");
	assert_non_null(f);
	fputs(stats, f);
	fclose(f);
	snprintf(output, sizeof(output), "%s/r.cdb", root);
	snprintf(source, sizeof(source), "qmail:/q,root=%s,stat=%s%s", root, list, options);
	memset(messages, 0, sizeof(messages));
	status = compile(&o, to);
	fclose(to);
	database_free(&db);
	fd = open(output, O_RDONLY | O_CLOEXEC);
	if (status == 0 && fd >= 0)
		db = loader_load(fd, &error, &unreadable);
	else if (fd >= 0)
		close(fd);
	return status;
}

static void
says(const char *text)
{
	if (strstr(messages, text) == NULL)
		print_error("no \"%s\" in:\n%s\n", text, messages);
	assert_non_null(strstr(messages, text));
}

static const char *
asked(const char *text)
{
	static char answer[64];
	static const char *const verdicts[] = {
	    "accepted", "unknown-user", "unknown-domain", "refused", "deferred", "trouble"};
	struct address a;
	struct lookup_result r;
	const struct address *recipient;

	assert_non_null(db);
	assert_int_equal(address_parse_forward(span_str(text), &a), ADDRESS_OK);
	lookup_recipient(db, &a, NULL, &r, &recipient);
	snprintf(answer, sizeof(answer), "%s%s%s", verdicts[r.verdict],
	    r.leaf == LEAF_RELAY && r.verdict == RCPT_REFUSED ? " relay" : "",
	    r.leaf_flags & LEAF_PARTIAL && r.verdict == RCPT_ACCEPTED ? " partial" : "");
	return answer;
}

/* ---- tests --------------------------------------------------------------------------------------- */

static void
an_installation(void **state)
{
	(void)state;
	file("/home/joe/.qmail-virtual-sales", "&joe@local.example\n", 500);
	file("/q/alias/.qmail-postmaster", "joe\n", 7);
	file("/q/control/envnoathost", "local.example\n", 0);
	assert_int_equal(compile_with(""), 0);
	assert_string_equal(asked("joe@local.example"), "accepted");
	assert_string_equal(asked("joe-x@local.example"), "unknown-user");
	assert_string_equal(asked("nobody@local.example"), "unknown-user");
	assert_string_equal(asked("sales@virtual.example"), "accepted");
	assert_string_equal(asked("other@virtual.example"), "unknown-user");
	assert_string_equal(asked("x@relay.example"), "refused relay");
	assert_string_equal(asked("x@foreign.example"), "unknown-domain");
	assert_string_equal(asked("postmaster"), "accepted");
	says("/q/control/rcpthosts:3: warning: served, but neither local nor virtual");
	says(
	    "/q/control/locals:1: warning: the back end does not deliver this address, which every "
	    "domain must have: abuse@local.example");
	assert_int_equal(compile_with(",relay:relay.example=accept"), 0);
	assert_string_equal(asked("x@relay.example"), "accepted");
}

static void
programs_need_a_word(void **state)
{
	(void)state;
	file("/home/joe/.qmail-a", "# x\n|/usr/local/bin/own -x\n", 500);
	file("/home/joe/.qmail-b-default", "|maildrop\n", 500);
	dir("/usr", 0);
	dir("/usr/local", 0);
	dir("/usr/local/bin", 0);
	file("/usr/local/bin/own", "", 0);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("/home/joe/.qmail-a:2: error: a program that is not known; say program:NAME=accept");
	assert_int_equal(compile_with(",program:own=accept"), EX_CONFIG);
	says("/home/joe/.qmail-b-default:1: error: a program that knows its own users");
	file("/q/alias/.qmail-default", "|forward \"$DEFAULT\"@relay.example\n", 7);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("/q/alias/.qmail-default:1: error: forwards to what a variable of the shell says");
	assert_int_equal(unlink(in_root("/q/alias/.qmail-default")), 0);
	assert_int_equal(
	    compile_with(",program:/usr/local/bin/own=refuse,program:maildrop=defer"), 0);
	assert_string_equal(asked("joe-a@local.example"), "unknown-user");
	assert_string_equal(asked("joe-b-x@local.example"), "deferred");
	assert_int_equal(compile_with(",rule:/home/joe/.qmail-a=accept,"
				      "rule:/home/joe/.qmail-b-default=refuse"),
	    0);
	assert_string_equal(asked("joe-a@local.example"), "accepted");
	assert_string_equal(asked("joe-b-x@local.example"), "unknown-user");
}

static void
forwards_are_followed(void **state)
{
	(void)state;
	file("/home/joe/.qmail-dead", "&nobody@local.example\n", 500);
	file("/home/joe/.qmail-both", "./Maildir/\n&joe-dead@local.example\n", 500);
	file("/home/joe/.qmail-loop", "joe-round@local.example\n", 500);
	file("/home/joe/.qmail-round", "joe-loop@local.example\n", 500);
	file("/home/joe/.qmail-away", "someone@else.example\n", 500);
	file("/home/joe/.qmail-later", "joe-blank@local.example\n", 500);
	file("/home/joe/.qmail-blank", "\n", 500);
	assert_int_equal(compile_with(""), 0);
	assert_string_equal(asked("joe-dead@local.example"), "unknown-user");
	assert_string_equal(asked("joe-both@local.example"), "accepted partial");
	assert_string_equal(asked("joe-loop@local.example"), "unknown-user");
	assert_string_equal(asked("joe-round@local.example"), "unknown-user");
	assert_string_equal(asked("joe-away@local.example"), "refused relay");
	assert_string_equal(asked("joe-later@local.example"), "deferred");
	says("/home/joe/.qmail-dead:1: warning: forwards to an address that bounces");
	says("/home/joe/.qmail-both:2: warning: delivers, and forwards to an address that bounces");
	says("/home/joe/.qmail-away:1: warning: forwards to a foreign domain");
	assert_int_equal(compile_with(",strict=yes,relay:.example=accept"), 0);
	assert_string_equal(asked("joe-both@local.example"), "unknown-user");
	assert_string_equal(asked("joe-away@local.example"), "accepted");
}

/* A list knows recipients of a domain that qmail only relays, and goes before its boxes. */
static void
lists_beside(void **state)
{
	char source[512], list[512], text[1024];
	const char *sources[] = {source, list};
	char output[512];
	struct compile_options o = {.output = output, .sources = sources, .source_count = 2};
	FILE *to;
	int fd;
	const char *error;
	bool unreadable;

	(void)state;
	file("/home/joe/.qmail-to", "known@relay.example\n", 500);
	file("/home/joe/.qmail-no", "other@relay.example\n", 500);
	file("/list", "known@relay.example\njoe-x@local.example\n", 0);
	assert_int_equal(compile_with(""), 0);
	snprintf(source, sizeof(source), "qmail:/q,root=%s,stat=%s/stat", root, root);
	snprintf(list, sizeof(list), "list:%s/list", root);
	snprintf(output, sizeof(output), "%s/r.cdb", root);
	to = fmemopen(text, sizeof(text), "w");
	assert_non_null(to);
	assert_int_equal(compile(&o, to), 0);
	fclose(to);
	database_free(&db);
	fd = open(output, O_RDONLY | O_CLOEXEC);
	db = loader_load(fd, &error, &unreadable);
	assert_string_equal(asked("known@relay.example"), "accepted");
	assert_string_equal(asked("other@relay.example"), "unknown-user");
	assert_string_equal(asked("joe-x@local.example"), "accepted");
	assert_string_equal(asked("joe@local.example"), "accepted");
	assert_string_equal(asked("joe-to@local.example"), "accepted");
	assert_string_equal(asked("joe-no@local.example"), "unknown-user");
}

static void
what_is_wrong_is_told(void **state)
{
	(void)state;
	assert_int_equal(compile_with(",break=ab"), EX_CONFIG);
	says("break= is one character");
	assert_int_equal(compile_with(",nosuch=1"), EX_CONFIG);
	says("no such option of this source");
	file("/q/users/assign", "=x:joe:500:500:/home/joe:-:\n", 0);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("/q/users/assign:1: error: qmail-newu refuses this line");
	file("/q/users/assign", "=x:joe:500:500:/home/joe:-:a:\n", 0);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("has no line with a single dot");
	file("/q/users/assign", "=x:joe:500:500:/home/joe:-:a:\n=Y:joe:0:0:/home/joe:::\n.\n", 0);
	assert_int_equal(compile_with(""), 0);
	says("there is no users/cdb");
	assert_string_equal(asked("x@local.example"), "unknown-user");
	assert_string_equal(asked("y@local.example"), "deferred");
	file("/q/users/cdb", "damaged", 0);
	assert_int_equal(compile_with(""), 0);
	says("/q/users/cdb: warning: damaged");
	assert_string_equal(asked("joe@local.example"), "deferred");
	assert_int_equal(unlink(in_root("/q/control/me")), 0);
	assert_int_equal(unlink(in_root("/q/control/locals")), 0);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("no installation of qmail");
}

static void
vpopmail(void **state)
{
	(void)state;
	dir("/v", 89);
	dir("/v/domains", 89);
	dir("/v/domains/v.example", 89);
	dir("/v/domains/v.example/full", 89);
	dir("/v/domains/v.example/full/Maildir", 89);
	file("/v/domains/v.example/.qmail-default", "| /v/bin/vdelivermail '' delete\n", 89);
	file("/v/domains/v.example/vpasswd",
	    "bob:x:1:0::/v/domains/v.example/bob:NOQUOTA\n"
	    "gone:x:1:16::/v/domains/v.example/gone:NOQUOTA\n"
	    "full:x:1:0::/v/domains/v.example/full:1000S\n",
	    89);
	file("/v/domains/v.example/full/Maildir/maildirsize", "1000S\n1001 1\n", 89);
	file("/q/users/assign", "+v.example-:v.example:89:89:/v/domains/v.example:-::\n.\n", 0);
	file("/q/control/rcpthosts", "v.example\n", 0);
	file("/q/control/virtualdomains", "v.example:v.example\n", 0);
	assert_int_equal(compile_with(""), 0);
	assert_string_equal(asked("bob@v.example"), "accepted");
	assert_string_equal(asked("gone@v.example"), "refused");
	assert_string_equal(asked("full@v.example"), "deferred");
	assert_string_equal(asked("anybody@v.example"), "accepted");
	assert_string_equal(asked("any%body@v.example"), "unknown-user");
	assert_int_equal(unlink(in_root("/v/domains/v.example/vpasswd")), 0);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("/v/domains/v.example/vpasswd: error: there are no users");
}

static void
put_alias(struct cdbfile_maker *m, struct span key, struct span value)
{
	assert_int_equal(cdbfile_maker_add(m, key, value), 0);
}

static void
fastforward(void **state)
{
	struct cdbfile_maker *m;
	int fd;

	(void)state;
	file("/q/alias/.qmail-default", "| fastforward -d /etc/aliases.cdb\n", 7);
	file("/etc/aliases.cdb", "", 0);
	fd = open(in_root("/etc/aliases.cdb"), O_RDWR | O_TRUNC);
	m = cdbfile_maker_new(fd);
	assert_non_null(m);
	put_alias(m, SPAN(":sales@"), SPAN("&joe@local.example\0"));
	put_alias(m, SPAN(":sales@second.example"), SPAN("|exit 100\0"));
	put_alias(m, SPAN(":@third.example"), SPAN("&joe\0&dead@local.example\0"));
	put_alias(m, SPAN(":dead@"), SPAN("&nowhere@local.example\0"));
	put_alias(m, SPAN("?sales@"), SPAN("owner@local.example\0"));
	assert_int_equal(cdbfile_maker_finish(&m), 0);
	close(fd);
	file("/q/control/locals", "local.example\nsecond.example\nthird.example\n", 0);
	file("/q/control/rcpthosts", "local.example\nsecond.example\nthird.example\n", 0);
	assert_int_equal(compile_with(""), 0);
	assert_string_equal(asked("Sales@local.example"), "accepted");
	assert_string_equal(asked("sales@second.example"), "unknown-user");
	assert_string_equal(asked("any@third.example"), "unknown-user");
	assert_string_equal(asked("dead@local.example"), "unknown-user");
	assert_string_equal(asked("other@local.example"), "unknown-user");
	file("/q/alias/.qmail-default", "| fastforward -dp /etc/aliases.cdb\n", 7);
	assert_int_equal(compile_with(""), 0);
	assert_string_equal(asked("other@local.example"), "accepted");
	assert_string_equal(asked("dead@local.example"), "accepted");
	assert_int_equal(unlink(in_root("/etc/aliases.cdb")), 0);
	assert_int_equal(compile_with(""), EX_CONFIG);
	says("/q/alias/.qmail-default:1: error: the table of fastforward cannot be read");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_installation, make, clear),
	    cmocka_unit_test_setup_teardown(programs_need_a_word, make, clear),
	    cmocka_unit_test_setup_teardown(forwards_are_followed, make, clear),
	    cmocka_unit_test_setup_teardown(lists_beside, make, clear),
	    cmocka_unit_test_setup_teardown(what_is_wrong_is_told, make, clear),
	    cmocka_unit_test_setup_teardown(vpopmail, make, clear),
	    cmocka_unit_test_setup_teardown(fastforward, make, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
