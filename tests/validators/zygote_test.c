/*
 * Real processes: the dispatcher with the zygote, whose children have planted faults instead of
 * checks. Each costs its own message, and nothing else.
 */
#include "validators/zygote.h"

#include "tests/validators/world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct world w;
static struct zygote *zygote;

/* ---- children ------------------------------------------------------------------------------------ */

static bool got_job;

static void
on_job(void *ctx, struct link *link, const union msg *m, int *fd)
{
	(void)ctx;
	(void)link;
	(void)m;
	(void)fd;
	got_job = true;
}

static const struct link_handler child_handlers[] = {{MSG_job_message, on_job}};
static const struct link_role child_role = {
    PROGRAM_VALIDATOR, PROGRAM_VALIDATORS, child_handlers, 1, NULL, true};

static struct link *
take_job(int fd)
{
	struct link *link = link_new(NULL, fd, &child_role, NULL);

	while (link != NULL && !got_job)
		if (link_wait(link, 5000) < 0)
			_exit(9);
	return link;
}

static void
say(struct link *link)
{
	struct msg_job_message_answer a = {0};

	link_send(link, MSG_job_message_answer, &a, -1);
	link_flush(link);
}

static void __attribute__((noreturn)) honest(const void *arg, int fd)
{
	(void)arg;
	say(take_job(fd));
	_exit(0);
}

static void __attribute__((noreturn)) crash(const void *arg, int fd)
{
	(void)arg;
	take_job(fd);
	signal(SIGSEGV, SIG_DFL); /* not the sanitizer's */
	raise(SIGSEGV);
	_exit(0);
}

static void __attribute__((noreturn)) answer_twice(const void *arg, int fd)
{
	(void)arg;
	struct link *link = take_job(fd);

	say(link);
	say(link);
	_exit(0);
}

static void __attribute__((noreturn)) hang(const void *arg, int fd)
{
	(void)arg;
	take_job(fd);
	for (;;)
		pause();
}

/* Memory until the limit says no, as a leak would. */
static void __attribute__((noreturn)) leak(const void *arg, int fd)
{
	struct rlimit some = {64 << 20, 64 << 20};

	(void)arg;
	take_job(fd);
	setrlimit(RLIMIT_DATA, &some);
	for (;;) {
		volatile char *p =
		    mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		p[0] = 1;
	}
}

/* Octets that are no message. */
static void __attribute__((noreturn)) babble(const void *arg, int fd)
{
	static const char noise[70000] = "noise";

	(void)arg;
	send(fd, noise, sizeof(noise), 0);
	_exit(0);
}

/* Tries what it inherited: everything but its link must be closed. */
static void __attribute__((noreturn)) look_around(const void *arg, int fd)
{
	struct link *link = take_job(fd);

	(void)arg;
	for (int i = 0; i < 1024; i++)
		if (i != fd && fcntl(i, F_GETFD) != -1)
			_exit(1); /* without an answer */
	say(link);
	_exit(0);
}

/* ---- running them -------------------------------------------------------------------------------- */

static void
begin(void (*serve)(const void *arg, int fd))
{
	int fds[2];

	world_begin(&w, "false", "mark", "true");
	zygote = zygote_new(w.loop, serve, NULL);
	assert_non_null(zygote);
	assert_int_equal(link_pair(fds), 0);
	assert_int_equal(dispatcher_take_peer(w.d, PROGRAM_VALIDATOR, 0, 1, fds[0]), 0);
	assert_int_equal(zygote_take_dispatcher(zygote, fds[1]), 0);
	world_turn(&w);
}

static int
tear_down(void **state)
{
	(void)state;
	dispatcher_free(&w.d);
	zygote_free(&zygote);
	world_end(&w);
	return 0;
}

static uint64_t
died(void)
{
	return zygote_counters[ZYGOTE_died].value;
}

static void
refused_and_reaped(void (*serve)(const void *arg, int fd), uint32_t budget_ms)
{
	begin(serve);
	say_submit_with(&w, 1, "", "x", 1, -1, budget_ms);
	WORLD_UNTIL(&w, w.refused == 1);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
	assert_int_equal(w.delivered, 0);
	WORLD_UNTIL(&w, zygote->count == 0 && jobs_active(&w.d->jobs) == 0);
	/* the next one is served again */
	zygote->serve = honest;
	say_submit_with(&w, 2, "", "x", 1, -1, 60000);
	WORLD_UNTIL(&w, w.delivered == 1);
}

