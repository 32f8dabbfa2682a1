#include "lookupd/options.h"

#include <string.h>

bool
options_verdict(const char *word, enum leaf_verdict *v_out)
{
	static const struct {
		const char *word;
		enum leaf_verdict verdict;
	} words[] = {
	    {"accept", LEAF_ACCEPT},
	    {"refuse", LEAF_UNKNOWN},
	    {"defer", LEAF_DEFER},
	    {"discard", LEAF_DISCARD},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0) {
			*v_out = words[i].verdict;
			return true;
		}
	return false;
}

/* Takes text up to the next "," that has no backslash before it. Returns: NULL without memory. */
static char *
take_piece(struct pool *pool, const char **text)
{
	char *piece = pool_take(pool, strlen(*text) + 1), *to = piece;

	if (piece == NULL)
		return NULL;
	for (; **text != '\0' && **text != ','; (*text)++) {
		if (**text == '\\' && ((*text)[1] == ',' || (*text)[1] == '\\'))
			(*text)++;
		*to++ = **text;
	}
	*to = '\0';
	if (**text == ',')
		(*text)++;
	return piece;
}

static bool
takes_subject(const char *known)
{
	return known[strlen(known) - 1] == ':';
}

/* Whether the piece is this option. Out: where its "=" is; of a subject, the last one. */
static bool
is_option(const char *known, char *piece, char **equals_out)
{
	size_t len = strlen(known);

	if (strncmp(piece, known, len) != 0)
		return false;
	*equals_out = takes_subject(known) ? strrchr(piece + len, '=') : piece + len;
	return *equals_out != NULL && **equals_out == '=' &&
	       !(takes_subject(known) && *equals_out == piece + len);
}

static int
take_option(char *piece, const char *const *known, struct option_given *g, struct report *report)
{
	char *equals = NULL;
	enum leaf_verdict unused;

	while (*known != NULL && !is_option(*known, piece, &equals))
		known++;
	if (*known == NULL) {
		report_error(
		    report, NULL, 0, "no such option of this source, or no value", span_str(piece));
		return -1;
	}
	*equals = '\0';
	if (takes_subject(*known) && !options_verdict(equals + 1, &unused)) {
		report_error(report, NULL, 0, "the word is accept, refuse, defer or discard",
		    span_str(piece));
		return -1;
	}
	g->name = piece;
	g->value = equals + 1;
	return 0;
}

int
options_parse(struct pool *pool, const char *text, const char *const *known, struct options *o_out,
    struct report *report)
{
	struct option_given **tail;

	*o_out = (struct options){0};
	tail = &o_out->first;
	o_out->path = take_piece(pool, &text);
	if (o_out->path == NULL)
		goto no_memory;
	while (*text != '\0') {
		char *piece = take_piece(pool, &text);
		struct option_given *g = pool_take(pool, sizeof(*g));

		if (piece == NULL || g == NULL)
			goto no_memory;
		if (take_option(piece, known, g, report) < 0)
			return -1;
		*tail = g;
		tail = &g->next;
	}
	return 0;
no_memory:
	report_error(report, NULL, 0, "out of memory", span_of(NULL, 0));
	return -1;
}

const char *
options_get(const struct options *o, const char *name)
{
	const char *value = NULL;

	for (const struct option_given *g = o->first; g != NULL; g = g->next)
		if (strcmp(g->name, name) == 0)
			value = g->value;
	return value;
}

bool
options_word(
    const struct options *o, const char *name, struct span subject, enum leaf_verdict *v_out)
{
	for (const struct option_given *g = o->first; g != NULL; g = g->next)
		if (strncmp(g->name, name, strlen(name)) == 0 &&
		    span_eq(span_str(g->name + strlen(name)), subject))
			return options_verdict(g->value, v_out);
	return false;
}
