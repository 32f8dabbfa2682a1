#include "lib/dnslist.h"

#include "lib/address.h"

enum { ERROR_FIRST = 0x7fffff00 }; /* 127.255.255.0/24, as the large lists use it */

/* ---- configuration ----------------------------------------------------------------------------- */

static bool
parse_v4(struct span text, uint32_t *v_out)
{
	struct ip ip;

	if (!ip_parse(text, &ip) || !ip_is_v4(&ip))
		return false;
	*v_out = (uint32_t)ip.octets[12] << 24 | (uint32_t)ip.octets[13] << 16 |
	         (uint32_t)ip.octets[14] << 8 | ip.octets[15];
	return true;
}

static const char *
parse_range(struct span text, uint32_t *first_out, uint32_t *last_out)
{
	size_t dash = span_find(text, '-');

	if (!parse_v4(span_head(text, dash), first_out))
		return "is not an IPv4 address";
	*last_out = *first_out;
	if (dash < text.len && !parse_v4(span_from(text, dash + 1), last_out))
		return "does not end in an IPv4 address";
	if (*last_out < *first_out)
		return "ends before it begins";
	if (*first_out >> 24 != 127 || *last_out >> 24 != 127)
		return "is not in 127.0.0.0/8";
	if (*last_out >= ERROR_FIRST && *first_out <= (ERROR_FIRST | 0xff))
		return "has addresses of 127.255.255.0/24, by which lists report errors";
	return NULL;
}

const char *
dnslist_parse(const struct conf_strings *texts, struct dnslist_ranges *ranges_out, size_t *bad_out)
{
	ranges_out->count = 0;
	for (size_t i = 0; i < texts->count; i++) {
		const char *wrong = "is one too many";

		*bad_out = i;
		if (i < DNSLIST_RANGES_MAX)
			wrong = parse_range(span_str(texts->items[i]), &ranges_out->items[i].first,
			    &ranges_out->items[i].last);
		if (wrong != NULL) {
			ranges_out->count = 0;
			return wrong;
		}
		ranges_out->count = i + 1;
	}
	return NULL;
}

bool
dnslist_zone_ok(const char *zone)
{
	return zone != NULL && strlen(zone) <= DNSLIST_ZONE_MAX &&
	       address_domain_ok(span_str(zone));
}

/* ---- questions --------------------------------------------------------------------------------- */

void
dnslist_put_name(struct buf *b, const struct ip *ip, struct span zone)
{
	static const char digits[] = "0123456789abcdef";

	if (ip_is_v4(ip)) {
		for (size_t i = IP_LEN; i-- > IP_LEN - 4;) {
			buf_put_decimal(b, ip->octets[i]);
			buf_put_u8(b, '.');
		}
	} else {
		for (size_t i = IP_LEN; i-- > 0;) {
			buf_put_u8(b, (uint8_t)digits[ip->octets[i] & 15]);
			buf_put_u8(b, '.');
			buf_put_u8(b, (uint8_t)digits[ip->octets[i] >> 4]);
			buf_put_u8(b, '.');
		}
	}
	buf_put_span(b, zone);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static bool
matches(const struct dnslist_ranges *ranges, uint32_t v)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (v >= ranges->items[i].first && v <= ranges->items[i].last)
			return true;
	return false;
}

enum dnslist_answer
dnslist_read(const struct dnslist_ranges *ranges, unsigned status, struct span records)
{
	enum dnslist_answer answer = DNSLIST_NOT_LISTED;
	struct msg_dns_record r;

	if (status == DNS_NO_NAME || status == DNS_NO_DATA)
		return DNSLIST_NOT_LISTED;
	if (status != DNS_OK)
		return DNSLIST_UNKNOWN;
	while (msg_list_next(&records, RECORD_dns_record, &r)) {
		uint32_t v;

		if (r.data.len != 4)
			return DNSLIST_UNKNOWN;
		v = (uint32_t)r.data.p[0] << 24 | (uint32_t)r.data.p[1] << 16 |
		    (uint32_t)r.data.p[2] << 8 | r.data.p[3];
		if (v >> 8 == ERROR_FIRST >> 8)
			return DNSLIST_ERROR;
		if (matches(ranges, v))
			answer = DNSLIST_LISTED;
	}
	return answer;
}
