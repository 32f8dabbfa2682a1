#include "lookupd/list_reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_LEN = 64 * 1024 };

struct list_reader {
	struct collection *collection;
	struct report *report;
	const char *name;
	struct digest digest;
	uint64_t entries;
	uint32_t line;
	bool begun;
	bool no_memory;
	size_t pending; /* octets of an unfinished line, at the beginning of octets */
	bool overlong;  /* the unfinished line is longer than any line may be */
	uint8_t octets[LIST_LINE_MAX + 2 + READ_LEN];
};

struct list_reader *
list_reader_new(struct collection *c, struct report *report, const char *name)
{
	struct list_reader *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->collection = c;
	l->report = report;
	l->name = name;
	digest_init(&l->digest);
	return l;
}

void
list_reader_free(struct list_reader **l)
{
	free(*l);
	*l = NULL;
}

uint64_t
list_reader_entries(const struct list_reader *l)
{
	return l->entries;
}

static void
report_repeated(struct list_reader *l, enum collection_status status, const struct place *first,
    struct span line)
{
	char message[64];
	bool same = status == COLLECTION_SAME;

	snprintf(
	    message, sizeof(message), "%s line %u", same ? "repeats" : "contradicts", first->line);
	if (same)
		report_warning(l->report, l->name, l->line, message, line);
	else
		report_error(l->report, l->name, l->line, message, line);
	if (first->source != l->name)
		report_warning(
		    l->report, first->source, first->line, "this is the line", span_of(NULL, 0));
}

static void
take_entry(struct list_reader *l, const struct list_entry *entry, struct span line)
{
	struct place first;
	enum collection_status status =
	    collection_add(l->collection, entry, (struct place){l->name, l->line}, &first);

	switch (status) {
	case COLLECTION_ADDED:
		break;
	case COLLECTION_SAME:
	case COLLECTION_CONFLICT:
		report_repeated(l, status, &first, line);
		break;
	case COLLECTION_FULL:
		report_error(l->report, l->name, l->line,
		    "more back ends, or break characters of one domain, than the database can hold",
		    line);
		break;
	case COLLECTION_NO_MEMORY:
		l->no_memory = true;
		break;
	}
}

static void
take_line(struct list_reader *l, struct span line)
{
	struct list_entry entry;
	const char *error;

	l->line++;
	switch (list_parse(line, &entry, &error)) {
	case LIST_EMPTY:
		break;
	case LIST_ENTRY:
		l->entries++;
		take_entry(l, &entry, line);
		break;
	case LIST_ERROR:
		l->entries++;
		report_error(l->report, l->name, l->line, error, span_head(line, 200));
		break;
	}
}

/*
 * Takes the whole lines among octets, and keeps what is left for the next read. Of a line that
 * is too long only so much is kept that list_parse() sees that it is.
 */
static void
take_octets(struct list_reader *l, size_t len)
{
	struct span rest = span_of(l->octets, len);
	size_t end;

	while ((end = span_find(rest, '\n')) < rest.len && !l->no_memory) {
		if (l->overlong)
			rest = span_from(rest, end + 1), l->overlong = false;
		else {
			take_line(l, span_head(rest, end));
			rest = span_from(rest, end + 1);
		}
	}
	if (l->overlong)
		rest = span_of(NULL, 0);
	if (rest.len > LIST_LINE_MAX + 1) {
		take_line(l, span_head(rest, LIST_LINE_MAX + 1));
		l->overlong = true;
		rest = span_of(NULL, 0);
	}
	l->pending = rest.len;
	if (rest.len > 0)
		memmove(l->octets, rest.p, rest.len);
}

/* A byte order mark at the beginning is what some editors write before UTF-8. */
static void
skip_mark(struct list_reader *l, size_t *len)
{
	if (*len >= 3 && memcmp(l->octets, "\xef\xbb\xbf", 3) == 0) {
		*len -= 3;
		memmove(l->octets, l->octets + 3, *len);
	}
}

static void
take_piece(struct list_reader *l, struct span piece)
{
	size_t len = l->pending + piece.len;

	memcpy(l->octets + l->pending, piece.p, piece.len);
	if (!l->begun && len < 3 && piece.len > 0 && memcmp(l->octets, "\xef\xbb\xbf", len) == 0) {
		l->pending = len; /* perhaps the beginning of a mark */
		return;
	}
	if (!l->begun)
		skip_mark(l, &len);
	l->begun = true;
	take_octets(l, len);
}

bool
list_reader_take(struct list_reader *l, struct span octets)
{
	digest_update(&l->digest, octets);
	while (octets.len > 0 && !l->no_memory) {
		struct span piece = span_head(octets, READ_LEN);

		take_piece(l, piece);
		octets = span_from(octets, piece.len);
	}
	return !l->no_memory;
}

bool
list_reader_end(struct list_reader *l, uint8_t digest_out[DIGEST_LEN])
{
	if (l->pending > 0 && !l->no_memory)
		take_line(l, span_of(l->octets, l->pending));
	l->pending = 0;
	digest_final(&l->digest, digest_out);
	return !l->no_memory;
}
