/*
 * Whole installations, with programs in the place of postconf, postmap and postalias that
 * answer from files as they do.
 */
#include "lookupd/postfix_source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lookupd/compile.h"
#include "lookupd/lookup.h"
#include "tests/lookupd/databases.h"

static char dir[] = "/tmp/gatehouse-postfix-XXXXXX";
static char messages[65536];

static const char postconf[] =
    "#!/bin/sh\n"
    "dir=$2; shift 3\n"
    "for name; do\n"
    "  grep \"^$name = \" $dir/main.cf || grep \"^$name = \" $dir/defaults ||\n"
    "  echo \"$name = \"\n"
    "done\n";
static const char postmap[] =
    "#!/bin/sh\nsed 's/^\\(\"[^\"]*\"[^ ]*\\|[^ ]*\\) /\\1\\t/' ${5#*:}\n";
static const char postalias[] = "#!/bin/sh\nprintf '@:\\t@\\nYP_MASTER_NAME:\\tx\\n'\n"
				"sed 's/: /:\\t/' ${4#*:}\n";
static const char defaults[] =
    "myhostname = mx.test\nmydomain = test\nmyorigin = mx.test\n"
    "mydestination = mx.test, local.test\nlocal_transport = local:mx.test\n"
    "virtual_transport = virtual\nrelay_transport = relay\ndefault_transport = smtp\n"
    "inet_interfaces = all\nlocal_recipient_maps = proxy:unix:passwd.byname\n"
    "parent_domain_matches_subdomains = relay_domains\nswap_bangpath = yes\n"
    "allow_percent_hack = yes\nappend_at_myorigin = yes\nowner_request_special = yes\n"
    "smtpd_reject_unlisted_recipient = yes\ndouble_bounce_sender = double-bounce\n"
    "empty_address_recipient = MAILER-DAEMON\nvirtual_minimum_uid = 100\n"
    "virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000\n"
    "canonical_classes = envelope_sender, envelope_recipient\n"
    "recipient_canonical_classes = envelope_recipient\n"
    "propagate_unmatched_extensions = canonical, virtual\n"
    "allow_mail_to_commands = alias, forward\nallow_mail_to_files = alias, forward\n"
    "forward_path = $home/.forward${recipient_delimiter}${extension}, $home/.forward\n"
    "virtual_alias_recursion_limit = 1000\nvirtual_alias_expansion_limit = 1000\n";

static char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	/* %D stands for the directory. */
	for (; *text != '\0'; text++)
		if (text[0] == '%' && text[1] == 'D')
			fputs(dir, f), text++;
		else
			fputc(*text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	put_file("postconf", postconf, 0755);
	put_file("postmap", postmap, 0755);
	put_file("postalias", postalias, 0755);
	put_file("defaults", defaults, 0644);
	assert_int_equal(mkdir(path_of("home"), 0755), 0);
	return 0;
}

static int
remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) == 0 ? 0 : -1;
}

struct file {
	const char *name, *text;
};

/* Returns: what compile said. */
static int
compile_installation(const char *main_cf, const struct file *files, const char *options)
{
	char source[512], output[128];
	const char *const sources[] = {source};
	char accounts[512];
	struct compile_options o = {
	    .output = output, .sources = sources, .source_count = 1, .now = 5000};
	FILE *f = fmemopen(messages, sizeof(messages), "w");
	int status;

	snprintf(accounts, sizeof(accounts),
	    "root:x:0:0::/root:/bin/sh\njoe:x:%u:%u::%s/home:/bin/sh\n"
	    "ann:x:9001:9001::/nonexistent:/bin/sh\nCaps:x:9002:9002::/nonexistent:/bin/sh\n",
	    getuid(), getgid(), dir);
	put_file("main.cf", main_cf, 0644);
	put_file("passwd", accounts, 0644);
	for (; files != NULL && files->name != NULL; files++)
		put_file(files->name, files->text, 0644);
	snprintf(output, sizeof(output), "%s/r.cdb", dir);
	unlink(output);
	snprintf(
	    source, sizeof(source), "postfix:%s,bin=%s,passwd=%s/passwd%s", dir, dir, dir, options);
	status = compile(&o, f);
	fclose(f);
	return status;
}

static const char *
answer(const struct database *db, const char *address)
{
	static const char *const names[] = {[RCPT_ACCEPTED] = "accept",
	    [RCPT_UNKNOWN_USER] = "unknown",
	    [RCPT_UNKNOWN_DOMAIN] = "foreign",
	    [RCPT_REFUSED] = "refuse",
	    [RCPT_DEFERRED] = "defer",
	    [RCPT_TROUBLE] = "trouble"};
	struct address a;
	struct lookup_result r;

	assert_int_equal(address_parse_forward(span_str(address), &a), ADDRESS_OK);
	lookup(db, &a, &r);
	return names[r.verdict];
}

