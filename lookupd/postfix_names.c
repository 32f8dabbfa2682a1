#include "lookupd/postfix_names.h"

#include <dirent.h>

#include "lib/address.h"
#include "lookupd/postfix_files.h"

static bool
out_of_memory(struct postfix *p)
{
	p->failed = p->trouble = true;
	return false;
}

/* ---- notes ------------------------------------------------------------------------------------------ */

void
postfix_notes_begin(struct postfix *p, struct postfix_notes *notes)
{
	*notes = (struct postfix_notes){0};
	keymap_init(&notes->seen);
	p->notes = notes;
}

void
postfix_notes_end(struct postfix *p, struct postfix_notes *notes)
{
	keymap_clear(&notes->seen);
	pool_clear(&notes->pool);
	p->notes = NULL;
}

void
postfix_note(struct postfix *p, struct span local, struct span base, struct span domain)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX + 1];
	struct buf key = BUF_OVER(octets);
	struct postfix_note *note;

	if (p->notes == NULL)
		return;
	if (span_find(local, (uint8_t)POSTFIX_ANY_LOCAL[0]) == local.len &&
	    span_find(local, (uint8_t)POSTFIX_ANY_EXTENSION[0]) == local.len)
		return;
	buf_put_lower(&key, base);
	buf_put_u8(&key, '@');
	buf_put_lower(&key, domain);
	if (key.full || keymap_get(&p->notes->seen, buf_span(&key)) != NULL)
		return;
	note = pool_take(&p->notes->pool, sizeof(*note));
	if (note != NULL)
		note->item.key = pool_copy(&p->notes->pool, buf_span(&key));
	if (note == NULL || note->item.key.p == NULL ||
	    keymap_add(&p->notes->seen, &note->item) < 0) {
		out_of_memory(p);
		return;
	}
	note->base = span_head(note->item.key, base.len);
	note->domain = span_from(note->item.key, base.len + 1);
	note->next = p->notes->first;
	p->notes->first = note;
}

/* ---- names -------------------------------------------------------------------------------------------- */

static struct span
lower_copy(struct postfix *p, struct span s)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX + 1];
	struct buf b = BUF_OVER(octets);

	buf_put_lower(&b, s);
	return pool_copy(&p->pool, buf_span(&b));
}

struct postfix_named_domain *
postfix_names_of(const struct postfix_names *names, struct span domain)
{
	return (void *)keymap_get(&names->domains, domain);
}

static struct postfix_named_domain *
add_domain(struct postfix_names *names, struct span lower)
{
	struct postfix_named_domain *d = postfix_names_of(names, lower);

	if (d != NULL)
		return d;
	d = pool_take(&names->p->pool, sizeof(*d));
	if (d == NULL)
		return out_of_memory(names->p), NULL;
	d->item.key = pool_copy(&names->p->pool, lower);
	d->tail = &d->first;
	keymap_init(&d->locals);
	if (d->item.key.p == NULL || keymap_add(&names->domains, &d->item) < 0)
		return out_of_memory(names->p), NULL;
	*names->tail = d;
	names->tail = &d->next;
	return d;
}

struct local_item {
	struct keymap_item item;
	struct postfix_name name;
};

static void
add_extension(
    struct postfix_names *names, struct span base, struct span extension, struct span domain)
{
	struct postfix *p = names->p;
	struct postfix_extensions *e =
	    (void *)(uintptr_t)postfix_names_extensions(names, base, domain);
	struct postfix_name *name = pool_take(&p->pool, sizeof(*name));
	uint8_t octets[POSTFIX_ADDRESS_MAX + 1];
	struct buf key = BUF_OVER(octets);

