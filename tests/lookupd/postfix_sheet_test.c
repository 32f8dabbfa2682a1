#include "lookupd/postfix_sheet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lookupd/record.h"

/* Rows as "U joe A": type, local part ("-": none), Accept, Unknown or Defer. */
static void
fill(struct sheet *s, const char *const *rows)
{
	sheet_init(s);
	for (; *rows != NULL; rows++) {
		char type, local[64], verdict;
		uint8_t leaf[3] = {0};

		assert_int_equal(sscanf(*rows, "%c %63s %c", &type, local, &verdict), 3);
		leaf[0] = verdict == 'A' ? LEAF_ACCEPT : verdict == 'D' ? LEAF_DEFER : LEAF_UNKNOWN;
		leaf[1] = leaf[0];
		sheet_put(s, (enum layout_key)type, span_str(strcmp(local, "-") == 0 ? "" : local),
		    span_of(leaf, sizeof(leaf)));
	}
}

static void
differs(const char *const *own, const char *const *base, bool owner_request,
    const char *const *expected)
{
	struct sheet a, b, diff, wanted;

	fill(&a, own);
	fill(&b, base);
	fill(&wanted, expected);
	sheet_init(&diff);
	sheet_diff(&a, &b, SPAN("+-"), owner_request, &diff);
	assert_false(diff.failed);
	for (const struct sheet_row *row = diff.first; row != NULL; row = row->next) {
		const struct sheet_row *other =
		    (const void *)keymap_get(&wanted.rows, row->item.key);

		if (other == NULL || !span_eq(other->value, row->value))
			print_error("unexpected: %.*s %u\n", (int)row->item.key.len,
			    (const char *)row->item.key.p, row->value.p[0]);
		assert_non_null(other);
		assert_true(span_eq(other->value, row->value));
	}
	assert_int_equal(diff.count, wanted.count);
	sheet_clear(&a);
	sheet_clear(&b);
	sheet_clear(&wanted);
	sheet_clear(&diff);
}

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ROWS ((const char *const[]){NULL})

static void
what_is_equal_needs_nothing(void **state)
{
	(void)state;
	differs(ROWS("U joe A", "C - D"), ROWS("U joe A", "C - D"), false, NO_ROWS);
}

static void
what_is_different_is_said(void **state)
{
	(void)state;
	differs(ROWS("U joe D", "U new A"), ROWS("U joe A"), false, ROWS("U joe D", "U new A"));
}

static void
what_is_not_there_is_hidden(void **state)
{
	(void)state;
	differs(NO_ROWS, ROWS("U joe A", "W joe+ A", "C - A"), false,
	    ROWS("U joe U", "W joe+ U", "C - U"));
	/* A name is that of its extensions, of the name before them, or anybody's. */
	differs(ROWS("W joe+ D", "C - A"), ROWS("U joe+x U", "U ann A", "W joe+ D", "C - A"), false,
	    ROWS("U joe+x D"));
	differs(ROWS("U joe D"), ROWS("U joe D", "U joe+x A", "W joe+ A"), false,
	    ROWS("U joe+x D", "W joe+ D"));
	differs(ROWS("C - D"), ROWS("U ann A", "W ann- A", "C - D"), false,
	    ROWS("U ann D", "W ann- D"));
}

static void
rows_85_and_106_routes_are_never_anybodys(void **state)
{
	(void)state;
	differs(
	    ROWS("C - A"), ROWS("U a%b D", "U -x D", "C - A"), false, ROWS("U a%b U", "U -x U"));
}

static void
names_that_are_never_cut(void **state)
{
	(void)state;
	differs(ROWS("U owner A", "W owner- A", "C - D"),
	    ROWS("U owner A", "W owner- A", "C - D", "U owner-x A", "U x-request A"), true,
	    ROWS("U owner-x D", "U x-request D"));
	differs(ROWS("U owner A", "W owner- A", "C - D"),
	    ROWS("U owner A", "W owner- A", "C - D", "U owner-x D"), false, ROWS("U owner-x A"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_equal_needs_nothing),
	    cmocka_unit_test(what_is_different_is_said),
	    cmocka_unit_test(what_is_not_there_is_hidden),
	    cmocka_unit_test(rows_85_and_106_routes_are_never_anybodys),
	    cmocka_unit_test(names_that_are_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
