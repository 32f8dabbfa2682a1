/*
 * Message content in chunks, RFC 3030: BDAT says how many octets follow, and whether they are the
 * last.
 *
 * The octets of a chunk are never commands: those of one that is refused are thrown away by count,
 * and then comes the reply. A refused chunk ends the transaction, since the next one could be taken
 * for the beginning of a message whose real beginning is lost.
 */
#ifndef SMTPD_CHUNK_H
#define SMTPD_CHUNK_H

#include "smtpd/session.h"

/* BDAT was read; its octets follow. */
void chunk_begin(struct session *s, uint64_t size, bool last);

/* Takes octets of the chunk. Returns: octets used, at least 1. */
size_t chunk_take(struct session *s, struct span in);

#endif
