/* SipHash-2-4: a fast hash under a secret key, for tables whose keys strangers choose. */
#ifndef LIB_SIPHASH_H
#define LIB_SIPHASH_H

#include "lib/span.h"

enum { SIPHASH_KEY_LEN = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], struct span s);

#endif
