/*
 * gatehouse-recipients compile: sources to recipients.cdb.
 */
#ifndef LOOKUPD_COMPILE_H
#define LOOKUPD_COMPILE_H

#include <stdio.h>

#include "lib/address.h"

struct compile_options {
	const char *output;
	const char *const *sources; /* KIND:PATH */
	size_t source_count;
	const struct address *postmaster; /* what gatehouse.conf says; NULL: nothing */
	const char *conf;                 /* gatehouse.conf, for its back ends; NULL: not asked */
	uint64_t now;                     /* unix seconds */
	uint64_t shard_max;               /* octets of one cdb; 0: as large as it may be */
	unsigned share;                   /* percent of a domain's recipients that may go */
	bool force;                       /* whatever goes is meant to go */
	bool require_postmaster;          /* every domain has one, or nothing is written */
	/* Told every file that the sources were read from; NULL: not wanted. */
	void (*on_file)(void *ctx, const char *path);
	void *ctx;
};

/*
 * Reads all sources, says everything that is wrong with them, and if nothing is, replaces the
 * output.
 * Returns: an exit status: 0, EX_USAGE, EX_CONFIG (the sources are wrong), EX_TEMPFAIL.
 */
int compile(const struct compile_options *options, FILE *messages);

#endif
