#include "supervisor/client_slots.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* A worker that could cut the memory short would kill the others with SIGBUS. */
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

int
client_slots_init(struct client_slots *s)
{
	*s = (struct client_slots){.fd = memfd_create("clients", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
	if (s->fd < 0)
		return -1;
	if (ftruncate(s->fd, (off_t)clients_size()) != 0 || fcntl(s->fd, F_ADD_SEALS, SEALS) != 0 ||
	    getrandom(s->key, sizeof(s->key), 0) != (ssize_t)sizeof(s->key)) {
		client_slots_clear(s);
		return -1;
	}
	return 0;
}

void
client_slots_clear(struct client_slots *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Gives the pages back to the kernel: they read as zeros. */
static bool
zero_column(const struct client_slots *s, unsigned slot)
{
	off_t offset, len;

	clients_column(slot, &offset, &len);
	return fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len) == 0;
}

int
client_slots_take(struct client_slots *s)
{
	for (unsigned slot = 0; slot < CLIENTS_SLOTS; slot++) {
		if (s->taken[slot] || !zero_column(s, slot))
			continue;
		s->taken[slot] = true;
		return (int)slot;
	}
	return CLIENT_SLOT_NONE;
}

void
client_slots_give(struct client_slots *s, int *slot)
{
	if (*slot >= 0 && *slot < CLIENTS_SLOTS) {
		zero_column(s, (unsigned)*slot);
		s->taken[*slot] = false;
	}
	*slot = CLIENT_SLOT_NONE;
}
