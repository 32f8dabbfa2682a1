#include <errno.h>
#include <fcntl.h>

#include "lookupd/postfix_files.h"
#include "lookupd/postfix_names.h"

enum {
	LEVEL_MAX = 100,   /* local(8) counts its own nested functions */
	STEPS_MAX = 20000, /* of one address; a larger expansion is put off */
};

enum expansion { FROM_MESSAGE, FROM_ALIAS, FROM_INCLUDE, FROM_FORWARD };

/* What was done already for the message that is delivered. */
struct seen {
	struct keymap_item item;
};

/* An address that goes back into the queue when the delivery is done. */
struct indirect {
	struct span address, top;
	struct indirect *next;
};

struct run {
	struct postfix *p;
	const struct postfix_trail *trail;
	struct postfix_outcome *o;
	struct keymap seen;
	struct pool pool;
	struct indirect *first, **tail;
	unsigned steps;
};

/* Where local(8) is; copied for each step down. */
struct state {
	struct run *run;
	unsigned level;
	enum expansion expansion;
	bool has_owner;
	struct span owner, expanded_from; /* the latter: the name that is being expanded */
	struct span top;                  /* Delivered-To: what was asked for first */
	struct span address, local, domain, user;
	struct span extension, unmatched; /* with their delimiter */
	const struct postfix_user *rights;
};

static void deliver_recipient(struct state s, const struct postfix_address *to);

/* ---- small things -------------------------------------------------------------------------------- */

static void
outcome(struct state *s, unsigned what)
{
	s->run->o->what |= what;
}

/* Returns: whether this kind of step was taken with these octets before. */
static bool
was_seen(struct state *s, const char *kind, unsigned level, struct span octets, bool remember)
{
	uint8_t key_octets[32 + POSTFIX_ADDRESS_MAX];
	struct buf key = BUF_OVER(key_octets);
	struct seen *item;

	buf_put_str(&key, kind);
	buf_put_u32(&key, level);
	buf_put_lower(&key, span_head(octets, POSTFIX_ADDRESS_MAX));
	if (keymap_get(&s->run->seen, buf_span(&key)) != NULL)
		return true;
	if (!remember)
		return false;
	item = pool_take(&s->run->pool, sizeof(*item));
	if (item != NULL)
		item->item.key = pool_copy(&s->run->pool, buf_span(&key));
	if (item == NULL || item->item.key.p == NULL || keymap_add(&s->run->seen, &item->item) < 0)
		s->run->p->failed = s->run->p->trouble = true;
	return false;
}

static bool
list_has(struct span list, const char *name)
{
	struct span word;

	while (postfix_next_word(&list, &word))
		if (span_eq_nocase(word, span_str(name)))
			return true;
	return false;
}

/* Programs and files may be named in some places only. */
static bool
is_allowed(const struct state *s, struct span list)
{
	static const char *const names[] = {[FROM_MESSAGE] = "",
	    [FROM_ALIAS] = "alias",
	    [FROM_INCLUDE] = "include",
	    [FROM_FORWARD] = "forward"};

	return list_has(list, names[s->expansion]);
}

static const struct postfix_user *
user_of(struct state *s)
{
	return (const void *)keymap_get(&s->run->p->users, s->user);
}

/* Mail goes back into the queue, in the end. */
static void
deliver_indirect(struct state s)
{
	struct indirect *item;

	if (was_seen(&s, "indirect", 0, s.address, true))
		return;
	item = pool_take(&s.run->pool, sizeof(*item));
	if (item == NULL) {
		s.run->p->failed = s.run->p->trouble = true;
		return;
	}
	item->address = pool_copy(&s.run->pool, s.address);
	item->top = pool_copy(&s.run->pool, s.top);
	*s.run->tail = item;
	s.run->tail = &item->next;
}

