#include "supervisor/conf_file.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bug.h"
#include "lib/conf_table.h"

#include "supervisor/conf_scan.h"

enum { LINES_MAX = 512, PATH_LEN = 192 };

struct conf_lines {
	char *file;
	size_t count;
	struct {
		char path[PATH_LEN];
		unsigned line;
	} at[LINES_MAX];
};

/*
 * What is being read. libconfuse hands its callbacks no argument of ours, so the one reading
 * under way is kept here; nothing outside this file sees it.
 */
static struct reading {
	struct conf *conf;
	struct conf_lines *lines;
	struct conf_errors *errors;
} reading;

unsigned
conf_lines_find(const struct conf_lines *lines, const char *path)
{
	for (size_t i = 0; lines != NULL && i < lines->count; i++) {
		if (strcmp(lines->at[i].path, path) == 0)
			return lines->at[i].line;
	}
	return 0;
}

const char *
conf_lines_file(const struct conf_lines *lines)
{
	return lines->file;
}

void
conf_lines_free(struct conf_lines **lines)
{
	if (*lines == NULL)
		return;
	free((*lines)->file);
	free(*lines);
	*lines = NULL;
}

static struct conf_lines *
lines_new(const char *file)
{
	struct conf_lines *lines = calloc(1, sizeof(*lines));

	if (lines == NULL)
		return NULL;
	lines->file = strdup(file);
	if (lines->file == NULL)
		conf_lines_free(&lines);
	return lines;
}

static void
lines_add(struct conf_lines *lines, const char *path, unsigned line)
{
	if (lines->count == LINES_MAX)
		return;
	snprintf(lines->at[lines->count].path, PATH_LEN, "%s", path);
	lines->at[lines->count++].line = line;
}

/* ---- called by libconfuse ---- */

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, args);
	conf_errors_add(reading.errors, reading.lines->file, (unsigned)cfg->line, "%s", text);
}

/*
 * Each value comes by here before libconfuse stores it. A bad one is noted and the reading goes
 * on, so that the next one can be judged too.
 */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const char *section = cfg_name(cfg), *title = cfg_title(cfg);
	bool top = strcmp(section, "root") == 0;
	char path[PATH_LEN], why[192];
	unsigned line = (unsigned)cfg->line, first;

	*(const char **)result = value;
	snprintf(path, sizeof(path), "%s%s%s%s%s", top ? "" : section, top ? "" : ".",
	    title != NULL ? title : "", title != NULL ? "." : "", cfg_opt_name(opt));
	first = conf_lines_find(reading.lines, path);
	/* A list calls for each element; the first one of an assignment stands alone. */
	if (first != 0 && cfg_opt_size(opt) == 1) {
		conf_errors_add(reading.errors, reading.lines->file, line,
		    "%s: has already been set on line %u", path, first);
		return 0;
	}
	if (first == 0)
		lines_add(reading.lines, path, line);
	if (!conf_set(reading.conf, path, value, why, sizeof(why)))
		conf_errors_add(reading.errors, reading.lines->file, line, "%s: %s", path, why);
	return 0;
}

/* ---- the schema, from conf.def ---- */

/*
 * The arrays of the sections one after the other, each with its end, and that of the top behind
 * them. libconfuse copies all in cfg_init; the names are static.
 */
struct schema {
	cfg_opt_t *opts, *top;
};

static cfg_opt_t
schema_option(const struct conf_option *o)
{
	cfg_opt_t one = CFG_STR_CB(o->key, NULL, CFGF_NODEFAULT, on_value);
	cfg_opt_t list = CFG_STR_LIST_CB(o->key, NULL, CFGF_NODEFAULT, on_value);

	return o->type == CONF_STRINGS ? list : one;
}

static cfg_opt_t
schema_section(const struct conf_option *o, cfg_opt_t *opts)
{
	cfg_opt_t section = CFG_SEC(o->section, opts,
	    o->titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE);

	return section;
}

static bool
is_top(const struct conf_option *o)
{
	return strcmp(o->section, "top") == 0;
}

/* Returns: false without memory. */
static bool
schema_build(struct schema *s)
{
	const cfg_opt_t end = CFG_END();
	size_t count, at = 0, top;
	const struct conf_option *o = conf_options(&count);

	/* In the worst case each option has a section of its own: itself, its end, its place at the top. */
	s->opts = calloc(3 * count + 1, sizeof(*s->opts));
	if (s->opts == NULL)
		return false;
	s->top = s->opts + 2 * count;
	top = 0;
	for (size_t i = 0; i < count; i++) {
		if (is_top(&o[i])) {
			s->top[top++] = schema_option(&o[i]);
			continue;
		}
		if (i == 0 || strcmp(o[i].section, o[i - 1].section) != 0)
			s->top[top++] = schema_section(&o[i], s->opts + at);
		s->opts[at++] = schema_option(&o[i]);
		if (i + 1 == count || strcmp(o[i].section, o[i + 1].section) != 0)
			s->opts[at++] = end;
	}
	s->top[top] = end;
	return true;
}

