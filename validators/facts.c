#include "validators/facts.h"

#include "validators/dispatcher.h"

bool
facts_client_unknown(const struct ip *client)
{
	static const struct ip v6 = {{[IP_LEN - 1] = 1}};

	return ip_is_v4(client) ? client->octets[12] == 127 : memcmp(client, &v6, sizeof(v6)) == 0;
}

static bool
is_relay(const struct transaction *t)
{
	return network_list_contains(&t->worker->dispatcher->trusted_relays, &t->client);
}

uint8_t
facts_envelope_checks(const struct transaction *t)
{
	const struct conf *conf = t->worker->dispatcher->conf;
	uint8_t set = 0;

	if (!conf->spf.check || is_relay(t) || facts_client_unknown(&t->client))
		return 0;
	set |= WANT_SPF;
	if (conf->spf.helo_fail != CONF_RULE_IGNORE && t->reverse_path.len > 0)
		set |= WANT_SPF_HELO;
	if (conf_looks_up_senders(conf) && t->reverse_path.len > 0)
		set |= WANT_SENDER;
	return set;
}

uint8_t
facts_content_checks(const struct transaction *t)
{
	const struct conf *conf = t->worker->dispatcher->conf;
	uint8_t set = conf->dkim.check ? WANT_DKIM : 0;

	if (is_relay(t)) {
		if (conf->top.trusted_relays_client != CONF_TRUSTED_RELAYS_CLIENT_RECEIVED)
			return set;
		set |= conf->spf.check ? WANT_SPF : 0;
	} else if (facts_client_unknown(&t->client)) {
		return set;
	}
	return conf->dmarc.check ? set | WANT_DMARC : set;
}

static void
put_envelope(const struct transaction *t, struct policy_facts *f)
{
	if (t->spf.state == CHECK_DONE) {
		f->spf = (enum auth_result)t->spf.result;
		f->no_mail = t->spf.no_mail;
		f->helo = (enum auth_result)t->spf.helo;
		f->sender = (enum sender_domain)t->spf.sender;
	}
	f->null_sender = t->reverse_path.len == 0;
	f->client_unknown = facts_client_unknown(&t->spf_client);
	f->forwarder = network_list_contains(&t->worker->dispatcher->forwarders, &t->spf_client);
}

struct policy_verdict
facts_envelope_verdict(const struct transaction *t)
{
	struct policy_facts f = {0};

	put_envelope(t, &f);
	return policy_envelope(t->worker->dispatcher->conf, &f);
}

static void
put_content(const struct content_state *c, struct policy_facts *f)
{
	f->dkim_checked = (c->checks & WANT_DKIM) != 0;
	f->signatures = c->dkim.count;
	f->passed = c->dkim.passed;
	f->key_trouble = c->dkim.key_trouble;
	f->dmarc_checked = (c->checks & WANT_DMARC) != 0;
	f->from = c->from;
	f->sealed = c->sealed;
	f->author_count = c->author_count;
	for (size_t i = 0; i < c->author_count; i++)
		f->authors[i] = c->authors[i].verdict;
}

struct policy_verdict
facts_verdict(const struct transaction *t)
{
	const struct content_state *c = &t->held->content;
	struct policy_facts f = {.exempt = t->held->all_exempt};

	put_envelope(t, &f);
	if (c->state == CHECK_DONE)
		put_content(c, &f);
	/* A relay's mail is judged only when it was found out whose it is. */
	if (is_relay(t) && !c->relayed) {
		f.dmarc_checked = false;
		f.author_count = 0;
		f.exempt = true;
	}
	return policy_message(t->worker->dispatcher->conf, &f);
}
