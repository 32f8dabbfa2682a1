/* The content of a message, from 354 to the end of data. */
#ifndef SMTPD_DATA_H
#define SMTPD_DATA_H

#include "smtpd/session.h"

enum { DATA_LINE_MAX = 65536 }; /* octets of one line without its end (row 160) */

/* DATA was accepted. */
void data_begin(struct session *s);

/* Takes content. Returns: octets used, all of them unless the end of data was among them. */
size_t data_take(struct session *s, struct span in);

#endif
