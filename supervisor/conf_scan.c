#include "supervisor/conf_scan.h"

#include <string.h>

enum { DEPTH_MAX = 8 };

struct scan {
	uint8_t *text;
	size_t len, at;
	unsigned line;
	const char *file;
	struct conf_errors *errors;
	unsigned opened[DEPTH_MAX]; /* lines of the "{" not closed yet */
	unsigned depth;
	uint8_t before[2]; /* the significant octets before this one, the nearer first */
};

/* The octet `ahead` of the current one, or -1 past the end. */
static int
peek(const struct scan *s, size_t ahead)
{
	return s->at + ahead < s->len ? s->text[s->at + ahead] : -1;
}

/* Blanks up to the end of the line. */
static void
blank_line(struct scan *s)
{
	while (s->at < s->len && s->text[s->at] != '\n')
		s->text[s->at++] = ' ';
}

static void
blank_block_comment(struct scan *s)
{
	unsigned begun = s->line;

	s->text[s->at++] = ' ';
	s->text[s->at++] = ' ';
	for (; s->at < s->len; s->at++) {
		if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			s->text[s->at++] = ' ';
			s->text[s->at++] = ' ';
			return;
		}
		if (peek(s, 0) == '\n')
			s->line++;
		else
			s->text[s->at] = ' ';
	}
	conf_errors_add(s->errors, s->file, begun, "the comment that begins here has no end");
}

static bool
at_variable(const struct scan *s)
{
	return peek(s, 0) == '$' && peek(s, 1) == '{';
}

/* A string on one line; escapes are \" and \\ (or \' between single quotes), and no others. */
static void
skip_string(struct scan *s)
{
	int quote = peek(s, 0);

	for (s->at++; peek(s, 0) != quote; s->at++) {
		if (peek(s, 0) == -1 || peek(s, 0) == '\n') {
			conf_errors_add(
			    s->errors, s->file, s->line, "the string has no end on this line");
			return;
		}
		if (peek(s, 0) == '\0')
			conf_errors_add(s->errors, s->file, s->line, "a NUL octet");
		if (quote == '"' && at_variable(s))
			conf_errors_add(s->errors, s->file, s->line,
			    "variables of the environment are not expanded");
		if (peek(s, 0) == '\\') {
			if (peek(s, 1) != quote && peek(s, 1) != '\\')
				conf_errors_add(s->errors, s->file, s->line,
				    "only \\%c and \\\\ may follow a backslash in a string", quote);
			else
				s->at++;
		}
	}
	s->at++;
}

static void
on_open(struct scan *s)
{
	if (s->depth < DEPTH_MAX)
		s->opened[s->depth] = s->line;
	s->depth++;
}

static void
on_close(struct scan *s)
{
	if (s->depth == 0)
		conf_errors_add(s->errors, s->file, s->line, "\"}\" without \"{\"");
	else
		s->depth--;
	if (s->before[0] == '{' && s->before[1] == '=')
		conf_errors_add(
		    s->errors, s->file, s->line, "an empty list; leave the option out instead");
}

/* Octets outside strings and comments that libconfuse drops or takes in a way of its own. */
static void
check_octet(struct scan *s, uint8_t c)
{
	if (at_variable(s))
		conf_errors_add(
		    s->errors, s->file, s->line, "variables of the environment are not expanded");
	else if (c == '+')
		conf_errors_add(s->errors, s->file, s->line,
		    "\"+=\" is not offered; write the list in one place");
	else if (c == '|' || c == '*' || c == '(' || c == ')' || c == '\\')
		conf_errors_add(
		    s->errors, s->file, s->line, "\"%c\" may only stand in a string", c);
	else if ((c < ' ' && c != '\r') || c == 127)
		conf_errors_add(s->errors, s->file, s->line, "a control character");
	else if (c == '/' && memchr(" \t\r\n={},#\"'", peek(s, 1), 10) != NULL)
		conf_errors_add(
		    s->errors, s->file, s->line, "\"/\" may only stand in a word or a string");
}

/* Takes what begins at the current octet. */
static void
step(struct scan *s)
{
	uint8_t c = s->text[s->at];

	if (c == '\n') {
		s->line++;
		s->at++;
	} else if (c == ' ' || c == '\t' || c == '\r') {
		s->at++;
	} else if (c == '#' || (c == '/' && peek(s, 1) == '/')) {
		blank_line(s);
	} else if (c == '/' && peek(s, 1) == '*') {
		blank_block_comment(s);
	} else {
		if (c == '{')
			on_open(s);
		else if (c == '}')
			on_close(s);
		else if (c != '"' && c != '\'')
			check_octet(s, c);
		s->before[1] = s->before[0];
		s->before[0] = c;
		if (c == '"' || c == '\'')
			skip_string(s);
		else
			s->at++;
	}
}

bool
conf_scan(uint8_t *text, size_t len, const char *file, struct conf_errors *e)
{
	struct scan s = {.text = text, .len = len, .line = 1, .file = file, .errors = e};
	unsigned before = e->count;

	while (s.at < len)
		step(&s);
	if (s.depth > 0)
		conf_errors_add(e, file,
		    s.opened[s.depth <= DEPTH_MAX ? s.depth - 1 : DEPTH_MAX - 1],
		    "the \"{\" on this line has no \"}\"");
	return e->count == before;
}
