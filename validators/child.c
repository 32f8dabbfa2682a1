#include "validators/child.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/bug.h"
#include "lib/clock.h"
#include "lib/link.h"

#include "validators/foresight.h"
#include "validators/note.h"
#include "validators/sender.h"

/* Everything that the libraries and the link need once they are warm. */
static const char *const calls[] = {
    /* the link, and the sealed content by offset */
    "recvmsg",
    "sendmsg",
    "sendto",
    "poll",
    "ppoll",
    "close",
    "pread64",
    "fstat",
    "newfstatat",
    "fcntl",
    /* memory */
    "mmap",
    "munmap",
    "mremap",
    "brk",
    "madvise",
    "futex",
    /* time, chance, names */
    "clock_gettime",
    "gettimeofday",
    "time",
    "getrandom",
    "uname",
    /* the end, abort() included */
    "rt_sigprocmask",
    "rt_sigreturn",
    "getpid",
    "gettid",
    "exit_group",
    NULL,
};

enum job_type { JOB_NONE, JOB_IS_ENVELOPE, JOB_IS_MESSAGE };

/* The job is copied out of the link's packet: while it is served, answers come on the same link. */
struct child {
	const struct child_setup *setup;
	struct link *link;
	enum job_type job;
	struct ip client;
	struct span helo, reverse_path, content; /* in room */
	unsigned checks;                         /* set of enum check_wanted */
	uint64_t received, size;
	int fd; /* of the content, -1: inline */
	uint64_t dns_until_ms;
	uint32_t query; /* number of the last question */
	bool answered;  /* it */
	bool stay;      /* for another job */
	struct dns_reply *reply;
	struct msg_dns_foretold
	    foretold[FORETOLD_MAX]; /* answers that came before their questions */
	size_t foretold_count;
	size_t room_used;
	uint8_t room[20000 + FORETOLD_MAX * (DNS_NAME_MAX + KNOWN_OCTETS_MAX)];
};

/* ---- taking the job -------------------------------------------------------------------------- */

static struct span
keep(struct child *c, struct span s)
{
	uint8_t *at = c->room + c->room_used;

	BUG_ON(s.len > sizeof(c->room) - c->room_used);
	if (s.len > 0)
		memcpy(at, s.p, s.len);
	c->room_used += s.len;
	return span_of(at, s.len);
}

/* A dispatcher that sends a job before the answer to the one before it is not the dispatcher. */
static void
begin_job(struct child *c, enum job_type job)
{
	BUG_ON(c->job != JOB_NONE);
	c->job = job;
}

static void
on_envelope(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;

	(void)link;
	(void)fd;
	begin_job(c, JOB_IS_ENVELOPE);
	memcpy(c->client.octets, m->job_envelope.client, sizeof(c->client.octets));
	c->helo = keep(c, m->job_envelope.helo);
	c->reverse_path = keep(c, m->job_envelope.reverse_path);
	c->checks = m->job_envelope.checks;
	c->stay = m->job_envelope.stay;
}

static void
on_message(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;

	(void)link;
	begin_job(c, JOB_IS_MESSAGE);
	c->helo = keep(c, m->job_message.helo);
	c->reverse_path = keep(c, m->job_message.reverse_path);
	c->checks = m->job_message.checks;
	c->received = m->job_message.received;
	c->size = m->job_message.size;
	c->content = keep(c, m->job_message.content);
	c->stay = m->job_message.stay;
	c->fd = *fd;
	*fd = -1;
}

static void
on_foretold(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;
	struct msg_dns_foretold *a = &c->foretold[c->foretold_count];

	(void)link;
	(void)fd;
	BUG_ON(c->foretold_count == FORETOLD_MAX || c->job != JOB_NONE);
	c->foretold_count++;
	*a = m->dns_foretold;
	a->name = keep(c, a->name);
	a->records.encoded = keep(c, a->records.encoded);
}

/* ---- questions ------------------------------------------------------------------------------- */

static void
on_dns_answer(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct child *c = ctx;
	const struct msg_dns_answer *a = &m->dns_answer;

	(void)link;
	(void)fd;
	if (a->query != c->query || c->reply == NULL ||
	    a->records.encoded.len > sizeof(c->reply->encoded))
		return; /* one that we stopped waiting for */
	c->reply->status = (enum dns_status)a->status;
	c->reply->security = (enum dns_security)a->security;
	c->reply->count = a->records.count;
	c->reply->len = a->records.encoded.len;
	if (a->records.encoded.len > 0)
		memcpy(c->reply->encoded, a->records.encoded.p, a->records.encoded.len);
	c->answered = true;
}

