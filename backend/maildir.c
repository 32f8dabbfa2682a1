#include "backend/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"

enum {
	MEMORY_MAX = 64 * 1024,         /* octets of content that are kept in memory */
	ENVELOPE_MAX = 4 * 1024 * 1024, /* octets of header lines */
	HOST_MAX = 64,
};

struct maildir {
	int tmp, new; /* directories */
	char host[HOST_MAX + 1];
	uint64_t counter;
};

/* ---- the directory ------------------------------------------------------------------------------- */

/* Opens a directory, made when it is missing. Returns: a descriptor or -1. */
static int
directory_open(int at, const char *name)
{
	if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * The names of the directories are on disk when those around them are: a message in a directory that a
 * power cut takes away is lost. Also when an earlier instance has made them, which may have been killed
 * before it came to this.
 */
static int
names_sync(int top)
{
	int rc = fsync(top);
	int around = openat(top, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (around < 0)
		return errno == EACCES ? rc : -1; /* then somebody else has made it */
	if (fsync(around) != 0)
		rc = -1;
	close(around);
	return rc;
}

/* The name of the host as a part of a file name: what is special there is written otherwise. */
static void
host_set(struct maildir *m)
{
	if (gethostname(m->host, HOST_MAX) != 0 || m->host[0] == '\0')
		snprintf(m->host, sizeof(m->host), "localhost");
	m->host[HOST_MAX] = '\0';
	for (char *c = m->host; *c != '\0'; c++)
		if (*c == '/' || *c == ':')
			*c = '_';
}

struct maildir *
maildir_open(const char *path)
{
	struct maildir *m = calloc(1, sizeof(*m));
	int top, cur = -1;
	bool synced = false;

	if (m == NULL)
		return NULL;
	m->tmp = m->new = -1;
	host_set(m);
	top = directory_open(AT_FDCWD, path);
	if (top >= 0) {
		m->tmp = directory_open(top, "tmp");
		m->new = directory_open(top, "new");
		cur = directory_open(top, "cur");
		synced = m->tmp >= 0 && m->new >= 0 && cur >= 0 && names_sync(top) == 0;
		close(top);
	}
	if (cur >= 0)
		close(cur);
	if (!synced)
		maildir_close(&m);
	return m;
}

void
maildir_close(struct maildir **maildir)
{
	struct maildir *m = *maildir;
	int error = errno;

	*maildir = NULL;
	if (m == NULL)
		return;
	if (m->tmp >= 0)
		close(m->tmp);
	if (m->new >= 0)
		close(m->new);
	free(m);
	errno = error;
}

/* Time, process and a count make it unique on this host; the host makes it unique elsewhere. */
static void
name_make(struct maildir *m, char *name_out)
{
	uint64_t us = clock_unix_us();

	snprintf(name_out, MAILDIR_NAME_MAX, "%llu.M%06lluP%ldQ%llu.%s",
	    (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000), (long)getpid(),
	    (unsigned long long)++m->counter, m->host);
}

/* ---- receiving ------------------------------------------------------------------------------------ */

void
incoming_init(struct incoming *in, struct maildir *m)
{
	*in = (struct incoming){.maildir = m, .fd = -1};
}

void
incoming_clear(struct incoming *in)
{
	free(in->memory);
	free(in->envelope);
	if (in->fd >= 0)
		close(in->fd);
	incoming_init(in, in->maildir);
}

static int
write_all(int fd, struct span s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.p, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		s = span_from(s, (size_t)n);
	}
	return 0;
}

/* The content goes into a file without a name: it ends with the process. */
static int
spill(struct incoming *in)
{
	char name[MAILDIR_NAME_MAX];

	name_make(in->maildir, name);
	in->fd = openat(in->maildir->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in->fd < 0 || unlinkat(in->maildir->tmp, name, 0) != 0)
		return errno;
	return write_all(in->fd, span_of(in->memory, in->have));
}

void
incoming_content(struct incoming *in, struct span octets)
{
	if (in->error != 0)
		return;
	if (in->fd < 0 && in->have + octets.len > MEMORY_MAX)
		in->error = spill(in);
	if (in->error == 0 && in->fd >= 0) {
		in->error = write_all(in->fd, octets);
		return;
	}
	if (in->memory == NULL)
		in->memory = malloc(MEMORY_MAX);
	if (in->memory == NULL)
		in->error = ENOMEM;
	if (in->error != 0)
		return;
	memcpy(in->memory + in->have, octets.p, octets.len);
	in->have += octets.len;
}

static uint8_t *
envelope_room(struct incoming *in, size_t len)
{
	size_t need = in->envelope_len + len;

	if (need > in->envelope_cap) {
		size_t cap = need * 2;
		uint8_t *p = need <= ENVELOPE_MAX ? realloc(in->envelope, cap) : NULL;

		if (p == NULL) {
			in->error = ENOMEM;
			return NULL;
		}
		in->envelope = p;
		in->envelope_cap = cap;
	}
	in->envelope_len = need;
	return in->envelope + need - len;
}

void
incoming_field(
    struct incoming *in, const char *name, struct span before, struct span value, struct span after)
{
	const struct span parts[] = {span_str(name), SPAN(": "), before, value, after, SPAN("\n")};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && in->error == 0; i++) {
		uint8_t *room = parts[i].len > 0 ? envelope_room(in, parts[i].len) : NULL;

		if (room != NULL)
			memcpy(room, parts[i].p, parts[i].len);
	}
}

/* ---- delivering ----------------------------------------------------------------------------------- */

/* Appends the content that is in the nameless file. */
static int
copy_spilled(struct incoming *in, int to)
{
	struct stat st;
	off_t at = 0;

	if (fstat(in->fd, &st) != 0)
		return errno;
	while (at < st.st_size) {
		ssize_t n = sendfile(to, in->fd, &at, (size_t)(st.st_size - at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? EIO : errno;
	}
	return 0;
}

static int
file_fill(struct incoming *in, int fd)
{
	int error = write_all(fd, span_of(in->envelope, in->envelope_len));

	if (error == 0 && in->fd >= 0)
		error = copy_spilled(in, fd);
	else if (error == 0)
		error = write_all(fd, span_of(in->memory, in->have));
	if (error == 0 && fsync(fd) != 0)
		error = errno;
	return error;
}

int
incoming_deliver(struct incoming *in, char *name_out)
{
	struct maildir *m = in->maildir;
	int fd, error;

	if (in->error != 0)
		return in->error;
	name_make(m, name_out);
	fd = openat(m->tmp, name_out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	error = file_fill(in, fd);
	if (close(fd) != 0 && error == 0)
		error = errno;
	if (error == 0 && renameat(m->tmp, name_out, m->new, name_out) != 0)
		error = errno;
	if (error != 0) {
		unlinkat(m->tmp, name_out, 0);
		return error;
	}
	/* It may have reached the disk or not: a repeat is better than a loss. */
	if (fsync(m->new) != 0) {
		error = errno;
		unlinkat(m->new, name_out, 0);
	}
	return error;
}
