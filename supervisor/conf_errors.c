#include "supervisor/conf_errors.h"

#include <stdarg.h>
#include <stdio.h>

void
conf_errors_add(struct conf_errors *e, const char *file, unsigned line, const char *format, ...)
{
	char message[CONF_ERROR_LEN], where[16] = "";
	char *text;
	va_list args;

	if (e->count++ >= CONF_ERRORS_KEPT)
		return;
	text = e->text[e->count - 1];
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (line > 0)
		snprintf(where, sizeof(where), ":%u", line);
	/* A long path leaves room for the message. */
	snprintf(text, CONF_ERROR_LEN, "%.200s%s: %.280s", file, where, message);
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	}
}
