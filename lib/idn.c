#include "lib/idn.h"

#include <idn2.h>

#include "lib/address.h"
#include "lib/utf8.h"

static enum idn_status
put_name(struct buf *out, struct span name)
{
	if (!address_domain_ok(name))
		return IDN_BAD;
	buf_put_span(out, name);
	return IDN_OK;
}

/* IDNA 2008 with the mapping of UTS 46, so that upper case finds what lower case does. */
static enum idn_status
put_labels(struct span domain, struct buf *out)
{
	const int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
	char text[ADDRESS_DOMAIN_MAX + 1];
	char *name = NULL;
	enum idn_status status = IDN_BAD;
	int rc;

	/* No NUL gets past this. */
	if (domain.len > ADDRESS_DOMAIN_MAX || !utf8_printable(domain))
		return IDN_BAD;
	memcpy(text, domain.p, domain.len);
	text[domain.len] = '\0';
	rc = idn2_to_ascii_8z(text, &name, flags);
	if (rc == IDN2_OK)
		status = put_name(out, span_str(name));
	else if (rc == IDN2_MALLOC)
		status = IDN_MEMORY;
	idn2_free(name);
	return status;
}

enum idn_status
idn_to_ascii(struct span domain, struct buf *out)
{
	if (!span_is_ascii(domain))
		return put_labels(domain, out);
	buf_put_span(out, domain);
	return IDN_OK;
}
