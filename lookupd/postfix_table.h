/*
 * The lookup tables of a Postfix, read as a whole with postmap and postalias.
 */
#ifndef LOOKUPD_POSTFIX_TABLE_H
#define LOOKUPD_POSTFIX_TABLE_H

#include <sys/types.h>

#include "lib/digest.h"
#include "lookupd/pool.h"
#include "lookupd/keymap.h"
#include "lookupd/report.h"

enum { POSTFIX_TABLES_MAX = 32 }; /* of one parameter */

struct postfix_row {
	struct keymap_item item; /* the key, ASCII letters in lower case */
	struct span written;     /* the key as the table has it */
	struct span value;
	uint32_t line;            /* of the source of the table, or 0 */
	struct postfix_row *next; /* in the order of the table */
};

enum postfix_kind {
	POSTFIX_LISTED, /* all its rows are known */
	POSTFIX_STATIC, /* every key has the same value */
	POSTFIX_PASSWD, /* the accounts of the host */
	POSTFIX_RULES,  /* regexp: expressions, asked with whole addresses only */
	POSTFIX_SAID,   /* cannot be listed: the operator says what holds */
};

/* What holds for an address that is otherwise unknown and may be in a table that is not listed. */
enum postfix_word { POSTFIX_IGNORE, POSTFIX_ACCEPT, POSTFIX_DEFER };

struct postfix_rule {
	struct span expression, value;
	uint32_t line;
	bool said; /* the operator says what holds, since the value depends on the address */
	enum postfix_word word;
	struct postfix_rule *next;
};

struct postfix_table {
	struct postfix_table *next; /* of the installation */
	struct span name;           /* TYPE:PATH without "proxy:" */
	const char *source;         /* the same, or the path, for reports */
	enum postfix_kind kind;
	enum postfix_word word;
	struct keymap rows;
	struct postfix_row *first, **tail;
	struct span value; /* of POSTFIX_STATIC */
	struct postfix_rule *first_rule, **rule_tail;
	bool aliases; /* read with postalias: keys are names, values lists of addresses */
};

/* What reading tables needs. */
struct postfix_reader {
	struct pool *pool;
	struct report *report;
	struct digest *digest; /* of all that programs write */
	const char *source;    /* of the installation, for reports */
	const char *bin, *dir; /* of the programs, of main.cf */
	bool failed, trouble;  /* something could not be read; memory or the like was the reason */
};

/* Rows of a table whose key is TYPE:PATH, in the form of postmap or postalias -s. */
void postfix_table_read(struct postfix_reader *r, struct postfix_table *t);

/* Adds a row; of equal keys the first stays. In: key, value: copied. */
void postfix_table_add(
    struct postfix_reader *r, struct postfix_table *t, struct span key, struct span value);

/*
 * In: key, in any case; folded, whether keys with capitals in a text file count as if they had
 * none (all of Postfix but virtual(8) looks up so).
 * Returns: the row of the key, or NULL. Tables of POSTFIX_STATIC have none.
 */
const struct postfix_row *postfix_table_get(
    const struct postfix_table *t, struct span key, bool folded);

/* Runs `bin/program -c dir argument...` and gives its output in lines. */
struct postfix_lines {
	void (*take)(void *context, struct span line);
	void *context;
};
bool postfix_run(struct postfix_reader *r, const char *program, const char *const *arguments,
    const struct postfix_lines *lines);

#endif
