#include "validators/clients_note.h"

#include "lib/log.h"

static void
put_step(const struct buf *text)
{
	struct log_line line;

	log_begin(&line, EVENT_step);
	log_span(&line, "text", buf_span(text));
	log_end(&line);
}

void
clients_note_list(
    const struct conf *conf, const struct conf_dnslist *list, enum dnslist_answer answer)
{
	static const char *const words[] = {
	    [DNSLIST_NOT_LISTED] = "not listed",
	    [DNSLIST_LISTED] = "listed",
	    [DNSLIST_UNKNOWN] = "no answer",
	    [DNSLIST_ERROR] = "says that it does not serve us",
	};
	uint8_t room[600];
	struct buf b = BUF_OVER(room);

	if (!conf->top.log_checks)
		return;
	buf_printf(&b, "list %s (%s%s): %s", list->title, list->zone,
	    list->allow ? ", of good ones" : "", words[answer]);
	if (answer == DNSLIST_LISTED && !list->allow)
		buf_printf(&b, ", weight %llu", (unsigned long long)list->weight);
	put_step(&b);
}

static const char *
status_word(unsigned status)
{
	static const char *const words[] = {
	    "none", "no such record", "no such name", "no answer", "answer past the bounds"};

	return words[status < sizeof(words) / sizeof(words[0]) ? status : DNS_TROUBLE];
}

void
clients_note_reverse(
    const struct conf *conf, const struct ip *client, const struct msg_dns_answer *answer)
{
	struct span rest = answer->records.encoded;
	struct msg_dns_record record;

	if (!conf->top.log_checks)
		return;
	do {
		uint8_t room[400];
		struct buf b = BUF_OVER(room);
		bool more =
		    answer->status == DNS_OK && msg_list_next(&rest, RECORD_dns_record, &record);

		buf_put_str(&b, "dns PTR ");
		ip_put(&b, client);
		buf_put_str(&b, ": ");
		if (more)
			buf_put_span(&b, record.data);
		else
			buf_put_str(&b, status_word(answer->status));
		put_step(&b);
	} while (answer->status == DNS_OK && rest.len > 0);
}

void
clients_note_name(
    const struct conf *conf, struct span name, const struct msg_dns_answer *answer, bool leads_back)
{
	uint8_t room[400];
	struct buf b = BUF_OVER(room);

	if (!conf->top.log_checks)
		return;
	buf_put_str(&b, "reverse name ");
	buf_put_span(&b, name);
	buf_put_str(&b, ": ");
	if (answer->status != DNS_OK)
		buf_put_str(&b, status_word(answer->status));
	else
		buf_put_str(&b, leads_back ? "leads back" : "does not lead back");
	put_step(&b);
}
