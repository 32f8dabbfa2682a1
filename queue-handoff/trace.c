#include "queue-handoff/trace.h"

/* ---- characters ------------------------------------------------------------------------------ */

static bool
is_name_octet(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '_';
}

static bool
is_literal_octet(uint8_t c)
{
	return is_name_octet(c) || c == ':' || c == '[' || c == ']';
}

static bool
is_list_octet(uint8_t c)
{
	return is_name_octet(c) || c == ' ';
}

/* atext of RFC 5322 3.2.3, and what joins atoms to an address; an address that needs quoting
 * has others and is not shown. */
static bool
is_address_octet(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.@", c) != NULL);
}

static bool
all(struct span s, bool (*is)(uint8_t))
{
	for (size_t i = 0; i < s.len; i++)
		if (!is(s.p[i]))
			return false;
	return s.len > 0;
}

static void
put_safe(struct buf *b, struct span s, bool (*is)(uint8_t))
{
	buf_put_span(b, s.len <= 255 && all(s, is) ? s : SPAN("unknown"));
}

/* ---- date ------------------------------------------------------------------------------------ */

static void
put_two(struct buf *b, unsigned v)
{
	buf_put_u8(b, (uint8_t)('0' + v / 10 % 10));
	buf_put_u8(b, (uint8_t)('0' + v % 10));
}

/* Year, month and day of a day number, by counting from March of year 0, in which the leap day is
 * the last one of its year (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms). */
