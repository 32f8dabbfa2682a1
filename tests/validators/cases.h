/* Test cases that a python script writes as lines. */
#ifndef TESTS_VALIDATORS_CASES_H
#define TESTS_VALIDATORS_CASES_H

#include "lib/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory for all cases, never given back. */
static inline void *
case_memory(size_t len)
{
	static _Alignas(16) uint8_t room[32 << 20];
	static size_t used;
	void *p = room + used;

	used += (len + 15) / 16 * 16;
	if (used > sizeof(room))
		abort();
	return p;
}

static inline char *
case_text(const char *text)
{
	return strcpy(case_memory(strlen(text) + 1), text);
}

/* "=6162" gives the octets of it, and a NUL behind. */
static inline struct span
case_octets(const char *text)
{
	size_t len = strlen(text + 1) / 2;
	uint8_t *p = case_memory(len + 1);

	for (size_t i = 0; i < len; i++) {
		unsigned v = 0;

		sscanf(text + 1 + 2 * i, "%2x", &v);
		p[i] = (uint8_t)v;
	}
	p[len] = 0;
	return span_of(p, len);
}

/* Runs the script with the argument and gives each line, without its end, to take. */
static inline void
cases_read(const char *script, const char *argument, void (*take)(char *line))
{
	char command[4096], *line = NULL;
	size_t cap = 0;
	FILE *in;

	snprintf(command, sizeof(command), "/usr/bin/python3 -B %s '%s'", script, argument);
	in = popen(command, "r");
	if (in == NULL)
		abort();
	while (getline(&line, &cap, in) > 0) {
		line[strcspn(line, "\n")] = '\0';
		take(line);
	}
	free(line);
	if (pclose(in) != 0)
		abort();
}

static inline const char *
result_name(enum auth_result result)
{
	static const char *const names[] = {
	    "unchecked", "none", "pass", "fail", "softfail", "neutral", "temperror", "permerror"};

	return names[result];
}

#endif
