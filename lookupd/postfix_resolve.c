#include "lib/address.h"
#include "lookupd/postfix.h"

/* ---- domains ---------------------------------------------------------------------------------------- */

/* "[192.0.2.1]" of inet_interfaces or proxy_interfaces; "all" includes loopback, and that is all
 * that can be known of it here. */
static bool
is_own_literal(const struct postfix *p, struct span domain)
{
	const struct span *lists[] = {&p->is.inet_interfaces, &p->is.proxy_interfaces};
	struct span inside = span_of(domain.p + 1, domain.len - 2), word;

	for (size_t i = 0; i < 2; i++) {
		struct span rest = *lists[i];

		while (postfix_next_word(&rest, &word)) {
			bool all = span_eq_nocase(word, SPAN("all")) ||
			           span_eq_nocase(word, SPAN("loopback-only"));

			if (span_eq_nocase(inside, word) ||
			    (postfix_begins(inside, SPAN("IPv6:")) &&
				span_eq_nocase(span_from(inside, 5), word)) ||
			    (all && (span_eq(inside, SPAN("127.0.0.1")) ||
					span_eq_nocase(inside, SPAN("IPv6:::1")))))
				return true;
		}
	}
	return false;
}

bool
postfix_is_local(struct postfix *p, struct span domain)
{
	if (domain.len > 1 && domain.p[domain.len - 1] == '.')
		domain.len--;
	if (domain.len == 0 || domain.p[domain.len - 1] == '.')
		return false;
	return postfix_has(p, &p->is.mydestination, domain) ||
	       (domain.len > 2 && domain.p[0] == '[' && domain.p[domain.len - 1] == ']' &&
		   is_own_literal(p, domain));
}

enum postfix_class
postfix_class_of(struct postfix *p, struct span domain)
{
	if (postfix_is_local(p, domain))
		return POSTFIX_CLASS_LOCAL;
	if (postfix_has(p, &p->is.virtual_alias_domains, domain))
		return POSTFIX_CLASS_ALIAS;
	if (postfix_has(p, &p->is.virtual_mailbox_domains, domain))
		return POSTFIX_CLASS_VIRTUAL;
	if (postfix_has_parent(
		p, &p->is.relay_domains, domain, postfix_parent_style(p, "relay_domains")))
		return POSTFIX_CLASS_RELAY;
	return POSTFIX_CLASS_DEFAULT;
}

/* A bare network address is no host name: "user@192.0.2.1". */
static bool
is_host_name(struct span domain)
{
	bool numeric = true;

	for (size_t i = 0; i < domain.len; i++)
		if (!ascii_is_digit(domain.p[i]) && domain.p[i] != '.')
			numeric = false;
	return !numeric && address_domain_ok(domain);
}

/* ---- canonical form ----------------------------------------------------------------------------------- */

static void
append(struct postfix_address *a, struct span more)
{
	struct buf b = buf_over(a->octets, sizeof(a->octets));

	b.len = a->len;
	buf_put_span(&b, more);
	a->overlong |= b.full;
	a->len = b.len;
}

/* Removes one dot at the end, neither of two nor behind "@". */
static void
strip_dot(struct postfix_address *a)
{
	if (a->len >= 2 && a->octets[a->len - 1] == '.' && a->octets[a->len - 2] != '.' &&
	    a->octets[a->len - 2] != '@')
		a->len--;
}

/* "site!user" becomes "user@site", or "user%site" does, or it is ours. */
static void
give_domain(struct postfix *p, struct postfix_address *a)
{
	struct span s = postfix_span(a);
	size_t bang = span_find(s, '!'), percent = span_find_last(s, '%');
	struct postfix_address copy = *a;

	if (p->is.swap_bangpath && bang < s.len)
		postfix_address_join(a, span_from(postfix_span(&copy), bang + 1),
		    span_head(postfix_span(&copy), bang));
	else if (p->is.allow_percent_hack && percent < s.len)
		a->octets[percent] = '@';
	else if (p->is.append_at_myorigin && p->is.myorigin.len > 0) {
		append(a, SPAN("@"));
		append(a, p->is.myorigin);
	}
}

void
postfix_rewrite(struct postfix *p, struct postfix_address *a)
{
	struct span domain;

	if (a->len == 0)
		return;
	if (a->octets[0] == '@') { /* a source route */
		size_t colon = span_find(postfix_span(a), ':');

		if (colon + 1 < a->len)
			postfix_address_set(a, span_from(postfix_span(a), colon + 1));
		else if (a->len == 1) {
			a->len = 0;
			return;
		}
	}
	if (!postfix_has_domain(postfix_span(a)))
		give_domain(p, a);
	domain = postfix_domain(postfix_span(a));
	if (p->is.append_dot_mydomain && p->is.mydomain.len > 0 && domain.len > 0 &&
	    domain.p[0] != '[' && span_find(domain, '.') == domain.len) {
		append(a, SPAN("."));
		append(a, p->is.mydomain);
	}
	strip_dot(a);
}

