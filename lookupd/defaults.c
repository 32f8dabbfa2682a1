#include "lookupd/defaults.h"

static bool
get(const struct database *db, struct span name, struct domain *d_out)
{
	uint8_t octets[1 + ADDRESS_DOMAIN_MAX];
	struct buf key = BUF_OVER(octets);
	struct span value;

	buf_put_u8(&key, KEY_DOMAIN);
	buf_put_lower(&key, name);
	return !key.full && database_get(db, buf_span(&key), &value) == CDBFILE_FOUND &&
	       domain_decode(value, d_out) == RECORD_OK;
}

bool
defaults_domain(const struct database *db, struct span name, struct domain *d_out)
{
	if (!get(db, name, d_out) || !(d_out->flags & DOMAIN_SERVED))
		return false;
	return !(d_out->flags & DOMAIN_ALIAS) || get(db, d_out->real, d_out);
}

bool
defaults_alias(const struct database *db, struct span name, struct domain *d_out)
{
	return get(db, name, d_out) && (d_out->flags & DOMAIN_ALIAS) != 0;
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

bool
defaults_accept(const struct database *db, const struct domain *d, enum lookup_match match,
    struct lookup_result *r_out)
{
	struct span route;

	if (!get_route(db, d->route, &route))
		return false;
	*r_out = (struct lookup_result){.verdict = RCPT_ACCEPTED,
	    .match = match,
	    .route = route,
	    .class = d->class,
	    .size_limit = d->size};
	return true;
}
