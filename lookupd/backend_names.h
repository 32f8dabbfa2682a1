/*
 * Which back ends gatehouse.conf has: the titles of its sections `backend`, and nothing else of
 * it. gatehouse check judges the file.
 */
#ifndef LOOKUPD_BACKEND_NAMES_H
#define LOOKUPD_BACKEND_NAMES_H

#include "lib/span.h"

struct backend_names {
	char *text; /* of malloc: the file */
	size_t len;
};

/* Returns: 0, or -1 and errno. */
int backend_names_read(struct backend_names *b, const char *path);
void backend_names_clear(struct backend_names *b);

bool backend_names_have(const struct backend_names *b, struct span name);

#endif
