/*
 * recipients-ask DATABASE: answers questions on standard input by lookupd's own code.
 *
 * A question is "MODE HEX" and a line end: what stood behind "RCPT " in hexadecimal ("-": nothing).
 * The mode is smtp, or inside, which parses as qmail-smtpd does. An answer is one
 * of the words of tests/recipients/agree, and words for its flags.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/address.h"
#include "lookupd/loader.h"
#include "lookupd/lookup.h"
#include "smtpd/parameters.h"

enum { ARGUMENT_MAX = 4096 };

/* ---- addresses ------------------------------------------------------------------------------- */

/* Returns: false when our grammar refuses it. */
static bool
parse_smtp(struct span argument, struct address *a_out)
{
	struct span path, rest;
	struct parameter p;

	if (path_split(argument, SPAN("TO:"), &path, &rest) != PATH_OK ||
	    address_parse_forward(path, a_out) != ADDRESS_OK)
		return false;
	return parameter_next(&rest, &p) == PARAMETER_END;
}

/* What stands in the path, as qmail-smtpd takes it (addrparse). Returns: its terminator. */
static uint8_t
find_path(struct span *argument)
{
	size_t open = span_find(*argument, '<');

	if (open < argument->len) {
		*argument = span_from(*argument, open + 1);
		return '>';
	}
	*argument = span_from(*argument, span_find(*argument, ':') + 1);
	while (argument->len > 0 && argument->p[0] == ' ')
		*argument = span_from(*argument, 1);
	return ' ';
}

static void
parse_inside(struct span argument, struct buf *b)
{
	bool escaped = false, quoted = false;
	uint8_t end;

	argument = span_head(argument, span_find(argument, '\0'));
	end = find_path(&argument);
	if (argument.len > 0 && argument.p[0] == '@')
		argument = span_from(argument, span_find(argument, ':') + 1);
	for (size_t i = 0; i < argument.len; i++) {
		uint8_t c = argument.p[i];

		if (escaped) {
			buf_put_u8(b, c);
			escaped = false;
		} else if (!quoted && c == end)
			break;
		else if (c == '\\')
			escaped = true;
		else if (c == '"')
			quoted = !quoted;
		else
			buf_put_u8(b, c);
	}
}

/* ---- answers ----------------------------------------------------------------------------------- */

static const char *
word_of(const struct lookup_result *r)
{
	switch (r->verdict) {
	case RCPT_ACCEPTED:
		return r->leaf == LEAF_DISCARD ? "DISCARD" : "DELIVER";
	case RCPT_UNKNOWN_USER:
		return "BOUNCE";
	case RCPT_UNKNOWN_DOMAIN:
		return "REJECT-RELAY";
	case RCPT_REFUSED:
		return r->leaf == LEAF_RELAY ? "REMOTE" : "BOUNCE";
	case RCPT_DEFERRED:
		return "TEMP";
	case RCPT_TROUBLE:
		break;
	}
	return "TROUBLE";
}

static void
answer(const struct lookup_result *r)
{
	printf("%s%s%s%s\n", word_of(r), r->leaf_flags & LEAF_PARTIAL ? " partial" : "",
	    r->leaf_flags & LEAF_LATE ? " late" : "",
	    r->leaf_flags & LEAF_UNVERIFIED ? " unverified" : "");
}

static void
ask_inside(const struct database *db, struct span argument)
{
	static uint8_t octets[ARGUMENT_MAX];
	struct buf b = BUF_OVER(octets);
	struct lookup_result r;

	parse_inside(argument, &b);
	if (b.len >= 900) {
		puts("REJECT-SYNTAX");
		return;
	}
	lookup_octets(db, buf_span(&b), LOOKUP_FROM_OUTSIDE, NULL, &r);
	answer(&r);
}

static void
ask_smtp(const struct database *db, struct span argument)
{
	struct address a;
	struct lookup_result r;
	const struct address *recipient;

	if (!parse_smtp(argument, &a)) {
		puts("SYNTAX");
		return;
	}
	lookup_recipient(db, &a, NULL, &r, &recipient);
	answer(&r);
}

/* ---- questions ------------------------------------------------------------------------------------ */

static int
hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns: 0, or -1 for what is no question. */
static int
take_question(const struct database *db, char *line)
{
	static uint8_t octets[ARGUMENT_MAX];
	char *text = strchr(line, ' ');
	size_t len = 0;

	if (text == NULL)
		return -1;
	*text++ = '\0';
	text[strcspn(text, "\n")] = '\0';
	for (; text[0] != '-' && text[0] != '\0'; text += 2) {
		if (hex(text[0]) < 0 || hex(text[1]) < 0 || len == sizeof(octets))
			return -1;
		octets[len++] = (uint8_t)(hex(text[0]) << 4 | hex(text[1]));
	}
	if (strcmp(line, "inside") == 0)
		ask_inside(db, span_of(octets, len));
	else if (strcmp(line, "smtp") == 0)
		ask_smtp(db, span_of(octets, len));
	else
		return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	const char *error = "cannot be opened";
	bool unreadable;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1, status = 0;
	struct database *db = fd >= 0 ? loader_load(fd, &error, &unreadable) : NULL;
	char *line = NULL;
	size_t cap = 0;

	if (db == NULL) {
		fprintf(stderr, "usage: recipients-ask DATABASE: %s\n", error);
		return 1;
	}
	while (status == 0 && getline(&line, &cap, stdin) > 0)
		status = take_question(db, line);
	free(line);
	database_free(&db);
	return status == 0 && fflush(stdout) == 0 ? 0 : 1;
}
