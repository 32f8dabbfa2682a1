#include "lookupd/program.h"

/* ---- words ------------------------------------------------------------------------------------ */

/* Takes one word as sh does. Returns: false when it needs more than quotes taken away. */
static bool
take_word(struct span *rest, struct buf *b)
{
	static const struct span special = {(const uint8_t *)";|&<>()*?[]{}!\r\n", 16};
	uint8_t quote = '\0';
	size_t i = 0;

	for (; i < rest->len; i++) {
		uint8_t c = rest->p[i];

		if (quote == '\0' && (c == ' ' || c == '\t'))
			break;
		if (quote == '\0' && (c == '\'' || c == '"')) {
			quote = c;
			continue;
		}
		if (quote != '\0' && c == quote) {
			quote = '\0';
			continue;
		}
		if (quote != '\'' && (c == '$' || c == '`' || c == '\\'))
			return false;
		if (quote == '\0' && span_find(special, c) < special.len)
			return false;
		buf_put_u8(b, c);
	}
	*rest = span_from(*rest, i);
	return quote == '\0' && !b->full;
}

static bool
split(struct span command, struct program *p)
{
	struct buf b = BUF_OVER(p->octets);

	for (;;) {
		size_t from = b.len;

		while (command.len > 0 && (command.p[0] == ' ' || command.p[0] == '\t'))
			command = span_from(command, 1);
		if (command.len == 0 || command.p[0] == '#')
			return p->word_count > 0;
		if (p->word_count == PROGRAM_WORDS || !take_word(&command, &b))
			return false;
		p->words[p->word_count++] = span_of(p->octets + from, b.len - from);
	}
}

static void
drop_words(struct program *p, size_t n)
{
	p->word_count -= n;
	memmove(p->words, p->words + n, p->word_count * sizeof(p->words[0]));
}

static struct span
base_name(struct span path)
{
	size_t slash = span_find_last(path, '/');

	return slash < path.len ? span_from(path, slash + 1) : path;
}

/* ---- programs ------------------------------------------------------------------------------------- */

/* Each takes the words behind its name. Returns: false when they mean something else. */
static bool classify(struct program *p);

static bool
exits(struct program *p, unsigned status)
{
	p->kind = PROGRAM_EXITS;
	p->status = status;
	return true;
}

static bool
take_true(struct program *p)
{
	return exits(p, 0);
}

static bool
take_false(struct program *p)
{
	return exits(p, 1);
}

static bool
take_exit(struct program *p)
{
	uint64_t status = 0;

	if (p->word_count > 1 ||
	    (p->word_count == 1 && !span_decimal(p->words[0], UINT32_MAX, &status)))
		return false;
	return exits(p, (unsigned)(status & 255));
}

/*
 * A program asked for its opinion by another one.
 * Returns: false when it is not known; *said_out: 0 yes, 111 nothing now, 1 no.
 */
static bool
ask(struct program *p, unsigned *said_out)
{
	if (!classify(p) || p->kind != PROGRAM_EXITS)
		return false;
	*said_out = p->status == 0 || p->status == 111 ? p->status : 1;
	return true;
}

/* bouncesaying text [program] */
static bool
take_bouncesaying(struct program *p)
{
	unsigned said = 0;

	if (p->word_count == 0)
		return exits(p, 100); /* its usage */
	drop_words(p, 1);
	if (p->word_count > 0 && !ask(p, &said))
		return false;
	return exits(p, said == 0 ? 100 : said == 111 ? 111 : 0);
}

/* except program */
static bool
take_except(struct program *p)
{
	unsigned said;

	if (p->word_count == 0)
		return exits(p, 100);
	if (!ask(p, &said))
		return false;
	return exits(p, said == 0 ? 100 : said == 111 ? 111 : 0);
}

static bool
take_forward(struct program *p)
{
	if (p->word_count > 0 && p->words[0].len > 0 && p->words[0].p[0] == '-')
		return false;
	if (p->word_count == 0)
		return exits(p, 100);
	p->kind = PROGRAM_FORWARDS;
	p->status = 0;
	return true;
}

/* condredirect address program */
static bool
take_condredirect(struct program *p)
{
	struct span address;
	unsigned said;

	if (p->word_count < 2)
		return exits(p, 100);
	address = p->words[0];
	drop_words(p, 1);
	if (!ask(p, &said))
		return false;
	if (said != 0)
		return exits(p, said == 111 ? 111 : 0);
	p->kind = PROGRAM_FORWARDS;
	p->words[0] = address;
	p->word_count = 1;
	p->status = 99;
	return true;
}

