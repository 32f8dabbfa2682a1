/* What is asked about clients, step by step, for `gatehouse explain` and option log_checks. */
#ifndef VALIDATORS_CLIENTS_NOTE_H
#define VALIDATORS_CLIENTS_NOTE_H

#include "lib/conf.h"
#include "lib/dnslist.h"

#include "validators/dns.h"

/* A list has answered, or never will. */
void clients_note_list(
    const struct conf *conf, const struct conf_dnslist *list, enum dnslist_answer answer);

/* The reverse name of a client: its records, or that there are none. */
void clients_note_reverse(
    const struct conf *conf, const struct ip *client, const struct msg_dns_answer *answer);

/* The addresses of one of its names. In: leads_back, the client's own is among them. */
void clients_note_name(const struct conf *conf, struct span name,
    const struct msg_dns_answer *answer, bool leads_back);

#endif
