#include "supervisor/recipients.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/check.h"

/*
 * Whether there is a new file under the name, new content in it, or another owner or mode. While
 * a rename by hand is half done, what is served stays.
 * In: *seen, how it was; out: how it is.
 */
static bool
has_changed(const char *path, struct stat *seen)
{
	struct stat now;

	if (stat(path, &now) != 0)
		return false;
	if (now.st_ino == seen->st_ino && now.st_dev == seen->st_dev &&
	    now.st_size == seen->st_size && now.st_mtim.tv_sec == seen->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec &&
	    now.st_ctim.tv_sec == seen->st_ctim.tv_sec &&
	    now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec)
		return false;
	*seen = now;
	return true;
}

/*
 * Whether a file that was there is gone; at the second look, since one that is moved by hand into
 * its place may be missing for a moment.
 */
static bool
is_gone(const char *path, struct stat *seen, unsigned *missed)
{
	struct stat now;

	if (stat(path, &now) == 0 || errno != ENOENT || seen->st_ino == 0) {
		*missed = 0;
		return false;
	}
	if (++*missed < 2)
		return false;
	*seen = (struct stat){0};
	return true;
}

/* Of the database; an empty text when that is too long. */
static const char *
overlay_path(const struct generation *g, char *path, size_t cap)
{
	int n = snprintf(path, cap, "%s.overlay", g->conf->top.recipients);

	return n > 0 && (size_t)n < cap ? path : "";
}

/* One that was refused for who may write it, or its directory, is looked at until that is mended. */
static void
look_at_database(struct recipients_seen *seen, struct generation *g)
{
	const char *path = g->conf->top.recipients, *wrong;
	bool changed = has_changed(path, &seen->database);

	if (!changed && !seen->refused)
		return;
	wrong = check_recipients_file(path);
	seen->refused = wrong != NULL;
	if (wrong == NULL)
		generation_pass_recipients(g);
	else if (changed)
		log_event1(EVENT_recipients_refused, "reason", wrong);
}

void
recipients_given(struct recipients_seen *seen, const char *path)
{
	stat(path, &seen->database);
	seen->refused = check_recipients_file(path) != NULL;
	seen->overlay = (struct stat){0}; /* given once more than needed, which does no harm */
}

void
recipients_look(struct recipients_seen *seen, struct generation *g)
{
	char path[4096];
	const char *overlay = overlay_path(g, path, sizeof(path));

	/* The database first: a change that it has folded in is gone from the overlay. */
	look_at_database(seen, g);
	if (has_changed(overlay, &seen->overlay))
		generation_pass_overlay(g, overlay);
	else if (is_gone(overlay, &seen->overlay, &seen->overlay_missed))
		generation_overlay_gone(g, overlay);
}
