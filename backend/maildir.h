/*
 * A Maildir, and messages on their way into it.
 *
 * A message is delivered when its file is in new/ and both the file and the directory are on
 * disk; before that nothing of it is visible, and nothing of it survives the process.
 */
#ifndef BACKEND_MAILDIR_H
#define BACKEND_MAILDIR_H

#include "lib/span.h"

struct maildir;

/* Opens it, makes what is missing of it. Returns: NULL with errno. */
struct maildir *maildir_open(const char *path);
void maildir_close(struct maildir **m);

/* A message that is being received; content first, since QMQP sends it first. */
struct incoming {
	struct maildir *maildir;
	uint8_t *memory;   /* the content while it is small */
	size_t have;       /* octets in memory */
	int fd;            /* the content once it is not: a file without a name; else -1 */
	uint8_t *envelope; /* header lines */
	size_t envelope_len, envelope_cap;
	int error; /* errno of the first thing that failed; later calls do nothing */
};

void incoming_init(struct incoming *in, struct maildir *m);
void incoming_clear(struct incoming *in);

void incoming_content(struct incoming *in, struct span octets);

/* Adds a line "NAME: VALUE" that goes before the content. In: value, without line ends. */
void incoming_field(struct incoming *in, const char *name, struct span before, struct span value,
    struct span after);

enum { MAILDIR_NAME_MAX = 200 };

/*
 * Delivers: file written, synced, renamed into new/, directory synced.
 * Out: name_out, of the file; MAILDIR_NAME_MAX octets.
 * Returns: 0, or errno; then nothing was delivered.
 */
int incoming_deliver(struct incoming *in, char *name_out);

#endif
