#include "lookupd/backend_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONF_MAX = 1024 * 1024 };

int
backend_names_read(struct backend_names *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), error;
	ssize_t n = -1;

	*b = (struct backend_names){.text = malloc(CONF_MAX)};
	while (fd >= 0 && b->text != NULL && b->len < CONF_MAX &&
	       (n = read(fd, b->text + b->len, CONF_MAX - b->len)) > 0)
		b->len += (size_t)n;
	error = n > 0 ? EFBIG : errno;
	if (fd >= 0)
		close(fd);
	if (n == 0)
		return 0;
	backend_names_clear(b);
	errno = error;
	return -1;
}

void
backend_names_clear(struct backend_names *b)
{
	free(b->text);
	*b = (struct backend_names){0};
}

/* ---- words of a configuration ------------------------------------------------------------------- */

static bool
is_word(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-' || c == '.';
}

/* What stands between words: blanks and the three kinds of comments. */
static struct span
skip(struct span s)
{
	for (;;) {
		struct span line = span_head(s, span_find(s, '\n'));

		if (s.len == 0)
			return s;
		if (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n')
			s = span_from(s, 1);
		else if (s.p[0] == '#' || (s.len > 1 && s.p[0] == '/' && s.p[1] == '/'))
			s = span_from(s, line.len);
		else if (s.len > 1 && s.p[0] == '/' && s.p[1] == '*') {
			size_t at = 2;

			while (at + 1 < s.len && !(s.p[at] == '*' && s.p[at + 1] == '/'))
				at++;
			s = span_from(s, at + 2);
		} else
			return s;
	}
}

/* The next word, text in quotes, or single octet. */
static struct span
take(struct span *rest)
{
	struct span s = skip(*rest), token;
	size_t n = 0;

	if (s.len > 0 && (s.p[0] == '"' || s.p[0] == '\'')) {
		uint8_t quote = s.p[0];

		s = span_from(s, 1);
		while (n < s.len && s.p[n] != quote)
			n += s.p[n] == '\\' ? 2 : 1;
		token = span_head(s, n);
		*rest = span_from(s, n + 1);
		return token;
	}
	while (n < s.len && is_word(s.p[n]))
		n++;
	if (n == 0 && s.len > 0)
		n = 1;
	*rest = span_from(s, n);
	return span_head(s, n);
}

bool
backend_names_have(const struct backend_names *b, struct span name)
{
	struct span rest = span_of(b->text, b->len);

	while (skip(rest).len > 0) {
		struct span title;

		if (!span_eq(take(&rest), SPAN("backend")))
			continue;
		title = take(&rest);
		if (span_eq(title, name) && skip(rest).len > 0 && skip(rest).p[0] == '{')
			return true;
	}
	return false;
}
