/* source: lines of plain files, their limits, their order, what cannot be read. */
#include "tests/unit/audit/source/source_fixture.h"

#include <time.h>

/* ---- one file: what is in it, what is given, what is warned of ---- */

static const struct file_row {
    const char *name, *data;
    size_t length; /* 0: of the string */
    const char *lines, *warnings;
} files[] = {
    {"nothing", "", 0, "", ""},
    {"one line", "a b\n", 0, "a b\n", ""},
    {"empty lines", "\n\na\n\n", 0, "\n\na\n\n", ""},
    {"no end", "a\nb", 0, "a\nb\n", "log:2: the last line has no end\n"},
    {"a carriage return stays", "a\r\nb\n", 0, "a\r\nb\n", ""},
    {"NULs before a line", "a\n\0\0\0b\nc\n", 9, "a\nb\nc\n",
     "log:2: NULs before the line are left out\n"},
    {"NULs before two lines", "\0a\n\0b\n", 6, "a\nb\n",
     "log:1: NULs before the line are left out\nlog:0: 2 lines had NULs before them\n"},
    {"NULs at the end", "a\n\0\0", 4, "a\n", "log:2: NULs before the line are left out\n"},
    {"nothing but NULs", "\0\0\0", 3, "", "log:1: NULs before the line are left out\n"},
    {"like bzip2, and short", "BZ", 0, "BZ\n", "log:1: the last line has no end\n"},
    {"like bzip2, and not", "BZ\nb\n", 0, "BZ\nb\n", ""},
};

static void test_file(void **state)
{
    const struct file_row *row = *state;
    struct fixture f;

    fixture_make(&f);
    fixture_put(&f, "log", "w", row->data, row->length == 0 ? strlen(row->data) : row->length);
    fixture_name(&f, "log");
    fixture_read(&f);
    assert_string_equal(buf_text(&f.lines), row->lines);
    assert_string_equal(buf_text(&f.warnings), row->warnings);
    assert_int_equal(source_failures(f.source), 0);
    fixture_end(&f);
}

/* ---- lengths ---- */

static void add_run(struct buf *text, char c, size_t length)
{
    char part[1024];

    memset(part, c, sizeof part);
    for (; length > sizeof part; length -= sizeof part)
        buf_add(text, part, sizeof part);
    buf_add(text, part, length);
}

static const struct length_row {
    const char *name;
    size_t length;
    bool cut, last; /* last: without an end, and nothing follows */
} lengths[] = {
    {"one octet below the limit", SOURCE_LINE_MAX - 1, false, false},
    {"at the limit", SOURCE_LINE_MAX, false, false},
    {"one octet beyond the limit", SOURCE_LINE_MAX + 1, true, false},
    {"longer than the buffer", 300000, true, false},
    {"a megabyte", 1 << 20, true, false},
    {"at the limit, no end", SOURCE_LINE_MAX, false, true},
    {"one octet beyond the limit, no end", SOURCE_LINE_MAX + 1, true, true},
    {"a megabyte, no end", 1 << 20, true, true},
};

/* After 200,000 octets of short lines, so that it lies across the buffer's end. */
static void write_long(struct fixture *f, const struct length_row *row)
{
    struct buf text;

    buf_init(&text, (size_t)4 << 20);
    for (int i = 0; i < 2000; i++) {
        add_run(&text, 's', 99);
        buf_adds(&text, "\n");
    }
    add_run(&text, 'x', row->length);
    if (!row->last)
        buf_adds(&text, "\nafter\n");
    fixture_put(f, "log", "w", text.data, text.length);
    buf_fini(&text);
}

