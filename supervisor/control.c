#include "supervisor/control.h"

#include <sys/socket.h>
#include <unistd.h>

enum { PART_MAX = 32000 };

static void
on_command(void *ctx, struct link *link, const union msg *m, int *fd)
{
	struct control_client *client = ctx;

	(void)link;
	(void)fd;
	if (client->waiting)
		return;
	client->waiting = true;
	client->verb = (enum command_verb)m->command.verb;
	client->control->on_command(client->control->ctx, client->verb);
}

static void
on_lost(void *ctx, struct link *link)
{
	struct control_client *client = ctx;

	(void)link;
	client->waiting = false;
	link_free(&client->link);
}

static const struct link_handler handlers[] = {
    {MSG_command, on_command},
};

static const struct link_role role = {
    .self = PROGRAM_SUPERVISOR,
    .peer = PROGRAM_CLI,
    .handlers = handlers,
    .handler_count = 1,
    .on_lost = on_lost,
    .brief = true,
};

static void
on_connection(void *arg, unsigned events)
{
	struct control *c = arg;
	int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &c->client[i];

		if (client->link != NULL)
			continue;
		client->control = c;
		client->waiting = false;
		client->link = link_new(c->loop, fd, &role, client);
		return;
	}
	close(fd);
}

int
control_start(struct control *c)
{
	return watch_start(c->loop, &c->watch, c->fd, WATCH_READ, on_connection, c);
}

static void
answer_one(struct control_client *client, int status, struct span text)
{
	do {
		struct msg_command_answer m = {
		    .last = text.len <= PART_MAX,
		    .status = (uint8_t)status,
		    .text = span_head(text, PART_MAX),
		};

		link_send(client->link, MSG_command_answer, &m, -1);
		text = span_from(text, PART_MAX);
	} while (text.len > 0);
	client->waiting = false;
	link_flush(client->link);
}

void
control_answer(struct control *c, enum command_verb verb, int status, struct span text)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (c->client[i].waiting && c->client[i].verb == verb)
			answer_one(&c->client[i], status, text);
}

bool
control_waiting(const struct control *c, enum command_verb verb)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (c->client[i].waiting && c->client[i].verb == verb)
			return true;
	return false;
}

void
control_stop(struct control *c)
{
	watch_stop(&c->watch);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		link_free(&c->client[i].link);
}
