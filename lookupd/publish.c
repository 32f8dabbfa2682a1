#include "lookupd/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
publish_begin(struct publish *p, const char *target)
{
	*p = (struct publish){.fd = -1, .target = target};
	if (asprintf(&p->temp, "%s.XXXXXX", target) < 0) {
		p->temp = NULL;
		return -1;
	}
	p->fd = mkostemp(p->temp, O_CLOEXEC);
	if (p->fd < 0) {
		free(p->temp);
		p->temp = NULL;
		return -1;
	}
	return 0;
}

/* The rename is on disk when its directory is. */
static int
sync_directory(const char *target)
{
	char *copy = strdup(target);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int status = fd >= 0 ? fsync(fd) : -1;
	int error = errno;

	if (fd >= 0)
		close(fd);
	free(copy);
	errno = error;
	return status;
}

static void
end(struct publish *p)
{
	int error = errno;

	if (p->fd >= 0)
		close(p->fd);
	free(p->temp);
	*p = (struct publish){.fd = -1};
	errno = error;
}

/* TARGET.prev becomes another name of what TARGET is; there is always a file under both. */
static int
keep_previous(const char *target)
{
	char *previous = NULL, *temp = NULL;
	int status = -1;

	if (asprintf(&previous, "%s.prev", target) < 0)
		return -1;
	if (asprintf(&temp, "%s.prev.new", target) < 0) {
		free(previous);
		return -1;
	}
	unlink(temp); /* of one that was killed */
	if (link(target, temp) == 0 && rename(temp, previous) == 0)
		status = 0;
	unlink(temp); /* rename leaves it when both are one file already */
	free(previous);
	free(temp);
	return status;
}

int
publish_commit(struct publish *p)
{
	const char *target = p->target;

	if (fchmod(p->fd, 0644) < 0 || fsync(p->fd) < 0 || (p->keep && keep_previous(target) < 0) ||
	    rename(p->temp, target) < 0) {
		int error = errno;

		publish_abort(p);
		errno = error;
		return -1;
	}
	end(p);
	return sync_directory(target);
}

void
publish_abort(struct publish *p)
{
	if (p->temp != NULL)
		unlink(p->temp);
	end(p);
}
