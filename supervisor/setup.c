#include "supervisor/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/check.h"
#include "supervisor/wiring.h"

enum { CONF_OCTETS_MAX = 56000 };

/* The group whose server is a program on this host, or NULL. */
static const struct conf_backend *
local_backend(const struct conf *conf)
{
	for (size_t i = 0; i < conf->backend_count; i++)
		if (conf->backend[i].protocol == CONF_PROTOCOL_QMAIL_QUEUE)
			return &conf->backend[i];
	return NULL;
}

bool
setup_wanted(const struct conf *conf, enum program_id id)
{
	switch (id) {
	case PROGRAM_TLSD:
	case PROGRAM_TLS_KEYS:
		return conf->tls.certificate != NULL;
	case PROGRAM_VALIDATOR:
		return conf->spf.check || conf->dkim.check || conf->dmarc.check;
	case PROGRAM_RESOLVERD:
		return conf->spf.check || conf->dkim.check || conf->dmarc.check ||
		       conf_judges_clients(conf);
	case PROGRAM_QMAIL_QUEUE:
		return local_backend(conf) != NULL;
	case PROGRAM_SUPERVISOR:
	case PROGRAM_CLI:
		return false;
	default:
		return true;
	}
}

unsigned
setup_workers(const struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t workers = conf->top.workers;
	/* Each worker's share of the memory must hold one message of the largest size. */
	uint64_t affordable = conf->limits.message_memory / conf->limits.message_size;

	if (workers == 0) {
		workers = cores > 0 ? (uint64_t)cores : 1;
		if (workers > affordable && affordable > 0)
			workers = affordable;
	}
	return workers > WORKERS_MAX ? WORKERS_MAX : (unsigned)workers;
}

/* ---- options ------------------------------------------------------------------------------------ */

/* A worker's share of what the options give to all workers together. */
static struct conf
share_of_worker(const struct conf *conf)
{
	struct conf mine = *conf;
	unsigned workers = setup_workers(conf);

	mine.limits.message_memory = (conf->limits.message_memory + workers - 1) / workers;
	mine.limits.sessions = (conf->limits.sessions + workers - 1) / workers;
	return mine;
}

static int
send_conf(struct child *c)
{
	static uint8_t room[CONF_OCTETS_MAX];
	struct buf b = BUF_OVER(room);
	struct conf mine = share_of_worker(c->generation->conf);
	struct msg_conf m = {.pairs = {.count = 0}};

	if (!conf_put_pairs(
		c->id == PROGRAM_SMTPD ? &mine : c->generation->conf, c->id, &b, &m.pairs.count))
		return -1;
	m.pairs.encoded = buf_span(&b);
	return link_send(c->control, MSG_conf, &m, -1) ? 0 : -1;
}

/* ---- secret, files, listeners --------------------------------------------------------------------- */

static int
send_secret(struct child *c)
{
	struct msg_secret m;

	if (c->id != PROGRAM_LOOKUPD && c->id != PROGRAM_QUEUE_HANDOFF)
		return 0;
	memcpy(m.key, c->generation->grant_key, sizeof(m.key));
	return link_send(c->control, MSG_secret, &m, -1) ? 0 : -1;
}

static int
send_clients(struct child *c)
{
	const struct client_slots *slots = &c->generation->around->clients;
	struct msg_clients m = {.slot = (uint8_t)c->client_slot};
	int fd;

	if (c->id != PROGRAM_SMTPD)
		return 0;
	memcpy(m.key, slots->key, sizeof(m.key));
	fd = fcntl(slots->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || c->client_slot == CLIENT_SLOT_NONE) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return link_send(c->control, MSG_clients, &m, fd) ? 0 : -1;
}

/* A file that others may write is not the operator's word. */
static int
open_trusted(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) == 0)
		return fd;
	if (fd >= 0) {
		close(fd);
		errno = EPERM;
	}
	return -1;
}

