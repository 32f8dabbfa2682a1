/*
 * Options that list domains: "example.com" is that domain, ".example.com" it and all below it; and
 * with a value behind "=", as "example.com=reject".
 */
#ifndef LIB_DOMAIN_LIST_H
#define LIB_DOMAIN_LIST_H

#include "lib/conf.h"

/* In: domain, lower case. */
bool domain_list_has(const struct conf_strings *list, struct span domain);

/* Returns: the value of the element that fits best (the longest one), empty when none does. */
struct span domain_list_value(const struct conf_strings *list, struct span domain);

/*
 * In: values, the allowed ones, NULL-terminated; NULL: elements have no value.
 * Returns: NULL, or what is wrong with element *bad_out, to follow its text in a message.
 */
const char *domain_list_check(
    const struct conf_strings *list, const char *const *values, size_t *bad_out);

#endif
