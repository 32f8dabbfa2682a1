/*
 * gendoc: the parts of the documentation that are made from the tables of the programs.
 *
 *   gendoc PART        prints one part
 *   gendoc fill FILE   prints FILE with every generated part made anew; a part stands between
 *                      a line that ends in "BEGIN GENERATED part" and one that ends in "END GENERATED"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/catalogue.h"

#include "tools/doc_print.h"

static const struct {
	const char *name;
	void (*print)(void);
} parts[] = {
    {"options", mdoc_options},
    {"events", mdoc_events},
    {"replies", mdoc_replies},
    {"counters", mdoc_counters},
    {"gatehouse.conf.sample", sample_options},
    {"catalogue.md", catalogue_print_markdown},
    {"log.md", markdown_events},
    {"replies.md", markdown_replies},
    {"metrics.md", markdown_counters},
};

static int
print_part(const char *name)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(parts[i].name, name) == 0) {
			parts[i].print();
			return 0;
		}
	}
	fprintf(stderr, "gendoc: no part %s\n", name);
	return 1;
}

static int
fill(const char *path)
{
	static const char begin[] = "BEGIN GENERATED ", end[] = "END GENERATED\n";
	FILE *in = fopen(path, "re");
	char *line = NULL;
	const char *mark;
	size_t cap = 0;
	int skipping = 0, rc = 0;

	if (in == NULL) {
		perror(path);
		return 1;
	}
	while (getline(&line, &cap, in) != -1) {
		if (strstr(line, end) != NULL)
			skipping = 0;
		if (skipping)
			continue;
		fputs(line, stdout);
		mark = strstr(line, begin);
		if (mark == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		rc |= print_part(mark + sizeof(begin) - 1);
		skipping = 1;
	}
	if (skipping) {
		fprintf(stderr, "%s: a generated part has no end\n", path);
		rc = 1;
	}
	free(line);
	fclose(in);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = 1;

	if (argc == 3 && strcmp(argv[1], "fill") == 0)
		rc = fill(argv[2]);
	else if (argc == 2)
		rc = print_part(argv[1]);
	else
		fprintf(stderr, "usage: gendoc PART | gendoc fill FILE\n");
	return fflush(stdout) == 0 && !ferror(stdout) ? rc : 1;
}
