#include "validators/spf_engine.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <spf2/spf.h>
#include <spf2/spf_dns.h>
#include <spf2/spf_request.h>
#include <spf2/spf_response.h>
#include <spf2/spf_server.h>

#include "validators/spf_canon.h"

/*
 * The client, the sender and every address that the library sees are these (RFC 5737): a match is
 * answered with the client's address, no match with the other.
 */
static const char client_address[] = "192.0.2.1";
static const char other_address[] = "192.0.2.2";
static const char sender[] = "sender@n0.g";
static const char helo[] = "helo.g";

/* We count terms ourselves, over the whole evaluation. */
enum { LIBRARY_TERMS_MAX = 10000 };

struct spf_engine {
	SPF_dns_server_t dns;
	SPF_server_t *server;
};

/* ---- what the library asks --------------------------------------------------------------------- */

/* Without memory an answer cannot be given, and NULL makes the library abort: so do we, by intent. */
static void
add_record(SPF_dns_rr_t *rr, const void *data, size_t len)
{
	int at = rr->num_rr;

	if (SPF_dns_rr_buf_realloc(rr, at,
		len < sizeof(SPF_dns_rr_data_t) ? sizeof(SPF_dns_rr_data_t) : len) != SPF_E_SUCCESS)
		abort();
	memcpy(rr->rr[at], data, len);
	rr->num_rr = at + 1;
	rr->herrno = NETDB_SUCCESS;
}

static void
add_address(SPF_dns_rr_t *rr, bool match)
{
	struct ip ip;

	ip_parse(span_str(match ? client_address : other_address), &ip);
	add_record(rr, ip.octets + 12, 4);
}

static const int errors[] = {
    [SPF_FOUND] = NETDB_SUCCESS,
    [SPF_NOT_FOUND] = NO_DATA,
    [SPF_NO_NAME] = HOST_NOT_FOUND,
    [SPF_GAVE_UP] = TRY_AGAIN,
};

static void
answer_mx(struct spf_run *run, const struct spf_place *place, SPF_dns_rr_t *rr)
{
	int first = 0;
	size_t n;
	enum spf_found found = spf_run_mx(run, place, &first, &n);
	char name[16];

	rr->herrno = errors[found];
	for (size_t i = 0; found == SPF_FOUND && i < n; i++) {
		spf_canon_name(first + (int)i, name);
		add_record(rr, name, strlen(name) + 1);
	}
}

static void
answer_address(struct spf_run *run, const struct spf_place *place, SPF_dns_rr_t *rr)
{
	bool match = false;
	enum spf_found found = spf_run_lookup(run, place, &match);

	/* For exists any address is a match: what does not match does not exist. */
	if (found == SPF_FOUND && !match && place->kind == SPF_PLACE_PTR)
		found = SPF_NOT_FOUND;
	rr->herrno = errors[found];
	if (found == SPF_FOUND)
		add_address(rr, match);
}

/* Once there is trouble, TRY_AGAIN unwinds the library at once. */
static SPF_dns_rr_t *
on_lookup(SPF_dns_server_t *dns, const char *domain, ns_type type, int cache)
{
	struct spf_run *run = dns->hook;
	SPF_dns_rr_t *rr = SPF_dns_rr_new_init(dns, domain, type, 0, TRY_AGAIN);
	int at = spf_canon_place(domain);
	const struct spf_place *place;

	(void)cache;
	if (rr == NULL)
		abort();
	if (run->trouble != SPF_FINE || at < 0 || (size_t)at >= run->places_used)
		return rr;
	place = &run->places[at];
	if (place->kind != SPF_PLACE_MX_HOST && !spf_run_count_term(run))
		return rr;
	if (type == ns_t_mx && place->kind == SPF_PLACE_MX)
		answer_mx(run, place, rr);
	else
		answer_address(run, place, rr);
	return rr;
}

