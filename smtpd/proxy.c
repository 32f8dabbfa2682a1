#include "smtpd/proxy.h"

enum {
	V1_MAX = 107, /* octets with CR LF, proxy-protocol.txt 2.1 */
	V2_FIXED = 16,
	V2_TCP4 = 12, /* octets of two addresses and two ports */
	V2_TCP6 = 36,
};

/* Nobody comes from there. */
static bool
is_unspecified(const struct ip *ip)
{
	static const uint8_t zeros[IP_LEN];

	return memcmp(ip->octets + (ip_is_v4(ip) ? 12 : 0), zeros, ip_is_v4(ip) ? 4 : IP_LEN) == 0;
}

/* Of `whole` and the octets so far: whether they may become it. */
static bool
agrees(struct span octets, struct span whole)
{
	size_t len = octets.len < whole.len ? octets.len : whole.len;

	return span_eq(span_head(octets, len), span_head(whole, len));
}

/* ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 4242 25" CR LF ------------------------------ */

/* Takes a word and the space behind it; the last word has none. */
static struct span
next_word(struct span *rest)
{
	size_t space = span_find(*rest, ' ');
	struct span word = span_head(*rest, space);

	*rest = span_from(*rest, space + 1);
	return word;
}

/* No sign, no leading zeros. */
static bool
parse_port(struct span word, uint16_t *port_out)
{
	uint64_t port;

	if (!span_decimal(word, UINT16_MAX, &port) || (word.len > 1 && word.p[0] == '0'))
		return false;
	*port_out = (uint16_t)port;
	return true;
}

static bool
parse_v1_address(struct span word, bool six, struct ip *ip_out)
{
	return (span_find(word, ':') < word.len) == six && ip_parse(word, ip_out) &&
	       !is_unspecified(ip_out);
}

/* In: line, without CR LF. */
static bool
parse_v1_line(struct span line, struct proxy_header *h)
{
	struct span rest = span_from(line, sizeof("PROXY ") - 1);
	struct span family = next_word(&rest);
	size_t spaces = 0;
	bool six = span_eq(family, SPAN("TCP6"));
	struct ip ours;
	uint16_t our_port;
	struct span from, to, from_port;

	/* "must ignore anything presented before the CRLF" */
	h->unknown = span_eq(family, SPAN("UNKNOWN"));
	if (h->unknown)
		return true;
	if (!six && !span_eq(family, SPAN("TCP4")))
		return false;
	for (size_t i = 0; i < rest.len; i++)
		spaces += rest.p[i] == ' ';
	from = next_word(&rest);
	to = next_word(&rest);
	from_port = next_word(&rest);
	return spaces == 3 && parse_v1_address(from, six, &h->client) &&
	       parse_v1_address(to, six, &ours) && parse_port(from_port, &h->port) &&
	       parse_port(rest, &our_port);
}

static enum proxy_status
parse_v1(struct span octets, struct proxy_header *h)
{
	struct span seen = span_head(octets, V1_MAX);
	size_t lf = span_find(seen, '\n');

	if (lf == seen.len)
		return seen.len < V1_MAX ? PROXY_MORE : PROXY_BAD;
	if (lf < sizeof("PROXY ") || octets.p[lf - 1] != '\r')
		return PROXY_BAD;
	h->len = lf + 1;
	return parse_v1_line(span_head(octets, lf - 1), h) ? PROXY_GOOD : PROXY_BAD;
}

/* ---- version 2 ------------------------------------------------------------------------------------- */

static const struct span v2_signature = {(const uint8_t *)"\r\n\r\n\0\r\nQUIT\n", 12};

enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
enum { V2_UNSPECIFIED = 0x00, V2_TCP_OVER_4 = 0x11, V2_TCP_OVER_6 = 0x21 };

/* In: addresses, at least V2_TCP4 octets. IPv4 in the form of lib/ip.h. */
static void
take_v4(struct span addresses, struct proxy_header *h)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(h->client.octets, mapped, sizeof(mapped));
	memcpy(h->client.octets + sizeof(mapped), addresses.p, 4);
	h->port = (uint16_t)(addresses.p[8] << 8 | addresses.p[9]);
}

static void
take_v6(struct span addresses, struct proxy_header *h)
{
	memcpy(h->client.octets, addresses.p, IP_LEN);
	h->port = (uint16_t)(addresses.p[32] << 8 | addresses.p[33]);
}

/* Type-length-values, of which none is of use here: they must fill the rest exactly. */
static bool
skip_values(struct span rest)
{
	while (rest.len >= 3) {
		size_t len = 3 + ((size_t)rest.p[1] << 8 | rest.p[2]);

		if (len > rest.len)
			return false;
		rest = span_from(rest, len);
	}
	return rest.len == 0;
}

/* In: body, all that the length in the header counts. */
static bool
parse_v2_body(uint8_t command, uint8_t family, struct span body, struct proxy_header *h)
{
	size_t addresses = family == V2_TCP_OVER_4 ? V2_TCP4 : V2_TCP6;

	/* The receiver "must accept this connection as valid", whatever the rest says. */
	h->unknown = command == V2_LOCAL || (command == V2_PROXY && family == V2_UNSPECIFIED);
	if (h->unknown)
		return true;
	if (command != V2_PROXY || (family != V2_TCP_OVER_4 && family != V2_TCP_OVER_6) ||
	    body.len < addresses)
		return false;
	if (family == V2_TCP_OVER_4)
		take_v4(body, h);
	else
		take_v6(body, h);
	return !is_unspecified(&h->client) && skip_values(span_from(body, addresses));
}

static enum proxy_status
parse_v2(struct span octets, struct proxy_header *h)
{
	size_t len;

	if (octets.len < V2_FIXED)
		return PROXY_MORE;
	len = (size_t)octets.p[14] << 8 | octets.p[15];
	if (octets.p[12] >> 4 != 2 || len > PROXY_MAX - V2_FIXED)
		return PROXY_BAD;
	h->len = V2_FIXED + len;
	if (octets.len < h->len)
		return PROXY_MORE;
	return parse_v2_body(octets.p[12], octets.p[13], span_of(octets.p + V2_FIXED, len), h)
	           ? PROXY_GOOD
	           : PROXY_BAD;
}

/* ---- either ------------------------------------------------------------------------------------------ */

enum proxy_status
proxy_parse(struct span octets, struct proxy_header *header_out)
{
	*header_out = (struct proxy_header){0};
	if (octets.len == 0)
		return PROXY_MORE;
	if (agrees(octets, v2_signature))
		return parse_v2(octets, header_out);
	if (agrees(octets, SPAN("PROXY ")))
		return parse_v1(octets, header_out);
	return PROXY_BAD;
}
