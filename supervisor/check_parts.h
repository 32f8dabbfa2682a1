/* What the files of check.c share: what is looked at, and how something wrong with it is told. */
#ifndef SUPERVISOR_CHECK_PARTS_H
#define SUPERVISOR_CHECK_PARTS_H

#include "supervisor/check.h"

struct check {
	const struct conf *conf;
	const struct conf_lines *lines;
	FILE *out;
	unsigned errors, warnings;
};

/* In: option, as "limits.sessions"; where it stands in the file is found and told. */
__attribute__((format(printf, 3, 4))) void check_error(
    struct check *c, const char *option, const char *format, ...);
__attribute__((format(printf, 3, 4))) void check_warning(
    struct check *c, const char *option, const char *format, ...);

/* Who clients are and how they are judged: networks, DNS lists, results, DMARC. */
void check_clients(struct check *c);

/* What is validated by which keys. */
void check_dnssec(struct check *c);

/* Limits that fit into each other and into this host, and the accounts of the programs. */
void check_limits(struct check *c);
void check_users(struct check *c);

#endif
