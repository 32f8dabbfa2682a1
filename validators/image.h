/*
 * The memory that the program itself takes: arranged in the zygote so that a fork copies little and
 * a child begins with what it will touch.
 */
#ifndef VALIDATORS_IMAGE_H
#define VALIDATORS_IMAGE_H

#include <stdbool.h>

/*
 * Moves the program's code and constants from the pages of its file into huge pages, at the same
 * address. A fork then copies a handful of entries instead of hundreds, and its child has no page
 * of code to fault in. Nothing changes where the kernel has no huge pages to give or forbids it.
 * Before the process confines itself; it must have one thread.
 *
 * Returns: whether all of it lies in huge pages now.
 */
bool image_enlarge(void);

#endif
