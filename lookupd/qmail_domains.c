/* qmail's control files: what comes in (qmail-smtpd), and where it goes (qmail-send). */
#include "lookupd/qmail.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "lib/address.h"
#include "lib/bug.h"

#include "lookupd/cdbfile.h"
#include "lookupd/qmail_control.h"

/* ---- files ------------------------------------------------------------------------------------- */

struct control_file {
	const char *path;
	struct span text;
	bool there;
};

static struct control_file
load(struct qmail *q, const char *name)
{
	struct control_file f = {.path = qmail_path(q, q->dir, name)};

	if (f.path != NULL)
		f.there = qmail_load(q, f.path, CONTROL_MAX, &f.text);
	return f;
}

/* A file of one line, or what holds without it. */
static struct span
one_line(struct qmail *q, const char *name, struct span otherwise)
{
	struct control_file f = load(q, name);

	return f.there ? control_first_line(f.text) : otherwise;
}

static void
warn_suspicious(struct qmail *q, const struct control_file *f, uint32_t line, struct span entry)
{
	const char *why = control_suspicious(entry);

	if (why != NULL)
		report_warning(q->report, f->path, line, why, entry);
}

/* ---- domains -------------------------------------------------------------------------------------- */

enum { KEPT = DOMAIN_LOCAL | DOMAIN_VIRTUAL | DOMAIN_HAS_ADDRESSES };

/* elsewhere=DOMAIN: another source says what holds for it. */
static bool
is_elsewhere(const struct qmail *q, struct span name)
{
	for (const struct option_given *g = q->options.first; g != NULL; g = g->next)
		if (strcmp(g->name, "elsewhere") == 0 && span_eq_nocase(span_str(g->value), name))
			return true;
	return false;
}

/*
 * A domain that another installation has named: who only sends its mail on leaves it to who
 * keeps it, and two cannot keep it.
 * Returns: whether it is that of this installation now.
 */
static bool
take_over(
    struct qmail *q, struct rule_domain *d, bool keeps, uint16_t flags, struct provenance from)
{
	if (!keeps) {
		if (!d->kept)
			d->domain.flags |= flags & DOMAIN_SERVED;
		return false;
	}
	if (!d->kept) {
		d->domain = (struct domain){0};
		d->of = q->of;
		d->from = d->served_from = from;
		return true;
	}
	/* Nobody outside writes to it. */
	if (span_eq(d->item.key, SPAN("localhost")))
		return false;
	report_error(q->report, from.place.source, from.place.line,
	    "another source has this domain already; one of them says elsewhere=DOMAIN",
	    d->item.key);
	report_warning(
	    q->report, d->from.place.source, d->from.place.line, "this is the place", d->item.key);
	q->failed = true;
	return false;
}

static void
flag(struct qmail *q, struct span name, uint16_t flags, struct provenance from)
{
	/* What is only served is kept too where every domain is virtual. */
	bool keeps = (flags & KEPT) != 0 || q->of->boxes.default_prefix.len > 0;
	struct rule_domain *d;

	if (is_elsewhere(q, name))
		return;
	if (name.len > ADDRESS_DOMAIN_MAX) {
		report_warning(q->report, from.place.source, from.place.line,
		    "longer than any domain: never asked for", span_head(name, 80));
		return;
	}
	d = rules_domain(q->rules, name, from);
	if (d == NULL) {
		qmail_no_memory(q);
		return;
	}
	if (d->of != q->of && !take_over(q, d, keeps, flags, from))
		return;
	d->kept = d->kept || keeps;
	if (flags & (DOMAIN_LOCAL | DOMAIN_VIRTUAL))
		d->from = from;
	if (flags & DOMAIN_SERVED)
		d->served_from = from;
	d->domain.flags |= flags;
	d->domain.route = q->route;
}

static void
flag_all(struct qmail *q, const char *name, uint16_t flags, const char *reason)
{
	struct control_file f = load(q, name);
	struct control c = control_over(f.text);
	struct span entry;

	while (f.there && control_next(&c, &entry)) {
		warn_suspicious(q, &f, c.number, entry);
		flag(q, entry, flags, (struct provenance){{f.path, c.number}, reason});
	}
}

