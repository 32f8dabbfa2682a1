/*
 * The configuration: one structure, made from conf.def, passed as const to what needs it.
 *
 * The supervisor reads the file (supervisor/conf_file.c, libconfuse), and tells each program
 * the options that conf.def gives it, in the notation of the file; the program takes them with
 * the same conf_set(), bounds included. What a program is not told keeps its default.
 */
#ifndef LIB_CONF_H
#define LIB_CONF_H

#include "lib/buf.h"
#include "lib/catalogue.h"

/* A list of strings. */
struct conf_strings {
	size_t count;
	const char *const *items; /* owned by the struct conf */
};

#define SECTION(name, help) struct conf_##name {
#define TITLED(name, most, help) \
	enum { CONF_MOST_##name = most }; \
	struct conf_##name { \
		const char *title;
#define STRING(section, key, fallback, programs, help) const char *key; /* NULL: not set */
#define STRINGS(section, key, fallback, programs, help) struct conf_strings key;
#define NUMBER(section, key, fallback, least, most, unit, programs, help) uint64_t key;
#define BOOLEAN(section, key, fallback, programs, help) bool key;
#define CHOICE(section, key, fallback, choices, programs, help) unsigned key;
#define END(name) \
	} \
	;
#include "lib/conf.def"
#undef SECTION
#undef TITLED
#undef STRING
#undef STRINGS
#undef NUMBER
#undef BOOLEAN
#undef CHOICE
#undef END

/* Indexes of the CHOICE options, in the order of their choices. */
enum { CONF_LOG_STDERR, CONF_LOG_SYSLOG };
enum { CONF_BARE_LF_NORMALIZE, CONF_BARE_LF_REJECT };
enum { CONF_DNSSEC_ROOT, CONF_DNSSEC_ALWAYS, CONF_DNSSEC_NEVER };
enum {
	CONF_PROTOCOL_QMQP,
	CONF_PROTOCOL_QMTP,
	CONF_PROTOCOL_LMTP,
	CONF_PROTOCOL_SMTP,
	CONF_PROTOCOL_QMAIL_QUEUE
};
enum { CONF_TRUSTED_RELAYS_CLIENT_NONE, CONF_TRUSTED_RELAYS_CLIENT_RECEIVED };
enum conf_rule {
	CONF_RULE_MARK,
	CONF_RULE_REJECT,
	CONF_RULE_DEFER,
	CONF_RULE_IGNORE,
	CONF_RULE_OBSERVE_MARK,
	CONF_RULE_OBSERVE_REJECT,
	CONF_RULE_OBSERVE_DEFER,
	CONF_RULES,
};
enum conf_soft_rule {
	CONF_SOFT_MARK,
	CONF_SOFT_DEFER,
	CONF_SOFT_IGNORE,
	CONF_SOFT_OBSERVE_MARK,
	CONF_SOFT_OBSERVE_DEFER,
	CONF_SOFT_RULES,
};

/* A member for each section; of a titled one as many as there may be, and name_count of them. */
struct conf {
#define SECTION(name, help) struct conf_##name name;
#define TITLED(name, most, help) \
	struct conf_##name name[most]; \
	size_t name##_count;
#define STRING(section, key, fallback, programs, help)
#define STRINGS(section, key, fallback, programs, help)
#define NUMBER(section, key, fallback, least, most, unit, programs, help)
#define BOOLEAN(section, key, fallback, programs, help)
#define CHOICE(section, key, fallback, choices, programs, help)
#define END(name)
#include "lib/conf.def"
#undef SECTION
#undef TITLED
#undef STRING
#undef STRINGS
#undef NUMBER
#undef BOOLEAN
#undef CHOICE
#undef END
	struct conf_memory *memory; /* holds the strings */
};

/* Whether validators judge clients: smtpd tells them who connects then. */
bool conf_judges_clients(const struct conf *conf);

/* Whether validators judge clients and envelopes: smtpd tells them of these then. */
bool conf_judges_envelope(const struct conf *conf);

/* Whether the domains of reverse-paths are looked up. */
bool conf_looks_up_senders(const struct conf *conf);

/*
 * Whether RCPT waits for that, since it may refuse a recipient. For spf.no_mail alone it does not:
 * that is set by default, and rare; what comes too late for RCPT is refused at the end of data.
 */
bool conf_envelope_is_awaited(const struct conf *conf);

/* Whether it may refuse a recipient when it is known at RCPT. */
bool conf_envelope_may_refuse(const struct conf *conf);

/* All options at their defaults. Returns: NULL when memory is out. Owned by the caller. */
struct conf *conf_new(void);
void conf_free(struct conf **conf);

/*
 * Sets one option, or adds an element to a list option; the first set of a list replaces its
 * default, and a titled section is made by its first option.
 * In: path as "hostname", "limits.sessions", "backend.mailstore.servers"; value as in the file,
 * without quotes.
 * Returns: true; or false and a message without the path in error_out, which is
 * error_cap octets, NUL-terminated.
 */
bool conf_set(
    struct conf *conf, const char *path, const char *value, char *error_out, size_t error_cap);

/*
 * Appends, as encoded conf_pair records, what conf.def says `program` is told.
 * Out: *count_out. Returns: false when b is too small.
 */
bool conf_put_pairs(
    const struct conf *conf, enum program_id program, struct buf *b, uint16_t *count_out);

enum conf_type { CONF_STRING, CONF_STRINGS, CONF_NUMBER, CONF_BOOLEAN, CONF_CHOICE };

/* One row of conf.def, for the file reader and the generators. */
struct conf_option {
	const char *section; /* "top" for none */
	bool titled;
	const char *key;
	enum conf_type type;
	const char *fallback; /* in the notation of the file; NULL: none */
	uint64_t least, most;
	const char *unit;    /* NUMBER */
	const char *choices; /* CHOICE, "a|b" */
	unsigned programs;
	const char *help;
};

/* All options in the order of conf.def. */
const struct conf_option *conf_options(size_t *count_out);

/* The help text of a section, or NULL. */
const char *conf_section_help(const char *section);

#endif
