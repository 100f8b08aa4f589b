/* records_text: records as lines of a zone file, as commands of nsupdate(1), and as JSON. */
#include <string.h>

#include "check/records/records.h"

/* Extension fields may hold any UTF-8, which is nothing for a terminal. */
static void add_printable(struct buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= ' ' && text[i] <= '~')
            buf_add(out, &text[i], 1);
        else
            buf_addf(out, "\\x%02x", (unsigned char)text[i]);
}

static void add_policy(struct buf *out, const struct records *records)
{
    const char *line = records->policy;

    if (line == NULL)
        return;
    buf_addf(out, "; %s%s:\n", records->policy_url, records->policy_present ? " (as it is)" : "");
    while (*line != '\0') {
        size_t length = strcspn(line, "\r\n");

        buf_adds(out, ";   ");
        add_printable(out, line, length);
        buf_adds(out, "\n");
        line += length;
        line += strspn(line, "\r\n");
    }
}

static void add_notes(struct buf *out, const struct records *records)
{
    for (size_t i = 0; i < records->note_count; i++)
        buf_addf(out, "; note: %s\n", records->notes[i]);
}

void records_zone(struct buf *out, const struct records *records, uint32_t ttl)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct record *record = &records->records[i];

        buf_addf(out, "; %s%s%s\n", record->remove ? "remove: " : "", record->why,
                 record->present ? " (present)"
                 : record->alone ? ", in place of what is there"
                                 : "");
        buf_addf(out, "%s%s. %u IN %s %s\n", record->remove ? "; " : "", record->name, ttl,
                 record->type, record->data);
    }
    add_policy(out, records);
    add_notes(out, records);
}

/* A message to a server is about one zone: one for each name. */
void records_nsupdate(struct buf *out, const struct records *records, uint32_t ttl)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct record *record = &records->records[i];

        if (record->present)
            continue;
        buf_addf(out, "; %s\n", record->why);
        if (record->alone)
            buf_addf(out, "update delete %s. %s\n", record->name, record->type);
        if (record->remove)
            buf_addf(out, "update delete %s. %s %s\nsend\n", record->name, record->type,
                     record->data);
        else
            buf_addf(out, "update add %s. %u IN %s %s\nsend\n", record->name, ttl, record->type,
                     record->data);
    }
    add_policy(out, records);
    add_notes(out, records);
}

static json_t *json_of(const struct record *record, uint32_t ttl)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:b, s:b}", "name", record->name, "type",
                     record->type, "ttl", (json_int_t)ttl, "data", record->data, "why", record->why,
                     "present", record->present, "remove", record->remove);
}

json_t *records_json(const struct records *records, uint32_t ttl)
{
    json_t *list = json_array(), *notes = json_array();

    for (size_t i = 0; i < records->count; i++)
        json_array_append_new(list, json_of(&records->records[i], ttl));
    for (size_t i = 0; i < records->note_count; i++)
        json_array_append_new(notes, json_string(records->notes[i]));
    return json_pack("{s:o, s:s*, s:s*, s:b, s:o}", "records", list, "policy", records->policy,
                     "policy_url", records->policy_url, "policy_present", records->policy_present,
                     "notes", notes);
}
