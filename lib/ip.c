#include "lib/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void
set_v4(struct ip *ip, const void *four)
{
	memcpy(ip->octets, v4_prefix, sizeof(v4_prefix));
	memcpy(ip->octets + sizeof(v4_prefix), four, 4);
}

bool
ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip_out, uint16_t *port_out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		set_v4(ip_out, &in.sin_addr);
		*port_out = ntohs(in.sin_port);
		return true;
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		memcpy(ip_out->octets, &in6.sin6_addr, IP_LEN);
		*port_out = ntohs(in6.sin6_port);
		return true;
	default:
		return false;
	}
}

size_t
ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *to_out)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(to_out, 0, sizeof(*to_out));
	if (ip_is_v4(ip)) {
		memcpy(&in.sin_addr, ip->octets + sizeof(v4_prefix), 4);
		memcpy(to_out, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, ip->octets, IP_LEN);
	memcpy(to_out, &in6, sizeof(in6));
	return sizeof(in6);
}

bool
ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->octets, v4_prefix, sizeof(v4_prefix)) == 0;
}

void
ip_put(struct buf *b, const struct ip *ip)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (!ip_is_v4(ip)) {
		inet_ntop(AF_INET6, ip->octets, text, sizeof(text));
		buf_put_str(b, text);
		return;
	}
	/* In every log line: inet_ntop would go through printf. */
	for (size_t i = sizeof(v4_prefix); i < IP_LEN; i++) {
		buf_put_decimal(b, ip->octets[i]);
		if (i + 1 < IP_LEN)
			buf_put_u8(b, '.');
	}
}

bool
ip_parse(struct span text, struct ip *ip_out)
{
	char z[IP_TEXT_MAX + 1];
	uint8_t four[4];

	if (text.len == 0 || text.len > IP_TEXT_MAX || span_find(text, '\0') != text.len)
		return false;
	memcpy(z, text.p, text.len);
	z[text.len] = '\0';
	if (inet_pton(AF_INET, z, four) == 1) {
		set_v4(ip_out, four);
		return true;
	}
	return inet_pton(AF_INET6, z, ip_out->octets) == 1;
}

bool
ip_parse_port(struct span text, bool zero_port_ok, struct ip *ip_out, uint16_t *port_out)
{
	size_t colon = span_find_last(text, ':');
	struct span host = span_head(text, colon);
	bool bracketed = host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
	uint64_t port;

	if (colon == text.len || !span_decimal(span_from(text, colon + 1), 65535, &port))
		return false;
	if (port == 0 && !zero_port_ok)
		return false;
	if (bracketed)
		host = span_of(host.p + 1, host.len - 2);
	/* Brackets go with IPv6 and only with it: "::1:25" could mean two things. */
	if (bracketed != (span_find(host, ':') != host.len))
		return false;
	*port_out = (uint16_t)port;
	return ip_parse(host, ip_out);
}