struct row {
	const char *address, *verdict;
};

static void
check(const char *main_cf, const struct file *files, const char *options, const struct row *rows)
{
	int fd, status = compile_installation(main_cf, files, options);
	const char *error = "";
	bool unreadable;
	struct database *db;

	if (status != 0)
		fputs(messages, stderr);
	assert_int_equal(status, 0);
	fd = open(path_of("r.cdb"), O_RDONLY | O_CLOEXEC);
	db = loader_load(fd, &error, &unreadable);
	assert_non_null(db);
	for (; rows->address != NULL; rows++)
		if (strcmp(answer(db, rows->address), rows->verdict) != 0)
			fail_msg("%s: %s, not %s", rows->address, answer(db, rows->address),
			    rows->verdict);
	database_free(&db);
}

static void
accounts_are_recipients(void **state)
{
	static const struct row rows[] = {
	    {"joe@local.test", "accept"},
	    {"JOE@MX.Test", "accept"},
	    {"joe@[127.0.0.1]", "accept"},
	    {"joe@[192.0.2.9]", "foreign"},
	    {"caps@local.test", "unknown"}, /* a name with capitals is never found */
	    {"nobody-such@local.test", "unknown"},
	    {"joe+x@local.test", "unknown"},
	    {"joe@other.test", "foreign"},
	    {"postmaster@local.test", "accept"},
	    {"mailer-daemon@local.test", "accept"},
	    {NULL, NULL},
	};

	(void)state;
	check("", NULL, "", rows);
}

static void
extensions(void **state)
{
	static const struct file files[] = {
	    {"aliases", "list: joe\nowner-list: ann\ngone: nouser\npostmaster: joe\n"},
	    {NULL, NULL}};
	static const struct row rows[] = {
	    {"joe+x@local.test", "accept"},
	    {"joe+@local.test", "accept"},
	    {"joe-x+y@local.test", "accept"},
	    {"+x@local.test", "unknown"},
	    {"+joe+x@local.test", "unknown"},
	    {"list-x@local.test", "accept"},
	    {"owner-list@local.test", "accept"},
	    {"owner-none@local.test", "unknown"},
	    {"joe-request@local.test", "unknown"},
	    {"joe-x-request@local.test", "unknown"},
	    {"joe+request@local.test", "accept"},
	    {"postmaster+x@local.test", "accept"},
	    {"mailer-daemon+x@local.test", "unknown"},
	    {"gone+x@local.test", "unknown"},
	    {NULL, NULL},
	};

	(void)state;
	check("recipient_delimiter = -+\nalias_maps = hash:%D/aliases\n"
	      "local_recipient_maps = proxy:unix:passwd.byname hash:%D/aliases\n",
	    files, "", rows);
}

static void
aliases(void **state)
{
	static const struct file files[] = {
	    {"aliases",
		"good: joe\ndead: nouser\nboth: joe, nouser\nfar: x@other.test\nloop1: loop2\n"
		"loop2: loop1\nfalse: \"|/bin/false\"\ntrue: |/bin/true\nlater: \"|exit 75\"\n"
		"prog: \"|/nonexistent/program x\"\nshell: \"|IFS=' ' && exec foo\"\n"
		"file: /var/mail/x\ninc: :include:%D/list\nnoinc: :include:/nonexistent/list\n"
		"ann: joe\nbig: good, both\nself: self, joe\nin.dead: :include:%D/deadlist\n"
		"cmd: :include:%D/cmdlist\n"},
	    {"list", "# people\njoe\nann@local.test\n"}, {"deadlist", "nouser\n"},
	    {"cmdlist", "|/bin/true\n"}, {NULL, NULL}};
	static const struct row rows[] = {
	    {"good@local.test", "accept"},
	    {"dead@local.test", "unknown"},
	    {"both@local.test", "accept"},
	    {"far@local.test", "accept"},
	    {"loop1@local.test", "unknown"},
	    {"false@local.test", "unknown"},
	    {"true@local.test", "accept"},
	    {"later@local.test", "defer"},
	    {"prog@local.test", "unknown"},
	    {"shell@local.test", "accept"},
	    {"file@local.test", "accept"},
	    {"inc@local.test", "accept"},
	    {"noinc@local.test", "unknown"},
	    {"in.dead@local.test", "unknown"},
	    {"cmd@local.test", "unknown"},
	    {"ann@local.test", "accept"},
	    {"big@local.test", "accept"},
	    {NULL, NULL},
	};

	(void)state;
	check("alias_maps = hash:%D/aliases\n"
	      "local_recipient_maps = proxy:unix:passwd.byname hash:%D/aliases\n",
	    files, ",remote=accept", rows);
}

