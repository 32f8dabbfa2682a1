/* lib/conf.h: options by table, their bounds, and what programs are told. */
#include "lib/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int
set_up(void **state)
{
	*state = conf_new();
	return *state == NULL;
}

static int
tear_down(void **state)
{
	struct conf *conf = *state;

	conf_free(&conf);
	assert_null(conf);
	conf_free(&conf);
	return 0;
}

static void
set_ok(struct conf *conf, const char *path, const char *value)
{
	char why[200] = "";

	if (!conf_set(conf, path, value, why, sizeof(why)))
		fail_msg("%s = %s: %s", path, value, why);
}

static void
defaults_are_those_of_the_table(void **state)
{
	const struct conf *conf = *state;

	assert_null(conf->top.hostname);
	assert_int_equal(conf->top.listen.count, 1);
	assert_string_equal(conf->top.listen.items[0], "127.0.0.1:2525");
	assert_string_equal(conf->top.rundir, "/run/gatehouse");
	assert_int_equal(conf->top.log, CONF_LOG_STDERR);
	assert_int_equal(conf->top.bare_lf, CONF_BARE_LF_NORMALIZE);
	assert_int_equal(conf->spf.fail, CONF_RULE_MARK);
	assert_true(conf->spf.check);
	assert_int_equal(conf->limits.message_size, 36700160);
	assert_int_equal(conf->backend_count, 0);
}

/* Every default of conf.def passes its own bounds: conf_new would have failed otherwise. */
static void
enumerations_match_the_choices(void **state)
{
	static const struct {
		const char *path, *value;
		unsigned index;
	} rows[] = {
	    {"log", "stderr", CONF_LOG_STDERR},
	    {"log", "syslog", CONF_LOG_SYSLOG},
	    {"bare_lf", "normalize", CONF_BARE_LF_NORMALIZE},
	    {"bare_lf", "reject", CONF_BARE_LF_REJECT},
	    {"spf.fail", "mark", CONF_RULE_MARK},
	    {"spf.fail", "reject", CONF_RULE_REJECT},
	    {"spf.fail", "defer", CONF_RULE_DEFER},
	    {"spf.fail", "ignore", CONF_RULE_IGNORE},
	    {"spf.fail", "observe-mark", CONF_RULE_OBSERVE_MARK},
	    {"spf.fail", "observe-reject", CONF_RULE_OBSERVE_REJECT},
	    {"spf.fail", "observe-defer", CONF_RULE_OBSERVE_DEFER},
	    {"spf.temperror", "mark", CONF_SOFT_MARK},
	    {"spf.temperror", "defer", CONF_SOFT_DEFER},
	    {"spf.temperror", "ignore", CONF_SOFT_IGNORE},
	    {"spf.temperror", "observe-mark", CONF_SOFT_OBSERVE_MARK},
	    {"spf.temperror", "observe-defer", CONF_SOFT_OBSERVE_DEFER},
	    {"trusted_relays_client", "received", CONF_TRUSTED_RELAYS_CLIENT_RECEIVED},
	};
	struct conf *conf = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_ok(conf, rows[i].path, rows[i].value);
		assert_int_equal(rows[i].path[0] == 'l'   ? conf->top.log
				 : rows[i].path[0] == 'b' ? conf->top.bare_lf
				 : rows[i].path[0] == 't' ? conf->top.trusted_relays_client
				 : rows[i].path[4] == 't' ? conf->spf.temperror
							  : conf->spf.fail,
		    rows[i].index);
	}
}

static void
values_in_bounds_are_taken(void **state)
{
	struct conf *conf = *state;

	set_ok(conf, "hostname", "mx1.example.net");
	assert_string_equal(conf->top.hostname, "mx1.example.net");
	set_ok(conf, "hostname", "mx2.example.net");
	assert_string_equal(conf->top.hostname, "mx2.example.net");
	set_ok(conf, "limits.sessions", "10");
	assert_int_equal(conf->limits.sessions, 10);
	set_ok(conf, "limits.sessions", "200000");
	assert_int_equal(conf->limits.sessions, 200000);
	set_ok(conf, "dkim.check", "false");
	assert_false(conf->dkim.check);
}

