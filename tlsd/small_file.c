#include "tlsd/small_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

long
small_file_read(int fd, void *room, size_t cap, const char **why_out)
{
	uint8_t *p = room;
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	*why_out = NULL;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		*why_out = "not a regular file";
	else if (st.st_size == 0)
		*why_out = "empty file";
	else if ((uint64_t)st.st_size > cap)
		*why_out = "file is too long";
	while (*why_out == NULL && len < cap && n != 0) {
		n = pread(fd, p + len, cap - len, (off_t)len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			*why_out = "file cannot be read";
	}
	return *why_out == NULL ? (long)len : -1;
}