static void
forward_files(void **state)
{
	static const struct file dead[] = {{"home/.forward", "nouser\n"},
	    {"home/.forward+ok", "ann\n"}, {"home/.forward+defer", "\"|exit 75\"\n"}, {NULL, NULL}};
	static const struct row dead_rows[] = {
	    {"joe@local.test", "unknown"},
	    {"joe+ok@local.test", "accept"},
	    {"joe+defer@local.test", "defer"},
	    {"joe+any@local.test", "unknown"},
	    {NULL, NULL},
	};
	static const struct file own[] = {{"home/.forward", "joe, ann\n"}, {NULL, NULL}};
	static const struct row own_rows[] = {
	    {"joe@local.test", "accept"}, {"joe+any@local.test", "accept"}, {NULL, NULL}};

	(void)state;
	check("recipient_delimiter = +\n", dead, "", dead_rows);
	unlink(path_of("home/.forward+ok"));
	unlink(path_of("home/.forward+defer"));
	check("recipient_delimiter = +\n", own, "", own_rows);
	/* Writable by everybody: Postfix does not read it. */
	put_file("home/.forward", "nouser\n", 0666);
	check("recipient_delimiter = +\n", NULL, "", own_rows);
	unlink(path_of("home/.forward"));
}

static void
virtual_aliases(void **state)
{
	static const struct file files[] = {
	    {"virtual", "ok@va.test joe@local.test\nbad@va.test nouser@local.test\n"
			"self@va.test self@va.test\nloopa@va.test loopb@va.test\n"
			"loopb@va.test loopa@va.test\n@all.test joe@local.test\n"
			"no@all.test nouser@local.test\n@twin.test @local.test\n"
			"joe+dead@local.test nouser@local.test\n\"sp ace\"@va.test joe\n"
			"u+x@va.test nouser@local.test\nu@va.test joe@local.test\n"
			"vm@vm.test nobody@vm.test\nbare joe\n"},
	    {"mailbox", "bob@vm.test bob/\nUpper@vm.test up/\n@vc.test all/\n"}, {NULL, NULL}};
	static const struct row rows[] = {
	    {"ok@va.test", "accept"},
	    {"ok+any@va.test", "accept"},
	    {"ok+dead@va.test", "unknown"}, /* the extension goes along, and is found there */
	    {"bad@va.test", "unknown"},
	    {"none@va.test", "unknown"},
	    {"self@va.test", "unknown"},
	    {"loopa@va.test", "defer"},
	    {"anybody@all.test", "accept"},
	    {"no@all.test", "unknown"},
	    {"joe@twin.test", "accept"},
	    {"joe+x@twin.test", "accept"},
	    {"joe+dead@twin.test", "unknown"},
	    {"none@twin.test", "unknown"},
	    {"\"sp ace\"@va.test", "accept"},
	    {"u+x@va.test", "unknown"},
	    {"u+y@va.test", "accept"},
	    {"bob@vm.test", "accept"},
	    {"vm@vm.test", "unknown"},
	    {"upper@vm.test", "unknown"},
	    {"x@vc.test", "accept"},
	    {"bare@mx.test", "accept"},
	    {"bare@va.test", "unknown"},
	    {"postmaster@va.test", "unknown"},
	    {NULL, NULL},
	};

	(void)state;
	check(
	    "recipient_delimiter = +\nvirtual_alias_domains = va.test all.test twin.test\n"
	    "virtual_alias_maps = texthash:%D/virtual\nvirtual_mailbox_domains = vm.test vc.test\n"
	    "virtual_mailbox_maps = texthash:%D/mailbox\n",
	    files, "", rows);
}

static void
temporary_mailboxes(void **state)
{
	static const struct file files[] = {{"mailbox", "bob@vm.test bob/\nlow@vm.test low/\n"},
	    {"uids", "bob@vm.test 5000\nlow@vm.test 10\n"}, {NULL, NULL}};
	static const struct row rows[] = {
	    {"bob@vm.test", "accept"}, {"low@vm.test", "defer"}, {NULL, NULL}};

	(void)state;
	check("virtual_mailbox_domains = vm.test\nvirtual_mailbox_maps = texthash:%D/mailbox\n"
	      "virtual_uid_maps = texthash:%D/uids\n",
	    files, "", rows);
}