/* What is put off is delivered as a whole another time: nothing goes back into the queue then. */
static void
finish_indirect(struct run *run)
{
	for (const struct indirect *i = run->first; i != NULL; i = i->next) {
		struct postfix_trail trail = {run->trail, i->top, 1};
		struct postfix_address a;

		if (run->trail != NULL)
			trail.depth = run->trail->depth + 1;
		postfix_address_set(&a, i->address);
		run->o->forwarded = true;
		postfix_deliver(run->p, &a, &trail, run->o);
	}
}

/* ---- what stands in an alias, a .forward, an include file -------------------------------------- */

static void deliver_text(struct state s, struct span text, unsigned *count);

/* Lines, of which those with "#" in front are comments. It stops at what fails. */
static void
deliver_lines(struct state s, struct span text, unsigned *count)
{
	unsigned before = s.run->o->what;

	while (text.len > 0) {
		size_t end = span_find(text, '\n');
		struct span line = span_head(text, end);

		s.run->o->what = 0;
		if (line.len > 0 && line.p[0] != '#')
			deliver_text(s, line, count);
		before |= s.run->o->what;
		if (s.run->o->what & (POSTFIX_BOUNCED | POSTFIX_TEMPORARY))
			break;
		text = span_from(text, end + 1);
	}
	s.run->o->what = before;
}

static void
deliver_command(struct state *s, struct span command)
{
	outcome(s, is_allowed(s, s->run->p->is.allow_mail_to_commands)
		       ? postfix_command_outcome(s->run->p, command)
		       : POSTFIX_BOUNCED);
}

