/*
 * An installation of qmail, as an importer sees it; private to qmail*.c and vpopmail*.c.
 *
 * recipients.md tells the rules; each function says which program of qmail it follows.
 */
#ifndef LOOKUPD_QMAIL_H
#define LOOKUPD_QMAIL_H

#include "lookupd/accounts.h"
#include "lookupd/collection.h"
#include "lookupd/dotqmail.h"
#include "lookupd/options.h"
#include "lookupd/tree.h"

enum {
	CONTROL_MAX = 64 * 1024 * 1024,
	CDB_MAX = 1024 * 1024 * 1024,
	PASSWD_MAX = 512 * 1024 * 1024,
	CONTROLLER_MAX = 4096, /* octets of an encoded one */
};

/* The files of one user, asked for with one dash. */
struct qmail_target {
	struct keymap_item item;
	bool fixed; /* his home decides already */
	enum leaf_verdict verdict;
	uint32_t number;
	bool directories; /* q records exist */
	uint8_t default_lengths[LAYOUT_BITS_LEN];
};

struct qmail {
	const char *source; /* KIND:PATH */
	const char *dir;
	const char *only_under; /* only boxes whose home is below it; NULL: all */
	struct options options;
	struct tree tree;
	struct accounts accounts;
	struct collection *c;
	struct rules *rules;
	struct installation *of;
	struct report *report;
	struct span aliasempty;
	struct span default_domain; /* of forwards without one; empty: that of the header */
	struct span literal_domain; /* the same, of address literals */
	uint8_t breaks[1];
	size_t break_count;
	uint32_t patrn; /* bits that no home and no file may have */
	bool ignore_sticky, extensions;
	struct rights qmailp; /* of the user who looks whether a home is there */
	uint16_t route;
	struct keymap targets, tables;
	/* Assignments. */
	bool catch_all;  /* "+:" */
	bool bad_assign; /* the table could not be read */
	uint8_t wild[256];
	size_t wild_count;
	uint8_t prefix_lengths[LAYOUT_BITS_LEN], account_lengths[LAYOUT_BITS_LEN];
	struct span alias_controller;
	bool failed;  /* an error was reported that ends it */
	bool trouble; /* trying again may help */
};

struct qmail_user {
	struct span home, dash, pre;
	uint32_t uid, gid;
	bool bare; /* dash and extension are empty: an account itself */
};

/* Says that there is no memory. */
void qmail_no_memory(struct qmail *q);

/* "DIR/name" in memory of the installation; NULL without memory. */
char *qmail_path(struct qmail *q, const char *dir, const char *name);

/* A file that need not be there. Returns: whether it is; an error that is none is reported. */
bool qmail_load(struct qmail *q, const char *path, size_t max, struct span *octets_out);

/* Whether a path is there, and how old. */
bool qmail_mtime(struct qmail *q, const char *path, int64_t *mtime_out);

/* qmail_domains.c: control files. Forwards need the default domain first. */
void qmail_default_domain(struct qmail *q);
void qmail_domains(struct qmail *q);

/* qmail_boxes.c: assignments and accounts. */
void qmail_boxes(struct qmail *q);

/* Whether a box that begins so is assigned to somebody; for virtual domains of vpopmail. */
bool qmail_assigned(struct qmail *q, struct span prefix);

/* qmail_files.c: the controller of a user, appended to b. */
void qmail_controller(
    struct qmail *q, const struct qmail_user *u, struct provenance from, struct buf *b);

/* What a file does with mail, for vpopmail too. */
struct qmail_file {
	struct qmail *q;
	struct rights as;
	const char *home; /* what relative paths are relative to */
	const char *path; /* of the file, for places */
	bool by_default;  /* a default file: names that nobody has come here too */
	struct rule_forward *forwards, **forward_tail;
};

void qmail_file_init(
    struct qmail_file *f, struct qmail *q, struct rights as, const char *home, const char *path);
bool qmail_file_run(
    struct qmail_file *f, struct span text, bool executable, struct dotqmail *d_out);

/* The world of a file; ctx is a struct qmail_file. */
enum leaf_verdict qmail_may_store(void *ctx, struct span path);
void qmail_note_forward(void *ctx, struct span address, uint32_t line);
bool qmail_ask_program(void *ctx, const struct program *p, uint32_t line, enum leaf_verdict *v_out);
void qmail_note_error(void *ctx, uint32_t line, const char *message, struct span detail);

/* Adds a leaf for what a file does, with its forwards. */
void qmail_add_leaf(struct qmail *q, struct span key, const struct dotqmail *d, uint32_t table,
    const struct qmail_file *f);

/* vpopmail.c: the table of a directory of vpopmail. Returns: its number; 0 after an error. */
uint32_t vpopmail_table(struct qmail *q, const struct qmail_file *f, const struct dotqmail *d);

/* fastforward.c: the same of a table of aliases. In: skip, octets before $DEFAULT. */
uint32_t fastforward_table(
    struct qmail *q, const struct qmail_file *f, const struct dotqmail *d, size_t skip);

#endif
