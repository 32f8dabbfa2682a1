#include "lib/conf_table.h"

#include "lib/bug.h"

#define SECTION(name, help) enum { TITLED_##name = 0, MOST_##name = 1 };
#define TITLED(name, most, help) \
	enum { TITLED_##name = 1, MOST_##name = most }; \
	_Static_assert(offsetof(struct conf_##name, title) == 0, "the title is the first member"); \
	_Static_assert(most <= CONF_TITLED_MOST, "as many as conf.c has room for");
#define STRING(section, key, fallback, programs, help)
#define STRINGS(section, key, fallback, programs, help)
#define NUMBER(section, key, fallback, least, most, unit, programs, help)
#define BOOLEAN(section, key, fallback, programs, help)
#define CHOICE(section, key, fallback, choices, programs, help)
#define END(name)
#include "lib/conf.def"
#undef SECTION
#undef TITLED
#undef END

static const struct conf_section sections[] = {
#define ROW(name, count_offset, help) \
	{#name, TITLED_##name, MOST_##name, offsetof(struct conf, name), \
	    sizeof(struct conf_##name), count_offset, help},
#define SECTION(name, help) ROW(name, 0, help)
#define TITLED(name, most, help) ROW(name, offsetof(struct conf, name##_count), help)
#define END(name)
#include "lib/conf.def"
#undef ROW
#undef SECTION
#undef TITLED
#undef STRING
#undef STRINGS
#undef NUMBER
#undef BOOLEAN
#undef CHOICE
};

/* The notation of conf.def is the notation of the file: literals are taken as they stand. */
#define SECTION(name, help)
#define TITLED(name, most, help)
#define ROW(section, key, type, fallback, least, most, unit, choices, programs, help) \
	{#section, TITLED_##section, #key, type, fallback, least, most, unit, choices, programs, \
	    help},
#define STRING(section, key, fallback, programs, help) \
	ROW(section, key, CONF_STRING, fallback, 0, 0, NULL, NULL, programs, help)
#define STRINGS(section, key, fallback, programs, help) \
	ROW(section, key, CONF_STRINGS, fallback, 0, 0, NULL, NULL, programs, help)
#define NUMBER(section, key, fallback, least, most, unit, programs, help) \
	ROW(section, key, CONF_NUMBER, #fallback, least, most, unit, NULL, programs, help)
#define BOOLEAN(section, key, fallback, programs, help) \
	ROW(section, key, CONF_BOOLEAN, #fallback, 0, 0, NULL, NULL, programs, help)
#define CHOICE(section, key, fallback, choices, programs, help) \
	ROW(section, key, CONF_CHOICE, fallback, 0, 0, NULL, choices, programs, help)
static const struct conf_option options[CONF_OPTION_COUNT] = {
#include "lib/conf.def"
};
#undef ROW
#undef STRING
#undef STRINGS
#undef NUMBER
#undef BOOLEAN
#undef CHOICE

/* Where the value of each option lies in the structure of its section. */
#define ROW(section, key) offsetof(struct conf_##section, key),
#define STRING(section, key, fallback, programs, help) ROW(section, key)
#define STRINGS(section, key, fallback, programs, help) ROW(section, key)
#define NUMBER(section, key, fallback, least, most, unit, programs, help) ROW(section, key)
#define BOOLEAN(section, key, fallback, programs, help) ROW(section, key)
#define CHOICE(section, key, fallback, choices, programs, help) ROW(section, key)
static const size_t offsets[CONF_OPTION_COUNT] = {
#include "lib/conf.def"
};
#undef ROW
#undef SECTION
#undef TITLED
#undef STRING
#undef STRINGS
#undef NUMBER
#undef BOOLEAN
#undef CHOICE
#undef END

const struct conf_option *
conf_options(size_t *count_out)
{
	*count_out = CONF_OPTION_COUNT;
	return options;
}

const struct conf_section *
conf_sections(size_t *count_out)
{
	*count_out = sizeof(sections) / sizeof(sections[0]);
	return sections;
}

const struct conf_section *
conf_section_find(const char *name)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (strcmp(sections[i].name, name) == 0)
			return &sections[i];
	}
	return NULL;
}

size_t
conf_section_count(const struct conf *conf, const struct conf_section *section)
{
	return section->titled ? *(const size_t *)((const char *)conf + section->count_offset) : 1;
}

const char *
conf_section_title(const struct conf *conf, const struct conf_section *section, size_t index)
{
	const char *base = (const char *)conf + section->offset + index * section->size;

	return *(const char *const *)base;
}

const char *
conf_section_help(const char *section)
{
	const struct conf_section *s = conf_section_find(section);

	return s != NULL ? s->help : NULL;
}

size_t
conf_option_offset(size_t index)
{
	BUG_ON(index >= CONF_OPTION_COUNT);
	return offsets[index];
}

bool
conf_next_choice(struct span *rest, struct span *choice_out)
{
	if (rest->p == NULL)
		return false;
	*choice_out = span_head(*rest, span_find(*rest, '|'));
	*rest =
	    choice_out->len == rest->len ? span_of(NULL, 0) : span_from(*rest, choice_out->len + 1);
	return true;
}