static void
transports(void **state)
{
	static const struct file files[] = {
	    {"transport", "dead.test error:5.1.2 gone\nboom@local.test error:no\n"
			  "wait@local.test retry:\njoe@mx.test discard:\n"},
	    {"relocated", "moved@local.test new@else.where\n"},
	    {"canonical", "old@local.test joe@local.test\nghost@local.test nouser@local.test\n"},
	    {"users", "boom x\nwait x\nmoved x\njoe x\nnone x\nread x\n"},
	    {"virtual", "none@local.test joe@mx.test, nouser\nread@local.test joe@mx.test, ann\n"},
	    {NULL, NULL}};
	static const struct row rows[] = {
	    {"none@local.test", "unknown"}, /* what is thrown away is no mailbox that gets it */
	    {"read@local.test", "accept"},
	    {"boom@local.test", "refuse"},
	    {"boom@mx.test", "unknown"}, /* listed, but local(8) has no such account */
	    {"wait@local.test", "defer"},
	    {"joe@mx.test", "accept"},
	    {"joe@dead.test", "refuse"},
	    {"moved@local.test", "refuse"},
	    {"old@local.test", "accept"},
	    {"ghost@local.test", "unknown"},
	    {NULL, NULL},
	};

	(void)state;
	check("mydestination = mx.test local.test dead.test\n"
	      "transport_maps = hash:%D/transport\nrelocated_maps = hash:%D/relocated\n"
	      "canonical_maps = hash:%D/canonical\nlocal_recipient_maps = hash:%D/users\n"
	      "virtual_alias_maps = hash:%D/virtual\n",
	    files, "", rows);
}

static void
the_relay_of_unknown_users(void **state)
{
	static const struct file files[] = {
	    {"virtual", "x@va.test lost@local.test\nz@va.test lost@mx.test\n"
			"y@va.test lost@local.test, joe\n"},
	    {"aliases", "twice: joe, nouser\n"}, {NULL, NULL}};
	static const struct row kept[] = {{"any@local.test", "accept"}, {"x@va.test", "accept"},
	    {"twice@mx.test", "accept"}, {NULL, NULL}};
	/* Postfix drops without a word what luser_relay leads back to the name in another domain. */
	static const struct row lost[] = {
	    {"any@local.test", "unknown"},
	    {"any@mx.test", "unknown"},
	    {"lost@local.test", "unknown"},
	    {"lost@mx.test", "unknown"},
	    {"x@va.test", "unknown"},
	    {"y@va.test", "accept"},
	    {"z@va.test", "unknown"},
	    {"joe@local.test", "accept"},
	    {NULL, NULL},
	};
	static const char base[] = "local_recipient_maps = \nvirtual_alias_domains = va.test\n"
				   "virtual_alias_maps = hash:%D/virtual\n"
				   "alias_maps = hash:%D/aliases\n";
	char main_cf[256];

	(void)state;
	snprintf(main_cf, sizeof(main_cf), "%sluser_relay = joe\n", base);
	check(main_cf, files, ",strict=yes", kept);
	snprintf(main_cf, sizeof(main_cf), "%sluser_relay = lost\n", base);
	check(main_cf, files, "", lost);
	snprintf(main_cf, sizeof(main_cf), "%sluser_relay = Lost@MX.test\n", base);
	check(main_cf, files, "", lost);
}

/* "joe-request" is no extension of joe, but "joe-request+l" is. */
static void
requests_behind_the_relay(void **state)
{
	static const struct file files[] = {{"aliases", "dead: nouser\n"}, {NULL, NULL}};
	static const struct row rows[] = {
	    {"joe-request@local.test", "accept"},
	    {"joe-request@mx.test", "accept"},
	    {"dead-request@mx.test", "unknown"},
	    {"none-request@mx.test", "unknown"},
	    {"owner-joe@mx.test", "unknown"},
	    {NULL, NULL},
	};

	(void)state;
	check("recipient_delimiter = -+\nluser_relay = $user+l@local.test\n"
	      "local_recipient_maps = \nalias_maps = hash:%D/aliases\n",
	    files, "", rows);
}

