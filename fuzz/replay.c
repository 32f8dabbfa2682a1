/*
 * Runs a fuzz driver over files instead of under libFuzzer, so that every compiler and
 * `make check` can replay a corpus. Directories are walked one level deep.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data = NULL;
	int rc = -1;

	if (f != NULL && fstat(fileno(f), &st) == 0) {
		/* Exactly as large as the input, so that reading past the end is seen. */
		data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
		if (data != NULL && fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size)
			rc = LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	}
	free(data);
	if (f != NULL)
		fclose(f);
	if (rc != 0)
		fprintf(stderr, "%s: cannot be replayed\n", path);
	return rc;
}

static int
replay_directory(const char *path, unsigned *count)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (d == NULL)
		return replay_file(path) == 0 ? (++*count, 0) : -1;
	while ((entry = readdir(d)) != NULL) {
		char file[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (replay_file(file) != 0)
			rc = -1;
		++*count;
	}
	closedir(d);
	return rc;
}

int
main(int argc, char **argv)
{
	unsigned count = 0;
	int rc = 0;

	for (int i = 1; i < argc; i++)
		if (replay_directory(argv[i], &count) != 0)
			rc = 1;
	printf("%u inputs\n", count);
	return rc != 0 || count == 0;
}
