#include "supervisor/configuration.h"

#include <stdlib.h>

#include "supervisor/check.h"
#include "supervisor/conf_file.h"

struct conf *
configuration_read(const char *path, FILE *report)
{
	struct conf_errors *errors = calloc(1, sizeof(*errors));
	struct conf_lines *lines = NULL;
	struct conf *conf = NULL;
	unsigned wrong = 0, warnings = 0;

	if (errors == NULL)
		return NULL;
	conf = conf_file_read(path, errors, &lines);
	for (unsigned i = 0; i < conf_errors_kept(errors); i++)
		fprintf(report, "%s\n", errors->text[i]);
	if (conf != NULL)
		check_configuration(conf, lines, report, &wrong, &warnings);
	conf_lines_free(&lines);
	free(errors);
	if (wrong > 0)
		conf_free(&conf);
	return conf;
}
