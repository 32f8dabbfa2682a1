#include "lookupd/pattern.h"

enum { SET, SPLIT, JUMP, BEGIN, END, MATCH };

enum { REPEAT_MAX = 100 };

struct parser {
	struct pattern *p;
	struct span rest;
	const char *error;
	unsigned depth;
};

static void parse_branches(struct parser *s);

/* ---- states ------------------------------------------------------------------------------------ */

static struct pattern_state *
add(struct parser *s, uint8_t op)
{
	static struct pattern_state none;

	if (s->p->count == PATTERN_STATES_MAX) {
		s->error = "the expression is too large";
		return &none;
	}
	s->p->states[s->p->count] = (struct pattern_state){.op = op};
	return &s->p->states[s->p->count++];
}

/* Makes room for a state at `at`; jumps are relative, so that what moves stays right. */
static struct pattern_state *
insert(struct parser *s, size_t at, uint8_t op)
{
	struct pattern_state *states = s->p->states;

	add(s, op);
	if (s->error != NULL)
		return &states[at];
	memmove(&states[at + 1], &states[at], (s->p->count - 1 - at) * sizeof(states[0]));
	states[at] = (struct pattern_state){.op = op};
	return &states[at];
}

/* Appends a copy of `len` states that begin at `from`. */
static void
append_copy(struct parser *s, size_t from, size_t len)
{
	if (s->p->count + len > PATTERN_STATES_MAX) {
		s->error = "the expression is too large";
		return;
	}
	memcpy(&s->p->states[s->p->count], &s->p->states[from], len * sizeof(s->p->states[0]));
	s->p->count += len;
}

/* ---- sets of octets ------------------------------------------------------------------------------ */

static void
set_octet(uint8_t set[32], unsigned c)
{
	set[c / 8] = (uint8_t)(set[c / 8] | 1u << c % 8);
}

/* Both cases of a letter. */
static void
set_char(uint8_t set[32], uint8_t c)
{
	set_octet(set, c);
	if (ascii_is_alpha(c))
		set_octet(set, c ^ 0x20u);
}

static bool
in_class(struct span name, uint8_t c)
{
	bool alpha = ascii_is_alpha(c), digit = ascii_is_digit(c), graph = c > ' ' && c < 0x7f;

	if (span_eq(name, SPAN("alpha")) || span_eq(name, SPAN("lower")) ||
	    span_eq(name, SPAN("upper")))
		return alpha;
	if (span_eq(name, SPAN("digit")))
		return digit;
	if (span_eq(name, SPAN("alnum")))
		return alpha || digit;
	if (span_eq(name, SPAN("xdigit")))
		return digit || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
	if (span_eq(name, SPAN("space")))
		return c == ' ' || (c >= '\t' && c <= '\r');
	if (span_eq(name, SPAN("blank")))
		return c == ' ' || c == '\t';
	if (span_eq(name, SPAN("punct")))
		return graph && !alpha && !digit;
	if (span_eq(name, SPAN("graph")))
		return graph;
	return span_eq(name, SPAN("print")) && (graph || c == ' ');
}

/* [:name:], of which "[:" was seen. */
static void
parse_class(struct parser *s, uint8_t set[32])
{
	struct span name;
	size_t end = span_find(s->rest, ':');
	bool any = false;

	name = span_head(s->rest, end);
	s->rest = span_from(s->rest, end);
	if (s->rest.len < 2 || s->rest.p[1] != ']') {
		s->error = "a class of characters is not closed";
		return;
	}
	s->rest = span_from(s->rest, 2);
	for (unsigned c = 0; c < 256; c++)
		if (in_class(name, (uint8_t)c)) {
			set_octet(set, c);
			any = true;
		}
	if (!any)
		s->error = "an unknown class of characters";
}

/* One character or range of a bracket expression. */
static void
parse_range(struct parser *s, uint8_t set[32])
{
	uint8_t first = s->rest.p[0], last = first;

	s->rest = span_from(s->rest, 1);
	if (s->rest.len >= 2 && s->rest.p[0] == '-' && s->rest.p[1] != ']') {
		last = s->rest.p[1];
		s->rest = span_from(s->rest, 2);
		if (last == '[' || last < first)
			s->error = "not a range of characters";
	}
	for (unsigned c = first; c <= last; c++)
		set_char(set, (uint8_t)c);
}

