#include "lookupd/dotqmail.h"

struct run {
	const struct dotqmail_world *world;
	struct dotqmail *d;
	uint32_t number;
	bool forward_only; /* the x bit, or after +list */
	bool forwards;
	bool failed;
};

/* Returns of a line: the next one is executed, or no other is. */
enum line_end { LINE_NEXT, LINE_LAST };

static enum line_end
decide(struct run *r, enum leaf_verdict v, const char *reason)
{
	r->d->verdict = v;
	r->d->line = r->number;
	r->d->reason = reason;
	return LINE_LAST;
}

static enum line_end
fail(struct run *r, const char *message, struct span detail)
{
	r->world->error(r->world->ctx, r->number, message, detail);
	r->failed = true;
	return LINE_LAST;
}

static enum line_end
forward(struct run *r, struct span address)
{
	r->forwards = true;
	r->world->forward(r->world->ctx, address, r->number);
	return LINE_NEXT;
}

static enum line_end
take_file(struct run *r, struct span path)
{
	if (r->forward_only)
		return decide(r, LEAF_DEFER, "stores mail, but may only forward");
	if (r->world->file(r->world->ctx, path) != LEAF_ACCEPT)
		return decide(r, LEAF_DEFER, "mail cannot be stored there");
	r->d->delivered = r->d->stores = true;
	return LINE_NEXT;
}

static enum line_end
take_status(struct run *r, unsigned status)
{
	r->d->delivered = true;
	switch (program_end(status)) {
	case PROGRAM_NEXT:
		return LINE_NEXT;
	case PROGRAM_STOP:
		return LINE_LAST;
	case PROGRAM_BOUNCE:
		return decide(r, LEAF_UNKNOWN, "a program bounces");
	case PROGRAM_TEMPORARY:
		break;
	}
	return decide(r, LEAF_DEFER, "a program fails for the time being");
}

/* A table is only understood when nothing was done before. */
static enum line_end
take_table(struct run *r, const struct program *p)
{
	struct program *to = &r->d->table;

	if (r->forwards || r->d->stores)
		return fail(r,
		    "a line before this one delivers too; say rule:FILE=accept, "
		    "refuse or defer",
		    p->name);
	*to = *p;
	for (size_t i = 0; i < to->word_count; i++)
		to->words[i] = span_of(to->octets + (p->words[i].p - p->octets), p->words[i].len);
	to->name = span_of(NULL, 0);
	return decide(r, LEAF_TABLE, "a table of users or aliases");
}

static enum line_end
take_asked(struct run *r, const struct program *p)
{
	enum leaf_verdict v;

	if (!r->world->program(r->world->ctx, p, r->number, &v)) {
		r->failed = true;
		return LINE_LAST;
	}
	if (v == LEAF_DEFER)
		return decide(r, v, "a program fails for the time being");
	if (v == LEAF_UNKNOWN)
		return decide(r, v, "a program bounces");
	r->d->delivered = true;
	r->d->unverified = true;
	r->d->stores = r->d->stores || v == LEAF_ACCEPT;
	return LINE_NEXT;
}

static enum line_end
take_program(struct run *r, struct span command)
{
	struct program p;

	if (r->forward_only)
		return decide(r, LEAF_DEFER, "runs a program, but may only forward");
	program_parse(command, &p);
	switch (p.kind) {
	case PROGRAM_EXITS:
		return take_status(r, p.status);
	case PROGRAM_FORWARDS:
		for (size_t i = 0; i < p.word_count; i++)
			forward(r, p.words[i]);
		return take_status(r, p.status);
	case PROGRAM_VPOPMAIL:
	case PROGRAM_ALIASES:
		return take_table(r, &p);
	default:
		return take_asked(r, &p);
	}
}

static struct span
trim_end(struct span s)
{
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static enum line_end
take_line(struct run *r, struct span line)
{
	line = trim_end(line);
	if (line.len == 0)
		return r->number == 1 ? decide(r, LEAF_DEFER, "the first line is blank")
		                      : LINE_NEXT;
	switch (line.p[0]) {
	case '\0':
	case '#':
		return LINE_NEXT;
	case '.':
	case '/':
		return take_file(r, span_head(line, span_find(line, '\0')));
	case '|':
		return take_program(r, span_from(span_head(line, span_find(line, '\0')), 1));
	case '+':
		if (span_eq(line, SPAN("+list")))
			r->forward_only = true;
		return LINE_NEXT;
	case '&':
		return forward(r, span_from(line, 1));
	default:
		return forward(r, line);
	}
}

static bool
only_comments(struct span text)
{
	while (text.len > 0) {
		size_t at = span_find(text, '\n');
		struct span line = trim_end(span_head(text, at));

		if (line.len > 0 && line.p[0] != '#')
			return false;
		text = span_from(text, at + 1);
	}
	return true;
}

bool
dotqmail_run(
    struct span text, bool executable, const struct dotqmail_world *world, struct dotqmail *d_out)
{
	struct run r = {.world = world, .d = d_out, .forward_only = executable};
	enum line_end end = LINE_NEXT;

	d_out->verdict = LEAF_ACCEPT;
	d_out->line = 0;
	d_out->reason = "delivers";
	d_out->delivered = d_out->stores = d_out->unverified = false;
	while (text.len > 0 && end == LINE_NEXT) {
		size_t at = span_find(text, '\n');

		r.number++;
		end = take_line(&r, span_head(text, at));
		text = span_from(text, at + 1);
	}
	if (!r.failed && d_out->verdict == LEAF_TABLE && !only_comments(text))
		fail(&r,
		    "a line behind this one delivers too; say rule:FILE=accept, refuse or defer",
		    span_of(NULL, 0));
	if (r.failed)
		return false;
	if (d_out->verdict == LEAF_ACCEPT && !d_out->delivered) {
		d_out->reason = r.forwards ? "forwards" : "does nothing: mail vanishes";
		if (!r.forwards)
			d_out->verdict = LEAF_DISCARD;
	}
	return true;
}

/* ---- vdelivermail ------------------------------------------------------------------------------ */

static enum line_end
take_vpopmail_line(struct run *r, struct span line)
{
	switch (line.p[0]) {
	case '#':
		return LINE_NEXT;
	case '.':
	case '/':
		return take_file(r, line);
	case '|':
		return take_program(r, span_from(line, 1));
	case '&':
		return forward(r, span_from(line, 1));
	default:
		return forward(r, line);
	}
}

bool
dotqmail_run_vpopmail(struct span text, const struct dotqmail_world *world, struct dotqmail *d_out)
{
	struct run r = {.world = world, .d = d_out};
	enum line_end end = LINE_NEXT;

	d_out->verdict = LEAF_ACCEPT;
	d_out->line = 0;
	d_out->reason = "delivers, or forwards, by vdelivermail";
	d_out->delivered = d_out->stores = d_out->unverified = false;
	while (text.len > 0 && end == LINE_NEXT) {
		size_t at = span_find(text, '\n');
		struct span line = trim_end(span_head(text, at));

		r.number++;
		if (line.len > 0)
			end = take_vpopmail_line(&r, line);
		text = span_from(text, at + 1);
	}
	if (!r.failed && d_out->verdict == LEAF_TABLE)
		fail(&r,
		    "vdelivermail or fastforward for a single user; say rule:FILE=accept, "
		    "refuse or defer",
		    span_of(NULL, 0));
	d_out->delivered = true;
	return !r.failed;
}
