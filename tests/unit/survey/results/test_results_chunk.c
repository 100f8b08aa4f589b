/* A survey in chunks: small files that are filled elsewhere, and taken into the whole. */
#include "tests/unit/survey/results/results_world.h"

#include "survey/results/results_chunk.h"

#define SIZE  16
#define PARTS 3

static struct results_file whole;
static char paths[64][96];
static unsigned chunks;

static void whole_make(void)
{
    struct results_run run = make_run();

    run.names = DOMAINS;
    run.names_read = true;
    file_make(&whole, &run);
    chunks = 0;
}

/* ---- a chunk ---- */

/* A small file, open as `file`, in the folder of the whole. */
static void small_begin(const struct results_chunk *chunk)
{
    snprintf(paths[chunks], sizeof paths[0], "%s/chunk%u", whole.folder, chunks);
    file = whole;
    snprintf(file.path, sizeof file.path, "%s", paths[chunks]);
    chunks++;
    file.results = NULL;
    if (chunk->kind == UNIT_ADDRESS)
        return;
    struct results_run run = make_run();

    file.results = results_create(file.path, &run, file.error);
    if (file.results == NULL)
        fail_msg("%s", file.error);
}

/* All units of it have a result then, and it is closed. */
static void small_end(const struct results_chunk *chunk)
{
    if (file.results == NULL)
        file.results = results_open(file.path, true, file.error);
    if (file.results == NULL)
        fail_msg("%s", file.error);
    phase(&(struct way){.commit = 5, .kill = -1}, chunk->kind);
    assert_true(results_chunk_is_done(file.results, chunk->kind));
    must(&file, results_commit(file.results));
    must(&file, results_one_file(file.results));
    assert_true(results_close(file.results));
    file.results = NULL;
}

static bool add_named(void *context, int64_t id, const char *name, int64_t weight)
{
    const struct results_chunk *chunk = context;

    (void)id;
    return results_chunk_add(file.results, chunk->kind, name, weight);
}

static enum results_collected collect(const struct results_chunk *chunk, int64_t domains,
                                      const char *path)
{
    return results_collect(whole.results, chunk, domains, path, whole.error);
}

static void must_collect(const struct results_chunk *chunk, int64_t domains, const char *path)
{
    if (collect(chunk, domains, path) != RESULTS_COLLECTED)
        fail_msg("%s", whole.error);
}

/* ---- a whole survey ---- */

static void domains_in_chunks(void)
{
    struct results_chunk chunk = {UNIT_DOMAIN, 0, 0};
    char name[32];

    for (int i = 0; i < DOMAINS; i += SIZE) {
        int count = 0;

        chunk.number++;
        small_begin(&chunk);
        for (; count < SIZE && i + count < DOMAINS; count++) {
            snprintf(name, sizeof name, "d%d.example", i + count);
            must(&file, results_chunk_add(file.results, UNIT_DOMAIN, name, 1));
        }
        small_end(&chunk);
        must_collect(&chunk, count, file.path);
    }
}

static void extract(const struct results_chunk *chunk, const char *path)
{
    struct results_run run = make_run();

    run.shard = chunk->part + 1;
    run.shards = PARTS;
    if (!results_chunk_extract(whole.results, chunk, &run, path, whole.error))
        fail_msg("%s", whole.error);
}

static void others_in_chunks(enum unit_kind kind)
{
    struct results_chunk chunk = {kind, 0, 0};

    must(&whole, results_index_addresses(whole.results));
    must(&whole, results_chunks_cut(whole.results, kind, PARTS, SIZE / 4));
    for (;;) {
        must(&whole, results_chunk_next(whole.results, &chunk));
        if (chunk.number == 0)
            break;
        small_begin(&chunk);
        if (kind == UNIT_HOST)
            must(&whole, results_chunk_hosts(whole.results, &chunk, add_named, &chunk));
        else
            extract(&chunk, file.path);
        small_end(&chunk);
        must_collect(&chunk, 0, file.path);
        must_collect(&chunk, 0, file.path); /* once more changes nothing */
    }
}

static void decided(struct buf *out)
{
    bool more = true;

    file = whole;
    for (int64_t after = 0; more;)
        must(&file, decide_some(file.results, &after, &more));
    must(&file, results_finish(file.results, MAKE_AT + 1));
    dump_all(out);
}

static void remove_all(void)
{
    for (unsigned i = 0; i < chunks; i++)
        unlink(paths[i]);
    file_remove(&whole);
}

static void chunks_come_to_the_same(void **state)
{
    struct buf want, got;

    (void)state;
    undisturbed(&want);
    whole_make();
    domains_in_chunks();
    others_in_chunks(UNIT_HOST);
    others_in_chunks(UNIT_ADDRESS);
    assert_true(chunks > 12);
    decided(&got);
    assert_string_equal(buf_text(&got), buf_text(&want));
    remove_all();
    buf_fini(&got);
    buf_fini(&want);
}

/* ---- cutting ---- */

static const char *const cut = "SELECT c.part, c.number, a.prefix, a.ip FROM temp.chunk c "
                               "JOIN address a ON a.id = c.unit ORDER BY 1, 2, 3, 4";

