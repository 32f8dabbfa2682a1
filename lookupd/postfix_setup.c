#include <stddef.h>

#include "lookupd/postfix_files.h"
#include "lookupd/postfix_rules.h"
#include "lookupd/record.h"

static const struct span nothing = {NULL, 0};

/* ---- parameters ---------------------------------------------------------------------------------- */

#define OFFSET(member) offsetof(struct postfix_parameters, member)

enum parameter_type { TEXT, FLAG, DOMAINS, TABLES, ALIASES };

static const struct parameter {
	const char *name;
	enum parameter_type type;
	size_t offset;
} parameters[] = {
    {"mydestination", DOMAINS, OFFSET(mydestination)},
    {"virtual_alias_domains", DOMAINS, OFFSET(virtual_alias_domains)},
    {"virtual_mailbox_domains", DOMAINS, OFFSET(virtual_mailbox_domains)},
    {"relay_domains", DOMAINS, OFFSET(relay_domains)},
    {"virtual_alias_maps", TABLES, OFFSET(virtual_alias_maps)},
    {"virtual_mailbox_maps", TABLES, OFFSET(virtual_mailbox_maps)},
    {"virtual_uid_maps", TABLES, OFFSET(virtual_uid_maps)},
    {"virtual_gid_maps", TABLES, OFFSET(virtual_gid_maps)},
    {"relay_recipient_maps", TABLES, OFFSET(relay_recipient_maps)},
    {"alias_maps", ALIASES, OFFSET(alias_maps)},
    {"local_recipient_maps", TABLES, OFFSET(local_recipient_maps)},
    {"canonical_maps", TABLES, OFFSET(canonical_maps)},
    {"recipient_canonical_maps", TABLES, OFFSET(recipient_canonical_maps)},
    {"relocated_maps", TABLES, OFFSET(relocated_maps)},
    {"transport_maps", TABLES, OFFSET(transport_maps)},
    {"fallback_transport_maps", TABLES, OFFSET(fallback_transport_maps)},
    {"mailbox_transport_maps", TABLES, OFFSET(mailbox_transport_maps)},
    {"mailbox_command_maps", TABLES, OFFSET(mailbox_command_maps)},
    {"myhostname", TEXT, OFFSET(myhostname)},
    {"mydomain", TEXT, OFFSET(mydomain)},
    {"myorigin", TEXT, OFFSET(myorigin)},
    {"recipient_delimiter", TEXT, OFFSET(recipient_delimiter)},
    {"double_bounce_sender", TEXT, OFFSET(double_bounce_sender)},
    {"empty_address_recipient", TEXT, OFFSET(empty_address_recipient)},
    {"luser_relay", TEXT, OFFSET(luser_relay)},
    {"fallback_transport", TEXT, OFFSET(fallback_transport)},
    {"mailbox_transport", TEXT, OFFSET(mailbox_transport)},
    {"mailbox_command", TEXT, OFFSET(mailbox_command)},
    {"home_mailbox", TEXT, OFFSET(home_mailbox)},
    {"forward_path", TEXT, OFFSET(forward_path)},
    {"local_transport", TEXT, OFFSET(local_transport)},
    {"virtual_transport", TEXT, OFFSET(virtual_transport)},
    {"relay_transport", TEXT, OFFSET(relay_transport)},
    {"default_transport", TEXT, OFFSET(default_transport)},
    {"inet_interfaces", TEXT, OFFSET(inet_interfaces)},
    {"proxy_interfaces", TEXT, OFFSET(proxy_interfaces)},
    {"parent_domain_matches_subdomains", TEXT, OFFSET(parent_domain_matches_subdomains)},
    {"propagate_unmatched_extensions", TEXT, OFFSET(propagate_unmatched_extensions)},
    {"allow_mail_to_commands", TEXT, OFFSET(allow_mail_to_commands)},
    {"allow_mail_to_files", TEXT, OFFSET(allow_mail_to_files)},
    {"canonical_classes", TEXT, OFFSET(canonical_classes)},
    {"recipient_canonical_classes", TEXT, OFFSET(recipient_canonical_classes)},
    {"masquerade_domains", TEXT, OFFSET(masquerade_domains)},
    {"masquerade_classes", TEXT, OFFSET(masquerade_classes)},
    {"virtual_minimum_uid", TEXT, OFFSET(virtual_minimum_uid)},
    {"virtual_alias_recursion_limit", TEXT, OFFSET(virtual_alias_recursion_limit)},
    {"virtual_alias_expansion_limit", TEXT, OFFSET(virtual_alias_expansion_limit)},
    {"smtpd_recipient_restrictions", TEXT, OFFSET(smtpd_recipient_restrictions)},
    {"smtpd_relay_restrictions", TEXT, OFFSET(smtpd_relay_restrictions)},
    {"append_at_myorigin", FLAG, OFFSET(append_at_myorigin)},
    {"append_dot_mydomain", FLAG, OFFSET(append_dot_mydomain)},
    {"swap_bangpath", FLAG, OFFSET(swap_bangpath)},
    {"allow_percent_hack", FLAG, OFFSET(allow_percent_hack)},
    {"allow_min_user", FLAG, OFFSET(allow_min_user)},
    {"allow_untrusted_routing", FLAG, OFFSET(allow_untrusted_routing)},
    {"owner_request_special", FLAG, OFFSET(owner_request_special)},
    {"require_home_directory", FLAG, OFFSET(require_home_directory)},
    {"smtpd_reject_unlisted_recipient", FLAG, OFFSET(smtpd_reject_unlisted_recipient)},
};

