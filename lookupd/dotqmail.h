/*
 * What qmail-local does with the lines of a .qmail file.
 */
#ifndef LOOKUPD_DOTQMAIL_H
#define LOOKUPD_DOTQMAIL_H

#include "lookupd/program.h"
#include "lookupd/record.h"

enum { DOTQMAIL_MAX = 1024 * 1024, DOTQMAIL_COMMAND_MAX = 2000 };

/* What a file, or a table that it leads to, does with a mail before any forward is followed. */
struct dotqmail {
	enum leaf_verdict verdict; /* ACCEPT, DISCARD, UNKNOWN, DEFER, TABLE */
	uint32_t line;             /* that decided; 0: the file as a whole */
	const char *reason;        /* a static text */
	bool delivered;            /* by more than forwarding */
	bool stores;               /* and something is kept */
	bool unverified;           /* a program has the last word */
	struct program table;      /* TABLE: PROGRAM_VPOPMAIL or PROGRAM_ALIASES */
};

/* What only the files of the back end and the operator can tell. */
struct dotqmail_world {
	void *ctx;
	/* Whether mail can be stored there now: ACCEPT or DEFER. In: path, as it is written. */
	enum leaf_verdict (*file)(void *ctx, struct span path);
	/* Mail goes to address as well. */
	void (*forward)(void *ctx, struct span address, uint32_t line);
	/*
	 * A program that program.h does not decide.
	 * Out: ACCEPT: it succeeds; UNKNOWN, DEFER. Returns: false after an error was reported.
	 */
	bool (*program)(
	    void *ctx, const struct program *p, uint32_t line, enum leaf_verdict *v_out);
	/* What cannot be expressed, as a static text; the whole is then worth nothing. */
	void (*error)(void *ctx, uint32_t line, const char *message, struct span detail);
};

/*
 * In: text, the whole file; executable: its owner may execute it.
 * Returns: false after an error.
 */
bool dotqmail_run(
    struct span text, bool executable, const struct dotqmail_world *world, struct dotqmail *d_out);

/*
 * The same for a file of a user of vpopmail, whose lines vdelivermail executes: there is no blank
 * first line, no +list and no x bit. That is a program to qmail, so mail is always delivered by
 * more than forwarding.
 */
bool dotqmail_run_vpopmail(
    struct span text, const struct dotqmail_world *world, struct dotqmail *d_out);

#endif