static void a_prefix_has_one_part(void **state)
{
    struct buf first, again;

    (void)state;
    whole_make();
    domains_in_chunks();
    others_in_chunks(UNIT_HOST);
    must(&whole, results_chunks_cut(whole.results, UNIT_ADDRESS, PARTS, 2));
    buf_init(&first, 1 << 20);
    file_dump(&whole, cut, &first);
    assert_int_equal(number_of_file(&whole, "SELECT count(*) FROM temp.chunk"),
                     number_of_file(&whole, "SELECT count(*) FROM address"));
    assert_int_equal(number_of_file(&whole, "SELECT max(n) FROM (SELECT count(DISTINCT c.part) n "
                                            "FROM temp.chunk c JOIN address a ON a.id = c.unit "
                                            "GROUP BY a.prefix)"),
                     1);
    assert_int_equal(number_of_file(&whole, "SELECT max(n) <= 4 FROM (SELECT count(*) n "
                                            "FROM temp.chunk GROUP BY part, number)"),
                     1);
    must(&whole, results_chunks_cut(whole.results, UNIT_ADDRESS, PARTS, 2));
    buf_init(&again, 1 << 20);
    file_dump(&whole, cut, &again);
    assert_string_equal(buf_text(&first), buf_text(&again));
    buf_fini(&first);
    buf_fini(&again);
    remove_all();
}

static void what_is_forgotten_is_not_waited_for(void **state)
{
    struct results_chunk chunk = {UNIT_HOST, 0, 0};
    int count = 0;

    (void)state;
    whole_make();
    domains_in_chunks();
    must(&whole, results_chunks_cut(whole.results, UNIT_HOST, 1, 5));
    for (;; count++) {
        must(&whole, results_chunk_next(whole.results, &chunk));
        if (chunk.number == 0)
            break;
        must(&whole, results_chunk_forget(whole.results, &chunk));
    }
    assert_true(count > 2);
    must(&whole, results_chunk_next(whole.results, &chunk));
    assert_int_equal(chunk.number, 0);
    remove_all();
}

/* ---- files that are not taken ---- */

/* `file` is of one domain; with a result? */
static void one_domain(int64_t seed, const char *name, bool looked_up)
{
    const struct results_chunk chunk = {UNIT_DOMAIN, 0, 1};
    struct results_run run = make_run();

    snprintf(paths[chunks], sizeof paths[0], "%s/chunk%u", whole.folder, chunks);
    run.seed = seed;
    file = whole;
    snprintf(file.path, sizeof file.path, "%s", paths[chunks++]);
    file.results = results_create(file.path, &run, file.error);
    assert_non_null(file.results);
    must(&file, results_chunk_add(file.results, UNIT_DOMAIN, name, 1));
    if (looked_up) {
        small_end(&chunk);
        return;
    }
    assert_false(results_chunk_is_done(file.results, UNIT_DOMAIN));
    must(&file, results_one_file(file.results));
    assert_true(results_close(file.results));
}

static void others_are_refused(void **state)
{
    const struct results_chunk domains = {UNIT_DOMAIN, 0, 1};
    FILE *garbage;

    (void)state;
    whole_make();
    one_domain(8, "d1.example", true); /* another seed */
    assert_int_equal(collect(&domains, 1, file.path), RESULTS_REFUSED);
    one_domain(7, "d1.example", false);
    assert_int_equal(collect(&domains, 1, file.path), RESULTS_REFUSED);
    one_domain(7, "d1.example", true);
    assert_int_equal(collect(&domains, 2, file.path), RESULTS_REFUSED);
    assert_int_equal(collect(&(struct results_chunk){UNIT_HOST, 0, 1}, 0, file.path),
                     RESULTS_REFUSED);
    assert_int_equal(collect(&domains, 1, "/nonexistent"), RESULTS_REFUSED);
    assert_int_equal(collect(&domains, 1, "/dev/null"), RESULTS_REFUSED);
    garbage = fopen(paths[0], "w");
    assert_non_null(garbage);
    assert_true(fputs("SQLite format 3", garbage) > 0);
    assert_int_equal(fclose(garbage), 0);
    for (int i = 0; i < 200; i++) /* nothing stays attached or prepared */
        assert_int_equal(collect(&domains, 1, paths[0]), RESULTS_REFUSED);
    assert_int_equal(number_of_file(&whole, "SELECT count(*) FROM domain"), 0);
    must_collect(&domains, 1, file.path);
    assert_int_equal(number_of_file(&whole, "SELECT count(looked_up) FROM domain"), 1);
    remove_all();
}

/* Hosts of a chunk that have no result: nothing of the file is kept. */
static void half_a_chunk_is_refused(void **state)
{
    struct results_chunk chunk = {UNIT_HOST, 0, 0};

    (void)state;
    whole_make();
    domains_in_chunks();
    must(&whole, results_chunks_cut(whole.results, UNIT_HOST, 1, 5));
    must(&whole, results_chunk_next(whole.results, &chunk));
    small_begin(&chunk);
    must(&file, results_chunk_add(file.results, UNIT_HOST, "mx0.o1.example", 0));
    small_end(&chunk);
    assert_int_equal(collect(&chunk, 0, file.path), RESULTS_REFUSED);
    chunk.number = 99; /* there is no such chunk */
    assert_int_equal(collect(&chunk, 0, file.path), RESULTS_REFUSED);
    assert_int_equal(number_of_file(&whole, "SELECT count(looked_up) FROM host"), 0);
    assert_int_equal(number_of_file(&whole, "SELECT count(*) FROM address"), 0);
    remove_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_come_to_the_same),
        cmocka_unit_test(a_prefix_has_one_part),
        cmocka_unit_test(what_is_forgotten_is_not_waited_for),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(half_a_chunk_is_refused),
    };

    return cmocka_run_group_tests_name("results_chunk", tests, NULL, NULL);
}
