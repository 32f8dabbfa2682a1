/* Certificate files: what is taken, what is refused, and which one a client gets. */
#include "tests/tlsd/harness.h"

static void
file_write(const char *name, const char *text)
{
	FILE *f = fopen(test_path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
bad_files_leave_the_old_one(void **state)
{
	static const char *const names[] = {"bad.pem", "p256.key", "empty.pem", "stranger.pem"};
	struct client c;

	(void)state;
	file_write("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	file_write("empty.pem", "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		/* The patience for a key that may still come, without the wait. */
		certificate_offer(names[i]);
		house.tlsd.certificates.tries = CERTIFICATE_TRIES - 1;
		turn_until(house.verdict.count > 0);
		assert_false(house.verdict.taken);
		assert_true(house.verdict.detail[0] != '\0');
		client_up(&c);
		exchange(&c);
		client_close(&c);
	}
}

/* tls-keys may get its file after tlsd got the certificate. */
static void
a_key_that_comes_later(void **state)
{
	static const char *const with_stranger[] = {"rsa.key", "p256.key", "stranger.key", NULL};

	(void)state;
	certificate_offer("stranger.pem");
	turn(20);
	assert_int_equal(house.verdict.count, 0);
	keys_stop();
	keys_start(with_stranger);
	turn_until(house.verdict.count > 0);
	assert_true(house.verdict.taken);
	keys_stop();
	keys_start(all_keys);
	turn_until(house.tlsd.signer.works);
	assert_true(certificate_taken("p256.pem"));
}

/* ---- sets ------------------------------------------------------------------------------------------------ */

/* Waits until every file of the set is judged. */
static void
set_judged(const char *const names[], size_t count)
{
	certificates_offer(names, count);
	turn_until(house.verdict.count == count);
}

/* Whether a client that asks for `asked` (empty: for none) gets a certificate that is good for `name`. */
static bool
serves(const char *asked, const char *name)
{
	struct client c;
	bool good;

	client_open(&c);
	if (asked[0] != '\0')
		assert_int_equal(SSL_set_tlsext_host_name(c.ssl, asked), 1);
	assert_int_equal(client_handshake(&c), 1);
	good = X509_check_host(SSL_get0_peer_certificate(c.ssl), name, 0, 0, NULL) == 1;
	exchange(&c);
	client_close(&c);
	return good;
}

static void
a_name_chooses_its_certificate(void **state)
{
	static const char *const set[] = {"p256.pem", "second.pem", "third.pem"};
	static const struct {
		const char *asked, *served;
	} rows[] = {
	    {"", "mx.example"},
	    {"mx.example", "mx.example"},
	    {"second.example", "second.example"},
	    {"SECOND.Example", "second.example"},
	    {"any.wild.example", "any.wild.example"},
	    {"third.example", "third.example"},
	    {"wild.example", "mx.example"},
	    {"a.b.wild.example", "mx.example"},
	    {"unknown.example", "mx.example"},
	};

	(void)state;
	set_judged(set, 3);
	assert_int_equal(house.verdict.refused, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(serves(rows[i].asked, rows[i].served));
	assert_true(certificate_taken("p256.pem"));
	assert_true(serves("second.example", "mx.example"));
}

/* With something in service, one bad file is the end of its whole set. */
static void
a_set_with_a_bad_one_leaves_the_old_one(void **state)
{
	static const char *const bad[] = {"second.pem", "bad.pem", "third.pem"};
	static const char *const without_key[] = {"second.pem", "third.pem", "stranger.pem"};

	(void)state;
	file_write("bad.pem", "nothing");
	set_judged(bad, 3);
	assert_int_equal(house.verdict.refused, 3);
	assert_true(serves("second.example", "mx.example"));

	certificates_offer(without_key, 3);
	turn_until(house.tlsd.certificates.proven == 2);
	house.tlsd.certificates.tries = CERTIFICATE_TRIES - 1;
	turn_until(house.verdict.count == 3);
	assert_int_equal(house.verdict.refused, 3);
	assert_true(serves("second.example", "mx.example"));
	assert_int_equal(house.tlsd.certificates.candidate.count, 0);
}

/* With nothing in service, those that are good are better than none. */
static void
at_the_start_the_good_ones_are_taken(void **state)
{
	static const char *const set[] = {"stranger.pem", "bad.pem", "second.pem", "third.pem"};

	(void)state;
	file_write("bad.pem", "nothing");
	certificate_clear(&house.tlsd.certificates);
	certificates_offer(set, 4);
	assert_int_equal(house.verdict.refused, 1);
	turn_until(house.tlsd.certificates.tries > 0);
	assert_int_equal(house.tlsd.certificates.proven, 0);
	house.tlsd.certificates.tries = CERTIFICATE_TRIES - 1;
	turn_until(house.verdict.count == 4);
	assert_int_equal(house.verdict.refused, 2);
	assert_true(serves("", "second.example"));
	assert_true(serves("third.example", "third.example"));
	assert_true(certificate_taken("p256.pem"));
}

/* The next set replaces one that is not complete, or whose keys are still being shown. */
static void
a_set_replaces_an_unfinished_one(void **state)
{
	static const char *const set[] = {"stranger.pem", "second.pem"};
	struct msg_file first = {.kind = FILE_CERTIFICATE, .count = 3, .name = SPAN("second.pem")};

	(void)state;
	certificates_offer(set, 2);
	certificate_file(&house.tlsd.certificates, &first, file_open("second.pem"));
	turn(5);
	assert_int_equal(house.verdict.count, 0);
	assert_true(certificate_taken("rsa.pem"));
	assert_true(serves("second.example", "mx.example"));
	assert_true(certificate_taken("p256.pem"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_files_leave_the_old_one),
	    cmocka_unit_test(a_key_that_comes_later),
	    cmocka_unit_test(a_name_chooses_its_certificate),
	    cmocka_unit_test(a_set_with_a_bad_one_leaves_the_old_one),
	    cmocka_unit_test(at_the_start_the_good_ones_are_taken),
	    cmocka_unit_test(a_set_replaces_an_unfinished_one),
	};

	return cmocka_run_group_tests(tests, house_begin, house_end);
}
