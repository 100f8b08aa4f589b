/* source: compressed files: whole, in several parts, empty, cut, damaged, and far larger than they
 * look. The files are made by libarchive. */
#include <archive.h>
#include <archive_entry.h>
#include <sys/resource.h>

#include "tests/unit/audit/source/source_fixture.h"

#define LINES      20000
#define PACKED_MAX ((size_t)4 << 20)

static const struct packer {
    const char *name;
    int filter;
    bool exact;      /* nothing that was written before a cut is lost */
    size_t bomb_mib; /* packing takes some of them long */
} packers[] = {
    {"gzip", ARCHIVE_FILTER_GZIP, true, 100},
    {"xz", ARCHIVE_FILTER_XZ, true, 40},
    {"zstd", ARCHIVE_FILTER_ZSTD, false, 100},
    {"bzip2", ARCHIVE_FILTER_BZIP2, false, 40},
};

struct packed {
    char *data; /* owned */
    size_t length;
};

/* `times` copies of the data, compressed. */
static struct packed pack(int filter, const void *data, size_t length, size_t times)
{
    struct packed packed = {malloc(PACKED_MAX), 0};
    struct archive *archive = archive_write_new();
    struct archive_entry *entry = archive_entry_new();

    archive_write_set_format_raw(archive);
    assert_int_equal(archive_write_add_filter(archive, filter), ARCHIVE_OK);
    if (filter == ARCHIVE_FILTER_XZ) /* else it takes seconds */
        archive_write_set_filter_option(archive, "xz", "compression-level", "0");
    archive_write_set_bytes_in_last_block(archive, 1);
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_open_memory(archive, packed.data, PACKED_MAX, &packed.length),
                     ARCHIVE_OK);
    assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
    for (size_t i = 0; i < times; i++)
        assert_int_equal(archive_write_data(archive, data, length), length);
    archive_entry_free(entry);
    assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
    return packed;
}

static void make_text(struct buf *text)
{
    buf_init(text, (size_t)8 << 20);
    for (int i = 0; i < LINES; i++)
        buf_addf(text, "2026-11-27T18:45:08Z host postfix/smtp[%d]: %08x: status=sent\n", i,
                 (unsigned)i * 2654435761U);
}

/* The text is in two parts, as `gzip -c >>FILE` leaves them. The name says nothing. */
static void test_whole(void **state)
{
    const struct packer *packer = *state;
    struct packed packed;
    struct fixture f;
    struct buf text;

    fixture_make(&f);
    make_text(&text);
    for (int i = 0; i < 2; i++) {
        packed = pack(packer->filter, text.data, text.length, 1);
        fixture_put(&f, "log", "a", packed.data, packed.length);
        free(packed.data);
    }
    fixture_name(&f, "log");
    assert_int_equal(fixture_read(&f), 2 * LINES);
    assert_string_equal(buf_text(&f.warnings), "");
    assert_int_equal(f.lines.length, 2 * text.length);
    assert_memory_equal(f.lines.data, text.data, text.length);
    assert_memory_equal(f.lines.data + text.length, text.data, text.length);
    buf_fini(&text);
    fixture_end(&f);
}

static void test_empty(void **state)
{
    const struct packer *packer = *state;
    struct packed packed = pack(packer->filter, "", 0, 0);
    struct fixture f;

    fixture_make(&f);
    fixture_put(&f, "log", "w", packed.data, packed.length);
    free(packed.data);
    fixture_name(&f, "log");
    assert_int_equal(fixture_read(&f), 0);
    assert_string_equal(buf_text(&f.warnings), "");
    fixture_end(&f);
}

/* Half of the file is there. What is given is the beginning of the text. */
static void test_cut(void **state)
{
    const struct packer *packer = *state;
    struct packed packed;
    struct fixture f;
    struct buf text;
    size_t count;

    fixture_make(&f);
    make_text(&text);
    packed = pack(packer->filter, text.data, text.length, 1);
    fixture_put(&f, "log", "w", packed.data, packed.length / 2);
    fixture_write(&f, "next", "next\n");
    fixture_name(&f, "log");
    fixture_name(&f, "next");
    count = fixture_read(&f);
    assert_non_null(strstr(buf_text(&f.warnings), "the compressed data are cut"));
    assert_int_equal(source_failures(f.source), 1);
    assert_string_equal(f.lines.data + f.lines.length - 5, "next\n");
    f.lines.length -= count > 1 ? 6 : 5; /* without this, and the end of a half line */
    assert_memory_equal(f.lines.data, text.data, f.lines.length);
    if (packer->exact)
        assert_true(count > LINES * 4 / 10);
    free(packed.data);
    buf_fini(&text);
    fixture_end(&f);
}