static const struct link_handler handlers[] = {
    {MSG_job_envelope, on_envelope},
    {MSG_job_message, on_message},
    {MSG_dns_foretold, on_foretold},
    {MSG_dns_answer, on_dns_answer},
};

static const struct link_role role = {
    .self = PROGRAM_VALIDATOR,
    .peer = PROGRAM_VALIDATORS,
    .handlers = handlers,
    .handler_count = sizeof(handlers) / sizeof(handlers[0]),
    .brief = true,
};

/* Until the answer, or the time is over, or nobody is left to answer. */
static void
await_answer(struct child *c, uint64_t until_ms)
{
	while (!c->answered) {
		uint64_t now = clock_ms();

		if (now >= until_ms)
			return;
		if (link_wait(c->link, (int)(until_ms - now)) < 0)
			_exit(EXIT_FAILURE);
	}
}

static void
on_note(void *arg, struct span text)
{
	struct child *c = arg;
	struct msg_check_note m = {text};

	link_send(c->link, MSG_check_note, &m, -1);
}

/* A question with its answer, for the log. */
static void
note_answer(struct span name, enum dns_type type, const struct dns_reply *reply)
{
	static const char *const statuses[] = {
	    "", "no such record", "no such name", "no answer", "answer past the bounds"};
	struct span rest = dns_records(reply);
	struct msg_dns_record record;
	const char *what = type == DNS_TYPE_A      ? "dns A"
	                   : type == DNS_TYPE_PTR  ? "dns PTR"
	                   : type == DNS_TYPE_MX   ? "dns MX"
	                   : type == DNS_TYPE_AAAA ? "dns AAAA"
	                                           : "dns TXT";

	if (!note_wanted())
		return;
	if (reply->security != DNS_INSECURE)
		note("dnssec", name,
		    reply->security == DNS_SECURE ? SPAN("validated") : SPAN("not valid"));
	if (reply->status != DNS_OK)
		note(what, name, span_str(statuses[reply->status]));
	while (reply->status == DNS_OK && dns_next(&rest, &record)) {
		uint8_t room[IP_TEXT_MAX];
		struct buf text = BUF_OVER(room);
		struct ip ip = {{[10] = 255, 255}};

		if (type != DNS_TYPE_A && type != DNS_TYPE_AAAA) {
			note(what, name, record.data);
			continue;
		}
		if (record.data.len <= IP_LEN)
			memcpy(
			    ip.octets + IP_LEN - record.data.len, record.data.p, record.data.len);
		ip_put(&text, &ip);
		note(what, name, buf_span(&text));
	}
}

/* Returns: whether it was foretold. */
static bool
know(const struct child *c, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	const struct msg_dns_foretold *a = c->foretold, *end = a + c->foretold_count;
	struct span records;

	while (a < end && (a->type != type || !span_eq_nocase(a->name, name)))
		a++;
	if (a == end || a->records.encoded.len > sizeof(reply_out->encoded))
		return false;
	records = a->records.encoded;
	reply_out->status = (enum dns_status)a->status;
	reply_out->security = (enum dns_security)a->security;
	reply_out->count = a->records.count;
	reply_out->len = records.len;
	if (records.len > 0)
		memcpy(reply_out->encoded, records.p, records.len);
	note_answer(name, type, reply_out);
	return true;
}

static void
ask(void *arg, struct span name, enum dns_type type, struct dns_reply *reply_out)
{
	enum { LATER_MS = 500 }; /* than resolverd gives up */
	struct child *c = arg;
	uint64_t now = clock_ms();
	uint64_t until = now + c->setup->dns_timeout_ms + LATER_MS;
	struct msg_dns_ask out = {++c->query, (uint16_t)type, name, c->setup->dns_timeout_ms, 0, 0};

	reply_out->status = DNS_TROUBLE;
	reply_out->security = DNS_INSECURE;
	reply_out->count = 0;
	reply_out->len = 0;
	if (know(c, name, type, reply_out))
		return;
	if (now >= c->dns_until_ms || !link_send(c->link, MSG_dns_ask, &out, -1))
		return;
	c->reply = reply_out;
	c->answered = false;
	await_answer(c, until < c->dns_until_ms ? until : c->dns_until_ms);
	c->reply = NULL;
	note_answer(name, type, reply_out);
}

