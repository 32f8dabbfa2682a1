/*
 * Whether the domain of a reverse-path takes mail, so that it could get an answer or a bounce:
 * RFC 5321 5.1 (a mail exchanger, or else an address), RFC 7505 (a null MX: it takes none).
 */
#ifndef VALIDATORS_SENDER_H
#define VALIDATORS_SENDER_H

#include "validators/dns.h"

/*
 * In: reverse_path, inside form.
 * Returns: SENDER_UNCHECKED when it is empty or its domain is an address literal.
 */
enum sender_domain sender_check(struct span reverse_path, const struct resolver *resolver);

#endif