static void test_damaged(void **state)
{
    const struct packer *packer = *state;
    struct packed packed;
    struct fixture f;
    struct buf text;

    fixture_make(&f);
    make_text(&text);
    packed = pack(packer->filter, text.data, text.length, 1);
    memset(packed.data + packed.length / 2, 0xff, 100);
    fixture_put(&f, "log", "w", packed.data, packed.length);
    fixture_write(&f, "next", "next\n");
    fixture_name(&f, "log");
    fixture_name(&f, "next");
    assert_true(fixture_read(&f) < LINES);
    assert_non_null(strstr(buf_text(&f.warnings), "damaged: "));
    assert_int_equal(source_failures(f.source), 1);
    assert_string_equal(f.lines.data + f.lines.length - 5, "next\n");
    free(packed.data);
    buf_fini(&text);
    fixture_end(&f);
}

static long memory_kib(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* Many MiB without the end of a line. */
static void test_bomb(void **state)
{
    static const char part[1 << 20] = {'x'};
    const struct packer *packer = *state;
    struct packed packed = pack(packer->filter, part, sizeof part, packer->bomb_mib);
    struct fixture f;
    long before;

    fixture_make(&f);
    assert_true(packed.length < 120000);
    fixture_put(&f, "log", "w", packed.data, packed.length);
    free(packed.data);
    fixture_write(&f, "next", "next\n");
    fixture_name(&f, "log");
    fixture_name(&f, "next");
    before = memory_kib();
    assert_int_equal(fixture_read(&f), 2);
    assert_true(memory_kib() - before < 32 * 1024);
    assert_int_equal(f.lines.length, SOURCE_LINE_MAX + 1 + 5);
    assert_non_null(strstr(buf_text(&f.warnings), "log:1: the line is too long"));
    fixture_end(&f);
}

/* ---- what gzip has at its end ---- */

static const struct tail_row {
    const char *name, *tail;
    size_t length;
    const char *warnings;
} tails[] = {
    {"nothing", "", 0, ""},
    {"NULs", "\0\0\0\0", 4, ""},
    {"text", "text", 4, "log:1: something else follows the compressed data\n"},
    {"half a header", "\x1f\x8b\x08", 3, "log:1: the compressed data are cut\n"},
    {"no header", "\x1f xxxxxxxxxx", 12,
     "log:1: the compressed data are damaged: incorrect header check\n"},
};

static void test_tail(void **state)
{
    const struct tail_row *row = *state;
    struct packed packed = pack(ARCHIVE_FILTER_GZIP, "a line\n", 7, 1);
    struct fixture f;

    fixture_make(&f);
    fixture_put(&f, "log", "w", packed.data, packed.length);
    fixture_put(&f, "log", "a", row->tail, row->length);
    free(packed.data);
    fixture_name(&f, "log");
    assert_int_equal(fixture_read(&f), 1);
    assert_string_equal(buf_text(&f.lines), "a line\n");
    assert_string_equal(buf_text(&f.warnings), row->warnings);
    fixture_end(&f);
}

/* ---- what xz asks for ---- */

/* "a line", with a dictionary of 128 and of 192 MiB */
#define XZ_HEAD  0xfd, '7', 'z', 'X', 'Z', 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46, 2, 0, 0x21, 1
#define XZ_BLOCK 1, 0, 6, 'a', ' ', 'l', 'i', 'n', 'e', '\n', 0, 0, 0x0d, 0x13, 0xb8, 0x2b
#define XZ_TAIL                                                                                    \
    0x65, 0x3e, 8, 0x52, 0, 1, 0x1f, 7, 0x16, 0x2e, 0xb8, 0x73, 0x1f, 0xb6, 0xf3, 0x7d, 1, 0, 0,   \
        0, 0, 4, 'Y', 'Z'
static const unsigned char xz_128[] = {XZ_HEAD, 0x1e, 0,    0,        0,      0x9b,
                                       0x07,    0x51, 0x66, XZ_BLOCK, XZ_TAIL};
static const unsigned char xz_192[] = {XZ_HEAD, 0x1f, 0,    0,        0,      0xfe,
                                       0x60,    0xed, 0xde, XZ_BLOCK, XZ_TAIL};

static const struct memory_row {
    const char *name;
    const unsigned char *data;
    size_t length;
    const char *lines, *warnings;
} memories[] = {
    {"a dictionary within the limit", xz_128, sizeof xz_128, "a line\n", ""},
    {"a dictionary beyond the limit", xz_192, sizeof xz_192, "",
     "log:0: it takes too much memory to unpack it\n"},
    {"NULs follow",
     (const unsigned char[]){XZ_HEAD, 0x1e, 0, 0, 0, 0x9b, 0x07, 0x51, 0x66, XZ_BLOCK, XZ_TAIL, 0,
                             0, 0, 0},
     sizeof xz_128 + 4, "a line\n", ""},
    {"something else follows",
     (const unsigned char[]){XZ_HEAD, 0x1e,     0,       0,   0,   0x9b, 0x07, 0x51,
                             0x66,    XZ_BLOCK, XZ_TAIL, 'a', ' ', 'l',  'i',  'n',
                             'e',     ' ',      'o',     'f', ' ', 'i',  't'},
     sizeof xz_128 + 12, "a line\n", "log:1: the compressed data are damaged: a check fails\n"},
};

static void test_memory(void **state)
{
    const struct memory_row *row = *state;
    struct fixture f;

    fixture_make(&f);
    fixture_put(&f, "log", "w", row->data, row->length);
    fixture_name(&f, "log");
    fixture_read(&f);
    assert_string_equal(buf_text(&f.lines), row->lines);
    assert_string_equal(buf_text(&f.warnings), row->warnings);
    fixture_end(&f);
}

/* By content, and not by name; and files that only begin as if they were compressed. */
static const struct magic_row {
    const char *name, *data;
    size_t length, lines;
    const char *warning;
} magics[] = {
    {"plain", "a\n", 2, 1, ""},
    {"gzip's first octet", "\x1f\n", 2, 1, ""},
    {"gzip's octets alone", "\x1f\x8b", 2, 0, "log.gz:0: the compressed data are cut\n"},
    {"xz's octets alone",
     "\xfd"
     "7zXZ\0",
     6, 0, "log.gz:0: the compressed data are cut\n"},
    {"zstd's octets alone", "\x28\xb5\x2f\xfd", 4, 0, "log.gz:0: the compressed data are cut or"},
    {"bzip2's octets alone", "BZh", 3, 1, "log.gz:1: the last line has no end"},
};

static void test_magic(void **state)
{
    const struct magic_row *row = *state;
    struct fixture f;

    fixture_make(&f);
    fixture_put(&f, "log.gz", "w", row->data, row->length);
    fixture_name(&f, "log.gz");
    assert_int_equal(fixture_read(&f), row->lines);
    assert_non_null(strstr(buf_text(&f.warnings), row->warning));
    assert_int_equal(f.warnings.length == 0, *row->warning == '\0');
    fixture_end(&f);
}

/* Among other files, by their first stamps. */
static void test_order(void **state)
{
    static const char *const texts[] = {
        "2026-11-24T00:00:00Z h p: 1\n", "2026-11-25T00:00:00Z h p: 2\n",
        "2026-11-26T00:00:00Z h p: 3\n", "2026-11-27T00:00:00Z h p: 4\n"};
    struct packed packed;
    struct fixture f;
    char name[2] = "a";

    (void)state;
    fixture_make(&f);
    for (size_t i = COUNT(texts); i-- > 0; name[0]++) {
        packed = pack(packers[i].filter, texts[i], strlen(texts[i]), 1);
        fixture_put(&f, name, "w", packed.data, packed.length);
        free(packed.data);
        fixture_name(&f, name);
    }
    assert_int_equal(fixture_read(&f), COUNT(texts));
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_memory_equal(f.lines.data + i * strlen(texts[0]), texts[i], strlen(texts[0]));
    fixture_end(&f);
}

int main(void)
{
    ROWS_ADD(packers, test_bomb); /* first: what was the most before */
    ROWS_ADD(packers, test_whole);
    ROWS_ADD(packers, test_empty);
    ROWS_ADD(packers, test_cut);
    ROWS_ADD(packers, test_damaged);
    ROWS_ADD(tails, test_tail);
    ROWS_ADD(memories, test_memory);
    ROWS_ADD(magics, test_magic);
    ROWS_ADD_TEST(test_order);
    return rows_run("source_packed");
}