/* ---- serving it ------------------------------------------------------------------------------ */

static bool
serve_envelope(struct child *c, const struct resolver *resolver)
{
	struct spf_question q = {.client = c->client, .helo = c->helo, .sender = c->reverse_path};
	struct msg_job_envelope_answer out = {.helo = AUTH_UNCHECKED};
	struct spf_answer answer;

	if ((c->checks & WANT_SPF_HELO) != 0) {
		struct spf_question helo = {.client = c->client, .helo = c->helo};

		spf_check(c->setup->tools.spf, &helo, resolver, &answer);
		out.helo = (uint8_t)answer.result;
	}
	if ((c->checks & WANT_SENDER) != 0)
		out.sender = (uint8_t)sender_check(c->reverse_path, resolver);
	spf_check(c->setup->tools.spf, &q, resolver, &answer);
	out.spf = (uint8_t)answer.result;
	out.no_mail = answer.no_mail;
	out.everybody = answer.everybody;
	out.spf_domain = span_of(answer.domain, answer.domain_len);
	out.reason = span_of(answer.reason, answer.reason_len);
	return link_send(c->link, MSG_job_envelope_answer, &out, -1);
}

static long
read_content(void *arg, uint64_t offset, void *p, size_t len)
{
	const struct child *c = arg;
	struct span rest;

	if (c->fd >= 0)
		return pread(c->fd, p, len, (off_t)offset);
	rest = span_head(
	    span_from(c->content, offset < c->size ? (size_t)offset : (size_t)c->size), len);
	if (rest.len > 0)
		memcpy(p, rest.p, rest.len);
	return (long)rest.len;
}

static bool
put_signatures(const struct dkim_answer *answer, struct buf *b)
{
	for (size_t i = 0; i < answer->count; i++) {
		const struct dkim_result *s = &answer->results[i];
		struct msg_dkim_verdict v = {span_of(s->domain, s->domain_len),
		    span_of(s->selector, s->selector_len), (uint8_t)s->result,
		    (uint8_t)s->algorithm, span_of(s->tag, s->tag_len), span_str(s->reason)};

		if (!msg_list_put(b, RECORD_dkim_verdict, &v))
			return false;
	}
	return true;
}

static bool
put_authors(const struct content_answer *answer, struct buf *b)
{
	for (size_t i = 0; i < answer->from.count; i++) {
		const struct dmarc_author *a = &answer->authors[i];
		struct msg_author_verdict v = {from_domain_span(&a->domain),
		    from_domain_span(&a->policy_domain), (uint8_t)a->found, (uint8_t)a->requested,
		    (uint8_t)a->spf, (uint8_t)a->dkim};

		if (!msg_list_put(b, RECORD_author_verdict, &v))
			return false;
	}
	return true;
}

static void
put_relayed(const struct content_answer *answer, struct msg_job_message_answer *out)
{
	out->relayed = answer->relayed;
	if (!answer->relayed)
		return;
	memcpy(out->client, answer->client.octets, sizeof(out->client));
	out->spf = (uint8_t)answer->spf.result;
	out->spf_domain = span_of(answer->spf.domain, answer->spf.domain_len);
	out->reason = span_of(answer->spf.reason, answer->spf.reason_len);
	out->no_mail = answer->spf.no_mail;
}

static bool
serve_message(struct child *c, const struct resolver *resolver)
{
	static struct content_answer answer;
	struct content_question q = {
	    .content = {read_content, c},
	    .received = c->received,
	    .helo = c->helo,
	    .reverse_path = c->reverse_path,
	    .checks = c->checks,
	};
	struct msg_job_message_answer out = {0};
	uint8_t room[6000], author_room[2500];
	struct buf b = BUF_OVER(room), authors = BUF_OVER(author_room);

	if (!content_check(&c->setup->tools, &q, resolver, &answer) ||
	    !put_signatures(&answer.dkim, &b))
		return false;
	out.from = (uint8_t)answer.from.status;
	out.sealed = answer.sealed;
	out.signatures.count = (uint16_t)answer.dkim.count;
	out.signatures.encoded = buf_span(&b);
	if ((c->checks & WANT_DMARC) != 0) {
		if (!put_authors(&answer, &authors))
			return false;
		out.authors.count = (uint16_t)answer.from.count;
		out.authors.encoded = buf_span(&authors);
	}
	put_relayed(&answer, &out);
	return link_send(c->link, MSG_job_message_answer, &out, -1);
}

