#include "validators/dmarc.h"

enum auth_result
dmarc_verdict(const struct dmarc_pair *pairs, size_t count)
{
	enum auth_result verdict = AUTH_FAIL;

	for (size_t i = 0; i < count; i++) {
		if (pairs[i].match == DMARC_APART)
			continue;
		if (pairs[i].match == DMARC_ALIGNED && pairs[i].result == AUTH_PASS)
			return AUTH_PASS;
		if (pairs[i].result == AUTH_PASS || pairs[i].result == AUTH_TEMPERROR)
			verdict = AUTH_TEMPERROR;
	}
	return verdict;
}

enum dmarc_match
dmarc_align(bool strict, struct span author, struct span author_organization, struct span domain,
    struct span domain_organization)
{
	if (author.len == 0 || domain.len == 0)
		return DMARC_APART;
	if (span_eq(author, domain))
		return DMARC_ALIGNED;
	if (strict)
		return DMARC_APART;
	if (author_organization.len == 0 || domain_organization.len == 0)
		return DMARC_UNSURE;
	return span_eq(author_organization, domain_organization) ? DMARC_ALIGNED : DMARC_APART;
}
