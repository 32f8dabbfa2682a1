/*
 * LDIF (RFC 2849) as ldapsearch and ldifde write it: entries, their attributes, values. Octets in
 * pieces of any length.
 *
 *   file   = [ "version:" 1 ] *( entry / comment )   entries are separated by empty lines
 *   entry  = "dn" value *( attribute *( ";" option ) value )
 *   value  = ":" *SPACE text / "::" *SPACE base64
 *   a line that begins with a space goes on where the line before it ended
 */
#ifndef LOOKUPD_LDIF_H
#define LOOKUPD_LDIF_H

#include "lib/span.h"

enum { LDIF_LINE_MAX = 1024 * 1024 }; /* octets of an unfolded line */

struct ldif_handler {
	void *context;
	/* In: name without options, value decoded; both borrowed. options: with their ";". */
	void (*on_value)(
	    void *context, struct span name, struct span options, struct span value, unsigned line);
	void (*on_end)(void *context); /* of an entry that had a dn */
	void (*on_error)(void *context, const char *error, unsigned line);
};

struct ldif;

/* Returns: NULL when memory is out. In: handler, copied. */
struct ldif *ldif_new(const struct ldif_handler *handler);
void ldif_free(struct ldif **l);

void ldif_take(struct ldif *l, struct span octets);
void ldif_finish(struct ldif *l);

/*
 * Decodes base64 (RFC 4648 4) in its own memory. Returns: false when it is none.
 */
bool ldif_base64(uint8_t *octets, size_t *len);

#endif