static void
deliver_file(struct state *s, struct span path)
{
	if (!is_allowed(s, s->run->p->is.allow_mail_to_files))
		outcome(s, POSTFIX_BOUNCED);
	else if (span_eq(path, SPAN("/dev/null")))
		outcome(s, POSTFIX_DISCARDED);
	else
		outcome(s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
}

static void
deliver_include(struct state s, struct span name)
{
	const char *path = postfix_path(s.run->p, name);
	struct stat st;
	struct span text;
	int error;

	if (++s.level > LEVEL_MAX || was_seen(&s, "include", 0, name, true))
		return;
	s.expanded_from = s.local;
	error = path == NULL || name.len == 0 || name.p[0] != '/'
	            ? ENOENT
	            : postfix_stat_as(s.rights, path, true, &st);
	if (error != 0 || !S_ISREG(st.st_mode) || st.st_mode & S_IWOTH ||
	    !postfix_may_read(s.rights, &st)) {
		report_warning(s.run->p->report, path, 0,
		    "this include file cannot be used; its aliases bounce", s.address);
		outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	text = postfix_read_file(s.run->p, path, &error);
	if (error != 0) {
		outcome(&s, POSTFIX_TEMPORARY);
		return;
	}
	postfix_mention(s.run->p, text);
	if (!s.has_owner) {
		s.has_owner = true;
		s.owner = s.address;
	}
	if (!list_has(s.run->p->is.propagate_unmatched_extensions, "include"))
		s.unmatched.len = 0;
	s.expansion = FROM_INCLUDE;
	deliver_lines(s, text, NULL);
}

/* An address: of ours it is delivered here and now, else by way of the queue. */
static void
deliver_address(struct state s, const struct postfix_address *a)
{
	struct postfix *p = s.run->p;
	struct postfix_address to = *a, spliced;
	struct postfix_resolved r;
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf local = BUF_OVER(octets);

	s.level++;
	postfix_rewrite(p, &to);
	postfix_resolve(p, &to, &r);
	if (r.class == POSTFIX_CLASS_BAD) {
		outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	buf_put_span(&local, postfix_local(postfix_span(&r.to)));
	buf_put_span(&local, s.unmatched);
	postfix_address_join(&spliced, buf_span(&local), postfix_domain(postfix_span(&r.to)));
	if (span_eq(r.transport, SPAN("local"))) {
		deliver_recipient(s, &spliced);
		return;
	}
	s.address = postfix_span(&spliced);
	deliver_indirect(s);
}

static void
deliver_token(struct state s, const struct postfix_address *a)
{
	struct span text = postfix_span(a);

	if (++s.run->steps > STEPS_MAX || a->overlong)
		outcome(&s, POSTFIX_TEMPORARY);
	else if (text.len > 0 && (text.p[0] == '/' || text.p[0] == '~'))
		deliver_file(&s, text);
	else if (text.len > 0 && text.p[0] == '|')
		deliver_command(&s, span_from(text, 1));
	else if (postfix_begins(text, SPAN(":include:")))
		deliver_include(s, span_from(text, 9));
	else
		deliver_address(s, a);
}

static void
deliver_text(struct state s, struct span text, unsigned *count)
{
	struct postfix_address a;

	while (postfix_next_address(&text, &a)) {
		if (count != NULL)
			++*count;
		deliver_token(s, &a);
	}
}

/* ---- aliases ----------------------------------------------------------------------------------------- */

static bool
has_owner_alias(struct state *s, struct span name, struct span *owner_out)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX + 6];
	struct buf b = BUF_OVER(octets);
	struct postfix_found found;

	buf_put_str(&b, "owner-");
	buf_put_span(&b, name);
	if (!s->run->p->is.owner_request_special ||
	    !postfix_find_key(s->run->p, &s->run->p->is.alias_maps, buf_span(&b), true, &found))
		return false;
	*owner_out = found.value;
	return true;
}

/* Returns: whether there is such an alias. */
static bool
deliver_alias(struct state s, struct span name)
{
	struct postfix_found found;
	unsigned count = 0;

	s.level++;
	if (s.expanded_from.len > 0 && span_eq_nocase(s.expanded_from, name))
		return false;
	if (!postfix_find_key(s.run->p, &s.run->p->is.alias_maps, name, true, &found))
		return false;
	s.run->o->by = s.run->o->by != NULL ? s.run->o->by : found.table;
	if (s.level > LEVEL_MAX) {
		outcome(&s, POSTFIX_BOUNCED);
		return true;
	}
	s.expanded_from = name;
	s.expansion = FROM_ALIAS;
	s.rights = NULL;
	s.has_owner = has_owner_alias(&s, name, &s.owner) || s.has_owner;
	s.run->o->forwarded = true;
	deliver_text(s, found.value, &count);
	if (count == 0)
		outcome(&s, POSTFIX_TEMPORARY);
	return true;
}

/* ---- .forward ---------------------------------------------------------------------------------------- */

struct forward_names {
	const struct state *s;
	const struct postfix_user *user;
	bool extension_used;
};

/* forward_expansion_filter; what is not in it becomes "_". */
static void
put_filtered(struct buf *b, struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.p[i];
		bool good = ascii_is_alpha(c) || ascii_is_digit(c) ||
		            span_find(SPAN("!@%-_=+:,./"), c) < 11;

		buf_put_u8(b, good ? c : '_');
	}
}

static bool
forward_value(void *context, struct span name, struct buf *b)
{
	struct forward_names *f = context;
	const struct state *s = f->s;
	struct span value = {NULL, 0};

	if (span_eq(name, SPAN("home")) && f->user != NULL) {
		buf_put_str(b, f->user->home);
		return true;
	}
	if (span_eq(name, SPAN("user")))
		value = s->user;
	else if (span_eq(name, SPAN("local")))
		value = s->local;
	else if (span_eq(name, SPAN("domain")))
		value = s->domain;
	else if (span_eq(name, SPAN("recipient")))
		value = s->address;
	else if (span_eq(name, SPAN("extension"))) {
		value = span_from(s->extension, 1);
		f->extension_used = true;
	} else if (span_eq(name, SPAN("recipient_delimiter")))
		value = span_head(s->extension, 1);
	if (f->user != NULL)
		put_filtered(b, value);
	else
		buf_put_span(b, value);
	/* In luser_relay a name without value leaves nothing in its place. */
	return value.len > 0 || f->user == NULL;
}

