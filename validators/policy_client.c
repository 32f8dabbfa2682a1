#include "validators/policy_client.h"

/* ---- lists ------------------------------------------------------------------------------------- */

struct lists {
	uint64_t weight;
	const char *zone; /* the first one that it is on */
	bool allowed, allow_unknown;
};

static struct lists
read_lists(const struct conf *conf, const struct client_facts *facts)
{
	struct lists lists = {.zone = ""};

	for (size_t i = 0; i < conf->dnslist_count; i++) {
		const struct conf_dnslist *list = &conf->dnslist[i];
		bool listed = (facts->listed & 1u << i) != 0;

		if (list->allow) {
			lists.allowed |= listed;
			lists.allow_unknown |= (facts->unknown & 1u << i) != 0;
		} else if (listed) {
			if (lists.weight == 0)
				lists.zone = list->zone;
			lists.weight += list->weight;
		}
	}
	return lists;
}

static enum conf_rule
rule_of_weight(const struct conf *conf, uint64_t weight)
{
	const struct conf_listed *rules = &conf->listed;

	if (rules->reject > 0 && weight >= rules->reject)
		return rules->observe ? CONF_RULE_OBSERVE_REJECT : CONF_RULE_REJECT;
	if (rules->defer > 0 && weight >= rules->defer)
		return rules->observe ? CONF_RULE_OBSERVE_DEFER : CONF_RULE_DEFER;
	if (rules->mark > 0 && weight >= rules->mark)
		return rules->observe ? CONF_RULE_OBSERVE_MARK : CONF_RULE_MARK;
	return CONF_RULE_IGNORE;
}

/* ---- the name ---------------------------------------------------------------------------------- */

static enum conf_rule
rule_of_name(const struct conf *conf, enum reverse_state state)
{
	const struct conf_reverse_dns *rules = &conf->reverse_dns;

	if (state == REVERSE_MISSING)
		return rules->missing;
	return state == REVERSE_UNCONFIRMED ? rules->unconfirmed : CONF_RULE_MARK;
}

static bool
refuses(enum conf_rule rule)
{
	return rule == CONF_RULE_REJECT || rule == CONF_RULE_DEFER;
}

/* RFC 8601 2.7.3 */
static enum auth_result
iprev_of(const struct conf *conf, enum reverse_state state)
{
	static const enum auth_result results[] = {
	    [REVERSE_UNCHECKED] = AUTH_UNCHECKED,
	    [REVERSE_CONFIRMED] = AUTH_PASS,
	    [REVERSE_MISSING] = AUTH_PERMERROR,
	    [REVERSE_UNCONFIRMED] = AUTH_FAIL,
	    [REVERSE_UNKNOWN] = AUTH_TEMPERROR,
	};
	enum conf_rule rule = rule_of_name(conf, state);

	if (rule == CONF_RULE_IGNORE || rule == CONF_RULE_OBSERVE_MARK)
		return AUTH_UNCHECKED;
	return results[state];
}

/* ---- both -------------------------------------------------------------------------------------- */

static const char *
observed_weight(enum conf_rule rule)
{
	if (rule == CONF_RULE_OBSERVE_REJECT)
		return "listed.reject";
	if (rule == CONF_RULE_OBSERVE_DEFER)
		return "listed.defer";
	return rule == CONF_RULE_OBSERVE_MARK ? "listed.mark" : NULL;
}

static const char *
observed_name(enum conf_rule rule)
{
	if (rule == CONF_RULE_OBSERVE_REJECT)
		return "reverse_dns.reject";
	return rule == CONF_RULE_OBSERVE_DEFER ? "reverse_dns.defer" : NULL;
}

static void
refuse(struct client_verdict *v, enum refusal reason, const char *detail)
{
	v->refuse = true;
	v->reason = reason;
	v->detail = detail;
}

static bool
name_may_refuse(const struct conf *conf)
{
	return conf->reverse_dns.check &&
	       (refuses(conf->reverse_dns.missing) || refuses(conf->reverse_dns.unconfirmed));
}

/* One that rejects goes before one that defers. */
static void
decide(struct client_verdict *v, const struct conf *conf, const struct client_facts *facts,
    const struct lists *lists)
{
	enum conf_rule weight = rule_of_weight(conf, lists->weight);
	enum conf_rule name = rule_of_name(conf, facts->reverse);

	if (weight == CONF_RULE_REJECT)
		refuse(v, REFUSAL_LISTED, lists->zone);
	else if (name == CONF_RULE_REJECT)
		refuse(v, REFUSAL_NO_REVERSE, "");
	else if (weight == CONF_RULE_DEFER)
		refuse(v, REFUSAL_LISTED_DEFER, lists->zone);
	else if (name == CONF_RULE_DEFER)
		refuse(v, REFUSAL_NO_REVERSE_DEFER, "");
	else if (facts->reverse == REVERSE_UNKNOWN && name_may_refuse(conf))
		refuse(v, REFUSAL_DNS, "");
	if (v->refuse && lists->allow_unknown)
		refuse(v, REFUSAL_DNS, "");
	v->mark = weight == CONF_RULE_MARK;
	v->observed = observed_weight(weight);
	if (v->observed == NULL)
		v->observed = observed_name(name);
}

struct client_verdict
policy_client(const struct conf *conf, const struct client_facts *facts)
{
	struct client_verdict v = {.detail = ""};
	struct lists lists;

	if (facts == NULL) {
		if (name_may_refuse(conf))
			refuse(&v, REFUSAL_DNS, "");
		return v;
	}
	lists = read_lists(conf, facts);
	v.weight = lists.weight;
	v.iprev = iprev_of(conf, facts->reverse);
	if (!lists.allowed)
		decide(&v, conf, facts, &lists);
	return v;
}

bool
policy_client_matters(const struct conf *conf)
{
	return conf->dnslist_count > 0 || name_may_refuse(conf);
}
