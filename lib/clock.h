/*
 * Time. Everything that waits takes the time as an argument, so that tests own the clock;
 * only the loop and main functions ask for it.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that never jumps and goes on while the machine is suspended. */
uint64_t clock_ms(void);

/* Milliseconds of a clock that never jumps, and stands still while the machine is suspended. */
uint64_t clock_awake_ms(void);

/* Seconds since 1970 UTC. */
uint64_t clock_unix(void);

/* Microseconds since 1970 UTC. */
uint64_t clock_unix_us(void);

#endif
