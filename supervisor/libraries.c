#include "supervisor/libraries.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

#include "supervisor/version.h"

#define DPKG_STATUS "/var/lib/dpkg/status"

enum {
	OCTETS_MOST = 32 << 20, /* of a file; 60,000 packages have half of it */
	LINE_MOST = 512,        /* octets of a line that are looked at */
};

/* ---- lines ---- */

struct reader {
	FILE *file;
	size_t octets; /* read so far */
	uint8_t line[LINE_MOST];
};

/* Returns: false at the end, and past what is read at most. Out: *line_out, cut at LINE_MOST. */
static bool
read_line(struct reader *r, struct span *line_out)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(r->file)) != EOF && c != '\n' && r->octets < OCTETS_MOST) {
		if (len < sizeof(r->line))
			r->line[len++] = (uint8_t)c;
		r->octets++;
	}
	r->octets++;
	*line_out = span_of(r->line, len);
	return r->octets <= OCTETS_MOST && (c == '\n' || len > 0);
}

/* Returns: false, and *out is "", for what is neither a name nor a version. */
static bool
keep_word(struct span word, char out[LIBRARY_WORD])
{
	out[0] = '\0';
	if (word.len == 0 || word.len >= LIBRARY_WORD)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_alpha(word.p[i]) && !ascii_is_digit(word.p[i]) &&
		    span_find(SPAN("+-.~:"), word.p[i]) == strlen("+-.~:"))
			return false;
	memcpy(out, word.p, word.len);
	out[word.len] = '\0';
	return true;
}

/* ---- the record ---- */

void
libraries_read(FILE *record, struct libraries *out)
{
	struct reader r = {.file = record};
	struct span line;

	out->count = 0;
	while (out->count < LIBRARIES_MOST && read_line(&r, &line)) {
		struct library *l = &out->item[out->count];

		l->here[0] = '\0';
		if (keep_word(span_take_word(&line), l->package) &&
		    keep_word(span_take_word(&line), l->version) &&
		    keep_word(span_take_word(&line), l->source) &&
		    keep_word(span_take_word(&line), l->source_version) &&
		    span_take_word(&line).len == 0)
			out->count++;
	}
}

/* ---- what dpkg has ---- */

/* A paragraph of the file: one package. */
struct paragraph {
	bool installed;
	char package[LIBRARY_WORD], version[LIBRARY_WORD];
	char source[LIBRARY_WORD], source_version[LIBRARY_WORD]; /* "": as the package */
};

/* "WANT FLAG STATE"; in these states the files of the version are in place, dpkg(1). */
static bool
is_in_place(struct span status)
{
	static const char *const states[] = {
	    "installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending"};
	struct span state;

	span_take_word(&status);
	span_take_word(&status);
	state = span_take_word(&status);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (span_eq(state, span_str(states[i])))
			return true;
	return false;
}

/* "SOURCE", and " (VERSION)" where it is another one than that of the package. */
static void
keep_source(struct paragraph *p, struct span value)
{
	struct span version;

	keep_word(span_take_word(&value), p->source);
	version = span_take_word(&value);
	if (version.len > 2 && version.p[0] == '(' && version.p[version.len - 1] == ')')
		keep_word(span_head(span_from(version, 1), version.len - 2), p->source_version);
}

static void
read_field(struct paragraph *p, struct span line)
{
	size_t colon = span_find(line, ':');
	struct span name = span_head(line, colon), value = span_from(line, colon + 1);

	if (span_eq_nocase(name, SPAN("Package")))
		keep_word(span_take_word(&value), p->package);
	else if (span_eq_nocase(name, SPAN("Status")))
		p->installed = is_in_place(value);
	else if (span_eq_nocase(name, SPAN("Version")))
		keep_word(span_take_word(&value), p->version);
	else if (span_eq_nocase(name, SPAN("Source")))
		keep_source(p, value);
}

/*
 * The newest counts: what an upgrade of Debian left behind, under a name of its own, is not what the
 * host uses.
 */
static void
end_paragraph(const struct paragraph *p, struct libraries *libraries)
{
	const char *source = p->source[0] != '\0' ? p->source : p->package;
	const char *version = p->source_version[0] != '\0' ? p->source_version : p->version;

	if (!p->installed || version[0] == '\0')
		return;
	for (unsigned i = 0; i < libraries->count; i++) {
		struct library *l = &libraries->item[i];

		if (strcmp(l->source, source) == 0 &&
		    (l->here[0] == '\0' ||
			version_compare(span_str(version), span_str(l->here)) > 0))
			memcpy(l->here, version, strlen(version) + 1);
	}
}

void
libraries_compare(FILE *status, struct libraries *libraries)
{
	struct reader r = {.file = status};
	struct paragraph p = {0};
	struct span line;

	while (read_line(&r, &line)) {
		if (line.len > 0) {
			read_field(&p, line);
			continue;
		}
		end_paragraph(&p, libraries);
		p = (struct paragraph){0};
	}
	if (feof(status) != 0)
		end_paragraph(&p, libraries);
}

/* ---- both ---- */

bool
library_is_outdated(const struct library *library)
{
	return library->here[0] != '\0' &&
	       version_compare(span_str(library->here), span_str(library->source_version)) > 0;
}

/* Returns: NULL for what is no regular file, too: the supervisor must not wait for a writer. */
static FILE *
open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	FILE *file = NULL;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		file = fdopen(fd, "r");
	if (file == NULL)
		close(fd);
	return file;
}

void
libraries_look(const char *record_path, const char *status_path, struct libraries *libraries_out)
{
	FILE *file = open_file(record_path);

	libraries_out->count = 0;
	if (file != NULL) {
		libraries_read(file, libraries_out);
		fclose(file);
	}
	file = libraries_out->count > 0 ? open_file(status_path) : NULL;
	if (file != NULL) {
		libraries_compare(file, libraries_out);
		fclose(file);
	}
}

static void
look(const char *libexec_dir, struct libraries *libraries_out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/validator.libraries", libexec_dir);
	libraries_look(path, DPKG_STATUS, libraries_out);
}

void
libraries_print(const char *libexec_dir, FILE *out)
{
	struct libraries libraries;

	look(libexec_dir, &libraries);
	for (unsigned i = 0; i < libraries.count; i++) {
		const struct library *l = &libraries.item[i];

		if (library_is_outdated(l))
			fprintf(out,
			    "validator: warning: was built with %s %s inside, and this host has %s "
			    "of "
			    "%s: build and install Gatehouse again\n",
			    l->package, l->version, l->here, l->source);
	}
}

void
libraries_log(const char *libexec_dir)
{
	struct libraries libraries;
	struct log_line line;

	look(libexec_dir, &libraries);
	for (unsigned i = 0; i < libraries.count; i++) {
		const struct library *l = &libraries.item[i];

		if (!library_is_outdated(l))
			continue;
		log_begin(&line, EVENT_library_outdated);
		log_str(&line, "program", "validator");
		log_str(&line, "library", l->package);
		log_str(&line, "inside", l->version);
		log_str(&line, "source", l->source);
		log_str(&line, "here", l->here);
		log_str(&line, "advice", "build and install Gatehouse again, then reload");
		log_end(&line);
	}
}
