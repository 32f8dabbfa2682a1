/*
 * What the results of a message do to it: pure functions of the options and of what was found out.
 *
 * Every verdict that has a rule is a clause. The envelope's clauses are decided when a recipient is
 * named, all of them at the end of data. Of the clauses that apply, one that rejects goes before
 * one that defers, and the first of them gives the reply. DNS trouble has no rule that rejects.
 */
#ifndef VALIDATORS_POLICY_H
#define VALIDATORS_POLICY_H

#include "lib/conf.h"

#include "validators/dmarc.h"

enum policy_clause {
	/* of the envelope */
	CLAUSE_SPF_NO_MAIL,
	CLAUSE_SPF_FAIL,
	CLAUSE_SPF_SOFTFAIL,
	CLAUSE_SPF_PERMERROR,
	CLAUSE_SPF_TEMPERROR,
	CLAUSE_HELO_FAIL,
	CLAUSE_SENDER_UNKNOWN,
	CLAUSE_SENDER_NULL_MX,
	CLAUSE_SENDER_TEMPERROR,
	CLAUSES_OF_ENVELOPE,
	/* of the content */
	CLAUSE_FROM_MALFORMED = CLAUSES_OF_ENVELOPE,
	CLAUSE_FROM_SEVERAL,
	CLAUSE_DKIM_NO_PASS,
	CLAUSE_DKIM_NOT_ALIGNED,
	CLAUSE_DMARC_REJECT,
	CLAUSE_DMARC_QUARANTINE,
	CLAUSE_DMARC_TEMPERROR,
	CLAUSES,
};

struct policy_author {
	enum dmarc_found found;
	enum dmarc_policy requested;
	enum dmarc_match spf;
	enum auth_result dkim; /* what the signatures make of it */
};

struct policy_facts {
	/* the envelope */
	enum auth_result spf; /* AUTH_UNCHECKED: not asked */
	bool no_mail;         /* the record is nothing but -all */
	enum auth_result helo;
	enum sender_domain sender;
	bool null_sender;
	bool forwarder;      /* the client is a trusted forwarder */
	bool client_unknown; /* SPF could not be asked about the real one */
	bool exempt;         /* no recipient wants the checks to refuse anything */
	/* the content */
	bool dkim_checked;
	unsigned signatures, passed;
	bool key_trouble; /* a key was not got */
	bool dmarc_checked;
	enum from_status from;
	bool sealed; /* signed by a trusted sealer */
	size_t author_count;
	struct policy_author authors[FROM_DOMAINS_MAX];
};

struct policy_verdict {
	bool refuse;
	enum refusal reason;       /* when refused */
	enum policy_clause clause; /* that refuses */
	unsigned observed;         /* set of clauses that would have done something */
	/* what the back end is told: AUTH_UNCHECKED, not shown */
	enum auth_result spf, helo, dmarc;
	bool dkim;
	bool quarantine;
	size_t author; /* the one that dmarc is about, when there are authors */
};

/* The envelope alone; what it refuses, it refuses for all recipients that are not exempt. */
struct policy_verdict policy_envelope(const struct conf *conf, const struct policy_facts *facts);

/* The whole message, its envelope included. */
struct policy_verdict policy_message(const struct conf *conf, const struct policy_facts *facts);

/* The result of DMARC for one author. In: spf, of the envelope. */
enum auth_result policy_dmarc(const struct policy_author *author, enum auth_result spf);

/* Name of the option that rules a clause, as "spf.fail". */
const char *policy_clause_name(enum policy_clause clause);

#endif
