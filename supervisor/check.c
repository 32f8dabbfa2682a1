#include "supervisor/check.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/ip.h"

#include "supervisor/check_parts.h"
#include "supervisor/rundir.h"
#include "supervisor/setup.h"

enum {
	HANDOFF_OVERHEAD = 8192,   /* octets of the fields and the envelope that we add */
	MESSAGE_LEAST = 65536,     /* octets that every system takes, RFC 5321 4.5.3.1.7 */
	SETUP_CONF_OCTETS = 56000, /* of the message conf, with room to spare */
	SETUP_CONF_PAIRS = 1024,
};

__attribute__((format(printf, 4, 0))) static void
say(const struct check *c, const char *option, const char *kind, const char *format, va_list args)
{
	unsigned line = conf_lines_find(c->lines, option);
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	}
	fprintf(c->out, "%s", conf_lines_file(c->lines));
	if (line > 0)
		fprintf(c->out, ":%u", line);
	fprintf(c->out, ": %s: %s: %s\n", kind, option, text);
}

void
check_error(struct check *c, const char *option, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, option, "error", format, args);
	va_end(args);
	c->errors++;
}

void
check_warning(struct check *c, const char *option, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(c, option, "warning", format, args);
	va_end(args);
	c->warnings++;
}

/* ---- who we are ---- */

static void
check_hostname(struct check *c)
{
	const char *name = c->conf->top.hostname;

	if (name == NULL)
		check_error(c, "hostname", "must be set to the name of this host");
	else if (!address_domain_ok(span_str(name)))
		check_error(c, "hostname", "is not a domain name");
	else if (strchr(name, '.') == NULL)
		check_warning(c, "hostname", "is not fully qualified");
}

static void
check_postmaster(struct check *c)
{
	const char *postmaster = c->conf->top.postmaster;
	struct address a;

	if (postmaster == NULL)
		check_warning(c, "postmaster",
		    "is not set: what the database says about postmaster counts, and a postmaster "
		    "that "
		    "the back end bounces is backscatter too");
	else if (address_from_inside(span_str(postmaster), &a) != ADDRESS_OK || a.utf8 ||
		 address_domain(&a).len == 0)
		check_error(c, "postmaster", "is not an address");
}

static void
check_observe(struct check *c)
{
	const struct conf_strings *domains = &c->conf->top.observe;

	for (size_t i = 0; i < domains->count; i++)
		if (!address_domain_ok(span_str(domains->items[i])))
			check_error(c, "observe", "%s is not a domain name", domains->items[i]);
		else
			check_warning(c, "observe",
			    "%s: who is not in the database is accepted, and the back end bounces "
			    "what it does not know: backscatter goes on",
			    domains->items[i]);
}

/* ---- files ---- */