/* Without locals the host's own name is local, and without both qmail-send does not start. */
static void
take_locals(struct qmail *q, struct span me, bool has_me)
{
	struct control_file f = load(q, "control/locals");

	if (f.there)
		flag_all(q, "control/locals", DOMAIN_LOCAL, "a local domain");
	else if (has_me)
		flag(q, me, DOMAIN_LOCAL,
		    (struct provenance){{qmail_path(q, q->dir, "control/me"), 1},
			"the host's own name is local without control/locals"});
	else {
		report_error(q->report, f.path, 0,
		    "neither control/locals nor control/me is there: no installation of qmail",
		    span_of(NULL, 0));
		q->failed = true;
	}
}

/* ---- virtual domains --------------------------------------------------------------------------------- */

/* user@domain: one address. */
static void
take_virtual_address(
    struct qmail *q, struct span address, struct span prefix, struct provenance from)
{
	uint8_t octets[1 + ADDRESS_MAX];
	struct buf key = BUF_OVER(octets);
	size_t at = span_find_last(address, '@');
	struct rule *rule;

	buf_put_u8(&key, KEY_VIRTUAL);
	buf_put_lower(&key, address);
	if (key.full)
		return;
	flag(q, span_from(address, at + 1), DOMAIN_HAS_ADDRESSES, from);
	if (is_elsewhere(q, span_from(address, at + 1)))
		return;
	rule = rules_add(q->rules, buf_span(&key), prefix, from, NULL);
	if (rule == NULL) {
		qmail_no_memory(q);
		return;
	}
	/* Of several lines the last one counts. */
	rule->value = pool_copy(&q->rules->pool, prefix);
	rule->from = from;
}

static void
take_virtual_domain(struct qmail *q, struct span domain, struct span prefix, struct provenance from)
{
	struct rule_domain *d;

	flag(q, domain, DOMAIN_VIRTUAL, from);
	if (domain.len > ADDRESS_DOMAIN_MAX)
		return;
	d = rules_domain(q->rules, domain, from);
	if (d == NULL || d->of != q->of || is_elsewhere(q, domain))
		return;
	d->domain.prefix = pool_copy(&q->rules->pool, prefix);
	d->domain.has_prefix = true;
}

static void
take_virtual(struct qmail *q, struct span entry, struct provenance from, struct span *default_out)
{
	size_t colon = span_find(entry, ':');
	struct span key = span_head(entry, colon), value = span_from(entry, colon + 1);
	uint8_t octets[LAYOUT_PREFIX_MAX + 1];
	struct buf prefix = BUF_OVER(octets);

	if (colon == entry.len) {
		report_warning(q->report, from.place.source, from.place.line,
		    "has no colon: qmail does not look at it", entry);
		return;
	}
	buf_put_lower(&prefix, value);
	if (prefix.len > LAYOUT_PREFIX_MAX || prefix.full) {
		report_error(q->report, from.place.source, from.place.line,
		    "the prefix is longer than 512 octets", key);
		q->failed = true;
		return;
	}
	if (q->only_under != NULL) {
		buf_put_u8(&prefix, '-');
		if (!qmail_assigned(q, buf_span(&prefix)))
			return;
		prefix.len--;
	}
	if (span_find(key, '@') < key.len)
		take_virtual_address(q, key, buf_span(&prefix), from);
	else if (key.len > 0)
		take_virtual_domain(q, key, buf_span(&prefix), from);
	else
		*default_out = pool_copy(&q->rules->pool, buf_span(&prefix));
}

static void
take_virtuals(struct qmail *q)
{
	struct control_file f = load(q, "control/virtualdomains");
	struct control c = control_over(f.text);
	struct span entry, by_default = {NULL, 0};

	while (f.there && !q->failed && control_next(&c, &entry)) {
		warn_suspicious(q, &f, c.number, entry);
		take_virtual(q, entry, (struct provenance){{f.path, c.number}, "a virtual domain"},
		    &by_default);
	}
	q->of->boxes.default_prefix = by_default;
}

