/* page_write: the new page whole, or the old one as it was, and nothing beside it. */
#include "tests/unit/support/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/page/page_write.h"

#define PAGE_OCTETS 100000

static char folder[] = "/tmp/mxcrypt-page-XXXXXX";

/* ---- pages ---- */

static bool short_page(FILE *out, const void *context)
{
    (void)context;
    return fputs("new\n", out) >= 0;
}

static bool long_page(FILE *out, const void *context)
{
    (void)context;
    for (int i = 0; i < PAGE_OCTETS; i++)
        fputc('x', out);
    return fflush(out) == 0;
}

static bool no_memory_page(FILE *out, const void *context)
{
    (void)context;
    fputs("half", out);
    fflush(out);
    errno = 0;
    return false;
}

/* ---- files ---- */

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put_old(const char *name)
{
    FILE *out = fopen(path_of(name), "w");

    assert_non_null(out);
    fputs("old\n", out);
    fclose(out);
}

static void assert_holds(const char *name, const char *want)
{
    char text[16] = "";
    FILE *in = fopen(path_of(name), "r");

    assert_non_null(in);
    assert_non_null(fgets(text, sizeof text, in));
    fclose(in);
    assert_string_equal(text, want);
}

/* How many files there are; they are removed. */
static size_t swept(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(remove(path_of(entry->d_name)), 0);
        count++;
    }
    closedir(dir);
    return count;
}

/* ---- cases ---- */

static void replaces(void **state)
{
    static const struct {
        mode_t umask, want;
    } rows[] = {{022, 0644}, {0, 0644}, {027, 0640}, {077, 0600}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        mode_t before = umask(rows[i].umask);
        struct stat status;

        put_old("page");
        assert_int_equal(page_replace(path_of("page"), short_page, NULL), 0);
        umask(before);
        assert_holds("page", "new\n");
        assert_int_equal(stat(path_of("page"), &status), 0);
        assert_int_equal(status.st_mode & 07777, rows[i].want);
        assert_int_equal(swept(), 1);
    }
}

static void is_new(void **state)
{
    (void)state;
    assert_int_equal(page_replace(path_of("page"), short_page, NULL), 0);
    assert_holds("page", "new\n");
    assert_int_equal(swept(), 1);
}

/* The disk is full after so many octets: before, in and behind the first block. */
static void a_full_disk_leaves_the_old(void **state)
{
    static const rlim_t sizes[] = {0, 1, 4096, PAGE_OCTETS - 1};
    struct rlimit before, less;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int result, error;

        put_old("page");
        less = (struct rlimit){sizes[i], before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
        result = page_replace(path_of("page"), long_page, NULL);
        error = errno;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(result, -1);
        assert_int_equal(error, EFBIG);
        assert_holds("page", "old\n");
        assert_int_equal(swept(), 1);
    }
    less = (struct rlimit){PAGE_OCTETS, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    assert_int_equal(page_replace(path_of("page"), long_page, NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(swept(), 1);
}

static void no_memory_leaves_the_old(void **state)
{
    (void)state;
    put_old("page");
    assert_int_equal(page_replace(path_of("page"), no_memory_page, NULL), -1);
    assert_int_equal(errno, ENOMEM);
    assert_holds("page", "old\n");
    assert_int_equal(swept(), 1);
}

static void no_place(void **state)
{
    char longest[PATH_MAX];

    (void)state;
    assert_int_equal(page_replace(path_of("nowhere/page"), short_page, NULL), -1);
    assert_int_equal(errno, ENOENT);
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < sizeof longest; i += 100)
        longest[i] = '/';
    longest[PATH_MAX - 1] = '\0';
    assert_int_equal(page_replace(longest, short_page, NULL), -1);
    assert_true(errno == ENAMETOOLONG || errno == ENOENT);
    assert_int_equal(swept(), 0);
}

/* A link, a device, a pipe, a directory: none is followed, written to, or replaced. */
static void only_plain_files(void **state)
{
    (void)state;
    put_old("elsewhere");
    assert_int_equal(symlink("elsewhere", path_of("link")), 0);
    assert_int_equal(page_replace(path_of("link"), short_page, NULL), -1);
    assert_int_equal(errno, ELOOP);
    assert_holds("elsewhere", "old\n");
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    assert_int_equal(page_replace(path_of("pipe"), short_page, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(mkdir(path_of("directory"), 0700), 0);
    assert_int_equal(page_replace(path_of("directory"), short_page, NULL), -1);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(page_replace("/dev/null", short_page, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(swept(), 4);
}

/* Temporary files of programs that were killed, and links that somebody laid there. */
static void others_temporary_files(void **state)
{
    char name[64];

    (void)state;
    put_old("elsewhere");
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "page.%ld-%d.tmp", (long)getpid(), i);
        assert_int_equal(symlink("elsewhere", path_of(name)), 0);
    }
    assert_int_equal(page_replace(path_of("page"), short_page, NULL), 0);
    assert_holds("elsewhere", "old\n");
    assert_holds("page", "new\n");
    assert_int_equal(swept(), 5);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces),
        cmocka_unit_test(is_new),
        cmocka_unit_test(a_full_disk_leaves_the_old),
        cmocka_unit_test(no_memory_leaves_the_old),
        cmocka_unit_test(no_place),
        cmocka_unit_test(only_plain_files),
        cmocka_unit_test(others_temporary_files),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