static void
honest_child(void **state)
{
	(void)state;
	begin(honest);
	for (uint64_t i = 0; i < 20; i++)
		say_submit(&w, i, "");
	WORLD_UNTIL(&w, w.delivered == 20);
	WORLD_UNTIL(&w, zygote->count == 0 && jobs_active(&w.d->jobs) == 0);
	assert_int_equal(w.refused, 0);
}

static void
row_248_planted_crash(void **state)
{
	uint64_t before = died();

	(void)state;
	refused_and_reaped(crash, 60000);
	assert_int_equal(died(), before + 1);
	assert_int_equal(w.d->fingerprints.kept[0].times, 1);
}

static void
planted_hang(void **state)
{
	uint64_t before = zygote_counters[ZYGOTE_killed].value;

	(void)state;
	refused_and_reaped(hang, 300);
	assert_int_equal(zygote_counters[ZYGOTE_killed].value, before + 1);
}

static void
planted_leak(void **state)
{
	(void)state;
	refused_and_reaped(leak, 60000);
}

static void
planted_lie(void **state)
{
	(void)state;
	refused_and_reaped(answer_twice, 60000);
}

static void
planted_noise(void **state)
{
	(void)state;
	refused_and_reaped(babble, 60000);
}

static void
row_249_child_has_only_its_link(void **state)
{
	(void)state;
	begin(look_around);
	say_submit(&w, 1, "");
	WORLD_UNTIL(&w, w.delivered + w.refused == 1);
	assert_int_equal(w.delivered, 1);
}

static void
dispatcher_gone_ends_children(void **state)
{
	(void)state;
	begin(hang);
	say_submit(&w, 1, "");
	WORLD_UNTIL(&w, zygote->count == 1);
	dispatcher_free(&w.d);
	WORLD_UNTIL(&w, zygote->count == 0);
}

static void
on_hangs(void *arg)
{
	bool *said = arg;

	*said = true;
}

/* A zygote that does not even notice the end of its link is the supervisor's to end. */
static void
zygote_that_hangs_is_reported(void **state)
{
	bool said = false;

	(void)state;
	begin(hang);
	w.d->zygote_hangs = on_hangs;
	w.d->hangs_arg = &said;
	w.d->jobs.processes.probe_ms = 2;
	say_submit(&w, 1, "");
	WORLD_UNTIL(&w, zygote->count == 1);
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		world_turn(&w);
	}
	assert_false(said); /* it answers */
	w.d->jobs.processes.zygote_hangs(w.d->jobs.processes.arg);
	assert_true(said);
	assert_null(w.d->zygote);
	WORLD_UNTIL(&w, w.refused == 1);
}

/* Descriptors until there are no more. */
static void __attribute__((noreturn)) leak_descriptors(const void *arg, int fd)
{
	struct rlimit some = {64, 64};

	(void)arg;
	take_job(fd);
	setrlimit(RLIMIT_NOFILE, &some);
	while (dup(fd) >= 0)
		;
	_exit(1);
}

static void
planted_descriptor_leak(void **state)
{
	(void)state;
	refused_and_reaped(leak_descriptors, 60000);
}

static void
zygote_gone_refuses(void **state)
{
	(void)state;
	begin(hang);
	say_submit(&w, 1, "");
	WORLD_UNTIL(&w, zygote->count == 1);
	zygote_free(&zygote);
	/* the end of the child's link and that of the zygote's may be seen in any order */
	WORLD_UNTIL(&w, w.refused == 1 && jobs_active(&w.d->jobs) == 0);
	assert_int_equal(w.refusal, REFUSAL_INTERNAL);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(honest_child),
	    TEST(row_248_planted_crash),
	    TEST(planted_hang),
	    TEST(planted_leak),
	    TEST(planted_lie),
	    TEST(planted_noise),
	    TEST(row_249_child_has_only_its_link),
	    TEST(dispatcher_gone_ends_children),
	    TEST(planted_descriptor_leak),
	    TEST(zygote_that_hangs_is_reported),
	    TEST(zygote_gone_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
