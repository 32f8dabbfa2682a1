#include "lookupd/inspect.h"

#include <inttypes.h>
#include <sysexits.h>
#include <time.h>

#include "lib/digest.h"

#include "lookupd/report.h"

/* ---- query ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int status; /* of the exit */
} verdicts[] = {
    [RCPT_ACCEPTED] = {"accepted", EX_OK},
    [RCPT_UNKNOWN_USER] = {"unknown-user", 1},
    [RCPT_UNKNOWN_DOMAIN] = {"unknown-domain", 1},
    [RCPT_REFUSED] = {"refused", 1},
    [RCPT_DEFERRED] = {"deferred", 1},
    [RCPT_TROUBLE] = {"trouble", EX_TEMPFAIL},
};

static void
put_value(FILE *to, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	fprintf(to, " %s=", name);
	report_octets(to, value);
}

static int
query_one(const struct database *db, const struct overlay *overlay,
    const struct address *postmaster, const char *text, FILE *to)
{
	struct address a;
	struct lookup_result r;
	const struct address *recipient;

	report_octets(to, span_str(text));
	if (address_parse_forward(span_str(text), &a) != ADDRESS_OK) {
		fputs(": not an address\n", to);
		return 1;
	}
	recipient = &a;
	if (overlay == NULL || !overlay_lookup(overlay, db, &a, &r))
		lookup_recipient(db, &a, postmaster, &r, &recipient);
	fprintf(to, ": %s", verdicts[r.verdict].name);
	if (r.match != MATCH_NONE)
		fprintf(to, " by=%s", lookup_match_name(r.match));
	if (r.verdict == RCPT_ACCEPTED)
		put_value(to, "recipient", address_span(recipient));
	put_value(to, "route", r.route);
	put_value(to, "class", r.class);
	if (r.size_limit != 0)
		fprintf(to, " size=%" PRIu64, r.size_limit);
	if (r.no_bounces)
		fputs(" bounces=no", to);
	put_value(to, "status", r.status);
	put_value(to, "text", r.text);
	put_value(to, "why", span_str(r.trouble));
	fputc('\n', to);
	return verdicts[r.verdict].status;
}

int
inspect_query(const struct database *db, const struct overlay *overlay,
    const struct address *postmaster, const char *const *texts, size_t count, FILE *to)
{
	int worst = EX_OK;

	for (size_t i = 0; i < count; i++) {
		int status = query_one(db, overlay, postmaster, texts[i], to);

		worst = status > worst ? status : worst;
	}
	return worst;
}

/* ---- records in words ----------------------------------------------------------------------------- */

