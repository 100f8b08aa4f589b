/*
 * record_fields: the one list of what records consist of. Columns and statements of the store,
 * members of an export, copies, checks and clocks all follow it: a new field is one line here, a
 * column in store_schema.c, and a line in the struct.
 */
#pragma once

#include "base/sql/sql.h"
#include "daemon/store/record.h"

enum field_type {
    FIELD_KEY,     /* struct key's text */
    FIELD_NAME,    /* a host name in lower case */
    FIELD_SNI,     /* the same, or "" */
    FIELD_ID,      /* of an MTA-STS policy; may be "" */
    FIELD_WORDS,   /* printable ASCII for people */
    FIELD_ANSWER,  /* the same, as long as an answer may be */
    FIELD_BODY,    /* of an MTA-STS policy; up to here pointers to text */
    FIELD_WORD,    /* an enum, by the words of `vocabulary` */
    FIELD_ADDRESS, /* struct ip */
    FIELD_HASH,    /* uint64_t, as 16 hexadecimal digits; up to here written as text */
    FIELD_TIME,    /* int64_t, ms */
    FIELD_SECONDS, /* int64_t since 1970, may be negative */
    FIELD_SHIFT,   /* int64_t, ms, from one clock to another */
    FIELD_COUNT,   /* unsigned */
    FIELD_CODE,    /* int, of SMTP */
    FIELD_PORT,    /* uint16_t */
    FIELD_CLAIM,   /* bool; up to here written as numbers */
    FIELD_OCTETS,  /* the evidence */
    FIELD_WRITTEN  /* the moment of writing, wall clock; in the store only */
};

enum field_flag {
    FIELD_OPTIONAL = 1,     /* may be absent: NULL, or `first` of an event */
    FIELD_START = 2,        /* the time by which the record counts its lifetimes */
    FIELD_MOVES = 4,        /* a time that moves with the record */
    FIELD_BY_CLOCK = 8,     /* a time that moves with the clock alone */
    FIELD_ENDS = 16,        /* at most the record's life after its start */
    FIELD_PAST = 32,        /* no later than now when it is read */
    FIELD_NEXT_DAY = 64,    /* no later than in a day when it is read */
    FIELD_POSITIVE = 128,   /* at least 1 when it is read, unless 0 */
    FIELD_UNCHECKED = 256,  /* may change without the row's check */
    FIELD_LAPSE_NOW = 512,  /* no later than the moment at which all answers are ended */
    FIELD_LAPSE_ZERO = 1024 /* zero from then on */
};

struct record_field {
    const char *name; /* of the column and of the member */
    enum field_type type;
    size_t offset; /* in struct record */
    enum record_vocabulary vocabulary;
    unsigned flags; /* of enum field_flag */
};

#define RECORD_FIELDS_MAX 24 /* of one kind */

/* In the order of the columns; the name of the one after the last is NULL. */
extern const struct record_field *const record_fields[RECORD_KINDS];

#define RECORD_FIELD(record, field, type) ((type *)(void *)((char *)(record) + (field)->offset))

#define RECORD_ROOM IP_TEXT_MAX /* for the texts of addresses and hashes */

/* The value of a field; none of FIELD_WRITTEN. */
struct sql_value record_get(const struct record *record, const struct record_field *field,
                            char room[RECORD_ROOM]);
/* Sets a field; texts and octets are copied to `arena`. NULL, or why the value cannot be one of the
 * field; what its bounds are is for record_valid. */
const char *record_set(struct record *record, const struct record_field *field,
                       const struct sql_value *value, struct arena *arena);
/* NULL when the field is within its bounds, else why not. */
const char *record_field_wrong(const struct record *record, const struct record_field *field);