/* Returns: the file, or -1 when it cannot be given to anybody. */
static int
open_for(struct child *c, const char *path)
{
	int fd = open_trusted(path);

	if (fd < 0) {
		log_event_errno(EVENT_file_refused, "path", path, errno);
		c->generation->file_refused = true;
	}
	return fd;
}

/* Whether what the file says of recipients may be believed; check_recipients_file tells more. */
static bool
is_believed(struct child *c, enum file_kind kind, const char *path)
{
	const char *wrong = kind == FILE_RECIPIENTS ? check_recipients_file(path) : NULL;

	if (wrong == NULL || access(path, F_OK) != 0)
		return true; /* that it is not there, open_for() says */
	log_event1(EVENT_recipients_refused, "reason", wrong);
	c->generation->file_refused = true;
	return false;
}

int
setup_send_file(struct child *c, enum file_kind kind, const char *path)
{
	struct msg_file m = {.kind = (uint8_t)kind, .count = 1, .name = span_str(path)};
	int fd = is_believed(c, kind, path) ? open_for(c, path) : -1;

	if (fd < 0 || !link_send(c->control, MSG_file, &m, fd))
		return -1;
	c->files_open++;
	return 0;
}

void
setup_send_optional(struct child *c, enum file_kind kind, const char *path)
{
	struct msg_file m = {.kind = (uint8_t)kind, .count = 1, .name = span_str(path)};
	struct msg_file_gone refused = {
	    .kind = (uint8_t)kind, .refused = 1, .name = span_str(path)};
	int fd = open_trusted(path);

	if (fd < 0 && errno != ENOENT) {
		log_event_errno(EVENT_file_refused, "path", path, errno);
		link_send(c->control, MSG_file_gone, &refused, -1);
	}
	if (fd >= 0 && link_send(c->control, MSG_file, &m, fd))
		c->files_open++;
}

/* PATH and a suffix. */
static void
send_beside(struct child *c, enum file_kind kind, const char *path, const char *suffix)
{
	char beside[4096];
	int n = snprintf(beside, sizeof(beside), "%s%s", path, suffix);

	if (n > 0 && (size_t)n < sizeof(beside))
		setup_send_optional(c, kind, beside);
}

/* In: index, 0 for the pair in section tls, then those of the sections keypair. */
static const char *
path_of_pair(const struct conf *conf, enum file_kind kind, size_t index)
{
	const struct conf_keypair *pair = index > 0 ? &conf->keypair[index - 1] : NULL;

	if (kind == FILE_KEY)
		return pair != NULL ? pair->key : conf->tls.key;
	return pair != NULL ? pair->certificate : conf->tls.certificate;
}

/* All certificates, or all keys: the default one first. What cannot be opened is left out. */
static void
send_pairs(struct child *c, enum file_kind kind)
{
	const struct conf *conf = c->generation->conf;
	struct msg_file set[1 + CONF_MOST_keypair];
	int fds[1 + CONF_MOST_keypair];
	uint8_t count = 0;

	for (size_t i = 0; i <= conf->keypair_count; i++) {
		const char *path = path_of_pair(conf, kind, i);

		fds[count] = open_for(c, path);
		if (fds[count] < 0)
			continue;
		set[count] = (struct msg_file){
		    .kind = (uint8_t)kind, .index = count, .name = span_str(path)};
		count++;
	}
	for (uint8_t i = 0; i < count; i++) {
		set[i].count = count;
		if (link_send(c->control, MSG_file, &set[i], fds[i]))
			c->files_open++;
	}
}