/* ---- resolving ------------------------------------------------------------------------------------------ */

/* Whether what is left of a local part of ours is an address of its own. */
static bool
routes_on(const struct postfix *p, struct span rest)
{
	return span_find(rest, '@') < rest.len ||
	       (p->is.swap_bangpath && span_find(rest, '!') < rest.len) ||
	       (p->is.allow_percent_hack && span_find(rest, '%') < rest.len);
}

/* Takes off our own domains as long as something to resolve remains. Returns: is it local. */
static bool
strip_local(struct postfix *p, struct postfix_address *to)
{
	struct postfix_address saved = {.len = 0};

	for (size_t round = 0; round < to->len + 100; round++) {
		struct span s, domain;

		strip_dot(to);
		s = postfix_span(to);
		domain = postfix_domain(s);
		if (postfix_has_domain(s)) {
			if (domain.len > 0 && !postfix_is_local(p, domain))
				return false;
			postfix_address_set(&saved, domain);
			to->len = postfix_local(s).len;
		}
		if (routes_on(p, postfix_span(to))) {
			postfix_rewrite(p, to);
			continue;
		}
		if (to->len == 0) {
			postfix_address_set(to, p->is.empty_address_recipient);
			continue;
		}
		append(to, SPAN("@"));
		append(to, saved.len > 0 ? postfix_span(&saved) : p->is.myhostname);
		if (saved.len > 0)
			return true;
	}
	return true;
}

static void
set_transport(struct postfix_resolved *r, struct span value)
{
	size_t colon = span_find(value, ':');

	r->transport = span_head(value, colon);
	r->nexthop = span_from(value, colon + 1);
}

static void
choose_transport(struct postfix *p, struct postfix_resolved *r)
{
	switch (r->class) {
	case POSTFIX_CLASS_LOCAL:
		set_transport(r, p->is.local_transport);
		break;
	case POSTFIX_CLASS_ALIAS:
		r->transport = SPAN("error");
		r->nexthop = SPAN("5.1.1 User unknown");
		break;
	case POSTFIX_CLASS_VIRTUAL:
		set_transport(r, p->is.virtual_transport);
		break;
	case POSTFIX_CLASS_RELAY:
		set_transport(r, p->is.relay_transport);
		break;
	case POSTFIX_CLASS_DEFAULT:
	case POSTFIX_CLASS_BAD:
		set_transport(r, p->is.default_transport);
		break;
	}
}

/* An entry may leave the transport out, and then changes nothing that matters here. */
static void
apply_transport_maps(struct postfix *p, struct postfix_resolved *r)
{
	struct span to = postfix_span(&r->to);
	struct postfix_found found;
	size_t colon;

	if (r->class == POSTFIX_CLASS_ALIAS)
		return;
	if (!postfix_find(p, &p->is.transport_maps, to, POSTFIX_FIND_TRANSPORT, &found) &&
	    !postfix_find_key(p, &p->is.transport_maps, SPAN("*"), true, &found))
		return;
	colon = span_find(found.value, ':');
	if (colon > 0)
		set_transport(r, found.value);
}

static void
apply_relocated_maps(struct postfix *p, struct postfix_resolved *r)
{
	struct postfix_found found;

	if (!postfix_find(
		p, &p->is.relocated_maps, postfix_span(&r->to), POSTFIX_FIND_ADDRESS, &found))
		return;
	r->moved = true;
	r->transport = SPAN("error");
	r->nexthop = found.value;
}

static bool
has_routing(struct span to)
{
	for (size_t i = 0; i < to.len; i++)
		if (to.p[i] == '@' || to.p[i] == '!' || to.p[i] == '%')
			return i != postfix_local(to).len;
	return false;
}

void
postfix_resolve(struct postfix *p, const struct postfix_address *a, struct postfix_resolved *r_out)
{
	struct postfix_resolved *r = r_out;
	struct span domain;
	bool local;

	r->routed = r->moved = false;
	r->to = *a;
	local = strip_local(p, &r->to);
	domain = postfix_domain(postfix_span(&r->to));
	r->class = POSTFIX_CLASS_BAD;
	if (r->to.overlong || !(domain.len > 0 && domain.p[0] == '[' ? address_literal_ok(domain)
								     : is_host_name(domain)))
		return;
	r->routed = has_routing(postfix_span(&r->to));
	r->class = local ? POSTFIX_CLASS_LOCAL : postfix_class_of(p, domain);
	choose_transport(p, r);
	apply_transport_maps(p, r);
	apply_relocated_maps(p, r);
	if (!p->is.allow_min_user && r->to.octets[0] == '-')
		r->class = POSTFIX_CLASS_BAD;
}
