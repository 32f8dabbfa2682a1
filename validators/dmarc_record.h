/* A DMARC policy record (RFC 9989 4.7, 4.8), read into values; nothing of its text is kept. */
#ifndef VALIDATORS_DMARC_RECORD_H
#define VALIDATORS_DMARC_RECORD_H

#include "validators/dmarc.h"

enum dmarc_psd { DMARC_PSD_UNSAID, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	/* RFC 9989 4.10.1: a wrong policy makes p=none of it, when somebody reads reports; else
	 * there is no policy. */
	bool usable;
	enum dmarc_policy p, sp, np; /* sp and np are what holds when they are not there */
	bool np_said;
	bool strict_dkim, strict_spf;
	bool test;
	enum dmarc_psd psd;
};

/* Returns: false when it is none of none, quarantine, reject. */
bool dmarc_policy_by_name(struct span name, enum dmarc_policy *policy_out);

/* It begins as a record of this version does; others are not looked at. */
bool dmarc_record_is_one(struct span text);

/* In: text, one that dmarc_record_is_one. */
void dmarc_record_parse(struct span text, struct dmarc_record *record_out);

#endif
