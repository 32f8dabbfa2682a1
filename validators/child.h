/*
 * A child: serves the checks of one message on its link, one after another, and exits. Only where
 * the operator set limits.messages_per_process does it serve those of several messages.
 *
 * It has no network, no file, no other descriptor than its link and, for a message, the sealed
 * content that came on it. Whatever a message does to the libraries in here, it can do no more
 * than give a wrong answer about itself.
 */
#ifndef VALIDATORS_CHILD_H
#define VALIDATORS_CHILD_H

#include "validators/content_check.h"

#include "lib/sandbox.h"

enum {
	CHILD_CPU_SECONDS = 10, /* for a check, at least */
	CHILD_WORN_SECONDS = 5, /* of processor time; then it takes no other */
	CHILD_ADDRESS_SPACE = 192 * 1024 * 1024,
	CHILD_WAIT_MS = 20 * 1000, /* for the job */
	CHILD_DNS_MS = 20 * 1000,  /* all questions of a job together: RFC 7208 4.6.4 */
};

/* What is prepared in the zygote. */
struct child_setup {
	struct sandbox_filter *filter;
	struct content_tools tools;
	uint32_t dns_timeout_ms; /* for one question */
};

/* In: conf, borrowed. Returns: -1 when something cannot be prepared. Before the zygote confines itself. */
int child_prepare(struct child_setup *setup_out, const struct conf *conf);

/*
 * The zygote is warm and confined: its heap is put in order, so that a child copies few pages of it.
 */
void child_settle(void);

/* In: arg, a struct child_setup; fd, the link, the only open descriptor. */
void child_serve(const void *arg, int fd) __attribute__((noreturn));

#endif
