#include "resolverd/recursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <unbound-event.h>
#include <unbound.h>

#include "lib/ip.h"
#include "lib/log.h"

enum { CLASS_IN = 1, SECURITY_BOGUS = 1, SECURITY_SECURE = 2 };

struct recursor {
	struct ub_ctx *ctx;
};

static const char root_key[] = DNS_ROOT_KEY;

/*
 * Reverse names of private networks are the site's own servers' business; the rest of the library's
 * built-in zones (localhost, invalid, ...) stays.
 */
static const struct {
	const char *option, *value;
} options[] = {
    {"do-not-query-localhost:", "no"},
    {"num-queries-per-thread:", "4096"},
    {"edns-buffer-size:", "1232"},
    {"msg-cache-size:", "16m"},
    {"rrset-cache-size:", "32m"},
    {"cache-max-ttl:", "86400"},
    {"unblock-lan-zones:", "yes"},
    {"minimal-responses:", "yes"},
};

static bool
good(int rc, const char *what)
{
	struct log_line line;

	if (rc == 0)
		return true;
	log_begin(&line, EVENT_resolver_setup);
	log_str(&line, "what", what);
	log_str(&line, "error", ub_strerror(rc));
	log_end(&line);
	return false;
}

/*
 * Each question on its way has a socket of its own, and those beyond wait for one. Every message asks
 * three: with answers that take 200 ms, 2048 sockets are 3,400 messages in a second.
 */
static bool
set_outgoing(struct ub_ctx *ctx)
{
	enum { SOCKETS_MAX = 2048, SOCKETS_MIN = 64, DESCRIPTORS_KEPT = 64 };
	struct rlimit limit;
	unsigned sockets = SOCKETS_MAX;
	char text[16];

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < SOCKETS_MAX + DESCRIPTORS_KEPT)
		sockets = limit.rlim_cur > SOCKETS_MIN + DESCRIPTORS_KEPT
		              ? (unsigned)limit.rlim_cur - DESCRIPTORS_KEPT
		              : SOCKETS_MIN;
	snprintf(text, sizeof(text), "%u", sockets);
	return good(ub_ctx_set_option(ctx, "outgoing-range:", text), "outgoing-range");
}

static bool
set_options(struct ub_ctx *ctx)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!good(ub_ctx_set_option(ctx, options[i].option, options[i].value),
			options[i].option))
			return false;
	return set_outgoing(ctx);
}

/* "192.0.2.53:53" becomes the library's "192.0.2.53@53". */
static bool
add_server(struct ub_ctx *ctx, const char *server)
{
	struct ip ip;
	uint16_t port;
	uint8_t room[IP_TEXT_MAX + 8];
	struct buf b = BUF_OVER(room);

	if (!ip_parse_port(span_str(server), false, &ip, &port))
		return good(UB_SYNTAX, server);
	ip_put(&b, &ip);
	buf_put_str(&b, "@");
	buf_put_decimal(&b, port);
	buf_put_u8(&b, '\0');
	return !b.full && good(ub_ctx_set_fwd(ctx, (const char *)room), server);
}

static bool
set_servers(struct ub_ctx *ctx, const struct conf_strings *servers)
{
	for (size_t i = 0; i < servers->count; i++)
		if (!add_server(ctx, servers->items[i]))
			return false;
	return true;
}

static bool
add_anchors(struct ub_ctx *ctx, const struct conf_strings *anchors)
{
	for (size_t i = 0; i < anchors->count; i++)
		if (!good(ub_ctx_add_ta(ctx, anchors->items[i]), "dns.anchors"))
			return false;
	return true;
}

/*
 * A server that we are told to ask may strip signatures, or serve names of its own: only from the
 * root on does an unsigned answer mean anything, unless the operator knows better.
 */
static bool
set_validation(struct ub_ctx *ctx, const struct conf_dns *conf, bool *validating_out)
{
	bool from_root = conf->dnssec == CONF_DNSSEC_ALWAYS ||
	                 (conf->dnssec == CONF_DNSSEC_ROOT && conf->servers.count == 0);

	if (conf->dnssec == CONF_DNSSEC_ALWAYS && access(root_key, R_OK) != 0)
		return good(UB_READFILE, root_key);
	from_root = from_root && access(root_key, R_OK) == 0;
	*validating_out = from_root || conf->anchors.count > 0;
	if (*validating_out)
		return (!from_root || good(ub_ctx_add_ta_file(ctx, root_key), root_key)) &&
		       add_anchors(ctx, &conf->anchors);
	return good(ub_ctx_set_option(ctx, "module-config:", "iterator"), "module-config");
}

static void
ignore(void *arg, int rcode, void *packet, int len, int security, char *why, int limited)
{
	(void)arg;
	(void)rcode;
	(void)packet;
	(void)len;
	(void)security;
	(void)why;
	(void)limited;
}

/* The first question makes the library finish its set-up; this one it answers by itself. */
static bool
finish_setup(struct ub_ctx *ctx)
{
	int id;

	return good(
	    ub_resolve_event(ctx, "localhost.", 1, CLASS_IN, NULL, ignore, &id), "first question");
}

struct recursor *
recursor_new(struct loop *loop, const struct conf_dns *conf, bool *validating_out)
{
	struct recursor *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->ctx = ub_ctx_create_event(loop_event_base(loop));
	if (r->ctx != NULL)
		ub_ctx_debugout(r->ctx, NULL);
	if (r->ctx == NULL || !set_options(r->ctx) || !set_servers(r->ctx, &conf->servers) ||
	    !set_validation(r->ctx, conf, validating_out) || !finish_setup(r->ctx))
		recursor_free(&r);
	return r;
}

void
recursor_free(struct recursor **r_at)
{
	struct recursor *r = *r_at;

	*r_at = NULL;
	if (r == NULL)
		return;
	if (r->ctx != NULL)
		ub_ctx_delete(r->ctx);
	free(r);
}

/* Its rcode is only its own failure; that a name does not exist is in the packet. */
static void
on_answer(void *arg, int rcode, void *packet, int len, int security, char *why, int limited)
{
	struct recursor_question *q = arg;
	bool usable = rcode == 0 && packet != NULL && len > 0;

	(void)why;
	(void)limited;
	q->answered = true;
	q->done(q->arg, span_of(packet, usable ? (size_t)len : 0),
	    security == SECURITY_BOGUS    ? DNS_BOGUS
	    : security == SECURITY_SECURE ? DNS_SECURE
					  : DNS_INSECURE);
}

bool
recursor_ask(struct recursor *r, const char *name, uint16_t type, struct recursor_question *q)
{
	q->answered = false;
	return ub_resolve_event(r->ctx, name, type, CLASS_IN, q, on_answer, &q->id) == 0;
}

void
recursor_cancel(struct recursor *r, struct recursor_question *q)
{
	if (!q->answered)
		ub_cancel(r->ctx, q->id);
}
