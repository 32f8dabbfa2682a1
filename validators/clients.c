#include "validators/clients.h"

#include <stdlib.h>

#include "lib/log.h"

#include "validators/clients_note.h"
#include "validators/counters.h"
#include "validators/dns.h"

/* Numbers of a client's questions: the lists, its reverse name, the addresses of its names. */
enum { QUERY_REVERSE = CONF_MOST_dnslist, QUERY_NAMES };

/* Names of one address whose addresses are asked for. */
struct names {
	unsigned count, best; /* best: the first one that is confirmed */
	struct {
		uint8_t len;
		uint8_t text[CLIENT_NAME_MAX];
	} items[CLIENT_NAMES_MAX];
};

struct client {
	struct clients *clients;
	struct client *next;          /* of the bucket */
	struct client *older, *newer; /* of those that nobody holds */
	struct ip ip;
	uint64_t until_ms; /* the facts hold */
	unsigned holders;
	bool asking;
	struct asker asker;
	struct timer deadline;
	uint32_t ttl; /* seconds; the least of the answers used */
	unsigned questions_left;
	unsigned names_unknown;
	struct names *names; /* NULL: none is asked about */
	struct client_waiter *waiters;
	struct client_facts facts;
};

static const struct ip nobody = {{[10] = 255, 255, 127, 0, 0, 1}};

/* ---- asking ------------------------------------------------------------------------------------ */

static bool
ask(struct client *c, uint32_t query, enum dns_type type, struct span name, uint64_t timeout_ms)
{
	struct msg_dns_ask m = {query, (uint16_t)type, name, (uint32_t)timeout_ms, 0, 0};

	m.own = query <= QUERY_REVERSE; /* the names are the client's choice */

	/* Not of the client's budget: it could use that up before, and be on no list then. */
	return questions_ask(c->clients->questions, &c->asker, &m, NULL, &c->questions_left);
}

static void
ask_list(struct client *c, uint32_t at)
{
	const struct client_list *list = &c->clients->lists[at];
	uint8_t room[DNSLIST_NAME_MAX];
	struct buf name = BUF_OVER(room);

	dnslist_put_name(&name, &c->ip, span_str(list->conf->zone));
	if ((list->probed && !list->good) ||
	    !ask(c, at, DNS_TYPE_A, buf_span(&name), list->conf->timeout * 1000))
		c->facts.unknown |= 1u << at;
}

