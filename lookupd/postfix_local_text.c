/* What stands in an alias, a .forward or an include file. */
#include "lookupd/postfix_local.h"

#include <errno.h>

#include "lookupd/postfix_names.h"

/* Programs and files may be named in some places only. */
static bool
is_allowed(const struct local_state *s, struct span list)
{
	static const char *const names[] = {[FROM_MESSAGE] = "",
	    [FROM_ALIAS] = "alias",
	    [FROM_INCLUDE] = "include",
	    [FROM_FORWARD] = "forward"};

	return local_list_has(list, names[s->expansion]);
}

void
local_deliver_lines(struct local_state s, struct span text, unsigned *count)
{
	unsigned before = s.run->o->what;

	while (text.len > 0) {
		size_t end = span_find(text, '\n');
		struct span line = span_head(text, end);

		s.run->o->what = 0;
		if (line.len > 0 && line.p[0] != '#')
			local_deliver_text(s, line, count);
		before |= s.run->o->what;
		if (s.run->o->what & POSTFIX_TEMPORARY)
			break;
		text = span_from(text, end + 1);
	}
	s.run->o->what = before;
}

static void
deliver_command(struct local_state *s, struct span command)
{
	local_outcome(s, is_allowed(s, s->run->p->is.allow_mail_to_commands)
			     ? postfix_command_outcome(s->run->p, command)
			     : POSTFIX_BOUNCED);
}

static void
deliver_file(struct local_state *s, struct span path)
{
	if (!is_allowed(s, s->run->p->is.allow_mail_to_files))
		local_outcome(s, POSTFIX_BOUNCED);
	else if (span_eq(path, SPAN("/dev/null")))
		local_outcome(s, POSTFIX_DISCARDED);
	else
		local_outcome(s, POSTFIX_DELIVERED | POSTFIX_UNVERIFIED);
}

static void
deliver_include(struct local_state s, struct span name)
{
	const char *path = postfix_path(s.run->p, name);
	struct stat st;
	struct span text;
	int error;

	if (++s.level > LOCAL_LEVEL_MAX || local_was_seen(&s, "include", 0, name, true))
		return;
	s.expanded_from = s.local;
	error = path == NULL || name.len == 0 || name.p[0] != '/'
	            ? ENOENT
	            : postfix_stat_as(s.rights, path, true, &st);
	if (error != 0 || !S_ISREG(st.st_mode) || st.st_mode & S_IWOTH ||
	    !postfix_may_read(s.rights, &st)) {
		report_warning(s.run->p->report, path, 0,
		    "this include file cannot be used; its aliases bounce", s.address);
		local_outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	text = postfix_read_file(s.run->p, path, &error);
	if (error != 0) {
		local_outcome(&s, POSTFIX_TEMPORARY);
		return;
	}
	postfix_mention(s.run->p, text);
	if (!s.has_owner) {
		s.has_owner = true;
		s.owner = s.address;
	}
	if (!local_list_has(s.run->p->is.propagate_unmatched_extensions, "include"))
		s.unmatched.len = 0;
	s.expansion = FROM_INCLUDE;
	local_deliver_lines(s, text, NULL);
}

void
local_deliver_address(struct local_state s, const struct postfix_address *a)
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
		local_outcome(&s, POSTFIX_BOUNCED);
		return;
	}
	buf_put_span(&local, postfix_local(postfix_span(&r.to)));
	buf_put_span(&local, s.unmatched);
	postfix_address_join(&spliced, buf_span(&local), postfix_domain(postfix_span(&r.to)));
	if (span_eq(r.transport, SPAN("local"))) {
		local_deliver_recipient(s, &spliced);
		return;
	}
	s.address = postfix_span(&spliced);
	local_deliver_indirect(s);
}

static void
deliver_token(struct local_state s, const struct postfix_address *a)
{
	struct span text = postfix_span(a);

	if (++s.run->steps > LOCAL_STEPS_MAX || a->overlong)
		local_outcome(&s, POSTFIX_TEMPORARY);
	else if (text.len > 0 && (text.p[0] == '/' || text.p[0] == '~'))
		deliver_file(&s, text);
	else if (text.len > 0 && text.p[0] == '|')
		deliver_command(&s, span_from(text, 1));
	else if (postfix_begins(text, SPAN(":include:")))
		deliver_include(s, span_from(text, 9));
	else
		local_deliver_address(s, a);
}

void
local_deliver_text(struct local_state s, struct span text, unsigned *count)
{
	struct postfix_address a;

	while (postfix_next_address(&text, &a)) {
		if (count != NULL)
			++*count;
		deliver_token(s, &a);
	}
}
