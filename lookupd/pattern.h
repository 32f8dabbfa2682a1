/*
 * Extended regular expressions (POSIX 9.4) on addresses, without submatches. An expression
 * becomes a small automaton whose states are all followed at once, so that the time is bounded by
 * octets times states, whatever the expression is and whoever chose the octets.
 *
 * Letters match without case: what is asked for has been lower-cased. Back references, collating
 * elements and the escapes of GNU are not taken.
 */
#ifndef LOOKUPD_PATTERN_H
#define LOOKUPD_PATTERN_H

#include "lib/span.h"

enum {
	PATTERN_STATES_MAX = 600,
	PATTERN_DEPTH_MAX = 20, /* nested parentheses */
	PATTERN_TEXT_MAX = 500, /* octets of an expression */
};

struct pattern_state {
	uint8_t op;
	int16_t to[2];   /* relative */
	uint8_t set[32]; /* of octets */
};

struct pattern {
	size_t count;
	struct pattern_state states[PATTERN_STATES_MAX];
};

/* Returns: NULL, or a static text that says what is wrong. */
const char *pattern_compile(struct pattern *p, struct span expression);

/* Whether the expression matches anywhere in the text. */
bool pattern_matches(const struct pattern *p, struct span text);

#endif
