#include "supervisor/wiring.h"

#include <errno.h>
#include <unistd.h>

/* The links of the design: a message travels along these and nowhere else. */
static const struct {
	enum program_id a, b;
} wires[] = {
    {PROGRAM_SMTPD, PROGRAM_LOOKUPD},
    {PROGRAM_SMTPD, PROGRAM_VALIDATORS},
    {PROGRAM_SMTPD, PROGRAM_QUEUE_HANDOFF},
    {PROGRAM_SMTPD, PROGRAM_TLSD},
    {PROGRAM_TLSD, PROGRAM_TLS_KEYS},
    {PROGRAM_VALIDATORS, PROGRAM_VALIDATOR},
    {PROGRAM_VALIDATORS, PROGRAM_RESOLVERD},
    {PROGRAM_VALIDATORS, PROGRAM_QUEUE_HANDOFF},
    {PROGRAM_QUEUE_HANDOFF, PROGRAM_QMAIL_QUEUE},
};

static bool
wired(enum program_id a, enum program_id b)
{
	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++)
		if ((wires[i].a == a && wires[i].b == b) || (wires[i].a == b && wires[i].b == a))
			return true;
	return false;
}

static void
tell(struct child *to, const struct child *peer, int fd)
{
	struct msg_peer m = {(uint8_t)peer->id, (uint8_t)peer->index, peer->instance};

	link_send(to->control, MSG_peer, &m, fd);
}

void
wiring_connect(struct child *c)
{
	struct generation *g = c->generation;
	int fds[2];

	for (size_t i = 0; i < g->count; i++) {
		struct child *other = &g->child[i];

		if (other == c || !link_alive(other->control) || !wired(c->id, other->id))
			continue;
		if (link_pair(fds) != 0) {
			log_event_errno(EVENT_spawn_failed, "what", "link", errno);
			continue;
		}
		tell(c, other, fds[0]);
		tell(other, c, fds[1]);
	}
}
