#include "tools/doc_print.h"

#include <string.h>

#include "lib/conf.h"

#include "tools/doc_tables.h"

enum { WIDTH = 78 };

/* One octet of running text. */
static void
put_escaped(char c)
{
	if (c == '\\')
		fputs("\\e", stdout);
	else if (c == '^')
		fputs("\\(ha", stdout);
	else if (c == '~')
		fputs("\\(ti", stdout);
	else
		putchar(c);
}

static void
put_text(const char *text, size_t len)
{
	if (len > 0 && (text[0] == '.' || text[0] == '\''))
		fputs("\\&", stdout);
	for (size_t i = 0; i < len; i++)
		put_escaped(text[i]);
}

/* A word of which only the full stop is left is a full stop that is talked about. */
static int
ends_sentence(const char *word, size_t len)
{
	while (len > 0 && (word[len - 1] == ')' || word[len - 1] == '"'))
		len--;
	return len > 1 && strchr(".!?", word[len - 1]) != NULL;
}

void
print_wrapped(const char *text, const char *prefix, size_t width, int mdoc)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > width) {
			putchar('\n');
			column = 0;
		}
		if (column == 0)
			fputs(prefix, stdout);
		else
			putchar(' ');
		column += len + (column > 0);
		if (mdoc && column == len)
			put_text(text, len);
		else
			for (size_t i = 0; i < len; i++) {
				if (mdoc)
					put_escaped(text[i]);
				else
					putchar(text[i]);
			}
		if (mdoc && ends_sentence(text, len) && text[len] != '\0') {
			putchar('\n');
			column = 0;
		}
		text += len + strspn(text + len, " ");
	}
	if (column > 0)
		putchar('\n');
}

static void
put_paragraph(const char *text)
{
	print_wrapped(text, "", WIDTH, 1);
}

/* An argument of a macro: quoted, so that no word of it is taken for a macro. */
static void
put_argument(const char *text)
{
	fputs(" \"", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputs("\\(dq", stdout);
		else
			put_escaped(*text);
	}
	putchar('"');
}

static void
put_bounds(const struct conf_option *o)
{
	char bounds[512], text[640];

	option_bounds(o, bounds, sizeof(bounds));
	snprintf(text, sizeof(text), "%s; %s%s.", bounds,
	    o->fallback != NULL ? "default " : "no default",
	    o->fallback != NULL ? o->fallback : "");
	put_paragraph(text);
}

static void
put_section(const struct conf_option *o)
{
	if (strcmp(o->section, "top") == 0)
		printf(".Ss Options outside any section\n");
	else
		printf(".Ss Section %s%s\n", o->section, o->titled ? " TITLE" : "");
	if (strcmp(o->section, "top") != 0)
		put_paragraph(conf_section_help(o->section));
	printf(".Bl -tag -width Ds\n");
}

void
mdoc_options(void)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(o[i].section, o[i - 1].section) != 0)
			put_section(&o[i]);
		printf(".It Ic %s\n", o[i].key);
		put_paragraph(o[i].help);
		put_bounds(&o[i]);
		if (i + 1 == count || strcmp(o[i].section, o[i + 1].section) != 0)
			printf(".El\n");
	}
}

void
mdoc_events(void)
{
	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < doc_event_count; i++) {
		printf(".It Li %s Pq %s\n", doc_events[i].name, doc_events[i].severity);
		put_paragraph(doc_events[i].help);
	}
	printf(".El\n");
}

void
mdoc_replies(void)
{
	printf(".Bl -tag -width Ds\n");
	for (size_t i = 0; i < doc_reply_count; i++) {
		const struct doc_reply *r = &doc_replies[i];
		char line[512];

		snprintf(line, sizeof(line), "%u %s%s%s", r->code, r->enhanced,
		    *r->enhanced != '\0' ? " " : "", r->text);
		fputs(".It Li", stdout);
		put_argument(line);
		printf("\nName %s", r->name);
		if (strcmp(r->kind, "CLOSE") == 0)
			fputs("; the session ends", stdout);
		fputs(".\n", stdout);
		put_paragraph(r->help);
	}
	printf(".El\n");
}

void
mdoc_counters(void)
{
	for (size_t i = 0; i < doc_program_count; i++) {
		printf(".Ss Counters of %s\n.Bl -tag -width Ds\n", doc_programs[i].name);
		for (size_t j = 0; j < doc_programs[i].count; j++) {
			printf(".It Li %s.%s\n", doc_programs[i].name,
			    doc_programs[i].counters[j].name);
			put_paragraph(doc_programs[i].counters[j].help);
		}
		printf(".El\n");
	}
}
