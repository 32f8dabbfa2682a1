#include "lookupd/source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lookupd/command.h"
#include "lookupd/ldif_source.h"
#include "lookupd/list_reader.h"
#include "lookupd/passwd.h"
#include "lookupd/qmail_source.h"
#include "lookupd/postfix_source.h"

/* ---- list:FILE --------------------------------------------------------------------------------- */

static enum source_status
source_failed(const char *path, struct report *report, int error)
{
	report_error(report, path, 0, "cannot be read", span_str(strerror(error)));
	return error == ENOENT || error == EACCES || error == ENOTDIR || error == EISDIR
	           ? SOURCE_WRONG
	           : SOURCE_TROUBLE;
}

/* Returns: 0, or -1 and errno. */
static int
read_into(struct list_reader *l, int fd)
{
	uint8_t octets[16 * 1024];
	ssize_t n;

	while ((n = read(fd, octets, sizeof(octets))) > 0)
		if (!list_reader_take(l, span_of(octets, (size_t)n))) {
			errno = ENOMEM;
			return -1;
		}
	return n < 0 ? -1 : 0;
}

static enum source_status
list_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct list_reader *l = fd >= 0 ? list_reader_new(c, report, path) : NULL;
	enum source_status status = SOURCE_READ;

	if (l == NULL || read_into(l, fd) < 0)
		status = source_failed(path, report, errno);
	else if (!list_reader_end(l, digest_out))
		status = source_failed(path, report, ENOMEM);
	list_reader_free(&l);
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
    {"qmail:", qmail_source},
    {"vpopmail:", vpopmail_source},
    {"passwd:", passwd_source},
    {"command:", command_source},
    {"postfix:", postfix_source},
    {"ldif:", ldif_source},
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
	report_error(report, NULL, 0,
	    "a source is KIND:PATH, and the kinds are: list, qmail, vpopmail, passwd, command, "
	    "postfix, ldif",
	    span_str(name));
	return false;
}

enum source_status
source_read(
    const char *name, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	size_t kind = kind_of(name);

	return kinds[kind].read(name + strlen(kinds[kind].prefix), c, report, digest_out);
}
