/*
 * What DATA and BDAT do with content: past the automaton (content.h) and the watch on the header
 * (header.h) into the message, and the judgement at its end.
 */
#ifndef SMTPD_INTAKE_H
#define SMTPD_INTAKE_H

#include "smtpd/session.h"

enum { INTAKE_LINE_MAX = 65536 }; /* octets of one line without its end (row 160) */

/* Makes room for a message, as far as is known of it. Returns: false when there is none. */
bool intake_begin(struct session *s);

/* Takes content up to the end of data. Out: *end_out, whether that was there. Returns: octets used. */
size_t intake_feed(struct session *s, struct span in, bool *end_out);

/*
 * The next octets must come in time: silence, the minimum rate of one octet in a millisecond, the
 * total. In: octets of content since `since_ms`, for the rate.
 */
void intake_expect_more(struct session *s, uint64_t since_ms, uint64_t octets);

/* What is wrong with the content so far, whatever may follow; or REPLY_NONE. */
enum reply_id intake_complaint(const struct session *s);

/* The content is complete: it is judged, and submitted when it is good. */
void intake_end(struct session *s);

#endif
