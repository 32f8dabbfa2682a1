#include "tools/doc_tables.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct doc_event doc_events[] = {
#define LOG_SEV_ERROR "error"
#define LOG_SEV_WARNING "warning"
#define LOG_SEV_NOTICE "notice"
#define LOG_SEV_INFO "info"
#define LOG_SEV_DEBUG "debug"
#define EVENT(name, severity, help) {#name, severity, help},
#include "lib/events.def"
#undef EVENT
};
const size_t doc_event_count = COUNT(doc_events);

const struct doc_reply doc_replies[] = {
#define REPLY(name, code, enhanced, kind, text, help) {#name, code, enhanced, #kind, text, help},
#include "smtpd/reply.def"
#undef REPLY
};
const size_t doc_reply_count = COUNT(doc_replies);

#define COUNTER(name, help) {#name, help},
static const struct doc_counter smtpd[] = {
#include "smtpd/counters.def"
};
static const struct doc_counter tlsd[] = {
#include "tlsd/counters.def"
};
static const struct doc_counter tls_keys[] = {
#include "tlsd/keys_counters.def"
};
static const struct doc_counter validators[] = {
#include "validators/counters.def"
};
static const struct doc_counter validator[] = {
#include "validators/zygote_counters.def"
};
static const struct doc_counter resolverd[] = {
#include "resolverd/counters.def"
};
static const struct doc_counter queue_handoff[] = {
#include "queue-handoff/counters.def"
};
static const struct doc_counter qmail_queue_helper[] = {
#include "queue-handoff/helper_counters.def"
};
static const struct doc_counter lookupd[] = {
#include "lookupd/counters.def"
};
#undef COUNTER

#define PROGRAM(name, table) \
	{ \
		name, table, COUNT(table) \
	}
const struct doc_program doc_programs[] = {
    PROGRAM("smtpd", smtpd),
    PROGRAM("tlsd", tlsd),
    PROGRAM("tls-keys", tls_keys),
    PROGRAM("lookupd", lookupd),
    PROGRAM("validators", validators),
    PROGRAM("validator", validator),
    PROGRAM("resolverd", resolverd),
    PROGRAM("queue-handoff", queue_handoff),
    PROGRAM("qmail-queue-helper", qmail_queue_helper),
};
const size_t doc_program_count = COUNT(doc_programs);

static const struct {
	const char *path, *value;
} examples[] = {
    {"hostname", "mx1.example.net"},
    {"authserv_id", "example.net"},
    {"recipients", "/var/lib/gatehouse/recipients.cdb"},
    {"postmaster", "admin@example.com"},
    {"observe", "example.com"},
    {"unfiltered", "unfiltered"},
    {"trusted_relays", "192.0.2.25"},
    {"proxy_from", "192.0.2.80"},
    {"bare_lf_normalize", "192.0.2.0/24"},
    {"bare_lf_reject", "198.51.100.0/24"},
    {"users.smtpd", "gatehouse-smtpd"},
    {"users.tlsd", "gatehouse-tlsd"},
    {"users.tls_keys", "gatehouse-tls-keys"},
    {"users.lookupd", "gatehouse-lookupd"},
    {"users.validators", "gatehouse-validators"},
    {"users.validator", "gatehouse-validator"},
    {"users.resolverd", "gatehouse-resolverd"},
    {"users.queue_handoff", "gatehouse-queue-handoff"},
    {"tls.certificate", "/etc/gatehouse/mx1.pem"},
    {"tls.key", "/etc/gatehouse/mx1.key"},
    {"listen_tls", "[::]:465"},
    {"keypair", "mail2"},
    {"keypair.certificate", "/etc/gatehouse/mail2.pem"},
    {"keypair.key", "/etc/gatehouse/mail2.key"},
    {"dns.anchors", "corp.example. IN DS 12345 13 2 3F2A..."},
    {"dnslist", "zen"},
    {"dnslist.zone", "zen.dnsbl.example"},
    {"backend", "mailstore"},
    {"backend.servers", "192.0.2.10:628"},
    {"backend.user", "qmaild"},
    {"backend.group", "nofiles"},
    {"backend.complaints", "relaying denied"},
    {"backend.refusals", "infected"},
    {"dns.servers", "127.0.0.1:53"},
    {"dmarc.override", "partner.example.com=none"},
    {"dmarc.trusted_sealers", "lists.example.org"},
    {"dmarc.trusted_forwarders", "198.51.100.7"},
    {"results.remove", "X-Spam-Flag"},
};

const char *
doc_example(const char *path)
{
	for (size_t i = 0; i < COUNT(examples); i++) {
		if (strcmp(examples[i].path, path) == 0)
			return examples[i].value;
	}
	return NULL;
}