static void test_length(void **state)
{
    const struct length_row *row = *state;
    size_t given = row->length < SOURCE_LINE_MAX ? row->length : SOURCE_LINE_MAX;
    struct source_line line;
    struct fixture f;

    fixture_make(&f);
    write_long(&f, row);
    fixture_name(&f, "log");
    fixture_open(&f);
    for (int i = 0; i < 2000; i++) {
        assert_true(source_next(f.source, &line));
        assert_int_equal(line.length, 99);
    }
    assert_true(source_next(f.source, &line));
    assert_int_equal(line.length, given);
    assert_int_equal(line.cut, row->cut);
    assert_int_equal(line.number, 2001);
    for (size_t i = 0; i < given; i++)
        assert_int_equal(line.text[i], 'x');
    assert_int_equal(strstr(buf_text(&f.warnings), "log:2001: the line is too long") != NULL,
                     row->cut);
    if (!row->last) {
        assert_true(source_next(f.source, &line));
        assert_int_equal(line.length, 5);
        assert_memory_equal(line.text, "after", 5);
    }
    assert_false(source_next(f.source, &line));
    fixture_end(&f);
}

/* The buffer's end falls on every place of a line. */
static void test_across_buffers(void **state)
{
    size_t count = 0, length = 0;
    struct source_line line;
    struct fixture f;
    struct buf text;

    (void)state;
    fixture_make(&f);
    buf_init(&text, (size_t)8 << 20);
    for (int i = 0; i < 40000; i++)
        buf_addf(&text, "%d %.*s\n", i, i % 197,
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    fixture_put(&f, "log", "w", text.data, text.length);
    fixture_name(&f, "log");
    fixture_open(&f);
    for (; source_next(f.source, &line); count++) {
        assert_int_equal(strtol(line.text, NULL, 10), count);
        length += line.length + 1;
    }
    assert_int_equal(count, 40000);
    assert_int_equal(length, text.length);
    buf_fini(&text);
    fixture_end(&f);
}

static void test_many_cut(void **state)
{
    struct fixture f;
    struct buf text;

    (void)state;
    fixture_make(&f);
    buf_init(&text, (size_t)1 << 20);
    for (int i = 0; i < 3; i++) {
        add_run(&text, 'x', SOURCE_LINE_MAX + 1);
        buf_adds(&text, "\n");
    }
    fixture_put(&f, "log", "w", text.data, text.length);
    fixture_name(&f, "log");
    assert_int_equal(fixture_read(&f), 3);
    assert_string_equal(buf_text(&f.warnings), "log:1: the line is too long: its rest is left out\n"
                                               "log:0: 3 lines were cut\n");
    buf_fini(&text);
    fixture_end(&f);
}

/* ---- what cannot be read; the rest is ---- */

static void test_no_files(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "a", "a\n");
    fixture_write(&f, "z", "z\n");
    assert_int_equal(mkdir(fixture_path(&f, "folder"), 0700), 0);
    assert_int_equal(mkfifo(fixture_path(&f, "fifo"), 0600), 0);
    fixture_name(&f, "a");
    fixture_name(&f, "folder");
    fixture_name(&f, "fifo");
    fixture_name(&f, "missing");
    f.places[f.count++] = (struct source_place){.path = "/dev/zero"};
    fixture_name(&f, "z");
    fixture_read(&f);
    assert_string_equal(buf_text(&f.lines), "a\nz\n");
    assert_string_equal(buf_text(&f.warnings),
                        "folder:0: cannot be read: Is a directory\n"
                        "fifo:0: nothing was written to it\n"
                        "missing:0: cannot be read: No such file or directory\n"
                        "zero:0: cannot be read: this is no file\n");
    assert_int_equal(source_failures(f.source), 3);
    fixture_end(&f);
}

static void test_fifo(void **state)
{
    struct fixture f;
    int reader, writer;

    (void)state;
    fixture_make(&f);
    assert_int_equal(mkfifo(fixture_path(&f, "fifo"), 0600), 0);
    reader = open(fixture_path(&f, "fifo"), O_RDONLY | O_NONBLOCK);
    writer = open(fixture_path(&f, "fifo"), O_WRONLY);
    assert_int_equal(write(writer, "a\nb\n", 4), 4);
    close(writer);
    fixture_name(&f, "fifo");
    assert_int_equal(fixture_read(&f), 2);
    assert_string_equal(buf_text(&f.warnings), "");
    close(reader);
    fixture_end(&f);
}

