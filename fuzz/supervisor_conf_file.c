/* gatehouse.conf: any text is either a configuration or has an error that names the file. */
#include "supervisor/conf_file.h"

#include "lib/bug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_errors errors;
	struct conf_lines *lines;
	struct conf *conf;

	errors = (struct conf_errors){0};
	conf = conf_text_read(span_of(data, size), "f", &errors, &lines);
	BUG_ON((conf == NULL) != (errors.count > 0));
	for (unsigned i = 0; i < conf_errors_kept(&errors); i++)
		BUG_ON(errors.text[i][0] != 'f');
	conf_lines_free(&lines);
	conf_free(&conf);
	return 0;
}
