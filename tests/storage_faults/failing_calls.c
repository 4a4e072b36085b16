/* Loaded before libc: fails chosen calls on files below two paths, from Python and from C++ alike.

   begin(root, other, reading, at, number, lasting) starts counting, calls that change files or, if `reading`,
   those that read or look; call `at` (from 1) fails with errno `number`, and, if `lasting`, all later ones do.
   end() stops, and returns how many calls there were. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char roots[2][PATH_MAX];
enum { NONE, CHANGES, READS };
static int active, fails_at, error_number, lasts, calls;

void begin(const char *root, const char *other, int reading, int at, int number, int lasting) {
    snprintf(roots[0], PATH_MAX, "%s", root);
    snprintf(roots[1], PATH_MAX, "%s", other);
    fails_at = at, error_number = number, lasts = lasting, calls = 0, active = reading ? READS : CHANGES;
}

int end(void) {
    active = NONE;
    return calls;
}

/* Whether this call on a path is to fail; sets errno. Heartbeats and logs are written by threads at times of
   their own, and their loss is no fault. */
static int fails(const char *path) {
    if (strncmp(path, roots[0], strlen(roots[0])) && strncmp(path, roots[1], strlen(roots[1]))) return 0;
    if (strstr(path, "/heartbeats") || strstr(path, "/logs")) return 0;
    int call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (!fails_at || (call != fails_at && !(lasts && call > fails_at))) return 0;
    errno = error_number;
    return 1;
}

static int descriptor_fails_in(int kind, int descriptor) {
    if (active != kind) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path);
}

static int path_fails_in(int kind, int folder, const char *name) {
    if (active != kind) return 0;
    char link[64], path[2 * PATH_MAX];
    if (name[0] == '/') return fails(name);
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    snprintf(path + length, PATH_MAX, "/%s", name);
    return fails(path);
}

static int descriptor_fails(int descriptor) { return descriptor_fails_in(CHANGES, descriptor); }
static int path_fails(int folder, const char *name) { return path_fails_in(CHANGES, folder, name); }
/* Python looks at a file that it has opened for writing, and takes no error for one. */
static int reading_fails(int descriptor) {
    return (fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_WRONLY && descriptor_fails_in(READS, descriptor);
}
static int look_fails(int folder, const char *name) { return path_fails_in(READS, folder, name); }

/* A full file system, or a quota that is used up, lets files be removed. */
static int removal_fails(int folder, const char *name) {
    return error_number != ENOSPC && error_number != EDQUOT && path_fails(folder, name);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define WRAP_TO(failure, type, name, parameters, check, ...) \
    type name parameters {                                   \
        REAL(name);                                          \
        return check ? failure : real(__VA_ARGS__);          \
    }
#define WRAP(...) WRAP_TO(-1, __VA_ARGS__)
#define WRAP_OPEN(name, parameters, folder, ...)                                                        \
    int name parameters {                                                                               \
        REAL(name);                                                                                     \
        va_list rest;                                                                                   \
        va_start(rest, flags);                                                                          \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;                         \
        va_end(rest);                                                                                   \
        int fails = flags & (O_WRONLY | O_RDWR | O_CREAT) ? path_fails(folder, path) : look_fails(folder, path); \
        return fails ? -1 : real(__VA_ARGS__);                                                          \
    }

WRAP_OPEN(open, (const char *path, int flags, ...), AT_FDCWD, path, flags, mode)
WRAP_OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, path, flags, mode)
WRAP_OPEN(openat, (int folder, const char *path, int flags, ...), folder, folder, path, flags, mode)
WRAP_OPEN(openat64, (int folder, const char *path, int flags, ...), folder, folder, path, flags, mode)
WRAP(ssize_t, write, (int fd, const void *data, size_t size), descriptor_fails(fd), fd, data, size)
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), descriptor_fails(fd), fd, parts, count)
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), descriptor_fails(fd), fd, data, size, at)
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), descriptor_fails(fd), fd, data, size, at)
ssize_t sendfile(int out, int in, off_t *at, size_t size);
ssize_t sendfile64(int out, int in, off64_t *at, size_t size);
WRAP(ssize_t, sendfile, (int out, int in, off_t *at, size_t size), descriptor_fails(out) || reading_fails(in), out, in, at, size)
WRAP(ssize_t, sendfile64, (int out, int in, off64_t *at, size_t size), descriptor_fails(out) || reading_fails(in), out, in, at, size)
WRAP(int, fsync, (int fd), descriptor_fails(fd), fd)
WRAP(int, fdatasync, (int fd), descriptor_fails(fd), fd)
WRAP(int, ftruncate, (int fd, off_t size), descriptor_fails(fd), fd, size)
WRAP(int, ftruncate64, (int fd, off64_t size), descriptor_fails(fd), fd, size)
WRAP(int, mkdir, (const char *path, mode_t mode), path_fails(AT_FDCWD, path), path, mode)
WRAP(int, mkdirat, (int folder, const char *path, mode_t mode), path_fails(folder, path), folder, path, mode)
WRAP(int, rename, (const char *old, const char *new), path_fails(AT_FDCWD, new), old, new)
WRAP(int, renameat, (int from, const char *old, int to, const char *new), path_fails(to, new), from, old, to, new)
WRAP(int, link, (const char *old, const char *new), path_fails(AT_FDCWD, new), old, new)
WRAP(int, linkat, (int from, const char *old, int to, const char *new, int flags), path_fails(to, new), from, old, to, new, flags)
WRAP(int, unlink, (const char *path), removal_fails(AT_FDCWD, path), path)
WRAP(int, unlinkat, (int folder, const char *path, int flags), removal_fails(folder, path), folder, path, flags)
WRAP(int, rmdir, (const char *path), removal_fails(AT_FDCWD, path), path)

