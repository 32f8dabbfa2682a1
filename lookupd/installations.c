#include "lookupd/installations.h"

#include "lib/bug.h"

enum { BOXES_MAX = 8192 };

static bool
several(const struct rules *r)
{
	return r->with_boxes + r->without_boxes > 1;
}

/* Of the first one as attributes of the header. */
static int
put_in_header(struct collection *c, struct span attributes)
{
	struct cursor cursor = cursor_over(attributes);
	struct attr a;

	while (cursor.left > 0 && attr_next(&cursor, &a) == RECORD_OK)
		if (a.type != HEADER_FLAGS && collection_header(c, a.type, a.octets) < 0)
			return -1;
	return 0;
}

static int
put_record(struct collection *c, const struct installation *i, struct span attributes)
{
	uint8_t octets[4];
	struct buf key = BUF_OVER(octets);
	struct provenance from = {{i->source, 0}, "an installation"};

	key_put_boxes(&key, i->number);
	return rules_add(&c->rules, buf_span(&key), attributes, from, NULL) != NULL ? 0 : -1;
}

static int
put_flags(struct collection *c, uint32_t flags)
{
	uint8_t octets[4];
	struct buf b = BUF_OVER(octets);

	buf_put_u32(&b, flags);
	return collection_header(c, HEADER_FLAGS, buf_span(&b));
}

/*
 * Without rcpthosts every domain is served. Beside another installation, whose domains that does
 * not hold for, it is said of each domain that is kept; one that gives all other domains to a
 * user cannot say it.
 */
static void
open_domains(struct collection *c, const struct installation *i, struct report *report)
{
	if (i->boxes.default_prefix.len > 0)
		report_error(report, i->source, 0,
		    "without control/rcpthosts, and with a virtual domain for all others, an "
		    "installation cannot share a database",
		    span_of(NULL, 0));
	for (struct rule_domain *d = c->rules.first_domain; d != NULL; d = d->next)
		if (d->of == i && d->kept)
			d->domain.flags |= DOMAIN_SERVED;
}

int
installations_put(struct collection *c, struct report *report)
{
	uint8_t octets[BOXES_MAX];
	uint32_t flags = 0;

	for (const struct installation *i = c->rules.first_installation; i != NULL; i = i->next) {
		struct buf b = BUF_OVER(octets);

		if (several(&c->rules) && i->appends)
			report_error(report, i->source, 0,
			    "relayclient= changes every address: such an installation cannot share "
			    "a database",
			    span_of(NULL, 0));
		if (several(&c->rules) && i->open)
			open_domains(c, i, report);
		else if (i->open)
			flags |= HEADER_FLAG_OPEN;
		if (i->number >= LAYOUT_NO_BOXES)
			continue;
		boxes_put(&b, &i->boxes);
		BUG_ON(b.full);
		if (i->number == 1 && i->boxes.unreadable)
			flags |= HEADER_FLAG_ASSIGN_BAD;
		if ((i->number == 1 ? put_in_header(c, buf_span(&b))
				    : put_record(c, i, buf_span(&b))) < 0)
			return -1;
	}
	return flags != 0 ? put_flags(c, flags) : 0;
}

bool
installations_claim(struct collected_domain *d, const struct installation *of, struct place place,
    struct report *report)
{
	if (d->of == NULL || d->of == of) {
		d->of = of;
		return true;
	}
	report_error(report, place.source, place.line,
	    "another source has this domain already; one of them says elsewhere=DOMAIN",
	    d->item.key);
	report_warning(report, d->of->source, 0, "this is the source", d->item.key);
	return false;
}

uint16_t
installations_number(const struct collection *c, const struct collected_domain *d)
{
	return several(&c->rules) && d->of != NULL ? d->of->number : 0;
}