static void
what_cannot_be_listed_is_refused(void **state)
{
	static const struct row accepted[] = {
	    {"joe@local.test", "accept"}, {"any@va.test", "accept"}, {NULL, NULL}};
	static const struct row deferred[] = {
	    {"joe@local.test", "accept"}, {"any@va.test", "defer"}, {NULL, NULL}};
	static const struct row ignored[] = {
	    {"joe@local.test", "accept"}, {"any@va.test", "unknown"}, {NULL, NULL}};
	static const char main_cf[] = "virtual_alias_domains = va.test\n"
				      "virtual_alias_maps = proxy:ldap:/etc/postfix/users\n";

	(void)state;
	assert_int_not_equal(compile_installation(main_cf, NULL, ""), 0);
	assert_non_null(strstr(messages, "virtual_alias_maps = ldap:/etc/postfix/users"));
	check(main_cf, NULL, ",map:ldap:/etc/postfix/users=accept", accepted);
	check(main_cf, NULL, ",map:ldap:/etc/postfix/users=defer", deferred);
	check(main_cf, NULL, ",map:ldap:/etc/postfix/users=ignore", ignored);
	assert_int_not_equal(compile_installation("", NULL, ",map:ldap:/etc/x=ignore"), 0);
	assert_non_null(strstr(messages, "no parameter names this table"));
	assert_int_not_equal(compile_installation("", NULL, ",what=ever"), 0);
}

static void
rules(void **state)
{
	static const struct file files[] = {
	    {"virtual", "u@va.test ann@local.test\nre-7@va.test nouser@local.test\n"},
	    {"rules",
		"# comment\n/^re-[0-9]+@va\\.test$/ joe@local.test\n"
		"/^dead-.*@va\\.test$/\n  nouser@local.test\n/^(.*)@dyn\\.test$/ $1@local.test\n"},
	    {NULL, NULL}};
	static const struct row rows[] = {
	    {"re-12@va.test", "accept"},
	    {"RE-12@VA.test", "accept"},
	    {"re-7@va.test", "unknown"}, /* the table before it has it */
	    {"re-x@va.test", "unknown"},
	    {"re-12+x@va.test", "unknown"}, /* rules see the whole address only */
	    {"dead-x@va.test", "unknown"},
	    {"u+x@va.test", "accept"},
	    {"any@dyn.test", "defer"},
	    {"any@va.test", "unknown"},
	    {NULL, NULL},
	};
	static const char main_cf[] =
	    "recipient_delimiter = +\nvirtual_alias_domains = va.test dyn.test\n"
	    "virtual_alias_maps = hash:%D/virtual regexp:%D/rules\n";
	char options[128];

	(void)state;
	assert_int_not_equal(compile_installation(main_cf, files, ""), 0);
	assert_non_null(strstr(messages, "/rules:5: error: the result of this rule depends"));
	snprintf(options, sizeof(options), ",rule:%s/rules:5=defer", dir);
	check(main_cf, files, options, rows);
	put_file("rules", "if /x/\n/a/ b\nendif\n", 0644);
	assert_int_not_equal(
	    compile_installation("virtual_alias_maps = regexp:%D/rules\n", NULL, ""), 0);
	assert_non_null(strstr(messages, "/rules:1: error: if, endif"));
	assert_int_not_equal(
	    compile_installation("relay_recipient_maps = regexp:%D/rules\n", NULL, ""), 0);
	assert_non_null(strstr(messages, "relay_recipient_maps = regexp:"));
}

static void
programs_that_fail_fail_the_compile(void **state)
{
	(void)state;
	assert_int_not_equal(
	    compile_installation("alias_maps = hash:/nonexistent/aliases\n", NULL, ""), 0);
	assert_non_null(strstr(messages, "exit status"));
	put_file("postconf", "#!/bin/sh\nexit 0\n", 0755);
	assert_int_not_equal(compile_installation("", NULL, ""), 0);
	assert_non_null(strstr(messages, "postconf does not know the parameter"));
	put_file("postconf", "#!/bin/sh\nexit 3\n", 0755);
	assert_int_not_equal(compile_installation("", NULL, ""), 0);
	put_file("postconf", postconf, 0755);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(accounts_are_recipients),
	    cmocka_unit_test(extensions),
	    cmocka_unit_test(aliases),
	    cmocka_unit_test(forward_files),
	    cmocka_unit_test(virtual_aliases),
	    cmocka_unit_test(temporary_mailboxes),
	    cmocka_unit_test(transports),
	    cmocka_unit_test(the_relay_of_unknown_users),
	    cmocka_unit_test(requests_behind_the_relay),
	    cmocka_unit_test(what_cannot_be_listed_is_refused),
	    cmocka_unit_test(rules),
	    cmocka_unit_test(programs_that_fail_fail_the_compile),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
