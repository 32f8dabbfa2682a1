/* What a user has of his own: .forward and mailbox; and names that nobody has. */
#include "lookupd/postfix_local.h"

#include "lookupd/postfix_names.h"

/* ---- .forward ---------------------------------------------------------------------------------------- */

struct forward_names {
	const struct local_state *s;
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
	const struct local_state *s = f->s;
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
find_forward(struct local_state *s, const struct postfix_user *user, struct stat *st_out)
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
		    !local_list_has(s->run->p->is.propagate_unmatched_extensions, "forward"))
			s->unmatched.len = 0;
		return path;
	}
	return NULL;
}

bool
local_deliver_forward(struct local_state s)
{
	const struct postfix_user *user = local_user_of(&s);
	struct stat st;
	struct span text;
	const char *path;
	unsigned count = 0;
	int error;

	s.level++;
	path = user != NULL ? find_forward(&s, user, &st) : NULL;
	if (path == NULL)
		return false;
	if (local_was_seen(&s, "forward", 0, span_str(path), true))
		return local_was_seen(&s, "forwarded", 0, span_str(path), false);
	if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != user->uid) ||
	    st.st_mode & S_IWOTH || !postfix_may_read(user, &st)) {
		report_warning(s.run->p->report, path, 0, "Postfix ignores this file", s.user);
		return false;
	}
	text = postfix_read_file(s.run->p, path, &error);
	if (error != 0) {
		local_outcome(&s, POSTFIX_TEMPORARY);
		return true;
	}
	postfix_mention(s.run->p, text);
	s.rights = user;
	s.expansion = FROM_FORWARD;
	s.has_owner = true;
	s.owner = s.user;
	s.expanded_from = s.local;
	local_deliver_lines(s, text, &count);
	if (count > 0)
		local_was_seen(&s, "forwarded", 0, span_str(path), true);
	return count > 0;
}

/* ---- mailboxes, and names without one ---------------------------------------------------------------- */

bool
local_has_home(struct local_state *s, const struct postfix_user *user)
{
	const char *home = postfix_path(s->run->p, span_str(user->home));
	struct stat st;

	return home != NULL && postfix_stat_as(user, home, true, &st) == 0;
}

bool
local_deliver_mailbox(struct local_state s)
{
	struct postfix *p = s.run->p;
	const struct postfix_user *user = local_user_of(&s);
	struct postfix_found found;
	bool program;

	if (local_was_seen(&s, "mailbox", 0, s.local, true)) {
		/*
		 * luser_relay has led back to a name without mailbox, in another domain. Postfix
		 * drops such mail without a word; refused, its sender hears of it.
		 */
		if (s.relayed && local_was_seen(&s, "relayed", 0, s.local, false))
			local_outcome(&s, POSTFIX_BOUNCED);
		return true;
	}
	if (p->is.mailbox_transport.len > 0 ||
	    postfix_find_key(p, &p->is.mailbox_transport_maps, s.user, true, &found)) {
		local_outcome(&s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
		return true;
	}
	if (user == NULL)
		return false;
	program = p->is.mailbox_command.len > 0 ||
	          postfix_find_key(p, &p->is.mailbox_command_maps, s.user, true, &found);
	if (program)
		local_outcome(&s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
	else if (p->is.home_mailbox.len > 0 && !local_has_home(&s, user))
		local_outcome(&s, POSTFIX_TEMPORARY);
	else
		local_outcome(&s, POSTFIX_DELIVERED);
	return true;
}

static void
deliver_relay(struct local_state s)
{
	struct forward_names names = {.s = &s};
	uint8_t octets[POSTFIX_ADDRESS_MAX];
	struct buf b = BUF_OVER(octets);
	struct postfix_address a;
	struct span text;

	postfix_expand(s.run->p->is.luser_relay, forward_value, &names, &b);
	text = buf_span(&b);
	if (b.full || !postfix_next_address(&text, &a)) {
		local_outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	postfix_rewrite(s.run->p, &a);
	s.unmatched.len = 0;
	s.relayed = true;
	local_was_seen(&s, "relayed", 0, s.local, true);
	if (span_eq_nocase(postfix_span(&a), s.address))
		local_outcome(&s, POSTFIX_BOUNCED);
	else
		local_deliver_address(s, &a);
}

void
local_deliver_unknown(struct local_state s)
{
	struct postfix *p = s.run->p;
	struct postfix_found found;

	s.level++;
	if (local_was_seen(&s, "unknown", 0, s.local, true))
		return;
	if (p->is.fallback_transport.len > 0 ||
	    postfix_find_key(p, &p->is.fallback_transport_maps, s.user, true, &found))
		local_outcome(&s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
	else if (p->is.luser_relay.len > 0)
		deliver_relay(s);
	else if (span_eq(s.user, SPAN("mailer-daemon")) || span_eq(s.user, SPAN("postmaster")))
		local_outcome(&s, POSTFIX_DISCARDED);
	else
		local_outcome(&s, POSTFIX_BOUNCED);
}
