/* spool: what a chunk's file is called in its states, and what is none of ours. */
#include "tests/unit/support/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "survey/queue/spool.h"

static char dir[] = "/tmp/mxc-spool-XXXXXX";
static struct spool spool;
static const struct results_chunk chunk = {UNIT_ADDRESS, 3, 2};

static int set_up(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_true(spool_open(&spool, dir, "run"));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void make(const char *name)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%.200s/%s", spool.folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void its_states(void **state)
{
    char path[PATH_MAX];

    (void)state;
    assert_true(spool_open(&spool, dir, "run")); /* again */
    assert_int_equal(spool_state(&spool, &chunk), SPOOL_HAS_NONE);
    make("addresses-3-2.work");
    assert_int_equal(spool_state(&spool, &chunk), SPOOL_HAS_WORK);
    assert_true(spool_is_one_file(&spool, &chunk));
    make("addresses-3-2.work-wal");
    assert_false(spool_is_one_file(&spool, &chunk));
    assert_true(spool_rename(&spool, &chunk, SPOOL_WORK, SPOOL_READY));
    assert_int_equal(spool_state(&spool, &chunk), SPOOL_HAS_READY);
    assert_false(spool_rename(&spool, &chunk, SPOOL_WORK, SPOOL_READY));
    assert_int_equal(errno, ENOENT);
    assert_false(spool_has_collected(&spool));
    assert_true(spool_collect(&spool, &chunk));
    assert_true(spool_collect(&spool, &chunk)); /* again */
    assert_int_equal(spool_state(&spool, &chunk), SPOOL_HAS_COLLECTED);
    assert_true(spool_has_collected(&spool));
    assert_int_not_equal(access(spool_path(&spool, &chunk, SPOOL_READY, path), F_OK), 0);
    spool_forget(&spool, &chunk);
    assert_int_equal(spool_state(&spool, &chunk), SPOOL_HAS_NONE);
    spool_remove(&spool);
}

static bool count_one(void *context, const struct results_chunk *found)
{
    assert_int_equal(found->kind, UNIT_ADDRESS);
    assert_int_equal(found->part, 3);
    assert_int_equal(found->number, 2);
    ++*(int *)context;
    return true;
}

static bool refuse(void *context, const struct results_chunk *found)
{
    (void)found;
    ++*(int *)context;
    return false;
}

static void only_whole_ones(void **state)
{
    static const char *const others[] = {"hosts-1.work", "hosts-2.db-journal", ".db",
                                         "domains-x.db", "hosts-3.bad",        "hosts-0.db"};
    char path[PATH_MAX];
    int count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++)
        make(others[i]);
    make("addresses-3-2.db");
    assert_true(spool_each_ready(&spool, count_one, &count));
    assert_int_equal(count, 1);
    assert_false(spool_each_ready(&spool, refuse, &count));
    assert_int_equal(count, 2);
    spool_remove(&spool); /* what is ours and was not refused */
    assert_int_equal(access(spool_path(&spool, &chunk, SPOOL_READY, path), F_OK), -1);
    snprintf(path, sizeof path, "%.200s/hosts-3.bad", spool.folder);
    assert_int_equal(unlink(path), 0);
    for (size_t i = 2; i < COUNT(others); i++) {
        snprintf(path, sizeof path, "%.200s/%s", spool.folder, others[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(spool.folder), 0);
}

static void a_directory_that_cannot_be(void **state)
{
    struct spool other;
    char path[PATH_MAX];

    (void)state;
    memset(path, 'a', sizeof path);
    path[PATH_MAX - 50] = '\0';
    assert_false(spool_open(&other, path, "run"));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_false(spool_open(&other, "/nonexistent", "run"));
    snprintf(path, sizeof path, "%s/file", dir);
    fclose(fopen(path, "w"));
    assert_false(spool_open(&other, dir, "file"));
    unlink(path);
    spool_remove(&spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_states, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_whole_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_that_cannot_be, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
