/* Accounts of the host, and the files that an installation names. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "lookupd/postfix_files.h"

enum { FILE_MAX_LEN = 16 * 1024 * 1024 };

static const struct span nothing = {NULL, 0};

static void
out_of_memory(struct postfix *p)
{
	p->failed = p->trouble = true;
}

/* ---- files ------------------------------------------------------------------------------------------- */

/* A path of the installation, on this machine. Returns: NULL when memory is out. */
const char *
postfix_path(struct postfix *p, struct span path)
{
	struct span root = span_str(p->root);
	uint8_t octets[4096];
	struct buf b = BUF_OVER(octets);
	const char *whole;

	if (!span_eq(span_head(path, root.len), root))
		buf_put_span(&b, root);
	buf_put_span(&b, path);
	whole = b.full ? NULL : pool_string(&p->pool, buf_span(&b));
	if (whole == NULL)
		out_of_memory(p);
	return whole;
}

struct span
postfix_read_file(struct postfix *p, const char *path, int *error_out)
{
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	uint8_t *octets = fd >= 0 ? malloc(FILE_MAX_LEN) : NULL;
	struct span copy = nothing;
	size_t len = 0;
	ssize_t n = -1;

	*error_out = errno;
	if (octets != NULL) {
		while (len < FILE_MAX_LEN && (n = read(fd, octets + len, FILE_MAX_LEN - len)) > 0)
			len += (size_t)n;
		*error_out = n < 0 ? errno : len == FILE_MAX_LEN ? EFBIG : 0;
		copy = pool_copy(&p->pool, span_of(octets, len));
		digest_update(&p->digest, copy);
	}
	free(octets);
	if (fd >= 0)
		close(fd);
	return copy;
}

struct span
postfix_read_needed(struct postfix *p, const char *path)
{
	int error;
	struct span text = postfix_read_file(p, path, &error);

	if (error != 0 && path != NULL) {
		report_error(p->report, path, 0, "cannot be read", span_str(strerror(error)));
		p->failed = true;
	}
	return text;
}

/* ---- accounts ------------------------------------------------------------------------------------------ */

static void
add_user(struct postfix *p, struct span name, struct span home, uint32_t uid, uint32_t gid)
{
	struct postfix_user *u;

	if (name.len == 0 || keymap_get(&p->users, name) != NULL)
		return;
	u = pool_take(&p->pool, sizeof(*u));
	if (u == NULL) {
		out_of_memory(p);
		return;
	}
	u->item.key = pool_copy(&p->pool, name);
	u->home = pool_string(&p->pool, home);
	u->uid = uid;
	u->gid = gid;
	if (u->item.key.p == NULL || u->home == NULL || keymap_add(&p->users, &u->item) < 0) {
		out_of_memory(p);
		return;
	}
	*p->user_tail = u;
	p->user_tail = &u->next;
}

static struct span
cut_field(struct span *rest)
{
	size_t end = span_find(*rest, ':');
	struct span field = span_head(*rest, end);

	*rest = span_from(*rest, end + 1);
	return field;
}

/* name:password:uid:gid:gecos:home:shell */
static void
read_passwd_line(struct postfix *p, const char *path, unsigned line, struct span text)
{
	struct span name, uid, gid, home;
	uint64_t uid_number, gid_number;

	if (text.len == 0 || text.p[0] == '#')
		return;
	name = cut_field(&text);
	cut_field(&text);
	uid = cut_field(&text);
	gid = cut_field(&text);
	cut_field(&text);
	home = cut_field(&text);
	if (!span_decimal(uid, UINT32_MAX, &uid_number) ||
	    !span_decimal(gid, UINT32_MAX, &gid_number)) {
		report_error(p->report, path, line, "not a line of passwd(5)", span_head(name, 40));
		p->failed = true;
		return;
	}
	add_user(p, name, home, (uint32_t)uid_number, (uint32_t)gid_number);
}

static void
read_passwd_file(struct postfix *p, const char *path)
{
	struct span text = postfix_read_needed(p, path);

	for (unsigned line = 1; text.len > 0; line++) {
		size_t end = span_find(text, '\n');

		read_passwd_line(p, path, line, span_head(text, end));
		text = span_from(text, end + 1);
	}
}

static void
read_accounts_here(struct postfix *p)
{
	struct passwd *pw;

	setpwent();
	for (errno = 0; (pw = getpwent()) != NULL; errno = 0) {
		add_user(p, span_str(pw->pw_name), span_str(pw->pw_dir), pw->pw_uid, pw->pw_gid);
		digest_update(&p->digest, span_str(pw->pw_name));
		digest_update(&p->digest, span_str(pw->pw_dir));
	}
	if (errno != 0 && errno != ENOENT) {
		report_error(
		    p->report, p->source, 0, "cannot list the accounts", span_str(strerror(errno)));
		p->failed = p->trouble = true;
	}
	endpwent();
}

void
postfix_read_accounts(struct postfix *p)
{
	if (p->first_user != NULL || p->failed)
		return;
	if (p->passwd != NULL)
		read_passwd_file(p, p->passwd);
	else if (p->root[0] != '\0')
		read_passwd_file(p, postfix_path(p, SPAN("/etc/passwd")));
	else
		read_accounts_here(p);
	if (p->first_user == NULL && !p->failed) {
		report_error(p->report, p->source, 0, "there are no accounts", nothing);
		p->failed = true;
	}
}