	if (e == NULL) {
		buf_put_span(&key, base);
		buf_put_u8(&key, '@');
		buf_put_span(&key, domain);
		e = pool_take(&p->pool, sizeof(*e));
		if (e != NULL)
			e->item.key = pool_copy(&p->pool, buf_span(&key));
		if (e == NULL || e->item.key.p == NULL ||
		    keymap_add(&names->extensions, &e->item) < 0) {
			out_of_memory(p);
			return;
		}
	}
	if (name == NULL) {
		out_of_memory(p);
		return;
	}
	name->local = extension;
	name->next = e->first;
	e->first = name;
}

const struct postfix_extensions *
postfix_names_extensions(const struct postfix_names *names, struct span base, struct span domain)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX + 1];
	struct buf key = BUF_OVER(octets);

	buf_put_span(&key, base);
	buf_put_u8(&key, '@');
	buf_put_span(&key, domain);
	return key.full ? NULL : (void *)keymap_get(&names->extensions, buf_span(&key));
}

/* In: local, any case, not empty. */
static void
add_local(struct postfix_names *names, struct postfix_named_domain *d, struct span local)
{
	struct postfix *p = names->p;
	struct span lower = lower_copy(p, local);
	struct local_item *item;
	size_t base_len;

	if (d == NULL || local.len > ADDRESS_LOCAL_MAX || keymap_get(&d->locals, lower) != NULL)
		return;
	item = pool_take(&p->pool, sizeof(*item));
	if (item == NULL || lower.p == NULL) {
		out_of_memory(p);
		return;
	}
	item->item.key = lower;
	item->name.local = lower;
	if (keymap_add(&d->locals, &item->item) < 0) {
		out_of_memory(p);
		return;
	}
	*d->tail = &item->name;
	d->tail = &item->name.next;
	base_len = postfix_split_local(p, lower);
	if (base_len < lower.len)
		add_extension(
		    names, span_head(lower, base_len), span_from(lower, base_len), d->item.key);
}

/* ---- where they come from -------------------------------------------------------------------------------- */

/* The key of a table: an address, perhaps quoted, "@domain", a bare name, or a domain. */
static void
add_key(struct postfix_names *names, struct span key, bool alias)
{
	struct span lower, local;
	struct postfix_address a;

	if (alias) {
		add_local(names, add_domain(names, SPAN("")), key);
		return;
	}
	if (!postfix_has_domain(key)) {
		if (address_domain_ok(key) && span_find(key, '.') < key.len)
			add_domain(names, lower_copy(names->p, key));
		if (postfix_next_address(&key, &a))
			add_local(names, add_domain(names, SPAN("")), postfix_span(&a));
		return;
	}
	lower = lower_copy(names->p, postfix_domain(key));
	if (!address_domain_ok(lower) && !address_literal_ok(lower))
		return;
	local = postfix_local(key);
	if (local.len > 0 && local.p[0] == '"') {
		postfix_next_address(&key, &a);
		local = postfix_local(postfix_span(&a));
	}
	if (local.len > 0)
		add_local(names, add_domain(names, lower), local);
	else
		add_domain(names, lower);
}

static void
add_tables(struct postfix_names *names)
{
	for (const struct postfix_table *t = names->p->tables; t != NULL; t = t->next)
		for (const struct postfix_row *r = t->first; r != NULL; r = r->next)
			add_key(names, r->item.key, t->aliases);
}

/* The domains that a list names, also with those above them: "local" for "local.example". */
static void
add_list(struct postfix_names *names, const struct postfix_list *list)
{
	for (const struct postfix_item *i = list->first; i != NULL; i = i->next)
		if (i->table == NULL && (address_domain_ok(i->word) || address_literal_ok(i->word)))
			add_domain(names, i->word);
}

