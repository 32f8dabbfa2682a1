#include "tools/doc_print.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf.h"

#include "tools/doc_tables.h"

enum { WIDTH = 76 };

void
option_bounds(const struct conf_option *o, char *text_out, size_t cap)
{
	static const char *const types[] = {
	    [CONF_STRING] = "A string",
	    [CONF_STRINGS] = "A list of strings",
	    [CONF_BOOLEAN] = "true or false",
	};
	struct span rest = span_str(o->choices);
	size_t len;

	if (o->type == CONF_NUMBER) {
		snprintf(text_out, cap, "A number from %llu to %llu%s%s",
		    (unsigned long long)o->least, (unsigned long long)o->most,
		    *o->unit != '\0' ? ", " : "", o->unit);
	} else if (o->type == CONF_CHOICE) {
		snprintf(text_out, cap, "One of ");
		for (size_t i = 0; i < rest.len; i++) {
			len = strlen(text_out);
			snprintf(text_out + len, cap - len, "%c%s",
			    rest.p[i] == '|' ? ',' : rest.p[i], rest.p[i] == '|' ? " " : "");
		}
	} else {
		snprintf(text_out, cap, "%s", types[o->type]);
	}
}

/* An option without a default needs an example; the build of the documentation fails without one. */
static const char *
value_of(const struct conf_option *o)
{
	char path[128];
	const char *value = o->fallback;

	if (value != NULL)
		return value;
	snprintf(path, sizeof(path), "%s%s%s", strcmp(o->section, "top") == 0 ? "" : o->section,
	    strcmp(o->section, "top") == 0 ? "" : ".", o->key);
	value = doc_example(path);
	if (value == NULL) {
		fprintf(stderr, "tools/doc_tables.c has no example for %s\n", path);
		exit(1);
	}
	return value;
}

static void
put_setting(const struct conf_option *o, const char *indent)
{
	const char *value = value_of(o);

	printf("#%s%s = ", indent, o->key);
	if (o->type == CONF_STRINGS)
		printf("{ \"%s\" }", value);
	else if (o->type == CONF_STRING || o->type == CONF_CHOICE)
		printf("\"%s\"", value);
	else
		fputs(value, stdout);
	putchar('\n');
}

static void
put_option(const struct conf_option *o, const char *indent)
{
	char prefix[16], bounds[512];

	snprintf(prefix, sizeof(prefix), "%s# ", indent);
	print_wrapped(o->help, prefix, WIDTH, 0);
	option_bounds(o, bounds, sizeof(bounds));
	strncat(bounds, o->fallback != NULL ? "." : "; not set by default, an example:",
	    sizeof(bounds) - strlen(bounds) - 1);
	print_wrapped(bounds, prefix, WIDTH, 0);
	put_setting(o, indent);
}

void
sample_options(void)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);

	print_wrapped(
	    "gatehouse.conf, see gatehouse.conf(5). Every option stands here with its default, "
	    "behind a \"#\" in the first column. hostname, recipients and a section backend "
	    "must be set.",
	    "# ", WIDTH, 0);
	for (size_t i = 0; i < count; i++) {
		int top = strcmp(o[i].section, "top") == 0;

		putchar('\n');
		if (!top && (i == 0 || strcmp(o[i].section, o[i - 1].section) != 0)) {
			print_wrapped(conf_section_help(o[i].section), "# ", WIDTH, 0);
			printf(o[i].titled ? "#%s %s {\n" : "#%s {\n", o[i].section,
			    o[i].titled ? doc_example(o[i].section) : "");
		}
		put_option(&o[i], top ? "" : "\t");
		if (!top && (i + 1 == count || strcmp(o[i].section, o[i + 1].section) != 0))
			printf("#}\n");
	}
}
