/* From what is known of a transaction to what policy decides about: no decision is made here. */
#ifndef VALIDATORS_FACTS_H
#define VALIDATORS_FACTS_H

#include "validators/transaction.h"

/* A balancer or a tunnel stands before us: the address says nothing about the sender. */
bool facts_client_unknown(const struct ip *client);

/* What is to be found out, sets of enum check_wanted. Empty: nothing. */
uint8_t facts_envelope_checks(const struct transaction *t);
/* Without SPF nothing can be said by DMARC either. */
uint8_t facts_content_checks(const struct transaction *t);

/* The verdict of the envelope's rules, whatever the recipients are. */
struct policy_verdict facts_envelope_verdict(const struct transaction *t);

/* The verdict of all rules; the checks have ended, and none of them failed. */
struct policy_verdict facts_verdict(const struct transaction *t);

#endif
