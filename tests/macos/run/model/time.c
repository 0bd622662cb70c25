/*
 * Clocks that do not run: the time of day does not change, and the other clocks move
 * when mx waits, by as much. So a wait takes no time, and a busy machine changes
 * no answer. Only what another thread of mx does is waited for in real time.
 */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "model.h"

int host_nanosleep(const struct timespec *, struct timespec *);
int host_poll(struct pollfd *, nfds_t, int);
int host_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int64_t host_semaphore_wait(void *, int64_t);

static int64_t passed = 1000000000;

void pass_time(int64_t nanoseconds)
{
	passed += nanoseconds;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	*time = (struct timespec){.tv_sec = passed / 1000000000, .tv_nsec = passed % 1000000000};
	if (clock == CLOCK_REALTIME)
		*time = (struct timespec){.tv_sec = (time_t)model.now};
	return 0;
}

static bool has_threads;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
		   void *argument)
{
	has_threads = true;
	return host_pthread_create(thread, attributes, start, argument);
}

/* Another thread gets 20 ms to do what is waited for. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
	const struct timespec turn = {0, 20000000};

	(void)left;
	if (has_threads)
		host_nanosleep(&turn, NULL);
	pass_time(time->tv_sec * 1000000000 + time->tv_nsec);
	return 0;
}

/* What other programs do takes real time; the end of a reader, which no event is asked for, 20 ms of it. */
static int poll_host(struct pollfd *descriptors, nfds_t count, int milliseconds)
{
	int ready;

	if ((count && descriptors->events) || milliseconds < 20)
		return host_poll(descriptors, count, milliseconds);
	ready = host_poll(descriptors, count, 20);
	if (!ready)
		pass_time(milliseconds * 1000000ll);
	return ready;
}

/* What of the model is not ready at once will not be, however long it is waited for. */
int poll(struct pollfd *descriptors, nfds_t count, int milliseconds)
{
	int ready = 0;

	/* Without descriptors, it is the end of a program that is waited for. */
	if (!count)
		return poll_host(descriptors, count, milliseconds);
	for (nfds_t i = 0; i < count; i++) {
		if (!is_own_socket(descriptors[i].fd))
			return poll_host(descriptors, count, milliseconds);
		ready += own_socket_is_ready(descriptors[i].fd, descriptors[i].events,
					     &descriptors[i].revents);
	}
	if (!ready)
		pass_time(milliseconds * 1000000ll);
	return ready;
}

uint64_t dispatch_time(uint64_t start, int64_t wait)
{
	return (start ? start : (uint64_t)passed) + (uint64_t)wait;
}

/* A pasteboard that never answers is waited for in vain, so not for long. */
int64_t dispatch_semaphore_wait(void *semaphore, uint64_t end)
{
	const char *pasteboard = scenario_nth("pasteboard", 0);
	int64_t wait = end == UINT64_MAX ? -1 : (int64_t)end - passed;
	bool in_vain = pasteboard && !strcmp(pasteboard, "never-answers");

	if (!host_semaphore_wait(semaphore, in_vain && wait > 0 ? 100000000 : wait))
		return 0;
	pass_time(wait);
	return 1;
}
