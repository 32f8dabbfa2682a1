/* Domain names in UTF-8, as the DNS and the database of recipients have them. RFC 5890 */
#ifndef LIB_IDN_H
#define LIB_IDN_H

#include "lib/buf.h"

enum idn_status {
	IDN_OK,
	IDN_BAD,    /* no domain name can be this */
	IDN_MEMORY, /* memory is out: nothing is known about it */
};

/*
 * Turns U-labels into A-labels; a name that is ASCII already stays as it is.
 * In: domain, any octets, at most 255.
 * Out: appended to out, with IDN_OK; then it satisfies address_domain_ok when it was not ASCII.
 */
enum idn_status idn_to_ascii(struct span domain, struct buf *out);

#endif
