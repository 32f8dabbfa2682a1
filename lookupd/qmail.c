#include "lookupd/qmail_source.h"

#include <errno.h>
#include <sys/stat.h>

#include "lookupd/qmail.h"

static const char *const option_names[] = {"root", "passwd", "group", "stat", "aliasempty", "break",
    "sticky", "strict", "backend", "own", "relay", "relayclient", "extensions", "users", "qmail",
    "elsewhere", "program:", "rule:", "account:", "relay:", NULL};

/* ---- what the files of qmail share ------------------------------------------------------------ */

void
qmail_no_memory(struct qmail *q)
{
	if (!q->trouble)
		report_error(q->report, NULL, 0, "out of memory", span_of(NULL, 0));
	q->failed = q->trouble = true;
}

char *
qmail_path(struct qmail *q, const char *dir, const char *name)
{
	size_t len = strlen(dir) + strlen(name) + 2;
	char *p = pool_take(&q->rules->pool, len);

	if (p == NULL)
		qmail_no_memory(q);
	else
		(void)snprintf(p, len, "%s/%s", dir, name);
	return p;
}

bool
qmail_load(struct qmail *q, const char *path, size_t max, struct span *octets_out)
{
	int error = tree_load(&q->tree, path, max, octets_out);

	*octets_out = error == 0 ? *octets_out : SPAN("");
	if (error == 0 || error == ENOENT)
		return error == 0;
	report_error(q->report, path, 0, "cannot be read", span_str(strerror(error)));
	q->failed = true;
	return false;
}

bool
qmail_mtime(struct qmail *q, const char *path, int64_t *mtime_out)
{
	struct rights all = {.all = true};
	struct tree_stat st;

	if (tree_stat(&q->tree, path, all, &st, NULL) != 0)
		return false;
	*mtime_out = st.mtime;
	return true;
}

/* ---- options --------------------------------------------------------------------------------------- */

static void
wrong_option(struct qmail *q, const char *message, const char *value)
{
	report_error(q->report, NULL, 0, message, span_str(value));
	q->failed = true;
}

