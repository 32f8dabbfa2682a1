/* The way to tlsd without STARTTLS, and what it says about a session that was passed to it; in cmd_starttls.c. */
#ifndef SMTPD_TLS_H
#define SMTPD_TLS_H

#include "smtpd/session.h"

/* Passes a client that has not been greeted to tlsd: the handshake comes first. */
void tls_begin(struct session *s);

/* In: fd, the plain side; owned by the callee. */
void tls_on_up(struct worker *w, const struct msg_tls_up *up, int fd);
void tls_on_failed(struct worker *w, const struct msg_tls_failed *failed);
void tls_on_tlsd_lost(struct session *s);

#endif