static void
refusals_say_what_is_allowed(void **state)
{
	static const struct {
		const char *name, *path, *value, *message;
	} rows[] = {
	    {"below", "limits.sessions", "9", "must be a number from 10 to 200000 (sessions)"},
	    {"above", "limits.sessions", "200001", "must be a number from 10 to 200000 (sessions)"},
	    {"negative", "limits.sessions", "-10", "must be a number from 10 to 200000 (sessions)"},
	    {"blank", "limits.sessions", " 10", "must be a number from 10 to 200000 (sessions)"},
	    {"trailing", "limits.sessions", "10k", "must be a number from 10 to 200000 (sessions)"},
	    {"hexadecimal", "limits.sessions", "0x10",
		"must be a number from 10 to 200000 (sessions)"},
	    {"overflow", "limits.sessions", "18446744073709551626",
		"must be a number from 10 to 200000 (sessions)"},
	    {"empty number", "limits.sessions", "",
		"must be a number from 10 to 200000 (sessions)"},
	    {"no unit", "uid_base", "999", "must be a number from 1000 to 4294900000"},
	    {"choice", "bare_lf", "keep", "must be one of: normalize, reject"},
	    {"half a choice", "bare_lf", "norm", "must be one of: normalize, reject"},
	    {"empty choice", "bare_lf", "", "must be one of: normalize, reject"},
	    {"two choices", "bare_lf", "normalize|reject", "must be one of: normalize, reject"},
	    {"boolean", "spf.check", "yes", "must be true or false"},
	    {"empty string", "hostname", "", "must not be empty"},
	    {"control", "hostname", "a\nb", "must not contain control characters"},
	    {"empty element", "listen", "", "must not have empty elements"},
	    {"unknown", "hostnam", "x", "no such option"},
	    {"unknown in section", "limits.x", "1", "no such option"},
	    {"unknown section", "arc.check", "true", "no such option"},
	    {"section left out", "sessions", "10", "no such option"},
	    {"section by name", "top.hostname", "x", "no such option"},
	    {"title where none is", "limits.a.sessions", "10", "no such option"},
	    {"no title", "backend.servers", "192.0.2.1:628", "no such option"},
	    {"empty path", "", "x", "no such option"},
	    {"dots", "...", "x", "no such option"},
	    {"empty title", "backend..servers", "x",
		"the title must be 1 to 32 letters, digits, \"-\" and \"_\""},
	    {"dot in title", "backend.a.b.servers", "x",
		"the title must be 1 to 32 letters, digits, \"-\" and \"_\""},
	    {"long title", "backend.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.servers", "x",
		"the title must be 1 to 32 letters, digits, \"-\" and \"_\""},
	};
	struct conf *conf = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char why[200] = "";

		print_message("  %s\n", rows[i].name);
		assert_false(conf_set(conf, rows[i].path, rows[i].value, why, sizeof(why)));
		assert_string_equal(why, rows[i].message);
	}
	assert_int_equal(conf->backend_count, 0);
	assert_int_equal(conf->limits.sessions, 1000);
}

static void
a_message_fits_any_room(void **state)
{
	char why[8] = "-------";

	assert_false(conf_set(*state, "bare_lf", "keep", why, 5));
	assert_string_equal(why, "must");
	assert_string_equal(why + 5, "--");
	assert_false(conf_set(*state, "bare_lf", "keep", NULL, 0));
}

static void
the_first_set_of_a_list_replaces_its_default(void **state)
{
	struct conf *conf = *state;

	set_ok(conf, "listen", "0.0.0.0:25");
	set_ok(conf, "listen", "[::]:25");
	assert_int_equal(conf->top.listen.count, 2);
	assert_string_equal(conf->top.listen.items[0], "0.0.0.0:25");
	assert_string_equal(conf->top.listen.items[1], "[::]:25");
}

static void
lists_have_an_end(void **state)
{
	char why[200];

	for (unsigned i = 0; i < 64; i++)
		set_ok(*state, "dns.servers", "192.0.2.53:53");
	assert_false(conf_set(*state, "dns.servers", "192.0.2.53:53", why, sizeof(why)));
	assert_string_equal(why, "must not have more than 64 elements");
}

static void
strings_have_an_end(void **state)
{
	static char longest[4098];
	char why[200];

	memset(longest, 'x', 4096);
	set_ok(*state, "rundir", longest);
	longest[4096] = 'x';
	assert_false(conf_set(*state, "rundir", longest, why, sizeof(why)));
	assert_string_equal(why, "must not be longer than 4096 octets");
}

static void
titled_sections_appear_with_their_first_option(void **state)
{
	struct conf *conf = *state;
	char path[64], why[200];

	set_ok(conf, "backend.store-1_A.reply_timeout", "7");
	assert_int_equal(conf->backend_count, 1);
	assert_string_equal(conf->backend[0].title, "store-1_A");
	assert_int_equal(conf->backend[0].reply_timeout, 7);
	assert_int_equal(conf->backend[0].connect_timeout, 5);
	assert_int_equal(conf->backend[0].servers.count, 0);
	assert_false(conf_set(conf, "backend.bad.reply_timeout", "0", why, sizeof(why)));
	assert_int_equal(conf->backend_count, 1);
	for (unsigned i = 2; i <= 16; i++) {
		snprintf(path, sizeof(path), "backend.b%u.servers", i);
		set_ok(conf, path, "192.0.2.1:628");
		set_ok(conf, path, "192.0.2.2:628");
	}
	assert_int_equal(conf->backend_count, 16);
	assert_int_equal(conf->backend[15].servers.count, 2);
	assert_false(conf_set(conf, "backend.b17.servers", "192.0.2.1:628", why, sizeof(why)));
	assert_string_equal(why, "there must not be more than 16 sections backend");
}

