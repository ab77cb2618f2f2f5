/* Stands between a process and the files of one library: counts what changes them, and at a chosen
 * change kills the process, or lets the disk be full from then on, or refuses every change. It can
 * also put the clock back.
 *
 * Loaded with LD_PRELOAD, so that it meets Lance's writes and SQLite's as well as Python's. See
 * shim.py for the variables that steer it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { COUNT, KILL, FULL, REFUSE };

static const char *under;
static size_t under_length;
static int what = COUNT;
static long at = LONG_MAX;
static atomic_long seen = 0;
static long clock_back_s = 0;

long faults_seen(void) { return atomic_load(&seen); }

__attribute__((constructor)) static void begin(void) {
    const char *said = getenv("FAULTS_DO"), *number = getenv("FAULTS_AT");
    under = getenv("FAULTS_UNDER");
    under_length = under ? strlen(under) : 0;
    if (number) at = atol(number);
    if (getenv("FAULTS_CLOCK_BACK_S")) clock_back_s = atol(getenv("FAULTS_CLOCK_BACK_S"));
    if (said && !strcmp(said, "kill")) what = KILL;
    if (said && !strcmp(said, "full")) what = FULL;
    if (said && !strcmp(said, "refuse")) what = REFUSE;
}

static int is_ours(const char *path) {
    return under && !strncmp(path, under, under_length) &&
           (path[under_length] == '/' || path[under_length] == 0);
}

static int is_ours_at(int folder, const char *path) {
    char link[64], whole[PATH_MAX];
    if (!under) return 0;
    if (path[0] == '/') return is_ours(path);
    if (folder == AT_FDCWD) return 0; /* nobody here names the library by a path from "." */
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, whole, sizeof whole - 1);
    if (length < 0) return 0;
    whole[length] = 0;
    return is_ours(whole);
}

static int is_our_file(int fd) {
    char link[64], path[PATH_MAX];
    if (!under) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

static void die(void) { kill(getpid(), SIGKILL); pause(); }

/* Count a change; 1 where it must not happen any more, -1 where it is the one that all hangs on. */
static int counted(void) {
    long number = atomic_fetch_add(&seen, 1) + 1;
    if (what == REFUSE) return 1;
    if (what == COUNT || number < at) return 0;
    return number == at ? -1 : 1;
}

/* Say whether a change that takes no room may happen. */
static int may_change(void) {
    int is_over = counted();
    if (is_over && what == KILL) die();
    if (is_over && what == REFUSE) { errno = EROFS; return 0; }
    return 1;
}

/* Say whether a change that takes room may happen. */
static int may_grow(void) {
    int is_over = counted();
    if (is_over && what == KILL) die();
    if (is_over) { errno = what == REFUSE ? EROFS : ENOSPC; return 0; }
    return 1;
}

/* Say how much of a write may happen: all, half of the one that all hangs on, or -1 for none. */
static ssize_t allowed(size_t length) {
    int is_over = counted();
    if (!is_over) return (ssize_t)length;
    if (is_over < 0 && length > 1) return (ssize_t)(length / 2);
    if (what == KILL) die();
    errno = what == REFUSE ? EROFS : ENOSPC;
    return -1;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define WRITING(name, offset_type) \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type offset) { \
        REAL(name); \
        if (!is_our_file(fd)) return real(fd, bytes, length, offset); \
        ssize_t some = allowed(length); \
        if (some < 0) return -1; \
        ssize_t done = real(fd, bytes, (size_t)some, offset); \
        if ((size_t)some < length && what == KILL) die(); \
        return done; \
    }

WRITING(pwrite, off_t)
WRITING(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    if (!is_our_file(fd)) return real(fd, bytes, length);
    ssize_t some = allowed(length);
    if (some < 0) return -1;
    ssize_t done = real(fd, bytes, (size_t)some);
    if ((size_t)some < length && what == KILL) die();
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    if (!is_our_file(fd)) return real(fd, parts, count);
    return may_grow() ? real(fd, parts, count) : -1;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t length) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "sendfile");
    if (!is_our_file(out)) return real(out, in, offset, length);
    ssize_t some = allowed(length);
    if (some < 0) return -1;
    ssize_t done = real(out, in, offset, (size_t)some);
    if ((size_t)some < length && what == KILL) die();
    return done;
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
    REAL(copy_file_range);
    if (!is_our_file(out)) return real(in, from, out, to, length, flags);
    ssize_t some = allowed(length);
    if (some < 0) return -1;
    ssize_t done = real(in, from, out, to, (size_t)some, flags);
    if ((size_t)some < length && what == KILL) die();
    return done;
}

static int may_open(int folder, const char *path, int flags) {
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT)) return 1;
    if (!is_ours_at(folder, path)) return 1;
    if (what == REFUSE) return may_change();
    if (!(flags & O_CREAT) || !faccessat(folder, path, F_OK, 0)) return 1;
    return may_grow();
}

#define MODE \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) {
    REAL(open);
    MODE
    return may_open(AT_FDCWD, path, flags) ? real(path, flags, mode) : -1;
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    MODE
    return may_open(AT_FDCWD, path, flags) ? real(path, flags, mode) : -1;
}

int openat(int folder, const char *path, int flags, ...) {
    REAL(openat);
    MODE
    return may_open(folder, path, flags) ? real(folder, path, flags, mode) : -1;
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL(openat64);
    MODE
    return may_open(folder, path, flags) ? real(folder, path, flags, mode) : -1;
}

int access(const char *path, int mode) {
    REAL(access);
    if (what == REFUSE && (mode & W_OK) && is_ours(path)) { errno = EROFS; return -1; }
    return real(path, mode);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (!is_ours(path) || !access(path, F_OK)) return real(path, mode);
    return may_grow() ? real(path, mode) : -1;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (!is_ours(to) && !is_ours(from)) return real(from, to);
    return may_change() ? real(from, to) : -1;
}

int link(const char *from, const char *to) {
    REAL(link);
    if (!is_ours(to)) return real(from, to);
    return may_change() ? real(from, to) : -1;
}

int linkat(int old, const char *from, int folder, const char *to, int flags) {
    REAL(linkat);
    if (!is_ours_at(folder, to)) return real(old, from, folder, to, flags);
    return may_change() ? real(old, from, folder, to, flags) : -1;
}

int unlink(const char *path) {
    REAL(unlink);
    if (!is_ours(path)) return real(path);
    return may_change() ? real(path) : -1;
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    if (!is_ours_at(folder, path)) return real(folder, path, flags);
    return may_change() ? real(folder, path, flags) : -1;
}

int rmdir(const char *path) {
    REAL(rmdir);
    if (!is_ours(path)) return real(path);
    return may_change() ? real(path) : -1;
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    if (!is_our_file(fd)) return real(fd, length);
    return may_change() ? real(fd, length) : -1;
}

int clock_gettime(clockid_t which, struct timespec *answer) {
    REAL(clock_gettime);
    int result = real(which, answer);
    if (!result && which == CLOCK_REALTIME) answer->tv_sec -= clock_back_s;
    return result;
}

int statvfs64(const char *path, struct statvfs64 *answer) {
    REAL(statvfs64);
    int result = real(path, answer);
    if (!result && what == FULL && is_ours(path) && atomic_load(&seen) >= at)
        answer->f_bavail = answer->f_bfree = 0;
    return result;
}

int statvfs(const char *path, struct statvfs *answer) {
    REAL(statvfs);
    int result = real(path, answer);
    if (!result && what == FULL && is_ours(path) && atomic_load(&seen) >= at)
        answer->f_bavail = answer->f_bfree = 0;
    return result;
}
