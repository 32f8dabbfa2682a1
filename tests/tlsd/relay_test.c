#include "tests/tlsd/harness.h"

#include <sys/ioctl.h>

/* ---- the client goes --------------------------------------------------------------------------- */

static void
send_and_end(struct client *c, void (*end)(struct client *c), bool delivered)
{
	char room[64];

	client_up(c);
	client_write(c, "DATA\r\n", 6);
	end(c);
	turn_until(plain_is_over());
	if (delivered) {
		plain_read(room, 6);
		assert_memory_equal(room, "DATA\r\n", 6);
		assert_int_equal(recv(house.plain, room, sizeof(room), MSG_DONTWAIT), 0);
	}
}

static void
end_by_close_notify(struct client *c)
{
	SSL_shutdown(c->ssl);
}

static void
end_by_fin(struct client *c)
{
	shutdown(c->fd, SHUT_WR);
}

static void
end_by_reset(struct client *c)
{
	struct linger hard = {1, 0};

	turn(10); /* a reset throws away what has not been read */
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c->fd);
	c->fd = -1;
}

/* Octets in the clear after close_notify reach nobody. */
static void
row_128_close_notify_then_plaintext(void **state)
{
	char room[64];
	struct client c;

	(void)state;
	send_and_end(&c, end_by_close_notify, true);
	assert_int_equal(send(c.fd, "RSET\r\nMAIL FROM:<>\r\n", 20, 0), 20);
	turn(20);
	assert_int_equal(recv(house.plain, room, sizeof(room), MSG_DONTWAIT), 0);
	client_close(&c);
}

static void
row_129_fin_without_close_notify(void **state)
{
	struct client c;

	(void)state;
	send_and_end(&c, end_by_fin, true);
	client_close(&c);
}

static void
a_reset_is_passed_on(void **state)
{
	struct client c;

	(void)state;
	send_and_end(&c, end_by_reset, true);
	turn_until(house.tlsd.pool.count == 0);
	client_close(&c);
}

/* After close_notify the client may still listen (RFC 8446 6.1). */
static void
the_last_reply_after_close_notify(void **state)
{
	char room[8];
	struct client c;

	(void)state;
	send_and_end(&c, end_by_close_notify, true);
	assert_int_equal(send(house.plain, "221 ok\r\n", 8, 0), 8);
	close(house.plain);
	house.plain = -1;
	client_read(&c, room, 8);
	assert_memory_equal(room, "221 ok\r\n", 8);
	client_close(&c);
}

static void
row_130_damaged_record(void **state)
{
	static const uint8_t record[] = {0x17, 3, 3, 0, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	    13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
	uint64_t broken = TLSD_COUNT(broken);
	struct client c;
	char room[8];

	(void)state;
	for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		client_open(&c);
		SSL_set_max_proto_version(c.ssl, v);
		assert_int_equal(client_handshake(&c), 1);
		client_write(&c, "DATA\r\n", 6);
		assert_int_equal(send(c.fd, record, sizeof(record), 0), sizeof(record));
		turn_until(plain_is_over() && client_is_shut(&c));
		plain_read(room, 6);
		assert_int_equal(recv(house.plain, room, sizeof(room), MSG_DONTWAIT), 0);
		client_close(&c);
	}
	assert_int_equal(TLSD_COUNT(broken), broken + 2);
}

/* smtpd does not read, because it waits for a back end: the client's end is seen all the same. */
static void
the_end_behind_a_full_pipe(void (*end)(struct client *c))
{
	static uint8_t room[16384];
	uint64_t truncated = TLSD_COUNT(truncated);
	struct client c;
	int before = -1, now = 0;

	/* Until the plain socket takes no more; with a full TCP window no FIN would arrive. */
	client_up(&c);
	while (now != before) {
		client_write(&c, room, sizeof(room));
		turn(20);
		before = now;
		assert_int_equal(ioctl(house.plain, FIONREAD, &now), 0);
	}
	assert_false(plain_is_over());
	end(&c);
	turn_until(plain_is_over());
	assert_true(TLSD_COUNT(truncated) == truncated + 1 || house.tlsd.pool.count == 0);
	client_close(&c);
}

