#include "lookupd/list.h"

#include "lib/idn.h"
#include "lib/utf8.h"

#include "lookupd/record.h"

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span
skip_blanks(struct span s)
{
	size_t n = 0;

	while (n < s.len && is_blank(s.p[n]))
		n++;
	return span_from(s, n);
}

/* Takes octets up to the next blank. */
static struct span
take_word(struct span *rest)
{
	size_t n = 0;
	struct span word;

	while (n < rest->len && !is_blank(rest->p[n]))
		n++;
	word = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return word;
}

/* ---- text ------------------------------------------------------------------------------------- */

static const char *
check_text(struct span line)
{
	for (size_t i = 0, len; i < line.len; i += len) {
		len = utf8_char(span_from(line, i));
		if (len == 0)
			return "not UTF-8 text";
		if ((line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
			return "a control character";
	}
	return NULL;
}

/* ---- recipient -------------------------------------------------------------------------------- */

/* atext of RFC 5322 3.2.3 and RFC 6531 3.3 and "." without what rows 85 and 106 name and the wildcard. */
static bool
local_octet_ok(uint8_t c)
{
	return c >= 0x80 || ascii_is_alpha(c) || ascii_is_digit(c) ||
	       span_find(SPAN("#$&'+-=?^_`{}~."), c) < 15;
}

static const char *
check_local(struct span local)
{
	for (size_t i = 0; i < local.len; i++) {
		uint8_t c = local.p[i];

		if (span_find(SPAN("%!|/"), c) < 4)
			return "% ! | and / in a local part are not taken: a mail system may read "
			       "them as a route, "
			       "a program or a file";
		if (c == '"' || c == '\\')
			return "a quote stands only around a whole local part, as in "
			       "\"john doe\"@example.com";
		if (c == '*')
			return "* stands only between a break character and @, as in "
			       "bob+*@example.com";
		if (!local_octet_ok(c))
			return "a character that a local part cannot have";
	}
	if (local.len > 0 && (local.p[0] == '-' || local.p[0] == '~'))
		return "a local part that begins with - or ~ is not taken";
	return local.len > ADDRESS_LOCAL_MAX ? "the local part is longer than 256 octets" : NULL;
}

/* As lookupd will ask for it. In: out, room for a domain. */
static const char *
put_domain(struct span domain, struct buf *out)
{
	uint8_t room[ADDRESS_DOMAIN_MAX];
	struct buf name = BUF_OVER(room);

	if (domain.len == 0)
		return "no domain after @";
	switch (idn_to_ascii(span_head(domain, ADDRESS_DOMAIN_MAX + 1), &name)) {
	case IDN_MEMORY:
		return "no memory";
	case IDN_BAD:
		return "not a domain name";
	case IDN_OK:
		break;
	}
	if (name.full ||
	    (!address_domain_ok(buf_span(&name)) && !address_literal_ok(buf_span(&name))))
		return "not a domain name";
	buf_put_lower(out, buf_span(&name));
	return NULL;
}

/* bob+* becomes bob+; everything but a letter and a digit may be the break octet. */
static const char *
cut_wildcard(struct span *local, enum list_kind *kind_out)
{
	uint8_t c;

	*kind_out = local->len == 0 ? LIST_CATCH_ALL : LIST_ADDRESS;
	if (local->len == 0 || local->p[local->len - 1] != '*')
		return NULL;
	if (local->len < 3)
		return "* needs a name and a break character before it, as in bob+*@example.com";
	c = local->p[local->len - 2];
	if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '*')
		return "* needs a break character before it, as in bob+*@example.com";
	*kind_out = LIST_EXTENSIONS;
	*local = span_head(*local, local->len - 1);
	return NULL;
}

static const char *
set_recipient(struct list_entry *e, struct span local, struct span domain)
{
	struct buf b = BUF_OVER(e->octets);
	const char *error;

	if (!utf8_printable(local))
		return "a control character";
	buf_put_lower(&b, local);
	error = put_domain(domain, &b);
	e->local = span_of(e->octets, local.len);
	e->domain = span_from(buf_span(&b), local.len);
	return error;
}

/* Takes a Quoted-string of RFC 5321 4.1.2. Out: *local_out, of octets, without the quoting. */
static const char *
take_quoted(struct span *rest, uint8_t octets[ADDRESS_LOCAL_MAX], struct span *local_out)
{
	size_t at = 1, len = 0;

	for (; at < rest->len && rest->p[at] != '"'; at++) {
		if (rest->p[at] == '\\' && at + 1 < rest->len)
			at++;
		if (rest->p[at] < ' ')
			return "a control character";
		if (len == ADDRESS_LOCAL_MAX)
			return "the local part is longer than 256 octets";
		octets[len++] = rest->p[at];
	}
	if (at == rest->len)
		return "a quote is not closed";
	*rest = span_from(*rest, at + 1);
	*local_out = span_of(octets, len);
	return len == 0 ? "the local part is empty" : NULL;
}

/*
 * What is quoted is meant as it stands: here stand the local parts that a mail system might read
 * as a route, a program or a file, and only the very address is found then.
 */
static const char *
parse_quoted(struct span *rest, struct list_entry *e)
{
	uint8_t octets[ADDRESS_LOCAL_MAX];
	struct span local, word;
	const char *error = take_quoted(rest, octets, &local);

	if (error != NULL)
		return error;
	word = take_word(rest);
	if (word.len == 0 || word.p[0] != '@')
		return "after the quoted local part comes @ and the domain";
	return set_recipient(e, local, span_from(word, 1));
}

static const char *
parse_domain_line(struct span name, struct list_entry *e)
{
	e->kind = LIST_DOMAIN;
	return set_recipient(e, span_of(NULL, 0), name);
}

static const char *
parse_recipient(struct span *rest, struct list_entry *e)
{
	static const struct span domain_prefix = {(const uint8_t *)"domain:", 7};
	struct span word, local;
	const char *error;
	size_t at;

	if (rest->p[0] == '"')
		return parse_quoted(rest, e);
	word = take_word(rest);
	if (span_eq(span_head(word, domain_prefix.len), domain_prefix))
		return parse_domain_line(span_from(word, domain_prefix.len), e);
	at = span_find_last(word, '@');
	local = span_head(word, at);
	if (at == word.len)
		return "no @: a recipient is local-part@domain or @domain";
	if (span_find(local, '@') < local.len)
		return "more than one @";
	error = cut_wildcard(&local, &e->kind);
	if (error == NULL)
		error = check_local(local);
	return error != NULL ? error : set_recipient(e, local, span_from(word, at + 1));
}

/* ---- attributes ---------------------------------------------------------------------------------- */

static const char *
set_name(struct span value, struct span *name_out)
{
	if (name_out->len > 0)
		return "an attribute is given twice";
	if (!record_name_ok(value))
		return "a name is 1 to 64 of A-Z a-z 0-9 . _ -";
	*name_out = value;
	return NULL;
}

static const char *
set_backend(struct list_entry *e, struct span value)
{
	return set_name(value, &e->backend);
}

static const char *
set_class(struct list_entry *e, struct span value)
{
	return set_name(value, &e->class);
}

static const char *
set_size(struct list_entry *e, struct span value)
{
	if (e->size != 0)
		return "an attribute is given twice";
	if (!span_decimal(value, UINT64_MAX, &e->size) || e->size == 0)
		return "size= is a number of octets, not 0";
	return NULL;
}

/* "5.2.1 Mailbox disabled" */
static const char *
set_refusal(struct list_entry *e, struct span value, enum list_verdict verdict)
{
	uint8_t class = verdict == LIST_REJECT ? '5' : '4';
	size_t blank = span_find(value, ' ');

	if (e->verdict != LIST_ACCEPT)
		return "only one of reject=, defer= and discard=, and once";
	e->verdict = verdict;
	e->status = span_head(value, blank);
	e->text = span_from(value, blank + 1);
	if (!record_status_ok(e->status, class))
		return verdict == LIST_REJECT ? "reject= begins with an enhanced status code 5.x.y"
		                              : "defer= begins with an enhanced status code 4.x.y";
	if (!record_text_ok(e->text))
		return "after the status code comes a text of 1 to 200 printable ASCII characters";
	return NULL;
}

static const char *
set_reject(struct list_entry *e, struct span value)
{
	return set_refusal(e, value, LIST_REJECT);
}

static const char *
set_defer(struct list_entry *e, struct span value)
{
	return set_refusal(e, value, LIST_DEFER);
}

static const char *
set_discard(struct list_entry *e, struct span value)
{
	if (e->verdict != LIST_ACCEPT)
		return "only one of reject=, defer= and discard=, and once";
	e->verdict = LIST_DISCARD;
	return span_eq(value, SPAN("yes")) ? NULL : "discard= is yes";
}

static const char *
set_bounces(struct list_entry *e, struct span value)
{
	e->no_bounces = true;
	return span_eq(value, SPAN("no")) ? NULL : "bounces= is no";
}

static const char *
set_alias(struct list_entry *e, struct span value)
{
	struct buf b = BUF_OVER(e->real_octets);
	const char *error = put_domain(value, &b);

	if (e->kind != LIST_CATCH_ALL)
		return "alias= stands after a whole domain, as in @alias.example "
		       "alias=real.example";
	if (error != NULL)
		return error;
	e->real = buf_span(&b);
	e->kind = LIST_ALIAS_DOMAIN;
	return span_eq(e->real, e->domain) ? "a domain is no alias of itself" : NULL;
}

static const char *
set_delivered_to(struct list_entry *e, struct span value)
{
	if (e->delivered_to.len > 0)
		return "an attribute is given twice";
	e->delivered_to = value;
	return delivered_to_ok(value) ? NULL
	                              : "delivered_to= is 1 to 320 octets of printable "
	                                "ASCII";
}

static const char *
set_delimiters(struct list_entry *e, struct span value)
{
	if (e->kind != LIST_DOMAIN)
		return "delimiters= stands after a domain, as in domain:example.com delimiters=+";
	if (e->delimiters.len > 0)
		return "an attribute is given twice";
	e->delimiters = value;
	for (size_t i = 0; i < value.len; i++)
		if (ascii_is_alpha(value.p[i]) || ascii_is_digit(value.p[i]) ||
		    !local_octet_ok(value.p[i]))
			return "delimiters= are characters of a local part that are neither "
			       "letters nor digits";
	return value.len >= 1 && value.len <= 16 ? NULL : "delimiters= are 1 to 16 characters";
}

static const struct {
	const char *name;
	const char *(*set)(struct list_entry *e, struct span value);
} attributes[] = {
    {"backend", set_backend},
    {"class", set_class},
    {"size", set_size},
    {"reject", set_reject},
    {"defer", set_defer},
    {"discard", set_discard},
    {"bounces", set_bounces},
    {"alias", set_alias},
    {"delivered_to", set_delivered_to},
    {"delimiters", set_delimiters},
};

/* Takes a quoted text or a word. Returns: false when a quote is not closed. */
static bool
take_value(struct span *rest, struct span *value_out)
{
	struct span inner;
	size_t end;

	if (rest->len == 0 || rest->p[0] != '"') {
		*value_out = take_word(rest);
		return true;
	}
	inner = span_from(*rest, 1);
	end = span_find(inner, '"');
	*value_out = span_head(inner, end);
	*rest = span_from(inner, end + 1);
	return end < inner.len && (rest->len == 0 || is_blank(rest->p[0]));
}

static const char *
parse_attribute(struct span *rest, struct list_entry *e)
{
	size_t n = 0;
	struct span name, value;

	while (n < rest->len && rest->p[n] != '=' && !is_blank(rest->p[n]))
		n++;
	name = span_head(*rest, n);
	if (n == rest->len || rest->p[n] != '=')
		return "after the recipient come attributes (name=value) or a # comment";
	*rest = span_from(*rest, n + 1);
	if (!take_value(rest, &value))
		return "a quote is not closed, or something follows it";
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (span_eq(name, span_str(attributes[i].name)))
			return attributes[i].set(e, value);
	return "an unknown attribute; known are backend, class, size, reject, defer, discard, "
	       "bounces, "
	       "alias, delivered_to, delimiters";
}

/* Attributes that say nothing together. */
static const char *
check_attributes(const struct list_entry *e)
{
	bool accepted = e->verdict == LIST_ACCEPT || e->verdict == LIST_DISCARD;
	bool more = e->backend.len > 0 || e->class.len > 0 || e->size != 0 ||
	            e->delivered_to.len > 0 || e->no_bounces;

	if (!accepted && more)
		return "backend=, class=, size=, bounces= and delivered_to= say nothing about a "
		       "recipient "
		       "that is not accepted";
	if (e->kind == LIST_ALIAS_DOMAIN && (more || e->verdict != LIST_ACCEPT))
		return "an alias domain has the recipients of the real one, and nothing of its "
		       "own";
	if (e->kind == LIST_DOMAIN &&
	    (e->verdict != LIST_ACCEPT || e->no_bounces || e->delivered_to.len > 0))
		return "a domain takes backend=, class=, size= and delimiters=";
	if (e->kind != LIST_ADDRESS && e->delivered_to.len > 0)
		return "delivered_to= stands after a single address";
	return NULL;
}

static const char *
parse_attributes(struct span rest, struct list_entry *e)
{
	const char *error = NULL;

	for (rest = skip_blanks(rest); error == NULL && rest.len > 0 && rest.p[0] != '#';
	     rest = skip_blanks(rest))
		error = parse_attribute(&rest, e);
	return error != NULL ? error : check_attributes(e);
}

enum list_status
list_parse(struct span line, struct list_entry *entry_out, const char **error_out)
{
	struct span rest = line;

	*entry_out = (struct list_entry){0};
	*error_out = NULL;
	/* A CR at the end is a line end as DOS writes it. */
	if (rest.len > 0 && rest.p[rest.len - 1] == '\r')
		rest = span_head(rest, rest.len - 1);
	*error_out =
	    line.len > LIST_LINE_MAX ? "the line is longer than 2048 octets" : check_text(rest);
	if (*error_out != NULL)
		return LIST_ERROR;
	rest = skip_blanks(rest);
	if (rest.len == 0 || rest.p[0] == '#')
		return LIST_EMPTY;
	*error_out = parse_recipient(&rest, entry_out);
	if (*error_out == NULL)
		*error_out = parse_attributes(rest, entry_out);
	return *error_out == NULL ? LIST_ENTRY : LIST_ERROR;
}