/* ---- rcpthosts ------------------------------------------------------------------------------------------ */

static void
serve_domain(struct qmail *q, struct span name, struct provenance from)
{
	/* Of vpopmail alone only what it has. */
	if (q->only_under != NULL) {
		uint8_t octets[ADDRESS_DOMAIN_MAX];
		struct buf lower = BUF_OVER(octets);

		buf_put_lower(&lower, name);
		if (lower.full || rules_find_domain(q->rules, buf_span(&lower)) == NULL)
			return;
	}
	flag(q, name, DOMAIN_SERVED, from);
}

static void
take_more_cdb(struct qmail *q, const char *path, struct span octets)
{
	struct cdbfile cdb;
	uint32_t at = CDBFILE_HEAD;
	struct span key, value;
	enum cdbfile_status status = CDBFILE_BAD;

	if (cdbfile_over(&cdb, octets))
		while ((status = cdbfile_next(&cdb, &at, &key, &value)) == CDBFILE_FOUND)
			serve_domain(q, key,
			    (struct provenance){{path, 0}, "served: in control/morercpthosts.cdb"});
	if (status != CDBFILE_BAD)
		return;
	report_error(q->report, path, 0, "damaged: run qmail-newmrh", span_of(NULL, 0));
	q->failed = true;
}

static void
take_more(struct qmail *q)
{
	const char *cdb = qmail_path(q, q->dir, "control/morercpthosts.cdb");
	struct control_file f = load(q, "control/morercpthosts");
	struct control c = control_over(f.text);
	struct span octets, entry;

	if (cdb != NULL && qmail_load(q, cdb, CDB_MAX, &octets)) {
		take_more_cdb(q, cdb, octets);
		return;
	}
	if (f.there)
		report_warning(q->report, f.path, 0,
		    "there is no morercpthosts.cdb, without which qmail does not look at this "
		    "file; read as if qmail-newmrh had been run",
		    span_of(NULL, 0));
	while (f.there && control_next(&c, &entry))
		serve_domain(q, entry,
		    (struct provenance){{f.path, c.number}, "served: in control/morercpthosts"});
}

static void
take_served(struct qmail *q)
{
	struct control_file f = load(q, "control/rcpthosts");
	struct control c = control_over(f.text);
	struct span entry;

	if (!f.there) {
		report_warning(q->report, f.path, 0,
		    "is not there: qmail takes mail for every domain; here only what it keeps is "
		    "accepted",
		    span_of(NULL, 0));
		q->of->open = true;
		return;
	}
	while (control_next(&c, &entry)) {
		warn_suspicious(q, &f, c.number, entry);
		serve_domain(q, entry,
		    (struct provenance){{f.path, c.number}, "served: in control/rcpthosts"});
	}
	take_more(q);
}

/* Domains that come in and go out again. */
static void
take_relayed(struct qmail *q)
{
	for (struct rule_domain *d = q->rules->first_domain; d != NULL; d = d->next) {
		enum leaf_verdict word;
		bool remote = d->domain.flags & DOMAIN_SERVED && !(d->domain.flags & KEPT);

		if (d->of != q->of && d->kept)
			continue;
		if (options_word(&q->options, "relay:", d->item.key, &word) && word == LEAF_ACCEPT)
			d->domain.flags |= DOMAIN_ACCEPT;
		else if (remote && !(d->domain.flags & DOMAIN_PERCENT))
			report_warning(q->report, d->served_from.place.source,
			    d->served_from.place.line,
			    "served, but neither local nor virtual: qmail relays it; needs a list, "
			    "or relay:DOMAIN=accept",
			    d->item.key);
		if (d->domain.flags & DOMAIN_PERCENT)
			report_warning(q->report, d->from.place.source, d->from.place.line,
			    "the percent hack lets others choose where mail goes", d->item.key);
	}
	for (const struct option_given *g = q->options.first; g != NULL; g = g->next) {
		enum leaf_verdict word;

		if (strncmp(g->name, "relay:", 6) == 0 && options_verdict(g->value, &word) &&
		    word == LEAF_ACCEPT &&
		    !rules_allow_relay(q->rules, q->of, span_str(g->name + 6)))
			qmail_no_memory(q);
	}
}

