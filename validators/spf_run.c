#include "validators/spf_run.h"

#include "lib/idn.h"

#include "validators/note.h"
#include "validators/spf_record.h"

enum { V4_BITS = 32, V4_OFFSET = 12 };

static bool
is_v4(const struct spf_run *run)
{
	return ip_is_v4(&run->question->client);
}

/* ---- trouble and limits ------------------------------------------------------------------------ */

void
spf_run_trouble(struct spf_run *run, enum spf_trouble trouble, const char *what, struct span name)
{
	if (run->trouble != SPF_FINE)
		return;
	run->trouble = trouble;
	run->reason.len = 0;
	buf_put_str(&run->reason, what);
	if (name.len > 0) {
		buf_put_str(&run->reason, ": ");
		buf_put_span(&run->reason, span_head(name, 100));
	}
}

bool
spf_run_count_term(struct spf_run *run)
{
	if (++run->terms > SPF_TERMS_MAX)
		spf_run_trouble(
		    run, SPF_PERMANENT, "too many terms that ask the DNS", span_of(NULL, 0));
	return run->trouble == SPF_FINE;
}

/* Returns: the status that the caller goes on with. */
static enum spf_found
count_void(struct spf_run *run, enum dns_status status, struct span name)
{
	if (++run->voids > SPF_VOIDS_MAX)
		spf_run_trouble(run, SPF_PERMANENT, "too many lookups without an answer", name);
	if (run->trouble != SPF_FINE)
		return SPF_GAVE_UP;
	return status == DNS_NO_NAME ? SPF_NO_NAME : SPF_NOT_FOUND;
}

/* ---- places ---------------------------------------------------------------------------------- */

int
spf_run_place(struct spf_run *run, enum spf_place_kind kind, struct span name, unsigned bits)
{
	struct spf_place *place = &run->places[run->places_used];

	if (run->places_used == SPF_PLACES) {
		spf_run_trouble(run, SPF_PERMANENT, "too many names", name);
		return -1;
	}
	*place = (struct spf_place){.kind = kind, .bits = bits};
	if (dns_name_ok(name)) {
		place->len = (uint8_t)name.len;
		memcpy(place->name, name.p, name.len);
	}
	return (int)run->places_used++;
}

static struct span
place_name(const struct spf_place *place)
{
	return span_of(place->name, place->len);
}

/* ---- questions ------------------------------------------------------------------------------- */

static void
ask(struct spf_run *run, struct span name, enum dns_type type, struct dns_reply *reply)
{
	if (dns_name_ok(name)) {
		run->resolver->ask(run->resolver->arg, name, type, reply);
	} else {
		reply->status = DNS_NO_NAME;
		reply->len = reply->count = 0;
	}
}

/* What an answer without records means, for everything but ptr. */
static enum spf_found
no_records(struct spf_run *run, enum dns_status status, struct span name)
{
	if (status == DNS_TROUBLE) {
		spf_run_trouble(run, SPF_TEMPORARY, "no answer from the DNS", name);
		return SPF_GAVE_UP;
	}
	if (status == DNS_UNUSABLE) {
		spf_run_trouble(run, SPF_PERMANENT, "oversized answer from the DNS", name);
		return SPF_GAVE_UP;
	}
	return count_void(run, status, name);
}

