/*
 * `gatehouse explain`: what would happen to a message, and why.
 *
 * Runs lookupd, validators, validator and resolverd of their own, with the configuration given and
 * confined as always, and plays smtpd and queue-handoff to them: what decides is what decides in
 * service. Nothing is delivered, and a running gateway is not touched.
 */
#ifndef SUPERVISOR_EXPLAIN_H
#define SUPERVISOR_EXPLAIN_H

#include <stdio.h>

/* In: argv, the arguments behind the verb. Returns: the exit status of the process. */
int explain_run(const char *config_path, const char *libexec_dir, int argc, char **argv);

#endif