/* A file that cannot be opened now does not stop the start: the program answers 4xx without it. */
static void
send_files(struct child *c)
{
	const struct conf *conf = c->generation->conf;

	if (c->id == PROGRAM_LOOKUPD) {
		/* First what is taken should the other be no good. */
		send_beside(c, FILE_PREVIOUS, conf->top.recipients, ".prev");
		send_beside(c, FILE_OVERLAY, conf->top.recipients, ".overlay");
		setup_send_file(c, FILE_RECIPIENTS, conf->top.recipients);
	}
	if (c->id == PROGRAM_TLS_KEYS)
		send_pairs(c, FILE_KEY);
	if (c->id == PROGRAM_TLSD)
		send_pairs(c, FILE_CERTIFICATE);
}

static int
send_listeners(struct child *c)
{
	const struct listeners *all = &c->generation->listeners;

	if (c->id != PROGRAM_SMTPD)
		return 0;
	for (size_t i = 0; i < all->count; i++) {
		struct msg_listener m = {
		    .tls = all->item[i].tls, .name = span_str(all->item[i].name)};
		int fd = fcntl(all->item[i].fd, F_DUPFD_CLOEXEC, 0);

		if (fd < 0 || !link_send(c->control, MSG_listener, &m, fd))
			return -1;
	}
	return 0;
}

/* ---- start ---------------------------------------------------------------------------------------- */

/* The name of a program's account, or NULL. */
static const char *
account_of(const struct conf *conf, enum program_id id)
{
	const struct conf_users *users = &conf->users;
	static const size_t offsets[PROGRAM_COUNT] = {
	    [PROGRAM_SMTPD] = offsetof(struct conf_users, smtpd),
	    [PROGRAM_TLSD] = offsetof(struct conf_users, tlsd),
	    [PROGRAM_TLS_KEYS] = offsetof(struct conf_users, tls_keys),
	    [PROGRAM_LOOKUPD] = offsetof(struct conf_users, lookupd),
	    [PROGRAM_VALIDATORS] = offsetof(struct conf_users, validators),
	    [PROGRAM_VALIDATOR] = offsetof(struct conf_users, validator),
	    [PROGRAM_RESOLVERD] = offsetof(struct conf_users, resolverd),
	    [PROGRAM_QUEUE_HANDOFF] = offsetof(struct conf_users, queue_handoff),
	};
	const char *name;

	if (id == PROGRAM_QMAIL_QUEUE)
		return local_backend(conf)->user;
	memcpy(&name, (const char *)users + offsets[id], sizeof(name));
	return name;
}

/* The group is the account's, unless another one is named. Returns: whether it exists. */
static bool
group_of(const struct conf *conf, enum program_id id, const struct passwd *pw, uint32_t *gid_out)
{
	const char *name = id == PROGRAM_QMAIL_QUEUE ? local_backend(conf)->group : NULL;
	const struct group *gr = name != NULL ? getgrnam(name) : NULL;

	*gid_out = gr != NULL ? gr->gr_gid : pw->pw_gid;
	return name == NULL || gr != NULL;
}

static int
send_start(struct child *c)
{
	const struct surroundings *around = c->generation->around;
	const char *account = account_of(c->generation->conf, c->id);
	struct msg_start m = {.index = (uint8_t)c->index, .instance = c->instance};
	struct passwd *pw;

	if (around->privileged) {
		m.uid = m.gid = (uint32_t)(c->generation->conf->top.uid_base + (uint64_t)c->id);
		m.empty_dir = span_str(around->empty_dir);
	}
	if (around->privileged && account != NULL) {
		pw = getpwnam(account);
		if (pw == NULL || pw->pw_uid == 0 ||
		    !group_of(c->generation->conf, c->id, pw, &m.gid)) {
			log_event1(EVENT_account_missing, "account", account);
			return -1;
		}
		m.uid = pw->pw_uid;
	}
	return link_send(c->control, MSG_start, &m, -1) ? 0 : -1;
}

int
setup_send(struct child *c)
{
	if (send_conf(c) != 0 || send_secret(c) != 0 || send_clients(c) != 0)
		return -1;
	send_files(c);
	if (send_listeners(c) != 0)
		return -1;
	wiring_connect(c);
	return send_start(c);
}