static void
ask_reverse(struct client *c)
{
	uint8_t room[DNSLIST_NAME_MAX];
	struct buf name = BUF_OVER(room);

	dnslist_put_name(&name, &c->ip, ip_is_v4(&c->ip) ? SPAN("in-addr.arpa") : SPAN("ip6.arpa"));
	c->facts.reverse = REVERSE_UNKNOWN;
	ask(c, QUERY_REVERSE, DNS_TYPE_PTR, buf_span(&name), c->clients->conf->dns.timeout * 1000);
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void
use_ttl(struct client *c, const struct msg_dns_answer *answer)
{
	if (answer->status == DNS_OK && answer->ttl < c->ttl)
		c->ttl = answer->ttl;
}

static void
complain(struct client_list *list, const char *reason)
{
	struct log_line line;

	list->good = false;
	if (list->complained)
		return;
	list->complained = true;
	log_begin(&line, EVENT_dnslist_error);
	log_str(&line, "list", list->conf->title);
	log_str(&line, "reason", reason);
	log_end(&line);
}

static void
list_answered(struct client *c, const struct msg_dns_answer *answer)
{
	uint32_t at = answer->query;
	struct client_list *list = &c->clients->lists[at];
	enum dnslist_answer said =
	    dnslist_read(&list->answers, answer->status, answer->records.encoded);

	clients_note_list(c->clients->conf, list->conf, said);
	switch (said) {
	case DNSLIST_NOT_LISTED:
		break;
	case DNSLIST_LISTED:
		c->facts.listed |= 1u << at;
		break;
	case DNSLIST_ERROR:
		complain(list, "says that it does not serve us");
		c->facts.unknown |= 1u << at;
		break;
	case DNSLIST_UNKNOWN:
		c->facts.unknown |= 1u << at;
		break;
	}
	use_ttl(c, answer);
}

/* A host name: letters, digits and hyphens, at least two labels. */
static bool
is_host_name(struct span name)
{
	return name.len <= CLIENT_NAME_MAX && span_find(name, '_') == name.len &&
	       span_find(name, '.') < name.len && dns_name_ok(name);
}

static void
confirm(struct client *c, struct span name)
{
	struct names *names = c->names;
	unsigned at = names->count;

	if (at == CLIENT_NAMES_MAX || !is_host_name(name))
		return;
	if (!ask(c, QUERY_NAMES + at, ip_is_v4(&c->ip) ? DNS_TYPE_A : DNS_TYPE_AAAA, name,
		c->clients->conf->dns.timeout * 1000)) {
		c->names_unknown++;
		return;
	}
	names->items[at].len = (uint8_t)name.len;
	memcpy(names->items[at].text, name.p, name.len);
	names->count++;
}

static void
reverse_answered(struct client *c, const struct msg_dns_answer *answer)
{
	struct span rest = answer->records.encoded;
	struct msg_dns_record r;

	use_ttl(c, answer);
	clients_note_reverse(c->clients->conf, &c->ip, answer);
	if (answer->status == DNS_NO_NAME || answer->status == DNS_NO_DATA)
		c->facts.reverse = REVERSE_MISSING;
	if (answer->status != DNS_OK || c->names != NULL ||
	    (c->names = malloc(sizeof(*c->names))) == NULL)
		return;
	c->names->count = 0;
	c->names->best = CLIENT_NAMES_MAX;
	c->facts.reverse = REVERSE_UNCONFIRMED;
	while (msg_list_next(&rest, RECORD_dns_record, &r))
		confirm(c, r.data);
}

static bool
holds_address(const struct client *c, const struct msg_dns_answer *answer)
{
	struct span rest = answer->records.encoded;
	struct span own =
	    ip_is_v4(&c->ip) ? span_of(c->ip.octets + 12, 4) : span_of(c->ip.octets, IP_LEN);
	struct msg_dns_record r;

	while (msg_list_next(&rest, RECORD_dns_record, &r))
		if (span_eq(r.data, own))
			return true;
	return false;
}

static void
name_answered(struct client *c, const struct msg_dns_answer *answer)
{
	unsigned at = answer->query - QUERY_NAMES;
	bool leads_back = answer->status == DNS_OK && holds_address(c, answer);

	use_ttl(c, answer);
	clients_note_name(c->clients->conf,
	    span_of(c->names->items[at].text, c->names->items[at].len), answer, leads_back);
	if (answer->status == DNS_TROUBLE)
		c->names_unknown++;
	if (!leads_back || at >= c->names->best)
		return;
	c->names->best = at;
	c->facts.reverse = REVERSE_CONFIRMED;
	c->facts.name_len = c->names->items[at].len;
	memcpy(c->facts.name, c->names->items[at].text, c->facts.name_len);
}

/* ---- all is known ------------------------------------------------------------------------------- */

static void
enlist_free(struct client *c)
{
	struct clients *cs = c->clients;

	c->newer = NULL;
	c->older = cs->newest;
	if (c->older != NULL)
		c->older->newer = c;
	else
		cs->oldest = c;
	cs->newest = c;
}

static void
delist_free(struct client *c)
{
	struct clients *cs = c->clients;

	if (c->older != NULL)
		c->older->newer = c->newer;
	else
		cs->oldest = c->newer;
	if (c->newer != NULL)
		c->newer->older = c->older;
	else
		cs->newest = c->older;
}

static bool
is_held(const struct client *c)
{
	return c->holders > 0 || c->asking;
}

static uint64_t
keep_ms(const struct client *c)
{
	uint64_t ms = (uint64_t)c->ttl * 1000;

	if (c->facts.unknown != 0 || c->facts.reverse == REVERSE_UNKNOWN)
		return CLIENT_RETRY_MS;
	return ms < CLIENT_KEEP_MIN_MS ? CLIENT_KEEP_MIN_MS : ms;
}

static void
tell_waiters(struct client *c)
{
	c->holders++; /* whoever is told may release it */
	while (c->waiters != NULL) {
		struct client_waiter *w = c->waiters;

		c->waiters = w->next;
		if (c->waiters != NULL)
			c->waiters->prev = NULL;
		w->waiting = false;
		w->known(w);
	}
	c->holders--;
	if (!is_held(c))
		enlist_free(c);
}

/* What a list said that is not believed, or not any more. */
static void
forget_bad_lists(struct client *c)
{
	for (size_t i = 0; i < c->clients->list_count; i++) {
		if (c->clients->lists[i].good)
			continue;
		c->facts.listed &= ~(1u << i);
		c->facts.unknown |= 1u << i;
	}
}

static void
conclude(struct client *c)
{
	forget_bad_lists(c);
	questions_forget(c->clients->questions, &c->asker);
	timer_stop(&c->deadline);
	free(c->names);
	c->names = NULL;
	if (c->facts.reverse == REVERSE_UNCONFIRMED && c->names_unknown > 0)
		c->facts.reverse = REVERSE_UNKNOWN;
	c->until_ms = loop_now(c->clients->loop) + keep_ms(c);
	c->asking = false;
	tell_waiters(c);
}

/* Whether a list can be believed is found out when resolverd is there; the first clients may be faster. */
static bool
is_first_probe_open(const struct clients *cs)
{
	for (size_t i = 0; i < cs->list_count; i++)
		if (!cs->lists[i].probed && cs->lists[i].asker.open > 0)
			return true;
	return false;
}

static void
on_answered(struct asker *asker, const struct msg_dns_answer *answer)
{
	struct client *c =
	    (struct client *)(void *)((char *)asker - offsetof(struct client, asker));

	if (answer->query < QUERY_REVERSE)
		list_answered(c, answer);
	else if (answer->query == QUERY_REVERSE)
		reverse_answered(c, answer);
	else
		name_answered(c, answer);
	if (c->asker.open == 0 && !is_first_probe_open(c->clients))
		conclude(c);
}

/* resolverd answers everything in time; this is for one that does not. */
static void
on_deadline(void *arg)
{
	struct client *c = arg;

	for (size_t i = 0; i < c->clients->list_count; i++)
		if ((c->facts.listed & 1u << i) == 0)
			c->facts.unknown |= 1u << i;
	c->names_unknown++;
	conclude(c);
}

static void
begin(struct client *c)
{
	struct clients *cs = c->clients;
	uint64_t within = 2 * cs->conf->dns.timeout * 1000 + 1000;

	memset(&c->facts, 0, sizeof(c->facts));
	c->ttl = CLIENT_KEEP_MAX_MS / 1000;
	c->names_unknown = 0;
	c->questions_left = QUESTIONS_PER_MESSAGE;
	c->asking = true;
	timer_set(cs->loop, &c->deadline, within, on_deadline, c);
	for (uint32_t i = 0; i < cs->list_count; i++)
		ask_list(c, i);
	if (cs->conf->reverse_dns.check)
		ask_reverse(c);
	if (c->asker.open == 0)
		timer_set(cs->loop, &c->deadline, 0, on_deadline, c);
}

/* ---- the table ----------------------------------------------------------------------------------- */

static struct client **
bucket_of(struct clients *cs, const struct ip *ip)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < IP_LEN; i++)
		h = (h ^ ip->octets[i]) * UINT64_C(0x100000001b3);
	return &cs->buckets[(h >> 24) % CLIENT_BUCKETS];
}

