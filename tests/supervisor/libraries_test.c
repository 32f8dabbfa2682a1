/* supervisor/libraries.h: what validator has inside against what dpkg says is installed. */
#include "supervisor/libraries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SSL "libssl-dev 3.0.17-1~deb12u2 openssl 3.0.17-1~deb12u2\n"
#define SPF "libspf2-dev 1.2.10-7.2+b1 libspf2 1.2.10-7.2\n"

#define STATUS "Status: install ok installed\n"
#define LIBSSL3(version) \
	"Package: libssl3\n" STATUS "Architecture: amd64\nSource: openssl\nVersion: " version "\n" \
	"\n"
#define LIBSSL_DEV(version) \
	"Package: libssl-dev\n" STATUS "Source: openssl\nVersion: " version \
	"\nDescription: x\n .\n y\n\n"
#define OTHER "Package: adduser\n" STATUS "Version: 9.9\n\n"

/* What is outdated, as "PACKAGE VERSION HERE;" for each. */
static const struct {
	const char *name, *record, *status, *outdated;
} rows[] = {
    {"the same", SSL, OTHER LIBSSL3("3.0.17-1~deb12u2") OTHER, ""},
    {"newer", SSL, OTHER LIBSSL3("3.0.18-1~deb12u1") OTHER,
	"libssl-dev 3.0.17-1~deb12u2 3.0.18-1~deb12u1;"},
    {"newer, not by octets", SSL, LIBSSL3("3.0.17-1~deb12u10"),
	"libssl-dev 3.0.17-1~deb12u2 3.0.17-1~deb12u10;"},
    {"older: the host waits for its updates", SSL, LIBSSL3("3.0.16-1~deb12u1"), ""},
    {"the package itself, and what it is made for", SSL,
	LIBSSL_DEV("3.0.18-1~deb12u1") LIBSSL3("3.0.18-1~deb12u1"),
	"libssl-dev 3.0.17-1~deb12u2 3.0.18-1~deb12u1;"},
    {"left behind by an upgrade", "libssl-dev 3.5.1-1 openssl 3.5.1-1\n",
	LIBSSL3("3.0.17-1") "Package: libssl3t64\n" STATUS
			    "Source: openssl\nVersion: 3.5.1-1\n\n" LIBSSL3("3.0.16-1"),
	""},
    {"left behind, and the other one is newer", "libssl-dev 3.5.0-1 openssl 3.5.0-1\n",
	LIBSSL3("3.0.17-1") "Package: libssl3t64\n" STATUS
			    "Source: openssl\nVersion: 3.5.1-1\n\n" LIBSSL3("3.0.16-1"),
	"libssl-dev 3.5.0-1 3.5.1-1;"},
    {"two architectures", SSL,
	LIBSSL3("3.0.18-1~deb12u1") "Package: libssl3\n" STATUS
				    "Architecture: i386\nSource: openssl\nVersion: "
				    "3.0.18-1~deb12u1\n\n",
	"libssl-dev 3.0.17-1~deb12u2 3.0.18-1~deb12u1;"},
    {"no package of that source", SSL, OTHER, ""},
    {"no package at all", SSL, "", ""},
    {"a package that bears the name of its source", "libbsd-dev 1-1 libbsd 1-1\n",
	"Package: libbsd\n" STATUS "Version: 1-2\n", "libbsd-dev 1-1 1-2;"},
    {"not its source", SSL, "Package: openssl\n" STATUS "Source: other\nVersion: 9\n\n", ""},
    {"built again from the same source", SPF,
	"Package: libspf2-2\n" STATUS "Source: libspf2 (1.2.10-7.2)\nVersion: 1.2.10-7.2+b3\n\n",
	""},
    {"a source with a version of its own", SPF,
	"Package: libspf2-2\n" STATUS "Source: libspf2 (1.2.10-8)\nVersion: 4:7\n\n",
	"libspf2-dev 1.2.10-7.2+b1 1.2.10-8;"},
    {"two of two", SSL SPF,
	"Package: libspf2-2\n" STATUS "Source: libspf2\nVersion: 1.3\n\n" LIBSSL3("3.1"),
	"libssl-dev 3.0.17-1~deb12u2 3.1;libspf2-dev 1.2.10-7.2+b1 1.3;"},
    /* states of dpkg */
    {"removed, its configuration kept", SSL,
	"Package: libssl3\nStatus: deinstall ok config-files\nSource: openssl\nVersion: 4\n\n", ""},
    {"not installed", SSL,
	"Package: libssl3\nStatus: install ok not-installed\nSource: openssl\nVersion: 4\n\n", ""},
    {"half installed", SSL,
	"Package: libssl3\nStatus: install reinstreq half-installed\nSource: openssl\nVersion: "
	"4\n\n",
	""},
    {"held", SSL, "Package: libssl3\nStatus: hold ok installed\nSource: openssl\nVersion: 4\n\n",
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"unpacked", SSL,
	"Package: libssl3\nStatus: install ok unpacked\nSource: openssl\nVersion: 4\n\n",
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"waits for triggers", SSL,
	"Package: libssl3\nStatus: install ok triggers-awaited\nSource: openssl\nVersion: 4\n\n",
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"no status", SSL, "Package: libssl3\nSource: openssl\nVersion: 4\n\n", ""},
    /* the forms of the file */
    {"fields in another order and case", SSL,
	"version:4\nSOURCE:\topenssl\t\nstatus:install ok installed\nPackage: libssl3\n\n",
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"no line end at the end", SSL, "Package: libssl3\n" STATUS "Source: openssl\nVersion: 4",
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"fields inside a text", SSL,
	"Package: x\n" STATUS "Version: 4\nDescription: y\n Source: openssl\n Version: 5\n\n", ""},
    {"one paragraph says nothing of the next", SSL,
	"Package: x\n" STATUS "Source: openssl\n\nPackage: y\n" STATUS "Version: 4\n\n", ""},
    {"no version", SSL, "Package: libssl3\n" STATUS "Source: openssl\n\n", ""},
    {"no number of a version", SSL, LIBSSL3("4\033[31m"), ""},
    {"a source that is none", SSL, "Package: openssl\n" STATUS "Source: (4)\nVersion: 4\n\n",
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"nothing but colons", SSL, ":\n::\n:::\n\n\n\n", ""},
    /* the forms of the record */
    {"no record", "", LIBSSL3("4"), ""},
    {"comments", "# made without dpkg-query: not known\n#\n\n" SSL, LIBSSL3("4"),
	"libssl-dev 3.0.17-1~deb12u2 4;"},
    {"too few words", "libssl-dev\nlibssl-dev 3\nlibssl-dev 3 openssl\n", LIBSSL3("4"), ""},
    {"too many words", "libssl-dev 3 openssl 3 more\n", LIBSSL3("4"), ""},
    {"octets that no name has", "libssl-dev 3 open\033ssl 3\nlibssl-dev 3\" openssl 3\n",
	LIBSSL3("4"), ""},
    {"a good line after bad ones", "x\n\033\n" SSL, LIBSSL3("4"), "libssl-dev 3.0.17-1~deb12u2 4;"},
    {"no line end", "libssl-dev 3 openssl 3", LIBSSL3("4"), "libssl-dev 3 4;"},
    {"blanks", "  libssl-dev\t3   openssl 3  \n", LIBSSL3("4"), "libssl-dev 3 4;"},
};

