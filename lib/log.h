/*
 * Log lines: event=NAME key=value ... ; every value is encoded here and nowhere else.
 *
 * Lines gather in memory and leave in one write at the end of a turn; the log pipe never
 * blocks, and lines that do not fit are counted and reported when it flows again. The
 * supervisor adds time, program and process id. Values hold only [!-~] without " and \ as
 * they are; anything else makes the value quoted with \xHH, so that no foreign octet becomes
 * syntax. A line is at most LOG_LINE_MAX octets; longer values are cut and end in "...".
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "lib/ip.h"
#include "lib/span.h"

enum { LOG_LINE_MAX = 1000 };

/* Stable names, documented in gatehouse(8): events.def has them with their texts. */
enum log_event {
#define EVENT(name, severity, help) EVENT_##name,
#include "lib/events.def"
#undef EVENT
	EVENT_COUNT,
};

/* syslog severities */
enum log_severity {
	LOG_SEV_ERROR = 3,
	LOG_SEV_WARNING = 4,
	LOG_SEV_NOTICE = 5,
	LOG_SEV_INFO = 6,
	LOG_SEV_DEBUG = 7
};

const char *log_event_name(enum log_event event);
const char *log_event_help(enum log_event event);
enum log_severity log_event_severity(enum log_event event);

/* The descriptor that lines go to; made non-blocking. Before the call: standard error. */
void log_init(int fd);

/*
 * From now on at most `rate` LIMITED lines in a second, five times as many after a pause; 0: no
 * limit, as before the first call. What is left out is counted and told once a second.
 */
void log_limit(uint64_t rate);

/* A line under construction; on the stack of the caller. */
struct log_line {
	size_t len;
	bool cut; /* no more fits */
	bool left_out;
	enum log_severity severity;
	uint8_t octets[LOG_LINE_MAX + 1];
};

void log_begin(struct log_line *l, enum log_event event);
void log_span(struct log_line *l, const char *key, struct span value);
void log_str(struct log_line *l, const char *key, const char *value);
void log_u64(struct log_line *l, const char *key, uint64_t value);
void log_ip(struct log_line *l, const char *key, const struct ip *ip);
void log_errno(struct log_line *l, int error); /* error="No such file or directory" */
void log_end(struct log_line *l);

/* One line with one value, and the errno variant, for the commonest cases. */
void log_event1(enum log_event event, const char *key, const char *value);
void log_event_errno(enum log_event event, const char *key, const char *value, int error);

/* Writes what has gathered. The program's turn hook does it; fatal paths do it themselves. */
void log_flush(void);

/*
 * Whether lines have gathered, and whether they should be written now: a notice or worse is
 * among them, or they are many. Others may wait LOG_DELAY_MS, so that a busy program writes
 * many with one call.
 */
enum { LOG_DELAY_MS = 20 };
bool log_waiting(void);
bool log_urgent(void);

/* Lines lost because the log did not take them. */
uint64_t log_dropped(void);

#endif
