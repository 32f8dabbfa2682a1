#include "tlsd/facts.h"

#include "lib/address.h"
#include "lib/ip.h"

static bool
is_token(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '_' || c == '-';
}

bool
facts_token_ok(const char *token, size_t most)
{
	struct span s = span_str(token);

	for (size_t i = 0; i < s.len; i++)
		if (!is_token(s.p[i]))
			return false;
	return s.len >= 1 && s.len <= most;
}

void
facts_server_name(struct buf *b, const char *name)
{
	struct span s = span_str(name);
	struct ip ip;

	if (s.len <= ADDRESS_DOMAIN_MAX && address_domain_ok(s) && !ip_parse(s, &ip))
		buf_put_lower(b, s);
}