/* The file of the user that counts. Returns: NULL when there is none. */
static const char *
find_forward(struct state *s, const struct postfix_user *user, struct stat *st_out)
{
	struct span rest = s->run->p->is.forward_path, word;
	bool any = span_find(s->extension, (uint8_t)POSTFIX_ANY_EXTENSION[0]) < s->extension.len;

	while (postfix_next_word(&rest, &word)) {
		struct forward_names names = {s, user, false};
		uint8_t octets[4096];
		struct buf b = BUF_OVER(octets);
		const char *path;

		if (!postfix_expand(word, forward_value, &names, &b) || b.full ||
		    (any && names.extension_used))
			continue;
		path = postfix_path(s->run->p, buf_span(&b));
		if (path == NULL || postfix_stat_as(user, path, false, st_out) != 0)
			continue;
		if (names.extension_used ||
		    !list_has(s->run->p->is.propagate_unmatched_extensions, "forward"))
			s->unmatched.len = 0;
		return path;
	}
	return NULL;
}

/* Returns: whether there is one that says anything. */
static bool
deliver_forward(struct state s)
{
	const struct postfix_user *user = user_of(&s);
	struct stat st;
	struct span text;
	const char *path;
	unsigned count = 0;
	int error;

	s.level++;
	path = user != NULL ? find_forward(&s, user, &st) : NULL;
	if (path == NULL)
		return false;
	if (was_seen(&s, "forward", 0, span_str(path), true))
		return was_seen(&s, "forwarded", 0, span_str(path), false);
	if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != user->uid) ||
	    st.st_mode & S_IWOTH || !postfix_may_read(user, &st)) {
		report_warning(s.run->p->report, path, 0, "Postfix ignores this file", s.user);
		return false;
	}
	text = postfix_read_file(s.run->p, path, &error);
	if (error != 0) {
		outcome(&s, POSTFIX_TEMPORARY);
		return true;
	}
	postfix_mention(s.run->p, text);
	s.rights = user;
	s.expansion = FROM_FORWARD;
	s.has_owner = true;
	s.owner = s.user;
	s.expanded_from = s.local;
	deliver_lines(s, text, &count);
	if (count > 0)
		was_seen(&s, "forwarded", 0, span_str(path), true);
	return count > 0;
}

/* ---- mailboxes, and names without one ---------------------------------------------------------------- */

static bool
has_home(struct state *s, const struct postfix_user *user)
{
	const char *home = postfix_path(s->run->p, span_str(user->home));
	struct stat st;

	return home != NULL && postfix_stat_as(user, home, true, &st) == 0;
}

