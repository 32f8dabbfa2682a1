#include "lookupd/ldif_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lookupd/ldif.h"
#include "lookupd/pool.h"

enum {
	FORWARDS_MAX = 20,    /* one behind another */
	DELIMITERS_MAX = 16,  /* octets */
	ACCOUNT_DISABLED = 2, /* bit of userAccountControl */
};

static const struct span nothing = {NULL, 0};

/* What an entry says of all its addresses. */
struct person {
	uint32_t line;
	bool disabled, deleted, needs_login;
	bool forwards_only;   /* nothing stays here */
	struct span target;   /* where it forwards to; lower case, empty: nowhere */
	bool judged, judging; /* see verdict_of() */
	enum leaf_verdict verdict;
	struct person *next;
};

struct known_address {
	struct keymap_item item; /* lower case */
	struct person *person;
	bool external; /* the address elsewhere that the entry stands for */
	struct known_address *next;
};

struct wanted_domain {
	struct span name;
	struct wanted_domain *next;
};

struct import {
	struct pool pool;
	struct collection *c;
	struct report *report;
	const char *path;
	struct keymap addresses, own_domains;
	struct known_address *first, **tail;
	struct person *people, *person; /* all; that of the entry which is being read */
	struct wanted_domain *domains;
	struct span delimiters;
	bool refuse_disabled, catch_all;
	uint16_t route;
	bool remote_said;
	enum leaf_verdict remote;
	bool failed, trouble;
	uint64_t relayed, skipped;
};

static void
out_of_memory(struct import *in)
{
	in->failed = in->trouble = true;
}

static void
complain(struct import *in, unsigned line, const char *what, struct span detail)
{
	report_error(in->report, in->path, line, what, span_head(detail, 200));
	in->failed = true;
}

/* ---- options ------------------------------------------------------------------------------------- */

static bool
take_domain(struct import *in, struct span name)
{
	struct wanted_domain *d = pool_take(&in->pool, sizeof(*d));
	uint8_t octets[ADDRESS_DOMAIN_MAX];
	struct buf b = BUF_OVER(octets);

	buf_put_lower(&b, name);
	if (d == NULL || b.full || !address_domain_ok(name))
		return false;
	d->name = pool_copy(&in->pool, buf_span(&b));
	d->next = in->domains;
	in->domains = d;
	return d->name.p != NULL;
}

static bool
take_remote(struct import *in, struct span word)
{
	in->remote_said = true;
	if (span_eq(word, SPAN("accept")))
		in->remote = LEAF_ACCEPT;
	else if (span_eq(word, SPAN("defer")))
		in->remote = LEAF_DEFER;
	else if (span_eq(word, SPAN("ignore")))
		in->remote = LEAF_UNKNOWN;
	else
		return false;
	return true;
}

static bool
take_option(struct import *in, struct span option)
{
	size_t equals = span_find(option, '=');
	struct span name = span_head(option, equals), value = span_from(option, equals + 1);

	if (span_eq(name, SPAN("domain")))
		return take_domain(in, value);
	if (span_eq(name, SPAN("remote")))
		return take_remote(in, value);
	if (span_eq(name, SPAN("backend")))
		return record_name_ok(value) &&
		       collection_route(in->c, value, (struct place){in->path, 0}, &in->route) ==
		           COLLECTION_ADDED;
	if (span_eq(name, SPAN("delimiter"))) {
		in->delimiters = pool_copy(&in->pool, value);
		return value.len > 0 && value.len <= DELIMITERS_MAX;
	}
	if (span_eq(name, SPAN("disabled"))) {
		in->refuse_disabled = span_eq(value, SPAN("refuse"));
		return in->refuse_disabled || span_eq(value, SPAN("accept"));
	}
	in->catch_all = in->catch_all || span_eq(option, SPAN("catchall"));
	return span_eq(option, SPAN("catchall"));
}

/* FILE,NAME=VALUE... */
static bool
take_options(struct import *in, struct span text)
{
	size_t comma = span_find(text, ',');

	/* Records refer to it. */
	in->path = pool_string(&in->c->rules.pool, span_head(text, comma));
	if (in->path == NULL)
		out_of_memory(in);
	while (!in->failed && (text = span_from(text, comma + 1)).len > 0) {
		comma = span_find(text, ',');
		if (!take_option(in, span_head(text, comma)))
			complain(in, 0,
			    "an option is domain=NAME, backend=NAME, delimiter=CHARACTERS, "
			    "disabled=accept or "
			    "refuse, remote=accept, defer or ignore, catchall",
			    span_head(text, comma));
	}
	return !in->failed;
}

