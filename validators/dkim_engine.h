/*
 * The verifying library (libopendkim). What it is given has passed dkim_signature and
 * dkim_fields.
 */
#ifndef VALIDATORS_DKIM_ENGINE_H
#define VALIDATORS_DKIM_ENGINE_H

#include "validators/dkim.h"

enum { DKIM_KEY_MAX = 1024 }; /* octets of a key record; the library has no room for more */

struct dkim_engine;
struct dkim_session; /* one message */

/* Returns: NULL on failure. */
struct dkim_engine *dkim_engine_new(void);
void dkim_engine_free(struct dkim_engine **engine);

/*
 * Fetches the key of the signature that was fed as number `index`.
 * Returns: its length in text_out, which has DKIM_KEY_MAX octets, or -1: there is none.
 */
typedef long dkim_key_fn(void *arg, size_t index, uint8_t *text_out);

/* Returns: NULL when memory is out. */
struct dkim_session *dkim_session_new(struct dkim_engine *engine, dkim_key_fn *key, void *arg);
void dkim_session_free(struct dkim_session **session);

/* In: field, folded with CRLF, without the final one, without NUL. Returns: false on failure. */
bool dkim_session_field(struct dkim_session *s, struct span field);

/* The signatures among the fields, in their order; `count` of them. Returns: false on failure. */
bool dkim_session_header_end(struct dkim_session *s, size_t count);

/* In: part of the body, in CRLF form. */
bool dkim_session_body(struct dkim_session *s, struct span part);

/* Fetches the keys and verifies. Returns: false on failure. */
bool dkim_session_end(struct dkim_session *s);

/* Out: *reason_out, a static text. */
enum auth_result dkim_session_result(struct dkim_session *s, size_t index, const char **reason_out);

#endif
