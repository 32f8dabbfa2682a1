/*
 * For LD_PRELOAD: writes down what a program does to files below the directory RECORD_BELOW, and what it
 * says on TCP connections, in the order in which it happens, into RECORD/trace. What a file holds when
 * it has been synced is kept in RECORD too. powercut.py reads it and says what a power cut leaves.
 *
 * One line for each, with tabs between: create PATH INODE, dirty INODE, sync INODE COPY, syncdir PATH,
 * rename FROM TO, link FROM TO, unlink PATH, mkdir PATH, say HEX. A deed is written down when it is
 * done, but `dirty` and `say` before.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The real function of this name and type, looked up once. */
#define REAL(result, name, ...) \
	static result (*real)(__VA_ARGS__); \
	if (real == NULL) \
	*(void **)&real = dlsym(RTLD_NEXT, #name)

enum { SAID_MAX = 100 };

static int real_open(const char *path, int flags, mode_t mode);
static ssize_t real_write(int fd, const void *octets, size_t len);

/* ---- writing down --------------------------------------------------------------------------------- */

static void
note(const char *format, ...)
{
	char path[PATH_MAX], line[3 * PATH_MAX];
	const char *where = getenv("RECORD");
	int error = errno, fd, len;
	va_list arguments;

	if (where == NULL)
		return;
	va_start(arguments, format);
	len = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	snprintf(path, sizeof(path), "%s/trace", where);
	fd = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0 || real_write(fd, line, (size_t)len) != len) {
		static const char what[] = "record: cannot write the trace\n";

		real_write(STDERR_FILENO, what, sizeof(what) - 1);
		_exit(1);
	}
	close(fd);
	errno = error;
}

/* Whether path is of those that are recorded. */
static bool
below(const char *path)
{
	const char *root = getenv("RECORD_BELOW");
	size_t len = root != NULL ? strlen(root) : 0;

	return len > 0 && strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Out: path, of a descriptor. Returns: whether it is recorded. */
static bool
path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return below(path);
}

/* Out: whole, of a name as the *at calls have it. Returns: whether it is recorded. */
static bool
whole_path(int at, const char *name, char whole[PATH_MAX])
{
	char directory[PATH_MAX] = "";
	int error = errno;
	bool good = true;

	if (name[0] != '/' && at == AT_FDCWD)
		good = getcwd(directory, sizeof(directory)) != NULL;
	else if (name[0] != '/')
		path_of(at, directory);
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	good = good && snprintf(whole, PATH_MAX, name[0] == '/' ? "%s%s" : "%s/%s", directory,
			   name) < PATH_MAX;
	errno = error;
	return good && below(whole);
}

static unsigned long long
inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void
dirty(int fd)
{
	char path[PATH_MAX];
	int error = errno;

	if (path_of(fd, path))
		note("dirty\t%llu\n", inode_of(fd));
	errno = error;
}

static void
say(int fd, const void *octets, size_t len)
{
	char hex[2 * SAID_MAX + 1] = "";
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int error = errno;

	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	    address.ss_family == AF_INET) {
		for (size_t i = 0; i < len && i < SAID_MAX; i++)
			snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)octets)[i]);
		note("say\t%s\n", hex);
	}
	errno = error;
}

/* What has been synced is kept: a copy of the file. */
static void
keep(int fd)
{
	static unsigned number;
	char path[PATH_MAX], copy[PATH_MAX], link[64], octets[65536];
	int error = errno, from, to;
	struct stat st;
	ssize_t n;

	if (!path_of(fd, path) || fstat(fd, &st) != 0)
		return;
	if (S_ISDIR(st.st_mode)) {
		note("syncdir\t%s\n", path);
		return;
	}
	snprintf(copy, sizeof(copy), "%s/%d.%u", getenv("RECORD"), (int)getpid(), ++number);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	from = real_open(link, O_RDONLY | O_CLOEXEC, 0);
	to = real_open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	while ((n = read(from, octets, sizeof(octets))) > 0)
		real_write(to, octets, (size_t)n);
	close(from);
	close(to);
	note("sync\t%llu\t%s\n", (unsigned long long)st.st_ino, copy);
	errno = error;
}

/* ---- files are made ------------------------------------------------------------------------------- */

static int
real_open(const char *path, int flags, mode_t mode)
{
	REAL(int, openat, int, const char *, int, ...);

	return real(AT_FDCWD, path, flags, mode);
}

static int
opened(int at, const char *name, int flags, mode_t mode)
{
	REAL(int, openat, int, const char *, int, ...);
	char path[PATH_MAX];
	bool seen = (flags & (O_CREAT | O_TRUNC)) != 0 && (flags & O_TMPFILE) != O_TMPFILE &&
	            whole_path(at, name, path);
	bool there = seen && faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int fd = real(at, name, flags, mode);

	if (fd >= 0 && seen && !there)
		note("create\t%s\t%llu\n", path, inode_of(fd));
	else if (fd >= 0 && seen && (flags & O_TRUNC))
		note("dirty\t%llu\n", inode_of(fd));
	return fd;
}

static mode_t
mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(arguments, int) : 0;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list arguments; \
		mode_t mode; \
