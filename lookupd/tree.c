#include "lookupd/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, STATS_MAX = 512 * 1024 * 1024 };

/* What the list says of one path. */
struct told_stat {
	struct keymap_item item;
	uint32_t mode, uid, gid;
};

void
tree_init(struct tree *t)
{
	*t = (struct tree){.root = ""};
	keymap_init(&t->stats);
}

void
tree_clear(struct tree *t)
{
	keymap_clear(&t->stats);
	pool_clear(&t->pool);
}

/* ---- a list of owners and modes -------------------------------------------------------------- */

static bool
take_number(struct span *rest, unsigned base, uint32_t *v_out)
{
	uint64_t v = 0;
	size_t n = 0;

	for (; n < rest->len && rest->p[n] >= '0' && rest->p[n] < '0' + base && v <= UINT32_MAX;
	     n++)
		v = v * base + (uint64_t)(rest->p[n] - '0');
	if (n == 0 || n >= rest->len || rest->p[n] != ' ' || v > UINT32_MAX)
		return false;
	*rest = span_from(*rest, n + 1);
	*v_out = (uint32_t)v;
	return true;
}

/* Returns: NULL, or what is wrong. */
static const char *
take_told(struct tree *t, struct span line)
{
	struct told_stat told = {0}, *kept;

	if (!take_number(&line, 8, &told.mode) || !take_number(&line, 10, &told.uid) ||
	    !take_number(&line, 10, &told.gid) || told.mode > 07777)
		return "not MODE UID GID PATH";
	if (line.len == 0 || line.p[0] != '/')
		return "the path does not begin with /";
	while (line.len > 1 && line.p[line.len - 1] == '/')
		line = span_head(line, line.len - 1);
	if (keymap_get(&t->stats, line) != NULL)
		return NULL;
	kept = pool_take(&t->pool, sizeof(*kept));
	if (kept != NULL) {
		*kept = told;
		kept->item.key = pool_copy(&t->pool, line);
	}
	if (kept == NULL || kept->item.key.p == NULL || keymap_add(&t->stats, &kept->item) < 0) {
		t->failed = true;
		return "out of memory";
	}
	return NULL;
}

int
tree_take_stats(struct tree *t, const char *file, struct report *report)
{
	struct tree plain = *t;
	struct span rest;
	int error;
	uint8_t end;

	plain.root = "";
	error = tree_read(&plain, file, STATS_MAX, &rest);
	t->pool = plain.pool;
	if (error != 0) {
		report_error(report, file, 0, "cannot be read", span_str(strerror(error)));
		return -1;
	}
	end = span_find(rest, '\0') < rest.len ? '\0' : '\n';
	for (unsigned line = 1; rest.len > 0; line++) {
		size_t at = span_find(rest, end);
		const char *wrong = take_told(t, span_head(rest, at));

		if (wrong != NULL) {
			report_error(
			    report, file, line, wrong, span_head(span_head(rest, at), 200));
			return -1;
		}
		rest = span_from(rest, at + 1);
	}
	return 0;
}

/* ---- following a path ------------------------------------------------------------------------------ */

bool
tree_may(const struct tree_stat *st, struct rights as, unsigned bits)
{
	unsigned have = st->mode & 7;

	if (as.all || as.uid == 0)
		return true;
	if (st->uid == as.uid)
		have = st->mode >> 6 & 7;
	else if (st->gid == as.gid)
		have = st->mode >> 3 & 7;
	return (have & bits) == bits;
}

struct walk {
	struct tree *t;
	struct rights as;
	char at[PATH_MAX]; /* in the tree, without links; "" is the root directory */
	char rest[2 * PATH_MAX];
	unsigned links;
};

/* Returns: 0, or -1 when it does not fit. */
static int
host_path(const struct tree *t, const char *path, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s%s", t->root, path[0] != '\0' ? path : "/");

	return n < 0 || n >= PATH_MAX ? -1 : 0;
}

