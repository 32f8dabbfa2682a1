/* conf.def as tables; for the conf*.c files, and the one that reads the file. */
#ifndef LIB_CONF_TABLE_H
#define LIB_CONF_TABLE_H

#include "lib/conf.h"

enum { CONF_PATH_MAX = 128 }; /* octets of "section.title.key", as conf_pair carries it */

struct conf_section {
	const char *name; /* "top" for none */
	bool titled;
	size_t most;
	size_t offset, size; /* of the (first) structure in struct conf */
	size_t count_offset; /* of name_count in struct conf, when titled */
	const char *help;
};

enum { CONF_TITLED_MOST = 64 }; /* instances of any titled section */

enum {
	CONF_OPTION_COUNT = 0
#define SECTION(name, help)
#define TITLED(name, most, help)
#define STRING(section, key, fallback, programs, help) +1
#define STRINGS(section, key, fallback, programs, help) +1
#define NUMBER(section, key, fallback, least, most, unit, programs, help) +1
#define BOOLEAN(section, key, fallback, programs, help) +1
#define CHOICE(section, key, fallback, choices, programs, help) +1
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
};

/* All sections in the order of conf.def. */
const struct conf_section *conf_sections(size_t *count_out);

/* Returns: NULL when there is none of that name. */
const struct conf_section *conf_section_find(const char *name);

/* How many of the section there are; 1 when it is not titled. */
size_t conf_section_count(const struct conf *conf, const struct conf_section *section);

/* In: a titled section; index, less than its count. */
const char *conf_section_title(
    const struct conf *conf, const struct conf_section *section, size_t index);

/* Where the value of an option lies in the structure of its section. In: index into conf_options(). */
size_t conf_option_offset(size_t index);

/* Takes the next of "a|b|c". Returns: false at the end. */
bool conf_next_choice(struct span *rest, struct span *choice_out);

#endif
