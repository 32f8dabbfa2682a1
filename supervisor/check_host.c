#include "supervisor/check_parts.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "supervisor/setup.h"

enum {
	SESSION_MEMORY = 16384,         /* octets, ours and the kernel's, rounded up */
	PROGRAMS_MEMORY = 96 << 20,     /* octets of all programs without messages and sessions */
	DESCRIPTORS_PER_SESSION = 2,    /* the client, and a message in progress */
	DESCRIPTORS_OF_A_PROGRAM = 128, /* links, listening sockets, log, reserve */
};

/* Each time that must be over before another one is. */
static void
check_times(struct check *c)
{
	const struct conf_limits *l = &c->conf->limits;
	const struct {
		const char *inner, *outer;
		uint64_t inner_s, outer_s;
	} nested[] = {
	    {"limits.lookup_timeout", "limits.command_timeout", l->lookup_timeout,
		l->command_timeout},
	    {"limits.data_timeout", "limits.data_total", l->data_timeout, l->data_total},
	    {"limits.data_total", "limits.session_total", l->data_total, l->session_total},
	    {"limits.reply_budget", "limits.session_total", l->reply_budget, l->session_total},
	    {"dns.timeout", "limits.reply_budget", c->conf->dns.timeout, l->reply_budget},
	    {"tls.handshake_timeout", "limits.session_total", c->conf->tls.handshake_timeout,
		l->session_total},
	};

	for (size_t i = 0; i < sizeof(nested) / sizeof(nested[0]); i++) {
		if (nested[i].inner_s > nested[i].outer_s)
			check_error(c, nested[i].inner, "must not be above %s, %llu",
			    nested[i].outer, (unsigned long long)nested[i].outer_s);
	}
}

uint64_t
check_descriptors(const struct conf *conf)
{
	uint64_t workers = setup_workers(conf);
	uint64_t sessions = (conf->limits.sessions + workers - 1) / workers;

	return sessions * DESCRIPTORS_PER_SESSION + DESCRIPTORS_OF_A_PROGRAM;
}

uint64_t
check_raise_descriptors(uint64_t needed)
{
	struct rlimit limit, higher = {needed, needed};

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	/* Beyond the hard limit only with the capability, which root in a container may lack. */
	if (limit.rlim_max < needed && setrlimit(RLIMIT_NOFILE, &higher) == 0)
		return needed;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_max;
}

/* Reads one number. Returns: `otherwise` when there is none. */
static uint64_t
read_number(const char *path, uint64_t otherwise)
{
	FILE *f = fopen(path, "re");
	unsigned long long v;
	bool got = f != NULL && fscanf(f, "%llu", &v) == 1;

	if (f != NULL)
		fclose(f);
	return got ? v : otherwise;
}

static void
check_descriptor_limit(struct check *c)
{
	uint64_t needed = check_descriptors(c->conf);
	uint64_t there = check_raise_descriptors(needed);

	if (there < needed)
		check_error(c, "limits.sessions",
		    "%llu sessions need %llu descriptors for each worker, and the limit is %llu",
		    (unsigned long long)c->conf->limits.sessions, (unsigned long long)needed,
		    (unsigned long long)there);
}

static void
check_memory(struct check *c)
{
	const struct conf_limits *l = &c->conf->limits;
	unsigned workers = setup_workers(c->conf);
	uint64_t needed = l->message_memory + l->sessions * SESSION_MEMORY + PROGRAMS_MEMORY;
	uint64_t there, group = read_number("/sys/fs/cgroup/memory.max", UINT64_MAX);
	struct sysinfo info;

	if (l->message_memory / workers < l->message_size)
		check_error(c, "limits.message_memory",
		    "must be at least %llu, one largest message for each of %u workers",
		    (unsigned long long)(l->message_size * workers), workers);
	if (sysinfo(&info) == -1)
		return;
	there = (uint64_t)info.totalram * info.mem_unit;
	there = group < there ? group : there;
	if (needed > there)
		check_error(c, "limits.message_memory",
		    "with %llu sessions %llu octets of memory are needed, and there are %llu",
		    (unsigned long long)l->sessions, (unsigned long long)needed,
		    (unsigned long long)there);
}

void
check_limits(struct check *c)
{
	check_times(c);
	check_descriptor_limit(c);
	check_memory(c);
}

/* ---- accounts ---- */

/* What section users says of one program. */
struct user {
	enum program_id program;
	const char *option, *name;
	uid_t uid; /* 0: none */
};

static void
find_account(struct check *c, struct user *user)
{
	uint64_t base = c->conf->top.uid_base;
	const struct passwd *account = NULL;

	if (user->name == NULL) {
		user->uid = (uid_t)(base + (uint64_t)user->program);
		account = getpwuid(user->uid);
		if (account != NULL)
			check_error(c, "uid_base", "gives %s the number %llu of the account \"%s\"",
			    program_name(user->program), (unsigned long long)user->uid,
			    account->pw_name);
		return;
	}
	account = getpwnam(user->name);
	if (account == NULL)
		check_error(c, user->option, "there is no account \"%s\"", user->name);
	else if (account->pw_uid == 0)
		check_error(c, user->option, "must not be the superuser");
	user->uid = account != NULL ? account->pw_uid : 0;
}

/* Each program has an account of its own: no two may send signals to, or trace, each other. */
void
check_users(struct check *c)
{
	const struct conf_users *u = &c->conf->users;
	struct user users[] = {
	    {PROGRAM_SMTPD, "users.smtpd", u->smtpd, 0},
	    {PROGRAM_TLSD, "users.tlsd", u->tlsd, 0},
	    {PROGRAM_TLS_KEYS, "users.tls_keys", u->tls_keys, 0},
	    {PROGRAM_LOOKUPD, "users.lookupd", u->lookupd, 0},
	    {PROGRAM_VALIDATORS, "users.validators", u->validators, 0},
	    {PROGRAM_VALIDATOR, "users.validator", u->validator, 0},
	    {PROGRAM_RESOLVERD, "users.resolverd", u->resolverd, 0},
	    {PROGRAM_QUEUE_HANDOFF, "users.queue_handoff", u->queue_handoff, 0},
	};

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		find_account(c, &users[i]);
		for (size_t j = 0; j < i; j++) {
			if (users[i].uid != 0 && users[i].uid == users[j].uid)
				check_error(c, users[i].option, "is the account of %s too",
				    program_name(users[j].program));
		}
	}
}
