/*
 * A look at the text of gatehouse.conf before libconfuse reads it.
 *
 * libconfuse takes a section without its end, a string without its end, ${NAME} from the
 * environment, octets that it silently leaves out and names that reach into another section.
 * All of that is refused here, with its line; what passes is read by libconfuse in one way only.
 *
 * Comments are blanked: libconfuse counts the lines that hold them two and three times.
 */
#ifndef SUPERVISOR_CONF_SCAN_H
#define SUPERVISOR_CONF_SCAN_H

#include <stdint.h>

#include "supervisor/conf_errors.h"

/*
 * In: text, len octets, in which comments become spaces; line feeds stay.
 * Returns: true when nothing was added to e.
 */
bool conf_scan(uint8_t *text, size_t len, const char *file, struct conf_errors *e);

#endif
