/*
 * Takes a recipients.cdb from a descriptor into private memory and checks the whole of it.
 *
 * The file is read into private memory: whoever truncates or overwrites it in place makes the
 * digest wrong, and the file is refused, but does not reach what is served. A very large one is
 * mapped. The work is cut into steps
 * so that questions are answered in between.
 *
 * Refused are files that are empty, damaged (SHA-256), foreign, of another version, without the
 * canary or without any recipient, or whose hash tables would make a question expensive.
 */
#ifndef LOOKUPD_LOADER_H
#define LOOKUPD_LOADER_H

#include "lookupd/database.h"

struct loader;

enum loader_status { LOADER_MORE, LOADER_DONE, LOADER_BAD };

/*
 * Takes ownership of fd, open for reading.
 * Returns: NULL when memory is out; fd is closed then.
 */
struct loader *loader_new(int fd);

/* The same for octets in memory of malloc, whose ownership passes in every case. */
struct loader *loader_new_memory(uint8_t *octets, size_t len);

void loader_free(struct loader **l);

/*
 * Files of more octets than that are mapped instead of copied; without this, of more than
 * LOADER_PRIVATE_MAX. Files of more than file_max are refused. The steps then read what is mapped:
 * fault.h.
 */
void loader_limits(struct loader *l, uint64_t private_max, uint64_t file_max);
#define LOADER_PRIVATE_MAX ((uint64_t)1024 * 1024 * 1024)

/* A step was left because the mapped file has ended: LOADER_BAD. */
void loader_fault(struct loader *l);

/*
 * The file must also be a safe successor (guard.h): by what it says of the one that it replaced,
 * and, when that is not the one in service, compared with that.
 * In: in_service, NULL for none; must outlive the loader.
 */
void loader_guard(struct loader *l, unsigned share, const struct database *in_service);

/* Does about 4 ms of work. */
enum loader_status loader_step(struct loader *l);

/* After LOADER_BAD: why; lives as long as the loader. */
const char *loader_error(const struct loader *l);

/* After LOADER_BAD: the file could not be read (as opposed to: it is wrong). */
bool loader_unreadable(const struct loader *l);

/* After LOADER_DONE, once: the database, owned by the caller. */
struct database *loader_take(struct loader *l);

/*
 * All steps at once. Takes ownership of fd.
 * Out: *error_out, a static text: there is no guard; *unreadable_out, as above.
 * Returns: the database, or NULL.
 */
struct database *loader_load(int fd, const char **error_out, bool *unreadable_out);

#endif
