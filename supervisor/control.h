/*
 * The control socket: status, reload and stop from `gatehouse COMMAND`. Only the user of the
 * supervisor can connect (mode 0600).
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include "lib/link.h"
#include "lib/loop.h"

enum { CONTROL_CLIENTS = 8 };

struct control;

/* One operator that waits for an answer. */
struct control_client {
	struct control *control;
	struct link *link; /* NULL: free */
	enum command_verb verb;
	bool waiting;
};

struct control {
	struct loop *loop;
	struct watch watch;
	int fd; /* listening; not owned */
	/* Begins to carry out a command; control_answer follows, at once or later. */
	void (*on_command)(void *ctx, enum command_verb verb);
	void *ctx;
	struct control_client client[CONTROL_CLIENTS];
};

/* In: c->loop, fd, on_command and ctx are set. Returns: 0 or -1. */
int control_start(struct control *c);

/* Answers everybody who waits for that verb. In: text, any length. */
void control_answer(struct control *c, enum command_verb verb, int status, struct span text);

/* Whether somebody waits for that verb. */
bool control_waiting(const struct control *c, enum command_verb verb);

void control_stop(struct control *c);

#endif
