/* The run directory: pid file (the lock against a second instance), control socket, empty/. */
#ifndef SUPERVISOR_RUNDIR_H
#define SUPERVISOR_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

enum { RUNDIR_PATH_MAX = 4096 };

struct rundir {
	char empty[RUNDIR_PATH_MAX];   /* where programs are confined to */
	char control[RUNDIR_PATH_MAX]; /* control socket */
	char pid[RUNDIR_PATH_MAX];
	int pid_fd;     /* locked while we run; -1: not ours */
	int control_fd; /* listening, seqpacket */
};

/* Only the paths. Returns: 0; -1 when the directory's name is too long for a socket. */
int rundir_name(struct rundir *r, const char *dir);

/*
 * Makes what is missing, takes the lock, binds the control socket.
 * Returns: 0; or -1 with a message in error_out.
 */
int rundir_open(struct rundir *r, const char *dir, char *error_out, size_t error_cap);

/* Removes socket and pid file. */
void rundir_close(struct rundir *r);

/* For the commands: connects to the control socket. Returns: a seqpacket socket, or -1 with errno. */
int rundir_connect(const char *dir);

#endif
