/* supervisor/conf_file.h: gatehouse.conf, and everything in it that is refused. */
#include "supervisor/conf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct conf_errors errors;

static struct conf *
read_text(const char *text, struct conf_lines **lines_out)
{
	errors = (struct conf_errors){0};
	return conf_text_read(span_str(text), "f", &errors, lines_out);
}

static const char whole_file[] = "# comment\n"
				 "hostname   = \"mx1.example.net\"\n"
				 "listen     = { \"0.0.0.0:25\",\n"
				 "               \"[::]:25\" }   // another\n"
				 "/* and\n"
				 "   a third */\n"
				 "recipients = '/srv/a \"b\".cdb'\n"
				 "log = syslog\n"
				 "backend mailstore {\n"
				 "    servers = { \"192.0.2.10:628\", \"192.0.2.11:628\", }\n"
				 "    message_size = 36700160\n"
				 "}\n"
				 "backend \"other\" { servers = \"192.0.2.12:628\" }\n"
				 "dns { }\n"
				 "spf { fail = \"reject\" check = false }\n"
				 "postmaster = \"a\\\"b\\\\c@example.com\"\n";

static void
a_whole_file(void **state)
{
	struct conf_lines *lines;
	struct conf *conf = read_text(whole_file, &lines);

	(void)state;
	assert_int_equal(errors.count, 0);
	assert_non_null(conf);
	assert_string_equal(conf->top.hostname, "mx1.example.net");
	assert_int_equal(conf->top.listen.count, 2);
	assert_string_equal(conf->top.recipients, "/srv/a \"b\".cdb");
	assert_int_equal(conf->top.log, CONF_LOG_SYSLOG);
	assert_int_equal(conf->backend_count, 2);
	assert_string_equal(conf->backend[0].title, "mailstore");
	assert_int_equal(conf->backend[0].servers.count, 2);
	assert_string_equal(conf->backend[1].servers.items[0], "192.0.2.12:628");
	assert_int_equal(conf->spf.fail, CONF_RULE_REJECT);
	assert_string_equal(conf->top.postmaster, "a\"b\\c@example.com");
	assert_string_equal(conf_lines_file(lines), "f");
	assert_int_equal(conf_lines_find(lines, "hostname"), 2);
	assert_int_equal(conf_lines_find(lines, "listen"), 3);
	assert_int_equal(conf_lines_find(lines, "backend.mailstore.message_size"), 11);
	assert_int_equal(conf_lines_find(lines, "spf.fail"), 15);
	assert_int_equal(conf_lines_find(lines, "postmaster"), 16);
	assert_int_equal(conf_lines_find(lines, "workers"), 0);
	conf_lines_free(&lines);
	conf_free(&conf);
}

static void
an_empty_file_is_all_defaults(void **state)
{
	struct conf *conf = read_text("", NULL);

	(void)state;
	assert_non_null(conf);
	assert_int_equal(conf->limits.sessions, 1000);
	conf_free(&conf);
	conf = read_text("\n# nothing\r\n", NULL);
	assert_non_null(conf);
	conf_free(&conf);
}

/* Each row is refused with exactly these messages, in this order. */
static const struct {
	const char *name, *text;
	const char *messages[8];
} refused[] = {
    {"unknown key", "hostname = a\nhostnam = b\n", {"f:2: no such option 'hostnam'"}},
    {"unknown key in a section", "limits {\n\n sesions = 10 }\n",
	{"f:3: no such option 'sesions'"}},
    {"unknown section", "arc { check = true }\n", {"f:1: no such option 'arc'"}},
    {"include", "include(\"/etc/passwd\")\n",
	{"f:1: \"(\" may only stand in a string", "f:1: \")\" may only stand in a string"}},
    {"the root by name", "top { hostname = a }\n", {"f:1: no such option 'top'"}},
    {"bad values, all of them", "workers = 65\nbare_lf = x\nspf { check = 1 }\n",
	{"f:1: workers: must be a number from 0 to 64 (processes)",
	    "f:2: bare_lf: must be one of: normalize, reject",
	    "f:3: spf.check: must be true or false"}},
    {"scalar twice", "hostname = a\n\nhostname = a\n",
	{"f:3: hostname: has already been set on line 1"}},
    {"scalar twice over two sections", "limits { errors = 5 }\nlimits {\n errors = 5 }\n",
	{"f:3: limits.errors: has already been set on line 1"}},
    {"list twice", "listen = { a, b }\nlisten = { c, d }\n",
	{"f:2: listen: has already been set on line 1"}},
    {"list twice without braces", "listen = a\nlisten = b\n",
	{"f:2: listen: has already been set on line 1"}},
    {"list added to", "listen = a\nlisten += b\n",
	{"f:2: \"+=\" is not offered; write the list in one place"}},
    {"empty list", "listen = { }\n", {"f:1: an empty list; leave the option out instead"}},
    {"list for a scalar", "hostname = { a }\n", {"f:1: unexpected token '{'"}},
    {"title twice", "backend a { servers = x }\nbackend a { servers = y }\n",
	{"f:2: found duplicate title 'a'"}},
    {"title with a dot", "backend a.b { message_size = 1 }\n",
	{"f:1: backend.a.b.message_size: the title must be 1 to 32 letters, digits, \"-\" and "
	 "\"_\""}},
    {"no title", "backend { servers = x }\n", {"f:1: missing title for section 'backend'"}},
    {"nothing in a titled section", "hostname = a\nbackend a { }\n",
	{"f:2: backend a: sets nothing"}},
    {"section without its end", "hostname = a\nlimits {\n  errors = 5\n",
	{"f:2: the \"{\" on this line has no \"}\""}},
    {"section without its end, no line feed", "limits { errors = 5",
	{"f:1: the \"{\" on this line has no \"}\""}},
    {"an end too many", "limits { }\n}\n", {"f:2: \"}\" without \"{\""}},
    {"string without its end", "hostname = \"a\nlog = syslog\n",
	{"f:1: the string has no end on this line"}},
    {"string without its end, last", "hostname = 'a", {"f:1: the string has no end on this line"}},
    {"comment without its end", "\n/* hostname = a\n\n",
	{"f:2: the comment that begins here has no end"}},
    {"environment", "hostname = ${HOSTNAME}\n",
	{"f:1: variables of the environment are not expanded"}},
    {"environment in a string", "\nhostname = \"a${HOSTNAME}\"\n",
	{"f:2: variables of the environment are not expanded"}},
    {"escape that would cut", "hostname = \"a\\x00b\"\n",
	{"f:1: only \\\" and \\\\ may follow a backslash in a string"}},
    {"reaching into a section", "limits|sessions = 20\n",
	{"f:1: \"|\" may only stand in a string"}},
    {"octet that would be dropped", "workers = 1*\n", {"f:1: \"*\" may only stand in a string"}},
    {"slash that would be dropped", "workers = / 1\n",
	{"f:1: \"/\" may only stand in a word or a string"}},
    {"control character", "workers = \001 1\n", {"f:1: a control character"}},
    {"no equal sign", "hostname \"a\"\n", {"f:1: missing equal sign after option 'hostname'"}},
    {"no value", "hostname =\n", {"f:2: premature end of file"}},
    {"no value, and more", "hostname = = a\n", {"f:1: unexpected token '='"}},
    {"no comma", "listen = { a b }\n", {"f:1: unexpected token 'b'"}},
    {"two values", "hostname = a b\n", {"f:1: no such option 'b'"}},
    {"empty value", "hostname = \"\"\n", {"f:1: hostname: must not be empty"}},
    {"foreign octets", "h\377\033 = a\n", {"f:1: a control character"}},
    {"foreign octets in a name", "h\377 = a\n", {"f:1: no such option 'h?'"}},
};