/* ---- addresses of the host ----------------------------------------------------------------------------- */

static void
own(struct qmail *q, const void *ipv4)
{
	uint8_t octets[16 + ADDRESS_DOMAIN_MAX];
	struct buf b = BUF_OVER(octets);

	buf_put(&b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	buf_put(&b, ipv4, 4);
	buf_put_span(&b, span_head(q->literal_domain, ADDRESS_DOMAIN_MAX));
	if (collection_header(q->c, HEADER_OWN_ADDRESS, buf_span(&b)) < 0)
		qmail_no_memory(q);
}

/* Those of interfaces when this is the host; else what own= says. */
static void
take_own_addresses(struct qmail *q)
{
	struct ifaddrs *all = NULL;

	own(q, "\x7f\0\0\1");
	own(q, "\0\0\0\0");
	for (const struct option_given *g = q->options.first; g != NULL; g = g->next) {
		struct in_addr in;

		if (strcmp(g->name, "own") != 0)
			continue;
		if (inet_pton(AF_INET, g->value, &in) == 1)
			own(q, &in);
		else {
			report_error(
			    q->report, NULL, 0, "own= is an IPv4 address", span_str(g->value));
			q->failed = true;
		}
	}
	if (q->tree.root[0] != '\0' || getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		struct sockaddr_in sin;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&sin, i->ifa_addr, sizeof(sin));
		if (sin.sin_addr.s_addr != htonl(INADDR_LOOPBACK))
			own(q, &sin.sin_addr);
	}
	freeifaddrs(all);
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

/* Returns: what is left for who comes later: the domain, when the header has another one. */
static struct span
put_domain(struct qmail *q, uint8_t type, struct span domain)
{
	if (domain.len > ADDRESS_DOMAIN_MAX)
		domain = span_of(NULL, 0);
	if (q->only_under != NULL || collection_has_header(q->c, type))
		return domain;
	if (domain.len > 0 && collection_header(q->c, type, domain) < 0)
		qmail_no_memory(q);
	return span_of(NULL, 0);
}

static struct control_file
load_me(struct qmail *q, struct span *me_out)
{
	struct control_file f = load(q, "control/me");

	*me_out = control_first_line(f.text);
	return f;
}

void
qmail_default_domain(struct qmail *q)
{
	struct span me;
	struct control_file f = load_me(q, &me);

	q->default_domain = put_domain(q, HEADER_DEFAULT_DOMAIN,
	    one_line(q, "control/envnoathost", f.there ? me : SPAN("envnoathost")));
}

/* What SMTP appends to every address (RELAYCLIENT). */
static void
take_appended(struct qmail *q)
{
	const char *suffix = options_get(&q->options, "relayclient");

	if (suffix == NULL)
		return;
	q->of->open = q->of->appends = true;
	if (suffix[0] != '\0' && strlen(suffix) <= ADDRESS_DOMAIN_MAX &&
	    collection_header(q->c, HEADER_APPENDED, span_str(suffix)) < 0)
		qmail_no_memory(q);
}

void
qmail_domains(struct qmail *q)
{
	struct span me;
	struct control_file f = load_me(q, &me);

	if (q->only_under == NULL) {
		take_locals(q, me, f.there);
		q->literal_domain = put_domain(q, HEADER_LITERAL_DOMAIN,
		    one_line(q, "control/localiphost", f.there ? me : SPAN("")));
		take_own_addresses(q);
	}
	take_virtuals(q);
	if (q->only_under == NULL)
		flag_all(q, "control/percenthack", DOMAIN_PERCENT, "a domain with percent hack");
	take_served(q);
	take_appended(q);
	take_relayed(q);
}
