/* Makes the n-th call of one function fail or stall, for a process that loads this before libc (LD_PRELOAD).
 *
 * SMC_IO_FAULT="NAME:N:ERRNO" or "NAME:N:stall:MILLISECONDS", with NAME one of msync, fsync, fdatasync, posix_fallocate,
 * pwrite, rename. When the fault strikes, the file named by SMC_IO_FAULT_MARK is made. Built by the tests with `cc`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;

static void mark(void) {
    const char *path = getenv("SMC_IO_FAULT_MARK");
    int file = path ? open(path, O_CREAT | O_WRONLY, 0600) : -1;
    if (file >= 0) close(file);
}

/* The error number that this call of `name` has to fail with; 0 to go on. */
static int fault(const char *name) {
    const char *text = getenv("SMC_IO_FAULT");
    size_t len = strlen(name);
    if (!text || strncmp(text, name, len) != 0 || text[len] != ':') return 0;
    char *rest;
    long nth = strtol(text + len + 1, &rest, 10);
    if (atomic_fetch_add(&calls, 1) + 1 != nth) return 0;
    mark();
    if (strncmp(rest, ":stall:", 7) == 0) {
        long ms = strtol(rest + 7, NULL, 10);
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
        return 0;
    }
    return atoi(rest + 1);
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

int msync(void *at, size_t len, int flags) {
    int error = fault("msync");
    if (error) { errno = error; return -1; }
    return ((int (*)(void *, size_t, int))next("msync"))(at, len, flags);
}

int fsync(int file) {
    int error = fault("fsync");
    if (error) { errno = error; return -1; }
    return ((int (*)(int))next("fsync"))(file);
}

int fdatasync(int file) {
    int error = fault("fdatasync");
    if (error) { errno = error; return -1; }
    return ((int (*)(int))next("fdatasync"))(file);
}

int posix_fallocate(int file, off_t from, off_t len) {
    int error = fault("posix_fallocate");
    if (error) return error;
    return ((int (*)(int, off_t, off_t))next("posix_fallocate"))(file, from, len);
}

ssize_t pwrite64(int file, const void *bytes, size_t len, off64_t at) {
    int error = fault("pwrite");
    if (error) { errno = error; return -1; }
    return ((ssize_t (*)(int, const void *, size_t, off64_t))next("pwrite64"))(file, bytes, len, at);
}

int rename(const char *from, const char *to) {
    int error = fault("rename");
    if (error) { errno = error; return -1; }
    return ((int (*)(const char *, const char *))next("rename"))(from, to);
}
