/*
 * A queue program in the manner of qmail-queue(8): the message on descriptor 0, the envelope on
 * descriptor 1; exit 0 only when the message is on disk, with the envelope before it, in the directory
 * Maildir beside the program.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WRONG = 91, DISK = 53, READ = 54, MOST = 128 << 20 };

/* Returns: all of it, with a NUL behind it. */
static char *
read_all(int fd, size_t *len_out)
{
	size_t cap = 1 << 16, len = 0;
	char *octets = malloc(cap + 1);
	ssize_t n;

	while (octets != NULL && (n = read(fd, octets + len, cap - len)) != 0) {
		if (n < 0 || len >= MOST)
			exit(READ);
		len += (size_t)n;
		if (len == cap)
			octets = realloc(octets, (cap *= 2) + 1);
	}
	if (octets == NULL)
		exit(51);
	octets[len] = '\0';
	*len_out = len;
	return octets;
}

/* Fsender NUL, Trecipient NUL for each, NUL. */
static void
put_envelope(FILE *f, const char *envelope, size_t len)
{
	const char *p = envelope, *end = envelope + len;

	if (len < 3 || *p != 'F' || end[-1] != '\0' || end[-2] != '\0')
		exit(WRONG);
	fprintf(f, "Return-Path: <%s>\n", p + 1);
	for (p += strlen(p) + 1; p < end && *p == 'T'; p += strlen(p) + 1)
		fprintf(f, "Delivered-To: %s\n", p + 1);
	if (p != end - 1)
		exit(WRONG);
}

static void
sync_file(int fd)
{
	if (fd < 0 || fsync(fd) != 0)
		exit(DISK);
}

int
main(void)
{
	char self[PATH_MAX] = "";
	char draft[NAME_MAX], new[NAME_MAX];
	size_t len, envelope_len;
	const char *message = read_all(0, &len), *envelope = read_all(1, &envelope_len);
	struct timespec now;
	FILE *f;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(draft, sizeof(draft), "tmp/%ld.%lld.%ld", (long)getpid(), (long long)now.tv_sec,
	    now.tv_nsec);
	snprintf(new, sizeof(new), "new/%s", draft + 4);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0 || chdir(dirname(self)) != 0 ||
	    chdir("Maildir") != 0)
		return DISK;
	/* Not fopen(): what is recorded are the calls of this program. */
	f = fdopen(open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), "w");
	if (f == NULL)
		return DISK;
	put_envelope(f, envelope, envelope_len);
	if (fwrite(message, 1, len, f) != len || fflush(f) != 0)
		return DISK;
	sync_file(fileno(f));
	if (rename(draft, new) != 0)
		return DISK;
	sync_file(open("new", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return 0;
}
