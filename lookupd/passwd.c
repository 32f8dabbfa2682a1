#include "lookupd/passwd.h"

#include <errno.h>

#include "lookupd/accounts.h"
#include "lookupd/options.h"
#include "lookupd/tree.h"

enum { PASSWD_MAX = 512 * 1024 * 1024 };

static const char *const option_names[] = {
    "domain", "delimiter", "least", "most", "backend", "class", "account:", NULL};

struct passwd_reader {
	struct options options;
	struct accounts accounts;
	struct collection *c;
	struct report *report;
	uint64_t least, most; /* uids */
	bool no_memory;
};

/* One entry, as a line of a list says it. Returns: whether it is good. */
static bool
add_line(struct passwd_reader *r, const struct account *a, const char *line)
{
	struct place place = {r->accounts.source, a->line}, first;
	struct list_entry entry;
	const char *error;

	if (list_parse(span_str(line), &entry, &error) != LIST_ENTRY) {
		report_warning(r->report, place.source, place.line, error, a->item.key);
		return false;
	}
	switch (collection_add(r->c, &entry, place, &first)) {
	case COLLECTION_ADDED:
	case COLLECTION_SAME:
		return true;
	case COLLECTION_CONFLICT:
		report_error(r->report, place.source, place.line,
		    "another source contradicts this account", a->item.key);
		return false;
	case COLLECTION_FULL:
		report_error(r->report, place.source, place.line,
		    "more back ends than the database can hold", a->item.key);
		return false;
	case COLLECTION_NO_MEMORY:
		break;
	}
	r->no_memory = true;
	return false;
}

/* What the operator says of it, or what holds for all. */
static void
put_attributes(const struct passwd_reader *r, const struct account *a, struct buf *line)
{
	const char *backend = options_get(&r->options, "backend");
	const char *class = options_get(&r->options, "class");
	enum leaf_verdict word;

	if (backend != NULL)
		buf_printf(line, " backend=%s", backend);
	if (class != NULL)
		buf_printf(line, " class=%s", class);
	if (!options_word(&r->options, "account:", a->item.key, &word))
		return;
	if (word == LEAF_UNKNOWN)
		buf_put_str(line, " reject=\"5.2.1 Mailbox disabled\"");
	else if (word == LEAF_DEFER)
		buf_put_str(line, " defer=\"4.3.0 Temporary mailbox problem\"");
}

static bool
add_account(
    struct passwd_reader *r, const struct account *a, const char *middle, const char *domain)
{
	char text[LIST_LINE_MAX];
	struct buf line = buf_over(text, sizeof(text) - 1);

	buf_put_span(&line, a->item.key);
	buf_put_str(&line, middle);
	buf_put_str(&line, domain);
	put_attributes(r, a, &line);
	text[line.len] = '\0';
	return !line.full && add_line(r, a, text);
}

static void
take_account(struct passwd_reader *r, const struct account *a)
{
	const char *delimiter = options_get(&r->options, "delimiter");
	char middle[] = "x*@";

	if (a->uid < r->least || a->uid > r->most)
		return;
	for (size_t i = 0; i < a->item.key.len; i++)
		if (a->item.key.p[i] >= 'A' && a->item.key.p[i] <= 'Z') {
			report_warning(r->report, r->accounts.source, a->line,
			    "an account with a capital gets no mail: names are folded",
			    a->item.key);
			return;
		}
	for (const struct option_given *g = r->options.first; g != NULL; g = g->next) {
		if (strcmp(g->name, "domain") != 0 || !add_account(r, a, "@", g->value) ||
		    delimiter == NULL)
			continue;
		middle[0] = delimiter[0];
		(void)add_account(r, a, middle, g->value);
	}
}

/* Returns: whether the options are good. */
static bool
check_options(struct passwd_reader *r)
{
	const char *least = options_get(&r->options, "least");
	const char *most = options_get(&r->options, "most");
	const char *delimiter = options_get(&r->options, "delimiter");
	const char *wrong = NULL;

	r->most = UINT32_MAX;
	if (options_get(&r->options, "domain") == NULL)
		wrong = "accounts have no domain: say domain=NAME, as often as there are domains";
	else if (delimiter != NULL && strlen(delimiter) != 1)
		wrong = "delimiter= is one character";
	else if ((least != NULL && !span_decimal(span_str(least), UINT32_MAX, &r->least)) ||
		 (most != NULL && !span_decimal(span_str(most), UINT32_MAX, &r->most)))
		wrong = "least= and most= are numbers of users";
	if (wrong != NULL)
		report_error(r->report, NULL, 0, wrong, span_str(r->options.path));
	return wrong == NULL;
}

static enum source_status
read_accounts(struct passwd_reader *r, struct tree *tree)
{
	struct span text;
	unsigned long errors = r->report->errors;
	int error = tree_read(tree, r->options.path, PASSWD_MAX, &text);

	if (error != 0) {
		report_error(
		    r->report, r->options.path, 0, "cannot be read", span_str(strerror(error)));
		return error == EIO || error == ENOMEM ? SOURCE_TROUBLE : SOURCE_WRONG;
	}
	if (accounts_take(&r->accounts, text, r->report) < 0)
		r->no_memory = true;
	if (r->accounts.first == NULL)
		report_error(r->report, r->options.path, 0, "has no accounts", span_of(NULL, 0));
	for (const struct account *a = r->accounts.first; a != NULL && !r->no_memory; a = a->next)
		take_account(r, a);
	if (r->no_memory) {
		report_error(r->report, r->options.path, 0, "out of memory", span_of(NULL, 0));
		return SOURCE_TROUBLE;
	}
	return r->report->errors == errors ? SOURCE_READ : SOURCE_WRONG;
}

enum source_status
passwd_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	struct passwd_reader r = {.c = c, .report = report};
	struct tree tree;
	struct digest digest;
	enum source_status status = SOURCE_WRONG;

	tree_init(&tree);
	digest_init(&digest);
	tree.digest = &digest;
	if (options_parse(&tree.pool, path, option_names, &r.options, report) == 0 &&
	    check_options(&r)) {
		accounts_init(&r.accounts, &tree.pool, r.options.path);
		status = read_accounts(&r, &tree);
		accounts_clear(&r.accounts);
	}
	digest_final(&digest, digest_out);
	pool_join(&c->rules.pool, &tree.pool);
	tree_clear(&tree);
	return status;
}
