#include "smtpd/id.h"

enum { TIME_DIGITS = 7, INSTANCE_DIGITS = 3, COUNTER_DIGITS = 6 };

static const uint64_t counter_period = UINT64_C(56800235584); /* 62^6 */

_Static_assert(TIME_DIGITS + INSTANCE_DIGITS + COUNTER_DIGITS == ID_LEN, "digits of an id");

static void
put_base62(uint8_t *to, size_t digits, uint64_t v)
{
	static const char alphabet[] =
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	while (digits > 0) {
		to[--digits] = (uint8_t)alphabet[v % 62];
		v /= 62;
	}
}

void
id_maker_init(struct id_maker *m, uint64_t unix_ms, uint32_t instance, uint64_t random)
{
	put_base62(m->prefix, TIME_DIGITS, unix_ms);
	put_base62(m->prefix + TIME_DIGITS, INSTANCE_DIGITS, instance);
	/* 62 = 2 * 31; 28 bits keep the product below 2^64. */
	m->factor = (random & UINT64_C(0xfffffff)) | 1;
	while (m->factor % 31 == 0)
		m->factor += 2;
	m->counter = 0;
}

void
id_next(struct id_maker *m, struct id *id_out)
{
	m->counter = (m->counter + 1) % counter_period;
	memcpy(id_out->text, m->prefix, sizeof(m->prefix));
	put_base62(id_out->text + sizeof(m->prefix), COUNTER_DIGITS,
	    m->counter * m->factor % counter_period);
}
