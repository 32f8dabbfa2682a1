#include "lookupd/accounts.h"

#include <errno.h>
#include <pwd.h>

void
accounts_init(struct accounts *a, struct pool *pool, const char *source)
{
	*a = (struct accounts){.pool = pool, .source = source};
	keymap_init(&a->names);
	a->tail = &a->first;
}

void
accounts_clear(struct accounts *a)
{
	keymap_clear(&a->names);
}

const struct account *
accounts_find(const struct accounts *a, struct span name)
{
	return (void *)keymap_get(&a->names, name);
}

/* Returns: 0 or -1. */
static int
add(struct accounts *a, struct span name, uint32_t uid, uint32_t gid, struct span home,
    uint32_t line)
{
	struct account *n;

	if (accounts_find(a, name) != NULL)
		return 0;
	n = pool_take(a->pool, sizeof(*n));
	if (n == NULL)
		return -1;
	n->item.key = pool_copy(a->pool, name);
	n->home = pool_string(a->pool, home);
	n->uid = uid;
	n->gid = gid;
	n->line = line;
	if (n->item.key.p == NULL || n->home == NULL || keymap_add(&a->names, &n->item) < 0)
		return -1;
	*a->tail = n;
	a->tail = &n->next;
	return 0;
}

/* Takes octets up to the next colon. */
static struct span
take_field(struct span *rest)
{
	size_t n = span_find(*rest, ':');
	struct span field = span_head(*rest, n);

	*rest = span_from(*rest, n + 1);
	return field;
}

/* Returns: 0, or -1 when memory is out. */
static int
take_line(struct accounts *a, struct span line, uint32_t number, struct report *report)
{
	struct span rest = line, name, home;
	uint64_t uid, gid;

	if (line.len == 0 || line.p[0] == '#' || line.p[0] == '+' || line.p[0] == '-')
		return 0;
	name = take_field(&rest);
	take_field(&rest);
	if (name.len == 0 || !span_decimal(take_field(&rest), UINT32_MAX, &uid) ||
	    !span_decimal(take_field(&rest), UINT32_MAX, &gid)) {
		report_warning(report, a->source, number, "not an account", span_head(line, 200));
		return 0;
	}
	take_field(&rest);
	home = take_field(&rest);
	return add(a, name, (uint32_t)uid, (uint32_t)gid, home, number);
}

int
accounts_take(struct accounts *a, struct span text, struct report *report)
{
	for (uint32_t number = 1; text.len > 0; number++) {
		size_t end = span_find(text, '\n');

		if (take_line(a, span_head(text, end), number, report) < 0)
			return -1;
		text = span_from(text, end + 1);
	}
	return 0;
}

int
accounts_take_host(struct accounts *a, struct report *report)
{
	const struct passwd *pw;
	int error = 0;

	setpwent();
	for (errno = 0; (pw = getpwent()) != NULL; errno = 0)
		if (add(a, span_str(pw->pw_name), pw->pw_uid, pw->pw_gid, span_str(pw->pw_dir), 0) <
		    0) {
			errno = ENOMEM;
			break;
		}
	error = errno;
	endpwent();
	/* Some name services answer with ENOENT at the end. */
	if (error == 0 || error == ENOENT)
		return 0;
	report_error(
	    report, a->source, 0, "the accounts cannot be listed", span_str(strerror(error)));
	return -1;
}

bool
accounts_group(struct span text, struct span name, uint32_t *gid_out)
{
	while (text.len > 0) {
		size_t end = span_find(text, '\n');
		struct span line = span_head(text, end), first = take_field(&line);
		uint64_t gid;

		take_field(&line);
		if (span_eq(first, name) && span_decimal(take_field(&line), UINT32_MAX, &gid)) {
			*gid_out = (uint32_t)gid;
			return true;
		}
		text = span_from(text, end + 1);
	}
	return false;
}
