/*
 * tlsrpt_file: a report as a file: its name (RFC 8460 §5.1) and its octets, JSON compressed by gzip.
 * What is read was written by us or came from anybody: it is hostile until read.
 */
#pragma once

#include <jansson.h>

#include "audit/tlsrpt/tlsrpt_report.h"
#include "base/buf.h"
#include "base/net/hostname.h"

#define TLSRPT_NAME_MAX                                                                            \
    230 /* octets, of a file name: with what a temporary one has behind it
                                      it must be less than 256 */
#define TLSRPT_JSON_MAX   ((size_t)8 * 1024 * 1024) /* octets of a report, unpacked */
#define TLSRPT_GZIP_MAX   ((size_t)4 * 1024 * 1024) /* packed */
#define TLSRPT_UNIQUE_MAX 32

/* "sender.example!example.net!1470013207!1470186007!1.json.gz". False when it is too long. */
bool tlsrpt_name_make(char out[TLSRPT_NAME_MAX + 1], const struct tlsrpt_day *day,
                      const char *domain);

struct tlsrpt_name {
    char submitter[HOSTNAME_MAX + 1], domain[HOSTNAME_MAX + 1]; /* lower case */
    int64_t begin, end;
};
/* False for every other name, one without unique-id too. */
bool tlsrpt_name_read(struct tlsrpt_name *out, const char *name);

/* Appends the report to `out`, packed. False without memory, or when it is too long. */
bool tlsrpt_pack(struct buf *out, const json_t *report);
/* Unpacks octets that begin as gzip does, up to TLSRPT_JSON_MAX, and leaves others as they are.
 * NULL, or what is wrong: a sentence without an end. */
const char *tlsrpt_unpack(struct buf *out, const void *data, size_t length);

/* A report as it is read: members that are strings and numbers in their places, others left out. */
struct tlsrpt_heading {
    const char *id; /* report-id; borrowed from the JSON, as the next ones */
    const char *organization, *contact, *begin, *end;
    const json_t *policies; /* an array */
};
/* False when it is no report. */
bool tlsrpt_heading_read(struct tlsrpt_heading *out, const json_t *report);
