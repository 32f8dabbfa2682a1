#include "queue-handoff/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

#include "queue-handoff/counters.h"
#include "queue-handoff/header.h"
#include "queue-handoff/qmqp.h"
#include "queue-handoff/trace.h"

enum { LIST_MAX = 110000 }; /* octets of recipients in one `deliver` */

struct deliver {
	struct handoff *handoff;
	struct backends *backends;
	struct span hostname;
	bool received_spf;
	struct header_rules rules;
	uint64_t message_size;
	struct grant_key *key;
	const struct repeats *repeats; /* NULL: none */
	uint8_t list[LIST_MAX];        /* recipients that are left */
	uint8_t trace[TRACE_MAX];
	uint8_t header[HEADER_SCAN_MAX]; /* of the message that is being looked at */
};

struct deliver *
deliver_new(struct handoff *h, struct backends *backends, const struct conf *conf,
    const uint8_t key[GRANT_KEY_LEN])
{
	struct deliver *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->handoff = h;
	d->backends = backends;
	d->hostname = span_str(conf->top.hostname);
	d->rules.authserv_id =
	    conf->top.authserv_id != NULL ? span_str(conf->top.authserv_id) : d->hostname;
	d->rules.names = conf->results.remove;
	d->received_spf = conf->results.received_spf;
	d->message_size = conf->limits.message_size;
	d->key = grant_key_new(key);
	if (d->key == NULL)
		deliver_free(&d);
	return d;
}

void
deliver_use(struct deliver *d, const struct repeats *repeats)
{
	d->repeats = repeats;
}

void
deliver_free(struct deliver **d)
{
	if (*d != NULL)
		grant_key_free(&(*d)->key);
	free(*d);
	*d = NULL;
}

/* ---- checks: each returns NULL, or why not, for the log ------------------------------------------- */

/* NUL, CR and LF among them: in some protocol each of them ends an address. */
static bool
has_control_octet(struct span address)
{
	for (size_t i = 0; i < address.len; i++)
		if (address.p[i] < ' ' || address.p[i] == 127)
			return true;
	return false;
}

static const char *
check_sender(struct span sender)
{
	if (sender.len > QMQP_ADDRESS_MAX)
		return "long-sender";
	if (has_control_octet(sender))
		return "control-octet-in-sender";
	return qmqp_sender_is_special(sender) ? "special-sender" : NULL;
}

/* The catalogue bounds their length below that of every protocol. */
static const char *
check_recipients(struct msg_list recipients)
{
	struct span rest = recipients.encoded;
	struct msg_granted g;

	while (msg_list_next(&rest, RECORD_granted, &g))
		if (has_control_octet(g.recipient))
			return "control-octet-in-recipient";
	return NULL;
}

/* A descriptor whose content nobody can change, of the size that was said. */
static const char *
check_file(int fd, uint64_t size)
{
	const int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	int seals;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "not-a-file";
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & needed) != needed)
		return "not-sealed";
	return (uint64_t)st.st_size == size ? NULL : "other-size";
}

static const char *
check_content(const struct deliver *d, const struct msg_deliver *m, int fd)
{
	if (m->size > d->message_size)
		return "too-large";
	if (fd < 0)
		return m->content.len == m->size ? NULL : "other-size";
	return m->content.len == 0 ? check_file(fd, m->size) : "content-twice";
}

/* ---- content: without results that claim to be ours ---------------------------------------------- */

/* Reads the beginning of the file until the header block has been seen. */
static const char *
header_read(struct deliver *d, int fd, uint64_t size, size_t *have_out, struct header_scan *scan)
{
	size_t want = 4096;
	size_t have = 0;

	for (;;) {
		size_t end = size < want ? (size_t)size : want;

		while (have < end) {
			ssize_t n = pread(fd, d->header + have, end - have, (off_t)have);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return "unreadable";
			have += (size_t)n;
		}
		header_scan(span_of(d->header, have), have == size, &d->rules, scan);
		*have_out = have;
		if (scan->complete || have == sizeof(d->header))
			break;
		want = want * 8 < sizeof(d->header) ? want * 8 : sizeof(d->header);
	}
	return NULL;
}

static const char *
content_from_file(struct deliver *d, const struct msg_deliver *m, int fd, struct handoff_request *r,
    struct header_scan *scan)
{
	size_t have = 0;
	const char *wrong = m->size > 0 ? header_read(d, fd, m->size, &have, scan) : NULL;

