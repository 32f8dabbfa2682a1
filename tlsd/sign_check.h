/*
 * What tls-keys signs, and nothing else.
 *
 * An RSA private key applied to a block of the asker's choice decrypts as well as it signs. So
 * a block must have a shape that a ciphertext has by accident with a probability that does not
 * matter: a whole DigestInfo (RFC 8017 9.2), or a PSS encoding whose zeros are there when its
 * mask is taken off (RFC 8017 9.1.2; the hash of the message is the asker's, but the mask hangs
 * on it, and 1500 bits and more must come out zero). ECDSA decrypts nothing; its digests have
 * the length of a hash.
 */
#ifndef TLSD_SIGN_CHECK_H
#define TLSD_SIGN_CHECK_H

#include "lib/catalogue.h"
#include "tlsd/key_id.h"

enum sign_verdict {
	SIGN_FINE,
	SIGN_OTHER_KIND, /* the scheme is not one of this key's */
	SIGN_BAD_LENGTH,
	SIGN_BAD_SHAPE,
};

/* Pure. In: scheme and data as they came in sign_ask. */
enum sign_verdict sign_check(const struct key_facts *key, unsigned scheme, struct span data);

/* A word for the log. */
const char *sign_verdict_text(enum sign_verdict verdict);

#endif