static bool
is_made(const struct conf_section *section, const char *title)
{
	for (size_t i = 0; i < conf_section_count(reading.conf, section); i++)
		if (strcmp(conf_section_title(reading.conf, section, i), title) == 0)
			return true;
	return false;
}

/* A section that sets nothing made nothing; it would be a back end that silently is not there. */
static void
check_titled(cfg_t *cfg)
{
	size_t count;
	const struct conf_section *sections = conf_sections(&count);

	for (size_t i = 0; i < count; i++) {
		for (unsigned j = 0; sections[i].titled && j < cfg_size(cfg, sections[i].name);
		     j++) {
			cfg_t *one = cfg_getnsec(cfg, sections[i].name, j);

			if (!is_made(&sections[i], cfg_title(one)))
				conf_errors_add(reading.errors, reading.lines->file,
				    (unsigned)one->line, "%s %s: sets nothing", sections[i].name,
				    cfg_title(one));
		}
	}
}

/* Runs libconfuse over the text. */
static void
parse(uint8_t *text, size_t len, const struct schema *schema)
{
	unsigned before = reading.errors->count;
	cfg_t *cfg = cfg_init(schema->top, CFGF_NONE);
	FILE *in = fmemopen(text, len, "r");

	if (cfg == NULL || in == NULL) {
		conf_errors_add(reading.errors, reading.lines->file, 0, "no memory");
		goto out;
	}
	cfg_set_error_function(cfg, on_error);
	if (cfg_parse_fp(cfg, in) != CFG_SUCCESS) {
		if (reading.errors->count == before)
			conf_errors_add(reading.errors, reading.lines->file, (unsigned)cfg->line,
			    "cannot be read from here on");
	} else if (reading.errors->count == before) {
		check_titled(cfg);
	}
out:
	if (in != NULL)
		fclose(in);
	if (cfg != NULL)
		cfg_free(cfg);
}

struct conf *
conf_text_read(
    struct span text, const char *name, struct conf_errors *errors, struct conf_lines **lines_out)
{
	unsigned before = errors->count;
	uint8_t *copy = malloc(text.len + 1);
	struct schema schema = {0};
	struct reading done;

	BUG_ON(reading.conf != NULL);
	reading = (struct reading){.conf = conf_new(), .lines = lines_new(name), .errors = errors};
	if (reading.conf == NULL || reading.lines == NULL || copy == NULL ||
	    !schema_build(&schema)) {
		conf_errors_add(errors, name, 0, "no memory");
	} else if (text.len > 0) {
		memcpy(copy, text.p, text.len);
		if (conf_scan(copy, text.len, name, errors))
			parse(copy, text.len, &schema);
	}
	free(schema.opts);
	free(copy);

	done = reading;
	reading = (struct reading){0};
	if (errors->count != before)
		conf_free(&done.conf);
	if (lines_out != NULL)
		*lines_out = done.lines;
	else
		conf_lines_free(&done.lines);
	return done.conf;
}

/* Reads a whole descriptor. Returns: octets, owned by the caller; NULL and *why_out. */
static char *
read_all(int fd, size_t *len_out, const char **why_out)
{
	struct stat st;
	char *text = NULL;
	ssize_t n = 1;

	*why_out = NULL;
	*len_out = 0;
	if (fstat(fd, &st) == -1)
		*why_out = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why_out = "is not a regular file";
	else if ((text = malloc(CONF_FILE_MAX + 1)) == NULL)
		*why_out = "no memory";
	while (*why_out == NULL && n > 0 && *len_out <= CONF_FILE_MAX) {
		n = read(fd, text + *len_out, CONF_FILE_MAX + 1 - *len_out);
		if (n == -1)
			*why_out = strerror(errno);
		else
			*len_out += (size_t)n;
	}
	if (*len_out > CONF_FILE_MAX)
		*why_out = "is longer than a configuration can be";
	if (*why_out != NULL) {
		free(text);
		text = NULL;
	}
	return text;
}

struct conf *
conf_file_read(const char *path, struct conf_errors *errors, struct conf_lines **lines_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *why = fd == -1 ? strerror(errno) : NULL;
	struct conf *conf = NULL;
	char *text = NULL;
	size_t len = 0;

	if (lines_out != NULL)
		*lines_out = NULL;
	if (fd != -1) {
		text = read_all(fd, &len, &why);
		close(fd);
	}
	if (text == NULL)
		conf_errors_add(errors, path, 0, "%s", why);
	else
		conf = conf_text_read(span_of(text, len), path, errors, lines_out);
	free(text);
	return conf;
}