	if (wrong != NULL)
		return wrong;
	/* smtpd takes no such header; what claims what in it can not be known. */
	if (!scan->complete && !scan->malformed && m->size > 0)
		return "endless-header";
	r->parts.file_len = m->size;
	if (scan->removed > 0) {
		r->parts.content =
		    span_of(d->header, header_strip(d->header, scan->block_len, &d->rules));
		r->file_from = scan->block_len;
		r->parts.file_len = m->size - scan->block_len;
	}
	return NULL;
}

static void
content_inline(struct deliver *d, const struct msg_deliver *m, struct handoff_request *r,
    struct header_scan *scan)
{
	struct buf b = BUF_OVER(d->header);

	r->parts.content = m->content;
	header_scan(m->content, true, &d->rules, scan);
	if (scan->removed == 0)
		return;
	buf_put_span(&b, span_head(m->content, scan->block_len));
	b.len = header_strip(b.p, b.len, &d->rules);
	buf_put_span(&b, span_from(m->content, scan->block_len));
	r->parts.content = buf_span(&b);
}

/* ---- our header block ---------------------------------------------------------------------------- */

static bool
begins_with_blank(const struct deliver *d, const struct msg_deliver *m, int fd)
{
	uint8_t first = fd < 0 ? (m->size > 0 ? m->content.p[0] : 0) : d->header[0];

	return m->size > 0 && (first == ' ' || first == '\t');
}

static struct trace_facts
trace_facts_of(const struct deliver *d, const struct msg_deliver *m)
{
	struct trace_facts f = {
	    .hostname = d->hostname,
	    .authserv_id = d->rules.authserv_id,
	    .helo = m->helo,
	    .client_name = m->client_name,
	    .esmtp = m->esmtp != 0,
	    .smtputf8 = m->smtputf8 != 0,
	    .tls_version = m->tls_version,
	    .tls_cipher = m->tls_cipher,
	    .tls_server_name = m->tls_server_name,
	    .id = m->id,
	    .received = m->received,
	    .reverse_path = m->reverse_path,
	    .iprev = m->iprev,
	    .spf = m->spf,
	    .spf_domain = m->spf_domain,
	    .spf_helo = m->spf_helo,
	    .received_spf = d->received_spf,
	    .dkim = m->dkim != 0,
	    .signatures = m->signatures,
	    .dmarc = m->dmarc,
	    .author = m->author,
	    .dmarc_policy = m->dmarc_policy,
	    .dmarc_domain = m->dmarc_domain,
	    .quarantine = m->disposition != 0,
	    .listed = m->listed,
	};

	memcpy(f.client.octets, m->client, IP_LEN);
	memcpy(f.spf_client.octets, m->spf_client, IP_LEN);
	return f;
}

static void
trace_compose(
    struct deliver *d, const struct msg_deliver *m, bool blank_first, struct handoff_request *r)
{
	struct buf b = BUF_OVER(d->trace);
	struct span rest = m->recipients.encoded;
	struct msg_granted first = {0};
	struct trace_facts f = trace_facts_of(d, m);

	if (m->recipients.count == 1 && msg_list_next(&rest, RECORD_granted, &first))
		f.recipient = first.recipient;
	trace_put(&b, &f);
	/* A first line that begins with a blank would go on our last field; behind an empty line it
	 * is what it was for its sender's system: text. */
	if (blank_first)
		buf_put_u8(&b, '\n');
	r->parts.ours = buf_span(&b);
}

/* ---- repeats --------------------------------------------------------------------------------------- */

static bool
any_suspect(const struct deliver *d, const struct msg_deliver *m, uint64_t now_ms)
{
	struct span rest = m->recipients.encoded;
	struct msg_granted g;

	while (msg_list_next(&rest, RECORD_granted, &g))
		if (repeats_suspects(d->repeats, m->reverse_path, g.recipient, now_ms))
			return true;
	return false;
}

static void
repeat_log(const struct msg_deliver *m, unsigned left_out)
{
	struct log_line l;

	handoff_counters[COUNT_copies_spared].value += left_out;
	log_begin(&l, EVENT_handoff_repeat);
	log_span(&l, "id", m->id);
	log_u64(&l, "recipients", left_out);
	log_u64(&l, "of", m->recipients.count);
	log_end(&l);
}

/* Leaves out the recipients that have got this very message. */
static void
repeats_leave_out(
    struct deliver *d, const struct msg_deliver *m, struct handoff_request *r, uint64_t now_ms)
{
	struct repeat_content content = {
	    r->parts.content, r->content_fd, r->file_from, r->parts.file_len};
	struct span rest = m->recipients.encoded;
	struct buf b = BUF_OVER(d->list);
	struct msg_list left = {.count = 0};
	uint8_t digest[DIGEST_LEN];
	struct msg_granted g;

