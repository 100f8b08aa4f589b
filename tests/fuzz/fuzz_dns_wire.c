/*
 * fuzz_dns_wire: replies to a fixed question. The first octet chooses the type asked; the id and
 * QR are put right when its top bit is set, so that mutations reach what lies behind the header.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "probe/dns/dns_wire.h"

#define NAME "a.example"

static const uint16_t types[] = {DNS_A,   DNS_NS,   DNS_CNAME, DNS_MX,
                                 DNS_TXT, DNS_AAAA, DNS_TLSA,  DNS_A};

static void check_name(const char *name)
{
    uint8_t octets[DNS_QUERY_OCTETS_MAX];

    CHECK(dns_wire_query(octets, 1, name, DNS_A) > 0); /* what was read can be asked for */
    for (; *name != '\0'; name++)
        CHECK(*name > 0x20 && *name < 0x7f && !(*name >= 'A' && *name <= 'Z'));
}

static void check_answer(const struct dns_answer *answer)
{
    CHECK(answer->owner != NULL && answer->ttl <= 0x7fffffff);
    check_name(answer->owner);
    CHECK((answer->outcome == DNS_FAILED) == (answer->why != NULL));
    CHECK((answer->outcome == DNS_RECORDS) == (answer->count > 0));
    CHECK(answer->count <= DNS_RECORDS_MAX && answer->aliases <= DNS_ALIASES_MAX);
    CHECK(answer->outcome != DNS_FAILED || (!answer->secure && answer->ttl == 0));
    for (const char *p = answer->why; p != NULL && *p != '\0'; p++)
        CHECK(*p >= 0x20 && *p < 0x7f);
    for (size_t i = 0; i < answer->count; i++)
        if (answer->records[i].name != NULL)
            check_name(answer->records[i].name);
        else
            CHECK(answer->records[i].data != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena;
    struct dns_answer answer = {0};
    uint8_t *message;
    uint16_t type;

    if (size < 1 || size > DNS_MESSAGE_MAX)
        return 0;
    type = types[data[0] & 7];
    message = malloc(size);
    arena = arena_new(8u << 20);
    CHECK(message != NULL && arena != NULL);
    memcpy(message, data + 1, size - 1);
    if ((data[0] & 0x80) && size > 3) {
        message[0] = message[1] = 0x12;
        message[2] = (uint8_t)((message[2] | 0x80) & 0x85);
    }
    if (dns_wire_answer(&answer, arena, message, size - 1, 0x1212, NAME, type) == DNS_WIRE_OK)
        check_answer(&answer);
    arena_free(arena);
    free(message);
    return 0;
}
