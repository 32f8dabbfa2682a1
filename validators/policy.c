#include "validators/policy.h"

/* ---- rules ------------------------------------------------------------------------------------- */

static enum conf_rule
soft(unsigned rule)
{
	static const enum conf_rule rules[CONF_SOFT_RULES] = {
	    [CONF_SOFT_MARK] = CONF_RULE_MARK,
	    [CONF_SOFT_DEFER] = CONF_RULE_DEFER,
	    [CONF_SOFT_IGNORE] = CONF_RULE_IGNORE,
	    [CONF_SOFT_OBSERVE_MARK] = CONF_RULE_OBSERVE_MARK,
	    [CONF_SOFT_OBSERVE_DEFER] = CONF_RULE_OBSERVE_DEFER,
	};

	return rules[rule];
}

static enum conf_rule
rule_of(const struct conf *conf, enum policy_clause clause)
{
	switch (clause) {
	case CLAUSE_SPF_NO_MAIL:
		return conf->spf.no_mail;
	case CLAUSE_SPF_FAIL:
		return conf->spf.fail;
	case CLAUSE_SPF_SOFTFAIL:
		return conf->spf.softfail;
	case CLAUSE_SPF_PERMERROR:
		return conf->spf.permerror;
	case CLAUSE_SPF_TEMPERROR:
		return soft(conf->spf.temperror);
	case CLAUSE_HELO_FAIL:
		return conf->spf.helo_fail;
	case CLAUSE_SENDER_UNKNOWN:
		return conf->sender.unknown;
	case CLAUSE_SENDER_NULL_MX:
		return conf->sender.null_mx;
	case CLAUSE_SENDER_TEMPERROR:
		return soft(conf->sender.temperror);
	case CLAUSE_FROM_MALFORMED:
		return conf->dmarc.malformed_from;
	case CLAUSE_FROM_SEVERAL:
		return conf->dmarc.several_authors;
	case CLAUSE_DKIM_NO_PASS:
		return conf->dkim.no_pass;
	case CLAUSE_DKIM_NOT_ALIGNED:
		return conf->dkim.not_aligned;
	case CLAUSE_DMARC_REJECT:
		return conf->dmarc.reject;
	case CLAUSE_DMARC_QUARANTINE:
		return conf->dmarc.quarantine;
	default:
		return soft(conf->dmarc.temperror);
	}
}

static const struct {
	const char *name;
	enum refusal reject, defer;
} clauses[CLAUSES] = {
    [CLAUSE_SPF_NO_MAIL] = {"spf.no_mail", REFUSAL_SPF_FAIL, REFUSAL_SPF_DEFER},
    [CLAUSE_SPF_FAIL] = {"spf.fail", REFUSAL_SPF_FAIL, REFUSAL_SPF_DEFER},
    [CLAUSE_SPF_SOFTFAIL] = {"spf.softfail", REFUSAL_SPF_FAIL, REFUSAL_SPF_DEFER},
    [CLAUSE_SPF_PERMERROR] = {"spf.permerror", REFUSAL_SPF_ERROR, REFUSAL_SPF_DEFER},
    [CLAUSE_SPF_TEMPERROR] = {"spf.temperror", REFUSAL_DNS, REFUSAL_DNS},
    [CLAUSE_HELO_FAIL] = {"spf.helo_fail", REFUSAL_HELO, REFUSAL_SPF_DEFER},
    [CLAUSE_SENDER_UNKNOWN] = {"sender.unknown", REFUSAL_SENDER_UNKNOWN, REFUSAL_DEFERRED},
    [CLAUSE_SENDER_NULL_MX] = {"sender.null_mx", REFUSAL_SENDER_NULL_MX, REFUSAL_DEFERRED},
    [CLAUSE_SENDER_TEMPERROR] = {"sender.temperror", REFUSAL_DNS, REFUSAL_DNS},
    [CLAUSE_FROM_MALFORMED] = {"dmarc.malformed_from", REFUSAL_FROM_MALFORMED, REFUSAL_DEFERRED},
    [CLAUSE_FROM_SEVERAL] = {"dmarc.several_authors", REFUSAL_FROM_SEVERAL, REFUSAL_DEFERRED},
    [CLAUSE_DKIM_NO_PASS] = {"dkim.no_pass", REFUSAL_DKIM_NONE, REFUSAL_DEFERRED},
    [CLAUSE_DKIM_NOT_ALIGNED] = {"dkim.not_aligned", REFUSAL_DKIM_UNALIGNED, REFUSAL_DEFERRED},
    [CLAUSE_DMARC_REJECT] = {"dmarc.reject", REFUSAL_DMARC, REFUSAL_DEFERRED},
    [CLAUSE_DMARC_QUARANTINE] = {"dmarc.quarantine", REFUSAL_DMARC, REFUSAL_DEFERRED},
    [CLAUSE_DMARC_TEMPERROR] = {"dmarc.temperror", REFUSAL_DNS, REFUSAL_DNS},
};

