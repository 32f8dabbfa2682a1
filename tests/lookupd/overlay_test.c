#include "lookupd/overlay_edit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "lookupd/diff.h"
#include "tests/lookupd/databases.h"

static struct database *db;
static struct overlay *o;

static int
start(void **state)
{
	(void)state;
	db = database_of_list("domain:example.com backend=m class=c size=9 delimiters=+\n"
			      "alice@example.com\n"
			      "carol@example.com\n"
			      "@alias.example alias=example.com\n");
	o = overlay_new();
	return o != NULL ? 0 : -1;
}

static int
stop(void **state)
{
	(void)state;
	database_free(&db);
	overlay_free(&o);
	overlay_free(&o);
	return 0;
}

static void
say(enum overlay_verb verb, const char *line)
{
	const char *error = overlay_say(o, verb, 1000, span_str(line));

	if (error != NULL)
		fail_msg("%s: %s", line, error);
}

static const char *
asked(const struct overlay *in, const char *inside)
{
	static const char *const verdicts[] = {
	    "accepted", "unknown-user", "unknown-domain", "refused", "deferred", "trouble"};
	static char text[512];
	struct address a;
	struct lookup_result r;

	assert_int_equal(address_from_inside(span_str(inside), &a), ADDRESS_OK);
	if (!overlay_lookup(in, db, &a, &r))
		return "-";
	assert_int_equal(r.match, MATCH_OVERLAY);
	snprintf(text, sizeof(text), "%s %.*s/%.*s/%llu [%.*s] [%.*s]", verdicts[r.verdict],
	    (int)r.route.len, (const char *)r.route.p, (int)r.class.len, (const char *)r.class.p,
	    (unsigned long long)r.size_limit, (int)r.status.len, (const char *)r.status.p,
	    (int)r.text.len, (const char *)r.text.p);
	return text;
}

static void
changes_are_asked_first(void **state)
{
	(void)state;
	assert_string_equal(asked(o, "bob@example.com"), "-");
	say(OVERLAY_ADD, "Bob@Example.com");
	say(OVERLAY_ADD, "\"a b\"@example.com backend=x class=y size=7");
	say(OVERLAY_ADD, "no@example.com reject=\"5.7.1 Private\"");
	say(OVERLAY_REMOVE, "alice@example.com");
	say(OVERLAY_DEFER, "carol@example.com defer=\"4.2.1 Moving\"");
	say(OVERLAY_ADD, "new@foreign.example backend=z");
	assert_string_equal(asked(o, "bOb@example.com"), "accepted m/c/9 [] []");
	assert_string_equal(asked(o, "bob+x@example.com"), "accepted m/c/9 [] []");
	assert_string_equal(asked(o, "a b@example.com"), "accepted x/y/7 [] []");
	assert_string_equal(asked(o, "no@example.com"), "refused //0 [5.7.1] [Private]");
	assert_string_equal(asked(o, "alice@example.com"), "unknown-user //0 [] []");
	assert_string_equal(asked(o, "carol@example.com"), "deferred //0 [4.2.1] [Moving]");
	assert_string_equal(asked(o, "bob@alias.example"), "accepted m/c/9 [] []");
	assert_string_equal(asked(o, "alice+x@Alias.example"), "unknown-user //0 [] []");
	assert_string_equal(asked(o, "new@foreign.example"), "accepted z//0 [] []");
	assert_string_equal(asked(o, "other@foreign.example"), "-");
	/* The last word counts. */
	say(OVERLAY_REMOVE, "bob@example.com");
	assert_string_equal(asked(o, "bob@example.com"), "unknown-user //0 [] []");
	assert_int_equal(o->count, 6);
}

