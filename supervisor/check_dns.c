#include "supervisor/check_parts.h"

#include <unistd.h>

#include "lib/catalogue.h"

/* ---- trust anchors ---------------------------------------------------------------------------- */

static bool
takes_number(struct span *rest, uint64_t most)
{
	uint64_t value;

	return span_decimal(span_take_word(rest), most, &value);
}

static bool
is_hex(uint8_t c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool
is_base64(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '/' || c == '=';
}

/* The words that are left, together; presentation forms may have blanks in them. */
static bool
is_all(struct span rest, bool (*is)(uint8_t))
{
	size_t n = 0;

	for (size_t i = 0; i < rest.len; i++) {
		if (rest.p[i] == ' ' || rest.p[i] == '\t')
			continue;
		if (!is(rest.p[i]))
			return false;
		n++;
	}
	return n > 0;
}

/* owner [TTL] [class] type; RFC 4034 2.2 and 5.3 have the rest. */
static bool
is_anchor(struct span text)
{
	struct span rest = text, word;
	uint64_t ttl;

	if (span_take_word(&rest).len == 0)
		return false;
	word = span_take_word(&rest);
	if (span_decimal(word, UINT32_MAX, &ttl))
		word = span_take_word(&rest);
	if (span_eq_nocase(word, SPAN("IN")))
		word = span_take_word(&rest);
	if (span_eq_nocase(word, SPAN("DS")))
		return takes_number(&rest, UINT16_MAX) && takes_number(&rest, UINT8_MAX) &&
		       takes_number(&rest, UINT8_MAX) && is_all(rest, is_hex);
	return span_eq_nocase(word, SPAN("DNSKEY")) && takes_number(&rest, UINT16_MAX) &&
	       takes_number(&rest, UINT8_MAX) && takes_number(&rest, UINT8_MAX) &&
	       is_all(rest, is_base64);
}

void
check_dnssec(struct check *c)
{
	const struct conf_dns *dns = &c->conf->dns;

	for (size_t i = 0; i < dns->anchors.count; i++)
		if (!is_anchor(span_str(dns->anchors.items[i])))
			check_error(c, "dns.anchors", "\"%s\" is not a DS or DNSKEY record",
			    dns->anchors.items[i]);
	if (dns->dnssec == CONF_DNSSEC_ALWAYS && access(DNS_ROOT_KEY, R_OK) != 0)
		check_error(c, "dns.dnssec",
		    "cannot read %s, the key of the root (Debian's package dns-root-data)",
		    DNS_ROOT_KEY);
}
