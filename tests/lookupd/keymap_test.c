#include "lookupd/keymap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ITEMS = 20000 };

struct thing {
	struct keymap_item item;
	char name[24];
};

static void
finds_each_and_nothing_else(void **state)
{
	struct thing *things = calloc(ITEMS, sizeof(*things));
	struct keymap map;

	(void)state;
	keymap_init(&map);
	assert_null(keymap_get(&map, SPAN("x")));
	for (unsigned i = 0; i < ITEMS; i++) {
		snprintf(things[i].name, sizeof(things[i].name), "%.*s%u", (int)(i % 17),
		    "aaaaaaaaaaaaaaaaa", i);
		things[i].item.key = span_str(things[i].name);
		assert_null(keymap_get(&map, things[i].item.key));
		assert_int_equal(keymap_add(&map, &things[i].item), 0);
	}
	for (unsigned i = 0; i < ITEMS; i++)
		assert_ptr_equal(keymap_get(&map, span_str(things[i].name)), &things[i].item);
	assert_null(keymap_get(&map, SPAN("")));
	assert_null(keymap_get(&map, SPAN("a")));
	assert_int_equal(map.used, ITEMS);
	keymap_clear(&map);
	free(things);
}

static void
zeros_and_lengths_make_different_keys(void **state)
{
	static struct keymap_item items[20];
	static const uint8_t zeros[20];
	struct keymap map;

	(void)state;
	keymap_init(&map);
	for (size_t i = 0; i < 20; i++) {
		items[i].key = span_of(zeros, i);
		assert_null(keymap_get(&map, items[i].key));
		assert_int_equal(keymap_add(&map, &items[i]), 0);
	}
	for (size_t i = 0; i < 20; i++)
		assert_ptr_equal(keymap_get(&map, span_of(zeros, i)), &items[i]);
	keymap_clear(&map);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_each_and_nothing_else),
	    cmocka_unit_test(zeros_and_lengths_make_different_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
