#include "lookupd/ldif_source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lookupd/compile.h"
#include "lookupd/ldif.h"
#include "lookupd/lookup.h"
#include "tests/lookupd/databases.h"

/* ---- the parser --------------------------------------------------------------------------------- */

struct seen {
	char text[4096];
	size_t len;
};

static void
say(struct seen *s, const char *what, struct span a, struct span b)
{
	s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s%.*s%s%.*s\n",
	    what, (int)a.len, (const char *)a.p, b.p != NULL ? "=" : "", (int)b.len,
	    (const char *)b.p);
}

static void
on_value(void *context, struct span name, struct span options, struct span value, unsigned line)
{
	(void)options;
	(void)line;
	say(context, "", name, span_of(value.p != NULL ? value.p : (const void *)"", value.len));
}

static void
on_end(void *context)
{
	say(context, ".", span_of(NULL, 0), span_of(NULL, 0));
}

static void
on_error(void *context, const char *error, unsigned line)
{
	char where[16];

	snprintf(where, sizeof(where), "!%u ", line);
	say(context, where, span_str(error), span_of(NULL, 0));
}

/* In: step, octets of a piece; 0: all at once. */
static const char *
parsed(const char *text, size_t step)
{
	static struct seen seen;
	struct ldif_handler handler = {&seen, on_value, on_end, on_error};
	struct ldif *l = ldif_new(&handler);

	assert_non_null(l);
	seen.len = 0;
	seen.text[0] = '\0';
	for (struct span rest = span_str(text); rest.len > 0;) {
		struct span piece = span_head(rest, step > 0 ? step : rest.len);

		ldif_take(l, piece);
		rest = span_from(rest, piece.len);
	}
	ldif_finish(l);
	ldif_free(&l);
	return seen.text;
}

