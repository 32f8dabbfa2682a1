#include "smtpd/admission.h"

#include "lib/log.h"

#include "smtpd/counters.h"
#include "smtpd/worker.h"

/* Large senders have large lists with old entries in them: only who has more wrong than right is guessing. */
static bool
guesses(const struct worker *w, const struct admission *a)
{
	struct clients_recipients r = clients_recipients(&w->clients, &a->address, w->now_ms);

	return r.unknown > w->conf->limits.unknown_per_hour && r.unknown > r.accepted;
}

static enum reply_id
refuse(const struct ip *client, const char *limit, enum reply_id id)
{
	struct log_line l;

	count(COUNT_clients_limited);
	log_begin(&l, EVENT_client_limited);
	log_ip(&l, "client", client);
	log_str(&l, "limit", limit);
	log_end(&l);
	return id;
}

enum reply_id
admission_ask(struct worker *w, const struct ip *client, struct admission *a_out)
{
	const struct conf_limits *limits = &w->conf->limits;
	struct clients *c = &w->clients;

	*a_out = (struct admission){.trusted = network_list_contains(&w->trusted_relays, client)};
	if (a_out->trusted)
		return REPLY_NONE;
	if (clients_enter(c, CLIENTS_OF_ADDRESS, client, w->now_ms, &a_out->address) >
	    limits->connections_per_client)
		return refuse(client, "connections_per_client", REPLY_too_many_connections);
	if (clients_enter(c, CLIENTS_OF_NETWORK, client, w->now_ms, &a_out->network) >
	    limits->connections_per_network)
		return refuse(client, "connections_per_network", REPLY_too_many_connections);
	if (!clients_spend(
		c, &a_out->address, CLIENTS_CONNECTIONS, limits->connections_per_minute, w->now_ms))
		return refuse(client, "connections_per_minute", REPLY_too_many_connections);
	if (guesses(w, a_out))
		return refuse(client, "unknown_per_hour", REPLY_too_many_unknown);
	gauge(COUNT_clients_not_counted, c->not_counted);
	return REPLY_NONE;
}

void
admission_end(struct worker *w, struct admission *a)
{
	clients_leave(&w->clients, &a->address);
	clients_leave(&w->clients, &a->network);
}

bool
admission_command(struct worker *w, const struct admission *a)
{
	return clients_spend(&w->clients, &a->address, CLIENTS_COMMANDS,
	    w->conf->limits.commands_per_minute, w->now_ms);
}

bool
admission_handshake(struct worker *w, const struct ip *client, const struct admission *a)
{
	if (clients_spend(&w->clients, &a->address, CLIENTS_HANDSHAKES,
		w->conf->limits.handshakes_per_minute, w->now_ms))
		return true;
	refuse(client, "handshakes_per_minute", REPLY_tls_not_now);
	return false;
}

bool
admission_recipient(struct worker *w, const struct admission *a, bool accepted)
{
	clients_count_recipient(&w->clients, &a->address, accepted, w->now_ms);
	return accepted || !guesses(w, a);
}