static void
a_fin_behind_a_full_pipe(void **state)
{
	(void)state;
	the_end_behind_a_full_pipe(end_by_fin);
}

static void
a_reset_behind_a_full_pipe(void **state)
{
	(void)state;
	the_end_behind_a_full_pipe(end_by_reset);
}

/* ---- smtpd goes ----------------------------------------------------------------------------------- */

/* All that smtpd said arrives, then close_notify, then the end. */
static void
smtpd_closes(void **state)
{
	static uint8_t sent[300000], got[sizeof(sent)];
	struct client c;
	size_t at = 0;
	ssize_t n;
	char room[8];

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 >> 3);
	client_up(&c);
	turn_until((n = send(house.plain, sent + at, sizeof(sent) - at, MSG_DONTWAIT),
	    at += n > 0 ? (size_t)n : 0, at == sizeof(sent)));
	close(house.plain);
	house.plain = -1;
	client_read(&c, got, sizeof(got));
	assert_memory_equal(got, sent, sizeof(sent));
	turn_until(SSL_read(c.ssl, room, sizeof(room)) == 0 ||
		   (SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
	turn_until(client_is_shut(&c));
	client_close(&c);
}

/* What the client still sends does not turn smtpd's last words into a reset. */
static void
last_words_while_the_client_talks(void **state)
{
	static uint8_t noise[20000];
	char room[8];
	struct client c;

	(void)state;
	client_up(&c);
	assert_int_equal(send(house.plain, "421 no\r\n", 8, 0), 8);
	client_write(&c, noise, sizeof(noise));
	close(house.plain);
	house.plain = -1;
	turn(20);
	client_write(&c, noise, 1000);
	turn(20);
	client_read(&c, room, 8);
	assert_memory_equal(room, "421 no\r\n", 8);
	client_close(&c);
}

/* The client takes nothing; smtpd gives up; tlsd must notice although it does not read there. */
static void
smtpd_gives_a_blocked_client_up(void **state)
{
	static uint8_t room[65536];
	struct client c;
	int idle = 0;

	(void)state;
	client_up(&c);
	while (idle < 200) {
		idle = send(house.plain, room, sizeof(room), MSG_DONTWAIT) > 0 ? 0 : idle + 1;
		turn(1);
	}
	close(house.plain);
	house.plain = -1;
	turn(20);
	assert_int_equal(house.tlsd.pool.count, 1); /* it has ten seconds to take what is left */
	close(c.fd);
	c.fd = -1;
	client_close(&c);
}

/* ---- octets ---------------------------------------------------------------------------------------- */

/* The client sends; smtpd's end reads in other pieces; both sides block in between. */
static void
megabytes(int version)
{
	static uint8_t sent[4 * 1024 * 1024], room[100000];
	struct client c;
	size_t at = 0, got = 0, done;
	ssize_t n;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)((i * 2654435761u) >> 13);
	client_open(&c);
	SSL_set_max_proto_version(c.ssl, version);
	assert_int_equal(client_handshake(&c), 1);
	while (got < sizeof(sent)) {
		for (int i = 0; i < 40 && at < sizeof(sent); i++)
			if (SSL_write_ex(c.ssl, sent + at,
				sizeof(sent) - at < 30000 ? sizeof(sent) - at : 30000, &done) == 1)
				at += done;
		ERR_clear_error();
		turn(3);
		while ((n = recv(house.plain, room, sizeof(room), MSG_DONTWAIT)) > 0) {
			assert_true(got + (size_t)n <= sizeof(sent));
			assert_memory_equal(room, sent + got, (size_t)n);
			got += (size_t)n;
			turn(1);
		}
	}
	client_close(&c);
}

static void
megabytes_from_the_client(void **state)
{
	(void)state;
	megabytes(TLS1_2_VERSION);
	megabytes(TLS1_3_VERSION);
}

