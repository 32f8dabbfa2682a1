/* What kinds of keys there are. */
#include "lookupd/record.h"

static const struct {
	uint8_t type;
	bool recipient, domain;
	const char *name;
} key_types[] = {
    {KEY_DOMAIN, false, true, "domain"},
    {KEY_SUFFIX, false, true, "suffix"},
    {KEY_VIRTUAL, false, false, "virtual-address"},
    {KEY_BOX, false, false, "box"},
    {KEY_BOX_PREFIX, false, false, "box-prefix"},
    {KEY_ACCOUNT, false, false, "account"},
    {KEY_EXTENSION, false, false, "extension"},
    {KEY_DEFAULT, false, false, "default"},
    {KEY_UNSEARCHABLE, false, false, "unsearchable"},
    {KEY_NO_FILE, false, false, "no-file"},
    {KEY_USER, true, false, "user"},
    {KEY_WILD, true, false, "extensions-of"},
    {KEY_CATCH_ALL, true, false, "catch-all"},
    {KEY_ALIAS, true, false, "alias"},
    {KEY_ROUTE, false, false, "route"},
    {KEY_TABLE, false, false, "table"},
    {KEY_PATTERNS, false, false, "patterns"},
    {KEY_BOXES, false, false, "installation"},
    {KEY_PART, false, false, "part"},
};

enum { KEY_TYPES = sizeof(key_types) / sizeof(key_types[0]) };

static size_t
key_type_index(struct span key)
{
	size_t i = 0;

	if (key.len == 0)
		return KEY_TYPES;
	while (i < KEY_TYPES && key_types[i].type != key.p[0])
		i++;
	return i;
}

const char *
key_type_name(uint8_t type)
{
	size_t i = key_type_index(span_of(&type, 1));

	return i < KEY_TYPES ? key_types[i].name : NULL;
}

bool
key_is_recipient(struct span key)
{
	size_t i = key_type_index(key);

	return i < KEY_TYPES && key_types[i].recipient;
}

bool
key_is_domain(struct span key)
{
	size_t i = key_type_index(key);

	return i < KEY_TYPES && key_types[i].domain;
}

bool
key_is_canary(struct span key)
{
	return span_eq(key, SPAN("D" LAYOUT_CANARY_DOMAIN));
}

bool
key_is_file(struct span key)
{
	return key.len > 0 &&
	       (key.p[0] == KEY_EXTENSION || key.p[0] == KEY_DEFAULT || key.p[0] == KEY_NO_FILE);
}

void
key_put_boxes(struct buf *b, uint16_t installation)
{
	if (installation > 1)
		key_put_u16(b, KEY_BOXES, installation);
}
