/*
 * One message into qmail-queue: a QMQP package is read from a socket, the program is run on it, and
 * its exit status goes back as the answer. Runs in a process of its own, which waits where it must.
 *
 * The message goes to descriptor 0 of the program, the envelope to descriptor 1, and what it writes
 * to descriptor 6 may be its text. The NUL that ends the envelope is the commit token: the program
 * queues nothing without it (qmail-queue.8), and it is written when the last comma of the package has
 * come, and not before. Whatever ends earlier ends the program.
 */
#ifndef QUEUE_HANDOFF_QUEUE_RUN_H
#define QUEUE_HANDOFF_QUEUE_RUN_H

enum {
	QUEUE_PACKAGE_S = 900, /* the whole package must be there in so many seconds */
	QUEUE_EXIT_S = 3600,   /* and the program end within so many, once it has all */
};

/* In: fd, a stream socket; program, its path. Returns: 0 when an answer was given. */
int queue_run(int fd, const char *program);

#endif