const char *
policy_clause_name(enum policy_clause clause)
{
	return clauses[clause].name;
}

/* ---- DMARC ------------------------------------------------------------------------------------- */

enum auth_result
policy_dmarc(const struct policy_author *author, enum auth_result spf)
{
	struct dmarc_pair pairs[] = {{DMARC_ALIGNED, author->dkim}, {author->spf, spf}};

	switch (author->found) {
	case DMARC_FOUND:
		return dmarc_verdict(pairs, sizeof(pairs) / sizeof(pairs[0]));
	case DMARC_TROUBLE:
		return AUTH_TEMPERROR;
	case DMARC_UNUSABLE:
		return AUTH_PERMERROR;
	default:
		return AUTH_NONE;
	}
}

/* How bad a result is, for the choice among several authors. */
static unsigned
badness(const struct policy_author *author, enum auth_result dmarc)
{
	if (dmarc == AUTH_FAIL)
		return 10 + 2 * author->requested;
	if (dmarc == AUTH_TEMPERROR)
		return 9 + 2 * author->requested;
	return dmarc == AUTH_PASS ? 1 : 2;
}

static size_t
worst_author(const struct policy_facts *f)
{
	size_t worst = 0;
	unsigned most = 0;

	for (size_t i = 0; i < f->author_count; i++) {
		unsigned n = badness(&f->authors[i], policy_dmarc(&f->authors[i], f->spf));

		if (n <= most)
			continue;
		most = n;
		worst = i;
	}
	return worst;
}

/* ---- clauses ----------------------------------------------------------------------------------- */

static bool
from_is_wrong(const struct policy_facts *f)
{
	if (!f->dmarc_checked)
		return false;
	/* A notice of a machine may be from nobody. */
	return f->null_sender ? false : f->from == FROM_MALFORMED || f->from == FROM_MISSING;
}

/* No signature of any author's domain passed, whatever SPF says. */
static bool
is_unaligned(const struct policy_facts *f)
{
	for (size_t i = 0; i < f->author_count; i++)
		if (f->authors[i].dkim == AUTH_PASS)
			return false;
	return f->author_count > 0;
}

static bool
dmarc_is(const struct policy_facts *f, const struct policy_verdict *v, enum auth_result result,
    enum dmarc_policy policy)
{
	return f->author_count > 0 && v->dmarc == result &&
	       f->authors[v->author].found == DMARC_FOUND &&
	       f->authors[v->author].requested == policy;
}

static bool
applies(enum policy_clause clause, const struct policy_facts *f, const struct policy_verdict *v)
{
	switch (clause) {
	case CLAUSE_SPF_NO_MAIL:
		return f->spf == AUTH_FAIL && f->no_mail;
	case CLAUSE_SPF_FAIL:
		return f->spf == AUTH_FAIL && !f->no_mail;
	case CLAUSE_SPF_SOFTFAIL:
		return f->spf == AUTH_SOFTFAIL;
	case CLAUSE_SPF_PERMERROR:
		return f->spf == AUTH_PERMERROR;
	case CLAUSE_SPF_TEMPERROR:
		return f->spf == AUTH_TEMPERROR;
	case CLAUSE_HELO_FAIL:
		return f->helo == AUTH_FAIL;
	case CLAUSE_SENDER_UNKNOWN:
		return f->sender == SENDER_UNKNOWN;
	case CLAUSE_SENDER_NULL_MX:
		return f->sender == SENDER_NULL_MX;
	case CLAUSE_SENDER_TEMPERROR:
		return f->sender == SENDER_TROUBLE;
	case CLAUSE_FROM_MALFORMED:
		return from_is_wrong(f);
	case CLAUSE_FROM_SEVERAL:
		return f->dmarc_checked && f->from == FROM_SEVERAL;
	case CLAUSE_DKIM_NO_PASS:
		return f->dkim_checked && f->passed == 0;
	case CLAUSE_DKIM_NOT_ALIGNED:
		return f->dkim_checked && is_unaligned(f);
	case CLAUSE_DMARC_REJECT:
		return dmarc_is(f, v, AUTH_FAIL, DMARC_POLICY_REJECT);
	case CLAUSE_DMARC_QUARANTINE:
		return dmarc_is(f, v, AUTH_FAIL, DMARC_POLICY_QUARANTINE);
	default:
		return dmarc_is(f, v, AUTH_TEMPERROR, DMARC_POLICY_REJECT);
	}
}

static bool
is_dmarc(enum policy_clause clause)
{
	return clause >= CLAUSE_DMARC_REJECT;
}

