/*
 * Reads a small regular file from the descriptor that the supervisor opened, by explicit
 * offsets, since the other end of a passed descriptor shares its position.
 */
#ifndef TLSD_SMALL_FILE_H
#define TLSD_SMALL_FILE_H

#include "lib/span.h"

/*
 * In: room, cap octets. Does not close fd.
 * Returns: the length; or -1, and *why_out is a static text: not a regular file, empty, longer
 * than cap, or unreadable.
 */
long small_file_read(int fd, void *room, size_t cap, const char **why_out);

#endif
