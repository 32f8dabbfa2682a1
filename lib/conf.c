#include "lib/conf.h"
#include "lib/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	STRING_MAX = 4096, /* octets of one value, as conf_pair carries it */
	LIST_MAX = 64,     /* elements of one list option */
	TITLE_MAX = 32,
	BLOCK_SIZE = 4096,
	PATH_MAX_LEN = 128, /* as conf_pair carries it */
};

/* ---- the tables, from conf.def ---- */

#define SECTION(name, help) enum { TITLED_##name = 0, MOST_##name = 1 };
#define TITLED(name, most, help) enum { TITLED_##name = 1, MOST_##name = most };
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

struct section {
	const char *name;
	bool titled;
	size_t most;
	size_t offset, size; /* of the (first) structure in struct conf */
	const char *help;
};

static const struct section sections[] = {
#define ROW(name, help) \
	{#name, TITLED_##name, MOST_##name, offsetof(struct conf, name), \
	    sizeof(struct conf_##name), help},
#define SECTION(name, help) ROW(name, help)
#define TITLED(name, most, help) ROW(name, help)
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
static const struct conf_option options[] = {
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
static const size_t offsets[] = {
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

enum {
	SECTION_COUNT = sizeof(sections) / sizeof(sections[0]),
	OPTION_COUNT = sizeof(options) / sizeof(options[0]),
};

/* Titled sections are kept in order of appearance: struct conf has an array and a count. */
_Static_assert(offsetof(struct conf_backend, title) == 0, "the title is the first member");

/* ---- memory ---- */

struct block {
	struct block *next;
	size_t used, cap;
	_Alignas(max_align_t) unsigned char octets[];
};

struct conf_memory {
	struct block *blocks;
	bool list_set[CONF_MOST_backend][OPTION_COUNT]; /* the default has been replaced */
};

static void *
memory_get(struct conf_memory *m, size_t len)
{
	size_t rounded = (len + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct block *b = m->blocks;
	void *at;

	if (b == NULL || rounded > b->cap - b->used) {
		size_t cap = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;

		b = malloc(sizeof(*b) + cap);
		if (b == NULL)
			return NULL;
		*b = (struct block){.next = m->blocks, .cap = cap};
		m->blocks = b;
	}
	at = b->octets + b->used;
	b->used += rounded;
	return at;
}

static const char *
memory_string(struct conf_memory *m, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = memory_get(m, len);

	if (copy != NULL)
		memcpy(copy, s, len);
	return copy;
}

static void
memory_free(struct conf_memory *m)
{
	struct block *next;

	for (struct block *b = m->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(m);
}

/* ---- setting ---- */

/* One conf_set under way. */
struct setting {
	struct conf *conf;
	const struct conf_option *option;
	void *value; /* the member of the structure, of the option's type */
	bool *list_set;
	char *error;
	size_t error_cap;
};

__attribute__((format(printf, 2, 3))) static bool
refuse(struct setting *s, const char *format, ...)
{
	va_list args;

	if (s->error_cap > 0) {
		va_start(args, format);
		vsnprintf(s->error, s->error_cap, format, args);
		va_end(args);
	}
	return false;
}

static const char *
string_new(struct setting *s, const char *text)
{
	const char *copy;

	if (strlen(text) > STRING_MAX) {
		refuse(s, "must not be longer than %d octets", STRING_MAX);
		return NULL;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 127) {
			refuse(s, "must not contain control characters");
			return NULL;
		}
	}
	copy = memory_string(s->conf->memory, text);
	if (copy == NULL)
		refuse(s, "no memory");
	return copy;
}

static bool
set_string(struct setting *s, const char *text)
{
	const char *copy;

	if (*text == '\0')
		return refuse(s, "must not be empty");
	copy = string_new(s, text);
	if (copy == NULL)
		return false;
	*(const char **)s->value = copy;
	return true;
}

static bool
set_strings(struct setting *s, const char *text)
{
	struct conf_strings *list = s->value;
	size_t count = *s->list_set ? list->count : 0;
	const char **items;

	if (*text == '\0')
		return refuse(s, "must not have empty elements");
	if (count == LIST_MAX)
		return refuse(s, "must not have more than %d elements", LIST_MAX);
	items = memory_get(s->conf->memory, (count + 1) * sizeof(*items));
	if (items == NULL)
		return refuse(s, "no memory");
	for (size_t i = 0; i < count; i++)
		items[i] = list->items[i];
	items[count] = string_new(s, text);
	if (items[count] == NULL)
		return false;
	*list = (struct conf_strings){count + 1, items};
	*s->list_set = true;
	return true;
}

static bool
set_number(struct setting *s, const char *text)
{
	const struct conf_option *o = s->option;
	const char *unit = o->unit;
	uint64_t v;

	if (!span_decimal(span_str(text), o->most, &v) || v < o->least)
		return refuse(s, "must be a number from %llu to %llu%s%s%s",
		    (unsigned long long)o->least, (unsigned long long)o->most,
		    *unit != '\0' ? " (" : "", unit, *unit != '\0' ? ")" : "");
	*(uint64_t *)s->value = v;
	return true;
}

static bool
set_boolean(struct setting *s, const char *text)
{
	bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return refuse(s, "must be true or false");
	*(bool *)s->value = yes;
	return true;
}

/* Takes the next of "a|b|c". Returns: false at the end. */
static bool
next_choice(struct span *rest, struct span *choice_out)
{
	if (rest->p == NULL)
		return false;
	*choice_out = span_head(*rest, span_find(*rest, '|'));
	*rest =
	    choice_out->len == rest->len ? span_of(NULL, 0) : span_from(*rest, choice_out->len + 1);
	return true;
}

static bool
set_choice(struct setting *s, const char *text)
{
	struct span rest = span_str(s->option->choices), choice;
	uint8_t names[160];
	struct buf b = BUF_OVER(names);

	for (unsigned i = 0; next_choice(&rest, &choice); i++) {
		if (span_eq(choice, span_str(text))) {
			*(unsigned *)s->value = i;
			return true;
		}
		if (i > 0)
			buf_put_str(&b, ", ");
		buf_put_span(&b, choice);
	}
	return refuse(s, "must be one of: %.*s", (int)b.len, (const char *)names);
}

static bool (*const setters[])(struct setting *, const char *) = {
    [CONF_STRING] = set_string,
    [CONF_STRINGS] = set_strings,
    [CONF_NUMBER] = set_number,
    [CONF_BOOLEAN] = set_boolean,
    [CONF_CHOICE] = set_choice,
};

/* Puts the defaults of one section into instance `index` of it. Returns: false without memory. */
static bool
set_defaults(struct conf *conf, const struct section *section, size_t index)
{
	char *base = (char *)conf + section->offset + index * section->size;
	char error[128];
	bool untouched;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		struct setting s = {.conf = conf,
		    .option = &options[i],
		    .value = base + offsets[i],
		    .list_set = &untouched,
		    .error = error,
		    .error_cap = sizeof(error)};

		if (strcmp(options[i].section, section->name) != 0 || options[i].fallback == NULL)
			continue;
		untouched = false;
		if (!setters[options[i].type](&s, options[i].fallback))
			return false;
	}
	return true;
}

struct conf *
conf_new(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (conf == NULL)
		return NULL;
	conf->memory = calloc(1, sizeof(*conf->memory));
	for (size_t i = 0; conf->memory != NULL && i < SECTION_COUNT; i++) {
		if (!sections[i].titled && !set_defaults(conf, &sections[i], 0)) {
			conf_free(&conf);
			return NULL;
		}
	}
	if (conf->memory == NULL)
		conf_free(&conf);
	return conf;
}

void
conf_free(struct conf **conf)
{
	if (*conf == NULL)
		return;
	if ((*conf)->memory != NULL)
		memory_free((*conf)->memory);
	free(*conf);
	*conf = NULL;
}

/*
 * The parts of "key", "section.key" or "section.title.key". The title is all between the first
 * and the last dot, so that one with a dot in it is refused for that.
 */
struct path {
	char text[PATH_MAX_LEN + 1];
	const char *section, *title, *key;
};

static bool
path_split(const char *path, struct path *p_out)
{
	size_t len = strlen(path);
	char *first, *last;

	if (len > PATH_MAX_LEN)
		return false;
	memcpy(p_out->text, path, len + 1);
	first = strchr(p_out->text, '.');
	last = strrchr(p_out->text, '.');
	if (first != NULL)
		*first = '\0';
	if (last != NULL)
		*last = '\0';
	p_out->section = first != NULL ? p_out->text : "top";
	p_out->title = first != last ? first + 1 : NULL;
	p_out->key = last != NULL ? last + 1 : p_out->text;
	return first == NULL || strcmp(p_out->section, "top") != 0;
}

static const struct section *
section_find(const char *name)
{
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (strcmp(sections[i].name, name) == 0)
			return &sections[i];
	}
	return NULL;
}

static const struct conf_option *
option_find(const struct path *p)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct conf_option *o = &options[i];

		if (strcmp(o->section, p->section) == 0 && strcmp(o->key, p->key) == 0 &&
		    o->titled == (p->title != NULL))
			return o;
	}
	return NULL;
}

static bool
title_ok(const char *title)
{
	size_t len = strlen(title);

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)title[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '_' && c != '-')
			return false;
	}
	return len >= 1 && len <= TITLE_MAX;
}