enum { PARAMETERS = sizeof(parameters) / sizeof(parameters[0]) };

struct values {
	struct postfix *p;
	struct span value[PARAMETERS];
	bool given[PARAMETERS];
};

static bool
out_of_memory(struct postfix *p)
{
	p->failed = p->trouble = true;
	return false;
}

static struct postfix_reader
reader_of(struct postfix *p)
{
	return (struct postfix_reader){.pool = &p->pool,
	    .report = p->report,
	    .digest = &p->digest,
	    .source = p->source,
	    .bin = p->bin,
	    .dir = p->dir};
}

/* What a reader ran into counts for the whole. */
static void
reader_done(struct postfix *p, const struct postfix_reader *r)
{
	p->failed |= r->failed;
	p->trouble |= r->trouble;
}

static struct span
trimmed(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_from(s, 1);
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* "name = value" */
static void
take_parameter(void *context, struct span line)
{
	struct values *v = context;
	size_t equals = span_find(line, '=');
	struct span name = trimmed(span_head(line, equals));

	for (size_t i = 0; i < PARAMETERS; i++)
		if (span_eq(name, span_str(parameters[i].name)) && !v->given[i]) {
			v->given[i] = true;
			v->value[i] = pool_copy(&v->p->pool, trimmed(span_from(line, equals + 1)));
		}
}

/* Names are asked for in groups: postconf has a limit of arguments here. */
static void
ask_parameters(struct postfix *p, struct values *v)
{
	struct postfix_lines lines = {take_parameter, v};
	struct postfix_reader r = reader_of(p);

	for (size_t i = 0; i < PARAMETERS && !r.failed; i += 7) {
		const char *arguments[9] = {"-x"};

		for (size_t k = 0; k < 7 && i + k < PARAMETERS; k++)
			arguments[1 + k] = parameters[i + k].name;
		postfix_run(&r, "postconf", arguments, &lines);
	}
	reader_done(p, &r);
	for (size_t i = 0; i < PARAMETERS && !p->failed; i++)
		if (!v->given[i]) {
			report_error(p->report, p->source, 0,
			    "postconf does not know the parameter", span_str(parameters[i].name));
			p->failed = true;
		}
}

/* ---- tables ----------------------------------------------------------------------------------------------- */

static bool
has_type(struct span name, const char *type)
{
	return postfix_begins(name, span_str(type)) && name.len > strlen(type) &&
	       name.p[strlen(type)] == ':';
}

static bool
has_any_type(struct span name, const char *const *types)
{
	for (; *types != NULL; types++)
		if (has_type(name, *types))
			return true;
	return false;
}

static struct postfix_said *
said_of(struct postfix *p, struct span name)
{
	for (struct postfix_said *s = p->said; s != NULL; s = s->next)
		if (span_eq(s->name, name)) {
			s->used = true;
			return s;
		}
	return NULL;
}

/* TYPE:PATH with the path on this machine. */
static struct span
name_here(struct postfix *p, struct span name)
{
	static const char *const files[] = {
	    "hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", NULL};
	uint8_t octets[4096];
	struct buf b = BUF_OVER(octets);
	size_t colon = span_find(name, ':');
	const char *path;

	if (!has_any_type(name, files))
		return pool_copy(&p->pool, name);
	path = postfix_path(p, span_from(name, colon + 1));
	buf_put_span(&b, span_head(name, colon + 1));
	buf_put_span(&b, span_str(path));
	return pool_copy(&p->pool, buf_span(&b));
}

static void
refuse_table(struct postfix *p, const char *parameter, struct span name)
{
	uint8_t octets[300];
	struct buf b = BUF_OVER(octets);

	buf_put_str(&b, parameter);
	buf_put_str(&b, " = ");
	buf_put_span(&b, span_head(name, 200));
	report_error(p->report, p->source, 0,
	    "this table cannot be listed; say what holds for addresses that it may have: "
	    "map:TYPE:NAME=ignore, accept or defer",
	    buf_span(&b));
	p->failed = true;
}

static void
fill_table(struct postfix *p, struct postfix_table *t, const char *parameter)
{
	static const char *const listed[] = {
	    "hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash", "inline", NULL};
	struct postfix_reader r = reader_of(p);
	const struct postfix_said *said = said_of(p, t->name);

	if (said != NULL) {
		t->kind = POSTFIX_SAID;
		t->word = said->word;
	} else if (has_any_type(t->name, listed)) {
		t->name = name_here(p, t->name);
		postfix_table_read(&r, t);
	} else if (has_type(t->name, "static")) {
		t->kind = POSTFIX_STATIC;
		t->value = span_from(t->name, strlen("static:"));
	} else if (span_eq_nocase(t->name, SPAN("unix:passwd.byname"))) {
		t->kind = POSTFIX_PASSWD;
		postfix_read_accounts(p);
	} else if (has_type(t->name, "regexp") && postfix_rules_allowed(parameter))
		postfix_rules_read(p, t);
	else
		refuse_table(p, parameter, t->name);
	reader_done(p, &r);
}

static struct postfix_table *
table_of(struct postfix *p, struct span name, const struct parameter *parameter)
{
	bool aliases = parameter->type == ALIASES;
	struct postfix_table *t;

	while (has_type(name, "proxy"))
		name = span_from(name, strlen("proxy:"));
	/* alias_maps are read first: their files have keys of another form. */
	for (t = p->tables; t != NULL; t = t->next)
		if (span_eq(span_str(t->source), name))
			return t;
	t = pool_take(&p->pool, sizeof(*t));
	if (t == NULL)
		return out_of_memory(p), NULL;
	t->name = pool_copy(&p->pool, name);
	t->source = pool_string(&p->pool, name);
	t->tail = &t->first;
	t->aliases = aliases;
	keymap_init(&t->rows);
	*p->table_tail = t;
	p->table_tail = &t->next;
	if (t->source == NULL || t->name.p == NULL)
		return out_of_memory(p), NULL;
	fill_table(p, t, parameter->name);
	return t;
}

/* ---- lists -------------------------------------------------------------------------------------------------- */

static bool
is_table_name(struct span word)
{
	size_t colon = span_find(word, ':');

	return colon < word.len && colon > 0 && word.p[0] != '[' && word.p[0] != '/';
}

static struct postfix_item *
add_item(struct postfix *p, struct postfix_list *list)
{
	struct postfix_item *item = pool_take(&p->pool, sizeof(*item));

	if (item == NULL)
		return out_of_memory(p), NULL;
	*list->tail = item;
	list->tail = &item->next;
	return item;
}

static void
set_word(struct postfix *p, struct postfix_item *item, struct span word)
{
	uint8_t octets[1024];
	struct buf b = BUF_OVER(octets);

	buf_put_lower(&b, word);
	item->word = pool_copy(&p->pool, buf_span(&b));
}

/* The words of a file that a list of domains names. Comments begin a line. */
static void
add_file(struct postfix *p, struct postfix_list *list, struct span path, bool negated)
{
	struct span text = postfix_read_needed(p, postfix_path(p, path));

	while (text.len > 0) {
		size_t end = span_find(text, '\n');
		struct span line = span_head(text, end), word;

		if (line.len > 0 && line.p[0] != '#')
			while (postfix_next_word(&line, &word)) {
				struct postfix_item *item = add_item(p, list);

				if (item == NULL)
					return;
				item->negated = negated;
				set_word(p, item, word);
			}
		text = span_from(text, end + 1);
	}
}

/* A list of domains may be long. */
static void
index_words(struct postfix *p, struct postfix_list *list)
{
	list->only_words = true;
	for (struct postfix_item *i = list->first; i != NULL; i = i->next)
		if (i->table != NULL || i->negated)
			list->only_words = false;
	if (!list->only_words)
		return;
	keymap_init(&list->words);
	for (struct postfix_item *i = list->first; i != NULL; i = i->next) {
		i->by_word.key = i->word;
		if (keymap_add(&list->words, &i->by_word) < 0)
			out_of_memory(p);
	}
}

static void
read_list(struct postfix *p, struct postfix_list *list, const struct parameter *parameter,
    struct span value)
{
	struct span word;

	list->parameter = parameter->name;
	list->tail = &list->first;
	while (postfix_next_word(&value, &word) && !p->trouble) {
		struct postfix_item *item;
		bool negated = false;

		for (; parameter->type == DOMAINS && word.len > 0 && word.p[0] == '!';
		     word = span_from(word, 1))
			negated = !negated;
		if (parameter->type == DOMAINS && word.len > 0 && word.p[0] == '/') {
			add_file(p, list, word, negated);
			continue;
		}
		item = add_item(p, list);
		if (item == NULL)
			return;
		item->negated = negated;
		if (parameter->type != DOMAINS || is_table_name(word))
			item->table = table_of(p, word, parameter);
		else
			set_word(p, item, word);
	}
}

static void
set_parameters(struct postfix *p, struct values *v, bool aliases)
{
	uint8_t *base = (void *)&p->is;

	for (size_t i = 0; i < PARAMETERS && !p->trouble; i++) {
		const struct parameter *parameter = &parameters[i];
		void *at = base + parameter->offset;

		if ((parameter->type == ALIASES) != aliases)
			continue;
		if (parameter->type == TEXT)
			memcpy(at, &v->value[i], sizeof(v->value[i]));
		else if (parameter->type == FLAG)
			*(bool *)at = span_eq_nocase(v->value[i], SPAN("yes"));
		else {
			read_list(p, at, parameter, v->value[i]);
			if (parameter->type == DOMAINS)
				index_words(p, at);
		}
	}
}

/* ---- the source's own options ---------------------------------------------------------------------------------- */

static bool
word_of(struct span text, enum postfix_word *word_out)
{
	static const struct {
		const char *name;
		enum postfix_word word;
	} words[] = {
	    {"ignore", POSTFIX_IGNORE}, {"accept", POSTFIX_ACCEPT}, {"defer", POSTFIX_DEFER}};

	for (size_t i = 0; i < 3; i++)
		if (span_eq(text, span_str(words[i].name))) {
			*word_out = words[i].word;
			return true;
		}
	return false;
}

static struct postfix_said *
add_said(struct postfix *p, struct postfix_said **list, struct span name)
{
	struct postfix_said *s = pool_take(&p->pool, sizeof(*s));

	if (s == NULL)
		return out_of_memory(p), NULL;
	s->name = name;
	s->next = *list;
	*list = s;
	return s;
}

static bool
take_said(struct postfix *p, struct postfix_said **list, struct span name, struct span value)
{
	struct postfix_said *s = add_said(p, list, name);

	return s != NULL && word_of(value, &s->word);
}

static bool
take_option(struct postfix *p, struct span option)
{
	/* The name of a table may have "=" in it. */
	size_t equals = span_find_last(option, '=');
	struct span name = span_head(option, equals), value = span_from(option, equals + 1);

	if (postfix_begins(name, SPAN("map:")))
		return take_said(p, &p->said, span_from(name, 4), value);
	if (postfix_begins(name, SPAN("rule:")))
		return take_said(p, &p->said_rules, span_from(name, 5), value);
	if (postfix_begins(name, SPAN("remote:")))
		return take_said(p, &p->said_remote, span_from(name, 7), value);
	if (span_eq(name, SPAN("remote")))
		return take_said(p, &p->said_remote, nothing, value);
	if (span_eq(name, SPAN("strict"))) {
		p->strict = span_eq(value, SPAN("yes"));
		return p->strict || span_eq(value, SPAN("no"));
	}
	if (span_eq(name, SPAN("elsewhere")))
		return value.len > 0 && add_said(p, &p->elsewhere, value) != NULL;
	if (span_eq(name, SPAN("backend"))) {
		p->backend = value;
		return record_name_ok(value);
	}
	if (span_eq(name, SPAN("bin")))
		p->bin = pool_string(&p->pool, value);
	else if (span_eq(name, SPAN("passwd")))
		p->passwd = pool_string(&p->pool, value);
	else if (span_eq(name, SPAN("root")))
		p->root = pool_string(&p->pool, value);
	else
		return false;
	return value.len > 0 && (p->bin != NULL && p->root != NULL);
}

/* DIR,NAME=VALUE... */
static bool
take_options(struct postfix *p, struct span text)
{
	size_t comma = span_find(text, ',');
	struct span dir = span_head(text, comma);

	for (text = span_from(text, comma + 1); text.len > 0; text = span_from(text, comma + 1)) {
		comma = span_find(text, ',');
		if (!take_option(p, span_head(text, comma))) {
			report_error(p->report, p->source, 0,
			    "an option is bin=DIR, root=DIR, passwd=FILE, backend=NAME, "
			    "elsewhere=DOMAIN, strict=yes, remote=WORD, "
			    "remote:DOMAIN=WORD, map:TYPE:NAME=WORD or rule:FILE:LINE=WORD; a WORD "
			    "is ignore, accept "
			    "or defer",
			    span_head(text, comma));
			return false;
		}
	}
	while (p->root[0] != '\0' && p->root[strlen(p->root) - 1] == '/')
		p->root = pool_string(&p->pool, span_head(span_str(p->root), strlen(p->root) - 1));
	p->dir = postfix_path(p, dir);
	return p->dir != NULL;
}

static void
complain_unused(struct postfix *p)
{
	for (const struct postfix_said *s = p->said; s != NULL; s = s->next)
		if (!s->used) {
			report_error(
			    p->report, p->source, 0, "no parameter names this table", s->name);
			p->failed = true;
		}
	for (const struct postfix_said *s = p->said_rules; s != NULL; s = s->next)
		if (!s->used) {
			report_error(p->report, p->source, 0,
			    "there is no such rule that needs a word", s->name);
			p->failed = true;
		}
}

/* What is not followed here, and may make a difference. */
static void
warn_unfollowed(struct postfix *p)
{
	struct span classes = p->is.masquerade_classes, word;
	const struct span *restrictions[] = {
	    &p->is.smtpd_recipient_restrictions, &p->is.smtpd_relay_restrictions};

	while (p->is.masquerade_domains.len > 0 && postfix_next_word(&classes, &word))
		if (span_eq_nocase(word, SPAN("envelope_recipient"))) {
			report_error(p->report, p->source, 0,
			    "masquerading of recipients is not followed", p->is.masquerade_domains);
			p->failed = true;
		}
	for (size_t i = 0; i < 2; i++) {
		struct span rest = *restrictions[i];

		while (postfix_next_word(&rest, &word))
			if (span_eq_nocase(word, SPAN("check_recipient_access")))
				report_warning(p->report, p->source, 0,
				    "check_recipient_access is not followed: what it refuses is "
				    "accepted "
				    "here",
				    nothing);
	}
}

bool
postfix_setup(struct postfix *p, const char *text)
{
	struct values v = {.p = p};

	p->bin = "/usr/sbin";
	p->root = "";
	p->table_tail = &p->tables;
	p->user_tail = &p->first_user;
	keymap_init(&p->users);
	digest_init(&p->digest);
	if (!take_options(p, span_str(text)))
		return false;
	ask_parameters(p, &v);
	if (!p->failed)
		set_parameters(p, &v, true);
	if (!p->failed)
		set_parameters(p, &v, false);
	/* local(8) delivers to accounts, whatever local_recipient_maps says. */
	if (!p->failed && p->is.mydestination.first != NULL)
		postfix_read_accounts(p);
	if (!p->failed)
		complain_unused(p);
	if (!p->failed)
		warn_unfollowed(p);
	return !p->failed;
}

void
postfix_clear(struct postfix *p)
{
	for (size_t i = 0; i < PARAMETERS; i++)
		if (parameters[i].type == DOMAINS)
			keymap_clear(
			    &((struct postfix_list *)((uint8_t *)&p->is + parameters[i].offset))
				 ->words);
	for (struct postfix_table *t = p->tables; t != NULL; t = t->next)
		keymap_clear(&t->rows);
	keymap_clear(&p->users);
	pool_clear(&p->pool);
}