static void
octet_by_octet(void **state)
{
	static const char dialogue[] = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n.\r\nQUIT\r\n";
	struct client c;
	char octet;

	(void)state;
	client_up(&c);
	for (size_t i = 0; i < sizeof(dialogue) - 1; i++) {
		client_write(&c, dialogue + i, 1);
		plain_read(&octet, 1);
		assert_int_equal(octet, dialogue[i]);
	}
	for (size_t i = 0; i < sizeof(dialogue) - 1; i++) {
		assert_int_equal(send(house.plain, dialogue + i, 1, 0), 1);
		client_read(&c, &octet, 1);
		assert_int_equal(octet, dialogue[i]);
	}
	client_close(&c);
}

/* ---- floods ------------------------------------------------------------------------------------------- */

static void
row_125_renegotiation_is_refused(void **state)
{
	struct client c;
	char room[8];

	(void)state;
	client_open(&c);
	SSL_set_max_proto_version(c.ssl, TLS1_2_VERSION);
	assert_int_equal(client_handshake(&c), 1);
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	for (int i = 0; i < 50; i++) {
		SSL_do_handshake(c.ssl);
		turn(1);
	}
	ERR_clear_error();
	/* Refused by an alert: the session goes on as it was, or is over; it is not renegotiated. */
	assert_int_equal(TLSD_COUNT(signatures_refused), 0);
	assert_true(SSL_renegotiate_pending(c.ssl) != 0 || plain_is_over() ||
		    recv(house.plain, room, 8, MSG_DONTWAIT) < 0);
	client_close(&c);
}

static void
row_126_key_updates(void **state)
{
	struct client c;
	char octet = 0;

	(void)state;
	client_open(&c);
	SSL_set_min_proto_version(c.ssl, TLS1_3_VERSION);
	assert_int_equal(client_handshake(&c), 1);
	for (int i = 0; i < 2000; i++) {
		if (SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
			SSL_do_handshake(c.ssl);
		turn(1);
		SSL_read(c.ssl, &octet, 1);
	}
	ERR_clear_error();
	/* No octet came of it, and it holds nothing up: another session works, and this one too. */
	assert_true(recv(house.plain, &octet, 1, MSG_DONTWAIT) <= 0);
	if (!plain_is_over()) {
		client_write(&c, "x", 1);
		plain_read(&octet, 1);
		assert_int_equal(octet, 'x');
	}
	client_close(&c);
}

/* The client asks for answers and never reads them: what waits is bounded. */
static void
row_126_key_updates_unread(void **state)
{
	struct client c;

	(void)state;
	client_open(&c);
	SSL_set_min_proto_version(c.ssl, TLS1_3_VERSION);
	assert_int_equal(client_handshake(&c), 1);
	for (int i = 0; i < 20000; i++) {
		if (SSL_key_update(c.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
			SSL_do_handshake(c.ssl);
		if (i % 50 == 0)
			turn(1);
	}
	ERR_clear_error();
	turn(50);
	client_close(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(row_128_close_notify_then_plaintext),
	    cmocka_unit_test(row_129_fin_without_close_notify),
	    cmocka_unit_test(a_reset_is_passed_on),
	    cmocka_unit_test(the_last_reply_after_close_notify),
	    cmocka_unit_test(row_130_damaged_record),
	    cmocka_unit_test(a_fin_behind_a_full_pipe),
	    cmocka_unit_test(a_reset_behind_a_full_pipe),
	    cmocka_unit_test(smtpd_closes),
	    cmocka_unit_test(last_words_while_the_client_talks),
	    cmocka_unit_test(smtpd_gives_a_blocked_client_up),
	    cmocka_unit_test(megabytes_from_the_client),
	    cmocka_unit_test(octet_by_octet),
	    cmocka_unit_test(row_125_renegotiation_is_refused),
	    cmocka_unit_test(row_126_key_updates),
	    cmocka_unit_test(row_126_key_updates_unread),
	};

	return cmocka_run_group_tests(tests, house_begin, house_end);
}
