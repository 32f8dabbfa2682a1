/*
 * What stands behind the path of a source: KIND:PATH[,NAME=VALUE]...
 *
 * A backslash before "," or a backslash makes it part of the path or value. Names that end in ":"
 * take the rest of the name as their subject, as in program:/usr/bin/maildrop=accept: the word of
 * the operator about something that the files do not tell.
 */
#ifndef LOOKUPD_OPTIONS_H
#define LOOKUPD_OPTIONS_H

#include "lookupd/pool.h"
#include "lookupd/record.h"
#include "lookupd/report.h"

struct option_given {
	const char *name, *value; /* name with its subject */
	struct option_given *next;
};

struct options {
	const char *path;
	struct option_given *first;
};

/*
 * In: text, behind "KIND:"; known: names of options, NULL at the end; those that end in ":" take
 * a subject.
 * Returns: 0, or -1 after a report.
 */
int options_parse(struct pool *pool, const char *text, const char *const *known,
    struct options *o_out, struct report *report);

/* The last value given, or NULL. */
const char *options_get(const struct options *o, const char *name);

/*
 * The word about a subject, e.g. ("program:", "/bin/x"): "accept", "refuse", "defer", "discard".
 * Returns: true and the verdict when one was given. options_parse() has checked the words.
 */
bool options_word(
    const struct options *o, const char *name, struct span subject, enum leaf_verdict *v_out);

/* accept, refuse, defer, discard. */
bool options_verdict(const char *word, enum leaf_verdict *v_out);

#endif