bool
spf_ip_matches(const struct ip *client, const struct ip *network, unsigned bits)
{
	const uint8_t *a = client->octets, *b = network->octets;
	unsigned whole, rest;

	if (ip_is_v4(client)) {
		a += V4_OFFSET;
		b += V4_OFFSET;
		bits = bits < V4_BITS ? bits : V4_BITS;
	}
	whole = bits / 8;
	rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* In: address, of a record of the client's family. */
static bool
address_matches(const struct spf_run *run, struct span address, unsigned bits)
{
	struct ip ip = run->question->client; /* with its prefix, when it is of IPv4 */

	if (address.len > IP_LEN)
		return false;
	memcpy(ip.octets + IP_LEN - address.len, address.p, address.len);
	return spf_ip_matches(&run->question->client, &ip, bits);
}

static bool
any_matches(const struct spf_run *run, const struct dns_reply *reply, unsigned bits)
{
	struct span rest = dns_records(reply);
	struct msg_dns_record record;

	while (dns_next(&rest, &record))
		if (address_matches(run, record.data, bits))
			return true;
	return false;
}

static enum dns_type
address_type(const struct spf_run *run)
{
	return is_v4(run) ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

/* ---- terms, as they are explained -------------------------------------------------------------- */

static const char *
term_name(enum spf_place_kind kind)
{
	static const char *const names[] = {
	    [SPF_PLACE_RECORD] = "spf record",
	    [SPF_PLACE_A] = "spf term a",
	    [SPF_PLACE_MX] = "spf term mx",
	    [SPF_PLACE_MX_HOST] = "spf host of mx",
	    [SPF_PLACE_PTR] = "spf term ptr",
	    [SPF_PLACE_EXISTS] = "spf term exists",
	};

	return names[kind];
}

/* ---- a, mx, exists ----------------------------------------------------------------------------- */

static enum spf_found
lookup_address(struct spf_run *run, const struct spf_place *place, bool *match_out)
{
	ask(run, place_name(place), address_type(run), &run->reply);
	if (run->reply.status != DNS_OK)
		return no_records(run, run->reply.status, place_name(place));
	*match_out = any_matches(run, &run->reply, place->bits);
	return SPF_FOUND;
}

/* RFC 7208 5.7: an A record, whatever the client's address is. */
static enum spf_found
lookup_exists(struct spf_run *run, const struct spf_place *place, bool *match_out)
{
	ask(run, place_name(place), DNS_TYPE_A, &run->reply);
	if (run->reply.status != DNS_OK)
		return no_records(run, run->reply.status, place_name(place));
	*match_out = true;
	return SPF_FOUND;
}

enum spf_found
spf_run_mx(struct spf_run *run, const struct spf_place *place, int *first_out, size_t *count_out)
{
	struct msg_dns_record record;
	struct span rest;

	*count_out = 0;
	ask(run, place_name(place), DNS_TYPE_MX, &run->reply);
	note(term_name(place->kind), place_name(place),
	    run->reply.status == DNS_OK ? SPAN("its hosts follow") : SPAN("no match"));
	if (run->reply.status != DNS_OK)
		return no_records(run, run->reply.status, place_name(place));
	rest = dns_records(&run->reply);
	while (*count_out <= SPF_NAMES_MAX && dns_next(&rest, &record)) {
		int at = spf_run_place(run, SPF_PLACE_MX_HOST, record.data, place->bits);

		if (at < 0)
			return SPF_GAVE_UP;
		if ((*count_out)++ == 0)
			*first_out = at;
	}
	return SPF_FOUND;
}

/* ---- ptr and %{p} ------------------------------------------------------------------------------ */

static void
put_reverse_name(struct buf *b, const struct ip *ip)
{
	const uint8_t *p = ip->octets;

	if (ip_is_v4(ip)) {
		buf_printf(b, "%u.%u.%u.%u.in-addr.arpa", p[15], p[14], p[13], p[12]);
		return;
	}
	for (size_t i = IP_LEN; i-- > 0;)
		buf_printf(b, "%x.%x.", p[i] & 15u, (unsigned)p[i] >> 4);
	buf_put_str(b, "ip6.arpa");
}

/* Names of the client as its reverse zone has them, into run->reply. */
static void
ask_names(struct spf_run *run)
{
	uint8_t room[80];
	struct buf b = BUF_OVER(room);

	put_reverse_name(&b, &run->question->client);
	ask(run, buf_span(&b), DNS_TYPE_PTR, &run->reply);
}

/* The name leads back to the client. RFC 7208 5.5; an error only means that it does not. */
static bool
is_validated(struct spf_run *run, struct span name)
{
	ask(run, name, address_type(run), &run->address_reply);
	return run->address_reply.status == DNS_OK && any_matches(run, &run->address_reply, 128);
}

/* Equal, or a name below the domain. */
static bool
is_under(struct span name, struct span domain)
{
	if (name.len == domain.len)
		return span_eq_nocase(name, domain);
	return name.len > domain.len && name.p[name.len - domain.len - 1] == '.' &&
	       span_eq_nocase(span_from(name, name.len - domain.len), domain);
}

static enum spf_found
lookup_ptr(struct spf_run *run, const struct spf_place *place, bool *match_out)
{
	struct msg_dns_record record;
	struct span rest;

	*match_out = false;
	ask_names(run);
	if (run->reply.status == DNS_TROUBLE || run->reply.status == DNS_UNUSABLE)
		return SPF_NOT_FOUND;
	if (run->reply.status != DNS_OK)
		return count_void(run, run->reply.status, place_name(place));
	rest = dns_records(&run->reply);
	for (unsigned i = 0; i < SPF_NAMES_MAX && !*match_out && dns_next(&rest, &record); i++)
		*match_out =
		    is_under(record.data, place_name(place)) && is_validated(run, record.data);
	return SPF_FOUND;
}

/* RFC 7208 7.3, letter p: the domain itself, else a name below it, else any. */
static unsigned
name_rank(struct span name, struct span domain)
{
	if (span_eq_nocase(name, domain))
		return 3;
	return is_under(name, domain) ? 2 : 1;
}

static void
find_validated(struct spf_run *run, struct span domain)
{
	struct msg_dns_record record;
	unsigned best = 0;
	struct span rest;

	ask_names(run);
	if (run->reply.status != DNS_OK)
		return;
	rest = dns_records(&run->reply);
	for (unsigned i = 0; i < SPF_NAMES_MAX && dns_next(&rest, &record); i++) {
		unsigned rank = name_rank(record.data, domain);

		if (rank <= best || record.data.len > sizeof(run->validated) ||
		    !is_validated(run, record.data))
			continue;
		best = rank;
		run->validated_len = record.data.len;
		memcpy(run->validated, record.data.p, record.data.len);
	}
}

static struct span
validated_name(void *arg, struct span domain)
{
	struct spf_run *run = arg;

	if (!run->have_validated) {
		const struct span unknown = SPAN("unknown");

		run->have_validated = true;
		run->validated_len = unknown.len;
		memcpy(run->validated, unknown.p, unknown.len);
		find_validated(run, domain);
	}
	return span_of(run->validated, run->validated_len);
}

/* ---- lookups by kind --------------------------------------------------------------------------- */

static enum spf_found
lookup(struct spf_run *run, const struct spf_place *place, bool *match_out)
{
	switch (place->kind) {
	case SPF_PLACE_A:
	case SPF_PLACE_MX_HOST:
		return lookup_address(run, place, match_out);
	case SPF_PLACE_EXISTS:
		return lookup_exists(run, place, match_out);
	case SPF_PLACE_PTR:
		return lookup_ptr(run, place, match_out);
	default:
		return SPF_NOT_FOUND;
	}
}

enum spf_found
spf_run_lookup(struct spf_run *run, const struct spf_place *place, bool *match_out)
{
	enum spf_found found = lookup(run, place, match_out);

	note(term_name(place->kind), place_name(place),
	    found == SPF_FOUND && *match_out ? SPAN("match") : SPAN("no match"));
	return found;
}

/* ---- records --------------------------------------------------------------------------------- */

/* RFC 7208 4.5. Returns: how many there are; a single one is given. */
static unsigned
select_record(struct spf_run *run, struct span *record_out)
{
	struct span rest = dns_records(&run->reply), found = {NULL, 0};
	struct msg_dns_record record;
	unsigned n = 0;

	while (dns_next(&rest, &record)) {
		if (!spf_record_is_one(record.data))
			continue;
		found = record.data;
		n++;
	}
	if (n == 1) {
		memcpy(run->record, found.p, found.len);
		*record_out = span_of(run->record, found.len);
	}
	return n;
}

/* "v=spf1 -all": the domain sends no mail, and so nobody forwards any of it. */
static bool
is_only_minus_all(struct span record)
{
	struct span terms = span_from(record, SPAN("v=spf1").len);

	while (terms.len > 0 && terms.p[0] == ' ')
		terms = span_from(terms, 1);
	while (terms.len > 0 && terms.p[terms.len - 1] == ' ')
		terms.len--;
	return span_eq_nocase(terms, SPAN("-all"));
}

/* RFC 7208 5.2, 6.1: what is missing is none for the first domain, and an error below it. */
static bool
record_missing(struct spf_run *run, bool first, struct span name)
{
	if (first)
		run->no_record = true;
	else
		spf_run_trouble(run, SPF_PERMANENT, "no SPF record", name);
	return false;
}

bool
spf_run_record(struct spf_run *run, const struct spf_place *place, struct span *record_out)
{
	struct span name = place_name(place);
	bool first = place == &run->places[0];
	const char *why;
	unsigned n = 0;

	if (!first && !spf_run_count_term(run))
		return false;
	ask(run, name, DNS_TYPE_TXT, &run->reply);
	if (run->reply.status == DNS_OK)
		n = select_record(run, record_out);
	else if (run->reply.status == DNS_TROUBLE || run->reply.status == DNS_UNUSABLE || !first)
		no_records(run, run->reply.status, name);
	if (run->trouble != SPF_FINE)
		return false;
	if (n == 0)
		return record_missing(run, first, name);
	if (n > 1)
		spf_run_trouble(run, SPF_PERMANENT, "more than one SPF record", name);
	else if (!spf_record_check(*record_out, &why))
		spf_run_trouble(run, SPF_PERMANENT, why, name);
	if (n == 1)
		note("spf record", name, *record_out);
	if (first && n == 1)
		run->no_mail = is_only_minus_all(*record_out);
	return run->trouble == SPF_FINE;
}

/* ---- identity -------------------------------------------------------------------------------- */

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 0x80)
			return false;
	return true;
}