/* ---- entries ---------------------------------------------------------------------------------------- */

static struct person *
person_of(struct import *in, unsigned line)
{
	if (in->person != NULL)
		return in->person;
	in->person = pool_take(&in->pool, sizeof(*in->person));
	if (in->person == NULL)
		out_of_memory(in);
	else
		in->person->line = line;
	return in->person;
}

/* The address in lower case, as a key. Returns: false when it is none that can be asked for. */
static bool
canonical(struct import *in, struct span text, struct span *key_out)
{
	struct address a;
	uint8_t octets[ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);

	if (address_from_inside(text, &a) != ADDRESS_OK || address_domain(&a).len == 0)
		return false;
	buf_put_lower(&b, address_span(&a));
	*key_out = pool_copy(&in->pool, buf_span(&b));
	if (key_out->p == NULL)
		out_of_memory(in);
	return key_out->p != NULL;
}

static void
add_address(struct import *in, struct span text, unsigned line)
{
	struct known_address *known;
	struct span key;

	if (!canonical(in, text, &key)) {
		report_warning(in->report, in->path, line, "not an address that can be asked for",
		    span_head(text, 200));
		in->skipped++;
		return;
	}
	known = (void *)keymap_get(&in->addresses, key);
	if (known != NULL) {
		if (known->person != in->person)
			report_warning(in->report, in->path, line,
			    "two entries have this address; the first one counts", key);
		return;
	}
	known = pool_take(&in->pool, sizeof(*known));
	if (known != NULL) {
		known->item.key = key;
		known->person = in->person;
	}
	if (known == NULL || keymap_add(&in->addresses, &known->item) < 0) {
		out_of_memory(in);
		return;
	}
	*in->tail = known;
	in->tail = &known->next;
}

static bool
begins(struct span s, struct span prefix)
{
	return span_eq_nocase(span_head(s, prefix.len), prefix);
}

/* "smtp:address", and "SMTP:" for the first one; x500:, sip: and others are no mail. */
static void
take_proxy_address(struct import *in, struct span value, unsigned line)
{
	if (begins(value, SPAN("smtp:")))
		add_address(in, span_from(value, 5), line);
}

static void
take_target(struct import *in, struct span value, unsigned line)
{
	struct span key;

	(void)line;
	if (begins(value, SPAN("smtp:")))
		value = span_from(value, 5);
	in->person->target = canonical(in, value, &key) ? key : SPAN("?");
	in->person->forwards_only = true;
}

/* Of qmail-ldap: besides, or instead of a mailbox; deliveryMode says which. */
static void
take_forwarding(struct import *in, struct span value, unsigned line)
{
	struct span key;

	(void)line;
	if (in->person->target.len == 0)
		in->person->target = canonical(in, value, &key) ? key : SPAN("?");
}

static void
take_delivery_mode(struct import *in, struct span value, unsigned line)
{
	(void)line;
	if (span_eq_nocase(value, SPAN("forwardonly")) || span_eq_nocase(value, SPAN("nolocal")) ||
	    span_eq_nocase(value, SPAN("nombox")))
		in->person->forwards_only = true;
}

static void
take_control(struct import *in, struct span value, unsigned line)
{
	uint64_t flags;

	if (!span_decimal(value, UINT32_MAX, &flags))
		complain(in, line, "userAccountControl is no number", value);
	else if (flags & ACCOUNT_DISABLED && in->refuse_disabled)
		in->person->disabled = true;
}

static void
take_status(struct import *in, struct span value, unsigned line)
{
	(void)line;
	if (span_eq_nocase(value, SPAN("disabled")))
		in->person->disabled = true;
	else if (span_eq_nocase(value, SPAN("deleted")))
		in->person->deleted = true;
}

static void
take_login(struct import *in, struct span value, unsigned line)
{
	(void)line;
	if (span_eq_nocase(value, SPAN("TRUE")))
		in->person->needs_login = true;
}

static const struct {
	const char *name;
	void (*take)(struct import *in, struct span value, unsigned line);
} attributes[] = {
    {"proxyAddresses", take_proxy_address},
    {"mail", add_address},
    {"mailAlternateAddress", add_address},
    {"mailLocalAddress", add_address},
    {"targetAddress", take_target},
    {"mailForwardingAddress", take_forwarding},
    {"deliveryMode", take_delivery_mode},
    {"userAccountControl", take_control},
    {"accountStatus", take_status},
    {"msExchRequireAuthToSendTo", take_login},
};

