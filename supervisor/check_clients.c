#include "supervisor/check_parts.h"

#include <stdio.h>

#include "lib/address.h"
#include "lib/dnslist.h"
#include "lib/domain_list.h"
#include "lib/network.h"

static void
check_networks(struct check *c, const char *option, const struct conf_strings *networks)
{
	struct network_list list;
	size_t bad;
	const char *wrong = network_list_parse(networks, &list, &bad);

	if (wrong != NULL)
		check_error(c, option, "\"%s\" %s", networks->items[bad], wrong);
}

static void
check_dnslists(struct check *c)
{
	char option[128];

	for (size_t i = 0; i < c->conf->dnslist_count; i++) {
		const struct conf_dnslist *list = &c->conf->dnslist[i];
		struct dnslist_ranges ranges;
		const char *wrong;
		size_t bad;

		snprintf(option, sizeof(option), "dnslist.%s.zone", list->title);
		if (!dnslist_zone_ok(list->zone))
			check_error(c, option, "must be set to the name of the list's zone");
		snprintf(option, sizeof(option), "dnslist.%s.answers", list->title);
		wrong = dnslist_parse(&list->answers, &ranges, &bad);
		if (wrong != NULL)
			check_error(c, option, "\"%s\" %s", list->answers.items[bad], wrong);
		else if (ranges.count == 0)
			check_error(c, option, "must name an answer");
	}
}

/* A threshold that another one, which does more, comes before. */
static void
check_listed(struct check *c)
{
	const struct conf_listed *l = &c->conf->listed;

	if (l->defer > 0 && l->reject > 0 && l->defer >= l->reject)
		check_warning(c, "listed.defer", "is never reached: listed.reject comes first");
	if (l->mark > 0 &&
	    ((l->reject > 0 && l->mark >= l->reject) || (l->defer > 0 && l->mark >= l->defer)))
		check_warning(c, "listed.mark",
		    "is never reached: listed.reject or listed.defer comes first");
}

/* Those who say who the client is, and those who have no limits. */
static void
check_few(struct check *c, const char *option, const struct conf_strings *networks)
{
	struct network n;

	check_networks(c, option, networks);
	for (size_t i = 0; i < networks->count; i++) {
		if (network_parse(span_str(networks->items[i]), &n) == NULL &&
		    network_is_everybody(&n))
			check_warning(c, option, "\"%s\" is everybody", networks->items[i]);
	}
}

static void
check_domains(struct check *c, const char *option, const struct conf_strings *domains,
    const char *const *values)
{
	size_t bad;
	const char *wrong = domain_list_check(domains, values, &bad);

	if (wrong != NULL)
		check_error(c, option, "\"%s\" %s", domains->items[bad], wrong);
}

static void
check_results(struct check *c)
{
	const char *id = c->conf->top.authserv_id;

	if (id != NULL && !address_domain_ok(span_str(id)))
		check_error(c, "authserv_id", "is not a domain name");
}

/* DMARC judges by what SPF and DKIM found. */
static void
check_dmarc(struct check *c)
{
	static const char *const policies[] = {"none", "quarantine", "reject", NULL};
	const struct conf *conf = c->conf;

	check_domains(c, "dmarc.override", &conf->dmarc.override, policies);
	check_domains(c, "dmarc.trusted_sealers", &conf->dmarc.trusted_sealers, NULL);
	if (conf->dmarc.check && conf->dmarc.enforce && !(conf->spf.check && conf->dkim.check))
		check_warning(c, "dmarc.enforce",
		    "policies are not enforced where spf.check or dkim.check is off");
}

void
check_clients(struct check *c)
{
	check_dnslists(c);
	check_listed(c);
	check_few(c, "proxy_from", &c->conf->top.proxy_from);
	check_few(c, "trusted_relays", &c->conf->top.trusted_relays);
	check_networks(c, "dmarc.trusted_forwarders", &c->conf->dmarc.trusted_forwarders);
	check_dmarc(c);
	check_results(c);
	check_networks(c, "bare_lf_normalize", &c->conf->top.bare_lf_normalize);
	check_networks(c, "bare_lf_reject", &c->conf->top.bare_lf_reject);
}
