/*
 * For LD_PRELOAD: a program that was built for /usr finds its plug-ins where it was unpacked.
 * ELSEWHERE is put before a path that begins with /usr/ and does not exist. Only looking through
 * directories and loading needs it: all other paths can be configured.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
elsewhere(const char *path, char other[4096])
{
	const char *root = getenv("ELSEWHERE");

	if (root == NULL || path == NULL || strncmp(path, "/usr/", 5) != 0 ||
	    access(path, F_OK) == 0)
		return path;
	return snprintf(other, 4096, "%s%s", root, path) < 4096 ? other : path;
}

DIR *
opendir(const char *path)
{
	DIR *(*real)(const char *) = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
	char other[4096];

	return real(elsewhere(path, other));
}

void *
dlopen(const char *path, int flags)
{
	void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
	char other[4096];

	return real(elsewhere(path, other), flags);
}