static void
civil_from_days(uint64_t days, uint64_t *year_out, unsigned *month_out, unsigned *day_out)
{
	uint64_t z = days + 719468;
	uint64_t era = z / 146097;
	unsigned doe = (unsigned)(z % 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*day_out = doy - (153 * mp + 2) / 5 + 1;
	*month_out = mp < 10 ? mp + 3 : mp - 9;
	*year_out = yoe + era * 400 + (*month_out <= 2);
}

void
trace_put_date(struct buf *b, uint64_t unix_seconds)
{
	static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
	static const char months[12][4] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	const uint64_t end_of_9999 = 253402300799;
	uint64_t t = unix_seconds < end_of_9999 ? unix_seconds : end_of_9999;
	unsigned second_of_day = (unsigned)(t % 86400);
	unsigned month, day;
	uint64_t year;

	civil_from_days(t / 86400, &year, &month, &day);
	buf_put_str(b, days[t / 86400 % 7]);
	buf_put_str(b, ", ");
	buf_put_decimal(b, day);
	buf_put_u8(b, ' ');
	buf_put_str(b, months[month - 1]);
	buf_put_u8(b, ' ');
	buf_put_decimal(b, year);
	buf_put_u8(b, ' ');
	put_two(b, second_of_day / 3600);
	buf_put_u8(b, ':');
	put_two(b, second_of_day / 60 % 60);
	buf_put_u8(b, ':');
	put_two(b, second_of_day % 60);
	buf_put_str(b, " +0000");
}

/* ---- Received: ------------------------------------------------------------------------------- */

/* RFC 5321 4.1.3 */
static void
put_literal(struct buf *b, const struct ip *ip)
{
	buf_put_str(b, ip_is_v4(ip) ? "[" : "[IPv6:");
	ip_put(b, ip);
	buf_put_u8(b, ']');
}

static void
put_tls(struct buf *b, const struct trace_facts *f)
{
	buf_put_str(b, "\n\t(version=");
	put_safe(b, f->tls_version, is_name_octet);
	buf_put_str(b, " cipher=");
	put_safe(b, f->tls_cipher, is_name_octet);
	if (f->tls_server_name.len > 0) {
		buf_put_str(b, " sni=");
		put_safe(b, f->tls_server_name, is_name_octet);
	}
	buf_put_u8(b, ')');
}

static const char *
protocol(const struct trace_facts *f)
{
	bool tls = f->tls_version.len > 0;

	if (f->smtputf8)
		return tls ? "UTF8SMTPS" : "UTF8SMTP";
	return !f->esmtp ? "SMTP" : tls ? "ESMTPS" : "ESMTP";
}

/*
 * RFC 5321 4.4 Time-stamp-line: "from" Extended-Domain "by" Domain "with" Protocol "id" Atom
 * ["for" Path] ";" date-time. RFC 3848 and RFC 6531 4.3 have the names of the protocols.
 */
static void
put_received(struct buf *b, const struct trace_facts *f)
{
	buf_put_str(b, "Received: from ");
	put_safe(b, f->helo, is_literal_octet);
	buf_put_str(b, " (");
	if (f->client_name.len > 0) {
		put_safe(b, f->client_name, is_name_octet);
		buf_put_u8(b, ' ');
	}
	put_literal(b, &f->client);
	buf_put_str(b, ")\n\tby ");
	put_safe(b, f->hostname, is_name_octet);
	buf_put_str(b, " with ");
	buf_put_str(b, protocol(f));
	buf_put_str(b, " id ");
	put_safe(b, f->id, is_name_octet);
	if (f->tls_version.len > 0)
		put_tls(b, f);
	if (f->recipient.len <= 512 && all(f->recipient, is_address_octet)) {
		buf_put_str(b, "\n\tfor <");
		buf_put_span(b, f->recipient);
		buf_put_u8(b, '>');
	}
	buf_put_str(b, ";\n\t");
	trace_put_date(b, f->received);
	buf_put_u8(b, '\n');
}

/* ---- Authentication-Results: ----------------------------------------------------------------- */

/* RFC 8601 2.7.1 and 2.7.2: what was not checked has no result, and "softfail" is none of DKIM. */
static const char *
result_word(unsigned result, bool of_dkim)
{
	if (result == AUTH_UNCHECKED)
		return auth_result_name(AUTH_NONE);
	if (of_dkim && result == AUTH_SOFTFAIL)
		return auth_result_name(AUTH_NEUTRAL);
	return auth_result_name(result);
}

/* A property whose value is a name; left out when it is not one. */
static void
put_property(struct buf *b, const char *property, struct span name)
{
	if (name.len > 255 || !all(name, is_name_octet))
		return;
	buf_put_u8(b, ' ');
	buf_put_str(b, property);
	buf_put_u8(b, '=');
	buf_put_span(b, name);
}

static void
put_iprev(struct buf *b, const struct trace_facts *f)
{
	uint8_t result = f->iprev;

	if (result == AUTH_UNCHECKED && f->client_name.len > 0)
		result = AUTH_PASS;
	if (result == AUTH_UNCHECKED)
		return;
	buf_put_str(b, ";\n\tiprev=");
	buf_put_str(b, result_word(result, true));
	/* A colon is no octet of a token (RFC 2045 5.1). */
	buf_put_str(b, ip_is_v4(&f->client) ? " policy.iprev=" : " policy.iprev=\"");
	ip_put(b, &f->client);
	buf_put_str(b, ip_is_v4(&f->client) ? "" : "\"");
	if (result == AUTH_PASS && f->client_name.len <= 255 &&
	    all(f->client_name, is_name_octet)) {
		buf_put_str(b, " (");
		buf_put_span(b, f->client_name);
		buf_put_u8(b, ')');
	}
}

static void
put_spf(struct buf *b, const struct trace_facts *f)
{
	if (f->spf != AUTH_UNCHECKED) {
		buf_put_str(b, ";\n\tspf=");
		buf_put_str(b, result_word(f->spf, false));
		put_property(
		    b, f->reverse_path.len == 0 ? "smtp.helo" : "smtp.mailfrom", f->spf_domain);
	}
	if (f->spf_helo != AUTH_UNCHECKED) {
		buf_put_str(b, ";\n\tspf=");
		buf_put_str(b, result_word(f->spf_helo, false));
		put_property(b, "smtp.helo", f->helo);
	}
}

static bool
is_base64_octet(uint8_t c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '+' || c == '/' || c == '=';
}

/* header.a (RFC 8601 2.7.1) and header.b (RFC 6008) tell signatures of one domain apart. */
static void
put_signature(struct buf *b, const struct msg_dkim_result *s)
{
	static const char *const algorithms[] = {
	    [DKIM_OTHER] = NULL,
	    [DKIM_RSA_SHA256] = "rsa-sha256",
	    [DKIM_ED25519_SHA256] = "ed25519-sha256",
	    [DKIM_RSA_SHA1] = "rsa-sha1",
	};

	buf_put_str(b, ";\n\tdkim=");
	buf_put_str(b, result_word(s->result, true));
	put_property(b, "header.d", s->domain);
	/* Together no name of the DNS: too long to be shown whole. */
	if (s->domain.len + s->selector.len <= 253)
		put_property(b, "header.s", s->selector);
	if (s->algorithm <= DKIM_RSA_SHA1 && algorithms[s->algorithm] != NULL)
		put_property(b, "header.a", span_str(algorithms[s->algorithm]));
	if (s->tag.len <= 8 && all(s->tag, is_base64_octet)) {
		buf_put_str(b, " header.b=\"");
		buf_put_span(b, s->tag);
		buf_put_u8(b, '"');
	}
}

static void
put_dkim(struct buf *b, const struct trace_facts *f)
{
	struct span rest = f->signatures.encoded;
	struct msg_dkim_result s;
	bool some = false;

	while (msg_list_next(&rest, RECORD_dkim_result, &s)) {
		some = true;
		put_signature(b, &s);
	}
	if (!some)
		buf_put_str(b, ";\n\tdkim=none");
}

static void
put_dmarc_comment(struct buf *b, const struct trace_facts *f)
{
	bool published = f->dmarc_domain.len > 0 && f->dmarc_domain.len <= 255 &&
	                 all(f->dmarc_domain, is_name_octet);

	if (!published && !f->quarantine)
		return;
	buf_put_str(b, " (");
	if (published) {
		buf_put_str(b, "by=");
		buf_put_span(b, f->dmarc_domain);
	}
	if (f->quarantine)
		buf_put_str(b, published ? " dis=quarantine" : "dis=quarantine");
	buf_put_u8(b, ')');
}

/* RFC 9989 9.1: policy.dmarc is the policy that holds, after t= and overrides. Where it is
 * published is a comment, for there is no property for it. */
static void
put_dmarc(struct buf *b, const struct trace_facts *f)
{
	static const char *const policies[] = {"none", "quarantine", "reject"};

	buf_put_str(b, ";\n\tdmarc=");
	buf_put_str(b, result_word(f->dmarc, true));
	put_dmarc_comment(b, f);
	put_property(b, "header.from", f->author);
	if (f->dmarc_domain.len > 0 && f->dmarc_policy < sizeof(policies) / sizeof(policies[0]))
		put_property(b, "policy.dmarc", span_str(policies[f->dmarc_policy]));
}

/* RFC 8601 2.2 */
static void
put_results(struct buf *b, const struct trace_facts *f)
{
	buf_put_str(b, "Authentication-Results: ");
	put_safe(b, f->authserv_id, is_name_octet);
	put_iprev(b, f);
	put_spf(b, f);
	if (f->dkim)
		put_dkim(b, f);
	if (f->dmarc != AUTH_UNCHECKED)
		put_dmarc(b, f);
	buf_put_u8(b, '\n');
}

static bool
has_results(const struct trace_facts *f)
{
	return f->iprev != AUTH_UNCHECKED || f->client_name.len > 0 || f->spf != AUTH_UNCHECKED ||
	       f->spf_helo != AUTH_UNCHECKED || f->dkim || f->dmarc != AUTH_UNCHECKED;
}

/* ---- Received-SPF: and our own ------------------------------------------------------------------ */

/* RFC 7208 9.1 */
static void
put_received_spf(struct buf *b, const struct trace_facts *f)
{
	buf_put_str(b, "Received-SPF: ");
	buf_put_str(b, result_word(f->spf, false));
	buf_put_str(b, "\n\tclient-ip=");
	ip_put(b, &f->spf_client);
	if (f->reverse_path.len <= 512 && all(f->reverse_path, is_address_octet)) {
		buf_put_str(b, ";\n\tenvelope-from=\"");
		buf_put_span(b, f->reverse_path);
		buf_put_u8(b, '"');
	}
	buf_put_str(b, ";\n\thelo=\"");
	put_safe(b, f->helo, is_literal_octet);
	buf_put_str(b, "\"; identity=");
	buf_put_str(b, f->reverse_path.len == 0 ? "helo" : "mailfrom");
	buf_put_str(b, "; receiver=");
	put_safe(b, f->hostname, is_name_octet);
	buf_put_u8(b, '\n');
}

bool
trace_put(struct buf *b, const struct trace_facts *f)
{
	put_received(b, f);
	if (has_results(f))
		put_results(b, f);
	if (f->received_spf && f->spf != AUTH_UNCHECKED)
		put_received_spf(b, f);
	if (f->listed.len > 0) {
		buf_put_str(b, "X-Gatehouse-Listed: ");
		put_safe(b, f->listed, is_list_octet);
		buf_put_u8(b, '\n');
	}
	if (f->quarantine || f->listed.len > 0)
		buf_put_str(b, "X-Gatehouse-Disposition: quarantine\n");
	return !b->full;
}