	if (d->repeats == NULL || !repeats_any(d->repeats, now_ms) || !any_suspect(d, m, now_ms) ||
	    !repeats_digest(d->repeats, &content, digest))
		return;
	while (msg_list_next(&rest, RECORD_granted, &g)) {
		if (repeats_knows(d->repeats, m->reverse_path, g.recipient, digest, now_ms))
			continue;
		if (!msg_list_put(&b, RECORD_granted, &g))
			return; /* not reached: the room is that of the whole message */
		left.count++;
	}
	if (left.count == m->recipients.count)
		return;
	repeat_log(m, (unsigned)(m->recipients.count - left.count));
	left.encoded = buf_span(&b);
	r->parts.recipients = left;
	r->spared = true;
}

/* ---- all together -------------------------------------------------------------------------------- */

static bool
turn_away(const struct msg_deliver *m, enum log_event event, const char *key, const char *why)
{
	struct log_line l;

	log_begin(&l, event);
	log_span(&l, "id", m->id);
	log_u64(&l, "worker", m->worker);
	log_str(&l, key, why);
	log_end(&l);
	return false;
}

/* A bad grant and a repeated transaction are the same offence. */
static const char *
check_grants(
    struct deliver *d, const struct msg_deliver *m, struct grants_window *window, uint64_t now_s)
{
	const char *wrong = grants_check(d->key, m->instance, m, now_s);

	if (wrong == NULL && !grants_spend(window, m->transaction))
		wrong = "transaction-spent";
	return wrong;
}

static const char *
request_fill(struct deliver *d, const struct msg_deliver *m, int fd, struct handoff_request *r)
{
	struct header_scan scan = {.complete = true};
	const char *wrong = NULL;

	if (fd < 0)
		content_inline(d, m, r, &scan);
	else
		wrong = content_from_file(d, m, fd, r, &scan);
	if (wrong != NULL)
		return wrong;
	/* In front of an empty file header[0] is stale; begins_with_blank() looks at the size. */
	trace_compose(d, m, scan.removed == 0 && begins_with_blank(d, m, fd), r);
	handoff_counters[COUNT_fields_removed].value += scan.removed;
	if (scan.claimed > 0) {
		struct log_line l;

		handoff_counters[COUNT_results_removed].value += scan.claimed;
		log_begin(&l, EVENT_results_removed);
		log_span(&l, "id", m->id);
		log_u64(&l, "fields", scan.claimed);
		log_end(&l);
	}
	return NULL;
}

static bool
group_missing(const struct msg_deliver *m)
{
	struct log_line l;

	log_begin(&l, EVENT_backend_missing);
	log_span(&l, "id", m->id);
	log_span(&l, "route", m->route);
	log_end(&l);
	return false;
}

bool
deliver_start(struct deliver *d, const struct msg_deliver *m, struct grants_window *window, int *fd,
    uint64_t now_ms, enum handoff_outcome *outcome_out)
{
	struct handoff_request r = {
	    .owner = {m->worker, m->session, m->transaction},
	    .id = m->id,
	    .group = backends_group(d->backends, m->route),
	    .parts =
		{
		    .sender = m->reverse_path,
		    .recipients = m->recipients,
		    .eight_bit = m->eight_bit != 0,
		    .smtputf8 = m->smtputf8 != 0,
		},
	    .declared_size = m->declared_size,
	    .content_fd = *fd,
	    .budget_ms = m->budget_ms,
	};
	const char *wrong = check_sender(m->reverse_path);

	*outcome_out = HANDOFF_INTERNAL;
	if (wrong == NULL)
		wrong = check_recipients(m->recipients);
	if (wrong == NULL)
		wrong = check_content(d, m, *fd);
	if (wrong != NULL)
		return turn_away(m, EVENT_message_refused, "reason", wrong);
	wrong = check_grants(d, m, window, now_ms / 1000);
	if (wrong != NULL) {
		*outcome_out = HANDOFF_GRANT;
		return turn_away(m, EVENT_grant_refused, "reason", wrong);
	}
	if (r.group == NULL)
		return group_missing(m);
	if (m->smtputf8 != 0 && !r.group->smtputf8)
		return turn_away(m, EVENT_message_refused, "reason", "backend-without-smtputf8");
	wrong = request_fill(d, m, *fd, &r);
	if (wrong != NULL)
		return turn_away(m, EVENT_message_refused, "reason", wrong);
	repeats_leave_out(d, m, &r, now_ms);
	if (r.parts.recipients.count == 0) {
		*outcome_out = HANDOFF_TAKEN_BEFORE;
		return false;
	}
	if (!handoff_start(d->handoff, &r)) {
		*outcome_out = HANDOFF_BUSY;
		return false;
	}
	*fd = -1;
	return true;
}
