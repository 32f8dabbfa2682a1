#include "validators/dns.h"

bool
dns_name_ok(struct span name)
{
	size_t label = 0;

	if (name.len == 0 || name.len > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '\0')
			return false;
		if (name.p[i] != '.') {
			if (++label > DNS_LABEL_MAX)
				return false;
			continue;
		}
		if (label == 0)
			return false;
		label = 0;
	}
	return label > 0;
}
