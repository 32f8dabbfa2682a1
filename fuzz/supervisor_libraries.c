/*
 * What validator has inside against what dpkg has: up to the first NUL the record, then the status. Nothing
 * but names and versions comes out of it, and what is outdated is so only because of a newer one.
 */
#include "supervisor/libraries.h"

#include "lib/bug.h"
#include "lib/span.h"

#include "supervisor/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
over(struct span text, void (*read)(FILE *, struct libraries *), struct libraries *libraries)
{
	FILE *file = text.len > 0 ? fmemopen((void *)(uintptr_t)text.p, text.len, "r")
	                          : fopen("/dev/null", "r");

	BUG_ON(file == NULL);
	read(file, libraries);
	fclose(file);
}

static void
look_at(const char *word)
{
	size_t len = strnlen(word, LIBRARY_WORD);

	BUG_ON(len == LIBRARY_WORD);
	for (size_t i = 0; i < len; i++)
		BUG_ON(word[i] <= ' ' || word[i] > '~' || word[i] == '"' || word[i] == '\\');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct libraries libraries;
	struct span all = span_of(data, size);
	size_t end = span_find(all, '\0');

	over(span_head(all, end), libraries_read, &libraries);
	BUG_ON(libraries.count > LIBRARIES_MOST);
	over(span_from(all, end + 1), libraries_compare, &libraries);
	for (unsigned i = 0; i < libraries.count; i++) {
		const struct library *l = &libraries.item[i];
		struct span inside = span_str(l->source_version), here = span_str(l->here);

		look_at(l->package);
		look_at(l->version);
		look_at(l->source);
		look_at(l->here);
		BUG_ON(library_is_outdated(l) && version_compare(inside, here) >= 0);
		BUG_ON(version_compare(here, here) != 0);
	}
	return 0;
}
