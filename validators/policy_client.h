/* What the lists and the name of a client do to its mail: a pure function of options and facts. */
#ifndef VALIDATORS_POLICY_CLIENT_H
#define VALIDATORS_POLICY_CLIENT_H

#include "validators/clients.h"

struct client_verdict {
	bool refuse;
	enum refusal reason; /* when refused */
	const char *detail;  /* of the reply: the zone of a list; or empty */
	bool mark;           /* the back end is told which lists it is on */
	/* What would have been done, had the rule not said observe; NULL: nothing. */
	const char *observed;
	enum auth_result iprev; /* as the back end is told, AUTH_UNCHECKED: not at all */
	uint64_t weight;        /* of the lists that it is on */
};

/*
 * In: facts, NULL when nothing is known: the DNS has not answered in time.
 * A client on a list of kind allow is refused for no other list, nor for its name. What the DNS did
 * not answer refuses nobody for good: where it could have, the client is deferred; a list that
 * does not answer counts as one that it is not on.
 */
struct client_verdict policy_client(const struct conf *conf, const struct client_facts *facts);

/* Whether these rules can refuse anything, so that recipients wait for the facts. */
bool policy_client_matters(const struct conf *conf);

#endif