static bool
is_yes(struct qmail *q, const char *name)
{
	const char *value = options_get(&q->options, name);

	if (value != NULL && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		wrong_option(q, "the value of this option is yes or no", name);
	return value != NULL && strcmp(value, "yes") == 0;
}

static void
take_break(struct qmail *q)
{
	const char *value = options_get(&q->options, "break");

	q->breaks[0] = '-';
	q->break_count = 1;
	if (value == NULL)
		return;
	q->break_count = strlen(value);
	if (q->break_count > 1 || (q->break_count == 1 && ascii_is_alpha((uint8_t)value[0])))
		wrong_option(q, "break= is one character that is no letter, or nothing", value);
	else if (q->break_count == 1)
		q->breaks[0] = (uint8_t)value[0];
}

static void
take_relay(struct qmail *q)
{
	const char *value = options_get(&q->options, "relay");
	enum leaf_verdict v = LEAF_UNKNOWN;

	if (value != NULL &&
	    (!options_verdict(value, &v) || (v != LEAF_ACCEPT && v != LEAF_UNKNOWN)))
		wrong_option(q, "relay= is accept or refuse", value);
	if (v == LEAF_ACCEPT)
		q->of->relay_all = true;
}

static void
take_options(struct qmail *q)
{
	const char *value = options_get(&q->options, "root"), *backend;

	if (value != NULL)
		q->tree.root = strcmp(value, "/") != 0 ? value : "";
	value = options_get(&q->options, "aliasempty");
	q->aliasempty = span_str(value != NULL ? value : "./Mailbox");
	q->patrn = 002;
	q->ignore_sticky = is_yes(q, "sticky");
	q->extensions = is_yes(q, "extensions");
	q->of->strict = is_yes(q, "strict");
	take_break(q);
	take_relay(q);
	value = options_get(&q->options, "users");
	if (value != NULL && strcmp(value, "elsewhere") != 0)
		wrong_option(q, "users= is elsewhere or is not given", value);
	backend = options_get(&q->options, "backend");
	if (backend != NULL && !record_name_ok(span_str(backend)))
		wrong_option(q, "backend= is 1 to 64 of A-Z a-z 0-9 . _ -", backend);
	else if (backend != NULL &&
		 collection_route(q->c, span_str(backend), (struct place){q->source, 0},
		     &q->route) != COLLECTION_ADDED)
		qmail_no_memory(q);
	value = options_get(&q->options, "stat");
	if (value != NULL && tree_take_stats(&q->tree, value, q->report) < 0)
		q->failed = true;
}

/* ---- accounts --------------------------------------------------------------------------------------- */

/* A file of this host when it is named, else of the tree. Returns: whether it is there. */
static bool
load_named(struct qmail *q, const char *name, const char *otherwise, const char **path_out,
    struct span *octets_out)
{
	struct tree host = {.root = "", .digest = q->tree.digest};
	int error;

	*path_out = options_get(&q->options, name);
	if (*path_out == NULL) {
		*path_out = otherwise;
		return qmail_load(q, otherwise, PASSWD_MAX, octets_out);
	}
	host.pool = q->tree.pool;
	error = tree_read(&host, *path_out, PASSWD_MAX, octets_out);
	q->tree.pool = host.pool;
	if (error == 0)
		return true;
	report_error(q->report, *path_out, 0, "cannot be read", span_str(strerror(error)));
	q->failed = true;
	return false;
}

static void
take_accounts(struct qmail *q)
{
	bool named = options_get(&q->options, "passwd") != NULL || q->tree.root[0] != '\0';
	const struct account *qmailp;
	struct span text = SPAN("");
	const char *path;

	accounts_init(&q->accounts, &q->tree.pool, "accounts of this host");
	if (!named) {
		if (accounts_take_host(&q->accounts, q->report) < 0)
			q->failed = true;
	} else if (load_named(q, "passwd", "/etc/passwd", &path, &text)) {
		q->accounts.source = path;
		if (accounts_take(&q->accounts, text, q->report) < 0)
			qmail_no_memory(q);
	} else if (!q->failed) {
		wrong_option(q, "there are no accounts; say passwd=FILE", path);
	}
	qmailp = accounts_find(&q->accounts, SPAN("qmailp"));
	/* Nobody in particular, when it is not there. */
	q->qmailp = (struct rights){.uid = UINT32_MAX - 1, .gid = UINT32_MAX - 1};
	if (qmailp == NULL)
		return;
	q->qmailp.uid = qmailp->uid;
	q->qmailp.gid = qmailp->gid;
	/* It is started in the group nofiles (auto-gid.c). */
	if (load_named(q, "group", "/etc/group", &path, &text))
		(void)accounts_group(text, SPAN("nofiles"), &q->qmailp.gid);
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static void
read_all(struct qmail *q)
{
	q->of = rules_begin(q->rules, q->source, true);
	if (q->of == NULL) {
		qmail_no_memory(q);
		return;
	}
	take_options(q);
	if (!q->failed)
		take_accounts(q);
	if (!q->failed)
		qmail_default_domain(q);
	if (!q->failed)
		qmail_boxes(q);
	if (!q->failed)
		qmail_domains(q);
	if (q->tree.failed || q->rules->failed)
		qmail_no_memory(q);
}

static enum source_status
run(struct qmail *q, const char *text, uint8_t digest_out[DIGEST_LEN])
{
	struct digest digest;

	tree_init(&q->tree);
	digest_init(&digest);
	q->tree.digest = &digest;
	keymap_init(&q->targets);
	keymap_init(&q->tables);
	accounts_init(&q->accounts, &q->tree.pool, NULL);
	if (options_parse(&q->tree.pool, text, option_names, &q->options, q->report) < 0)
		q->failed = true;
	else {
		q->dir = q->options.path;
		if (q->only_under != NULL) {
			q->only_under = q->options.path;
			q->dir = options_get(&q->options, "qmail");
			if (q->dir == NULL)
				q->dir = "/var/qmail";
		}
		read_all(q);
	}
	digest_final(&digest, digest_out);
	keymap_clear(&q->targets);
	keymap_clear(&q->tables);
	accounts_clear(&q->accounts);
	/* Places name paths of the tree: they live as long as the collection. */
	pool_join(&q->rules->pool, &q->tree.pool);
	tree_clear(&q->tree);
	return q->trouble ? SOURCE_TROUBLE : q->failed ? SOURCE_WRONG : SOURCE_READ;
}

enum source_status
qmail_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	struct qmail q = {.source = path, .c = c, .rules = &c->rules, .report = report};

	return run(&q, path, digest_out);
}

enum source_status
vpopmail_source(
    const char *path, struct collection *c, struct report *report, uint8_t digest_out[DIGEST_LEN])
{
	struct qmail q = {.source = path, .c = c, .rules = &c->rules, .report = report};

	q.only_under = path;
	return run(&q, path, digest_out);
}
