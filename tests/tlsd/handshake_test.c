#include "tests/tlsd/harness.h"

/* ---- what is offered ------------------------------------------------------------------------- */

static void
every_key_and_version(void **state)
{
	static const char *const certificates[] = {
	    "rsa.pem", "rsa4096.pem", "p256.pem", "p384.pem"};
	static const struct {
		int version;
		const char *name;
	} versions[] = {{TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};
	struct client c;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(certificate_taken(certificates[i]));
		for (size_t v = 0; v < 2; v++) {
			client_open(&c);
			SSL_set_min_proto_version(c.ssl, versions[v].version);
			SSL_set_max_proto_version(c.ssl, versions[v].version);
			assert_int_equal(client_handshake(&c), 1);
			assert_string_equal(house.version, versions[v].name);
			assert_string_equal(house.cipher, SSL_get_cipher(c.ssl));
			exchange(&c);
			client_close(&c);
		}
	}
	assert_true(certificate_taken("p256.pem"));
}

/* What a 2026 MX must not speak any more, and what it must. */
static void
ciphers(void **state)
{
	static const struct {
		const char *list;
		bool good;
	} rows[] = {
	    {"ECDHE-RSA-AES128-GCM-SHA256", true},
	    {"ECDHE-RSA-AES256-GCM-SHA384", true},
	    {"ECDHE-RSA-CHACHA20-POLY1305", true},
	    {"AES128-SHA", false},
	    {"AES256-GCM-SHA384", false},
	    {"ECDHE-RSA-AES128-SHA", false},
	    {"ECDHE-RSA-AES256-SHA384", false},
	    {"DHE-RSA-AES128-GCM-SHA256", false},
	    {"CAMELLIA128-SHA", false},
	};
	struct client c;

	(void)state;
	assert_true(certificate_taken("rsa.pem"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client_open(&c);
		SSL_set_max_proto_version(c.ssl, TLS1_2_VERSION);
		assert_int_equal(SSL_set_cipher_list(c.ssl, rows[i].list), 1);
		assert_int_equal(client_handshake(&c), rows[i].good);
		if (rows[i].good)
			assert_string_equal(house.cipher, rows[i].list);
		else
			assert_int_equal(house.reason, TLS_FAILED_HANDSHAKE);
		client_close(&c);
	}
	assert_true(certificate_taken("p256.pem"));
}

/* PSS under TLS 1.2 too, and each digest that a client may insist on. */
static void
signature_algorithms(void **state)
{
	static const struct {
		const char *certificate, *algorithms;
		int version;
		bool good;
	} rows[] = {
	    {"rsa.pem", "RSA+SHA256", TLS1_2_VERSION, true},
	    {"rsa.pem", "RSA+SHA384", TLS1_2_VERSION, true},
	    {"rsa.pem", "RSA+SHA512", TLS1_2_VERSION, true},
	    {"rsa.pem", "rsa_pss_rsae_sha256", TLS1_2_VERSION, true},
	    {"rsa.pem", "rsa_pss_rsae_sha384", TLS1_3_VERSION, true},
	    {"rsa.pem", "rsa_pss_rsae_sha512", TLS1_3_VERSION, true},
	    {"rsa4096.pem", "rsa_pss_rsae_sha512", TLS1_3_VERSION, true},
	    {"rsa.pem", "RSA+SHA1", TLS1_2_VERSION, false},
	    {"rsa.pem", "RSA+SHA224", TLS1_2_VERSION, false},
	    {"p256.pem", "ECDSA+SHA512", TLS1_2_VERSION, true},
	    {"p384.pem", "ECDSA+SHA384", TLS1_3_VERSION, true},
	    {"p256.pem", "ECDSA+SHA1", TLS1_2_VERSION, false},
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(certificate_taken(rows[i].certificate));
		client_open(&c);
		SSL_set_max_proto_version(c.ssl, rows[i].version);
		assert_int_equal(SSL_set1_sigalgs_list(c.ssl, rows[i].algorithms), 1);
		if (client_handshake(&c) != rows[i].good)
			fail_msg("%s %s", rows[i].certificate, rows[i].algorithms);
		client_close(&c);
	}
	assert_true(certificate_taken("p256.pem"));
}

static void
row_121_old_versions_are_refused(void **state)
{
	static const int versions[] = {SSL3_VERSION, TLS1_VERSION, TLS1_1_VERSION};
	/* An SSL 2 CLIENT-HELLO that offers version 2 alone. */
	static const char ssl2[] =
	    "\x80\x1f\x01\x00\x02\x00\x06\x00\x00\x00\x10\x07\x00\xc0\x05\x00\x80"
	    "0123456789abcdef";
	struct client c;

	(void)state;
	for (size_t i = 1; i < sizeof(versions) / sizeof(versions[0]); i++) {
		client_open(&c);
		SSL_set_min_proto_version(c.ssl, versions[i]);
		SSL_set_max_proto_version(c.ssl, versions[i]);
		SSL_set_cipher_list(c.ssl, "ALL:@SECLEVEL=0");
		assert_int_equal(client_handshake(&c), 0);
		assert_int_equal(house.reason, TLS_FAILED_HANDSHAKE);
		turn_until(client_is_shut(&c));
		client_close(&c);
	}
	client_open(&c);
	assert_int_equal(send(c.fd, ssl2, sizeof(ssl2) - 1, 0), sizeof(ssl2) - 1);
	turn_until(house.fails > 0);
	turn_until(client_is_shut(&c));
	client_close(&c);
}

/* Records without content, and warnings, cost the client as much as us, and are soon too many. */
static void
row_127_empty_records_and_warnings(void **state)
{
	static const struct {
		uint8_t octets[8];
		size_t len;
	} records[] = {
	    {{22, 3, 1, 0, 0}, 5},       /* handshake, empty */
	    {{21, 3, 1, 0, 2, 1, 90}, 7} /* alert, warning, user_canceled */
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		client_open(&c);
		for (int n = 0; n < 1000 && house.fails == 0; n++) {
			send(c.fd, records[i].octets, records[i].len, MSG_NOSIGNAL);
			turn(1);
		}
		turn_until(house.fails > 0);
		assert_int_equal(house.reason, TLS_FAILED_HANDSHAKE);
		client_close(&c);
	}
}

static void
row_118_plaintext_is_no_handshake(void **state)
{
	static const char *const texts[] = {"EHLO x\r\n", "MAIL FROM:<a@b.example>\r\n",
	    "GET / HTTP/1.0\r\n\r\n", "\r\n", "\x16\x03\x01\xff\xff garbage", "\0\0\0\0\0\0\0\0"};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		client_open(&c);
		assert_true(send(c.fd, texts[i], i == 5 ? 8 : strlen(texts[i]), 0) > 0);
		shutdown(c.fd, SHUT_WR);
		turn_until(house.fails > 0);
		assert_int_equal(house.reason, TLS_FAILED_HANDSHAKE);
		assert_int_equal(house.failed_session, c.session);
		turn_until(client_is_shut(&c));
		client_close(&c);
	}
}