/* What was seen of a file, into the digest. */
static void
note(struct tree *t, struct span name, struct span fact)
{
	if (t->digest == NULL)
		return;
	digest_update(t->digest, name);
	digest_update(t->digest, SPAN("\0"));
	digest_update(t->digest, fact);
}

/* The file at a path without links, as the list or the host has it. */
static int
look_at(struct tree *t, const char *path, struct tree_stat *st_out)
{
	char host[PATH_MAX];
	struct stat st;
	const struct told_stat *told;
	uint32_t facts[3];

	if (host_path(t, path, host) < 0)
		return ENAMETOOLONG;
	if (lstat(host, &st) < 0)
		return errno == EACCES || errno == EIO || errno == ENOMEM ? TREE_BLIND : errno;
	*st_out = (struct tree_stat){.mode = st.st_mode,
	    .uid = st.st_uid,
	    .gid = st.st_gid,
	    .size = (uint64_t)st.st_size,
	    .mtime = st.st_mtime};
	told = (void *)keymap_get(&t->stats, span_str(path[0] != '\0' ? path : "/"));
	if (told != NULL) {
		st_out->mode = (st.st_mode & S_IFMT) | told->mode;
		st_out->uid = told->uid;
		st_out->gid = told->gid;
	} else if (t->stats.used > 0 && S_ISDIR(st.st_mode)) {
		/* What lies above the files that were listed is like a system's own. */
		st_out->mode = S_IFDIR | 0755;
		st_out->uid = st_out->gid = 0;
	}
	memcpy(facts, (uint32_t[]){st_out->mode, st_out->uid, st_out->gid}, sizeof(facts));
	note(t, span_str(path), span_of(facts, sizeof(facts)));
	return 0;
}

/* Puts the target of a link before what is left. Returns: 0 or an errno. */
static int
enter_link(struct walk *w, const char *name)
{
	char host[PATH_MAX], link[PATH_MAX], target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n;

	if (++w->links > LINKS_MAX)
		return ELOOP;
	if (snprintf(link, sizeof(link), "%s/%s", w->at, name) >= (int)sizeof(link) ||
	    host_path(w->t, link, host) < 0)
		return ENAMETOOLONG;
	n = readlink(host, target, sizeof(target) - 1);
	if (n <= 0)
		return n < 0 && (errno == EACCES || errno == EIO) ? TREE_BLIND : ENOENT;
	target[n] = '\0';
	if (target[0] == '/')
		w->at[0] = '\0';
	if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= (int)sizeof(rest))
		return ENAMETOOLONG;
	memcpy(w->rest, rest, sizeof(rest));
	return 0;
}

static void
leave(struct walk *w)
{
	char *slash = strrchr(w->at, '/');

	if (slash != NULL)
		*slash = '\0';
}

/* Takes the next name out of the rest. Returns: its length, 0 at the end. */
static size_t
next_name(struct walk *w, char **name_out)
{
	char *p = w->rest;

	while (*p == '/')
		p++;
	*name_out = p;
	return strcspn(p, "/");
}

/* One name further. In: st, of where we are; out: of what is there now. */
static int
step(struct walk *w, char *name, size_t len, struct tree_stat *st)
{
	char saved[NAME_MAX + 1], next[PATH_MAX];
	struct tree_stat found;
	int error;

	if (!S_ISDIR(st->mode))
		return ENOTDIR;
	if (!tree_may(st, w->as, 1))
		return EACCES;
	if (len > NAME_MAX)
		return ENAMETOOLONG;
	memcpy(saved, name, len);
	saved[len] = '\0';
	memmove(w->rest, name + len, strlen(name + len) + 1);
	if (strcmp(saved, ".") == 0)
		return 0;
	if (strcmp(saved, "..") == 0) {
		leave(w);
		return look_at(w->t, w->at, st);
	}
	if (snprintf(next, sizeof(next), "%s/%s", w->at, saved) >= (int)sizeof(next))
		return ENAMETOOLONG;
	error = look_at(w->t, next, &found);
	if (error != 0)
		return error;
	if (S_ISLNK(found.mode)) {
		error = enter_link(w, saved);
		return error != 0 ? error : look_at(w->t, w->at, st);
	}
	memcpy(w->at, next, sizeof(next));
	*st = found;
	return 0;
}

