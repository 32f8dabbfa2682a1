/* supervisor/check.h: each finding of `gatehouse check`, against files in a directory of its own. */
#include "supervisor/check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/gatehouse-check-XXXXXX";
static char said[16384];

static void
make(const char *name, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	make("recipients.cdb", 0644);
	make("loose.cdb", 0666);
	make("cert.pem", 0644);
	make("key.pem", 0600);
	make("open.pem", 0644);
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/*
 * Checks a configuration: `lines` with D for the directory, and what makes it whole where a row does not
 * set it. The findings are in said[].
 */
static int
check(const char *text, unsigned *errors_out, unsigned *warnings_out)
{
	static struct conf_errors problems;
	static char whole[40000];
	struct conf_lines *lines;
	struct conf *conf;
	FILE *out = fmemopen(said, sizeof(said), "w");
	int rc;

	whole[0] = '\0';

	assert_non_null(out);
	for (const char *p = text; *p != '\0'; p++) {
		size_t len = strlen(whole);

		if (p[0] == '@')
			snprintf(whole + len, sizeof(whole) - len, "%s", dir);
		else
			snprintf(whole + len, sizeof(whole) - len, "%c", *p);
	}
	problems = (struct conf_errors){0};
	conf = conf_text_read(span_str(whole), "f", &problems, &lines);
	if (conf == NULL)
		fail_msg("%s", problems.text[0]);
	rc = check_configuration(conf, lines, out, errors_out, warnings_out);
	fclose(out);
	conf_lines_free(&lines);
	conf_free(&conf);
	return rc;
}

#define HOST "hostname = \"mx.example.net\"\n"
#define RECIPIENTS "recipients = \"@/recipients.cdb\"\n"
#define RUNDIR "rundir = \"@/run\"\n"
#define MEMORY "limits { message_memory = 134217728 message_size = 1000000 }\n"
#define BACKEND "backend a { servers = \"192.0.2.1:628\" message_size = 36708352 }\n"
#define GOOD HOST RECIPIENTS RUNDIR "workers = 2\n" MEMORY

static const struct {
	const char *name, *text;
	unsigned errors, warnings;
	const char *message;
} rows[] = {
    {"nothing missing but a postmaster", GOOD BACKEND, 0, 1,
	"f: warning: postmaster: is not set: what the database says about postmaster counts, and a "
	"postmaster that the back end bounces is backscatter too\n"},
    {"no hostname", RECIPIENTS RUNDIR MEMORY BACKEND, 1, 1,
	"f: error: hostname: must be set to the name of this host\n"},
    {"hostname", "hostname = \"a..b\"\n" RECIPIENTS RUNDIR MEMORY BACKEND, 1, 1,
	"f:1: error: hostname: is not a domain name\n"},
    {"short hostname", "\nhostname = mx\n" RECIPIENTS RUNDIR MEMORY BACKEND, 0, 2,
	"f:2: warning: hostname: is not fully qualified\n"},
    {"trusted relays", GOOD BACKEND "trusted_relays = { \"192.0.2.0/24\", \"2001:db8::1\" }\n", 0,
	1, ""},
    {"balancers everywhere", GOOD BACKEND "proxy_from = \"::/0\"\n", 0, 2,
	": warning: proxy_from: \"::/0\" is everybody\n"},
    {"trusted relays everywhere",
	GOOD BACKEND "trusted_relays = { \"10.0.0.0/8\", \"0.0.0.0/0\" }\n", 0, 2,
	": warning: trusted_relays: \"0.0.0.0/0\" is everybody\n"},
    {"balancers wrong", GOOD BACKEND "proxy_from = \"10.0.0.0/33\"\n", 1, 1,
	": error: proxy_from: \"10.0.0.0/33\" must have a prefix of 0 to 32 bits\n"},
    {"trusted relays wrong", GOOD BACKEND "trusted_relays = { \"::1\", \"192.0.2.1/24\" }\n", 1, 1,
	"f:7: error: trusted_relays: \"192.0.2.1/24\" has bits set beyond its prefix\n"},
    {"no recipients", HOST RUNDIR MEMORY BACKEND, 1, 1,
	"f: error: recipients: must be set; gatehouse-recipients(8) makes the file\n"},
    {"recipients missing", HOST "recipients = \"@/none\"\n" RUNDIR MEMORY BACKEND, 1, 1,
	"/none: No such file or directory\n"},
    {"recipients a directory", HOST "recipients = \"@\"\n" RUNDIR MEMORY BACKEND, 1, 1,
	": is not a regular file\n"},
    {"row_275_recipients_writable", HOST "recipients = \"@/loose.cdb\"\n" RUNDIR MEMORY BACKEND, 1,
	1, "/loose.cdb: can be written by anybody\n"},
    {"observed domains", GOOD BACKEND "observe = { \"example.com\", \"-\" }\n", 1, 2,
	"f:7: warning: observe: example.com: who is not in the database is accepted, and the back "
	"end bounces what it does not know: backscatter goes on\n"
	"f:7: error: observe: - is not a domain name\n"},
    {"postmaster", GOOD BACKEND "postmaster = \"admin\"\n", 1, 0,
	"f:7: error: postmaster: is not an address\n"},
    {"listen", GOOD BACKEND "listen = { \"0.0.0.0:25\", \"::1:25\" }\n", 1, 1,
	"f:7: error: listen: \"::1:25\" is not ADDRESS:PORT; IPv6 is written [::1]:25\n"},
    {"listen by name", GOOD BACKEND "listen = \"localhost:25\"\n", 1, 1, "is not ADDRESS:PORT"},
    {"listen without port", GOOD BACKEND "listen = \"192.0.2.1\"\n", 1, 1, "is not ADDRESS:PORT"},
    {"listen twice", GOOD BACKEND "listen = { \"127.0.0.1:25\", \"127.0.0.1:25\" }\n", 1, 1,
	"stands there twice\n"},
    {"no back end", GOOD, 1, 1,
	"f: error: backend: there must be a section backend with the servers that take the mail\n"},
    {"no servers", GOOD "backend a { message_size = 36708352 }\n", 1, 1,
	"f: error: backend.a.servers: must be set\n"},
    {"server", GOOD "backend a { servers = { \"192.0.2.1:0\" } message_size = 36708352 }\n", 1, 1,
	"f:6: error: backend.a.servers: \"192.0.2.1:0\" is not ADDRESS:PORT; IPv6 is written "
	"[::1]:628\n"},
    {"server anywhere",
	GOOD "backend a { servers = { \"0.0.0.0:628\" } message_size = 36708352 }\n", 1, 1,
	"is not the address of one host\n"},
    {"server anywhere, 6",
	GOOD "backend a { servers = { \"[::]:628\" } message_size = 36708352 }\n", 1, 1,
	"is not the address of one host\n"},
    {"server is us",
	GOOD "backend a { servers = { \"127.0.0.1:2525\" } message_size = 36708352 }\n", 1, 1,
	"is where this gateway itself listens\n"},
    {"server is us, by any address",
	GOOD "listen = \"0.0.0.0:628\"\nbackend a { servers = { \"127.0.0.2:628\", "
	     "\"192.0.2.1:628\" } message_size = "
	     "36708352 }\n",
	1, 1,
	"f:7: error: backend.a.servers: \"127.0.0.2:628\" is where this gateway itself listens\n"},
    {"server is us, by any address, 6",
	GOOD
	"listen = \"[::]:628\"\nbackend a { servers = \"[::1]:628\" message_size = 36708352 }\n",
	1, 1, "is where this gateway itself listens\n"},
    {"size not said", GOOD "backend a { servers = { \"192.0.2.1:628\" } }\n", 0, 2,
	"f: warning: backend.a.message_size: is not said"},
    {"row_291 size too small",
	GOOD "backend a { servers = \"192.0.2.1:628\" message_size = 73727 }\n", 1, 1,
	"f:6: error: backend.a.message_size: must be at least 73728, a small message and our "
	"header fields\n"},
    {"row_291 size just right",
	GOOD "backend a { servers = \"192.0.2.1:628\" message_size = 73728 }\n", 0, 1, ""},
    {"reply",
	GOOD BACKEND "backend b { servers = \"192.0.2.1:628\" message_size = 36708352 "
		     "reply_timeout = 90 }\n",
	1, 1, "f:7: error: backend.b.reply_timeout: must be below limits.reply_budget, 90\n"},
    {"dns server", GOOD BACKEND "dns { servers = \"ns.example.net:53\" }\n", 1, 1,
	"f:7: error: dns.servers: \"ns.example.net:53\" is not ADDRESS:PORT"},
    {"anchors",
	GOOD BACKEND "dns { anchors = { \"corp.example. IN DS 12345 13 2 00fF 10\", "
		     "\"x 3600 DNSKEY 257 3 13 ab+/ c=\" } }\n",
	0, 1, ""},
    {"anchors wrong",
	GOOD BACKEND "dns { anchors = { \"x IN A 1 2 3 4\", \"x\", \"x IN DS 1 2 3\", "
		     "\"x IN DS 1 256 3 00\", \"x IN DNSKEY 257 3 13 *\" } }\n",
	5, 1, "f:7: error: dns.anchors: \"x IN A 1 2 3 4\" is not a DS or DNSKEY record\n"},
    {"lists that are never reached", GOOD BACKEND "listed { reject = 5 defer = 5 mark = 5 }\n", 0,
	3,
	"f:7: warning: listed.mark: is never reached: listed.reject or listed.defer comes first\n"},
    {"lists", GOOD BACKEND "listed { reject = 5 defer = 4 mark = 3 }\n", 0, 1, ""},
    {"times", GOOD BACKEND "limits { data_timeout = 100 data_total = 99 }\n", 1, 1,
	"f:7: error: limits.data_timeout: must not be above limits.data_total, 99\n"},
    {"session",
	GOOD BACKEND "limits { session_total = 100 data_total = 100 reply_budget = 100 \n"
		     "data_timeout = 100 } dns { timeout = 20 } tls { handshake_timeout = 101 }\n",
	1, 1, "f:8: error: tls.handshake_timeout: must not be above limits.session_total, 100\n"},
    {"certificate alone", GOOD BACKEND "tls { certificate = \"@/cert.pem\" }\n", 1, 1,
	"f:7: error: tls.certificate: certificate and key must be set together\n"},
    {"key alone", GOOD BACKEND "tls { key = \"@/key.pem\" }\n", 1, 1,
	"f:7: error: tls.key: certificate and key must be set together\n"},
    {"both", GOOD BACKEND "tls { certificate = \"@/cert.pem\" key = \"@/key.pem\" }\n", 0, 1, ""},
    {"key for all to read",
	GOOD BACKEND "tls { certificate = \"@/cert.pem\" key = \"@/open.pem\" }\n", 1, 1,
	"/open.pem: can be read by anybody\n"},
    {"no such key", GOOD BACKEND "tls { certificate = \"@/cert.pem\" key = \"@/none.pem\" }\n", 1,
	1, "/none.pem: No such file or directory\n"},
    {"no such account", GOOD BACKEND "users { smtpd = \"no-such-account\" }\n", 1, 1,
	"f:7: error: users.smtpd: there is no account \"no-such-account\"\n"},
    {"the superuser", GOOD BACKEND "users { smtpd = root }\n", 1, 1,
	"f:7: error: users.smtpd: must not be the superuser\n"},
    {"one account for two", GOOD BACKEND "users { smtpd = daemon\ntlsd = daemon }\n", 1, 1,
	"f:8: error: users.tlsd: is the account of smtpd too\n"},
    {"the number of an account", GOOD BACKEND "uid_base = 65528\n", 1, 1,
	"f:7: error: uid_base: gives validator the number 65534 of the account \"nobody\"\n"},
    {"no place for rundir", HOST RECIPIENTS MEMORY BACKEND "rundir = \"@/none/run\"\n", 1, 1,
	"/none: No such file or directory\n"},
    {"rundir too long",
	HOST RECIPIENTS MEMORY BACKEND
	"rundir = "
	"\"@/01234567890123456789012345678901234567890123456789012345678901234567890123456789\"\n",
	1, 1, "f:5: error: rundir: the name is too long for a socket in it\n"},
    {"rundir a file", HOST RECIPIENTS MEMORY BACKEND "rundir = \"@/cert.pem\"\n", 1, 1,
	"/cert.pem: is not a directory\n"},
    {"share of a worker",
	HOST RECIPIENTS RUNDIR BACKEND "workers = 4\n"
				       "limits { message_memory = 100000000 }\n",
	1, 1,
	"f:6: error: limits.message_memory: must be at least 146800640, one largest message for "
	"each of 4 workers\n"},
    {"memory", HOST RECIPIENTS RUNDIR BACKEND "limits { message_memory = 1099511627776 }\n", 1, 1,
	"with 1000 sessions 1099628675072 octets of memory are needed, and there are "},
};

/* The rows differ in one thing; the second warning or error would be a finding nobody expects. */
static void
findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned errors, warnings;
		int rc;

		print_message("  %s\n", rows[i].name);
		rc = check(rows[i].text, &errors, &warnings);
		if (strstr(said, rows[i].message) == NULL)
			fail_msg("said: %s", said);
		if (errors != rows[i].errors || warnings != rows[i].warnings)
			fail_msg("%u errors, %u warnings: %s", errors, warnings, said);
		assert_int_equal(rc, errors > 0 ? 1 : 0);
	}
}

