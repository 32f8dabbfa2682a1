/*
 * The libraries that validator has inside, and those of this host.
 *
 * An update of such a library reaches validator only when Gatehouse is built again. What it was built
 * from is recorded beside it (tools/libraries); here that is held against what dpkg has installed, so
 * that nobody has to remember it. Without a record, or without dpkg, there is nothing to say.
 */
#ifndef SUPERVISOR_LIBRARIES_H
#define SUPERVISOR_LIBRARIES_H

#include <stdbool.h>
#include <stdio.h>

enum {
	LIBRARIES_MOST = 64,
	LIBRARY_WORD =
	    96, /* octets of a name or a version, with a NUL; longer ones are not compared */
};

/* Names and versions have no other characters than Debian's may: letters, digits, and +-.~: */
struct library {
	char package[LIBRARY_WORD], version[LIBRARY_WORD];
	/*
	 * The package above is one to build with, which a host that only runs Gatehouse has not.
	 * What it has comes from the same source.
	 */
	char source[LIBRARY_WORD], source_version[LIBRARY_WORD];
	char here[LIBRARY_WORD]; /* the newest installed version of that source; "": none */
};

struct libraries {
	unsigned count;
	struct library item[LIBRARIES_MOST];
};

/*
 * In: record, lines "PACKAGE VERSION SOURCE SOURCE-VERSION"; others are passed over.
 * Out: *out, the first LIBRARIES_MOST of them, without what is here.
 */
void libraries_read(FILE *record, struct libraries *out);

/*
 * In: status, as dpkg keeps it. Out: in each of the libraries, what is here.
 * Limits: reads 32 MiB at most. Source: dpkg(1), deb-control(5).
 */
void libraries_compare(FILE *status, struct libraries *libraries);

/*
 * Whether this host has a newer one than validator has inside. An older one is no reason to build
 * again: then the host waits for its updates.
 */
bool library_is_outdated(const struct library *library);

/* Both files by their paths; one that is missing, or no regular file, is as an empty one. */
void libraries_look(
    const char *record_path, const char *status_path, struct libraries *libraries_out);

/*
 * A line, or a line of the log, for each library that is outdated.
 * In: libexec_dir, where validator and its record lie. Blocks for some milliseconds.
 */
void libraries_print(const char *libexec_dir, FILE *out);
void libraries_log(const char *libexec_dir);

#endif
