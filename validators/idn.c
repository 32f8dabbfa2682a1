#include "validators/idn.h"

#include <idn2.h>

enum { NAME_OCTETS_MAX = 512 };

bool
idn_put_ascii(struct buf *b, struct span name)
{
	uint8_t text[NAME_OCTETS_MAX + 1];
	uint8_t *ascii = NULL;
	bool good;

	if (name.len == 0 || name.len > NAME_OCTETS_MAX || span_find(name, '\0') < name.len)
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	good = idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK;
	if (good)
		buf_put_str(b, (const char *)ascii);
	idn2_free(ascii);
	return good;
}
