/*
 * A tlsd in this process, a tls-keys in another (libcrypto's methods are global, and a signature
 * is waited for), certificates made on the spot, and a client on loopback TCP that is OpenSSL
 * itself, so that it can misbehave.
 */
#ifndef TESTS_TLSD_HARNESS_H
#define TESTS_TLSD_HARNESS_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include "tlsd/counters.h"
#include "tlsd/keys_serve.h"
#include "tlsd/tlsd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"

enum { PATH_OCTETS = 256, PATIENCE_MS = 10000 };

/* ---- keys and certificates ------------------------------------------------------------------ */

static char test_dir[PATH_OCTETS];

static inline void
test_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(test_dir, sizeof(test_dir), "%s/tlsd-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(test_dir));
}

static inline void
test_dir_remove(void)
{
	char command[PATH_OCTETS + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", test_dir);
	assert_int_equal(system(command), 0);
}

static inline const char *
test_path(const char *name)
{
	static char paths[4][2 * PATH_OCTETS];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", test_dir, name);
	return path;
}

static inline void
key_write(const char *name, EVP_PKEY *key)
{
	FILE *f = fopen(test_path(name), "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

/* A self-signed certificate, valid from yesterday for `days` days. In: names, as "DNS:a,DNS:b". */
static inline void
certificate_write(const char *name, EVP_PKEY *key, const char *names, int days)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	FILE *f = fopen(test_path(name), "w");

	assert_non_null(f);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(x), (days - 1) * 86400L);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *)"mx.example", -1, -1, 0);
	X509_set_issuer_name(x, subject);
	X509_add_ext(x, san, -1);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	X509_EXTENSION_free(san);
	X509_free(x);
}

static inline void
pair_write(const char *stem, EVP_PKEY *key, const char *names)
{
	char name[64];

	assert_non_null(key);
	snprintf(name, sizeof(name), "%s.key", stem);
	key_write(name, key);
	snprintf(name, sizeof(name), "%s.pem", stem);
	certificate_write(name, key, names, 30);
	EVP_PKEY_free(key);
}

/* rsa, rsa4096, p256, p384: STEM.key and STEM.pem. Before libcrypto's methods are changed. */
static inline void
pairs_make(void)
{
	test_dir_make();
	pair_write("rsa", EVP_RSA_gen(2048), "DNS:mx.example");
	pair_write("rsa4096", EVP_RSA_gen(4096), "DNS:mx.example");
	pair_write("p256", EVP_EC_gen("P-256"), "DNS:mx.example");
	pair_write("p384", EVP_EC_gen("P-384"), "DNS:mx.example");
	pair_write("stranger", EVP_EC_gen("P-256"), "DNS:stranger.example");
	pair_write("second", EVP_RSA_gen(2048), "DNS:second.example,DNS:*.wild.example");
	pair_write("third", EVP_EC_gen("P-256"), "DNS:third.example");
}

