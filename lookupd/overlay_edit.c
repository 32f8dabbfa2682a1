#include "lookupd/overlay_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "lookupd/defaults.h"
#include "lookupd/loader.h"
#include "lookupd/publish.h"

/* Of malloc. Returns: NULL when memory is out. */
static char *
beside(const char *database, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s%s", database, suffix) < 0 ? NULL : path;
}

struct overlay *
overlay_beside(const char *database, const char **error_out)
{
	char *path = beside(database, OVERLAY_SUFFIX);
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
	struct overlay *o = NULL;

	*error_out = NULL;
	if (fd >= 0) {
		o = overlay_read(fd, error_out);
		close(fd);
	} else if (path == NULL || errno != ENOENT)
		*error_out = path == NULL ? "out of memory" : strerror(errno);
	free(path);
	return o;
}

/* Waits until nobody else changes the overlay. Returns: a descriptor to close, or -1 and errno. */
static int
lock(const char *database)
{
	char *path = beside(database, ".lock");
	int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	int error = errno;

	free(path);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			error = errno;
			close(fd);
			fd = -1;
		}
	errno = error;
	return fd;
}

/* Returns: 0 or -1 and errno. */
static int
store(const char *database, const struct overlay *o)
{
	char *path = beside(database, OVERLAY_SUFFIX);
	size_t len = 0;
	char *text = overlay_format(o, &len);
	struct publish p = {.fd = -1};
	int status = -1;

	errno = ENOMEM;
	if (path == NULL || text == NULL || publish_begin(&p, path) < 0)
		goto out;
	for (size_t at = 0; at < len;) {
		ssize_t n = write(p.fd, text + at, len - at);

		if (n < 0 && errno != EINTR)
			goto out;
		at += n > 0 ? (size_t)n : 0;
	}
	status = publish_commit(&p);
out:
	publish_abort(&p);
	free(text);
	free(path);
	return status;
}

/* ---- changes ---------------------------------------------------------------------------------------- */

static int
refuse(FILE *messages, const char *what, const char *detail, int status)
{
	struct report report = {.to = messages};

	report_error(&report, NULL, 0, what, span_str(detail));
	return status;
}

/* A value with a blank in it has lost its quotes to the shell. */
static void
put_word(struct buf *b, const char *word)
{
	struct span s = span_str(word);
	size_t at = span_find(s, '=');
	struct span value = span_from(s, at + 1);

	if (at < s.len && span_find(value, ' ') < value.len && value.p[0] != '"') {
		buf_put_span(b, span_head(s, at + 1));
		buf_put_u8(b, '"');
		buf_put_span(b, value);
		buf_put_u8(b, '"');
	} else
		buf_put_span(b, s);
}

/* The line of a list that the words make. Returns: false when it is too long. */
static bool
make_line(const struct overlay_change *change, struct buf *b)
{
	bool attributes = false;

	for (size_t i = 0; i < change->word_count; i++) {
		if (i > 0)
			buf_put_u8(b, ' ');
		if (i > 0 && change->verb == OVERLAY_DEFER &&
		    strncmp(change->words[i], "defer=", 6) != 0) {
			/* The text alone will do. */
			buf_put_str(b, "defer=\"");
			buf_put_str(b, change->words[i]);
			buf_put_u8(b, '"');
		} else
			put_word(b, change->words[i]);
		attributes = i > 0;
	}
	if (change->verb == OVERLAY_DEFER && !attributes)
		buf_put_str(b, " defer=\"4.2.1 Mailbox is being moved\"");
	return !b->full;
}