static void
row_119_silence_ends_at_the_deadline(void **state)
{
	struct client c;

	(void)state;
	house.tlsd.pool.handshake_timeout_ms = 60;
	client_open(&c);
	turn_until(house.fails > 0);
	assert_int_equal(house.reason, TLS_FAILED_TIMEOUT);
	turn_until(client_is_shut(&c));
	client_close(&c);
	house.tlsd.pool.handshake_timeout_ms = 5000;
}

/* Octets now and then do not move the deadline. */
static void
row_119_drops_end_at_the_deadline(void **state)
{
	struct client c;
	unsigned sent = 0;

	(void)state;
	house.tlsd.pool.handshake_timeout_ms = 100;
	client_open(&c);
	turn_until((send(c.fd,
			sent++ == 0 ? "\x16"
			: sent == 2 ? "\x03"
				    : "\x01",
			1, MSG_NOSIGNAL),
	    poll(NULL, 0, 15), house.fails > 0));
	client_close(&c);
	house.tlsd.pool.handshake_timeout_ms = 5000;
}

/* ---- the hello in pieces ----------------------------------------------------------------------- */

/* A ClientHello of OpenSSL's, as octets. */
static size_t
hello_take(SSL *ssl, uint8_t *room, size_t cap)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int len;

	SSL_set_bio(ssl, in, out);
	SSL_do_handshake(ssl);
	ERR_clear_error();
	len = BIO_read(out, room, (int)cap);
	assert_true(len > 100);
	return (size_t)len;
}