static void test_shrinks(void **state)
{
    struct source_line line;
    struct fixture f;
    struct buf text;

    (void)state;
    fixture_make(&f);
    buf_init(&text, (size_t)1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_adds(&text, "a line of forty octets: it is as it is.\n");
    fixture_put(&f, "log", "w", text.data, text.length);
    fixture_name(&f, "log");
    fixture_open(&f);
    assert_true(source_next(f.source, &line));
    assert_int_equal(truncate(fixture_path(&f, "log"), 80), 0);
    fixture_read(&f);
    assert_non_null(strstr(buf_text(&f.warnings), "the file became shorter while it was read"));
    assert_int_equal(source_failures(f.source), 1);
    buf_fini(&text);
    fixture_end(&f);
}

static void count_warning(void *context, const char *file, uint64_t line, const char *text)
{
    (void)file, (void)line, (void)text;
    ++*(size_t *)context;
}

static const struct count_row {
    const char *name;
    size_t count, lines, warnings;
} counts[] = {
    {"no place", 0, 0, 0},
    {"one place below the limit", SOURCE_FILES_MAX - 1, SOURCE_FILES_MAX - 1, 0},
    {"as many as the limit", SOURCE_FILES_MAX, SOURCE_FILES_MAX, 0},
    {"one place beyond the limit", SOURCE_FILES_MAX + 1, SOURCE_FILES_MAX, 1},
};

static void test_count(void **state)
{
    const struct count_row *row = *state;
    struct source_place *places = calloc(row->count + 1, sizeof *places);
    size_t warnings = 0, lines = 0;
    struct source_line line;
    struct fixture f;

    fixture_make(&f);
    fixture_write(&f, "log", "a\n");
    fixture_name(&f, "log");
    for (size_t i = 0; i < row->count; i++)
        places[i] = f.places[0];
    f.source = source_open(places, row->count, count_warning, &warnings);
    while (source_next(f.source, &line))
        lines++;
    assert_int_equal(lines, row->lines);
    assert_int_equal(warnings, row->warnings);
    assert_int_equal(source_failures(f.source), row->warnings);
    free(places);
    fixture_end(&f);
}

/* ---- the order ---- */

static void test_order(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "mail.log", "2026-11-27T00:00:00Z h p: 4\n");
    fixture_write(&f, "mail.log.1", "junk\n2026-11-26T00:00:00Z h p: 3\n");
    fixture_write(&f, "mail.log.10", "2026-11-17T00:00:00Z h p: 1\n");
    fixture_write(&f, "mail.log.2", "2026-11-25T00:00:00Z h p: 2\n");
    fixture_write(&f, "empty", "");
    fixture_write(&f, "none", "no stamp\n");
    fixture_name(&f, "none");
    fixture_name(&f, "empty");
    fixture_name(&f, "mail.log");
    fixture_name(&f, "mail.log.1");
    fixture_name(&f, "mail.log.10");
    fixture_name(&f, "mail.log.2");
    fixture_read(&f);
    assert_string_equal(buf_text(&f.lines), "2026-11-17T00:00:00Z h p: 1\n"
                                            "2026-11-25T00:00:00Z h p: 2\n"
                                            "junk\n"
                                            "2026-11-26T00:00:00Z h p: 3\n"
                                            "2026-11-27T00:00:00Z h p: 4\n"
                                            "no stamp\n");
    fixture_end(&f);
}

