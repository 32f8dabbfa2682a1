/*
 * What a client does wrong makes it slow, then ends its session: errors, commands without mail,
 * unknown recipients. Each has a limit. Up to a third of it costs nothing; beyond, each answer
 * comes a second later than the one before, to the bound of limits.delay; past the limit the
 * session ends. Nothing blocks: the session waits with its output and reads no commands.
 *
 * Under stress nobody is made to wait, since waiting costs a session, and the third is the limit.
 */
#ifndef SMTPD_PENALTY_H
#define SMTPD_PENALTY_H

#include "smtpd/session.h"

/*
 * It was done the count-th time.
 * Returns: whether that is past the limit; never for trusted relays.
 */
bool penalty_for(struct session *s, uint64_t count, uint64_t limit);

#endif