/* "[192.0.2.1]": addresses of the host itself. Only those that are written down are known. */
static void
add_literals(struct postfix_names *names)
{
	const struct span *lists[] = {
	    &names->p->is.inet_interfaces, &names->p->is.proxy_interfaces};
	struct span word;

	add_domain(names, SPAN("[127.0.0.1]"));
	add_domain(names, SPAN("[ipv6:::1]"));
	for (size_t i = 0; i < 2; i++) {
		struct span rest = *lists[i];

		while (postfix_next_word(&rest, &word)) {
			uint8_t octets[80];
			struct buf b = BUF_OVER(octets);

			buf_put_str(&b, span_find(word, ':') < word.len ? "[ipv6:" : "[");
			buf_put_lower(&b, word);
			buf_put_u8(&b, ']');
			if (!b.full && address_literal_ok(buf_span(&b)))
				add_domain(names, buf_span(&b));
		}
	}
}

/* ~/.forward+extension makes an extension of its own. */
static void
add_forward_files(struct postfix_names *names, const struct postfix_user *u)
{
	const char *home = postfix_path(names->p, span_str(u->home));
	DIR *dir = home != NULL && home[0] != '\0' ? opendir(home) : NULL;
	struct dirent *e;
	uint8_t octets[POSTFIX_ADDRESS_MAX];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		struct buf b = BUF_OVER(octets);
		struct span rest = span_str(e->d_name);

		if (!postfix_begins(rest, SPAN(".forward")) || rest.len < 10)
			continue;
		buf_put_span(&b, u->item.key);
		buf_put_span(&b, span_from(rest, 8));
		if (!b.full)
			add_local(names, add_domain(names, SPAN("")), buf_span(&b));
	}
	if (dir != NULL)
		closedir(dir);
}

static void
add_users(struct postfix_names *names)
{
	bool extensions = names->p->is.recipient_delimiter.len > 0;

	for (const struct postfix_user *u = names->p->first_user; u != NULL; u = u->next) {
		add_local(names, add_domain(names, SPAN("")), u->item.key);
		if (extensions)
			add_forward_files(names, u);
	}
}

/* With append_dot_mydomain, "host" is asked for as "host.mydomain". */
static void
add_short_domains(struct postfix_names *names)
{
	struct span tail = names->p->is.mydomain;

	if (!names->p->is.append_dot_mydomain)
		return;
	for (const struct postfix_named_domain *d = names->first; d != NULL; d = d->next) {
		struct span name = d->item.key;
		size_t head = name.len - tail.len;

		if (name.len > tail.len + 1 && span_eq_nocase(span_from(name, head), tail) &&
		    name.p[head - 1] == '.' && span_find(name, '.') == head - 1)
			add_domain(names, span_head(name, head - 1));
	}
}

/*
 * "name-request" is a name of its own, but no longer when luser_relay ("$user+unknown") puts
 * something behind it: the name decides then.
 */
static void
add_requests(struct postfix_names *names, struct postfix_named_domain *bare)
{
	static const struct span request = {(const uint8_t *)"-request", 8};
	struct postfix *p = names->p;
	struct span relay = p->is.luser_relay, delimiters = p->is.recipient_delimiter;

	if (!p->is.owner_request_special || span_find(delimiters, '-') == delimiters.len ||
	    span_find(relay, '$') == relay.len)
		return;
	for (const struct postfix_named_domain *d = names->first; d != NULL; d = d->next)
		for (const struct postfix_name *n = d->first; n != NULL; n = n->next) {
			uint8_t octets[POSTFIX_ADDRESS_MAX];
			struct buf b = BUF_OVER(octets);
			size_t len = postfix_split_local(p, n->local);

			if (len > request.len &&
			    span_eq(span_from(n->local, len - request.len), request))
				continue;
			buf_put_span(&b, span_head(n->local, len));
			buf_put_span(&b, request);
			if (!b.full)
				add_local(names, bare, buf_span(&b));
		}
}

/* ---- mentions ----------------------------------------------------------------------------------------- */

static bool
is_of_name(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '_' ||
	       c >= 0x80;
}

