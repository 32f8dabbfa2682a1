/* `gatehouse run`: the supervisor itself. */
#ifndef SUPERVISOR_RUN_H
#define SUPERVISOR_RUN_H

/*
 * Reads the configuration, starts everything, serves until stopped.
 * In: config_path; libexec_dir, where the programs lie.
 * Returns: the exit status of the process.
 */
int gatehouse_run(const char *config_path, const char *libexec_dir);

#endif
