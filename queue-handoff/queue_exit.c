#include "queue-handoff/queue_exit.h"

enum { CUSTOM = 82, PERMANENT_FIRST = 11, PERMANENT_LAST = 40, TEXT_MAX = 500 };

static const struct {
	unsigned status;
	struct queue_exit exit;
} table[] = {
    {0, {'K', "queued", false}},
    {11, {'D', "envelope address too long for qq (#5.1.3)", false}},
    {31, {'D', "mail server permanently rejected message (#5.3.0)", false}},
    {51, {'Z', "qq out of memory (#4.3.0)", false}},
    {52, {'Z', "qq timeout (#4.3.0)", false}},
    {53, {'Z', "qq write error or disk full (#4.3.0)", false}},
    {54, {'Z', "qq read error (#4.3.0)", false}},
    {55, {'Z', "qq unable to read configuration (#4.3.0)", false}},
    {56, {'Z', "qq trouble making network connection (#4.3.0)", false}},
    {61, {'Z', "qq trouble in home directory (#4.3.0)", false}},
    {62, {'Z', "qq trouble creating files in queue (#4.3.0)", false}},
    {63, {'Z', "qq trouble creating files in queue (#4.3.0)", false}},
    {64, {'Z', "qq trouble creating files in queue (#4.3.0)", false}},
    {65, {'Z', "qq trouble creating files in queue (#4.3.0)", false}},
    {66, {'Z', "qq trouble creating files in queue (#4.3.0)", false}},
    {71, {'Z', "mail server temporarily rejected message (#4.3.0)", false}},
    {72, {'Z', "connection to mail server timed out (#4.4.1)", false}},
    {73, {'Z', "connection to mail server rejected (#4.4.1)", false}},
    {74, {'Z', "communication with mail server failed (#4.4.2)", false}},
    {81, {'Z', "qq internal bug (#4.3.0)", false}},
    {CUSTOM, {'Z', "qq refused without a text (#4.3.0)", true}},
    {91, {'Z', "qq internal bug, envelope format (#4.3.0)", false}},
    {120, {'Z', "unable to exec qq (#4.3.0)", false}},
};

/* qmail.c: 11 to 40 are permanent, all others are not. */
static const struct queue_exit permanent = {'D', "qq permanent problem (#5.3.0)", false};
static const struct queue_exit temporary = {'Z', "qq temporary problem (#4.3.0)", false};

const struct queue_exit *
queue_exit(unsigned status)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			return &table[i].exit;
	return status >= PERMANENT_FIRST && status <= PERMANENT_LAST ? &permanent : &temporary;
}

bool
queue_exit_custom(struct span custom, char *letter_out, struct span *text_out)
{
	struct span text = span_from(custom, 1);

	if (custom.len < 2 || custom.len > TEXT_MAX || (custom.p[0] != 'D' && custom.p[0] != 'Z'))
		return false;
	text = span_head(text, span_find(text, '\n'));
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] == 127)
			return false;
	*letter_out = (char)custom.p[0];
	*text_out = text;
	return text.len > 0;
}
