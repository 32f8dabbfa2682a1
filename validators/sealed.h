/* Whether a passed descriptor is what a submitted message must be. */
#ifndef VALIDATORS_SEALED_H
#define VALIDATORS_SEALED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A regular file of exactly `size` octets that can neither be written, shrunk nor grown any
 * more. What is judged is then what is handed on.
 */
bool sealed_check(int fd, uint64_t size);

#endif
