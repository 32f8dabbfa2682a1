/*
 * What the steps of a lookup share; private to lookup*.c.
 */
#ifndef LOOKUPD_LOOKUP_STEPS_H
#define LOOKUPD_LOOKUP_STEPS_H

#include "lookupd/lookup.h"

enum {
	KEY_MAX = 8 + ADDRESS_MAX,
	BOX_MAX = LAYOUT_PREFIX_MAX + 1 + ADDRESS_MAX,
};

/* One question on its way through the steps. */
struct question {
	const struct database *db;
	struct lookup_trace *trace;
	enum lookup_from from;
	uint8_t octets[ADDRESS_MAX]; /* the address in lower case */
	struct span local, domain;   /* of octets, or of the record of an alias domain */
	bool found;                  /* record is that of the domain, not an empty one */
	const struct domain *record; /* of room, or of what the database remembers */
	struct domain room;
	/* What the records of the domain and of the domains above it say together. */
	bool served, accept, has_prefix;
	struct span prefix;
	uint16_t boxes; /* the installation that has the domain, as in struct domain */
	bool redirected;
	struct lookup_result *r;
};

/* Returns of a step: the result is there, or the next step is asked. */
enum step { STEP_DECIDED, STEP_NEXT };

enum step lookup_decide(struct question *q, enum rcpt_verdict verdict);
enum step lookup_trouble(struct question *q, const char *why, bool unevaluable);

/* Row 270: what cannot be evaluated is temporary, and it is an alarm. */
enum step lookup_record_trouble(struct question *q, enum record_status status);

/* Decides by a verdict of the layout without any attribute. */
enum step lookup_verdict(struct question *q, enum leaf_verdict verdict, enum lookup_match match);

/* Decides by a leaf. */
enum step lookup_leaf(struct question *q, struct span value, enum lookup_match match);

/* A record, told to the trace. BAD has been decided as trouble. */
static inline enum cdbfile_status
lookup_get(struct question *q, struct span key, struct span *value_out)
{
	enum cdbfile_status status = database_get(q->db, key, value_out);

	if (status == CDBFILE_BAD)
		lookup_trouble(q, "the database is damaged", false);
	else if (status == CDBFILE_FOUND && q->trace != NULL)
		q->trace->on_record(q->trace, key, *value_out);
	return status;
}

/* The record of a table; STEP_NEXT when it is not there. */
enum step lookup_ask(struct question *q, enum layout_key type, uint32_t table, struct span rest,
    enum lookup_match match);

/* lookup_domain.c: what the domain is, and whether it is served. */
enum step lookup_step_domain(struct question *q);

/* lookup_box.c: who has the box, and what his files say. */
enum step lookup_step_box(struct question *q);

#endif
