/* Who is linked to whom. */
#ifndef SUPERVISOR_WIRING_H
#define SUPERVISOR_WIRING_H

#include "supervisor/generation.h"

/* Makes a fresh link between a new child and each of its neighbours that runs. */
void wiring_connect(struct child *c);

#endif