static void
what_cannot_be_said(void **state)
{
	static const struct {
		enum overlay_verb verb;
		const char *line, *error;
	} rows[] = {
	    {OVERLAY_ADD, "bob", "no @"},
	    {OVERLAY_ADD, "", "not one address"},
	    {OVERLAY_ADD, "@example.com", "not one address"},
	    {OVERLAY_ADD, "bob+*@example.com", "not one address"},
	    {OVERLAY_ADD, "domain:example.com", "not one address"},
	    {OVERLAY_REMOVE, "bob@example.com class=x", "no attributes"},
	    {OVERLAY_REMOVE, "Postmaster@example.com", "must be taken"},
	    {OVERLAY_DEFER, "bob@example.com", "has defer="},
	    {OVERLAY_DEFER, "bob@example.com reject=\"5.1.1 no\"", "has defer="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *error = overlay_say(o, rows[i].verb, 1, span_str(rows[i].line));

		if (error == NULL || strstr(error, rows[i].error) == NULL)
			fail_msg("%s: %s", rows[i].line, error != NULL ? error : "taken");
	}
	assert_int_equal(o->count, 0);
}

/* Cut at every octet and with every bit of every octet turned, it is refused. */
static void
row_F39_F40_damaged_in_every_way(void **state)
{
	const char *error;
	char *text, *copy;
	size_t len;
	struct overlay *read;

	(void)state;
	say(OVERLAY_ADD, "bob@example.com");
	say(OVERLAY_REMOVE, "alice@example.com");
	o->generation = 77;
	text = overlay_format(o, &len);
	assert_non_null(text);
	read = overlay_parse(span_of(text, len), &error);
	assert_non_null(read);
	assert_int_equal(read->generation, 77);
	assert_int_equal(read->count, 2);
	assert_int_not_equal(read->mark, 0);
	assert_string_equal(asked(read, "bob@example.com"), "accepted m/c/9 [] []");
	overlay_free(&read);
	for (size_t cut = 0; cut < len; cut++) {
		copy = malloc(cut > 0 ? cut : 1);
		memcpy(copy, text, cut);
		assert_null(overlay_parse(span_of(copy, cut), &error));
		assert_non_null(error);
		free(copy);
	}
	for (size_t i = 0; i < 8 * len; i++) {
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		assert_null(overlay_parse(span_of(text, len), &error));
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
	}
	free(text);
}

static void
as_many_as_it_holds(void **state)
{
	char line[64];

	(void)state;
	for (unsigned i = 0; i < OVERLAY_ENTRIES_MAX; i++) {
		snprintf(line, sizeof(line), "user%u@example.com", i);
		say(OVERLAY_ADD, line);
	}
	assert_non_null(overlay_say(o, OVERLAY_ADD, 1, SPAN("more@example.com")));
	say(OVERLAY_REMOVE, "user5@example.com");
	assert_int_equal(o->count, OVERLAY_ENTRIES_MAX);
}

/* ---- diff ---- */

static void
what_changes_for_senders(void **state)
{
	struct database *old = database_of_list("a@one.example\nb@one.example\n"
						"c@one.example class=x\nd+*@one.example\n"
						"@two.example\nx@gone.example\n"
						"e@one.example reject=\"5.2.1 No\"\n"),
			*new = database_of_list("a@one.example\n"
						"c@one.example class=y\n"
						"n@one.example\ne@one.example\n"
						"x@two.example\ny@new.example\n");
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(diff(old, new, f), 1);
	fclose(f);
	assert_string_equal(text, "domain gone.example: gone\n"
				  "b@one.example: accepted -> unknown-user\n"
				  "c@one.example: accepted class=x -> accepted class=y\n"
				  "d+*@one.example: accepted -> unknown-user\n"
				  "@two.example: accepted -> unknown-user\n"
				  "x@gone.example: accepted -> unknown-domain\n"
				  "e@one.example: refused status=5.2.1 text=No -> accepted\n"
				  "domain new.example: new\n"
				  "n@one.example: unknown-user -> accepted\n"
				  "y@new.example: unknown-domain -> accepted\n"
				  "3 accepted now, 4 no longer, 3 otherwise\n");
	free(text);
	f = open_memstream(&text, &len);
	assert_int_equal(diff(old, old, f), 0);
	fclose(f);
	assert_string_equal(text, "0 accepted now, 0 no longer, 0 otherwise\n");
	free(text);
	database_free(&old);
	database_free(&new);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(changes_are_asked_first),
	    TEST(what_cannot_be_said),
	    TEST(row_F39_F40_damaged_in_every_way),
	    TEST(as_many_as_it_holds),
	    cmocka_unit_test(what_changes_for_senders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