/* ";range=0-1499": the server had more, and nobody asked for it. */
static bool
is_cut(struct span options)
{
	struct span range = SPAN(";range=");

	for (; options.len > 0; options = span_from(options, 1))
		if (begins(options, range)) {
			struct span rest = span_from(options, range.len);
			struct span end = span_head(rest, span_find(rest, ';'));

			return end.len == 0 || end.p[end.len - 1] != '*';
		}
	return false;
}

static void
on_value(void *context, struct span name, struct span options, struct span value, unsigned line)
{
	struct import *in = context;

	if (in->failed || person_of(in, line) == NULL)
		return;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (!span_eq_nocase(name, span_str(attributes[i].name)))
			continue;
		if (is_cut(options))
			complain(
			    in, line, "the server did not send all values of this attribute", name);
		else
			attributes[i].take(in, value, line);
	}
}

static void
on_end(void *context)
{
	struct import *in = context;

	if (in->person != NULL) {
		in->person->next = in->people;
		in->people = in->person;
	}
	in->person = NULL;
}

static void
on_error(void *context, const char *error, unsigned line)
{
	complain(context, line, error, nothing);
}

/* ---- verdicts ------------------------------------------------------------------------------------------ */

static bool
is_wanted(const struct import *in, struct span domain)
{
	const struct wanted_domain *d = in->domains;

	while (d != NULL && !span_eq(d->name, domain))
		d = d->next;
	return d != NULL || in->domains == NULL;
}

static struct span
domain_of(struct span address)
{
	return span_from(address, span_find_last(address, '@') + 1);
}

static const struct known_address *
find(const struct import *in, struct span address)
{
	uint8_t octets[ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);
	const struct known_address *known = (void *)keymap_get(&in->addresses, address);
	struct span local = span_head(address, span_find_last(address, '@'));
	size_t cut = 0;

	while (cut < local.len && span_find(in->delimiters, local.p[cut]) == in->delimiters.len)
		cut++;
	if (known != NULL || cut == 0 || cut == local.len)
		return known;
	buf_put_span(&b, span_head(local, cut));
	buf_put_span(&b, span_from(address, local.len));
	return (void *)keymap_get(&in->addresses, buf_span(&b));
}

/* Where mail goes that a directory sends elsewhere. */
static enum leaf_verdict
verdict_elsewhere(struct import *in, struct span target)
{
	if (is_wanted(in, domain_of(target)) &&
	    keymap_get(&in->own_domains, domain_of(target)) != NULL)
		return LEAF_UNKNOWN;
	return in->remote_said ? in->remote : LEAF_RELAY;
}

static enum leaf_verdict
verdict_of(struct import *in, struct person *p, unsigned depth)
{
	const struct known_address *next;

	if (p->judged)
		return p->verdict;
	if (p->deleted)
		p->verdict = LEAF_UNKNOWN;
	else if (p->disabled)
		p->verdict = LEAF_DISABLED;
	else if (p->needs_login)
		p->verdict = LEAF_AUTH_ONLY;
	else if (p->judging || depth > FORWARDS_MAX)
		return LEAF_UNKNOWN; /* a circle */
	else if (p->target.len == 0 || !p->forwards_only)
		p->verdict = LEAF_ACCEPT;
	else {
		p->judging = true;
		next = find(in, p->target);
		p->verdict = next != NULL && !next->external && next->person != p
		                 ? verdict_of(in, next->person, depth + 1)
		                 : verdict_elsewhere(in, p->target);
		/* That somebody must log in holds for who sends to the group, not for a forward. */
		if (p->verdict == LEAF_AUTH_ONLY || p->verdict == LEAF_DISABLED)
			p->verdict = LEAF_UNKNOWN;
	}
	p->judged = true;
	return p->verdict;
}

/* ---- records ---------------------------------------------------------------------------------------------- */

/* "catchall@d" of qmail-ldap is for the rest of the domain, "x-catchall@d" for the rest of x-. */
static enum layout_key
key_type(const struct import *in, struct span *local)
{
	struct span word = SPAN("catchall");

	if (!in->catch_all || local->len < word.len ||
	    !span_eq(span_from(*local, local->len - word.len), word))
		return KEY_USER;
	if (local->len == word.len) {
		local->len = 0;
		return KEY_CATCH_ALL;
	}
	if (local->p[local->len - word.len - 1] != '-')
		return KEY_USER;
	local->len -= word.len;
	return KEY_WILD;
}

