#include "lib/network.h"

#include "lib/bug.h"

enum { ALL_BITS = 8 * IP_LEN, V4_BITS = 32, MAPPED_BITS = ALL_BITS - V4_BITS };

static const char not_a_network[] = "is neither an address nor a network as 192.0.2.0/24";

/* Clears all but the first `bits`. */
static struct ip
head_of(const struct ip *ip, unsigned bits)
{
	struct ip out = *ip;

	for (unsigned i = 0; i < IP_LEN; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;

		if (kept < 8)
			out.octets[i] &= (uint8_t)(0xff00U >> kept);
	}
	return out;
}

static bool
same(const struct ip *a, const struct ip *b)
{
	return memcmp(a->octets, b->octets, IP_LEN) == 0;
}

/* Of IPv4: not any that happens to have the mapped addresses in it. */
static bool
is_v4(const struct network *n)
{
	return n->bits >= MAPPED_BITS && ip_is_v4(&n->base);
}

const char *
network_parse(struct span text, struct network *network_out)
{
	size_t slash = span_find(text, '/');
	struct span address = span_head(text, slash);
	bool dotted = span_find(address, ':') == address.len;
	uint64_t bits = dotted ? V4_BITS : ALL_BITS;
	struct ip ip, base;

	if (!ip_parse(address, &ip))
		return not_a_network;
	if (slash < text.len && !span_decimal(span_from(text, slash + 1), bits, &bits))
		return dotted ? "must have a prefix of 0 to 32 bits"
		              : "must have a prefix of 0 to 128 bits";
	if (dotted)
		bits += MAPPED_BITS;
	base = head_of(&ip, (unsigned)bits);
	/* 192.0.2.7/24 is more often a slip than a way to write 192.0.2.0/24. */
	if (!same(&base, &ip))
		return "has bits set beyond its prefix";
	*network_out = (struct network){base, (uint8_t)bits};
	return NULL;
}

const char *
network_list_parse(const struct conf_strings *texts, struct network_list *list_out, size_t *bad_out)
{
	const char *wrong = NULL;

	list_out->count = 0;
	for (size_t i = 0; i < texts->count && wrong == NULL; i++) {
		*bad_out = i;
		if (i == NETWORKS_MAX)
			wrong = "is one network too many";
		else
			wrong = network_parse(span_str(texts->items[i]), &list_out->networks[i]);
	}
	if (wrong == NULL)
		list_out->count = texts->count;
	return wrong;
}

bool
network_contains(const struct network *network, const struct ip *ip)
{
	struct ip base = head_of(ip, network->bits);

	return is_v4(network) == ip_is_v4(ip) && same(&base, &network->base);
}

bool
network_is_everybody(const struct network *network)
{
	return network->bits == 0 || (network->bits == MAPPED_BITS && is_v4(network));
}

bool
network_list_contains(const struct network_list *list, const struct ip *ip)
{
	for (size_t i = 0; i < list->count; i++) {
		if (network_contains(&list->networks[i], ip))
			return true;
	}
	return false;
}

struct ip
network_base(const struct ip *ip, unsigned bits_v4, unsigned bits_v6)
{
	BUG_ON(bits_v4 > V4_BITS || bits_v6 > ALL_BITS);
	return head_of(ip, ip_is_v4(ip) ? MAPPED_BITS + bits_v4 : bits_v6);
}