const char *
check_recipients_file(const char *path)
{
	char copy[PATH_MAX];
	struct stat st;
	uid_t owner;
	size_t len = strlen(path);

	if (len >= sizeof(copy))
		return strerror(ENAMETOOLONG);
	memcpy(copy, path, len + 1);
	if (stat(path, &st) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	if ((st.st_mode & S_IWOTH) != 0)
		return "can be written by anybody";
	owner = st.st_uid;
	if (stat(dirname(copy), &st) == -1)
		return strerror(errno);
	if ((st.st_mode & S_IWOTH) != 0)
		return "lies in a directory that anybody can write";
	/* Row F42: root, who runs this, or who owns the directory could have made it. */
	if (owner != 0 && owner != geteuid() && owner != st.st_uid)
		return "belongs to neither root nor the owner of its directory";
	return NULL;
}

static void
check_recipients(struct check *c)
{
	const char *path = c->conf->top.recipients;
	const char *reason;

	if (path == NULL) {
		check_error(c, "recipients", "must be set; gatehouse-recipients(8) makes the file");
		return;
	}
	reason = check_recipients_file(path);
	if (reason != NULL)
		check_error(c, "recipients", "%s: %s", path, reason);
	else if (access(path, R_OK) == -1)
		check_error(c, "recipients", "%s: %s", path, strerror(errno));
}

/* Opens and looks at one PEM file. Out: *mode_out, 0 when it could not be opened. */
static void
check_pem(struct check *c, const char *option, const char *path, mode_t *mode_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st = {0};

	*mode_out = 0;
	if (fd == -1 || fstat(fd, &st) == -1)
		check_error(c, option, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		check_error(c, option, "%s: is not a regular file", path);
	else if ((st.st_mode & S_IWOTH) != 0)
		check_error(c, option, "%s: can be written by anybody", path);
	else
		*mode_out = st.st_mode;
	if (fd != -1)
		close(fd);
}

/* In: certificate, key; NULL: not set. option, "tls" or "keypair.NAME". */
static void
check_pair(struct check *c, const char *section, const char *certificate, const char *key)
{
	char certificate_option[64], key_option[64];
	mode_t mode;

	snprintf(certificate_option, sizeof(certificate_option), "%s.certificate", section);
	snprintf(key_option, sizeof(key_option), "%s.key", section);
	if ((certificate == NULL) != (key == NULL))
		check_error(c, certificate != NULL ? certificate_option : key_option,
		    "certificate and key must be set together");
	if (certificate != NULL)
		check_pem(c, certificate_option, certificate, &mode);
	if (key != NULL) {
		check_pem(c, key_option, key, &mode);
		if ((mode & S_IROTH) != 0)
			check_error(c, key_option, "%s: can be read by anybody", key);
	}
}

static void
check_tls(struct check *c)
{
	const struct conf *conf = c->conf;
	char section[64];

	check_pair(c, "tls", conf->tls.certificate, conf->tls.key);
	for (size_t i = 0; i < conf->keypair_count; i++) {
		snprintf(section, sizeof(section), "keypair.%s", conf->keypair[i].title);
		check_pair(c, section, conf->keypair[i].certificate, conf->keypair[i].key);
	}
	if (conf->tls.certificate == NULL && conf->keypair_count > 0)
		check_error(
		    c, "keypair", "needs a certificate in section tls, for clients that name none");
	if (conf->tls.certificate == NULL && conf->top.listen_tls.count > 0)
		check_error(c, "listen_tls", "needs section tls");
}

static void
check_rundir(struct check *c)
{
	const char *path = c->conf->top.rundir;
	char copy[RUNDIR_PATH_MAX];
	struct rundir r;
	struct stat st;

	if (rundir_name(&r, path) != 0) {
		check_error(c, "rundir", "the name is too long for a socket in it");
		return;
	}
	memcpy(copy, path, strlen(path) + 1);
	if (stat(path, &st) == -1 && errno == ENOENT) {
		path = dirname(copy); /* the directory itself is made at start */
		if (stat(path, &st) == -1) {
			check_error(c, "rundir", "%s: %s", path, strerror(errno));
			return;
		}
	} else if ((st.st_mode & S_IWOTH) != 0) {
		check_error(c, "rundir", "%s: can be written by anybody", path);
	}
	if (!S_ISDIR(st.st_mode))
		check_error(c, "rundir", "%s: is not a directory", path);
	else if (access(path, W_OK | X_OK) == -1)
		check_error(c, "rundir", "%s: %s", path, strerror(errno));
}

/* ---- addresses ---- */

static bool
is_wildcard(const struct ip *ip)
{
	static const char *const texts[] = {"0.0.0.0", "::"};
	struct ip any;

	for (size_t i = 0; i < 2; i++) {
		if (ip_parse(span_str(texts[i]), &any) && memcmp(&any, ip, sizeof(any)) == 0)
			return true;
	}
	return false;
}

static void
check_addresses(struct check *c, const char *option, const struct conf_strings *listen)
{
	struct ip ip;

	for (size_t i = 0; i < listen->count; i++) {
		uint16_t port = 0;

		if (!ip_parse_port(span_str(listen->items[i]), true, &ip, &port))
			check_error(c, option,
			    "\"%s\" is not ADDRESS:PORT; IPv6 is written [::1]:25",
			    listen->items[i]);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(listen->items[i], listen->items[j]) == 0 && port != 0)
				check_error(
				    c, option, "\"%s\" stands there twice", listen->items[i]);
		}
	}
}

static void
check_listen(struct check *c)
{
	const struct conf_top *top = &c->conf->top;

	check_addresses(c, "listen", &top->listen);
	check_addresses(c, "listen_tls", &top->listen_tls);
	if (top->listen.count + top->listen_tls.count > LISTENERS_MAX)
		check_error(c, "listen_tls", "with listen, there are more than %d addresses",
		    LISTENERS_MAX);
	for (size_t i = 0; i < top->listen_tls.count; i++)
		for (size_t j = 0; j < top->listen.count; j++)
			if (strcmp(top->listen_tls.items[i], top->listen.items[j]) == 0)
				check_error(c, "listen_tls", "\"%s\" stands in listen, too",
				    top->listen.items[j]);
}

static bool
is_loopback(const struct ip *ip)
{
	static const uint8_t v6[IP_LEN] = {[IP_LEN - 1] = 1};

	return ip_is_v4(ip) ? ip->octets[12] == 127 : memcmp(ip->octets, v6, IP_LEN) == 0;
}

static bool
is_among(const struct conf_strings *listen, const struct ip *ip, uint16_t port)
{
	struct ip own;
	uint16_t own_port;

	for (size_t i = 0; i < listen->count; i++) {
		if (ip_parse_port(span_str(listen->items[i]), true, &own, &own_port) &&
		    port == own_port &&
		    (memcmp(&own, ip, sizeof(own)) == 0 || (is_wildcard(&own) && is_loopback(ip))))
			return true;
	}
	return false;
}

/* Whether a connection to ip:port would come back to us, as far as that can be seen here. */
static bool
is_ours(const struct conf *conf, const struct ip *ip, uint16_t port)
{
	return is_among(&conf->top.listen, ip, port) || is_among(&conf->top.listen_tls, ip, port);
}