static void
put(struct import *in, const struct known_address *known)
{
	struct span address = known->item.key, domain = domain_of(address);
	struct span local = span_head(address, address.len - domain.len - 1);
	struct place place = {in->path, known->person->line}, first;
	struct leaf leaf = {.verdict = (uint8_t)verdict_of(in, known->person, 0)};
	uint8_t key_octets[8 + ADDRESS_LOCAL_MAX], value_octets[64];
	struct buf key = BUF_OVER(key_octets), value = BUF_OVER(value_octets);
	enum layout_key type = key_type(in, &local);
	struct collected_domain *d = collection_domain(in->c, domain, place);
	enum collection_status status = COLLECTION_NO_MEMORY;

	leaf.immediate = leaf.verdict;
	leaf.route = in->route;
	if (known->person->forwards_only)
		leaf.flags = LEAF_LATE;
	if (d != NULL) {
		if (in->delimiters.len > 0)
			d->delimiters = collection_keep(in->c, in->delimiters);
		key_put_u32(&key, type, d->table);
		buf_put_span(&key, local);
		leaf_put(&value, &leaf);
		status = collection_put(in->c, d, buf_span(&key), buf_span(&value), place, &first);
	}
	if (status == COLLECTION_NO_MEMORY)
		out_of_memory(in);
	if (status == COLLECTION_CONFLICT || status == COLLECTION_FULL)
		complain(in, place.line, "contradicts what another source says", address);
	in->relayed += leaf.verdict == LEAF_RELAY;
}

/*
 * An entry may stand for somebody elsewhere, and have that address among its own: what is left
 * tells which domains are ours.
 */
static void
find_own_domains(struct import *in)
{
	for (struct known_address *k = in->first; k != NULL; k = k->next) {
		struct span domain = domain_of(k->item.key);
		struct keymap_item *item;

		k->external = k->person->forwards_only && span_eq(k->item.key, k->person->target);
		if (k->external || keymap_get(&in->own_domains, domain) != NULL)
			continue;
		item = pool_take(&in->pool, sizeof(*item));
		if (item != NULL)
			item->key = domain;
		if (item == NULL || keymap_add(&in->own_domains, item) < 0)
			out_of_memory(in);
	}
}

static void
emit(struct import *in)
{
	uint64_t taken = 0;
	char count[32];

	find_own_domains(in);
	for (const struct known_address *k = in->first; k != NULL && !in->failed; k = k->next)
		if (!k->external && is_wanted(in, domain_of(k->item.key))) {
			put(in, k);
			taken++;
		}
	if (in->failed)
		return;
	if (taken == 0)
		complain(in, 0, "the file names no recipient", nothing);
	if (in->relayed > 0) {
		snprintf(count, sizeof(count), "%llu", (unsigned long long)in->relayed);
		report_warning(in->report, in->path, 0,
		    "addresses whose mail would go on to other hosts; until remote= says what "
		    "holds "
		    "they are refused",
		    span_str(count));
	}
}

/* ---- the file ------------------------------------------------------------------------------------------------ */

static void
read_file(struct import *in, struct digest *digest)
{
	struct ldif_handler handler = {in, on_value, on_end, on_error};
	int fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct ldif *l = fd >= 0 ? ldif_new(&handler) : NULL;
	uint8_t octets[16 * 1024];
	ssize_t n = -1;

	while (l != NULL && (n = read(fd, octets, sizeof(octets))) > 0 && !in->trouble) {
		digest_update(digest, span_of(octets, (size_t)n));
		ldif_take(l, span_of(octets, (size_t)n));
	}
	if (n < 0) {
		in->trouble = errno != ENOENT && errno != EACCES && errno != EISDIR;
		complain(in, 0, "cannot be read", span_str(strerror(errno)));
	} else if (l != NULL)
		ldif_finish(l);
	ldif_free(&l);
	if (fd >= 0)
		close(fd);
}

enum source_status
ldif_source(
    const char *text, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	struct import in = {.c = c, .report = report, .path = text};
	struct digest digest;

	digest_init(&digest);
	keymap_init(&in.addresses);
	keymap_init(&in.own_domains);
	in.tail = &in.first;
	if (take_options(&in, span_str(text)))
		read_file(&in, &digest);
	if (!in.failed)
		emit(&in);
	digest_final(&digest, digest_out);
	keymap_clear(&in.addresses);
	keymap_clear(&in.own_domains);
	pool_clear(&in.pool);
	if (in.trouble && report->errors == 0)
		report_error(report, text, 0, "out of memory", nothing);
	return in.trouble ? SOURCE_TROUBLE : in.failed ? SOURCE_WRONG : SOURCE_READ;
}
