#include "lookupd/watch_sources.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

#include "lookupd/keymap.h"
#include "lookupd/report.h"

enum {
	EVENTS = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB |
	         IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

/* A file or directory that a source was read from. */
struct watched {
	struct keymap_item item; /* its path */
	struct watched *next;
	char path[];
};

struct watcher {
	const struct compile_options *options;
	struct report report;
	int fd;                     /* inotify */
	struct keymap files, by_wd; /* by_wd: directories by the number of their watch */
	struct watched *first_file, *first_directory;
	size_t directories;
	char output[PATH_MAX]; /* without directory */
};

static struct watched *
new_watched(const char *path, struct span key, struct watched **list)
{
	size_t len = strlen(path);
	struct watched *w = malloc(sizeof(*w) + len + 1 + key.len);

	if (w == NULL)
		return NULL;
	memcpy(w->path, path, len + 1);
	if (key.len > 0)
		memcpy(w->path + len + 1, key.p, key.len);
	w->item.key = key.len > 0 ? span_of(w->path + len + 1, key.len) : span_of(w->path, len);
	w->next = *list;
	*list = w;
	return w;
}

/* A directory is watched once: the kernel gives the same number again. */
static void
watch_directory(struct watcher *w, const char *path)
{
	int wd = inotify_add_watch(w->fd, path, EVENTS);
	struct span key = span_of(&wd, sizeof(wd));
	struct watched *d;

	if (wd < 0 && errno == ENOSPC)
		report_warning(&w->report, path, 0,
		    "cannot be watched: fs.inotify.max_user_watches is too small",
		    span_of(NULL, 0));
	if (wd < 0 || keymap_get(&w->by_wd, key) != NULL || w->directories >= WATCH_DIRECTORIES_MAX)
		return;
	d = new_watched(path, key, &w->first_directory);
	if (d != NULL && keymap_add(&w->by_wd, &d->item) == 0)
		w->directories++;
}

/* A file with its directory, for it is often replaced by another of its name. */
static void
watch_path(struct watcher *w, const char *path)
{
	char copy[PATH_MAX];
	struct stat st;
	struct watched *f;
	size_t len = strlen(path);

	if (path[0] == '\0' || len >= sizeof(copy) || keymap_get(&w->files, span_str(path)) != NULL)
		return;
	f = new_watched(path, span_of(NULL, 0), &w->first_file);
	if (f == NULL || keymap_add(&w->files, &f->item) < 0)
		return;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		watch_directory(w, path);
	memcpy(copy, path, len + 1);
	watch_directory(w, dirname(copy));
}

static void
on_file(void *ctx, const char *path)
{
	watch_path(ctx, path);
}

/* ---- events ---------------------------------------------------------------------------------------- */

/* What we write ourselves is no change of a source. */
static bool
is_ours(const struct watcher *w, const char *name)
{
	size_t len = strlen(w->output);

	return strncmp(name, w->output, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

static bool
is_file_of_source(const struct watcher *w, int wd, const char *name)
{
	const struct watched *d = (const void *)keymap_get(&w->by_wd, span_of(&wd, sizeof(wd)));
	char path[PATH_MAX + NAME_MAX + 2];
	bool here = d != NULL && strcmp(d->path, ".") == 0;
	int n;

	if (d == NULL)
		return true;
	n = snprintf(path, sizeof(path), "%s/%s", d->path, name);
	return n > 0 && (size_t)n < sizeof(path) &&
	       (keymap_get(&w->files, span_str(path)) != NULL ||
		   (here && keymap_get(&w->files, span_str(name)) != NULL));
}

/*
 * Mail that is delivered into a home changes files there all day: of a file that no source was
 * read from only its coming and going counts.
 */
static bool
matters(const struct watcher *w, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW)
		return true;
	if (e->len == 0)
		return (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB)) != 0;
	if (is_ours(w, e->name))
		return false;
	if (e->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
		return true;
	return is_file_of_source(w, e->wd, e->name);
}

/* Returns: whether one of the events that wait matters. */
static bool
take_events(struct watcher *w)
{
	_Alignas(struct inotify_event) char octets[64 * 1024];
	ssize_t n = read(w->fd, octets, sizeof(octets));
	bool any = false;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(octets + at);

		any = any || matters(w, e);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
	return any;
}

/* Returns: whether something that matters came; false when the time was over. */
static bool
wait_event(struct watcher *w, int64_t timeout_ms)
{
	uint64_t end = clock_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
	struct pollfd p = {.fd = w->fd, .events = POLLIN};

	for (;;) {
		uint64_t now = clock_ms();
		int left = timeout_ms < 0 ? -1 : now < end ? (int)(end - now) : 0;
		int n = poll(&p, 1, left);

		if (n > 0 && take_events(w))
			return true;
		if (n == 0 || (timeout_ms >= 0 && clock_ms() >= end))
			return false;
	}
}

/* Until there has been quiet for a while after a change, but not for ever. */
static void
wait_change(struct watcher *w, unsigned every_s)
{
	uint64_t begin;

	if (!wait_event(w, every_s > 0 ? (int64_t)every_s * 1000 : -1))
		return;
	begin = clock_ms();
	while (clock_ms() - begin < WATCH_LATEST_MS && wait_event(w, WATCH_QUIET_MS))
		;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static int
watcher_init(struct watcher *w, const struct compile_options *options, FILE *messages)
{
	char copy[PATH_MAX];

	*w = (struct watcher){.options = options, .report = {.to = messages}};
	keymap_init(&w->files);
	keymap_init(&w->by_wd);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0 || strlen(options->output) >= sizeof(copy)) {
		report_error(&w->report, NULL, 0, "changes cannot be watched",
		    span_str(strerror(w->fd < 0 ? errno : ENAMETOOLONG)));
		return -1;
	}
	memcpy(copy, options->output, strlen(options->output) + 1);
	snprintf(w->output, sizeof(w->output), "%s", basename(copy));
	return 0;
}

/* The sources as they are named: KIND:PATH, perhaps with more behind commas. */
static void
watch_named(struct watcher *w)
{
	for (size_t i = 0; i < w->options->source_count; i++) {
		const char *colon = strchr(w->options->sources[i], ':');
		char path[PATH_MAX];
		size_t len = colon != NULL ? strcspn(colon + 1, ",") : 0;

		if (len == 0 || len >= sizeof(path))
			continue;
		memcpy(path, colon + 1, len);
		path[len] = '\0';
		watch_path(w, path);
	}
}

int
watch_sources(struct compile_options *options, unsigned every_s, FILE *messages)
{
	struct watcher w;

	if (watcher_init(&w, options, messages) < 0)
		return EX_TEMPFAIL;
	options->on_file = on_file;
	options->ctx = &w;
	watch_named(&w);
	for (;;) {
		int status = compile(options, messages);

		if (status == EX_USAGE)
			return status;
		fflush(messages);
		wait_change(&w, every_s);
		options->now = clock_unix();
	}
}
