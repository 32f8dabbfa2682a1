/*
 * Notes: what led to a result, step by step, for an operator who wants to know. Off, and then
 * nothing is composed, unless option log_checks (or `gatehouse explain`) asks for them.
 */
#ifndef VALIDATORS_NOTE_H
#define VALIDATORS_NOTE_H

#include "lib/buf.h"

enum { NOTE_MAX = 400 }; /* octets; longer ones are cut */

typedef void note_fn(void *arg, struct span text);

/* In: fn, NULL: none are wanted. */
void note_to(note_fn *fn, void *arg);

bool note_wanted(void);

/* "WHAT NAME: TEXT"; name and text are foreign octets, and either may be empty. */
void note(const char *what, struct span name, struct span text);

#endif