static void test_order_of_one_second(void **state)
{
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "mail.log", "2026-11-27T00:00:00Z h p: 2\n");
    fixture_write(&f, "mail.log.1", "2026-11-27T00:00:00Z h p: 1\n");
    fixture_age(&f, "mail.log", 1795824002);
    fixture_age(&f, "mail.log.1", 1795824001);
    fixture_name(&f, "mail.log");
    fixture_name(&f, "mail.log.1");
    fixture_read(&f);
    assert_string_equal(buf_text(&f.lines), "2026-11-27T00:00:00Z h p: 1\n"
                                            "2026-11-27T00:00:00Z h p: 2\n");
    fixture_end(&f);
}

/* ---- the year of the first stamp ---- */

#define DAY  INT64_C(86400)
#define NOON (DAY / 2) /* no clock is put back then */

/* Twenty lines every `step` days, from one day to another, both in days since 1970. */
static void write_days(const struct fixture *f, int64_t from, int64_t to, int64_t step)
{
    char stamp[32];
    struct buf text;
    struct tm parts;

    buf_init(&text, (size_t)8 << 20);
    for (int64_t day = from; day <= to; day += step) {
        time_t at = (time_t)(day * DAY + NOON);

        localtime_r(&at, &parts);
        strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &parts);
        for (int i = 0; i < 20; i++)
            buf_addf(&text, "%s host postfix/qmgr[1]: 4bXyz: removed, and more of it\n", stamp);
    }
    assert_false(text.failed);
    fixture_put(f, "log", "w", text.data, text.length);
    fixture_age(f, "log", (time_t)(to * DAY + NOON + 3600));
    buf_fini(&text);
}

static const struct year_row {
    const char *name;
    int64_t from, to; /* in days since 1970 */
    int64_t step;
} years[] = {
    {"a week", 20780, 20787, 1},
    {"over the new year", 20800, 20830, 1},
    {"a day short of a year", 20423, 20787, 1},
    {"a year and a week", 20415, 20787, 1},
    {"thirteen months, few lines", 20390, 20787, 30},
    {"two years and a week", 20050, 20787, 1},
    {"five years", 18961, 20787, 7},
    {"from a 29th of February on", 19782, 20787, 1},
    {"from the one before on", 18321, 20787, 1},
    {"from a 31st of December on", 20088, 20787, 1},
    {"to a 1st of January", 20050, 20819, 1},
};

/* Every stamp is read as what it was. */
static void test_year(void **state)
{
    const struct year_row *row = *state;
    struct stamp_reader reader = {0};
    struct source_line line;
    struct fixture f;
    int64_t at, day = row->from;

    fixture_make(&f);
    write_days(&f, row->from, row->to, row->step);
    fixture_name(&f, "log");
    fixture_open(&f);
    while (source_next(f.source, &line)) {
        if (line.first)
            stamp_file(&reader, line.newest, line.begin);
        assert_true(stamp_read(&reader, line.text, line.length, &at) > 0);
        assert_int_equal(at, day * DAY + NOON);
        day += line.number % 20 == 0 ? row->step : 0;
    }
    assert_true(day > row->to);
    fixture_end(&f);
}

/* Years in the stamps: the file's own time is what is said. */
static void test_years_written(void **state)
{
    struct source_line line;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "log", "2020-11-17T00:00:00Z h p: 1\n2026-01-17T00:00:00Z h p: 1\n");
    fixture_age(&f, "log", 1234567890);
    fixture_name(&f, "log");
    fixture_open(&f);
    assert_true(source_next(f.source, &line));
    assert_int_equal(line.newest, 1234567890);
    assert_int_equal(line.begin, 1234567890);
    fixture_end(&f);
}

/* ---- programs, standard input, progress ---- */