/* qmail-inject [-a] [-f sender] address... */
static bool
take_inject(struct program *p)
{
	while (p->word_count > 0 && p->words[0].len > 1 && p->words[0].p[0] == '-') {
		struct span option = p->words[0];

		if (span_eq(option, SPAN("-f")) && p->word_count > 1)
			drop_words(p, 2);
		else if (span_eq(option, SPAN("-a")) || option.p[1] == 'f')
			drop_words(p, 1);
		else
			return false;
	}
	return p->word_count > 0 && take_forward(p);
}

/* preline [-d] [-f] [-r] program */
static bool
take_preline(struct program *p)
{
	while (p->word_count > 0 && p->words[0].len > 1 && p->words[0].p[0] == '-')
		drop_words(p, 1);
	return p->word_count > 0 && classify(p);
}

static bool
take_delivers(struct program *p)
{
	p->kind = PROGRAM_DELIVERS;
	return true;
}

static bool
take_has_users(struct program *p)
{
	p->kind = PROGRAM_HAS_USERS;
	return true;
}

/* vdelivermail '' what: any other number of words is put off. */
static bool
take_vpopmail(struct program *p)
{
	if (p->word_count != 2)
		return exits(p, 111);
	p->kind = PROGRAM_VPOPMAIL;
	drop_words(p, 1);
	return true;
}

/* fastforward [-d] [-p] table */
static bool
take_fastforward(struct program *p)
{
	while (p->word_count > 0 && p->words[0].len > 1 && p->words[0].p[0] == '-') {
		for (size_t i = 1; i < p->words[0].len; i++) {
			uint8_t c = p->words[0].p[i];

			if (c == 'd' || c == 'D')
				p->by_default = c == 'd';
			else if (c == 'p' || c == 'P')
				p->passes = c == 'p';
			else
				return false;
		}
		drop_words(p, 1);
	}
	if (p->word_count != 1)
		return exits(p, 100);
	p->kind = PROGRAM_ALIASES;
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct program *p);
} known[] = {
    {":", take_true},
    {"autorespond", take_delivers},
    {"bouncesaying", take_bouncesaying},
    {"condredirect", take_condredirect},
    {"deliver", take_has_users},
    {"dot-forward", take_delivers},
    {"dovecot-lda", take_has_users},
    {"except", take_except},
    {"exit", take_exit},
    {"ezmlm-manage", take_delivers},
    {"ezmlm-request", take_delivers},
    {"ezmlm-return", take_delivers},
    {"ezmlm-send", take_delivers},
    {"ezmlm-store", take_delivers},
    {"ezmlm-warn", take_delivers},
    {"false", take_false},
    {"fastforward", take_fastforward},
    {"forward", take_forward},
    {"maildir", take_delivers},
    {"maildrop", take_has_users},
    {"preline", take_preline},
    {"procmail", take_delivers},
    {"qmail-autoresponder", take_delivers},
    {"qmail-inject", take_inject},
    {"qreceipt", take_true},
    {"true", take_true},
    {"vacation", take_delivers},
    {"vdelivermail", take_vpopmail},
};

/* In: words, beginning with the name. */
static bool
classify(struct program *p)
{
	struct span name = base_name(p->words[0]);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq(name, span_str(known[i].name))) {
			drop_words(p, 1);
			return known[i].take(p);
		}
	return false;
}

void
program_parse(struct span command, struct program *p_out)
{
	p_out->kind = PROGRAM_UNKNOWN;
	p_out->status = 0;
	p_out->word_count = 0;
	p_out->by_default = p_out->passes = false;
	p_out->name = span_of(NULL, 0);
	if (!split(command, p_out)) {
		/* What it is called is still worth saying, when that much is clear. */
		p_out->name = p_out->word_count > 0 ? p_out->words[0] : command;
		return;
	}
	p_out->name = p_out->words[0];
	if (!classify(p_out))
		p_out->kind = PROGRAM_UNKNOWN;
}

enum program_end
program_end(unsigned status)
{
	switch (status) {
	case 0:
		return PROGRAM_NEXT;
	case 99:
		return PROGRAM_STOP;
	case 64:
	case 65:
	case 70:
	case 76:
	case 77:
	case 78:
	case 100:
	case 112:
		return PROGRAM_BOUNCE;
	default:
		return PROGRAM_TEMPORARY;
	}
}
