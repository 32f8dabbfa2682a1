/* What is wrong with a configuration file, gathered so that all of it can be said at once. */
#ifndef SUPERVISOR_CONF_ERRORS_H
#define SUPERVISOR_CONF_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

enum { CONF_ERRORS_KEPT = 32, CONF_ERROR_LEN = 512 };

struct conf_errors {
	unsigned count;                              /* all, also those not kept */
	char text[CONF_ERRORS_KEPT][CONF_ERROR_LEN]; /* "FILE:LINE: message", printable ASCII */
};

/* Adds one. In: line, 0 for the file as a whole. */
void conf_errors_add(struct conf_errors *e, const char *file, unsigned line, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

/* How many of text[] are filled. */
static inline unsigned
conf_errors_kept(const struct conf_errors *e)
{
	return e->count < CONF_ERRORS_KEPT ? e->count : (unsigned)CONF_ERRORS_KEPT;
}

#endif
