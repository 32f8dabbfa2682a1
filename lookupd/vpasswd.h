/*
 * The texts of vpopmail: users of a domain, quotas, what a maildir holds.
 */
#ifndef LOOKUPD_VPASSWD_H
#define LOOKUPD_VPASSWD_H

#include "lib/span.h"

enum { VPASSWD_BOUNCES = 0x10 }; /* BOUNCE_MAIL in the group field */

struct vpasswd {
	struct span name, dir, quota;
	uint64_t flags;
};

/* name:password:uid:gid:gecos:directory:quota[:clear]. Returns: false for anything else. */
bool vpasswd_parse(struct span line, struct vpasswd *u_out);

struct quota {
	uint64_t octets, messages; /* 0: no limit */
};

/* "10485760S,1000C", "NOQUOTA". Returns: false when nothing is limited. */
bool quota_parse(struct span text, struct quota *q_out);

/* Whether a maildirsize file says that more than the quota is there. */
bool maildirsize_over(struct span text, const struct quota *quota);

#endif
