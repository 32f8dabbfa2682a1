#include "lookupd/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_LEN = 64 * 1024 };

/* ---- list:FILE --------------------------------------------------------------------------------- */

struct list_reader {
	struct collection *collection;
	struct report *report;
	const char *path;
	struct digest digest;
	uint32_t line;
	bool no_memory;
	size_t pending; /* octets of an unfinished line, at the beginning of octets */
	bool overlong;  /* the unfinished line is longer than any line may be */
	uint8_t octets[LIST_LINE_MAX + 2 + READ_LEN];
};

static void
report_repeated(struct list_reader *l, enum collection_status status, const struct place *first,
    struct span line)
{
	char message[64];
	bool same = status == COLLECTION_SAME;

	snprintf(
	    message, sizeof(message), "%s line %u", same ? "repeats" : "contradicts", first->line);
	if (same)
		report_warning(l->report, l->path, l->line, message, line);
	else
		report_error(l->report, l->path, l->line, message, line);
	if (first->source != l->path)
		report_warning(
		    l->report, first->source, first->line, "this is the line", span_of(NULL, 0));
}

static void
take_entry(struct list_reader *l, const struct list_entry *entry, struct span line)
{
	struct place first;
	enum collection_status status =
	    collection_add(l->collection, entry, (struct place){l->path, l->line}, &first);

	switch (status) {
	case COLLECTION_ADDED:
		break;
	case COLLECTION_SAME:
	case COLLECTION_CONFLICT:
		report_repeated(l, status, &first, line);
		break;
	case COLLECTION_FULL:
		report_error(l->report, l->path, l->line,
		    "more back ends, or break characters of one domain, than the database can hold",
		    line);
		break;
	case COLLECTION_NO_MEMORY:
		l->no_memory = true;
		break;
	}
}

static void
take_line(struct list_reader *l, struct span line)
{
	struct list_entry entry;
	const char *error;

	l->line++;
	switch (list_parse(line, &entry, &error)) {
	case LIST_EMPTY:
		break;
	case LIST_ENTRY:
		take_entry(l, &entry, line);
		break;
	case LIST_ERROR:
		report_error(l->report, l->path, l->line, error, span_head(line, 200));
		break;
	}
}

/*
 * Takes the whole lines among octets, and keeps what is left for the next read. Of a line that
 * is too long only so much is kept that list_parse() sees that it is.
 */
static void
take_octets(struct list_reader *l, size_t len)
{
	struct span rest = span_of(l->octets, len);
	size_t end;

	while ((end = span_find(rest, '\n')) < rest.len && !l->no_memory) {
		if (l->overlong)
			rest = span_from(rest, end + 1), l->overlong = false;
		else {
			take_line(l, span_head(rest, end));
			rest = span_from(rest, end + 1);
		}
	}
	if (l->overlong)
		rest = span_of(NULL, 0);
	if (rest.len > LIST_LINE_MAX + 1) {
		take_line(l, span_head(rest, LIST_LINE_MAX + 1));
		l->overlong = true;
		rest = span_of(NULL, 0);
	}
	l->pending = rest.len;
	if (rest.len > 0)
		memmove(l->octets, rest.p, rest.len);
}

/* A byte order mark at the beginning is what some editors write before UTF-8. */
static void
skip_mark(struct list_reader *l, size_t *len)
{
	if (*len >= 3 && memcmp(l->octets, "\xef\xbb\xbf", 3) == 0) {
		*len -= 3;
		memmove(l->octets, l->octets + 3, *len);
	}
}

static int
read_list(struct list_reader *l, int fd)
{
	bool first = true;
	ssize_t n;

	while ((n = read(fd, l->octets + l->pending, READ_LEN)) > 0 && !l->no_memory) {
		size_t len = l->pending + (size_t)n;

		digest_update(&l->digest, span_of(l->octets + l->pending, (size_t)n));
		if (first)
			skip_mark(l, &len);
		first = false;
		take_octets(l, len);
	}
	if (n == 0 && l->pending > 0 && !l->no_memory)
		take_line(l, span_of(l->octets, l->pending)); /* without a line feed at its end */
	if (l->no_memory)
		errno = ENOMEM;
	return n < 0 || l->no_memory ? -1 : 0;
}

static enum source_status
source_failed(const char *path, struct report *report, int error)
{
	report_error(report, path, 0, "cannot be read", span_str(strerror(error)));
	return error == ENOENT || error == EACCES || error == ENOTDIR || error == EISDIR
	           ? SOURCE_WRONG
	           : SOURCE_TROUBLE;
}

static enum source_status
list_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct list_reader *l = fd >= 0 ? calloc(1, sizeof(*l)) : NULL;
	enum source_status status = SOURCE_READ;

	if (l == NULL) {
		status = source_failed(path, report, errno);
		goto out;
	}
	l->collection = c;
	l->report = report;
	l->path = path;
	digest_init(&l->digest);
	if (read_list(l, fd) < 0)
		status = source_failed(path, report, errno);
	digest_final(&l->digest, digest_out);
out:
	free(l);
	if (fd >= 0)
		close(fd);
	return status;
}

/* ---- kinds --------------------------------------------------------------------------------------- */

static const struct {
	const char *prefix;
	enum source_status (*read)(const char *path, struct collection *c, struct report *report,
	    uint8_t digest_out[DIGEST_LEN]);
} kinds[] = {
    {"list:", list_source},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static size_t
kind_of(const char *name)
{
	size_t i = 0;

	while (i < KINDS && strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
		i++;
	return i;
}

bool
source_known(const char *name, struct report *report)
{
	if (kind_of(name) < KINDS)
		return true;
	report_error(
	    report, NULL, 0, "a source is KIND:PATH, and the kinds are: list", span_str(name));
	return false;
}

enum source_status
source_read(
    const char *name, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	size_t kind = kind_of(name);

	return kinds[kind].read(name + strlen(kinds[kind].prefix), c, report, digest_out);
}