void
postfix_mention(struct postfix *p, struct span text)
{
	while (p->names != NULL && text.len > 0) {
		uint8_t octets[ADDRESS_DOMAIN_MAX];
		struct buf b = BUF_OVER(octets);
		struct postfix_named_domain *d;
		struct span word;
		size_t len = 0;

		while (len < text.len && is_of_name(text.p[len]))
			len++;
		word = span_head(text, len);
		while (word.len > 0 && word.p[0] == '.')
			word = span_from(word, 1);
		while (word.len > 0 && word.p[word.len - 1] == '.')
			word.len--;
		buf_put_lower(&b, word);
		d = b.full || len == 0 ? NULL : postfix_names_of(p->names, buf_span(&b));
		if (d != NULL)
			d->mentioned = true;
		text = span_from(text, len + 1);
	}
}

bool
postfix_names_mentioned(const struct postfix_names *names, const struct postfix_named_domain *d)
{
	struct span name = d->item.key;

	if (d->mentioned || d->locals.used > 0 || name.p[0] == '[')
		return true;
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] == '.') {
			d = postfix_names_of(names, span_from(name, i + 1));
			if (d != NULL && d->mentioned)
				return true;
		}
	return false;
}

/* Parameters that are a text, and all tables. Files are read later. */
static void
mention_all(struct postfix *p)
{
	const struct span *texts[] = {&p->is.myhostname, &p->is.mydomain, &p->is.myorigin,
	    &p->is.luser_relay, &p->is.fallback_transport, &p->is.mailbox_transport,
	    &p->is.mailbox_command, &p->is.local_transport, &p->is.empty_address_recipient,
	    &p->is.double_bounce_sender};

	for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++)
		postfix_mention(p, *texts[n]);
	for (const struct postfix_table *t = p->tables; t != NULL; t = t->next) {
		postfix_mention(p, t->value);
		for (const struct postfix_row *r = t->first; r != NULL; r = r->next) {
			postfix_mention(p, r->item.key);
			postfix_mention(p, r->value);
			if (r->item.key.len > 0 && r->item.key.p[0] == '.')
				p->names->by_domain = true;
		}
	}
}

/* Whether the macro is in a text, and not only one whose name begins so. */
static bool
has_macro(struct span text, const char *name)
{
	struct span wanted = span_str(name);

	for (; text.len >= wanted.len; text = span_from(text, 1))
		if (span_eq(span_head(text, wanted.len), wanted) &&
		    (text.len == wanted.len || text.p[wanted.len] != '_'))
			return true;
	return false;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

bool
postfix_names_gather(struct postfix *p, struct postfix_names *names_out)
{
	const struct postfix_list *lists[] = {&p->is.mydestination, &p->is.virtual_alias_domains,
	    &p->is.virtual_mailbox_domains, &p->is.relay_domains};
	struct postfix_named_domain *bare;

	*names_out = (struct postfix_names){.p = p};
	names_out->tail = &names_out->first;
	keymap_init(&names_out->domains);
	keymap_init(&names_out->extensions);
	bare = add_domain(names_out, SPAN(""));
	for (size_t i = 0; i < 4; i++)
		add_list(names_out, lists[i]);
	add_literals(names_out);
	add_local(names_out, bare, SPAN("postmaster"));
	add_local(names_out, bare, SPAN("mailer-daemon"));
	add_local(names_out, bare, p->is.double_bounce_sender);
	add_tables(names_out);
	add_users(names_out);
	add_requests(names_out, bare);
	add_short_domains(names_out);
	p->names = names_out;
	/* A path with the domain in it may lead anywhere. */
	names_out->by_domain =
	    has_macro(p->is.forward_path, "domain") || has_macro(p->is.forward_path, "recipient");
	mention_all(p);
	return !p->failed;
}

void
postfix_names_clear(struct postfix_names *names)
{
	for (struct postfix_named_domain *d = names->first; d != NULL; d = d->next)
		keymap_clear(&d->locals);
	keymap_clear(&names->domains);
	keymap_clear(&names->extensions);
}
