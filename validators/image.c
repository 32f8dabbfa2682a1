#include "validators/image.h"

#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* Of amd64, and of arm64 where its pages have 4 KiB. */
enum { SMALL_PAGE = 4096, HUGE_PAGE = 2 * 1024 * 1024 };

/* Returns: len octets of fresh memory that begin with a huge page, NULL when there are none. */
static uint8_t *
huge_pages(size_t len)
{
	uint8_t *room =
	    mmap(NULL, len + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before = room == MAP_FAILED ? 0 : -(uintptr_t)room % HUGE_PAGE;

	if (room == MAP_FAILED)
		return NULL;
	if (before > 0)
		munmap(room, before);
	munmap(room + before + len, HUGE_PAGE - before);
	madvise(room + before, len, MADV_HUGEPAGE);
	return room + before;
}

/* Returns: whether nothing was there, and nothing else can come there now. */
static bool
reserve(uint8_t *from, const uint8_t *end)
{
	size_t len = (size_t)(end - from);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	return len == 0 || mmap(from, len, PROT_NONE, flags, -1, 0) == from;
}

/*
 * All or nothing: memory of our own in small pages would make a fork dearer than the file's does.
 * In: from to end, octets that nothing else shares a huge page with: the Makefile has the program
 *     linked so that this holds wherever the kernel has put it.
 */
static bool
replace(uint8_t *from, uint8_t *end, int protection)
{
	uint8_t *first = from - (uintptr_t)from % HUGE_PAGE;
	uint8_t *last = end + -(uintptr_t)end % HUGE_PAGE;
	size_t len = (size_t)(last - first);
	uint8_t *pages = huge_pages(len);

	if (pages == NULL)
		return false;
	memcpy(pages + (from - first), from, (size_t)(end - from));
	if (madvise(pages, len, MADV_COLLAPSE) == 0 && mprotect(pages, len, protection) == 0 &&
	    reserve(first, from - (uintptr_t)from % SMALL_PAGE) &&
	    reserve(end + -(uintptr_t)end % SMALL_PAGE, last) &&
	    mremap(pages, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, first) == first) {
		__builtin___clear_cache((char *)from, (char *)end);
		return true;
	}
	munmap(pages, len);
	return false;
}

/* Code and constants, if large enough to be worth it; not the header and what is read once. */
static bool
is_constant(const ElfW(Phdr) * segment)
{
	return segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0 &&
	       segment->p_offset != 0 && segment->p_memsz >= HUGE_PAGE / 2;
}

/* The first object is the program itself. */
static int
on_object(struct dl_phdr_info *object, size_t size, void *arg)
{
	bool *all = arg;

	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uint8_t *from = (uint8_t *)(object->dlpi_addr + segment->p_vaddr);
		int protection = PROT_READ | ((segment->p_flags & PF_X) != 0 ? PROT_EXEC : 0);

		if (is_constant(segment) && !replace(from, from + segment->p_memsz, protection))
			*all = false;
	}
	return 1;
}

bool
image_enlarge(void)
{
	bool all = true;

	/* With pages of 16 or 64 KiB a huge one has 32 or 512 MiB, more than the program is worth. */
	if (sysconf(_SC_PAGESIZE) != SMALL_PAGE)
		return false;
	dl_iterate_phdr(on_object, &all);
	return all;
}
