#include "lib/bug.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

void
bug_at(const char *file, int line, const char *what)
{
	struct log_line l;
	char at[128];

	snprintf(at, sizeof(at), "%s:%d", file, line);
	log_begin(&l, EVENT_bug);
	log_str(&l, "at", at);
	log_str(&l, "what", what);
	log_end(&l);
	log_flush();
	abort();
}