/* Somebody's slip of the keyboard must not make this a relay for a foreign domain. */
static int
check_domain(const struct overlay_change *change, struct span line, FILE *messages)
{
	struct list_entry said;
	const char *error;
	bool unreadable;
	struct domain d;
	struct database *db;
	int fd, status = EX_OK;

	if (change->force || list_parse(line, &said, &error) != LIST_ENTRY)
		return EX_OK; /* overlay_say() tells what is wrong with it */
	fd = open(change->database, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return refuse(messages, change->database, strerror(errno), EX_CONFIG);
	db = loader_load(fd, &error, &unreadable);
	if (db == NULL)
		return refuse(messages, change->database, error, EX_TEMPFAIL);
	if (!defaults_domain(db, said.domain, &d))
		status = refuse(messages,
		    "the database does not serve this domain (--force: it is meant)",
		    change->words[0], EX_CONFIG);
	database_free(&db);
	return status;
}

static int
change_locked(const struct overlay_change *change, struct span line, FILE *messages)
{
	const char *error;
	struct overlay *o = overlay_beside(change->database, &error);
	int status = EX_OK;

	if (o == NULL && error == NULL)
		o = overlay_new();
	if (o == NULL)
		return refuse(messages, "the overlay cannot be used",
		    error != NULL ? error : "out of memory", EX_TEMPFAIL);
	error = overlay_say(o, change->verb, change->now, line);
	if (error != NULL)
		status = refuse(messages, error, change->words[0], EX_CONFIG);
	else if (store(change->database, o) < 0)
		status = refuse(messages, "the overlay cannot be written", strerror(errno),
		    errno == EACCES || errno == EROFS ? EX_CONFIG : EX_TEMPFAIL);
	overlay_free(&o);
	return status;
}

int
overlay_change(const struct overlay_change *change, FILE *messages)
{
	uint8_t octets[LIST_LINE_MAX + 1];
	struct buf line = BUF_OVER(octets);
	int fd, status;

	if (!make_line(change, &line))
		return refuse(messages, "that is too long", "", EX_USAGE);
	status = check_domain(change, buf_span(&line), messages);
	if (status != EX_OK)
		return status;
	fd = lock(change->database);
	if (fd < 0)
		return refuse(messages, "the lock beside the database", strerror(errno),
		    errno == ENOENT || errno == EACCES || errno == EROFS ? EX_CONFIG : EX_TEMPFAIL);
	status = change_locked(change, buf_span(&line), messages);
	close(fd);
	return status;
}

/* ---- after a compile --------------------------------------------------------------------------------- */

static bool
agrees(const struct overlay_entry *e, const struct database *db)
{
	struct address a;
	struct lookup_result r;

	if (address_from_inside(e->item.key, &a) != ADDRESS_OK)
		return false;
	lookup(db, &a, &r);
	switch (e->verb) {
	case OVERLAY_ADD:
		return e->said.verdict == LIST_REJECT  ? r.verdict == RCPT_REFUSED
		       : e->said.verdict == LIST_DEFER ? r.verdict == RCPT_DEFERRED
		                                       : r.verdict == RCPT_ACCEPTED;
	case OVERLAY_REMOVE:
		return r.verdict == RCPT_UNKNOWN_USER || r.verdict == RCPT_UNKNOWN_DOMAIN ||
		       r.verdict == RCPT_REFUSED;
	default:
		return r.verdict == RCPT_DEFERRED;
	}
}

static void
fold(struct overlay *o, const char *path, const struct database *db, struct report *report)
{
	char what[64];

	for (struct overlay_entry *e = o->first; e != NULL; e = e->next) {
		if (e->dropped)
			continue;
		if (agrees(e, db)) {
			e->dropped = true;
			o->count--;
			continue;
		}
		snprintf(what, sizeof(what), "the sources do not say so yet, it stays: %s",
		    overlay_verb_name(e->verb));
		report_warning(report, path, 0, what, e->item.key);
	}
	o->generation = db->header.generation;
}

/* An entry that somebody adds meanwhile stays for the next time. */
static bool
is_there(const char *database)
{
	char *path = beside(database, OVERLAY_SUFFIX);
	bool there = path == NULL || access(path, F_OK) == 0 || errno != ENOENT;

	free(path);
	return there;
}

static int
fold_locked(const char *database, const struct database *db, struct report *report)
{
	int fd = lock(database), status = 0;
	const char *error = NULL;
	struct overlay *o = fd >= 0 ? overlay_beside(database, &error) : NULL;

	if (fd < 0)
		error = strerror(errno);
	if (o != NULL) {
		fold(o, database, db, report);
		if (store(database, o) < 0)
			error = strerror(errno);
	}
	if (error != NULL) {
		report_error(report, database, 0,
		    "the database is in place, its overlay could not be folded in",
		    span_str(error));
		status = -1;
	}
	overlay_free(&o);
	if (fd >= 0)
		close(fd);
	return status;
}

int
overlay_fold(const char *database, const struct database *db, struct report *report)
{
	return is_there(database) ? fold_locked(database, db, report) : 0;
}