/*
 * The place of the backend with that title; a new one with its defaults when there is none.
 * Out: *index_out; the count is raised by the caller when the option was good.
 */
static bool
titled_find(struct setting *s, const struct section *section, const char *title, size_t *index_out)
{
	struct conf *conf = s->conf;
	struct conf_backend *b;
	size_t i;

	for (i = 0; i < conf->backend_count; i++) {
		if (strcmp(conf->backend[i].title, title) == 0) {
			*index_out = i;
			return true;
		}
	}
	if (!title_ok(title))
		return refuse(
		    s, "the title must be 1 to %d letters, digits, \"-\" and \"_\"", TITLE_MAX);
	if (i == section->most)
		return refuse(
		    s, "there must not be more than %zu sections %s", section->most, section->name);
	b = &conf->backend[i];
	*b = (struct conf_backend){.title = memory_string(conf->memory, title)};
	memset(conf->memory->list_set[i], 0, sizeof(conf->memory->list_set[i]));
	if (b->title == NULL || !set_defaults(conf, section, i))
		return refuse(s, "no memory");
	*index_out = i;
	return true;
}

bool
conf_set(struct conf *conf, const char *path, const char *value, char *error_out, size_t error_cap)
{
	struct setting s = {.conf = conf, .error = error_out, .error_cap = error_cap};
	const struct section *section;
	struct path p;
	size_t index = 0, at;

	if (!path_split(path, &p) || (s.option = option_find(&p)) == NULL)
		return refuse(&s, "no such option");
	section = section_find(s.option->section);
	BUG_ON(section == NULL);
	if (section->titled && !titled_find(&s, section, p.title, &index))
		return false;
	at = (size_t)(s.option - options);
	s.value = (char *)conf + section->offset + index * section->size + offsets[at];
	s.list_set = &conf->memory->list_set[index][at];
	if (!setters[s.option->type](&s, value))
		return false;
	if (section->titled && index == conf->backend_count)
		conf->backend_count++;
	return true;
}