static void
send_octets(struct client *c, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(send(c->fd, p + i, 1, MSG_NOSIGNAL), 1);
		turn(1);
	}
}

/* Goes on with the handshake on the socket after the hello has been sent by hand. */
static void
finish(struct client *c)
{
	BIO *bio = BIO_new_socket(c->fd, BIO_NOCLOSE);

	SSL_set_bio(c->ssl, bio, bio);
	assert_int_equal(client_handshake(c), 1);
	exchange(c);
}

static void
row_120_hello_in_single_octets(void **state)
{
	uint8_t hello[4096];
	struct client c;

	(void)state;
	client_open(&c);
	send_octets(&c, hello, hello_take(c.ssl, hello, sizeof(hello)));
	finish(&c);
	client_close(&c);
}

static void
row_120_hello_in_records_of_one_octet(void **state)
{
	uint8_t hello[4096], records[6 * 4096];
	struct client c;
	size_t len, n = 0;

	(void)state;
	client_open(&c);
	len = hello_take(c.ssl, hello, sizeof(hello));
	for (size_t i = 5; i < len; i++) {
		memcpy(records + n, "\x16\x03\x01\x00\x01", 5);
		records[n + 5] = hello[i];
		n += 6;
	}
	assert_int_equal(send(c.fd, records, n, 0), (ssize_t)n);
	finish(&c);
	client_close(&c);
}

static void
row_120_huge_hello(void **state)
{
	/* A handshake message of 16 MiB less one is announced, then records follow it for ever. */
	static uint8_t record[5 + 16384] = {
	    0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0xff, 0xff, 0xff, 3, 3};
	struct client c;

	(void)state;
	client_open(&c);
	turn_until(
	    (send(c.fd, record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL), house.fails > 0));
	assert_int_equal(house.reason, TLS_FAILED_HANDSHAKE);
	client_close(&c);
}

static void
row_138_bad_key_shares(void **state)
{
	uint8_t hello[4096];
	struct client c;
	size_t len, i;

	(void)state;
	client_open(&c);
	SSL_set_min_proto_version(c.ssl, TLS1_3_VERSION);
	SSL_set1_groups_list(c.ssl, "P-256");
	len = hello_take(c.ssl, hello, sizeof(hello));
	/* group 0x0017, 65 octets, an uncompressed point: put it off the curve */
	for (i = 0; i + 6 < len && memcmp(hello + i, "\x00\x17\x00\x41\x04", 5) != 0; i++)
		;
	assert_true(i + 6 < len);
	hello[i + 40] ^= 0x55;
	assert_int_equal(send(c.fd, hello, len, 0), (ssize_t)len);
	turn_until(house.fails > 0);
	client_close(&c);
}

/* ---- names and extensions ------------------------------------------------------------------------ */

static void
row_131_server_names(void **state)
{
	static const struct {
		const char *sent, *told;
	} rows[] = {
	    {"", ""},
	    {"mx.example", "mx.example"},
	    {"MX.Example", "mx.example"},
	    {"unknown.example", "unknown.example"},
	    {"under_score.example", "under_score.example"},
	    {"mx.example.", ""},
	    {"a b.example", ""},
	    {"a\r\nb.example", ""},
	    {"\xc3\xa4.example", ""},
	    {"-x.example", ""},
	    {"x..example", ""},
	    {"192.0.2.1", ""},
	    {"2001:db8::1", ""},
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client_open(&c);
		if (rows[i].sent[0] != '\0')
			assert_int_equal(SSL_set_tlsext_host_name(c.ssl, rows[i].sent), 1);
		assert_int_equal(client_handshake(&c), 1);
		assert_string_equal(house.server_name, rows[i].told);
		client_close(&c);
	}
}