\
		va_start(arguments, flags); \
		mode = mode_of(flags, arguments); \
		va_end(arguments); \
		return opened(AT_FDCWD, path, flags, mode); \
	}
#define OPENAT(name) \
	int name(int at, const char *path, int flags, ...) \
	{ \
		va_list arguments; \
		mode_t mode; \
\
		va_start(arguments, flags); \
		mode = mode_of(flags, arguments); \
		va_end(arguments); \
		return opened(at, path, flags, mode); \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

static int
made(int fd)
{
	char path[PATH_MAX];

	if (fd >= 0 && path_of(fd, path))
		note("create\t%s\t%llu\n", path, inode_of(fd));
	return fd;
}

int
mkostemp(char *pattern, int flags)
{
	REAL(int, mkostemp, char *, int);

	return made(real(pattern, flags));
}

int
mkstemp(char *pattern)
{
	return mkostemp(pattern, 0);
}

int
mkdirat(int at, const char *name, mode_t mode)
{
	REAL(int, mkdirat, int, const char *, mode_t);
	char path[PATH_MAX];
	int rc = real(at, name, mode);

	if (rc == 0 && whole_path(at, name, path))
		note("mkdir\t%s\n", path);
	return rc;
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

/* ---- names ------------------------------------------------------------------------------------------ */

int
renameat(int from_at, const char *from, int to_at, const char *to)
{
	REAL(int, renameat, int, const char *, int, const char *);
	char a[PATH_MAX], b[PATH_MAX];
	int rc = real(from_at, from, to_at, to);

	if (rc == 0 && whole_path(from_at, from, a) && whole_path(to_at, to, b))
		note("rename\t%s\t%s\n", a, b);
	return rc;
}

int
rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int
link(const char *from, const char *to)
{
	REAL(int, link, const char *, const char *);
	char a[PATH_MAX], b[PATH_MAX];
	int rc = real(from, to);

	if (rc == 0 && whole_path(AT_FDCWD, from, a) && whole_path(AT_FDCWD, to, b))
		note("link\t%s\t%s\n", a, b);
	return rc;
}

int
unlinkat(int at, const char *name, int flags)
{
	REAL(int, unlinkat, int, const char *, int);
	char path[PATH_MAX];
	int rc = real(at, name, flags);

	if (rc == 0 && whole_path(at, name, path))
		note("unlink\t%s\n", path);
	return rc;
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
remove(const char *name)
{
	struct stat st;

	return unlinkat(
	    AT_FDCWD, name, lstat(name, &st) == 0 && S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

/* ---- content ---------------------------------------------------------------------------------------- */

static ssize_t
real_write(int fd, const void *octets, size_t len)
{
	REAL(ssize_t, write, int, const void *, size_t);

	return real(fd, octets, len);
}

ssize_t
write(int fd, const void *octets, size_t len)
{
	dirty(fd);
	say(fd, octets, len);
	return real_write(fd, octets, len);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);

	dirty(fd);
	if (count > 0)
		say(fd, parts[0].iov_base, parts[0].iov_len);
	return real(fd, parts, count);
}

ssize_t
send(int fd, const void *octets, size_t len, int flags)
{
	REAL(ssize_t, send, int, const void *, size_t, int);

	say(fd, octets, len);
	return real(fd, octets, len, flags);
}

/* What stdio writes it writes by itself, but when is seen here. */
int
fflush(FILE *f)
{
	REAL(int, fflush, FILE *);

	if (f != NULL && __fpending(f) > 0) {
		dirty(fileno(f));
		say(fileno(f), f->_IO_write_base, __fpending(f));
	}
	return real(f);
}

#define PWRITE(name) \
	ssize_t name(int fd, const void *octets, size_t len, off_t at) \
	{ \
		REAL(ssize_t, name, int, const void *, size_t, off_t); \
\
		dirty(fd); \
		return real(fd, octets, len, at); \
	}
PWRITE(pwrite)
PWRITE(pwrite64)

#define SENDFILE(name) \
	ssize_t name(int to, int from, off_t *at, size_t len) \
	{ \
		REAL(ssize_t, name, int, int, off_t *, size_t); \
\
		dirty(to); \
		return real(to, from, at, len); \
	}
SENDFILE(sendfile)
SENDFILE(sendfile64)

#define FTRUNCATE(name) \
	int name(int fd, off_t len) \
	{ \
		REAL(int, name, int, off_t); \
\
		dirty(fd); \
		return real(fd, len); \
	}
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

/* Nobody sees writes into a mapping: from here to the next sync it is dirty. */
#define MMAP(name) \
	void *name(void *where, size_t len, int protection, int flags, int fd, off_t at) \
	{ \
		REAL(void *, name, void *, size_t, int, int, int, off_t); \
\
		if (fd >= 0 && (protection & PROT_WRITE) && (flags & MAP_SHARED)) \
			dirty(fd); \
		return real(where, len, protection, flags, fd, at); \
	}
MMAP(mmap)
MMAP(mmap64)

#define SYNC(name) \
	int name(int fd) \
	{ \
		REAL(int, name, int); \
		int rc = real(fd); \
\
		if (rc == 0) \
			keep(fd); \
		return rc; \
	}
SYNC(fsync)
SYNC(fdatasync)