static void
put_time(FILE *to, uint64_t unix_seconds)
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;
	char text[40];

	if (unix_seconds < INT32_MAX * UINT64_C(100) && gmtime_r(&t, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		fputs(text, to);
	else
		fprintf(to, "%" PRIu64, unix_seconds);
}

static void
put_sources(const struct database *db, FILE *to)
{
	struct cursor c = cursor_over(db->header.attributes);
	struct attr a;

	while (c.left > 0 && attr_next(&c, &a) == RECORD_OK) {
		if (a.type != HEADER_SOURCE || a.octets.len < DIGEST_LEN)
			continue;
		fputs("source: ", to);
		report_octets(to, span_from(a.octets, DIGEST_LEN));
		fputs(" sha256=", to);
		for (size_t i = 0; i < DIGEST_LEN; i++)
			fprintf(to, "%02x", a.octets.p[i]);
		fputc('\n', to);
	}
}

static void
put_route(struct span value, FILE *to)
{
	struct span name;

	if (route_decode(value, &name) == RECORD_OK)
		report_octets(to, name);
	else
		fputs("?", to);
}

static void
put_domain_info(struct span key, struct span value, FILE *to)
{
	struct domain d;

	if (key.len == 0 || key_is_canary(key))
		return;
	if (key.p[0] == KEY_ROUTE) {
		fputs("route: ", to);
		put_route(value, to);
		fputc('\n', to);
	} else if (key_is_domain(key)) {
		fputs("domain: ", to);
		report_octets(to, span_from(key, 1));
		if (domain_decode(value, &d) == RECORD_OK)
			fprintf(to,
			    " recipients=%" PRIu64 " accepted=%" PRIu64 " before=%" PRIu64
			    " taken=%" PRIu64 "\n",
			    d.count, d.accepts, d.before, d.taken);
		else
			fputs(" of a newer version\n", to);
	}
}

static void
put_overlay(const struct overlay *overlay, FILE *to)
{
	if (overlay == NULL)
		return;
	for (const struct overlay_entry *e = overlay->first; e != NULL; e = e->next) {
		if (e->dropped)
			continue;
		fprintf(to, "overlay: %s ", overlay_verb_name(e->verb));
		report_octets(to, e->line);
		fputs(" since=", to);
		put_time(to, e->time);
		fputc('\n', to);
	}
}

int
inspect_info(const struct database *db, const struct overlay *overlay, FILE *to)
{
	struct database_at at = {0};
	struct span key, value;

	fprintf(to, "version: %u\ngeneration: %" PRIu64 "\nbuilt: ", db->header.version,
	    db->header.generation);
	put_time(to, db->header.built);
	fprintf(to, "\nrecipients: %" PRIu64 "\ndomains: %" PRIu64 "\noctets: %zu\n",
	    db->header.recipients, db->header.domains, db->len);
	if (db->header.before != 0)
		fprintf(to, "before: generation=%" PRIu64 " domains-lost=%" PRIu64 "\n",
		    db->header.before, db->header.lost);
	if (db->header.forced)
		fputs("forced: yes\n", to);
	put_sources(db, to);
	while (database_next(db, &at, &key, &value) == CDBFILE_FOUND)
		put_domain_info(key, value, to);
	put_overlay(overlay, to);
	return EX_OK;
}

static const char *const leaf_names[LEAF_VERDICTS] = {
    [LEAF_ACCEPT] = "accept",
    [LEAF_UNKNOWN] = "unknown",
    [LEAF_DEFER] = "defer",
    [LEAF_DISCARD] = "discard",
    [LEAF_DISABLED] = "disabled",
    [LEAF_OVER_QUOTA] = "over-quota",
    [LEAF_MOVED] = "moved",
    [LEAF_AUTH_ONLY] = "auth-only",
    [LEAF_RELAY] = "relay",
    [LEAF_ASK] = "ask",
    [LEAF_REFUSE] = "refuse",
    [LEAF_TABLE] = "table",
};

static void
put_leaf(struct span value, FILE *to)
{
	struct leaf l;

	if (leaf_decode(value, &l) != RECORD_OK) {
		fputs(" of a newer version", to);
		return;
	}
	fprintf(to, " %s", leaf_names[l.verdict]);
	if (l.route != 0)
		fprintf(to, " route=%u", l.route);
	put_value(to, "class", l.class);
	if (l.size != 0)
		fprintf(to, " size=%" PRIu64, l.size);
	if (l.no_bounces)
		fputs(" bounces=no", to);
	put_value(to, "status", l.status);
	put_value(to, "text", l.text);
}

static void
put_domain(struct span value, FILE *to)
{
	struct domain d;

	if (domain_decode(value, &d) != RECORD_OK) {
		fputs(" of a newer version", to);
		return;
	}
	fprintf(to, " flags=0x%x", d.flags);
	for (size_t i = 0; i < d.table_count; i++)
		fprintf(to, " table=%" PRIu32, d.tables[i]);
	put_value(to, "real", d.real);
	put_value(to, "delimiters", d.delimiters);
	put_value(to, "breaks", d.wild_octets);
	fprintf(to, " recipients=%" PRIu64, d.count);
}

/* The number after the type octet, for types that have one. */
static void
put_number(struct span key, FILE *to)
{
	struct cursor c = cursor_over(span_from(key, 1));
	uint32_t table;
	uint16_t route;

	if ((key.p[0] == KEY_ROUTE || key.p[0] == KEY_BOXES) && cursor_u16(&c, &route))
		fprintf(to, " %u", route);
	else if (key_is_recipient(key) && cursor_u32(&c, &table))
		fprintf(to, " %" PRIu32, table);
	else
		c = cursor_over(span_from(key, 1));
	fputc(' ', to);
	report_octets(to, span_of(c.p, c.left));
}

void
inspect_put_record(struct span key, struct span value, FILE *to)
{
	const char *type = key.len > 0 ? key_type_name(key.p[0]) : NULL;

	if (key.len == 0) {
		fprintf(to, "header octets=%zu", value.len);
		return;
	}
	fputs(type != NULL ? type : "unknown-type", to);
	if (type == NULL) {
		fputc(' ', to);
		report_octets(to, key);
	} else
		put_number(key, to);
	fputc(':', to);
	if (key_is_domain(key))
		put_domain(value, to);
	else if (key_is_recipient(key) || key_is_file(key))
		put_leaf(value, to);
	else if (key.p[0] == KEY_ROUTE) {
		fputc(' ', to);
		put_route(value, to);
	} else
		fprintf(to, " octets=%zu", value.len);
}

static void
dump_record(struct span key, struct span value, FILE *to)
{
	inspect_put_record(key, value, to);
	fputc('\n', to);
}

int
inspect_dump(const struct database *db, const struct overlay *overlay, FILE *to)
{
	struct database_at at = {0};
	struct span key, value;

	while (database_next(db, &at, &key, &value) == CDBFILE_FOUND)
		dump_record(key, value, to);
	put_overlay(overlay, to);
	return EX_OK;
}
