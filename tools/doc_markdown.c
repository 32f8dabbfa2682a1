#include "tools/doc_print.h"

#include "tools/doc_tables.h"

/* One cell of a table. */
static void
put_cell(const char *text)
{
	fputs(" ", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '|' || *text == '<')
			putchar('\\');
		putchar(*text);
	}
	fputs(" |", stdout);
}

void
markdown_events(void)
{
	printf("# Log lines\n\n"
	       "Generated from lib/events.def. A line is `event=NAME key=value ...`, behind the "
	       "time, the\n"
	       "program and its process id. The names are stable.\n\n"
	       "| event | severity | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < doc_event_count; i++) {
		printf("| `%s` | %s |", doc_events[i].name, doc_events[i].severity);
		put_cell(doc_events[i].help);
		putchar('\n');
	}
}

void
markdown_replies(void)
{
	printf("# Replies\n\n"
	       "Generated from smtpd/reply.def: everything that a client can be told. The names "
	       "stand in the\n"
	       "log. `%%` is replaced by the one argument of the reply. CLOSE ends the session, "
	       "ERROR counts\n"
	       "towards `limits.errors`, TROUBLE is temporary.\n\n"
	       "| code | text | name | kind | when |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < doc_reply_count; i++) {
		const struct doc_reply *r = &doc_replies[i];

		printf("| %u %s |", r->code, r->enhanced);
		put_cell(r->text);
		printf(" `%s` | %s |", r->name, r->kind);
		put_cell(r->help);
		putchar('\n');
	}
}

void
markdown_counters(void)
{
	printf("# Counters\n\n"
	       "Generated from the counters.def of each program. `gatehouse status` prints a line\n"
	       "`PROGRAM.NAME VALUE` for each; of several workers it prints the sum.\n");
	for (size_t i = 0; i < doc_program_count; i++) {
		printf("\n## %s\n\n| counter | meaning |\n|---|---|\n", doc_programs[i].name);
		for (size_t j = 0; j < doc_programs[i].count; j++) {
			printf(
			    "| `%s.%s` |", doc_programs[i].name, doc_programs[i].counters[j].name);
			put_cell(doc_programs[i].counters[j].help);
			putchar('\n');
		}
	}
}
