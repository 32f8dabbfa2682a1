/*
 * regexp tables: rules instead of rows.
 */
#ifndef LOOKUPD_POSTFIX_RULES_H
#define LOOKUPD_POSTFIX_RULES_H

#include "lookupd/postfix.h"

/* Whether rules can be taken over for the tables of this parameter. */
bool postfix_rules_allowed(const char *parameter);

/* Reads the file of the table. What cannot be taken over is an error with its line. */
void postfix_rules_read(struct postfix *p, struct postfix_table *t);

/* The value of the first rule that matches. POSTFIX_ANY_LOCAL matches none. */
bool postfix_rules_match(
    struct postfix *p, const struct postfix_table *t, struct span key, struct span *value_out);

#endif
