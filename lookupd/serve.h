/*
 * lookupd at work: the database in service, the links of the workers, the answers.
 */
#ifndef LOOKUPD_SERVE_H
#define LOOKUPD_SERVE_H

#include "lib/grant.h"
#include "lib/link.h"
#include "lib/loop.h"
#include "lib/bucket.h"
#include "lib/conf.h"
#include "lookupd/loader.h"
#include "lookupd/overlay.h"

enum {
	SERVE_WORKERS = 256,
	SERVE_GRANT_S = 7200, /* seconds that a grant holds: longer than any session */
	SERVE_BURST_S = 5,    /* seconds' worth of unknown recipients that may come at once */
};

struct worker {
	struct serve *serve;
	struct link *link;
	unsigned index;
	uint32_t instance;
	struct bucket misses; /* row 274 */
	bool throttled;       /* said so in the log */
};

struct serve {
	struct loop *loop;
	struct database *db;     /* NULL: none, everything is trouble */
	struct overlay *overlay; /* NULL: none */
	struct overlay *coming;  /* for a database that is not in service yet; NULL: none */
	bool overlay_bad;        /* none, because what there is is no good */
	struct grant_key *key;
	const struct conf *conf;
	struct address postmaster;
	bool has_postmaster;
	struct worker *workers[SERVE_WORKERS];
	size_t worker_count;

	struct loader *loading; /* NULL: nothing is being loaded */
	char *loading_name;     /* for the log */
	bool loading_previous;  /* it is the one before, in the place of a bad one */
	bool at_once;           /* nobody asks yet: no pauses */
	int previous_fd;        /* the database before the one in place; -1: none */
	char *previous_name;
	struct timer load_timer;
	uint64_t alarm_at_ms; /* when the log may have the next line about a bad record */
	uint64_t age_alarm_at_ms;

	/* A file was taken or refused. */
	void (*on_verdict)(void *arg, bool taken, const char *detail);
	void (*on_overlay)(void *arg, bool taken, const char *detail);
	/* After serve_drain: no worker is left. */
	void (*on_idle)(void *arg);
	void *arg;
	bool draining;
};

/*
 * In: s, zeroed but for the callbacks; conf, which must outlive it.
 * Returns: 0, or -1 when the postmaster is not an address.
 */
int serve_init(struct serve *s, struct loop *loop, const struct conf *conf);

/* Returns: 0, or -1 when memory is out. */
int serve_set_key(struct serve *s, const uint8_t key[GRANT_KEY_LEN]);

/* Takes ownership of fd. A new link of an index replaces the old one. Returns: 0 or -1. */
int serve_peer(struct serve *s, unsigned index, uint32_t instance, int fd);

/*
 * Loads a database; what is in service stays until it is known to be good. Takes ownership of
 * fd. In: at_once, before anybody asks; otherwise in steps between which questions are answered.
 */
void serve_file(struct serve *s, struct span name, int fd, bool at_once);

/*
 * The database that was in place before the one that is: taken when that is refused and nothing
 * is in service. Takes ownership of fd.
 */
void serve_previous(struct serve *s, struct span name, int fd);

/* The overlay, as soon as the database that it belongs to is in service. Takes ownership of fd. */
void serve_overlay(struct serve *s, struct span name, int fd);

/* There is one that is no good: what is in service stays. In: reason, a static text. */
void serve_overlay_refused(struct serve *s, struct span name, const char *reason);

/* There is none any more: the same as an empty one. */
void serve_overlay_gone(struct serve *s, struct span name);

/* Goes on until the last worker has closed its link. */
void serve_drain(struct serve *s);

/* Brings the gauges up to date. */
void serve_gauges(const struct serve *s);

void serve_clear(struct serve *s);

#endif