/* A ClientHello of TLS 1.2 with any octets as a name, in as many records as it takes. */
static void
send_hello_with_name(struct client *c, struct span name)
{
	static const uint8_t before[] = {0x03, 0x03, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
	    0 /* no session */, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0};
	static const uint8_t after[] = {0x00, 0x0a, 0, 4, 0, 2, 0x00, 0x17, 0x00, 0x0b, 0, 2, 1, 0,
	    0x00, 0x0d, 0, 8, 0, 6, 4, 3, 4, 1, 8, 4};
	static uint8_t hello[70000];
	size_t extensions = 9 + name.len + sizeof(after), len = sizeof(before) + 2 + extensions;
	uint8_t heads[4 + 2 + 9] = {1, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
	    (uint8_t)(extensions >> 8), (uint8_t)extensions, 0, 0, (uint8_t)((name.len + 5) >> 8),
	    (uint8_t)(name.len + 5), (uint8_t)((name.len + 3) >> 8), (uint8_t)(name.len + 3), 0,
	    (uint8_t)(name.len >> 8), (uint8_t)name.len};
	struct buf b = BUF_OVER(hello);

	buf_put(&b, heads, 4);
	buf_put(&b, before, sizeof(before));
	buf_put(&b, heads + 4, 11);
	buf_put_span(&b, name);
	buf_put(&b, after, sizeof(after));
	assert_false(b.full);
	for (size_t at = 0; at < b.len; at += 16384) {
		size_t n = b.len - at < 16384 ? b.len - at : 16384;
		uint8_t head[5] = {0x16, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};

		send(c->fd, head, 5, MSG_NOSIGNAL);
		send(c->fd, hello + at, n, MSG_NOSIGNAL);
	}
}

/* libssl takes these for no names at all: an answer comes, be it an alert, and no name is told. */
static void
row_131_what_is_no_name(void **state)
{
	static const uint8_t long_name[65000] = {'x'};
	const struct span names[] = {SPAN("mx.example"), SPAN("mx\0evil"), SPAN(""),
	    SPAN("\xff\xfe"), span_of(long_name, 255), span_of(long_name, 256),
	    span_of(long_name, 65000)};
	uint8_t kind;
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		client_open(&c);
		send_hello_with_name(&c, names[i]);
		kind = 0;
		turn_until(recv(c.fd, &kind, 1, MSG_DONTWAIT) >= 0);
		assert_true(kind == 0x15 || (kind == 0x16 && i != 1));
		assert_int_equal(house.ups, 0);
		close(c.fd);
		c.fd = -1;
		client_close(&c);
	}
}

static void
row_132_alpn_is_ignored(void **state)
{
	static const unsigned char protocols[] = "\x02h2\x08http/1.1";
	const unsigned char *chosen;
	struct client c;
	unsigned len;

	(void)state;
	client_open(&c);
	SSL_set_alpn_protos(c.ssl, protocols, sizeof(protocols) - 1);
	assert_int_equal(client_handshake(&c), 1);
	SSL_get0_alpn_selected(c.ssl, &chosen, &len);
	assert_int_equal(len, 0);
	client_close(&c);
}

static int
on_certificate_asked(SSL *ssl, X509 **x, EVP_PKEY **key)
{
	(void)ssl;
	(void)x;
	(void)key;
	fail_msg("a client certificate was asked for");
	return 0;
}

static void
row_133_no_client_certificate_is_asked_for(void **state)
{
	struct client c;

	(void)state;
	for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		client_open(&c);
		SSL_CTX_set_client_cert_cb(c.ctx, on_certificate_asked);
		SSL_set_max_proto_version(c.ssl, v);
		assert_int_equal(client_handshake(&c), 1);
		client_close(&c);
	}
}

static unsigned tickets;

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	tickets += SSL_SESSION_is_resumable(session) != 0;
	return 0;
}

