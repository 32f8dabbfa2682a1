/* The tables of the programs that operators see, for the generators of the documentation. */
#ifndef TOOLS_DOC_TABLES_H
#define TOOLS_DOC_TABLES_H

#include <stddef.h>

struct doc_event {
	const char *name, *severity, *help;
};

struct doc_reply {
	const char *name;
	unsigned code;
	const char *enhanced, *kind, *text, *help;
};

struct doc_counter {
	const char *name, *help;
};

/* What one program counts. */
struct doc_program {
	const char *name;
	const struct doc_counter *counters;
	size_t count;
};

extern const struct doc_event doc_events[];
extern const size_t doc_event_count;
extern const struct doc_reply doc_replies[];
extern const size_t doc_reply_count;
extern const struct doc_program doc_programs[];
extern const size_t doc_program_count;

/*
 * A value for the sample of an option that has no default, or the title of a section.
 * Returns: NULL when there is none for that path.
 */
const char *doc_example(const char *path);

#endif
