/*
 * We are wrong.
 *
 * BUG_ON ends the process when the program itself broke one of its own rules. It is always
 * compiled in, and no foreign octet can reach it: what a peer or the world does wrong is a
 * status value, never a BUG_ON.
 */
#ifndef LIB_BUG_H
#define LIB_BUG_H

__attribute__((noreturn)) void bug_at(const char *file, int line, const char *what);

#define BUG_ON(condition) \
	do { \
		if (__builtin_expect(!!(condition), 0)) \
			bug_at(__FILE__, __LINE__, #condition); \
	} while (0)

#endif