/* A directory that anybody can write: another file could take the place of the database. */
static void
row_275_directory_writable(void **state)
{
	unsigned errors, warnings;

	(void)state;
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(check(GOOD BACKEND, &errors, &warnings), 1);
	assert_non_null(
	    strstr(said, "/recipients.cdb: lies in a directory that anybody can write\n"));
	assert_int_equal(chmod(dir, 0700), 0);
}

/* 16 back ends of 64 servers each are more than one message holds. */
static void
more_than_can_be_told(void **state)
{
	static char text[32768] = GOOD;
	unsigned errors, warnings;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		size_t len = strlen(text);

		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "backend b%u { message_size = 36708352\nservers = { ", i);
		for (unsigned j = 1; j <= 64; j++)
			len += (size_t)snprintf(
			    text + len, sizeof(text) - len, "\"192.0.2.%u:628\",", j);
		snprintf(text + len, sizeof(text) - len, "} }\n");
	}
	assert_int_equal(check(text, &errors, &warnings), 1);
	assert_int_equal(errors, 1);
	assert_non_null(strstr(
	    said, "error: backend: there are more servers than queue-handoff can be told\n"));
}

static void
descriptors_for_all_sessions(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork(); /* the limit cannot be raised again */
	if (pid == 0) {
		const struct rlimit few = {100, 100};
		unsigned errors, warnings;

		/* The superuser may exceed its limit, and is told of the kernel's only. */
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) == -1)
			_exit(2);
		if (setrlimit(RLIMIT_NOFILE, &few) == -1)
			_exit(3);
		check(GOOD BACKEND, &errors, &warnings);
		_exit(strstr(said,
			  "error: limits.sessions: 1000 sessions need 1128 descriptors for each "
			  "worker, and the limit is 100\n") == NULL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(findings),
	    cmocka_unit_test(row_275_directory_writable),
	    cmocka_unit_test(more_than_can_be_told),
	    cmocka_unit_test(descriptors_for_all_sessions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
