#include "lib/sandbox_exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { INTERPRETERS = 4, PATH_LEN = 4096 };

/* "#!" [ SP ] path [ SP argument ] LF. Returns: whether the file is a script; then its interpreter. */
static bool
script_interpreter(const char *head, size_t len, char path_out[PATH_LEN])
{
	size_t from = 2, to;

	if (len < 3 || memcmp(head, "#!", 2) != 0)
		return false;
	while (from < len && (head[from] == ' ' || head[from] == '\t'))
		from++;
	for (to = from; to < len && head[to] != '\n' && head[to] != ' ' && head[to] != '\t'; to++)
		;
	if (to == from || to - from >= PATH_LEN)
		return false;
	memcpy(path_out, head + from, to - from);
	path_out[to - from] = '\0';
	return true;
}

/* The dynamic loader that an ELF program names. */
static bool
elf_interpreter(int fd, char path_out[PATH_LEN])
{
	Elf64_Ehdr header;
	Elf64_Phdr part;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		off_t at = (off_t)(header.e_phoff + (uint64_t)i * sizeof(part));

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			return false;
		if (part.p_type != PT_INTERP || part.p_filesz < 2 || part.p_filesz >= PATH_LEN)
			continue;
		if (pread(fd, path_out, part.p_filesz, (off_t)part.p_offset) !=
		    (ssize_t)part.p_filesz)
			return false;
		path_out[part.p_filesz] = '\0';
		return true;
	}
	return false;
}

/* Allows one file. Out: what the kernel will execute to run it, if anything. */
static bool
allow(int ruleset, const char *path, char next_out[PATH_LEN])
{
	struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE};
	char head[256];
	ssize_t len;
	long rc;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	next_out[0] = '\0';
	/* It may be executable and not readable; then nothing is known of its interpreter. */
	rule.parent_fd = fd >= 0 ? fd : open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return false;
	len = fd >= 0 ? pread(fd, head, sizeof(head), 0) : 0;
	if (len > 0 && !script_interpreter(head, (size_t)len, next_out))
		elf_interpreter(fd, next_out);
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc == 0;
}

/*
 * Every ruleset forbids renames and links from one directory to another, unless it allows them;
 * queues live by them.
 */
static bool
allow_refer(int ruleset)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_REFER};
	long rc;

	rule.parent_fd = open("/", O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return false;
	rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc == 0;
}

int
sandbox_execute_only(const char *path)
{
	struct landlock_ruleset_attr attr = {
	    .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REFER};
	/* Programs whose file cannot be read have this one. */
	static const char loader[] = "/lib64/ld-linux-x86-64.so.2";
	char now[PATH_LEN], next[PATH_LEN];
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	bool ok;

	/* None, or one that cannot allow what allow_refer() needs. */
	if (ruleset < 0)
		return 0;
	if (strlen(path) >= sizeof(now)) {
		close(ruleset);
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(now, path);
	ok = allow_refer(ruleset) && allow(ruleset, now, next);
	for (unsigned n = 0; ok && next[0] != '\0' && n < INTERPRETERS; n++) {
		memcpy(now, next, sizeof(now));
		ok = allow(ruleset, now, next);
	}
	if (ok && access(loader, F_OK) == 0)
		ok = allow(ruleset, loader, next);
	ok = ok && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	return ok ? 1 : -1;
}

int
sandbox_drop_bounding(void)
{
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EINVAL)
			return -1;
	return 0;
}