static void
entries_and_values(void **state)
{
	static const struct {
		const char *text, *result;
	} rows[] = {
	    {"", ""},
	    {"\n\n# comment\n", ""},
	    {"version: 1\n\ndn: cn=a\nmail: a@x\n\ndn: cn=b\nmail: b@x",
		"dn=cn=a\nmail=a@x\n.\ndn=cn=b\nmail=b@x\n.\n"},
	    {"dn: cn=a\r\nmail: a\r\n b\r\n\r\n", "dn=cn=a\nmail=ab\n.\n"},
	    {"dn: cn=a\nmail: a\n  b\n", "dn=cn=a\nmail=a b\n.\n"},
	    {"dn: cn=a\n# folded\n  comment: no\nmail:a\n", "dn=cn=a\nmail=a\n.\n"},
	    {"dn:: Y249w6Q=\nmail:: YUB4\nmail:\n", "dn=cn=\xc3\xa4\nmail=a@x\nmail=\n.\n"},
	    {"dn: a\nmail:: YU\n B4\n", "dn=a\nmail=a@x\n.\n"},
	    {"dn: a\nproxyAddresses;range=0-1: x\n", "dn=a\nproxyAddresses=x\n.\n"},
	    {"ref: ldap://y\n", ""},
	    {"version: 2\n", "!1 another version of LDIF\n"},
	    {"mail: a\n", "!1 an entry begins with dn:\n"},
	    {"dn: a\nmail:: Y=Q=\n", "dn=a\n!2 not base64\n.\n"},
	    {"dn: a\nmail:: YQ\n", "dn=a\n!2 not base64\n.\n"},
	    {"dn: a\nmail:: YR==\n", "dn=a\n!2 not base64\n.\n"},
	    {"dn: a\nmail:< file:///etc/passwd\n",
		"dn=a\n!2 a value in another file is not read\n.\n"},
	    {"dn: a\nnonsense\n", "dn=a\n!2 not a line of LDIF: no attribute and colon\n.\n"},
	    {"dn: a\nchangetype: delete\n",
		"dn=a\n!2 a list of changes, not of entries\nchangetype=delete\n.\n"},
	    {" x\n", "!1 not a line of LDIF: no attribute and colon\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(parsed(rows[i].text, 0), rows[i].result);
		assert_string_equal(parsed(rows[i].text, 1), rows[i].result);
	}
}

/* ---- the source ----------------------------------------------------------------------------------- */

static char messages[16384];

/* Compiles; returns the exit status. */
static int
compile_text(const char *text, const char *options, const char *output)
{
	char path[] = "/tmp/gatehouse-ldif-XXXXXX", source[256];
	const char *const sources[] = {source};
	struct compile_options o = {
	    .output = output, .sources = sources, .source_count = 1, .now = 5000};
	int fd = mkstemp(path), status;
	FILE *f = fmemopen(messages, sizeof(messages), "w");

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(source, sizeof(source), "ldif:%s%s", path, options);
	status = compile(&o, f);
	fclose(f);
	unlink(path);
	return status;
}

struct row {
	const char *address;
	enum rcpt_verdict verdict;
};

static void
check(const char *text, const char *options, const struct row *rows)
{
	char output[] = "/tmp/gatehouse-ldifdb-XXXXXX";
	int fd = mkstemp(output);
	struct database *db;
	const char *error;
	bool unreadable;

	assert_true(fd >= 0);
	close(fd);
	unlink(output);
	assert_int_equal(compile_text(text, options, output), 0);
	fd = open(output, O_RDONLY | O_CLOEXEC);
	unlink(output);
	db = loader_load(fd, &error, &unreadable);
	assert_non_null(db);
	for (; rows->address != NULL; rows++) {
		struct address a;
		struct lookup_result r;

		assert_int_equal(address_parse_forward(span_str(rows->address), &a), ADDRESS_OK);
		lookup(db, &a, &r);
		if (r.verdict != rows->verdict)
			fail_msg("%s: %d, not %d", rows->address, r.verdict, rows->verdict);
	}
	database_free(&db);
}

static const char exchange[] =
    "# extended LDIF\nversion: 1\n\n"
    "dn: CN=Alice,DC=example,DC=com\nproxyAddresses: SMTP:Alice@Example.com\n"
    "proxyAddresses: smtp:alice.smith@exam\n ple.com\nproxyAddresses: x500:/o=x/cn=alice\n"
    "proxyAddresses: sip:alice@example.com\nproxyAddresses:: c210cDpib2JAZXhhbXBsZS5jb20=\n"
    "userAccountControl: 512\n\n"
    "dn: CN=Room\nproxyAddresses: SMTP:room@example.com\nuserAccountControl: 514\n\n"
    "dn: CN=Group\nproxyAddresses: SMTP:all@example.com\nmsExchRequireAuthToSendTo: TRUE\n\n"
    "dn: CN=Contact\nproxyAddresses: SMTP:ext@other.example\n"
    "proxyAddresses: smtp:ext@example.com\ntargetAddress: SMTP:ext@other.example\n\n"
    "dn: CN=Forward\nmail: fwd@example.com\ntargetAddress: SMTP:alice@example.com\n\n"
    "dn: CN=Late\nmail: dead@example.com\ntargetAddress: SMTP:gone@example.com\n\n"
    "dn: CN=Circle1\nmail: c1@example.com\ntargetAddress: smtp:c2@example.com\n\n"
    "dn: CN=Circle2\nmail: c2@example.com\ntargetAddress: smtp:c1@example.com\n\n"
    "dn: CN=To the group\nmail: tg@example.com\ntargetAddress: smtp:all@example.com\n\n"
    "dn: CN=Inner\nmail: inner@example.local\n";

static void
directory_of_exchange(void **state)
{
	static const struct row rows[] = {
	    {"alice@example.com", RCPT_ACCEPTED},
	    {"ALICE.smith@example.com", RCPT_ACCEPTED},
	    {"bob@example.com", RCPT_ACCEPTED},
	    {"room@example.com", RCPT_ACCEPTED},
	    {"all@example.com", RCPT_REFUSED},
	    {"ext@example.com", RCPT_REFUSED},
	    {"ext@other.example", RCPT_UNKNOWN_DOMAIN},
	    {"fwd@example.com", RCPT_ACCEPTED},
	    {"dead@example.com", RCPT_UNKNOWN_USER},
	    {"c1@example.com", RCPT_UNKNOWN_USER},
	    {"c2@example.com", RCPT_UNKNOWN_USER},
	    {"tg@example.com", RCPT_UNKNOWN_USER},
	    {"inner@example.local", RCPT_ACCEPTED},
	    {"alice+x@example.com", RCPT_UNKNOWN_USER},
	    {"nobody@example.com", RCPT_UNKNOWN_USER},
	    {NULL, 0},
	};
	static const struct row options[] = {
	    {"alice+x@example.com", RCPT_ACCEPTED},
	    {"room@example.com", RCPT_REFUSED},
	    {"ext@example.com", RCPT_ACCEPTED},
	    {"inner@example.local", RCPT_UNKNOWN_DOMAIN},
	    {NULL, 0},
	};

	(void)state;
	check(exchange, "", rows);
	check(exchange, ",delimiter=+,disabled=refuse,domain=Example.COM,remote=accept", options);
}

static void
directory_of_qmail_ldap(void **state)
{
	static const char text[] =
	    "dn: uid=a\nmail: a@example.com\nmailAlternateAddress: b@example.com\n"
	    "accountStatus: active\n\n"
	    "dn: uid=d\nmail: d@example.com\naccountStatus: disabled\n\n"
	    "dn: uid=e\nmail: e@example.com\naccountStatus: deleted\n\n"
	    "dn: uid=f\nmail: f@example.com\nmailForwardingAddress: a@example.com\n"
	    "deliveryMode: forwardonly\n\n"
	    "dn: uid=g\nmail: g@example.com\nmailForwardingAddress: x@other.example\n\n"
	    "dn: uid=c\nmail: catchall@all.example\nmailAlternateAddress: "
	    "list-catchall@example.com\n";
	static const struct row rows[] = {
	    {"a@example.com", RCPT_ACCEPTED},
	    {"b@example.com", RCPT_ACCEPTED},
	    {"d@example.com", RCPT_REFUSED},
	    {"e@example.com", RCPT_UNKNOWN_USER},
	    {"f@example.com", RCPT_ACCEPTED},
	    {"g@example.com", RCPT_ACCEPTED},
	    {"anybody@all.example", RCPT_ACCEPTED},
	    {"list-x@example.com", RCPT_ACCEPTED},
	    {"list@example.com", RCPT_UNKNOWN_USER},
	    {NULL, 0},
	};

	(void)state;
	check(text, ",catchall", rows);
}

static void
what_is_not_whole_fails(void **state)
{
	static const char *const texts[] = {
	    "",
	    "version: 1\n",
	    "dn: a\ncn: nobody\n",
	    "dn: a\nproxyAddresses;range=0-1499: smtp:a@example.com\n",
	    "dn: a\nmail:: !!!!\n",
	    "dn: a\nmail: a@example.com\n\ndn: b\nmail:< file:///x\n",
	    "<html>no such page</html>\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_not_equal(compile_text(texts[i], "", "/nonexistent/r.cdb"), 0);
	assert_non_null(strstr(messages, "not a line of LDIF"));
	compile_text("dn: a\nproxyAddresses;range=0-*: smtp:a@example.com\n", "", "/nonexistent/x");
	assert_null(strstr(messages, "did not send all"));
	assert_int_not_equal(compile_text(exchange, ",domain=other.test", "/nonexistent/x"), 0);
	assert_non_null(strstr(messages, "names no recipient"));
	compile_text(exchange, ",what=ever", "/nonexistent/x");
	assert_non_null(strstr(messages, "an option is"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_and_values),
	    cmocka_unit_test(directory_of_exchange),
	    cmocka_unit_test(directory_of_qmail_ldap),
	    cmocka_unit_test(what_is_not_whole_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
