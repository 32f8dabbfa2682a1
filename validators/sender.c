#include "validators/sender.h"

#include "lib/idn.h"

static enum dns_status
ask(const struct resolver *resolver, struct span name, enum dns_type type, struct dns_reply *reply)
{
	resolver->ask(resolver->arg, name, type, reply);
	return reply->status;
}

/* No mail exchanger: its address is one (RFC 5321 5.1). */
static enum sender_domain
check_addresses(struct span name, const struct resolver *resolver, struct dns_reply *reply)
{
	static const enum dns_type types[] = {DNS_TYPE_A, DNS_TYPE_AAAA};
	bool trouble = false;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		switch (ask(resolver, name, types[i], reply)) {
		case DNS_OK:
			return SENDER_GOOD;
		case DNS_NO_DATA:
		case DNS_NO_NAME:
			break;
		default:
			trouble = true;
		}
	}
	return trouble ? SENDER_TROUBLE : SENDER_UNKNOWN;
}

/* One exchanger whose name is the root (RFC 7505 3). */
static bool
is_null_mx(const struct dns_reply *reply)
{
	struct span rest = dns_records(reply);
	struct msg_dns_record record;

	return reply->count == 1 && dns_next(&rest, &record) && record.data.len == 0;
}

enum sender_domain
sender_check(struct span reverse_path, const struct resolver *resolver)
{
	size_t at = span_find_last(reverse_path, '@');
	struct dns_reply reply;
	uint8_t room[DNS_NAME_MAX];
	struct buf name = BUF_OVER(room);
	struct span domain;

	if (at >= reverse_path.len)
		return SENDER_UNCHECKED;
	domain = span_from(reverse_path, at + 1);
	if (domain.len == 0 || domain.p[0] == '[')
		return SENDER_UNCHECKED;
	if (domain.len > DNS_NAME_MAX || idn_to_ascii(domain, &name) != IDN_OK || name.full ||
	    !dns_name_ok(buf_span(&name)))
		return SENDER_UNKNOWN;
	switch (ask(resolver, buf_span(&name), DNS_TYPE_MX, &reply)) {
	case DNS_OK:
		return is_null_mx(&reply) ? SENDER_NULL_MX : SENDER_GOOD;
	case DNS_NO_NAME:
		return SENDER_UNKNOWN;
	case DNS_NO_DATA:
		return check_addresses(buf_span(&name), resolver, &reply);
	default:
		return SENDER_TROUBLE;
	}
}
