#include "queue-handoff/complaints.h"

static const struct complaint table[] = {
#define COMPLAINT(text, about, source) {text, about, source},
#include "queue-handoff/complaints.def"
#undef COMPLAINT
};

static bool
holds(struct span text, struct span part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (span_eq_nocase(span_head(span_from(text, i), part.len), part))
			return true;
	return false;
}

const struct complaint *
complaint_find(struct span text)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (holds(text, span_str(table[i].text)))
			return &table[i];
	return NULL;
}

const struct complaint *
complaints(size_t *count_out)
{
	*count_out = sizeof(table) / sizeof(table[0]);
	return table;
}