static const struct program_row {
    const char *name, *words[4];
    const char *lines, *warnings;
    size_t failures;
} programs[] = {
    {"a program", {"printf", "a\nb\n"}, "a\nb\n", "", 0},
    {"no shell", {"printf", "%s\n", "$(id);*"}, "$(id);*\n", "", 0},
    {"it fails",
     {"sh", "-c", "echo a; exit 3"},
     "a\n",
     "journal:1: the program failed: exit status 3\n",
     1},
    {"it is killed",
     {"sh", "-c", "echo a; kill -9 $$"},
     "a\n",
     "journal:1: the program failed: signal 9\n",
     1},
    {"it has no input", {"cat"}, "", "", 0},
    {"there is none",
     {"no-such-program-anywhere"},
     "",
     "journal:0: cannot be run: No such file or directory\n",
     1},
};

static void test_program(void **state)
{
    const struct program_row *row = *state;
    struct fixture f;

    fixture_make(&f);
    f.places[f.count++] = (struct source_place){.words = row->words};
    fixture_read(&f);
    assert_string_equal(buf_text(&f.lines), row->lines);
    assert_string_equal(buf_text(&f.warnings), row->warnings);
    assert_int_equal(source_failures(f.source), row->failures);
    fixture_end(&f);
}

/* A program that would go on for ever is ended with the source. */
static void test_endless_program(void **state)
{
    static const char *const words[] = {"yes", NULL};
    struct source_line line;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    f.places[f.count++] = (struct source_place){.words = words};
    fixture_open(&f);
    assert_true(source_next(f.source, &line));
    assert_int_equal(line.length, 1);
    assert_string_equal(line.file, "journal");
    fixture_end(&f);
}

static void test_standard_input(void **state)
{
    int kept = dup(STDIN_FILENO), file;
    struct source_line line;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "log", "a\nb\n");
    file = open(fixture_path(&f, "log"), O_RDONLY);
    dup2(file, STDIN_FILENO);
    close(file);
    f.places[f.count++] = (struct source_place){.path = "-"};
    fixture_open(&f);
    assert_true(source_next(f.source, &line));
    assert_string_equal(line.file, "-");
    assert_int_equal(fixture_read(&f), 1);
    fixture_end(&f);
    dup2(kept, STDIN_FILENO);
    close(kept);
}

static void test_progress(void **state)
{
    uint64_t done, all;
    struct fixture f;

    (void)state;
    fixture_make(&f);
    fixture_write(&f, "a", "a\n");
    fixture_write(&f, "b", "bbb\n");
    fixture_write(&f, "empty", "");
    fixture_name(&f, "a");
    fixture_name(&f, "b");
    fixture_name(&f, "empty");
    fixture_open(&f);
    source_progress(f.source, &done, &all);
    assert_int_equal(done, 0);
    assert_int_equal(all, 6);
    fixture_read(&f);
    source_progress(f.source, &done, &all);
    assert_int_equal(done, 6);
    source_close(f.source);
    f.places[0] = (struct source_place){.path = "-"};
    fixture_open(&f);
    source_progress(f.source, &done, &all);
    assert_int_equal(all, 0);
    fixture_end(&f);
}

int main(void)
{
    setenv("TZ", "Europe/Berlin", 1);
    virtual_clock_stop(); /* programs that are run have the real one */
    ROWS_ADD(files, test_file);
    ROWS_ADD(lengths, test_length);
    ROWS_ADD_TEST(test_across_buffers);
    ROWS_ADD_TEST(test_many_cut);
    ROWS_ADD_TEST(test_no_files);
    ROWS_ADD_TEST(test_fifo);
    ROWS_ADD_TEST(test_shrinks);
    ROWS_ADD(counts, test_count);
    ROWS_ADD_TEST(test_order);
    ROWS_ADD_TEST(test_order_of_one_second);
    ROWS_ADD(years, test_year);
    ROWS_ADD_TEST(test_years_written);
    ROWS_ADD(programs, test_program);
    ROWS_ADD_TEST(test_endless_program);
    ROWS_ADD_TEST(test_standard_input);
    ROWS_ADD_TEST(test_progress);
    return rows_run("source");
}
