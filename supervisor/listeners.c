#include "supervisor/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int
bind_one(const struct ip *ip, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = (socklen_t)ip_to_sockaddr(ip, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Inherited by what is accepted: one reply is one segment, without a call for each session. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (to.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&to, len) != 0 || listen(fd, BACKLOG) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void
name_bound(struct listener *l)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	struct ip ip;
	uint16_t port = 0;
	uint8_t text[sizeof(l->name)];
	struct buf b = BUF_OVER(text);
	bool v6;

	if (getsockname(l->fd, (struct sockaddr *)&at, &len) != 0 ||
	    !ip_from_sockaddr((const struct sockaddr *)&at, &ip, &port))
		return;
	v6 = !ip_is_v4(&ip);
	buf_put_str(&b, v6 ? "[" : "");
	ip_put(&b, &ip);
	buf_put_str(&b, v6 ? "]:" : ":");
	buf_put_decimal(&b, port);
	memcpy(l->name, text, b.len);
	l->name[b.len] = '\0';
}

static int
open_one(struct listener *l, const char *address, bool tls, const struct listeners *old)
{
	struct ip ip;
	uint16_t port;

	snprintf(l->wanted, sizeof(l->wanted), "%s", address);
	l->tls = tls;
	for (size_t i = 0; old != NULL && i < old->count; i++) {
		if (strcmp(old->item[i].wanted, address) != 0 || old->item[i].tls != tls)
			continue;
		*l = old->item[i];
		l->fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
		return l->fd >= 0 ? 0 : -1;
	}
	errno = EINVAL;
	if (!ip_parse_port(span_str(address), true, &ip, &port))
		return -1;
	l->fd = bind_one(&ip, port);
	if (l->fd < 0)
		return -1;
	name_bound(l);
	return 0;
}

static int
open_all(struct listeners *out, const struct conf_strings *addresses, bool tls,
    const struct listeners *old, char *error_out, size_t error_cap)
{
	for (size_t i = 0; i < addresses->count && out->count < LISTENERS_MAX; i++) {
		struct listener *l = &out->item[out->count];

		if (open_one(l, addresses->items[i], tls, old) != 0) {
			snprintf(error_out, error_cap, "cannot listen on %s: %s",
			    addresses->items[i], strerror(errno));
			return -1;
		}
		out->count++;
	}
	return 0;
}

int
listeners_open(struct listeners *out, const struct conf_top *conf, const struct listeners *old,
    char *error_out, size_t error_cap)
{
	out->count = 0;
	if (open_all(out, &conf->listen, false, old, error_out, error_cap) == 0 &&
	    open_all(out, &conf->listen_tls, true, old, error_out, error_cap) == 0)
		return 0;
	listeners_close(out);
	return -1;
}

void
listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		close(l->item[i].fd);
	l->count = 0;
}