/* No tickets, which some clients fail on; no resumption; no early data. */
static void
row_134_135_every_handshake_is_full(void **state)
{
	SSL_SESSION *session;
	struct client c;

	(void)state;
	for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		tickets = 0;
		client_open(&c);
		SSL_CTX_set_session_cache_mode(c.ctx, SSL_SESS_CACHE_CLIENT);
		SSL_CTX_sess_set_new_cb(c.ctx, v == TLS1_3_VERSION ? on_ticket : NULL);
		SSL_set_max_proto_version(c.ssl, v);
		assert_int_equal(client_handshake(&c), 1);
		exchange(&c);
		session = SSL_get1_session(c.ssl);
		assert_int_equal(tickets, 0);
		assert_int_equal(SSL_SESSION_has_ticket(session), 0);
		assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
		client_close(&c);

		client_open(&c);
		SSL_set_max_proto_version(c.ssl, v);
		SSL_set_session(c.ssl, session);
		assert_int_equal(client_handshake(&c), 1);
		assert_int_equal(SSL_session_reused(c.ssl), 0);
		SSL_SESSION_free(session);
		client_close(&c);
	}
}

/* ---- our own troubles ------------------------------------------------------------------------------- */

static void
fault_26_without_tls_keys_a_handshake_fails_cleanly(void **state)
{
	struct client c;

	(void)state;
	keys_stop();
	client_open(&c);
	assert_int_equal(client_handshake(&c), 0);
	assert_int_equal(house.reason, TLS_FAILED_INTERNAL);
	turn_until(client_is_shut(&c));
	client_close(&c);

	keys_start(all_keys);
	turn_until(house.tlsd.signer.works);
	client_up(&c);
	exchange(&c);
	client_close(&c);
}

/* tls-keys is started again, and the key on the disk is another one by now. */
static void
fault_26_tls_keys_comes_back_without_the_key(void **state)
{
	static const char *const others[] = {"rsa.key", "stranger.key", NULL};
	struct client c;

	(void)state;
	keys_stop();
	keys_start(others);
	turn_until(house.tlsd.certificates.missing);
	client_open(&c);
	assert_int_equal(client_handshake(&c), 0);
	assert_int_equal(house.reason, TLS_FAILED_INTERNAL);
	client_close(&c);
	keys_stop();
	keys_start(all_keys);
	turn_until(!house.tlsd.certificates.missing);
	client_up(&c);
	client_close(&c);
}

/* It is there, but does not answer: one wait, then none. */
static void
a_stopped_tls_keys_does_not_stop_tlsd(void **state)
{
	uint64_t begun_ms, waits = TLSD_COUNT(signatures_timeout);
	struct client c;

	(void)state;
	kill(house.keys_pid, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		begun_ms = clock_ms();
		client_open(&c);
		assert_int_equal(client_handshake(&c), 0);
		assert_int_equal(house.reason, TLS_FAILED_INTERNAL);
		assert_true(clock_ms() - begun_ms < (i == 0 ? 3000 : 500));
		client_close(&c);
	}
	assert_int_equal(TLSD_COUNT(signatures_timeout), waits + 1);
	kill(house.keys_pid, SIGCONT);
	turn_until(house.tlsd.signer.rest_until_ms == 0);
	client_up(&c);
	client_close(&c);
}

static void
as_many_sessions_as_may_be(void **state)
{
	struct client a, b;

	(void)state;
	house.tlsd.pool.most = 1;
	client_up(&a);
	client_open(&b);
	assert_int_equal(client_handshake(&b), 0);
	assert_int_equal(house.reason, TLS_FAILED_INTERNAL);
	house.tlsd.pool.most = 100;
	SSL_free(b.ssl);
	SSL_CTX_free(b.ctx);
	close(b.fd);
	client_close(&a);
}

/* An smtpd that passes something else than a socket gets an answer too. */
static void
row_139_what_is_no_socket(void **state)
{
	int pipes[2];

	(void)state;
	house.fails = house.ups = 0;
	house.session = 0;
	tls_ask(file_open("p256.pem"), 7);
	turn_until(house.fails == 1);
	tls_ask(open("/dev/null", O_RDWR | O_CLOEXEC), 8);
	turn_until(house.fails == 2);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	tls_ask(pipes[0], 9);
	turn_until(house.fails == 3);
	close(pipes[1]);
	assert_int_equal(house.tlsd.pool.count, 0);
}

