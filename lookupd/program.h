/*
 * Programs that files of qmail and vpopmail hand mail to: what is known of them without running
 * them.
 */
#ifndef LOOKUPD_PROGRAM_H
#define LOOKUPD_PROGRAM_H

#include "lib/buf.h"

enum program_kind {
	PROGRAM_UNKNOWN,
	PROGRAM_EXITS,     /* with `status`, and does nothing else that counts */
	PROGRAM_FORWARDS,  /* to the words, then exits with `status` */
	PROGRAM_DELIVERS,  /* a known one that stores mail: it succeeds, as far as one can know */
	PROGRAM_HAS_USERS, /* the same, but it looks for the user in a table of its own */
	PROGRAM_VPOPMAIL,  /* vdelivermail: words[0] is what to do without a user */
	PROGRAM_ALIASES,   /* fastforward: words[0] is its table */
};

enum { PROGRAM_WORDS = 64 };

struct program {
	enum program_kind kind;
	unsigned status;
	struct span name; /* first word of the command, for words of the operator */
	struct span words[PROGRAM_WORDS];
	size_t word_count;
	bool by_default;      /* fastforward -d: the part that the default file stands for */
	bool passes;          /* fastforward -p: an address that is not there is the next line's */
	uint8_t octets[2048]; /* what the words borrow from; the structure must not be copied */
};

/*
 * In: command, of a line behind "|".
 * Out: p_out; PROGRAM_UNKNOWN for whatever a shell would make more of than words.
 */
void program_parse(struct span command, struct program *p_out);

/* What an exit status means to qmail-local. */
enum program_end { PROGRAM_NEXT, PROGRAM_STOP, PROGRAM_BOUNCE, PROGRAM_TEMPORARY };
enum program_end program_end(unsigned status);

#endif
