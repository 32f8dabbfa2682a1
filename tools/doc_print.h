/* The generated parts of the documentation; each prints to standard output. */
#ifndef TOOLS_DOC_PRINT_H
#define TOOLS_DOC_PRINT_H

#include <stdio.h>

#include "lib/conf.h"

/* Text in lines of at most `width` octets after `prefix`; a sentence begins a line when mdoc is set. */
void print_wrapped(const char *text, const char *prefix, size_t width, int mdoc);

/* What values an option takes, as a sentence without its full stop. */
void option_bounds(const struct conf_option *o, char *text_out, size_t cap);

/* Parts of manual pages. */
void mdoc_options(void);
void mdoc_events(void);
void mdoc_replies(void);
void mdoc_counters(void);

/* Whole files in docs/. */
void markdown_events(void);
void markdown_replies(void);
void markdown_counters(void);

/* gatehouse.conf.sample */
void sample_options(void);

#endif
