/*
 * Row 225: libspf2 ends the process when its DNS layer returns NULL, so ours never does: without
 * memory it ends the process itself. What that costs is row 248: this one message a 451.
 */
#include "validators/spf.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/validators/zone.h"

#include <cmocka.h>

static bool no_memory;

/* The library's own, by which our DNS layer makes answers; it stands before the shared object's. */
void *SPF_dns_rr_new_init(void *server, const char *domain, int type, int ttl, int herrno);

void *
SPF_dns_rr_new_init(void *server, const char *domain, int type, int ttl, int herrno)
{
	static void *(*real)(void *, const char *, int, int, int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "SPF_dns_rr_new_init");
	return no_memory || real == NULL ? NULL : real(server, domain, type, ttl, herrno);
}

static enum auth_result
check(struct spf *spf)
{
	static const struct zone_record records[] = {
	    {"a.example", DNS_TYPE_TXT, 0, SPAN("v=spf1 a -all")},
	    {"a.example", DNS_TYPE_A, 0, SPAN("\300\0\2\1")},
	};
	struct zone zone = {records, 2, 0};
	struct resolver resolver = {zone_ask, &zone};
	struct spf_question q = {.helo = SPAN("a.example"), .sender = SPAN("u@a.example")};
	struct spf_answer answer;

	assert_true(ip_parse(SPAN("192.0.2.1"), &q.client));
	spf_check(spf, &q, &resolver, &answer);
	return answer.result;
}

/* In a process of its own, as every check is. */
static void
row_225_no_memory_for_an_answer(void **state)
{
	const struct rlimit no_core = {0, 0};
	struct spf *spf = spf_new();
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(spf);
	assert_int_equal(check(spf), AUTH_PASS);
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		no_memory = true;
		check(spf);
		_exit(0); /* with whatever result: it would have been one without an answer */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	spf_free(&spf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(row_225_no_memory_for_an_answer)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
