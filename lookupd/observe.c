#include "lookupd/observe.h"

static bool
get_domain(const struct database *db, struct span name, struct domain *d_out)
{
	uint8_t octets[1 + ADDRESS_DOMAIN_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;

	buf_put_u8(&key, KEY_DOMAIN);
	buf_put_lower(&key, name);
	return !key.full && database_get(db, buf_span(&key), &value) == CDBFILE_FOUND &&
	       domain_decode(value, d_out) == RECORD_OK;
}

static bool
get_route(const struct database *db, uint16_t number, struct span *name_out)
{
	uint8_t octets[3];
	struct buf key = BUF_OVER(octets);
	struct span value;

	*name_out = span_of(NULL, 0);
	if (number == 0)
		return true;
	key_put_u16(&key, KEY_ROUTE, number);
	return database_get(db, buf_span(&key), &value) == CDBFILE_FOUND &&
	       route_decode(value, name_out) == RECORD_OK;
}

static bool
is_listed(const struct conf_strings *domains, struct span name)
{
	for (size_t i = 0; i < domains->count; i++)
		if (span_eq_nocase(name, span_str(domains->items[i])))
			return true;
	return false;
}

bool
observe(const struct conf_strings *domains, const struct database *db, const struct address *asked,
    struct lookup_result *r)
{
	struct domain d;
	struct span route;

	if (!is_listed(domains, address_domain(asked)) ||
	    !get_domain(db, address_domain(asked), &d))
		return false;
	if ((d.flags & DOMAIN_ALIAS) && !get_domain(db, d.real, &d))
		return false;
	if (!get_route(db, d.route, &route))
		return false;
	*r = (struct lookup_result){.verdict = RCPT_ACCEPTED,
	    .match = MATCH_OBSERVED,
	    .route = route,
	    .class = d.class,
	    .size_limit = d.size};
	return true;
}