static FILE *
over(const char *text)
{
	FILE *file = *text != '\0' ? fmemopen((void *)(uintptr_t)text, strlen(text), "r")
	                           : fopen("/dev/null", "r");

	assert_non_null(file);
	return file;
}

static void
compare(const char *record, const char *status, struct libraries *out)
{
	FILE *file = over(record);

	libraries_read(file, out);
	fclose(file);
	file = over(status);
	libraries_compare(file, out);
	fclose(file);
}

static const char *
outdated(const struct libraries *libraries)
{
	static char said[16384];

	said[0] = '\0';
	for (unsigned i = 0; i < libraries->count; i++) {
		const struct library *l = &libraries->item[i];
		size_t len = strlen(said);

		if (library_is_outdated(l))
			snprintf(said + len, sizeof(said) - len, "%s %s %s;", l->package,
			    l->version, l->here);
	}
	return said;
}

static void
test_rows(void **state)
{
	struct libraries libraries;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		compare(rows[i].record, rows[i].status, &libraries);
		if (strcmp(outdated(&libraries), rows[i].outdated) != 0)
			fail_msg("%s: %s", rows[i].name, outdated(&libraries));
	}
}

/* `count` times `unit`, then `last`. Owned by the caller. */
static char *
many(size_t count, const char *unit, const char *last)
{
	size_t len = strlen(unit);
	char *text = malloc(count * len + strlen(last) + 1);

	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * len, unit, len);
	memcpy(text + count * len, last, strlen(last) + 1);
	return text;
}

