#include "validators/spf.h"

#include <stdlib.h>

#include "validators/note.h"
#include "validators/spf_engine.h"
#include "validators/spf_run.h"

struct spf {
	struct spf_engine *engine;
	struct spf_run *run; /* a hundred kilobytes: kept */
};

/* RFC 7208 4.3: what cannot be the name of a mail domain has no policy. */
static bool
can_have_policy(struct span domain)
{
	return dns_name_ok(domain) && span_find(domain, '.') < domain.len && domain.p[0] != '[';
}

static bool
is_plain(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

static enum auth_result
evaluate(struct spf *spf)
{
	struct spf_run *run = spf->run;
	enum auth_result result = spf_engine_evaluate(spf->engine, run);

	if (run->trouble != SPF_FINE)
		return run->trouble == SPF_PERMANENT ? AUTH_PERMERROR : AUTH_TEMPERROR;
	return run->no_record ? AUTH_NONE : result;
}

void
spf_check(struct spf *spf, const struct spf_question *q, const struct resolver *resolver,
    struct spf_answer *answer_out)
{
	struct spf_answer *a = answer_out;
	struct spf_run *run = spf->run;
	struct span domain;

	*a = (struct spf_answer){.result = AUTH_NONE};
	spf_run_init(run, q, resolver, BUF_OVER(a->reason));
	domain = spf_name_trim(run->facts.sender_domain);
	if (!can_have_policy(domain)) {
		buf_put_str(&run->reason, "no domain that could have a policy");
	} else {
		spf_run_place(run, SPF_PLACE_RECORD, domain, 0);
		a->result = evaluate(spf);
		a->no_mail = run->no_mail;
		a->everybody = run->everybody && a->result == AUTH_PASS;
		if (is_plain(domain)) {
			a->domain_len = domain.len;
			memcpy(a->domain, domain.p, domain.len);
		}
	}
	if (run->reason.len == 0)
		buf_printf(&run->reason, "terms %u, without answer %u%s", run->terms, run->voids,
		    a->everybody ? ", lets anybody pass" : "");
	a->reason_len = run->reason.len;
	note("spf result", domain, span_str(auth_result_name(a->result)));
}

/* What it does not ask, it does not need: a reverse-path without a domain that could have a policy. */
static void
no_answer(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	(void)arg;
	(void)name;
	(void)type;
	reply_out->status = DNS_TROUBLE;
	reply_out->len = reply_out->count = 0;
}

struct spf *
spf_new(void)
{
	struct spf_question q = {.sender = SPAN("warm@up.invalid"), .helo = SPAN("up.invalid")};
	struct resolver resolver = {no_answer, NULL};
	struct spf *spf = calloc(1, sizeof(*spf));
	struct spf_answer answer;

	if (spf == NULL)
		return NULL;
	spf->engine = spf_engine_new();
	spf->run = malloc(sizeof(*spf->run));
	if (spf->engine == NULL || spf->run == NULL)
		spf_free(&spf);
	else
		spf_check(spf, &q, &resolver, &answer);
	return spf;
}

void
spf_free(struct spf **spf_at)
{
	struct spf *spf = *spf_at;

	*spf_at = NULL;
	if (spf == NULL)
		return;
	spf_engine_free(&spf->engine);
	free(spf->run);
	free(spf);
}