/*
 * The rule is not followed, whatever it is: the recipients do not want it, a known forwarder or
 * list explains the result, or half of what the verdict needs was not looked for.
 */
static bool
is_excused(const struct conf *conf, const struct policy_facts *f, enum policy_clause clause)
{
	if (f->exempt)
		return true;
	if (clause < CLAUSES_OF_ENVELOPE)
		return f->forwarder;
	if (!is_dmarc(clause))
		return false;
	return f->forwarder || f->sealed || f->client_unknown || !f->dkim_checked ||
	       f->spf == AUTH_UNCHECKED || !conf->dmarc.enforce;
}

/* A key that was not got may be the one that would have passed. */
static enum refusal
refusal_for(enum policy_clause clause, bool reject, const struct policy_facts *f)
{
	bool of_dkim = clause == CLAUSE_DKIM_NO_PASS || clause == CLAUSE_DKIM_NOT_ALIGNED;

	if (of_dkim && f->key_trouble)
		return REFUSAL_DNS;
	return reject ? clauses[clause].reject : clauses[clause].defer;
}

static void
refuse(struct policy_verdict *v, enum policy_clause clause, enum refusal reason)
{
	if (v->refuse && (refusal_is_for_good(v->reason) || !refusal_is_for_good(reason)))
		return;
	v->refuse = true;
	v->reason = reason;
	v->clause = clause;
}

static void
hide(struct policy_verdict *v, enum policy_clause clause)
{
	if (clause == CLAUSE_HELO_FAIL)
		v->helo = AUTH_UNCHECKED;
	else if (clause < CLAUSE_HELO_FAIL)
		v->spf = AUTH_UNCHECKED;
	else if (clause < CLAUSES_OF_ENVELOPE)
		return; /* the back end is told nothing of it */
	else if (clause == CLAUSE_DKIM_NO_PASS)
		v->dkim = false;
	else if (clause != CLAUSE_DKIM_NOT_ALIGNED)
		v->dmarc = AUTH_UNCHECKED;
}

/* Quarantine is for what says who the author is. */
static bool
mark_is_quarantine(enum policy_clause clause)
{
	return clause == CLAUSE_FROM_MALFORMED || clause == CLAUSE_FROM_SEVERAL ||
	       clause == CLAUSE_DMARC_REJECT || clause == CLAUSE_DMARC_QUARANTINE;
}

static void
follow(const struct conf *conf, const struct policy_facts *f, enum policy_clause clause,
    struct policy_verdict *v)
{
	enum conf_rule rule = rule_of(conf, clause);
	bool excused = is_excused(conf, f, clause);
	bool acts = rule == CONF_RULE_REJECT || rule == CONF_RULE_DEFER ||
	            (rule == CONF_RULE_MARK && mark_is_quarantine(clause));

	if (rule == CONF_RULE_IGNORE)
		hide(v, clause);
	else if (rule >= CONF_RULE_OBSERVE_MARK || (excused && acts))
		v->observed |= 1u << clause;
	else if (acts && rule == CONF_RULE_MARK)
		v->quarantine = true;
	else if (acts)
		refuse(v, clause, refusal_for(clause, rule == CONF_RULE_REJECT, f));
}

static void
follow_all(const struct conf *conf, const struct policy_facts *f, unsigned from, unsigned to,
    struct policy_verdict *v)
{
	/* What applies is seen before any clause hides a result from the back end. */
	unsigned set = 0;

	for (unsigned c = from; c < to; c++)
		if (applies((enum policy_clause)c, f, v))
			set |= 1u << c;
	for (unsigned c = from; c < to; c++)
		if ((set & 1u << c) != 0)
			follow(conf, f, (enum policy_clause)c, v);
}

struct policy_verdict
policy_envelope(const struct conf *conf, const struct policy_facts *facts)
{
	struct policy_verdict v = {.spf = facts->spf, .helo = facts->helo};

	follow_all(conf, facts, 0, CLAUSES_OF_ENVELOPE, &v);
	return v;
}

struct policy_verdict
policy_message(const struct conf *conf, const struct policy_facts *facts)
{
	struct policy_verdict v = {
	    .spf = facts->spf,
	    .helo = facts->helo,
	    .dkim = facts->dkim_checked,
	    .author = worst_author(facts),
	};

	if (facts->author_count > 0)
		v.dmarc = policy_dmarc(&facts->authors[v.author], facts->spf);
	else if (facts->dmarc_checked)
		v.dmarc = facts->from == FROM_NO_DOMAIN || facts->null_sender ? AUTH_NONE
		                                                              : AUTH_PERMERROR;
	follow_all(conf, facts, 0, CLAUSES, &v);
	return v;
}
