/*
 * A library to preload: makes system calls fail, or do less than asked, on a schedule that depends
 * only on a seed.
 *
 *   FAULTS_SEED=n    where the schedule starts
 *   FAULTS_CALLS=n   one call in n is touched (0: none)
 *   FAULTS_MEMORY=n  one allocation of libfcgi in n fails after the first accept (0: none)
 *   FAULTS_COUNT=f   a file of 8 bytes: how many calls were touched
 *
 * Every error is one that the kernel documents for the call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic uint64_t number;
static unsigned long calls, memory;
static _Atomic int begun;
static _Atomic uint64_t nowhere;
static _Atomic uint64_t *touched = &nowhere;

/* Returns the next number of a sequence that is the same in every run (splitmix64). */
static uint64_t next(void)
{
    uint64_t x = atomic_fetch_add(&number, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static int due(unsigned long one_in)
{
    if (one_in == 0 || next() % one_in != 0)
        return 0;
    atomic_fetch_add(touched, 1);
    return 1;
}

static unsigned long setting(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtoul(text, NULL, 10);
}

/* No call is touched before main, because the loader treats failures in its own way. */
__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("FAULTS_COUNT");
    int fd = file == NULL ? -1 : open(file, O_RDWR);
    void *place = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (place != MAP_FAILED)
        touched = place;
    if (fd >= 0)
        close(fd);
    number = setting("FAULTS_SEED");
    calls = setting("FAULTS_CALLS");
    memory = setting("FAULTS_MEMORY");
}

/* Returns 1 when the call has to fail, and sets errno to one of the errors. */
static int fails(const int *errors, size_t count)
{
    if (!due(calls))
        return 0;
    errno = errors[next() % count];
    return 1;
}

#define FAILS(...) fails((const int[]){ __VA_ARGS__ }, sizeof(int[]){ __VA_ARGS__ } / sizeof(int))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Returns how many bytes the call may transfer. */
static size_t shorter(size_t length)
{
    return length > 1 && due(calls) ? 1 + next() % (length - 1) : length;
}

/* Shortens the first of several pieces. Returns whether it did. */
static int shorter_pieces(struct iovec *pieces, const struct iovec *given, int count)
{
    if (count < 1 || given[0].iov_len < 2 || !due(calls))
        return 0;
    pieces[0] = given[0];
    pieces[0].iov_len = 1 + next() % (given[0].iov_len - 1);
    return 1;
}

ssize_t recv(int fd, void *buffer, size_t length, int flags)
{
    if (FAILS(EINTR, EINTR, EINTR, ECONNRESET, ENOMEM))
        return -1;
    return REAL(recv)(fd, buffer, shorter(length), flags);
}

ssize_t send(int fd, const void *buffer, size_t length, int flags)
{
    if (FAILS(EINTR, EINTR, EINTR, ECONNRESET, EPIPE, ENOBUFS))
        return -1;
    return REAL(send)(fd, buffer, shorter(length), flags);
}

ssize_t read(int fd, void *buffer, size_t length)
{
    if (FAILS(EINTR))
        return -1;
    return REAL(read)(fd, buffer, shorter(length));
}

ssize_t readv(int fd, const struct iovec *pieces, int count)
{
    struct iovec one;

    if (FAILS(EINTR, EINTR, EINTR, ECONNRESET))
        return -1;
    if (shorter_pieces(&one, pieces, count))
        return REAL(readv)(fd, &one, 1);
    return REAL(readv)(fd, pieces, count);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    struct iovec one;

    if (FAILS(EINTR, EINTR, EINTR, EPIPE))
        return -1;
    if (shorter_pieces(&one, pieces, count))
        return REAL(writev)(fd, &one, 1);
    return REAL(writev)(fd, pieces, count);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct msghdr less = *message;
    struct iovec one;

    if (FAILS(EINTR, EINTR, EINTR, ECONNRESET, EPIPE, ENOMEM))
        return -1;
    if (shorter_pieces(&one, message->msg_iov, (int)message->msg_iovlen)) {
        less.msg_iov = &one;
        less.msg_iovlen = 1;
    }
    return REAL(sendmsg)(fd, &less, flags);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int accepted;

    if (FAILS(EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO))
        return -1;
    accepted = REAL(accept4)(fd, address, length, flags);
    if (accepted >= 0)
        begun = 1;
    return accepted;
}

int epoll_wait(int fd, struct epoll_event *events, int count, int milliseconds)
{
    if (FAILS(EINTR))
        return -1;
    return REAL(epoll_wait)(fd, events, count, milliseconds);
}

int epoll_ctl(int pool, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && FAILS(ENOMEM, ENOSPC))
        return -1;
    return REAL(epoll_ctl)(pool, operation, fd, event);
}

int epoll_create1(int flags)
{
    if (FAILS(EMFILE, ENFILE, ENOMEM))
        return -1;
    return REAL(epoll_create1)(flags);
}

int poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    if (FAILS(EINTR, ENOMEM))
        return -1;
    return REAL(poll)(fds, count, milliseconds);
}

/* The C library's names for the functions replaced here, because dlsym may allocate. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* Returns whether an allocation that returns to `caller` has to fail. Allocations of the program
 * and of the C library never fail. */
static int no_memory(void *caller)
{
    Dl_info info;

    if (memory == 0 || !begun || dladdr(caller, &info) == 0)
        return 0;
    if (strstr(info.dli_fname, "libfcgi.so") == NULL || !due(memory))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
