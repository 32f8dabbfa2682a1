#include "lib/conf.h"
#include "lib/bug.h"
#include "lib/conf_table.h"

struct telling {
	struct buf *b;
	const struct conf_option *option;
	const char *title;
	uint16_t *count;
};

static void
tell(struct telling *t, struct span value)
{
	uint8_t path[CONF_PATH_MAX];
	struct buf b = BUF_OVER(path);
	struct msg_conf_pair pair;

	if (strcmp(t->option->section, "top") != 0) {
		buf_put_str(&b, t->option->section);
		buf_put_u8(&b, '.');
	}
	if (t->title != NULL) {
		buf_put_str(&b, t->title);
		buf_put_u8(&b, '.');
	}
	buf_put_str(&b, t->option->key);
	BUG_ON(b.full);
	pair = (struct msg_conf_pair){.path = buf_span(&b), .value = value};
	if (*t->count == UINT16_MAX || !msg_list_put(t->b, RECORD_conf_pair, &pair))
		t->b->full = true;
	else
		++*t->count;
}

static void
tell_string(struct telling *t, const void *value)
{
	const char *s = *(const char *const *)value;

	if (s != NULL)
		tell(t, span_str(s));
}

static void
tell_strings(struct telling *t, const void *value)
{
	const struct conf_strings *list = value;

	for (size_t i = 0; i < list->count; i++)
		tell(t, span_str(list->items[i]));
}

static void
tell_number(struct telling *t, const void *value)
{
	uint8_t digits[20];
	struct buf b = BUF_OVER(digits);

	buf_put_decimal(&b, *(const uint64_t *)value);
	tell(t, buf_span(&b));
}

static void
tell_boolean(struct telling *t, const void *value)
{
	tell(t, span_str(*(const bool *)value ? "true" : "false"));
}

static void
tell_choice(struct telling *t, const void *value)
{
	struct span rest = span_str(t->option->choices), choice = SPAN("");

	for (unsigned i = 0; i <= *(const unsigned *)value; i++)
		BUG_ON(!conf_next_choice(&rest, &choice));
	tell(t, choice);
}

static void (*const tellers[])(struct telling *, const void *) = {
    [CONF_STRING] = tell_string,
    [CONF_STRINGS] = tell_strings,
    [CONF_NUMBER] = tell_number,
    [CONF_BOOLEAN] = tell_boolean,
    [CONF_CHOICE] = tell_choice,
};

/* All options of one instance of a section that the program is told. */
static void
tell_section(const struct conf *conf, const struct conf_section *section, size_t index,
    enum program_id program, struct telling *t)
{
	const char *base = (const char *)conf + section->offset + index * section->size;

	size_t count;
	const struct conf_option *o = conf_options(&count);

	t->title = section->titled ? conf_section_title(conf, section, index) : NULL;
	for (size_t i = 0; i < count; i++) {
		t->option = &o[i];
		if (strcmp(o[i].section, section->name) == 0 && (o[i].programs & BY(program)) != 0)
			tellers[o[i].type](t, base + conf_option_offset(i));
	}
}

bool
conf_put_pairs(const struct conf *conf, enum program_id program, struct buf *b, uint16_t *count_out)
{
	struct telling t = {.b = b, .count = count_out};
	size_t count;
	const struct conf_section *sections = conf_sections(&count);

	*count_out = 0;
	for (size_t i = 0; i < count; i++) {
		size_t instances = conf_section_count(conf, &sections[i]);

		for (size_t j = 0; j < instances; j++)
			tell_section(conf, &sections[i], j, program, &t);
	}
	return !b->full;
}