int
tree_stat(struct tree *t, const char *path, struct rights as, struct tree_stat *st_out,
    char real_out[PATH_MAX])
{
	struct walk w = {.t = t, .as = as};
	bool directory;
	char *name;
	size_t len = strlen(path);
	int error;

	if (len == 0)
		return ENOENT;
	if (len >= PATH_MAX)
		return ENAMETOOLONG;
	directory = path[len - 1] == '/';
	memcpy(w.rest, path, len + 1);
	error = look_at(t, "", st_out);
	while (error == 0 && (len = next_name(&w, &name)) > 0)
		error = step(&w, name, len, st_out);
	if (error != 0)
		return error;
	if (directory && !S_ISDIR(st_out->mode))
		return ENOTDIR;
	if (real_out != NULL)
		(void)snprintf(real_out, PATH_MAX, "%s", w.at[0] != '\0' ? w.at : "/");
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static int
read_fd(struct tree *t, int fd, size_t max, struct span *octets_out)
{
	struct stat st;
	uint8_t *p;
	size_t len = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EISDIR;
	if ((uint64_t)st.st_size > max)
		return EFBIG;
	p = pool_take(&t->pool, (size_t)st.st_size + 1);
	if (p == NULL)
		return ENOMEM;
	while (len < (size_t)st.st_size && (n = read(fd, p + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return errno;
	*octets_out = span_of(p, len);
	if (t->digest != NULL)
		digest_update(t->digest, *octets_out);
	return 0;
}

int
tree_read(struct tree *t, const char *real, size_t max, struct span *octets_out)
{
	char host[PATH_MAX];
	int fd, error;

	if (host_path(t, real, host) < 0)
		return ENAMETOOLONG;
	fd = open(host, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno;
	error = read_fd(t, fd, max, octets_out);
	close(fd);
	return error;
}

int
tree_load(struct tree *t, const char *path, size_t max, struct span *octets_out)
{
	struct rights all = {.all = true};
	struct tree_stat st;
	char real[PATH_MAX];
	int error = tree_stat(t, path, all, &st, real);

	if (error == TREE_BLIND)
		return EACCES;
	return error != 0 ? error : tree_read(t, real, max, octets_out);
}

/* ---- directories ---------------------------------------------------------------------------------------- */

static int
by_octets(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
read_names(struct tree *t, DIR *d, const char ***names_out, size_t *count_out)
{
	const char **names = NULL, **kept;
	size_t count = 0, cap = 0;
	const struct dirent *e;
	int error = 0;

	for (errno = 0; (e = readdir(d)) != NULL; errno = 0) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (count == cap) {
			const char **more;

			cap = cap > 0 ? 2 * cap : 64;
			more = realloc(names, cap * sizeof(*names));
			if (more == NULL)
				goto no_memory;
			names = more;
		}
		names[count] = pool_string(&t->pool, span_str(e->d_name));
		if (names[count++] == NULL)
			goto no_memory;
	}
	error = errno;
	if (count > 0)
		qsort(names, count, sizeof(*names), by_octets);
	kept = pool_take(&t->pool, (count + 1) * sizeof(*names));
	if (kept == NULL)
		goto no_memory;
	if (count > 0)
		memcpy(kept, names, count * sizeof(*names));
	*names_out = kept;
	*count_out = count;
	free(names);
	return error;
no_memory:
	free(names);
	return ENOMEM;
}

int
tree_list(struct tree *t, const char *real, const char ***names_out, size_t *count_out)
{
	char host[PATH_MAX];
	DIR *d;
	int error;

	if (host_path(t, real, host) < 0)
		return ENAMETOOLONG;
	d = opendir(host);
	if (d == NULL)
		return errno;
	error = read_names(t, d, names_out, count_out);
	closedir(d);
	return error;
}
