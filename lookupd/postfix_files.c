#include "lookupd/postfix_files.h"

#include <errno.h>
#include <unistd.h>

/* ---- rights ---------------------------------------------------------------------------------------- */

static bool
may(const struct postfix_user *user, const struct stat *st, mode_t bit)
{
	if (user == NULL || user->uid == 0)
		return true;
	if (st->st_uid == user->uid)
		return st->st_mode & (bit << 6);
	if (st->st_gid == user->gid)
		return st->st_mode & (bit << 3);
	return st->st_mode & bit;
}

bool
postfix_may_read(const struct postfix_user *user, const struct stat *st)
{
	return may(user, st, 4);
}

int
postfix_stat_as(const struct postfix_user *user, const char *path, bool follow, struct stat *st_out)
{
	char part[4096];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return ENAMETOOLONG;
	for (size_t i = 1; i < len; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (stat(part, st_out) < 0)
			return errno;
		if (!may(user, st_out, 1))
			return EACCES;
	}
	return (follow ? stat(path, st_out) : lstat(path, st_out)) < 0 ? errno : 0;
}

/* ---- commands ---------------------------------------------------------------------------------------- */

static struct span
base_name(struct span path)
{
	size_t slash = span_find_last(path, '/');

	return slash < path.len ? span_from(path, slash + 1) : path;
}

/* sys_exits.c: two of the codes of sysexits.h are temporary, any other is a bounce. */
static unsigned
exit_outcome(struct span code)
{
	uint64_t number;

	if (code.len == 0 || !span_decimal(code, 255, &number))
		return POSTFIX_DELIVERED | POSTFIX_UNVERIFIED;
	if (number == 0)
		return POSTFIX_DISCARDED;
	return number == 71 || number == 75 ? POSTFIX_TEMPORARY : POSTFIX_BOUNCED;
}

unsigned
postfix_command_outcome(struct postfix *p, struct span command)
{
	struct span rest = command, word = {NULL, 0}, argument = {NULL, 0};
	const char *path;

	postfix_next_word(&rest, &word);
	if (span_eq(word, SPAN("exec")))
		postfix_next_word(&rest, &word);
	postfix_next_word(&rest, &argument);
	if (span_eq(base_name(word), SPAN("true")))
		return POSTFIX_DISCARDED;
	if (span_eq(base_name(word), SPAN("false")))
		return POSTFIX_BOUNCED;
	if (span_eq(word, SPAN("exit")))
		return exit_outcome(argument);
	if (word.len > 0 && word.p[0] == '/') {
		path = postfix_path(p, word);
		if (path != NULL && access(path, F_OK) < 0 && errno == ENOENT)
			return POSTFIX_BOUNCED;
	}
	return POSTFIX_DELIVERED | POSTFIX_UNVERIFIED;
}

/* ---- macros -------------------------------------------------------------------------------------------- */

static size_t
name_len(struct span s)
{
	size_t n = 0;

	while (n < s.len && (ascii_is_alpha(s.p[n]) || ascii_is_digit(s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

/* What stands between the braces: name, name?text or name:text. */
static bool
expand_braced(struct span inside, bool (*value)(void *context, struct span name, struct buf *b),
    void *context, struct buf *b)
{
	size_t n = name_len(inside), before = b->len;
	bool has = value(context, span_head(inside, n), b);

	if (n == inside.len)
		return has;
	has = has && b->len > before;
	b->len = before;
	if (inside.p[n] != '?' && inside.p[n] != ':')
		return false;
	return has != (inside.p[n] == '?') ||
	       postfix_expand(span_from(inside, n + 1), value, context, b);
}

bool
postfix_expand(struct span text, bool (*value)(void *context, struct span name, struct buf *b),
    void *context, struct buf *b)
{
	bool good = true;

	while (text.len > 0 && good) {
		size_t dollar = span_find(text, '$'), n;

		buf_put_span(b, span_head(text, dollar));
		text = span_from(text, dollar + 1);
		if (text.len == 0)
			return dollar == 0 || b->len > 0;
		if (text.p[0] == '$') {
			buf_put_u8(b, '$');
			text = span_from(text, 1);
		} else if (text.p[0] == '{' || text.p[0] == '(') {
			n = span_find(text, text.p[0] == '{' ? '}' : ')');
			good = n < text.len &&
			       expand_braced(span_of(text.p + 1, n - 1), value, context, b);
			text = span_from(text, n + 1);
		} else {
			n = name_len(text);
			good = n > 0 && value(context, span_head(text, n), b);
			text = span_from(text, n);
		}
	}
	return good;
}