static void
a_lost_worker_takes_its_sessions_with_it(void **state)
{
	struct client c, d;

	(void)state;
	client_up(&c);
	client_open(&d);
	turn(5);
	assert_int_equal(house.tlsd.pool.count, 2);
	link_free(&house.smtpd);
	turn_until(house.tlsd.pool.count == 0);
	turn_until(client_is_shut(&c) && client_is_shut(&d));
	smtpd_start(0);
	SSL_free(d.ssl);
	SSL_CTX_free(d.ctx);
	close(d.fd);
	client_close(&c);
	client_up(&c);
	client_close(&c);
}

static void
on_empty(void *arg)
{
	*(bool *)arg = true;
}

static void
a_drain_waits_for_the_sessions(void **state)
{
	struct client c, d;
	bool empty = false;

	(void)state;
	client_up(&c);
	tlsd_drain(&house.tlsd, on_empty, &empty);
	assert_false(empty);
	exchange(&c);
	client_open(&d);
	assert_int_equal(client_handshake(&d), 0);
	SSL_free(d.ssl);
	SSL_CTX_free(d.ctx);
	close(d.fd);
	client_close(&c);
	assert_true(empty);
	house.tlsd.draining = false;
	house.tlsd.pool.on_empty = NULL;
}

/* ---- a new certificate --------------------------------------------------------------------------------- */

/* The context of a handshake that has begun is not freed under it. */
static void
a_reload_in_the_middle_of_a_handshake(void **state)
{
	uint8_t hello[4096];
	struct client c;
	size_t len;

	(void)state;
	client_open(&c);
	SSL_set_tlsext_host_name(c.ssl, "mx.example");
	len = hello_take(c.ssl, hello, sizeof(hello));
	assert_int_equal(send(c.fd, hello, 40, 0), 40);
	turn(5);
	assert_true(certificate_taken("rsa.pem"));
	assert_int_equal(send(c.fd, hello + 40, len - 40, 0), (ssize_t)(len - 40));
	finish(&c);
	assert_int_equal(
	    EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(c.ssl))), EVP_PKEY_EC);
	client_close(&c);
	client_up(&c);
	assert_int_equal(
	    EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(c.ssl))), EVP_PKEY_RSA);
	client_close(&c);
	assert_true(certificate_taken("p256.pem"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_key_and_version),
	    cmocka_unit_test(ciphers),
	    cmocka_unit_test(signature_algorithms),
	    cmocka_unit_test(row_121_old_versions_are_refused),
	    cmocka_unit_test(row_118_plaintext_is_no_handshake),
	    cmocka_unit_test(row_127_empty_records_and_warnings),
	    cmocka_unit_test(row_119_silence_ends_at_the_deadline),
	    cmocka_unit_test(row_119_drops_end_at_the_deadline),
	    cmocka_unit_test(row_120_hello_in_single_octets),
	    cmocka_unit_test(row_120_hello_in_records_of_one_octet),
	    cmocka_unit_test(row_120_huge_hello),
	    cmocka_unit_test(row_138_bad_key_shares),
	    cmocka_unit_test(row_131_server_names),
	    cmocka_unit_test(row_131_what_is_no_name),
	    cmocka_unit_test(row_132_alpn_is_ignored),
	    cmocka_unit_test(row_133_no_client_certificate_is_asked_for),
	    cmocka_unit_test(row_134_135_every_handshake_is_full),
	    cmocka_unit_test(fault_26_without_tls_keys_a_handshake_fails_cleanly),
	    cmocka_unit_test(fault_26_tls_keys_comes_back_without_the_key),
	    cmocka_unit_test(a_stopped_tls_keys_does_not_stop_tlsd),
	    cmocka_unit_test(as_many_sessions_as_may_be),
	    cmocka_unit_test(row_139_what_is_no_socket),
	    cmocka_unit_test(a_lost_worker_takes_its_sessions_with_it),
	    cmocka_unit_test(a_drain_waits_for_the_sessions),
	    cmocka_unit_test(a_reload_in_the_middle_of_a_handshake),
	};

	return cmocka_run_group_tests(tests, house_begin, house_end);
}
