#include "lib/domain_list.h"

#include "lib/address.h"

static struct span
name_of(struct span element)
{
	return span_head(element, span_find(element, '='));
}

static bool
fits(struct span name, struct span domain)
{
	struct span end;

	if (name.len == 0 || name.p[0] != '.')
		return span_eq_nocase(name, domain);
	if (span_eq_nocase(span_from(name, 1), domain))
		return true;
	end = span_from(domain, domain.len > name.len ? domain.len - name.len : domain.len);
	return span_eq_nocase(end, name);
}

/* The element that fits best. Returns: false when none does. */
static bool
find(const struct conf_strings *list, struct span domain, struct span *element_out)
{
	size_t longest = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct span element = span_str(list->items[i]), name = name_of(element);

		/* "example.com" goes before ".example.com" for that domain. */
		size_t rank = 2 * name.len + (name.len == domain.len ? 3 : 0);

		if (!fits(name, domain) || rank <= longest)
			continue;
		longest = rank;
		*element_out = element;
	}
	return longest > 0;
}

bool
domain_list_has(const struct conf_strings *list, struct span domain)
{
	struct span element;

	return find(list, domain, &element);
}

struct span
domain_list_value(const struct conf_strings *list, struct span domain)
{
	struct span element;

	if (!find(list, domain, &element))
		return span_of(NULL, 0);
	return span_from(element, name_of(element).len + 1);
}

static bool
is_among(struct span value, const char *const *values)
{
	for (; *values != NULL; values++)
		if (span_eq(value, span_str(*values)))
			return true;
	return false;
}

const char *
domain_list_check(const struct conf_strings *list, const char *const *values, size_t *bad_out)
{
	for (size_t i = 0; i < list->count; i++) {
		struct span element = span_str(list->items[i]), name = name_of(element);

		*bad_out = i;
		if (!address_domain_ok(span_from(name, name.len > 0 && name.p[0] == '.')))
			return "does not begin with a domain";
		if (values == NULL && name.len < element.len)
			return "has a value, where none is wanted";
		if (values != NULL && !is_among(span_from(element, name.len + 1), values))
			return "does not end in \"=\" and one of the allowed values";
	}
	return NULL;
}