static int
confine(const struct child_setup *setup)
{
	struct rlimit cpu = {
	    CHILD_CPU_SECONDS + CHILD_WORN_SECONDS, CHILD_CPU_SECONDS + CHILD_WORN_SECONDS};
	struct rlimit memory = {CHILD_ADDRESS_SPACE, CHILD_ADDRESS_SPACE};

	if (setrlimit(RLIMIT_CPU, &cpu) != 0 || setrlimit(RLIMIT_AS, &memory) != 0)
		return -1;
	return sandbox_filter_enter(setup->filter);
}

/* Waits for a job. Returns: false when none comes. */
static bool
await_job(struct child *c)
{
	uint64_t until = clock_ms() + CHILD_WAIT_MS;

	while (c->job == JOB_NONE) {
		uint64_t now = clock_ms();

		if (now >= until || link_wait(c->link, (int)(until - now)) < 0)
			return false;
	}
	return true;
}

static bool
serve(struct child *c)
{
	struct resolver resolver = {ask, c};

	c->dns_until_ms = clock_ms() + CHILD_DNS_MS;
	return c->job == JOB_IS_ENVELOPE ? serve_envelope(c, &resolver)
	                                 : serve_message(c, &resolver);
}

/* Nothing of a job is left for the next one. */
static void
forget(struct child *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->job = JOB_NONE;
	c->foretold_count = 0;
	c->room_used = 0;
}

/*
 * What served many checks ends before its limits would hit a message that is not to blame. The
 * dispatcher gives the job that it may have sent meanwhile to another.
 */
static bool
worn_out(void)
{
	struct mallinfo2 heap = mallinfo2();
	struct timespec used;

	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0 ||
	       used.tv_sec >= CHILD_WORN_SECONDS ||
	       heap.arena + heap.hblkhd > CHILD_ADDRESS_SPACE / 4;
}

void
child_serve(const void *arg, int fd)
{
	static struct child child;
	struct child *c = &child;

	c->setup = arg;
	c->fd = -1;
	if (confine(c->setup) != 0)
		_exit(EXIT_FAILURE);
	c->link = link_new(NULL, fd, &role, c);
	if (c->setup->tools.conf->top.log_checks)
		note_to(on_note, c);
	if (c->link == NULL || !await_job(c))
		_exit(EXIT_FAILURE);
	do {
		if (!serve(c))
			_exit(EXIT_FAILURE);
		link_flush(c->link);
		forget(c);
	} while (c->stay && !worn_out() && await_job(c));
	_exit(EXIT_SUCCESS);
}

int
child_prepare(struct child_setup *setup_out, const struct conf *conf)
{
	struct content_tools *tools = &setup_out->tools;

	setup_out->dns_timeout_ms = (uint32_t)conf->dns.timeout * 1000;
	setup_out->filter = sandbox_filter_new(calls);
	tools->conf = conf;
	tools->dkim = dkim_new();
	tools->spf = spf_new();
	tools->dmarc = dmarc_new(&conf->dmarc.override);
	return setup_out->filter != NULL && tools->spf != NULL && tools->dkim != NULL &&
	               tools->dmarc != NULL
	           ? 0
	           : -1;
}

/*
 * What the warm libraries have freed lies scattered over the heap. A child that used it would copy
 * a page for each piece: so it is taken for good, and children allocate side by side at the end of
 * the heap. The small pieces that malloc keeps apart for the thread do not count as free.
 */
void
child_settle(void)
{
	enum { LARGEST = 64 * 1024, LARGEST_KEPT_APART = 1032, STEP = 16, ROOM = 1024 * 1024 };
	size_t holes = mallinfo2().fordblks;
	void *last = malloc(LARGEST); /* larger than the holes: from the end */
	uintptr_t end = (uintptr_t)last;

	free(last);
	for (size_t size = LARGEST; size >= STEP; size -= STEP) {
		void *p = NULL;

		while ((holes >= size || size <= LARGEST_KEPT_APART) &&
		       (p = malloc(size)) != NULL && (uintptr_t)p < end)
			holes -= size < holes ? size : holes;
		if (size > LARGEST_KEPT_APART && holes >= size)
			free(p);
	}
	/* Room at the end that nobody has touched: a child asks the kernel for no memory of its own. */
	mallopt(M_MMAP_THRESHOLD, ROOM);
	mallopt(M_TRIM_THRESHOLD, 2 * ROOM);
	free(malloc(ROOM - LARGEST));
}
