/*
 * The log of all programs: reads their pipes, adds time, program and process id, and writes to
 * standard error or syslog without ever blocking. What a program writes is taken as text of
 * that program only: unprintable octets are masked, lines are cut at LOG_LINE_MAX.
 */
#ifndef SUPERVISOR_LOG_RELAY_H
#define SUPERVISOR_LOG_RELAY_H

#include "lib/log.h"
#include "lib/loop.h"

#include <sys/types.h>

/* Where lines go from now on. In: to_syslog; else standard error. */
void log_relay_open(bool to_syslog);

/* One source. Lives in its owner. */
struct log_source {
	struct loop *loop;
	struct watch watch;
	int fd; /* -1: none */
	char label[64];
	size_t len;
	bool skipping; /* the rest of a line that was too long */
	uint8_t line[LOG_LINE_MAX + 1];
};

/* Takes ownership of fd (non-blocking). In: label, as "smtpd/0[123]". Returns: 0 or -1. */
int log_source_start(struct log_source *s, struct loop *loop, int fd, const char *label);

/* Relays what is still in the pipe, and closes it. No effect when it has no pipe. */
void log_source_stop(struct log_source *s);

/* The supervisor's own lines take the same way. Returns: 0 or -1. */
int log_relay_own(struct loop *loop);
void log_relay_own_flush(void);

/* Lines lost because standard error or syslog did not take them. */
uint64_t log_relay_dropped(void);

#endif
