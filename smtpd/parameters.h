/*
 * Arguments of MAIL and RCPT: `FROM:<path>` and what follows it.
 *
 * Mail-parameters  = esmtp-param *(SP esmtp-param)          RFC 5321 4.1.2
 * esmtp-param      = esmtp-keyword ["=" esmtp-value]
 * esmtp-keyword    = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 * esmtp-value      = 1*(%d33-60 / %d62-126)
 */
#ifndef SMTPD_PARAMETERS_H
#define SMTPD_PARAMETERS_H

#include "lib/span.h"

enum path_status {
	PATH_OK,
	PATH_NO_PATH,   /* the word or the brackets are missing */
	PATH_MALFORMED, /* the brackets do not close, or something is stuck to them */
};

/*
 * Splits the argument of MAIL or RCPT.
 * In: word, "FROM:" or "TO:"; case does not matter, and spaces may follow it (row 43).
 * Out: *path_out, what stands between < and >; *parameters_out, the rest. Both borrow from
 * argument.
 */
enum path_status path_split(
    struct span argument, struct span word, struct span *path_out, struct span *parameters_out);

enum parameter_status { PARAMETER_OK, PARAMETER_END, PARAMETER_MALFORMED };

struct parameter {
	struct span keyword;
	struct span value;
	bool has_value;
};

/* Takes the next parameter; `rest` shrinks. */
enum parameter_status parameter_next(struct span *rest, struct parameter *p_out);

#endif