/* A configuration made only of what a program is told. */
static struct conf *
told(const struct conf *conf, enum program_id program, uint16_t *count_out)
{
	static uint8_t room[60000];
	struct buf b = BUF_OVER(room);
	struct conf *copy = conf_new();
	struct msg_conf_pair pair;
	struct span rest;
	uint16_t seen = 0;

	assert_non_null(copy);
	assert_true(conf_put_pairs(conf, program, &b, count_out));
	for (rest = buf_span(&b); msg_list_next(&rest, RECORD_conf_pair, &pair); seen++) {
		char path[200], value[5000];

		snprintf(path, sizeof(path), "%.*s", (int)pair.path.len, (const char *)pair.path.p);
		snprintf(
		    value, sizeof(value), "%.*s", (int)pair.value.len, (const char *)pair.value.p);
		set_ok(copy, path, value);
	}
	assert_int_equal(seen, *count_out);
	return copy;
}

static void
programs_are_told_theirs_and_no_more(void **state)
{
	struct conf *conf = *state, *copy;
	uint16_t count;

	set_ok(conf, "hostname", "mx1.example.net");
	set_ok(conf, "recipients", "/srv/recipients.cdb");
	set_ok(conf, "postmaster", "admin@example.com");
	set_ok(conf, "tls.key", "/srv/secret.key");
	set_ok(conf, "bare_lf", "reject");
	set_ok(conf, "spf.check", "false");
	set_ok(conf, "limits.sessions", "77");
	set_ok(conf, "backend.one.servers", "192.0.2.1:628");
	set_ok(conf, "backend.one.servers", "192.0.2.2:628");
	set_ok(conf, "backend.two.write_timeout", "3");

	copy = told(conf, PROGRAM_SMTPD, &count);
	assert_string_equal(copy->top.hostname, "mx1.example.net");
	assert_int_equal(copy->top.bare_lf, CONF_BARE_LF_REJECT);
	assert_int_equal(copy->limits.sessions, 77);
	assert_null(copy->top.recipients);
	assert_null(copy->top.postmaster);
	assert_null(copy->tls.key);
	conf_free(&copy);

	copy = told(conf, PROGRAM_QUEUE_HANDOFF, &count);
	assert_int_equal(copy->backend_count, 2);
	assert_string_equal(copy->backend[0].title, "one");
	assert_int_equal(copy->backend[0].servers.count, 2);
	assert_string_equal(copy->backend[0].servers.items[1], "192.0.2.2:628");
	assert_string_equal(copy->backend[1].title, "two");
	assert_int_equal(copy->backend[1].write_timeout, 3);
	conf_free(&copy);

	copy = told(conf, PROGRAM_VALIDATORS, &count);
	assert_false(copy->spf.check);
	assert_null(copy->tls.key);
	conf_free(&copy);

	/* What every child is told, limits.log_rate, and nothing else. */
	copy = told(conf, PROGRAM_TLS_KEYS, &count);
	assert_int_equal(count, 1);
	assert_null(copy->tls.key);
	conf_free(&copy);
}

static void
pairs_that_do_not_fit_are_said(void **state)
{
	uint8_t small[16];
	struct buf b = BUF_OVER(small);
	uint16_t count;

	assert_false(conf_put_pairs(*state, PROGRAM_SMTPD, &b, &count));
	assert_true(b.full);
}

static void
the_table_is_complete(void **state)
{
	size_t count;
	const struct conf_option *o = conf_options(&count);

	(void)state;
	assert_true(count > 40);
	for (size_t i = 0; i < count; i++) {
		assert_non_null(conf_section_help(o[i].section));
		assert_true(strlen(o[i].help) > 0);
		assert_true(o[i].help[strlen(o[i].help) - 1] == '.');
		assert_true((o[i].type == CONF_NUMBER) == (o[i].unit != NULL));
		assert_true((o[i].type == CONF_CHOICE) == (o[i].choices != NULL));
		assert_true(o[i].titled || strcmp(o[i].section, "backend") != 0);
	}
	assert_null(conf_section_help("nothing"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(defaults_are_those_of_the_table),
	    TEST(enumerations_match_the_choices),
	    TEST(values_in_bounds_are_taken),
	    TEST(refusals_say_what_is_allowed),
	    TEST(a_message_fits_any_room),
	    TEST(the_first_set_of_a_list_replaces_its_default),
	    TEST(lists_have_an_end),
	    TEST(strings_have_an_end),
	    TEST(titled_sections_appear_with_their_first_option),
	    TEST(programs_are_told_theirs_and_no_more),
	    TEST(pairs_that_do_not_fit_are_said),
	    TEST(the_table_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
