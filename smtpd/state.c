#include "smtpd/state.h"

#include "lib/bug.h"

#include "smtpd/session.h"

/* Closing can happen at any time; what else may follow: */
static const struct {
	const char *name;
	unsigned next;
} states[STATE_COUNT] = {
    [STATE_CONNECTED] = {"CONNECTED", IN(GREETED) | IN(TLS)},
    [STATE_GREETED] = {"GREETED", IN(READY) | IN(CHUNK)},
    [STATE_READY] = {"READY", IN(READY) | IN(MAIL) | IN(CHUNK) | IN(TLS)},
    [STATE_MAIL] = {"MAIL", IN(READY) | IN(RCPT) | IN(CHUNK)},
    [STATE_RCPT] = {"RCPT", IN(READY) | IN(RCPT) | IN(CONTENT) | IN(CHUNK)},
    [STATE_CONTENT] = {"CONTENT", IN(READY) | IN(RECHECK) | IN(SUBMITTED)},
    [STATE_CHUNK] = {"CHUNK", IN(GREETED) | IN(READY) | IN(PARTIAL) | IN(RECHECK) | IN(SUBMITTED)},
    [STATE_PARTIAL] = {"PARTIAL", IN(READY) | IN(CHUNK)},
    [STATE_RECHECK] = {"RECHECK", IN(READY) | IN(SUBMITTED)},
    [STATE_SUBMITTED] = {"SUBMITTED", IN(READY)},
    [STATE_TLS] = {"TLS", IN(CONNECTED) | IN(GREETED)},
    [STATE_CLOSING] = {"CLOSING", 0},
    [STATE_CLOSED] = {"CLOSED", 0},
};

const char *
state_name(enum session_state state)
{
	BUG_ON((unsigned)state >= STATE_COUNT);
	return states[state].name;
}

bool
state_may_follow(enum session_state from, enum session_state to)
{
	BUG_ON((unsigned)from >= STATE_COUNT || (unsigned)to >= STATE_COUNT);
	if (to == STATE_CLOSED)
		return from != STATE_CLOSED;
	if (to == STATE_CLOSING)
		return from != STATE_CLOSED && from != STATE_CLOSING && from != STATE_TLS;
	return (states[from].next & 1u << to) != 0;
}

void
state_set(struct session *s, enum session_state to)
{
	BUG_ON(!state_may_follow(s->state, to));
	s->state = to;
}