static inline int
file_open(const char *name)
{
	int fd = open(test_path(name), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ---- the house -------------------------------------------------------------------------------- */

struct verdict {
	unsigned count, refused;
	bool taken; /* the last one */
	char detail[256];
};

struct house {
	struct loop *loop;
	struct tlsd tlsd;
	pid_t keys_pid;
	struct link *smtpd; /* smtpd's end */
	struct verdict verdict;
	uint64_t session; /* whose answers are counted; 0: all */
	unsigned ups, fails;
	uint64_t up_session, failed_session;
	unsigned reason;
	char version[33], cipher[65], server_name[256];
	int plain; /* smtpd's end of the plain socket; -1: none */
	bool empty;
};

static struct house house;

static inline void
on_tls_up(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct house *h = ctx;

	(void)link;
	if (h->session != 0 && m->tls_up.session != h->session)
		return;
	h->ups++;
	h->up_session = m->tls_up.session;
	snprintf(h->version, sizeof(h->version), "%.*s", (int)m->tls_up.version.len,
	    (const char *)m->tls_up.version.p);
	snprintf(h->cipher, sizeof(h->cipher), "%.*s", (int)m->tls_up.cipher.len,
	    (const char *)m->tls_up.cipher.p);
	snprintf(h->server_name, sizeof(h->server_name), "%.*s", (int)m->tls_up.server_name.len,
	    m->tls_up.server_name.len > 0 ? (const char *)m->tls_up.server_name.p : "");
	if (h->plain >= 0)
		close(h->plain);
	h->plain = *fd;
	*fd = -1;
}

static inline void
on_tls_failed(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct house *h = ctx;

	(void)link;
	(void)fd;
	if (h->session != 0 && m->tls_failed.session != h->session)
		return;
	h->fails++;
	h->failed_session = m->tls_failed.session;
	h->reason = m->tls_failed.reason;
}

static const struct link_handler smtpd_handlers[] = {
    {MSG_tls_up, on_tls_up}, {MSG_tls_failed, on_tls_failed}};
static const struct link_role smtpd_role = {
    .self = PROGRAM_SMTPD, .peer = PROGRAM_TLSD, .handlers = smtpd_handlers, .handler_count = 2};

static inline void
on_test_verdict(void *arg, bool taken, const char *detail)
{
	struct verdict *v = arg;

	v->count++;
	v->refused += !taken;
	v->taken = taken;
	snprintf(v->detail, sizeof(v->detail), "%s", detail);
}

static inline void
stop_loop(void *arg)
{
	loop_stop(arg);
}

/* The other process: key files, then signatures until the link ends. */
static inline void
keys_child(int fd, const char *const *names)
{
	static struct keys_server server;
	struct loop *loop = loop_new();
	int rc;

	/* Forked from a tlsd, whose methods would send the signatures back to it. */
	RSA_set_default_method(RSA_PKCS1_OpenSSL());
	EC_KEY_set_default_method(EC_KEY_OpenSSL());
	rc = loop == NULL || keys_crypto_init() != 0 || keys_serve_init(&server, loop) != 0;

	for (; rc == 0 && *names != NULL; names++)
		rc = keys_serve_file(
			 &server, span_str(*names), open(test_path(*names), O_RDONLY)) != NULL;
	server.on_idle = stop_loop;
	server.arg = loop;
	if (rc == 0 && keys_serve_peer(&server, fd) == 0)
		loop_run(loop);
	_exit(rc);
}

/* Starts a tls-keys with these key files; the one before it is gone. */
static inline void
keys_start(const char *const *names)
{
	int pair[2];

	assert_int_equal(link_pair(pair), 0);
	house.keys_pid = fork();
	assert_true(house.keys_pid >= 0);
	if (house.keys_pid == 0) {
		/* Nothing else of ours: an end of a socket here would keep it open there. */
		dup2(pair[1], 3);
		close_range(4, ~0u, 0);
		keys_child(3, names);
	}
	close(pair[1]);
	assert_int_equal(signer_peer(&house.tlsd.signer, pair[0]), 0);
}

static inline void
keys_stop(void)
{
	if (house.keys_pid <= 0)
		return;
	kill(house.keys_pid, SIGKILL);
	waitpid(house.keys_pid, NULL, 0);
	house.keys_pid = 0;
}

/* Turns the loop until the condition holds; fails the test when it does not come true. */
#define turn_until(condition) \
	do { \
		uint64_t until_ms = clock_ms() + PATIENCE_MS; \
		while (!(condition)) { \
			if (clock_ms() > until_ms) \
				fail_msg("did not come true: %s", #condition); \
			loop_turn(house.loop, false); \
			poll(NULL, 0, 1); \
		} \
	} while (0)

static inline void
turn(int times)
{
	while (times-- > 0)
		loop_turn(house.loop, false);
}

static inline void
certificates_offer(const char *const names[], size_t count)
{
	house.verdict.count = house.verdict.refused = 0;
	for (size_t i = 0; i < count; i++)
		certificate_file(&house.tlsd.certificates,
		    &(struct msg_file){.kind = FILE_CERTIFICATE,
			.index = (uint8_t)i,
			.count = (uint8_t)count,
			.name = span_str(names[i])},
		    file_open(names[i]));
}

static inline void
certificate_offer(const char *name)
{
	certificates_offer(&name, 1);
}

/* Offers a file and waits for the decision. */
static inline bool
certificate_taken(const char *name)
{
	certificate_offer(name);
	turn_until(house.verdict.count > 0);
	return house.verdict.taken;
}

static const char *const all_keys[] = {
    "rsa.key", "rsa4096.key", "p256.key", "p384.key", "second.key", "third.key", NULL};

static inline void
smtpd_start(unsigned index)
{
	int pair[2];

	assert_int_equal(link_pair(pair), 0);
	assert_int_equal(tlsd_worker_peer(&house.tlsd, index, pair[0]), 0);
	link_free(&house.smtpd);
	house.smtpd = link_new(house.loop, pair[1], &smtpd_role, &house);
	assert_non_null(house.smtpd);
}

static inline int
house_begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_init(open("/dev/null", O_WRONLY | O_CLOEXEC));
	pairs_make();
	house.plain = -1;
	house.loop = loop_new();
	assert_non_null(house.loop);
	assert_int_equal(tlsd_init(&house.tlsd, house.loop, 5000, 100), 0);
	house.tlsd.certificates.verdict = on_test_verdict;
	house.tlsd.certificates.arg = &house.verdict;
	keys_start(all_keys);
	smtpd_start(0);
	return certificate_taken("p256.pem") ? 0 : -1;
}

static inline int
house_end(void **state)
{
	(void)state;
	if (house.plain >= 0)
		close(house.plain);
	link_free(&house.smtpd);
	tlsd_clear(&house.tlsd);
	keys_stop();
	loop_free(&house.loop);
	test_dir_remove();
	return 0;
}

/* ---- the client ---------------------------------------------------------------------------------- */

struct client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	int server; /* the accepted side, until it is given to tlsd */
	uint64_t session;
};

/* A connected pair of TCP sockets on loopback. */
static inline void
tcp_pair(int *client_out, int *server_out)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	*client_out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*client_out, (struct sockaddr *)&sa, sizeof(sa)), 0);
	*server_out = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*server_out >= 0);
	fcntl(*client_out, F_SETFL, O_NONBLOCK);
	setsockopt(*client_out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(listener);
}

