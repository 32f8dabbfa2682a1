#include "lookupd/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/gatehouse-tree-XXXXXX";
static char path[256];

static const char *
in_root(const char *name)
{
	snprintf(path, sizeof(path), "%s%s", root, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(in_root(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
make_root(void **state)
{
	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	mkdir(in_root("/home"), 0755);
	mkdir(in_root("/home/joe"), 0755);
	put("/home/joe/.qmail", "./Mailbox\n");
	put("/home/joe/secret", "x\n");
	put("/list", "755 0 0 /home\n0700 500 500 /home/joe/\n644 500 500 /home/joe/.qmail\n"
		     "600 0 0 /home/joe/secret\n");
	put("/nul", "");
	if (symlink("/home/joe", in_root("/home/link")) < 0 ||
	    symlink("../joe/.qmail", in_root("/home/joe/up")) < 0 ||
	    symlink("loop", in_root("/home/loop")) < 0 ||
	    symlink("nowhere", in_root("/home/dangling")) < 0)
		return -1;
	return 0;
}

static int
remove_root(void **state)
{
	static const char *const names[] = {"/home/dangling", "/home/loop", "/home/joe/up",
	    "/home/link", "/nul", "/list", "/home/joe/secret", "/home/joe/.qmail", "/home/joe",
	    "/home", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (remove(in_root(names[i])) < 0)
			return -1;
	return 0;
}

static const struct rights joe = {.uid = 500, .gid = 500}, other = {.uid = 501, .gid = 501},
			   all = {.all = true};

static void
paths(void **state)
{
	static const struct {
		const char *path;
		const struct rights *as;
		int error;
		const char *real;
	} rows[] = {
	    {"/home/joe/.qmail", &joe, 0, "/home/joe/.qmail"},
	    {"/home//joe/./.qmail", &joe, 0, "/home/joe/.qmail"},
	    {"/home/joe/.qmail", &other, EACCES, NULL},
	    {"/home/joe/.qmail", &all, 0, "/home/joe/.qmail"},
	    {"/home/joe/.", &other, EACCES, NULL},
	    {"/home/joe", &other, 0, "/home/joe"},
	    {"/home/link/.qmail", &joe, 0, "/home/joe/.qmail"},
	    {"/home/joe/up", &joe, 0, "/home/joe/.qmail"},
	    {"/home/loop", &joe, ELOOP, NULL},
	    {"/home/dangling", &joe, ENOENT, NULL},
	    {"/home/joe/.qmail/x", &joe, ENOTDIR, NULL},
	    {"/home/joe/.qmail/", &joe, ENOTDIR, NULL},
	    {"/home/../../../home/joe", &joe, 0, "/home/joe"},
	    {"/nothing", &joe, ENOENT, NULL},
	    {"", &joe, ENOENT, NULL},
	    {"/", &joe, 0, "/"},
	};
	struct tree t;
	struct report report = {.to = stderr};
	char list[256], real[PATH_MAX];
	struct tree_stat st;

	(void)state;
	tree_init(&t);
	t.root = root;
	snprintf(list, sizeof(list), "%s/list", root);
	assert_int_equal(tree_take_stats(&t, list, &report), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int error = tree_stat(&t, rows[i].path, *rows[i].as, &st, real);

		if (error != rows[i].error)
			print_error("%s\n", rows[i].path);
		assert_int_equal(error, rows[i].error);
		if (error == 0)
			assert_string_equal(real, rows[i].real);
	}
	assert_int_equal(tree_stat(&t, "/home/joe/secret", joe, &st, NULL), 0);
	assert_false(tree_may(&st, joe, 4));
	assert_true(tree_may(&st, all, 4));
	tree_clear(&t);
}

static void
long_names(void **state)
{
	char name[PATH_MAX + 100];
	struct tree t;
	struct tree_stat st;

	(void)state;
	tree_init(&t);
	t.root = root;
	memset(name, 'a', sizeof(name));
	name[0] = '/';
	name[300] = '\0';
	assert_int_equal(tree_stat(&t, name, all, &st, NULL), ENAMETOOLONG);
	name[300] = 'a';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(tree_stat(&t, name, all, &st, NULL), ENAMETOOLONG);
	tree_clear(&t);
}

static void
reading(void **state)
{
	struct tree t;
	struct span text;
	const char **names;
	size_t count;

	(void)state;
	tree_init(&t);
	t.root = root;
	assert_int_equal(tree_load(&t, "/home/link/.qmail", 100, &text), 0);
	assert_true(span_eq(text, SPAN("./Mailbox\n")));
	assert_int_equal(tree_load(&t, "/home/link/.qmail", 5, &text), EFBIG);
	assert_int_equal(tree_load(&t, "/home", 5, &text), EISDIR);
	assert_int_equal(tree_load(&t, "/nothing", 5, &text), ENOENT);
	assert_int_equal(tree_list(&t, "/home/joe", &names, &count), 0);
	assert_int_equal(count, 3);
	assert_string_equal(names[0], ".qmail");
	assert_string_equal(names[2], "up");
	assert_int_equal(tree_list(&t, "/home/none", &names, &count), ENOENT);
	tree_clear(&t);
}

static void
wrong_lists(void **state)
{
	static const char *const rows[] = {"x\n", "755 0 /home\n", "755 0 0 home\n", "799 0 0 /x\n",
	    "755 0 99999999999 /x\n", "755  0 0 /x\n", "177777 0 0 /x\n", "755 0 0\n"};
	char list[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report report = {.to = fopen("/dev/null", "w")};
		struct tree t;

		put("/nul", rows[i]);
		snprintf(list, sizeof(list), "%s/nul", root);
		tree_init(&t);
		assert_int_equal(tree_take_stats(&t, list, &report), -1);
		assert_int_equal(report.errors, 1);
		tree_clear(&t);
		fclose(report.to);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(reading),
	    cmocka_unit_test(wrong_lists),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
