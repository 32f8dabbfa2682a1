#include "validators/suffix.h"

#include <libpsl.h>

enum { NAME_MAX_OCTETS = 255 };

static psl_ctx_t *list;

bool
suffix_load(void)
{
	if (list == NULL)
		list = psl_latest(NULL);
	return list != NULL;
}

static bool
to_text(struct span name, char text[NAME_MAX_OCTETS + 1])
{
	if (list == NULL || name.len == 0 || name.len > NAME_MAX_OCTETS)
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	return true;
}

bool
suffix_is_public(struct span name)
{
	char text[NAME_MAX_OCTETS + 1];

	return to_text(name, text) && psl_is_public_suffix(list, text);
}

bool
suffix_is_registry(struct span name)
{
	char text[NAME_MAX_OCTETS + 1];

	return to_text(name, text) && psl_is_public_suffix2(list, text, PSL_TYPE_ICANN);
}

struct span
suffix_organization(struct span name)
{
	char text[NAME_MAX_OCTETS + 1];
	const char *organization;

	if (!to_text(name, text))
		return name;
	organization = psl_registrable_domain(list, text);
	return organization != NULL ? span_from(name, (size_t)(organization - text)) : name;
}
