/*
 * fuzz_tlsrpt_files: any octets as what `mxcrypt tlsrpt` reads: a report, packed or not, a journal, the
 * name of a file, an address of a record. What is accepted keeps its form: an address is one word and
 * no option, a name is no path, and a message is of printable ASCII.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/tlsrpt/tlsrpt_journal.h"
#include "audit/tlsrpt/tlsrpt_mail.h"
#include "audit/tlsrpt/tlsrpt_rua.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mail(const char *id)
{
    struct tlsrpt_mail mail = {.name = "s.example!d.example!1!2!1.json.gz",
                               .recipient = "a@d.example",
                               .contact = "a@s.example",
                               .organization = id,
                               .id = id,
                               .data = id,
                               .length = strlen(id)};
    struct buf out;

    buf_init(&out, 100 * 1024 * 1024);
    CHECK(tlsrpt_mail_write(&out, &mail));
    for (size_t i = 0; i < out.length; i++)
        CHECK(out.data[i] == '\n' || (out.data[i] >= ' ' && out.data[i] <= '~'));
    buf_fini(&out);
}

static void as_report(const uint8_t *data, size_t size)
{
    struct tlsrpt_heading heading;
    struct buf text;
    json_t *report = NULL;

    buf_init(&text, 1024 * 1024);
    if (tlsrpt_unpack(&text, data, size) == NULL)
        report = json_loadb(buf_text(&text), text.length, JSON_REJECT_DUPLICATES, NULL);
    if (report != NULL && tlsrpt_heading_read(&heading, report))
        check_mail(heading.id);
    json_decref(report);
    buf_fini(&text);
}

static void as_journal(const char *text, size_t size)
{
    struct tlsrpt_journal *journal = tlsrpt_journal_new();
    struct tlsrpt_attempts attempts;

    CHECK(journal != NULL && tlsrpt_journal_read(journal, text, size));
    attempts = tlsrpt_journal_find(
        journal, (struct tlsrpt_delivery){"s.example!d.example!1!2!1.json.gz", {"a", size % 2}});
    CHECK(attempts.over || !attempts.sent);
    CHECK((tlsrpt_next_attempt(&attempts) == 0) == (attempts.failed == 0));
    tlsrpt_journal_free(journal);
}

static void as_name(const char *text)
{
    struct tlsrpt_name name;

    if (!tlsrpt_name_read(&name, text))
        return;
    CHECK(strlen(text) <= TLSRPT_NAME_MAX && strchr(text, '/') == NULL && text[0] != '.');
    CHECK(strpbrk(text, " \n\r") == NULL);
    CHECK(name.begin >= 0 && name.end >= 0);
    CHECK(hostname_canonical(name.domain) && hostname_canonical(name.submitter));
}

static void as_rua(const char *text, size_t size)
{
    struct tlsrpt_rua rua;
    const char *why;

    if (!tlsrpt_rua_read(&rua, text, size, &why)) {
        CHECK(why != NULL);
        return;
    }
    CHECK(hostname_canonical(rua.host) && strchr(rua.host, '.') != NULL);
    CHECK(strlen(rua.text) <= TLSRPT_URI_MAX && rua.text[0] != '-');
    CHECK(rua.kind == TLSRPT_RUA_MAIL || rua.text[0] == '/');
    for (const char *c = rua.text; *c != '\0'; c++)
        CHECK(*c > ' ' && *c <= '~');
    CHECK(rua.kind == TLSRPT_RUA_HTTPS || strpbrk(rua.text, "|!%/`\",;<>()\\") == NULL);
}

/* The first octet chooses. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = malloc(size);
    CHECK(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0]) {
    case 'j':
        as_journal(text, size - 1);
        break;
    case 'n':
        as_name(text);
        break;
    case 'a':
        as_rua(text, size - 1);
        break;
    default:
        as_report((const uint8_t *)text, size - 1);
        break;
    }
    free(text);
    return 0;
}
