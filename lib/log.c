#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/bug.h"
#include "lib/bucket.h"
#include "lib/buf.h"
#include "lib/clock.h"

enum {
	GATHER_MAX = 64 * 1024,
	GATHER_ENOUGH = 16 * 1024, /* is written without waiting for more */
	ELLIPSIS_ROOM = 8,         /* kept free for `..."` and the line feed */
	VALUE_MAX = 600,           /* octets of one value before encoding */
};

static const struct {
	const char *name;
	enum log_severity severity;
	const char *help;
	bool limited;
} events[EVENT_COUNT] = {
#define EVENT(name, severity, help) [EVENT_##name] = {#name, severity, help, false},
#define LIMITED(name, severity, help) [EVENT_##name] = {#name, severity, help, true},
#include "lib/events.def"
#undef EVENT
};

static struct {
	int fd;
	size_t len;
	bool urgent;       /* a notice or worse is among them */
	uint64_t dropped;  /* since the start */
	uint64_t reported; /* of these, what the log was told */
	uint8_t octets[GATHER_MAX];
} gathered = {.fd = STDERR_FILENO};

/* LIMITED lines. */
static struct {
	bool on;
	struct bucket bucket;
	uint64_t left_out, told_ms;
} limited;

const char *
log_event_name(enum log_event event)
{
	return events[event].name;
}

const char *
log_event_help(enum log_event event)
{
	return events[event].help;
}

enum log_severity
log_event_severity(enum log_event event)
{
	return events[event].severity;
}

void
log_init(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	gathered.fd = fd;
}

uint64_t
log_dropped(void)
{
	return gathered.dropped;
}

/* ---- how many ------------------------------------------------------------------------------------ */

enum { BURST_SECONDS = 5, TELL_MS = 1000 };

void
log_limit(uint64_t rate)
{
	limited.on = rate > 0;
	if (limited.on)
		bucket_init(&limited.bucket, rate, rate * BURST_SECONDS, clock_ms());
}

/* Returns: whether another limited line may be written now. */
static bool
limited_may_pass(void)
{
	if (!limited.on || bucket_spend(&limited.bucket, clock_ms()))
		return true;
	limited.left_out++;
	return false;
}

static void
tell_left_out(void)
{
	struct log_line l;
	uint64_t now = clock_ms();

	if (limited.left_out == 0 || now - limited.told_ms < TELL_MS)
		return;
	log_begin(&l, EVENT_log_limited);
	log_u64(&l, "lines", limited.left_out);
	limited.left_out = 0;
	limited.told_ms = now;
	log_end(&l);
}

/* ---- one line --------------------------------------------------------------------------------- */

static void
put(struct log_line *l, const void *p, size_t len)
{
	if (l->cut || len > LOG_LINE_MAX - ELLIPSIS_ROOM - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->octets + l->len, p, len);
	l->len += len;
}

void
log_begin(struct log_line *l, enum log_event event)
{
	const char severity = (char)('0' + events[event].severity);

	l->len = 0;
	l->left_out = events[event].limited && !limited_may_pass();
	l->cut = l->left_out;
	l->severity = events[event].severity;
	put(l, "<", 1);
	put(l, &severity, 1);
	put(l, ">event=", 7);
	put(l, events[event].name, strlen(events[event].name));
}

static bool
plain(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

static bool
all_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!plain(s.p[i]))
			return false;
	return s.len > 0;
}

static void
put_quoted(struct log_line *l, struct span s)
{
	static const char hex[] = "0123456789abcdef";

	put(l, "\"", 1);
	for (size_t i = 0; i < s.len && !l->cut; i++) {
		char escape[4] = {'\\', 'x', hex[s.p[i] >> 4], hex[s.p[i] & 15]};

		if (plain(s.p[i]) || s.p[i] == ' ')
			put(l, s.p + i, 1);
		else
			put(l, escape, sizeof(escape));
	}
	if (l->cut) {
		/* Within the room that put() keeps free. */
		memcpy(l->octets + l->len, "...\"", 4);
		l->len += 4;
	} else
		put(l, "\"", 1);
}

void
log_span(struct log_line *l, const char *key, struct span value)
{
	struct span head = span_head(value, VALUE_MAX);

	if (l->cut)
		return;
	put(l, " ", 1);
	put(l, key, strlen(key));
	put(l, "=", 1);
	if (all_plain(value) && value.len <= VALUE_MAX &&
	    value.len < LOG_LINE_MAX - ELLIPSIS_ROOM - l->len)
		put(l, value.p, value.len);
	else
		put_quoted(l, head);
}

void
log_str(struct log_line *l, const char *key, const char *value)
{
	log_span(l, key, span_str(value));
}

void
log_u64(struct log_line *l, const char *key, uint64_t value)
{
	uint8_t digits[24];
	struct buf b = BUF_OVER(digits);

	buf_put_decimal(&b, value);
	log_span(l, key, buf_span(&b));
}

void
log_ip(struct log_line *l, const char *key, const struct ip *ip)
{
	uint8_t text[IP_TEXT_MAX + 1];
	struct buf b = BUF_OVER(text);

	ip_put(&b, ip);
	log_span(l, key, buf_span(&b));
}

void
log_errno(struct log_line *l, int error)
{
	const char *text = strerrordesc_np(error);

	log_str(l, "error", text != NULL ? text : "unknown");
}

void
log_end(struct log_line *l)
{
	if (l->left_out)
		return;
	l->octets[l->len++] = '\n';
	if (GATHER_MAX - gathered.len < l->len)
		log_flush();
	if (GATHER_MAX - gathered.len < l->len) {
		gathered.dropped++;
		return;
	}
	memcpy(gathered.octets + gathered.len, l->octets, l->len);
	gathered.len += l->len;
	gathered.urgent |= l->severity <= LOG_SEV_NOTICE;
}

void
log_event1(enum log_event event, const char *key, const char *value)
{
	struct log_line l;

	log_begin(&l, event);
	log_str(&l, key, value);
	log_end(&l);
}

void
log_event_errno(enum log_event event, const char *key, const char *value, int error)
{
	struct log_line l;

	log_begin(&l, event);
	log_str(&l, key, value);
	log_errno(&l, error);
	log_end(&l);
}

/* ---- what has gathered ------------------------------------------------------------------------ */

static void
write_out(void)
{
	size_t done = 0;

	while (done < gathered.len) {
		ssize_t n = write(gathered.fd, gathered.octets + done, gathered.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			done = gathered.len; /* nobody reads any more; service goes on */
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	memmove(gathered.octets, gathered.octets + done, gathered.len - done);
	gathered.len -= done;
}

bool
log_waiting(void)
{
	return gathered.len > 0 || limited.left_out > 0;
}

bool
log_urgent(void)
{
	return gathered.urgent || gathered.len >= GATHER_ENOUGH;
}

void
log_flush(void)
{
	gathered.urgent = false;
	tell_left_out();
	if (gathered.len > 0)
		write_out();
	if (gathered.len == 0 && gathered.reported < gathered.dropped) {
		struct log_line l;

		log_begin(&l, EVENT_log_dropped);
		log_u64(&l, "lines", gathered.dropped - gathered.reported);
		gathered.reported = gathered.dropped;
		log_end(&l);
		write_out();
	}
}