/* Returns: whether there is one. */
static bool
deliver_mailbox(struct state s)
{
	struct postfix *p = s.run->p;
	const struct postfix_user *user = user_of(&s);
	struct postfix_found found;
	bool program;

	if (was_seen(&s, "mailbox", 0, s.local, true))
		return true;
	if (p->is.mailbox_transport.len > 0 ||
	    postfix_find_key(p, &p->is.mailbox_transport_maps, s.user, true, &found)) {
		outcome(&s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
		return true;
	}
	if (user == NULL)
		return false;
	program = p->is.mailbox_command.len > 0 ||
	          postfix_find_key(p, &p->is.mailbox_command_maps, s.user, true, &found);
	if (program)
		outcome(&s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
	else if (p->is.home_mailbox.len > 0 && !has_home(&s, user))
		outcome(&s, POSTFIX_TEMPORARY);
	else
		outcome(&s, POSTFIX_DELIVERED);
	return true;
}

static void
deliver_relay(struct state s)
{
	struct forward_names names = {.s = &s};
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);
	struct postfix_address a;
	struct span text;

	postfix_expand(s.run->p->is.luser_relay, forward_value, &names, &b);
	text = buf_span(&b);
	if (b.full || !postfix_next_address(&text, &a)) {
		outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	postfix_rewrite(s.run->p, &a);
	s.unmatched.len = 0;
	if (span_eq(postfix_span(&a), s.address))
		outcome(&s, POSTFIX_BOUNCED);
	else
		deliver_address(s, &a);
}

static void
deliver_unknown(struct state s)
{
	struct postfix *p = s.run->p;
	struct postfix_found found;

	s.level++;
	if (was_seen(&s, "unknown", 0, s.local, true))
		return;
	if (p->is.fallback_transport.len > 0 ||
	    postfix_find_key(p, &p->is.fallback_transport_maps, s.user, true, &found))
		outcome(&s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
	else if (p->is.luser_relay.len > 0)
		deliver_relay(s);
	else if (span_eq(s.user, SPAN("mailer-daemon")) || span_eq(s.user, SPAN("postmaster")))
		outcome(&s, POSTFIX_DISCARDED);
	else
		outcome(&s, POSTFIX_BOUNCED);
}

/* ---- the way of a name ------------------------------------------------------------------------------- */

static void
deliver_name(struct state s)
{
	const struct postfix_user *user;

	s.level++;
	s.unmatched.len = 0;
	if (deliver_alias(s, s.local))
		return;
	if (s.extension.len > 0) {
		if (list_has(s.run->p->is.propagate_unmatched_extensions, "alias"))
			s.unmatched = s.extension;
		if (deliver_alias(s, s.user))
			return;
		s.unmatched = s.extension;
	}
	if (s.expansion == FROM_INCLUDE || (s.has_owner && !span_eq_nocase(s.owner, s.user))) {
		deliver_indirect(s);
		return;
	}
	user = user_of(&s);
	if (s.run->p->is.require_home_directory && user != NULL && !has_home(&s, user))
		outcome(&s, POSTFIX_TEMPORARY);
	else if (!deliver_forward(s) && !deliver_mailbox(s))
		deliver_unknown(s);
}

static bool
is_on(const struct postfix_trail *trail, struct span address)
{
	for (; trail != NULL; trail = trail->before)
		if (span_eq_nocase(trail->address, address))
			return true;
	return false;
}

static void
deliver_recipient(struct state s, const struct postfix_address *to)
{
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf lower = BUF_OVER(octets);
	size_t user_len;

	s.level++;
	if (s.level > LEVEL_MAX || is_on(s.run->trail, postfix_span(to))) {
		outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	if (was_seen(&s, "recipient", s.level, postfix_span(to), true))
		return;
	buf_put_lower(&lower, postfix_span(to));
	s.address = postfix_span(to);
	s.local = postfix_local(buf_span(&lower));
	s.domain = postfix_domain(buf_span(&lower));
	if (s.top.len == 0)
		s.top = s.address;
	user_len = postfix_split_local(s.run->p, s.local);
	s.user = span_head(s.local, user_len);
	s.extension = span_from(s.local, user_len);
	if (span_find(s.extension, '/') < s.extension.len) {
		s.extension.len = 0;
		s.local = s.user;
	}
	if (s.user.len == 0)
		outcome(&s, POSTFIX_BOUNCED);
	else
		deliver_name(s);
}

void
postfix_deliver_local(struct postfix *p, const struct postfix_address *a,
    const struct postfix_trail *trail, struct postfix_outcome *o)
{
	struct run run = {.p = p, .trail = trail, .o = o};
	struct state s = {.run = &run};
	unsigned before = o->what;

	keymap_init(&run.seen);
	run.tail = &run.first;
	o->what = 0;
	deliver_recipient(s, a);
	if (!(o->what & POSTFIX_TEMPORARY))
		finish_indirect(&run);
	o->what |= before;
	keymap_clear(&run.seen);
	pool_clear(&run.pool);
}