static void
drop(struct client *c)
{
	struct client **at = bucket_of(c->clients, &c->ip);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (!is_held(c))
		delist_free(c);
	gauge(COUNT_clients_known, --c->clients->count);
	questions_forget(c->clients->questions, &c->asker);
	timer_stop(&c->deadline);
	free(c->names);
	free(c);
}

static struct client *
add(struct clients *cs, const struct ip *ip)
{
	struct client **bucket = bucket_of(cs, ip);
	struct client *c;

	if (cs->count >= CLIENTS_MAX && cs->oldest != NULL)
		drop(cs->oldest);
	if (cs->count >= CLIENTS_MAX || (c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->clients = cs;
	c->ip = *ip;
	c->asker.answered = on_answered;
	c->next = *bucket;
	*bucket = c;
	gauge(COUNT_clients_known, ++cs->count);
	count(COUNT_clients_asked);
	begin(c);
	return c;
}

/* Finds one whose facts hold or are being asked for, or makes one. */
static struct client *
get(struct clients *cs, const struct ip *ip)
{
	struct client *c = *bucket_of(cs, ip);

	while (c != NULL && memcmp(&c->ip, ip, sizeof(*ip)) != 0)
		c = c->next;
	if (c == NULL)
		return add(cs, ip);
	/* What a transaction was told does not change under it. */
	if (c->asking || c->holders > 0 || loop_now(cs->loop) < c->until_ms)
		return c;
	delist_free(c);
	count(COUNT_clients_asked);
	begin(c);
	return c;
}

void
clients_arrived(struct clients *cs, const struct ip *ip)
{
	if (clients_wanted(cs))
		get(cs, ip);
}

bool
clients_hold(struct clients *cs, const struct ip *ip, struct client_waiter *waiter)
{
	struct client *c = get(cs, ip);

	if (c == NULL)
		return false;
	if (!is_held(c))
		delist_free(c);
	c->holders++;
	waiter->client = c;
	waiter->waiting = c->asking;
	waiter->prev = NULL;
	waiter->next = NULL;
	if (!c->asking)
		return true;
	waiter->next = c->waiters;
	if (waiter->next != NULL)
		waiter->next->prev = waiter;
	c->waiters = waiter;
	return true;
}

void
clients_release(struct client_waiter *waiter)
{
	struct client *c = waiter->client;

	waiter->client = NULL;
	if (c == NULL)
		return;
	if (waiter->waiting) {
		if (waiter->prev != NULL)
			waiter->prev->next = waiter->next;
		else
			c->waiters = waiter->next;
		if (waiter->next != NULL)
			waiter->next->prev = waiter->prev;
		waiter->waiting = false;
	}
	c->holders--;
	if (!is_held(c))
		enlist_free(c);
}

const struct client_facts *
clients_facts(const struct client_waiter *waiter)
{
	return waiter->client != NULL && !waiter->waiting ? &waiter->client->facts : NULL;
}

/* ---- lists that list everybody --------------------------------------------------------------------- */

static void on_probe(void *arg);

static void
set_probed(struct client_list *list)
{
	struct clients *cs = list->clients;
	bool first = !list->probed;

	list->probed = true;
	if (!first || is_first_probe_open(cs))
		return;
	for (size_t i = 0; i < CLIENT_BUCKETS; i++)
		for (struct client *c = cs->buckets[i]; c != NULL; c = c->next)
			if (c->asking && c->asker.open == 0)
				conclude(c);
}

static void
probe_again(struct client_list *list)
{
	timer_set(list->clients->loop, &list->probe,
	    list->good ? LIST_PROBE_MS : LIST_PROBE_FAILED_MS, on_probe, list);
}

/* RFC 5782 5: no list of IPv4 addresses contains 127.0.0.1. */
static void
on_probe_answered(struct asker *asker, const struct msg_dns_answer *answer)
{
	struct client_list *list =
	    (struct client_list *)(void *)((char *)asker - offsetof(struct client_list, asker));

	if (answer->status == DNS_OK) {
		complain(list, "lists 127.0.0.1, or reports an error");
	} else if (answer->status == DNS_NO_NAME || answer->status == DNS_NO_DATA) {
		list->good = true;
		list->complained = false;
	} else {
		list->good = false; /* it would not answer about others either */
	}
	set_probed(list);
	probe_again(list);
}

static void
on_probe(void *arg)
{
	struct client_list *list = arg;
	uint8_t room[DNSLIST_NAME_MAX];
	struct buf name = BUF_OVER(room);
	struct msg_dns_ask m = {
	    0, DNS_TYPE_A, {NULL, 0}, (uint32_t)list->conf->timeout * 1000, 0, 1};
	unsigned one = 1;

	dnslist_put_name(&name, &nobody, span_str(list->conf->zone));
	m.name = buf_span(&name);
	if (list->asker.open == 0 &&
	    !questions_ask(list->clients->questions, &list->asker, &m, NULL, &one)) {
		list->good = false;
		set_probed(list);
		probe_again(list);
	}
}

void
clients_resolver_up(struct clients *cs)
{
	for (size_t i = 0; i < cs->list_count; i++)
		on_probe(&cs->lists[i]);
}

/* ---- life ---------------------------------------------------------------------------------------- */

bool
clients_wanted(const struct clients *cs)
{
	return conf_judges_clients(cs->conf);
}

void
clients_init(
    struct clients *cs, struct loop *loop, const struct conf *conf, struct questions *questions)
{
	memset(cs, 0, sizeof(*cs));
	cs->loop = loop;
	cs->conf = conf;
	cs->questions = questions;
	for (size_t i = 0; i < conf->dnslist_count; i++) {
		struct client_list *list = &cs->lists[cs->list_count++];
		size_t bad;

		list->conf = &conf->dnslist[i];
		list->clients = cs;
		list->asker.answered = on_probe_answered;
		dnslist_parse(&list->conf->answers, &list->answers, &bad);
	}
}

void
clients_clear(struct clients *cs)
{
	for (size_t i = 0; i < cs->list_count; i++) {
		timer_stop(&cs->lists[i].probe);
		questions_forget(cs->questions, &cs->lists[i].asker);
	}
	for (size_t i = 0; i < CLIENT_BUCKETS; i++)
		while (cs->buckets[i] != NULL)
			drop(cs->buckets[i]);
}