static void
test_long_words_and_lines(void **state)
{
	struct libraries libraries;
	char *digits = many(LIBRARY_WORD, "1", ""), text[4096];

	(void)state;
	/* A version one digit too long is not compared; the longest is. */
	snprintf(text, sizeof(text), "libssl-dev %s openssl %s\n", digits, digits);
	compare(text, LIBSSL3("4"), &libraries);
	assert_int_equal(libraries.count, 0);
	snprintf(text, sizeof(text), "Package: libssl3\n" STATUS "Source: openssl\nVersion: %s\n\n",
	    digits);
	compare(SSL, text, &libraries);
	assert_string_equal(libraries.item[0].here, "");
	snprintf(text, sizeof(text), "Package: libssl3\n" STATUS "Source: openssl\nVersion: %s\n\n",
	    digits + 1);
	compare(SSL, text, &libraries);
	assert_string_equal(libraries.item[0].here, digits + 1);
	free(digits);
}

static void
test_a_long_line_is_one_line(void **state)
{
	struct libraries libraries;
	char *line = many(600, "x", " 3 openssl 3\n" SSL);
	char *status =
	    many(1000, "Depends: ", "\nPackage: libssl3\n" STATUS "Source: openssl\nVersion: 4\n");

	(void)state;
	compare(line, status, &libraries);
	assert_int_equal(libraries.count, 1);
	assert_string_equal(outdated(&libraries), "libssl-dev 3.0.17-1~deb12u2 4;");
	free(line);
	free(status);
}

static void
test_too_many_libraries(void **state)
{
	struct libraries libraries;
	char *record = many(LIBRARIES_MOST + 10, SSL, "");

	(void)state;
	compare(record, LIBSSL3("4"), &libraries);
	assert_int_equal(libraries.count, LIBRARIES_MOST);
	free(record);
}

/* What stands behind 32 MiB is not read. */
static void
test_huge_status(void **state)
{
	struct libraries libraries;
	char *status = many((33 << 20) / strlen(OTHER), OTHER, LIBSSL3("4"));

	(void)state;
	compare(SSL, status, &libraries);
	assert_string_equal(outdated(&libraries), "");
	memcpy(status, LIBSSL3("5"), strlen(LIBSSL3("5")));
	compare(SSL, status, &libraries);
	assert_string_equal(outdated(&libraries), "libssl-dev 3.0.17-1~deb12u2 5;");
	free(status);
}

/* ---- by path ---- */

static char dir[] = "/tmp/gatehouse-libraries-XXXXXX";

static const char *
file(const char *name, const char *text)
{
	static char paths[2][128];
	static unsigned turn;
	char *path = paths[turn++ % 2];
	FILE *f;

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	if (text == NULL)
		return path;
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
	return path;
}

static void
test_paths(void **state)
{
	struct libraries libraries;

	(void)state;
	libraries_look(file("record", SSL), file("status", LIBSSL3("4")), &libraries);
	assert_string_equal(outdated(&libraries), "libssl-dev 3.0.17-1~deb12u2 4;");
	libraries_look(file("record", NULL), file("none", NULL), &libraries);
	assert_string_equal(outdated(&libraries), "");
	libraries_look(file("none", NULL), file("status", NULL), &libraries);
	assert_int_equal(libraries.count, 0);
	libraries_look(dir, file("status", NULL), &libraries);
	assert_int_equal(libraries.count, 0);
	libraries_look(file("record", NULL), dir, &libraries);
	assert_string_equal(outdated(&libraries), "");
	/* Opening one that nobody writes to would wait for ever. */
	assert_int_equal(mkfifo(file("fifo", NULL), 0600), 0);
	libraries_look(file("fifo", NULL), file("status", NULL), &libraries);
	assert_int_equal(libraries.count, 0);
	libraries_look(file("record", NULL), file("fifo", NULL), &libraries);
	assert_string_equal(outdated(&libraries), "");
}

static void
test_print_nothing_without_a_record(void **state)
{
	char said[64] = "";
	FILE *out = fmemopen(said, sizeof(said), "w");

	(void)state;
	assert_non_null(out);
	libraries_print("/tmp/none", out);
	fclose(out);
	assert_string_equal(said, "");
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_long_words_and_lines),
	    cmocka_unit_test(test_a_long_line_is_one_line),
	    cmocka_unit_test(test_too_many_libraries),
	    cmocka_unit_test(test_huge_status),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_print_nothing_without_a_record),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
