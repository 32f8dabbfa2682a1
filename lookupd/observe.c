#include "lookupd/observe.h"

#include "lookupd/defaults.h"

bool
observe(const struct conf_strings *domains, const struct database *db, const struct address *asked,
    struct lookup_result *r)
{
	struct span name = address_domain(asked);
	struct domain d;

	for (size_t i = 0; i < domains->count; i++)
		if (span_eq_nocase(name, span_str(domains->items[i])))
			return defaults_domain(db, name, &d) &&
			       defaults_accept(db, &d, MATCH_OBSERVED, r);
	return false;
}
