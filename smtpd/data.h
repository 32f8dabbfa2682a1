/* The content of a message after 354, up to the end of data. RFC 5321 4.1.1.4 */
#ifndef SMTPD_DATA_H
#define SMTPD_DATA_H

#include "smtpd/session.h"

/* DATA was accepted. */
void data_begin(struct session *s);

/* Takes content. Returns: octets used, all of them unless the end of data was among them. */
size_t data_take(struct session *s, struct span in);

#endif