static void
what_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		unsigned n = 0;

		print_message("  %s\n", refused[i].name);
		assert_null(read_text(refused[i].text, NULL));
		for (; n < conf_errors_kept(&errors) && refused[i].messages[n] != NULL; n++)
			assert_string_equal(errors.text[n], refused[i].messages[n]);
		assert_int_equal(n, errors.count);
		assert_null(refused[i].messages[n]);
	}
}

/* What is left over from a refused text must not change how the next one is read. */
static void
a_refused_text_leaves_nothing_behind(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct conf *conf;

		read_text(refused[i].text, NULL);
		conf = read_text(whole_file, NULL);
		assert_non_null(conf);
		conf_free(&conf);
	}
}

/* Cutting the file anywhere is never a silent success with half a section. */
static void
a_file_cut_anywhere(void **state)
{
	char text[sizeof(whole_file)];

	(void)state;
	for (size_t len = 0; len < sizeof(whole_file) - 1; len++) {
		struct conf *conf;

		memcpy(text, whole_file, len);
		text[len] = '\0';
		conf = read_text(text, NULL);
		assert_true((conf == NULL) == (errors.count > 0));
		if (conf != NULL && conf->backend_count > 0)
			assert_int_equal(conf->backend[0].message_size, 36700160);
		conf_free(&conf);
	}
}

static void
errors_beyond_those_kept_are_counted(void **state)
{
	char text[4096] = "";

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		strcat(text, "workers = 99\n");
	assert_null(read_text(text, NULL));
	assert_int_equal(errors.count, 50);
	assert_int_equal(conf_errors_kept(&errors), CONF_ERRORS_KEPT);
}

static void
a_nul_octet(void **state)
{
	static const char text[] = "hostname = \"a\0b\"\nlog = a\0b\n";

	(void)state;
	errors = (struct conf_errors){0};
	assert_null(conf_text_read(span_of(text, sizeof(text) - 1), "f", &errors, NULL));
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.text[0], "f:1: a NUL octet");
	assert_string_equal(errors.text[1], "f:2: a control character");
}

static void
files(void **state)
{
	char path[] = "/tmp/gatehouse-conf-XXXXXX";
	int fd = mkstemp(path);
	struct conf *conf;

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, whole_file, sizeof(whole_file) - 1), sizeof(whole_file) - 1);
	errors = (struct conf_errors){0};
	conf = conf_file_read(path, &errors, NULL);
	assert_non_null(conf);
	conf_free(&conf);
	assert_int_equal(ftruncate(fd, CONF_FILE_MAX + 1), 0);
	assert_null(conf_file_read(path, &errors, NULL));
	assert_non_null(strstr(errors.text[0], "is longer than a configuration can be"));
	close(fd);
	unlink(path);
	assert_null(conf_file_read(path, &errors, NULL));
	assert_non_null(strstr(errors.text[1], "No such file or directory"));
	assert_null(conf_file_read("/tmp", &errors, NULL));
	assert_string_equal(errors.text[2], "/tmp: is not a regular file");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_file),
	    cmocka_unit_test(an_empty_file_is_all_defaults),
	    cmocka_unit_test(what_is_refused),
	    cmocka_unit_test(a_refused_text_leaves_nothing_behind),
	    cmocka_unit_test(a_file_cut_anywhere),
	    cmocka_unit_test(errors_beyond_those_kept_are_counted),
	    cmocka_unit_test(a_nul_octet),
	    cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