/* RFC 7208 2.4: the null reverse-path stands for postmaster at the HELO name. */
static void
identify(struct spf_run *run, const struct spf_question *q)
{
	size_t at = span_find_last(q->sender, '@');
	struct span local = span_head(q->sender, at);
	struct span domain = q->sender.len == 0 ? q->helo : span_from(q->sender, at + 1);
	struct buf name = BUF_OVER(run->domain);

	/* RFC 8616 4 lets no term with such a local part match; one that nobody has comes near that. */
	if (q->sender.len == 0 || local.len == 0 || !is_ascii(local))
		local = SPAN("postmaster");
	local = span_head(local, sizeof(run->local));
	memcpy(run->local, local.p, local.len);
	run->facts.local = span_of(run->local, local.len);
	/* A name that is none stays empty, and has no policy. */
	if (domain.len <= sizeof(run->domain) && idn_to_ascii(domain, &name) == IDN_OK &&
	    !name.full)
		run->facts.sender_domain = buf_span(&name);
}

void
spf_run_init(struct spf_run *run, const struct spf_question *q, const struct resolver *resolver,
    struct buf reason_room)
{
	memset(run, 0, offsetof(struct spf_run, reply));
	run->places_used = 0;
	run->question = q;
	run->resolver = resolver;
	run->reason = reason_room;
	run->facts.client = q->client;
	run->facts.helo = q->helo;
	run->facts.validated = validated_name;
	run->facts.arg = run;
	identify(run, q);
}
