#include "supervisor/wiring.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* By then the death of the one would have ended the other's hope, or SIGCHLD come. */
enum { MEND_MS = 100 };

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

/* Returns: 0; or -1 when the kernel has no pair of sockets now. */
static int
link_both(struct child *a, struct child *b)
{
	int fds[2];

	if (link_pair(fds) != 0) {
		log_event_errno(EVENT_spawn_failed, "what", "link", errno);
		return -1;
	}
	tell(a, b, fds[0]);
	tell(b, a, fds[1]);
	return 0;
}

/* ---- links that broke --------------------------------------------------------------------------- */

static struct child *
find(struct generation *g, enum program_id id, uint32_t instance)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->child[i].id == id && g->child[i].instance == instance &&
		    g->child[i].pid > 0 && link_alive(g->child[i].control))
			return &g->child[i];
	return NULL;
}

static void
log_mended(const struct child *c, const struct child *peer)
{
	struct log_line l;

	log_begin(&l, EVENT_link_mended);
	log_str(&l, "program", program_name(c->id));
	log_u64(&l, "index", c->index);
	log_str(&l, "peer", program_name(peer->id));
	log_u64(&l, "peer_index", peer->index);
	log_end(&l);
}

static void on_mend(void *arg);

static void
mend_later(struct child *c, const struct child *peer)
{
	c->broken[peer->id] = peer->instance;
	if (!c->mend.active)
		timer_set(c->generation->around->loop, &c->mend, MEND_MS, on_mend, c);
}

/* What has died meanwhile was, or will be, linked anew at its start. */
static void
on_mend(void *arg)
{
	struct child *c = arg;

	for (unsigned id = 0; id < PROGRAM_COUNT; id++) {
		struct child *peer = c->broken[id] != 0
		                         ? find(c->generation, (enum program_id)id, c->broken[id])
		                         : NULL;

		c->broken[id] = 0;
		if (peer == NULL || !link_alive(c->control))
			continue;
		if (link_both(c, peer) != 0) {
			mend_later(c, peer);
			continue;
		}
		/* The other end has seen it end, too. */
		if (peer->broken[c->id] == c->instance)
			peer->broken[c->id] = 0;
		log_mended(c, peer);
	}
}

static void
end_misbehaved(struct child *worker, const struct child *said_by)
{
	struct log_line l;

	log_begin(&l, EVENT_program_misbehaved);
	log_str(&l, "program", program_name(worker->id));
	log_u64(&l, "index", worker->index);
	log_u64(&l, "pid", (uint64_t)worker->pid);
	log_str(&l, "to", program_name(said_by->id));
	log_end(&l);
	kill(worker->pid, SIGKILL);
}

void
wiring_broken(struct child *from, const struct msg_link_broken *m)
{
	struct child *peer = find(from->generation, m->program, m->instance);

	if (peer == NULL || !wired(from->id, peer->id))
		return;
	/* Of two ends both say so; a worker's word is enough, and it knows who is at the other. */
	if (peer->id != PROGRAM_SMTPD)
		mend_later(from, peer);
	else if (m->violated && from->id != PROGRAM_TLSD)
		end_misbehaved(peer, from);
}

/* ---- at the start of a program ------------------------------------------------------------------- */

void
wiring_connect(struct child *c)
{
	struct generation *g = c->generation;

	memset(c->broken, 0, sizeof(c->broken));

	for (size_t i = 0; i < g->count; i++) {
		struct child *other = &g->child[i];

		if (other == c || !link_alive(other->control) || !wired(c->id, other->id))
			continue;
		if (link_both(c, other) != 0)
			other->id == PROGRAM_SMTPD ? mend_later(other, c) : mend_later(c, other);
	}
}