/* Of Python, and those of DuckDB, which was built with an older libc. Python's os.access tells no error. */
WRAP(ssize_t, read, (int fd, void *data, size_t size), reading_fails(fd), fd, data, size)
WRAP(ssize_t, readv, (int fd, const struct iovec *parts, int count), reading_fails(fd), fd, parts, count)
WRAP(ssize_t, pread, (int fd, void *data, size_t size, off_t at), reading_fails(fd), fd, data, size, at)
WRAP(ssize_t, pread64, (int fd, void *data, size_t size, off64_t at), reading_fails(fd), fd, data, size, at)
WRAP(int, stat64, (const char *path, struct stat64 *seen), look_fails(AT_FDCWD, path), path, seen)
WRAP(int, lstat64, (const char *path, struct stat64 *seen), look_fails(AT_FDCWD, path), path, seen)
WRAP(int, fstat64, (int fd, struct stat64 *seen), reading_fails(fd), fd, seen)
WRAP(int, fstatat64, (int folder, const char *path, struct stat64 *seen, int flags), look_fails(folder, path), folder, path, seen, flags)
int __xstat(int version, const char *path, struct stat *seen);
int __lxstat(int version, const char *path, struct stat *seen);
int __fxstat(int version, int fd, struct stat *seen);
WRAP(int, __xstat, (int version, const char *path, struct stat *seen), look_fails(AT_FDCWD, path), version, path, seen)
WRAP(int, __lxstat, (int version, const char *path, struct stat *seen), look_fails(AT_FDCWD, path), version, path, seen)
WRAP(int, __fxstat, (int version, int fd, struct stat *seen), reading_fails(fd), version, fd, seen)
WRAP_TO(NULL, DIR *, opendir, (const char *path), look_fails(AT_FDCWD, path), path)
WRAP_TO(NULL, DIR *, fdopendir, (int fd), reading_fails(fd), fd)
WRAP_TO(NULL, struct dirent *, readdir, (DIR *folder), reading_fails(dirfd(folder)), folder)
WRAP_TO(NULL, struct dirent64 *, readdir64, (DIR *folder), reading_fails(dirfd(folder)), folder)
