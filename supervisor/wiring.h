/* Who is linked to whom. */
#ifndef SUPERVISOR_WIRING_H
#define SUPERVISOR_WIRING_H

#include "supervisor/generation.h"

/* Makes a fresh link between a new child and each of its neighbours that runs. */
void wiring_connect(struct child *c);

/*
 * A program says that its link to another has ended. When that one has died, it is started again
 * and linked anew, and nothing is to do here; when both live, they get a new link. A worker that
 * said what it may not is ended: its clients come back to another process.
 * In: from, who says so, and is believed about its own links only.
 */
void wiring_broken(struct child *from, const struct msg_link_broken *m);

#endif