/* ---- telling a program ---- */

struct telling {
	struct buf *b;
	const struct conf_option *option;
	const char *title;
	uint16_t *count;
};

static void
tell(struct telling *t, struct span value)
{
	uint8_t path[PATH_MAX_LEN];
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
		BUG_ON(!next_choice(&rest, &choice));
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
tell_section(const struct conf *conf, const struct section *section, size_t index,
    enum program_id program, struct telling *t)
{
	const char *base = (const char *)conf + section->offset + index * section->size;

	t->title = section->titled ? *(const char *const *)base : NULL;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		t->option = &options[i];
		if (strcmp(options[i].section, section->name) == 0 &&
		    (options[i].programs & BY(program)) != 0)
			tellers[options[i].type](t, base + offsets[i]);
	}
}

bool
conf_put_pairs(const struct conf *conf, enum program_id program, struct buf *b, uint16_t *count_out)
{
	struct telling t = {.b = b, .count = count_out};

	*count_out = 0;
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		size_t instances = sections[i].titled ? conf->backend_count : 1;

		for (size_t j = 0; j < instances; j++)
			tell_section(conf, &sections[i], j, program, &t);
	}
	return !b->full;
}

/* ---- for the reader of the file and the generators ---- */

const struct conf_option *
conf_options(size_t *count_out)
{
	*count_out = OPTION_COUNT;
	return options;
}

const char *
conf_section_help(const char *section)
{
	const struct section *s = section_find(section);

	return s != NULL ? s->help : NULL;
}
