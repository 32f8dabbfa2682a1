/* The signed message of RFC 8463 appendix A: what the library is warmed up with. */
#ifndef VALIDATORS_DKIM_WARM_UP_H
#define VALIDATORS_DKIM_WARM_UP_H

#include "lib/span.h"

/* Unix seconds when it was signed. */
#define DKIM_SAMPLE_TIME 1528637909u

/* LF form, signed with ed25519 and with RSA. */
extern const char dkim_sample_message[];

/* In: name of its key record. Returns: the record; empty for another name. */
struct span dkim_sample_key(struct span name);

#endif