/* Servers that we connect to. */
static void
check_servers(struct check *c, const char *option, const struct conf_strings *servers)
{
	struct ip ip;
	uint16_t port;

	for (size_t i = 0; i < servers->count; i++) {
		const char *server = servers->items[i];

		if (!ip_parse_port(span_str(server), false, &ip, &port))
			check_error(c, option,
			    "\"%s\" is not ADDRESS:PORT; IPv6 is written [::1]:628", server);
		else if (is_wildcard(&ip))
			check_error(c, option, "\"%s\" is not the address of one host", server);
		else if (is_ours(c->conf, &ip, port))
			check_error(
			    c, option, "\"%s\" is where this gateway itself listens", server);
	}
}

static void
check_dns(struct check *c)
{
	check_servers(c, "dns.servers", &c->conf->dns.servers);
	check_dnssec(c);
}

/* ---- back ends ---- */

static void
check_backend_size(struct check *c, const struct conf_backend *b)
{
	const uint64_t needed = MESSAGE_LEAST + HANDOFF_OVERHEAD;
	char option[128];

	snprintf(option, sizeof(option), "backend.%s.message_size", b->title);
	if (b->message_size == 0)
		check_warning(c, option,
		    "is not said, so that a message which the back end finds too large cannot be "
		    "refused in time");
	else if (b->message_size < needed)
		check_error(c, option,
		    "must be at least %llu, a small message and our header fields",
		    (unsigned long long)needed);
}

/* The program of a qmail on this host. */
static void
check_program(struct check *c, const struct conf_backend *b)
{
	char option[128];
	struct stat st;

	snprintf(option, sizeof(option), "backend.%s.servers", b->title);
	if (b->servers.count > 0)
		check_error(c, option, "there are none with qmail-queue");
	snprintf(option, sizeof(option), "backend.%s.program", b->title);
	if (b->program[0] != '/')
		check_error(c, option, "must be a path from the root");
	else if (stat(b->program, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		check_error(c, option, "\"%s\" is no program", b->program);
	else if ((st.st_mode & S_IWOTH) != 0)
		check_error(c, option, "others than its owner may write \"%s\"", b->program);
	snprintf(option, sizeof(option), "backend.%s.user", b->title);
	if (geteuid() == 0 && b->user == NULL)
		check_error(c, option, "must be set, as the gateway is started as root");
	snprintf(option, sizeof(option), "backend.%s.group", b->title);
	if (b->group != NULL && getgrnam(b->group) == NULL)
		check_error(c, option, "there is no group \"%s\"", b->group);
}

static void
check_backend(struct check *c, const struct conf_backend *b)
{
	char option[128];

	snprintf(option, sizeof(option), "backend.%s.servers", b->title);
	if (b->protocol == CONF_PROTOCOL_QMAIL_QUEUE)
		check_program(c, b);
	else if (b->servers.count == 0)
		check_error(c, option, "must be set");
	check_servers(c, option, &b->servers);
	check_backend_size(c, b);
	snprintf(option, sizeof(option), "backend.%s.reply_timeout", b->title);
	if (b->reply_timeout >= c->conf->limits.reply_budget)
		check_error(c, option, "must be below limits.reply_budget, %llu",
		    (unsigned long long)c->conf->limits.reply_budget);
}

static void
check_backends(struct check *c)
{
	unsigned local = 0;

	if (c->conf->backend_count == 0)
		check_error(c, "backend",
		    "there must be a section backend with the servers that take the mail");
	for (size_t i = 0; i < c->conf->backend_count; i++) {
		check_backend(c, &c->conf->backend[i]);
		local += c->conf->backend[i].protocol == CONF_PROTOCOL_QMAIL_QUEUE;
	}
	if (local > 1)
		check_error(c, "backend", "only one can have the protocol qmail-queue");
}

/* What a program is told goes in one message. */
static void
check_told(struct check *c)
{
	static uint8_t room[SETUP_CONF_OCTETS];
	uint16_t count;

	for (unsigned p = 0; p < PROGRAM_COUNT; p++) {
		struct buf b = BUF_OVER(room);

		if (!conf_put_pairs(c->conf, (enum program_id)p, &b, &count) ||
		    count > SETUP_CONF_PAIRS)
			check_error(c, "backend", "there are more servers than %s can be told",
			    program_name((enum program_id)p));
	}
}

int
check_configuration(const struct conf *conf, const struct conf_lines *lines, FILE *out,
    unsigned *errors_out, unsigned *warnings_out)
{
	static void (*const checks[])(struct check *) = {
	    check_hostname,
	    check_listen,
	    check_clients,
	    check_recipients,
	    check_postmaster,
	    check_observe,
	    check_rundir,
	    check_users,
	    check_tls,
	    check_backends,
	    check_told,
	    check_dns,
	    check_limits,
	};
	struct check c = {.conf = conf, .lines = lines, .out = out};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&c);
	*errors_out = c.errors;
	*warnings_out = c.warnings;
	return c.errors == 0 ? 0 : 1;
}