static inline void
tls_ask(int fd, uint64_t session)
{
	struct msg_tls_start start = {session};

	assert_true(link_send(house.smtpd, MSG_tls_start, &start, fd));
}

/* Connects and asks tlsd to begin. The test adjusts c->ssl before client_handshake(). */
static inline void
client_open(struct client *c)
{
	static uint64_t sessions = 1000;

	memset(c, 0, sizeof(*c));
	c->session = ++sessions;
	c->ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(c->ctx);
	SSL_CTX_set_security_level(c->ctx, 0);
	SSL_CTX_set_mode(
	    c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	c->ssl = SSL_new(c->ctx);
	tcp_pair(&c->fd, &c->server);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	house.ups = house.fails = 0;
	house.session = c->session;
	tls_ask(c->server, c->session);
}

static inline void
client_close(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	if (house.plain >= 0)
		close(house.plain);
	house.plain = -1;
	turn_until(house.tlsd.pool.count == 0);
}

/* Returns: 1 up, 0 failed. */
static inline int
client_handshake(struct client *c)
{
	int rc = 0;

	turn_until((rc == 1 || (rc = SSL_do_handshake(c->ssl)) == 1 || true) &&
		   (house.fails > 0 || (house.ups > 0 && rc == 1)));
	ERR_clear_error();
	return house.ups > 0 ? 1 : 0;
}

static inline void
client_up(struct client *c)
{
	client_open(c);
	assert_int_equal(client_handshake(c), 1);
	assert_int_equal(house.up_session, c->session);
}

/* All octets, both sides' loops going round. */
static inline void
client_write(struct client *c, const void *p, size_t len)
{
	const char *at = p;
	size_t done = 0;

	turn_until(
	    (done < len && SSL_get_error(c->ssl, (int)SSL_write_ex(c->ssl, at, len, &done)) == 0 &&
		false) ||
	    done > 0);
	if (done < len)
		client_write(c, at + done, len - done);
}

/* Reads exactly so many from smtpd's end. */
static inline void
plain_read(void *room, size_t len)
{
	uint8_t *at = room;
	ssize_t n = 0;

	while (len > 0) {
		turn_until((n = recv(house.plain, at, len, MSG_DONTWAIT)) > 0);
		at += n;
		len -= (size_t)n;
	}
}

static inline void
client_read(struct client *c, void *room, size_t len)
{
	uint8_t *at = room;
	int n = 0;

	while (len > 0) {
		turn_until((n = SSL_read(c->ssl, at, (int)len)) > 0);
		at += n;
		len -= (size_t)n;
	}
}

/* As smtpd asks before the commit: is the client still there? */
static inline bool
plain_is_over(void)
{
	struct pollfd p = {.fd = house.plain, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* The client's TCP side has been closed or reset by tlsd; whatever comes before is read away. */
static inline bool
client_is_shut(struct client *c)
{
	char room[4096];
	ssize_t n;

	do
		n = recv(c->fd, room, sizeof(room), MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || errno != EAGAIN;
}

static inline void
exchange(struct client *c)
{
	char room[8];

	client_write(c, "EHLO x\r\n", 8);
	plain_read(room, 8);
	assert_memory_equal(room, "EHLO x\r\n", 8);
	assert_int_equal(send(house.plain, "250 ok\r\n", 8, 0), 8);
	client_read(c, room, 8);
	assert_memory_equal(room, "250 ok\r\n", 8);
}

#endif
