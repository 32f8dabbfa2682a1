#include "tests/tlsd/harness.h"

/* ---- what is offered ------------------------------------------------------------------------- */

static void
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

static void
every_key_and_version(void **state)
{
	static const char *const certificates[] = {"rsa.pem", "rsa4096.pem", "p256.pem", "p384.pem"};
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_key_and_version),
	};

	return cmocka_run_group_tests(tests, house_begin, house_end);
}
