#include "lookupd/postfix_rules.h"

#include "lookupd/pattern.h"
#include "lookupd/postfix_files.h"

static const struct span nothing = {NULL, 0};

/* What a row of the result can say once for all addresses; what a class lists, it cannot. */
bool
postfix_rules_allowed(const char *parameter)
{
	static const char *const names[] = {
	    "virtual_alias_maps", "canonical_maps", "recipient_canonical_maps"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(parameter, names[i]) == 0)
			return true;
	/* Lists of domains are asked here and now. */
	return strstr(parameter, "domains") != NULL || strcmp(parameter, "mydestination") == 0;
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct rules_reader {
	struct postfix *p;
	struct postfix_table *t;
	const char *path;
	uint32_t line;
};

static void
complain(struct rules_reader *r, const char *what, struct span detail)
{
	report_error(r->p->report, r->path, r->line, what, span_head(detail, 200));
	r->p->failed = true;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span
skip_blanks(struct span s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* What the operator says of this rule. */
static void
find_said(struct rules_reader *r, struct postfix_rule *rule)
{
	uint8_t octets[4200];
	struct buf b = BUF_OVER(octets);

	buf_put_str(&b, r->path);
	buf_put_u8(&b, ':');
	buf_put_decimal(&b, r->line);
	for (struct postfix_said *s = r->p->said_rules; s != NULL; s = s->next)
		if (span_eq(s->name, buf_span(&b))) {
			s->used = rule->said = true;
			rule->word = s->word;
		}
}

/* Options behind the expression: "i" is on, and each letter turns one over. */
static bool
options_ok(struct rules_reader *r, struct span options)
{
	for (size_t i = 0; i < options.len; i++) {
		if (options.p[i] == 'i')
			complain(r, "a rule that heeds case cannot be taken over", nothing);
		else
			complain(r, "only rules without options can be taken over", options);
		return false;
	}
	return true;
}

static void
add_rule(struct rules_reader *r, struct span expression, struct span value)
{
	struct postfix_rule *rule = pool_take(&r->p->pool, sizeof(*rule));
	struct pattern pattern;
	const char *error = pattern_compile(&pattern, expression);

	if (rule == NULL) {
		r->p->failed = r->p->trouble = true;
		return;
	}
	if (error != NULL) {
		complain(r, error, expression);
		return;
	}
	*rule = (struct postfix_rule){.expression = expression, .value = value, .line = r->line};
	if (span_find(value, '$') < value.len) {
		find_said(r, rule);
		if (!rule->said)
			complain(r,
			    "the result of this rule depends on the address; say what holds for "
			    "its "
			    "addresses: rule:FILE:LINE=ignore, accept or defer",
			    value);
	}
	*r->t->rule_tail = rule;
	r->t->rule_tail = &rule->next;
}

/* "/expression/options result", with any other delimiter in the place of "/" */
static void
take_rule(struct rules_reader *r, struct span line)
{
	uint8_t delimiter = line.p[0];
	struct span rest = span_from(line, 1), expression, options;
	size_t end = 0, n = 0;

	if (ascii_is_alpha(delimiter) || ascii_is_digit(delimiter) || delimiter == '!') {
		complain(r, "if, endif and negated rules cannot be taken over", line);
		return;
	}
	while (end < rest.len && rest.p[end] != delimiter)
		end += rest.p[end] == '\\' && end + 1 < rest.len ? 2 : 1;
	if (end >= rest.len) {
		complain(r, "the expression is not closed", line);
		return;
	}
	expression = span_head(rest, end);
	rest = span_from(rest, end + 1);
	while (n < rest.len && !is_blank(rest.p[n]))
		n++;
	options = span_head(rest, n);
	rest = skip_blanks(span_from(rest, n));
	if (rest.len == 0)
		complain(r, "a rule without a result", line);
	else if (options_ok(r, options))
		add_rule(r, expression, rest);
}

/* A line that begins with blanks goes on where the one before it ended. */
static struct span
take_line(struct rules_reader *r, struct span *rest, uint32_t *lines_out)
{
	uint8_t octets[8192];
	struct buf b = BUF_OVER(octets);

	*lines_out = 0;
	do {
		size_t end = span_find(*rest, '\n');
		struct span line = span_head(*rest, end);

		if (line.len == 0 || line.p[0] != '#' || b.len == 0)
			buf_put_span(&b, line);
		*rest = span_from(*rest, end + 1);
		++*lines_out;
	} while (rest->len > 0 && is_blank(rest->p[0]));
	if (b.full)
		complain(r, "a rule is too long", nothing);
	return pool_copy(&r->p->pool, buf_span(&b));
}

void
postfix_rules_read(struct postfix *p, struct postfix_table *t)
{
	struct rules_reader r = {.p = p, .t = t, .line = 1};
	struct span text, name = span_from(t->name, strlen("regexp:"));

	r.path = postfix_path(p, name);
	t->kind = POSTFIX_RULES;
	t->rule_tail = &t->first_rule;
	text = postfix_read_needed(p, r.path);
	while (text.len > 0 && !p->trouble) {
		uint32_t lines;
		struct span line = skip_blanks(take_line(&r, &text, &lines));

		while (line.len > 0 &&
		       (is_blank(line.p[line.len - 1]) || line.p[line.len - 1] == '\r'))
			line.len--;
		if (line.len > 0 && line.p[0] != '#')
			take_rule(&r, line);
		r.line += lines;
	}
}

/* ---- asking ----------------------------------------------------------------------------------------- */

bool
postfix_rules_match(
    struct postfix *p, const struct postfix_table *t, struct span key, struct span *value_out)
{
	struct pattern pattern;

	if (span_find(key, (uint8_t)POSTFIX_ANY_LOCAL[0]) < key.len ||
	    span_find(key, (uint8_t)POSTFIX_ANY_EXTENSION[0]) < key.len)
		return false;
	for (const struct postfix_rule *r = t->first_rule; r != NULL; r = r->next) {
		if (pattern_compile(&pattern, r->expression) != NULL ||
		    !pattern_matches(&pattern, key))
			continue;
		*value_out = r->value;
		if (!r->said)
			return true;
		if (r->word > p->word)
			p->word = r->word;
		if (r->word != POSTFIX_IGNORE)
			return false;
	}
	return false;
}
