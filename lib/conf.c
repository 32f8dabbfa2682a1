#include "lib/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bug.h"
#include "lib/conf_table.h"

enum {
	STRING_MAX = 4096, /* octets of one value, as conf_pair carries it */
	LIST_MAX = 64,     /* elements of one list option */
	TITLE_MAX = 32,
	BLOCK_SIZE = 4096,
};

/* ---- memory ---- */

struct block {
	struct block *next;
	size_t used, cap;
	_Alignas(max_align_t) unsigned char octets[];
};

struct conf_memory {
	struct block *blocks;
	bool list_set[CONF_TITLED_MOST][CONF_OPTION_COUNT]; /* the default has been replaced */
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

static bool
set_choice(struct setting *s, const char *text)
{
	struct span rest = span_str(s->option->choices), choice;
	uint8_t names[160];
	struct buf b = BUF_OVER(names);

	for (unsigned i = 0; conf_next_choice(&rest, &choice); i++) {
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
set_defaults(struct conf *conf, const struct conf_section *section, size_t index)
{
	char *base = (char *)conf + section->offset + index * section->size;
	char error[128];
	size_t count;
	const struct conf_option *o = conf_options(&count);

	for (size_t i = 0; i < count; i++) {
		bool list_set = false; /* what is set now is what the first real setting replaces */
		struct setting s = {.conf = conf,
		    .option = &o[i],
		    .value = base + conf_option_offset(i),
		    .list_set = &list_set,
		    .error = error,
		    .error_cap = sizeof(error)};

		if (strcmp(o[i].section, section->name) == 0 && o[i].fallback != NULL &&
		    !setters[o[i].type](&s, o[i].fallback))
			return false;
	}
	return true;
}

struct conf *
conf_new(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	size_t count;
	const struct conf_section *sections = conf_sections(&count);

	if (conf == NULL)
		return NULL;
	conf->memory = calloc(1, sizeof(*conf->memory));
	for (size_t i = 0; conf->memory != NULL && i < count; i++) {
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
	char text[CONF_PATH_MAX + 1];
	const char *section, *title, *key;
};

static bool
path_split(const char *path, struct path *p_out)
{
	size_t len = strlen(path);
	char *first, *last;

	if (len > CONF_PATH_MAX)
		return false;
	memcpy(p_out->text, path, len + 1);
	first = strchr(p_out->text, '.');
	last = strrchr(p_out->text, '.');
	if (first != NULL)
		*first = '\0';
	if (last != NULL)
		*last = '\0';
	p_out->section = first != NULL ? p_out->text : "top";
	p_out->title = first != NULL && first != last ? first + 1 : NULL;
	p_out->key = last != NULL ? last + 1 : p_out->text;
	return first == NULL || strcmp(p_out->section, "top") != 0;
}

/* Out: *index_out, into conf_options(). */
static bool
option_find(const struct path *p, size_t *index_out)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(o[i].section, p->section) == 0 && strcmp(o[i].key, p->key) == 0 &&
		    o[i].titled == (p->title != NULL)) {
			*index_out = i;
			return true;
		}
	}
	return false;
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
 * The place of the section with that title; a new one with its defaults when there is none. Titled
 * sections stand in order of appearance.
 * Out: *index_out; the count is raised by the caller when the option was good.
 */
static bool
titled_find(
    struct setting *s, const struct conf_section *section, const char *title, size_t *index_out)
{
	struct conf *conf = s->conf;
	size_t i, count = conf_section_count(conf, section);
	char *base;
	const char *copy;

	for (i = 0; i < count; i++) {
		if (strcmp(conf_section_title(conf, section, i), title) == 0) {
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
	base = (char *)conf + section->offset + i * section->size;
	memset(base, 0, section->size);
	copy = memory_string(conf->memory, title);
	if (copy == NULL || !set_defaults(conf, section, i))
		return refuse(s, "no memory");
	*(const char **)base = copy;
	*index_out = i;
	return true;
}

bool
conf_set(struct conf *conf, const char *path, const char *value, char *error_out, size_t error_cap)
{
	struct setting s = {.conf = conf, .error = error_out, .error_cap = error_cap};
	const struct conf_section *section;
	struct path p;
	size_t index = 0, at, count;

	if (!path_split(path, &p) || !option_find(&p, &at))
		return refuse(&s, "no such option");
	s.option = &conf_options(&count)[at];
	section = conf_section_find(s.option->section);
	BUG_ON(section == NULL);
	if (section->titled && !titled_find(&s, section, p.title, &index))
		return false;
	s.value = (char *)conf + section->offset + index * section->size + conf_option_offset(at);
	s.list_set = &conf->memory->list_set[index][at];
	if (!setters[s.option->type](&s, value))
		return false;
	if (section->titled && index == conf_section_count(conf, section))
		++*(size_t *)((char *)conf + section->count_offset);
	return true;
}

/* ---- what several options say together -------------------------------------------------------------- */

bool
conf_judges_clients(const struct conf *conf)
{
	return conf->reverse_dns.check || conf->dnslist_count > 0;
}

bool
conf_judges_envelope(const struct conf *conf)
{
	return conf->spf.check || conf_judges_clients(conf);
}

static bool
may_refuse(unsigned rule)
{
	return rule == CONF_RULE_REJECT || rule == CONF_RULE_DEFER;
}

bool
conf_looks_up_senders(const struct conf *conf)
{
	return conf->spf.check && (conf->sender.unknown != CONF_RULE_IGNORE ||
				      conf->sender.null_mx != CONF_RULE_IGNORE);
}

static bool
by_sender(const struct conf *conf)
{
	return conf_looks_up_senders(conf) &&
	       (may_refuse(conf->sender.unknown) || may_refuse(conf->sender.null_mx) ||
		   conf->sender.temperror == CONF_SOFT_DEFER);
}

bool
conf_envelope_is_awaited(const struct conf *conf)
{
	bool by_lists = conf->dnslist_count > 0 && !conf->listed.observe &&
	                (conf->listed.reject > 0 || conf->listed.defer > 0);
	bool by_name = conf->reverse_dns.check && (may_refuse(conf->reverse_dns.missing) ||
						      may_refuse(conf->reverse_dns.unconfirmed));
	bool by_spf = conf->spf.check &&
	              (may_refuse(conf->spf.fail) || may_refuse(conf->spf.softfail) ||
			  may_refuse(conf->spf.permerror) || may_refuse(conf->spf.helo_fail) ||
			  conf->spf.temperror == CONF_SOFT_DEFER);

	return by_lists || by_name || by_spf || by_sender(conf);
}

bool
conf_envelope_may_refuse(const struct conf *conf)
{
	return conf_envelope_is_awaited(conf) || (conf->spf.check && may_refuse(conf->spf.no_mail));
}
