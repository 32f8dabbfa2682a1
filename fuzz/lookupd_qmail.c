/* The texts of qmail and vpopmail: whatever stands in a file, it is a verdict or an error. */
#include <stdio.h>

#include "lib/bug.h"
#include "lookupd/accounts.h"
#include "lookupd/dotqmail.h"
#include "lookupd/options.h"
#include "lookupd/qmail_control.h"
#include "lookupd/vpasswd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- .qmail files ------------------------------------------------------------------------------ */

static enum leaf_verdict
file(void *ctx, struct span path)
{
	(void)ctx;
	BUG_ON(path.len == 0 || (path.p[0] != '.' && path.p[0] != '/'));
	return path.len % 2 == 0 ? LEAF_ACCEPT : LEAF_DEFER;
}

static void
forward(void *ctx, struct span address, uint32_t line)
{
	size_t *octets = ctx;

	BUG_ON(line == 0);
	for (size_t i = 0; i < address.len; i++)
		*octets += address.p[i] != '\n';
}

static bool
program(void *ctx, const struct program *p, uint32_t line, enum leaf_verdict *v_out)
{
	(void)ctx;
	BUG_ON(line == 0 || p->word_count > PROGRAM_WORDS);
	*v_out = p->name.len % 3 == 0 ? LEAF_ACCEPT : LEAF_UNKNOWN;
	return p->name.len % 5 != 0;
}

static void
error(void *ctx, uint32_t line, const char *message, struct span detail)
{
	(void)ctx;
	(void)detail;
	BUG_ON(line == 0 || message == NULL);
}

static void
run_lines(struct span text)
{
	size_t octets = 0;
	struct dotqmail_world world = {&octets, file, forward, program, error};
	struct dotqmail d;

	for (int executable = 0; executable < 2; executable++)
		if (dotqmail_run(text, executable, &world, &d)) {
			BUG_ON(d.reason == NULL || (d.stores && !d.delivered));
			BUG_ON(d.verdict == LEAF_TABLE && d.table.word_count != 1);
		}
	if (dotqmail_run_vpopmail(text, &world, &d))
		BUG_ON(d.verdict == LEAF_TABLE || !d.delivered);
}

/* ---- the other files ----------------------------------------------------------------------------- */

static void
read_control(struct span text)
{
	struct control c = control_over(text);
	struct span entry;
	uint32_t line = 0;

	while (control_next(&c, &entry)) {
		BUG_ON(c.number < line || span_find(entry, '\n') < entry.len);
		line = c.number;
		(void)control_suspicious(entry);
	}
	BUG_ON(control_first_line(text).len > text.len);
}

static void
read_lines(struct span text)
{
	while (text.len > 0) {
		size_t end = span_find(text, '\n');
		struct span line = span_head(text, end);
		struct assign_line a;
		struct vpasswd u;
		struct quota quota;

		if (assign_parse(line, &a) == ASSIGN_LINE)
			BUG_ON(a.home.len > line.len);
		if (assign_value(line, &a))
			(void)assign_number(a.uid);
		if (vpasswd_parse(line, &u) && quota_parse(u.quota, &quota))
			(void)maildirsize_over(text, &quota);
		text = span_from(text, end + 1);
	}
}

static void
read_accounts(struct span text)
{
	static FILE *nowhere;
	struct pool pool = {0};
	struct accounts accounts;
	struct report report;
	uint32_t gid;

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	BUG_ON(nowhere == NULL);
	report = (struct report){.to = nowhere};
	accounts_init(&accounts, &pool, "fuzz");
	BUG_ON(accounts_take(&accounts, text, &report) < 0);
	for (const struct account *a = accounts.first; a != NULL; a = a->next)
		BUG_ON(accounts_find(&accounts, a->item.key) != a);
	(void)accounts_group(text, SPAN("nofiles"), &gid);
	accounts_clear(&accounts);
	pool_clear(&pool);
}

static void
read_options(struct span text)
{
	static const char *const known[] = {"root", "program:", NULL};
	static FILE *nowhere;
	struct pool pool = {0};
	struct report report;
	struct options o;
	char *copy = pool_string(&pool, text);

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	BUG_ON(nowhere == NULL || copy == NULL);
	report = (struct report){.to = nowhere};
	if (options_parse(&pool, copy, known, &o, &report) == 0)
		BUG_ON(report.errors != 0 || o.path == NULL);
	else
		BUG_ON(report.errors != 1);
	pool_clear(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);

	run_lines(text);
	read_control(text);
	read_lines(text);
	read_accounts(text);
	read_options(text);
	return 0;
}
