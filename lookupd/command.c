#include "lookupd/command.h"

#include <stdlib.h>

#include "lookupd/child.h"
#include "lookupd/list_reader.h"

enum { ARGUMENTS_MAX = 64 };

/* Cuts words at blanks. Returns: how many; ARGUMENTS_MAX + 1 when there are more than fit. */
static size_t
cut_words(char *line, const char *words[ARGUMENTS_MAX + 1])
{
	char *rest = NULL;
	size_t count = 0;

	for (char *word = strtok_r(line, " \t", &rest); word != NULL;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (count == ARGUMENTS_MAX)
			return ARGUMENTS_MAX + 1;
		words[count++] = word;
	}
	words[count] = NULL;
	return count;
}

static bool
take(void *context, struct span octets)
{
	return list_reader_take(context, octets);
}

static enum source_status
no_memory(const char *line, struct report *report)
{
	report_error(report, line, 0, "out of memory", span_of(NULL, 0));
	return SOURCE_TROUBLE;
}

static enum source_status
run(const struct child *child, struct list_reader *l, uint8_t digest_out[DIGEST_LEN])
{
	switch (child_run(child)) {
	case CHILD_OK:
		break;
	case CHILD_WRONG:
		return SOURCE_WRONG;
	case CHILD_TROUBLE:
		return SOURCE_TROUBLE;
	case CHILD_STOPPED:
		return no_memory(child->source, child->report);
	}
	if (!list_reader_end(l, digest_out))
		return no_memory(child->source, child->report);
	/* An export that broke off without noticing it looks just so. */
	if (list_reader_entries(l) == 0) {
		report_error(child->report, child->source, 0, "the program names no recipient",
		    span_of(NULL, 0));
		return SOURCE_WRONG;
	}
	return SOURCE_READ;
}

enum source_status
command_source(
    const char *line, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	const char *argv[ARGUMENTS_MAX + 1];
	char *copy = strdup(line);
	struct list_reader *l = list_reader_new(c, report, line);
	struct child child = {
	    .argv = argv, .source = line, .report = report, .take = take, .context = l};
	enum source_status status = SOURCE_WRONG;
	size_t count;

	if (copy == NULL || l == NULL) {
		status = no_memory(line, report);
		goto out;
	}
	count = cut_words(copy, argv);
	if (count == 0 || count > ARGUMENTS_MAX || argv[0][0] != '/')
		report_error(report, line, 0,
		    "command: takes the path of a program, from / on, and at most 63 arguments",
		    span_of(NULL, 0));
	else
		status = run(&child, l, digest_out);
out:
	list_reader_free(&l);
	free(copy);
	return status;
}