/* What stands behind "[". */
static void
parse_bracket(struct parser *s)
{
	uint8_t set[32] = {0};
	bool negated = s->rest.len > 0 && s->rest.p[0] == '^', first = true;
	struct pattern_state *state;

	if (negated)
		s->rest = span_from(s->rest, 1);
	while (s->error == NULL && s->rest.len > 0 && (first || s->rest.p[0] != ']')) {
		first = false;
		if (s->rest.len >= 2 && s->rest.p[0] == '[' && s->rest.p[1] == ':') {
			s->rest = span_from(s->rest, 2);
			parse_class(s, set);
		} else if (s->rest.len >= 2 && s->rest.p[0] == '[' &&
			   (s->rest.p[1] == '.' || s->rest.p[1] == '='))
			s->error = "collating elements are not taken";
		else
			parse_range(s, set);
	}
	if (s->error == NULL && s->rest.len == 0)
		s->error = "a bracket is not closed";
	s->rest = span_from(s->rest, 1);
	state = add(s, SET);
	for (size_t i = 0; i < sizeof(set); i++)
		state->set[i] = negated ? (uint8_t)~set[i] : set[i];
}

/* ---- expressions ------------------------------------------------------------------------------------ */

static void
parse_escape(struct parser *s)
{
	uint8_t c;

	if (s->rest.len == 0) {
		s->error = "a backslash at the end";
		return;
	}
	c = s->rest.p[0];
	if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '<' || c == '>' || c == '`' ||
	    c == '\'') {
		s->error = "back references and escapes of letters are not taken";
		return;
	}
	set_char(add(s, SET)->set, c);
	s->rest = span_from(s->rest, 1);
}

static void
parse_group(struct parser *s)
{
	if (++s->depth > PATTERN_DEPTH_MAX) {
		s->error = "too many parentheses inside one another";
		return;
	}
	parse_branches(s);
	if (s->error == NULL && (s->rest.len == 0 || s->rest.p[0] != ')'))
		s->error = "a parenthesis is not closed";
	s->rest = span_from(s->rest, 1);
	s->depth--;
}

static void
parse_atom(struct parser *s)
{
	uint8_t c = s->rest.p[0];

	s->rest = span_from(s->rest, 1);
	switch (c) {
	case '(':
		parse_group(s);
		break;
	case '[':
		parse_bracket(s);
		break;
	case '\\':
		parse_escape(s);
		break;
	case '^':
		add(s, BEGIN);
		break;
	case '$':
		add(s, END);
		break;
	case '.':
		memset(add(s, SET)->set, 0xff, 32);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		s->error = "nothing stands before a repetition";
		break;
	default:
		set_char(add(s, SET)->set, c);
		break;
	}
}

/* Repeats the states from `at` on between least and most times; most -1: without limit. */
static void
repeat(struct parser *s, size_t at, int least, int most)
{
	size_t len = s->p->count - at, copies = (size_t)(most < 0 ? least + 1 : most);
	struct pattern_state *state;

	if (most == 0) {
		s->p->count = at;
		return;
	}
	for (size_t i = 1; i < copies && s->error == NULL; i++)
		append_copy(s, at, len);
	/* From the last one on, so that what is inserted moves no copy that is still to be treated. */
	for (size_t i = copies; i-- > (size_t)least && s->error == NULL;) {
		size_t from = at + i * len, rest = s->p->count - from;

		if (most < 0 && i + 1 == copies) {
			state = add(s, JUMP);
			state->to[0] = (int16_t) - (int16_t)(rest + 1);
			rest++;
		}
		state = insert(s, from, SPLIT);
		state->to[0] = 1;
		state->to[1] = (int16_t)(rest + 1);
	}
}

/* {least}, {least,} or {least,most}, of which "{" was seen. */
static void
parse_bounds(struct parser *s, size_t at)
{
	size_t end = span_find(s->rest, '}'), comma;
	struct span bounds = span_head(s->rest, end);
	uint64_t least, most;
	bool open;

	comma = span_find(bounds, ',');
	open = comma + 1 == bounds.len;
	if (end == s->rest.len || !span_decimal(span_head(bounds, comma), REPEAT_MAX, &least) ||
	    (comma < bounds.len && !open &&
		!span_decimal(span_from(bounds, comma + 1), REPEAT_MAX, &most))) {
		s->error = "not a number of repetitions";
		return;
	}
	s->rest = span_from(s->rest, end + 1);
	if (comma == bounds.len)
		most = least;
	if (!open && most < least)
		s->error = "not a number of repetitions";
	else
		repeat(s, at, (int)least, open ? -1 : (int)most);
}