static SPF_errcode_t
on_record(SPF_server_t *server, SPF_request_t *request, SPF_response_t *response,
    SPF_record_t **record_out)
{
	struct spf_run *run = server->resolver->hook;
	int at = spf_canon_place(request->cur_dom);
	uint8_t room[SPF_CANON_MAX];
	struct buf canon = BUF_OVER(room);
	struct span record, domain;
	SPF_errcode_t rc;

	*record_out = NULL;
	if (run->trouble != SPF_FINE || at < 0 || (size_t)at >= run->places_used)
		return SPF_E_DNS_ERROR;
	domain = span_of(run->places[at].name, run->places[at].len);
	if (!spf_run_record(run, &run->places[at], &record))
		return SPF_E_NOT_SPF;
	if (!spf_canon_write(run, record, domain, &canon)) {
		spf_run_trouble(run, SPF_PERMANENT, "record too complex", domain);
		return SPF_E_SYNTAX;
	}
	buf_put_u8(&canon, '\0');
	rc = SPF_record_compile(server, response, record_out, (const char *)room);
	if (rc != SPF_E_SUCCESS)
		spf_run_trouble(run, SPF_PERMANENT, "record not understood", domain);
	return rc;
}

/* Its explanations are garbled and cost questions: it gets none. */
static SPF_errcode_t
on_explanation(SPF_server_t *server, const char *domain, char **text, size_t *len)
{
	(void)server;
	(void)domain;
	(void)text;
	(void)len;
	return SPF_E_SUCCESS;
}

/* ---- evaluation ------------------------------------------------------------------------------ */

struct spf_engine *
spf_engine_new(void)
{
	struct spf_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->dns.lookup = on_lookup;
	e->dns.get_spf = on_record;
	e->dns.get_exp = on_explanation;
	e->dns.name = "gatehouse";
	e->server = SPF_server_new_dns(&e->dns, 0);
	if (e->server == NULL)
		spf_engine_free(&e);
	else
		SPF_server_set_max_dns_mech(e->server, LIBRARY_TERMS_MAX);
	return e;
}

void
spf_engine_free(struct spf_engine **engine)
{
	struct spf_engine *e = *engine;

	*engine = NULL;
	if (e == NULL)
		return;
	if (e->server != NULL)
		SPF_server_free(e->server);
	free(e);
}

static enum auth_result
result_of(SPF_result_t result)
{
	static const enum auth_result results[] = {
	    [SPF_RESULT_INVALID] = AUTH_PERMERROR,
	    [SPF_RESULT_NEUTRAL] = AUTH_NEUTRAL,
	    [SPF_RESULT_PASS] = AUTH_PASS,
	    [SPF_RESULT_FAIL] = AUTH_FAIL,
	    [SPF_RESULT_SOFTFAIL] = AUTH_SOFTFAIL,
	    [SPF_RESULT_NONE] = AUTH_NONE,
	    [SPF_RESULT_TEMPERROR] = AUTH_TEMPERROR,
	    [SPF_RESULT_PERMERROR] = AUTH_PERMERROR,
	};

	if ((unsigned)result >= sizeof(results) / sizeof(results[0]))
		return AUTH_PERMERROR;
	return results[result];
}

enum auth_result
spf_engine_evaluate(struct spf_engine *engine, struct spf_run *run)
{
	enum auth_result result = AUTH_TEMPERROR; /* out of memory */
	SPF_request_t *request = SPF_request_new(engine->server);
	SPF_response_t *response = NULL;

	engine->dns.hook = run;
	if (request != NULL && SPF_request_set_ipv4_str(request, client_address) == SPF_E_SUCCESS &&
	    SPF_request_set_helo_dom(request, helo) == SPF_E_SUCCESS &&
	    SPF_request_set_env_from(request, sender) == 0) {
		SPF_request_query_mailfrom(request, &response);
		if (response != NULL)
			result = result_of(SPF_response_result(response));
	}
	engine->dns.hook = NULL;
	if (response != NULL)
		SPF_response_free(response);
	if (request != NULL)
		SPF_request_free(request);
	return result;
}
