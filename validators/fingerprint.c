#include "validators/fingerprint.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"

#include "validators/counters.h"

/* Returns: how often it has come, this time included. */
static uint32_t
remember(struct fingerprints *fs, const uint8_t hash[DIGEST_LEN])
{
	size_t at = fs->next_kept;

	for (size_t i = 0; i < FINGERPRINTS_KEPT; i++)
		if (fs->kept[i].times > 0 && memcmp(fs->kept[i].hash, hash, DIGEST_LEN) == 0)
			return ++fs->kept[i].times;
	memcpy(fs->kept[at].hash, hash, DIGEST_LEN);
	fs->kept[at].times = 1;
	fs->next_kept = (at + 1) % FINGERPRINTS_KEPT;
	return 1;
}

static void
finish(struct fingerprints *fs, struct span id, struct digest *digest)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t hash[DIGEST_LEN], text[2 * DIGEST_LEN];
	uint32_t times;
	struct log_line line;

	digest_final(digest, hash);
	for (size_t i = 0; i < DIGEST_LEN; i++) {
		text[2 * i] = (uint8_t)digits[hash[i] >> 4];
		text[2 * i + 1] = (uint8_t)digits[hash[i] & 15];
	}
	times = remember(fs, hash);
	if (times > 1)
		count(COUNT_checks_failed_again);
	log_begin(&line, EVENT_content_failed);
	log_span(&line, "id", id);
	log_span(&line, "sha256", span_of(text, sizeof(text)));
	log_u64(&line, "times", times);
	log_end(&line);
}

static void
stop(struct fingerprint *f)
{
	timer_stop(&f->timer);
	if (f->used)
		close(f->fd);
	f->used = false;
}

static void
on_turn(void *arg)
{
	static uint8_t piece[FINGERPRINT_PIECE];
	struct fingerprint *f = arg;
	ssize_t n = pread(f->fd, piece, sizeof(piece), (off_t)f->at);

	if (n > 0 && f->at < f->size) {
		digest_update(&f->digest, span_of(piece, (size_t)n));
		f->at += (uint64_t)n;
		timer_set(f->all->loop, &f->timer, 0, on_turn, f);
		return;
	}
	if (n == 0)
		finish(f->all, span_of(f->id, f->id_len), &f->digest);
	stop(f);
}

static void
begin(struct fingerprint *f, struct span id, int fd, uint64_t size)
{
	f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (f->fd < 0)
		return;
	f->used = true;
	f->at = 0;
	f->size = size;
	f->id_len = id.len < sizeof(f->id) ? id.len : sizeof(f->id);
	memcpy(f->id, id.p, f->id_len);
	digest_init(&f->digest);
	timer_set(f->all->loop, &f->timer, 0, on_turn, f);
}

void
fingerprint(struct fingerprints *fs, struct span id, int fd, uint64_t size, struct span content)
{
	struct digest digest;

	if (fd < 0) {
		digest_init(&digest);
		digest_update(&digest, content);
		finish(fs, id, &digest);
		return;
	}
	for (size_t i = 0; i < FINGERPRINTS_MAX; i++) {
		if (fs->running[i].used)
			continue;
		begin(&fs->running[i], id, fd, size);
		return;
	}
}

void
fingerprints_init(struct fingerprints *fs, struct loop *loop)
{
	fs->loop = loop;
	for (size_t i = 0; i < FINGERPRINTS_MAX; i++)
		fs->running[i].all = fs;
}

void
fingerprints_clear(struct fingerprints *fs)
{
	for (size_t i = 0; i < FINGERPRINTS_MAX; i++)
		stop(&fs->running[i]);
}