static void
parse_repeated(struct parser *s)
{
	size_t at = s->p->count;

	parse_atom(s);
	while (s->error == NULL && s->rest.len > 0 && span_find(SPAN("*+?{"), s->rest.p[0]) < 4) {
		uint8_t c = s->rest.p[0];

		s->rest = span_from(s->rest, 1);
		if (c == '*')
			repeat(s, at, 0, -1);
		else if (c == '+')
			repeat(s, at, 1, -1);
		else if (c == '?')
			repeat(s, at, 0, 1);
		else
			parse_bounds(s, at);
	}
}

static void
parse_branches(struct parser *s)
{
	size_t at = s->p->count;

	for (;;) {
		size_t from = s->p->count;

		while (s->error == NULL && s->rest.len > 0 && s->rest.p[0] != '|' &&
		       s->rest.p[0] != ')')
			parse_repeated(s);
		if (s->error == NULL && s->p->count == from && s->rest.len > 0 &&
		    s->rest.p[0] == '|')
			s->error = "an empty alternative";
		if (s->error != NULL || s->rest.len == 0 || s->rest.p[0] != '|')
			return;
		/* What there is so far, or what follows. */
		s->rest = span_from(s->rest, 1);
		insert(s, at, SPLIT)->to[0] = 1;
		add(s, JUMP);
		if (s->error != NULL)
			return;
		s->p->states[at].to[1] = (int16_t)(s->p->count - at);
		from = s->p->count - 1;
		parse_branches(s);
		s->p->states[from].to[0] = (int16_t)(s->p->count - from);
		return;
	}
}

const char *
pattern_compile(struct pattern *p, struct span expression)
{
	struct parser s = {.p = p, .rest = expression};

	p->count = 0;
	if (expression.len > PATTERN_TEXT_MAX)
		return "the expression is too long";
	parse_branches(&s);
	if (s.error == NULL && s.rest.len > 0)
		s.error = "a parenthesis that was not opened";
	if (s.error == NULL)
		add(&s, MATCH);
	return s.error;
}

/* ---- matching ------------------------------------------------------------------------------------------ */

struct states {
	uint16_t at[PATTERN_STATES_MAX];
	size_t count;
	uint8_t has[(PATTERN_STATES_MAX + 7) / 8];
};

/* Adds a state and all that it leads to without an octet. Returns: whether one is the end. */
static bool
follow(const struct pattern *p, struct states *set, size_t state, bool begin, bool end)
{
	uint16_t stack[PATTERN_STATES_MAX + 1];
	size_t depth = 0;

	stack[depth++] = (uint16_t)state;
	while (depth > 0) {
		size_t at = stack[--depth];
		const struct pattern_state *s = &p->states[at];

		if (set->has[at / 8] & 1u << at % 8)
			continue;
		set->has[at / 8] = (uint8_t)(set->has[at / 8] | 1u << at % 8);
		if (s->op == MATCH)
			return true;
		if (s->op == SET)
			set->at[set->count++] = (uint16_t)at;
		else if ((s->op == BEGIN && begin) || (s->op == END && end))
			stack[depth++] = (uint16_t)(at + 1);
		else if (s->op == JUMP || s->op == SPLIT)
			stack[depth++] = (uint16_t)((int)at + s->to[0]);
		if (s->op == SPLIT && depth < PATTERN_STATES_MAX)
			stack[depth++] = (uint16_t)((int)at + s->to[1]);
	}
	return false;
}

bool
pattern_matches(const struct pattern *p, struct span text)
{
	struct states now, next;

	now.count = 0;
	memset(now.has, 0, sizeof(now.has));
	for (size_t i = 0;; i++) {
		/* A match may begin at every octet. */
		if (follow(p, &now, 0, i == 0, i == text.len))
			return true;
		if (i == text.len)
			return false;
		next.count = 0;
		memset(next.has, 0, sizeof(next.has));
		for (size_t k = 0; k < now.count; k++) {
			const uint8_t *set = p->states[now.at[k]].set;

			if ((set[text.p[i] / 8] & 1u << text.p[i] % 8) != 0 &&
			    follow(p, &next, now.at[k] + 1u, false, i + 1 == text.len))
				return true;
		}
		now = next;
	}
}
