/*
 * page_make: a period of made-up mail for the pages: two months, domains of every temper, names and
 * texts of strangers who mean ill, verdicts, what-ifs and a queue. The same each time.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/page/page.h"
#include "base/check.h"

#define MAKE_NOW  ((int64_t)1795802400) /* 2026-11-27T18:00:00Z */
#define MAKE_DAYS 61
#define DAY_S     86400

struct page_made {
    struct tally *tally;
    struct judged judged;
    struct page page;
};

/* How mail to a domain goes: of ten deliveries so many at each level. */
struct made_domain {
    const char *name, *host;
    unsigned messages_per_day;
    unsigned levels[TALLY_LEVEL_COUNT];
    enum verdict_level found;
    const char *reason;
};

#define HOSTILE_TITLE   "</title><img/src=x/onerror=alert(1)>.example"
#define HOSTILE_SCRIPT  "<script>alert(1)</script>.example"
#define HOSTILE_QUOTE   "\"onmouseover=\"alert(1)\"x.example"
#define HOSTILE_ENTITY  "&lt;b&gt;&#39;x&#x27;.example"
#define HOSTILE_JSON    "\\\",\"messages\":-1,\"x\":\".example"
#define HOSTILE_PROTO   "__proto__"
#define HOSTILE_CDATA   "]]>-->*/<!--.example"
#define HOSTILE_FORMULA "=cmd|'/c'!A1.example"

static const struct made_domain made_domains[] = {
    {"partner.example", "mx1.partner.example", 40, {10}, VERDICT_DANE_ONLY, "dane-full"},
    {"bank.example", "mail.bank.example", 22, {9, 1}, VERDICT_SECURE, "sts-enforce"},
    {"university.example",
     "mx.university.example",
     18,
     {0, 8, 2},
     VERDICT_VERIFY,
     "starttls-verified"},
    {"bigmail.example", "in.bigmail.example", 65, {0, 10}, VERDICT_VERIFY, "starttls-verified"},
    {"freemail.example", "mx00.freemail.example", 33, {7, 3}, VERDICT_DANE, "dane-mixed"},
    {"selfsigned.example",
     "box.selfsigned.example",
     9,
     {0, 0, 9, 1},
     VERDICT_ENCRYPT,
     "starttls-tls"},
    {"old.example",
     "exchange.old.example",
     6,
     {0, 0, 0, 0, 10},
     VERDICT_NO_OPINION,
     "starttls-clear"},
    {"printer.example",
     "mail.printer.example",
     3,
     {0, 1, 0, 0, 9},
     VERDICT_NO_OPINION,
     "starttls-partly"},
    {"club.example",
     "smtp.club.example",
     2,
     {0, 5, 1, 0, 4},
     VERDICT_NO_OPINION,
     "starttls-partly"},
    {"unlogged.example", "mx.unlogged.example", 4, {0, 0, 0, 0, 0, 10}, VERDICT_TEMP, "mx-error"},
    {HOSTILE_TITLE, "mx.evil.example", 1, {0, 0, 0, 0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_SCRIPT, "<script>alert(2)</script>", 1, {0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_QUOTE, "mx.evil.example", 1, {0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_ENTITY, "mx.evil.example", 1, {0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_JSON, "mx.evil.example", 1, {0, 0, 0, 0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_PROTO, "mx.evil.example", 1, {0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_CDATA, "mx.evil.example", 1, {0, 10}, VERDICT_NO_OPINION, "nxdomain"},
    {HOSTILE_FORMULA, "mx.evil.example", 1, {0, 10}, VERDICT_NO_OPINION, "nxdomain"},
};
#define MADE_DOMAINS (sizeof made_domains / sizeof *made_domains)
#define MADE_SMALL   60 /* further domains with a message now and then */

/* One message to one recipient, delivered. */
static void make_sent(struct tally *tally, uint32_t domain, uint32_t host, int64_t at,
                      enum tally_level level)
{
    struct tally_domain *into[] = {&tally->domains[domain], &tally->total};
    struct tally_day *day = &tally->days[tally_day_at(tally, at)];
    enum tally_protocol protocol = level == TALLY_UNTRUSTED ? TALLY_TLS_1_0
                                   : at / 60 % 4 == 0       ? TALLY_TLS_1_2
                                                            : TALLY_TLS_1_3;

    for (size_t i = 0; i < 2; i++) {
        into[i]->messages++;
        into[i]->recipients++;
        into[i]->octets += 20000 + (uint64_t)at % 5000;
        into[i]->statuses[TALLY_SENT]++;
        into[i]->levels[level]++;
        if (level < TALLY_NONE)
            into[i]->protocols[protocol]++;
        if (into[i]->sent_first == 0)
            into[i]->sent_first = (uint32_t)at;
        into[i]->sent_last = (uint32_t)at;
    }
    tally->hosts[host].statuses[TALLY_SENT]++;
    tally->hosts[host].levels[level]++;
    day->statuses[TALLY_SENT]++;
    day->levels[level]++;
}

/* `deferred` and `bounced` deliveries that TLS made fail. */
static void make_trouble(struct tally *tally, const char *name, enum tally_cause cause,
                         const char *text, const uint32_t counts[2])
{
    uint32_t domain = tally_domain_at(tally, name, strlen(name));
    struct tally_domain *into[] = {&tally->domains[domain], &tally->total};
    int64_t at = MAKE_NOW - 3 * DAY_S;
    struct tally_day *day = &tally->days[tally_day_at(tally, at)];
    struct tally_trouble *trouble;

    trouble = &tally->troubles[tally_trouble_at(tally, domain, cause, text, strlen(text))];
    trouble->deferred = counts[0];
    trouble->bounced = counts[1];
    trouble->first_at = at - 7200;
    trouble->last_at = at;
    trouble->recipients = counts[0];
    trouble->sent = counts[0] / 2;
    trouble->gave_up = counts[0] / 4;
    trouble->waited_s = (uint64_t)(trouble->sent + trouble->gave_up) * 4000;
    trouble->longest_s = 7 * 3600;
    for (size_t i = 0; i < 2; i++) {
        into[i]->messages += counts[0];
        into[i]->recipients += counts[0];
        into[i]->statuses[TALLY_DEFERRED] += counts[0];
        into[i]->statuses[TALLY_BOUNCED] += counts[1];
        into[i]->tls_deferred += counts[0];
        into[i]->tls_bounced += counts[1];
    }
    day->statuses[TALLY_DEFERRED] += counts[0];
    day->statuses[TALLY_BOUNCED] += counts[1];
    day->tls_deferred += counts[0];
    day->tls_bounced += counts[1];
    tally->causes[cause] += counts[0];
    tally->causes_bounced[cause] += counts[1];
}

static void make_domain(struct tally *tally, const struct made_domain *made)
{
    uint32_t domain = tally_domain_at(tally, made->name, strlen(made->name));
    uint32_t host = tally_host_at(tally, made->host, strlen(made->host));
    unsigned turn = 0;

    for (int day = 0; day < MAKE_DAYS; day++) {
        int64_t at = MAKE_NOW - (int64_t)(MAKE_DAYS - 1 - day) * DAY_S;
        struct tm tm;
        time_t seconds = (time_t)at;
        unsigned count = made->messages_per_day;

        localtime_r(&seconds, &tm);
        if (tm.tm_wday == 0 || tm.tm_wday == 6)
            count = count / 5;
        else
            count += count * (unsigned)(day * 37 % 11) / 20;
        for (unsigned i = 0; i < count; i++, turn++) {
            unsigned place = turn * 7 % 10, level = 0;

            /* some got better after a while */
            if (made->levels[TALLY_NONE] > 0 && day > 40 && i % 2 == 0)
                place = 0;

            while (place >= made->levels[level])
                place -= made->levels[level++];
            make_sent(tally, domain, host, at - (int64_t)i * 60, (enum tally_level)level);
        }
    }
}

static void make_tally(struct tally *tally)
{
    for (size_t i = 0; i < MADE_DOMAINS; i++)
        make_domain(tally, &made_domains[i]);
    for (unsigned i = 0; i < MADE_SMALL; i++) {
        char name[64], host[64];
        struct made_domain small = {name, host, 1 + i % 2, {i % 3, 10 - i % 3}, VERDICT_NO_OPINION,
                                    ""};

        snprintf(name, sizeof name, "customer-%u.example", i);
        snprintf(host, sizeof host, "mx%u.hosting.example", i % 5);
        make_domain(tally, &small);
    }
    make_trouble(tally, "bank.example", TALLY_MX_PATTERN,
                 "server unavailable or unable to receive mail", (uint32_t[]){14, 0});
    make_trouble(tally, "partner.example", TALLY_CERTIFICATE,
                 "certificate verification failed for mx1.partner.example: not designated by any "
                 "TLSA record",
                 (uint32_t[]){9, 2});
    make_trouble(
        tally, HOSTILE_SCRIPT, TALLY_NOT_OFFERED,
        "</script><script>alert(3)</script> status=sent (250 ok) \033[31mred\033[0m \"><b>",
        (uint32_t[]){5, 0});
    make_trouble(tally, "unlogged.example", TALLY_POLICY_LOOKUP,
                 "mx-error: the MX lookup failed, so nothing about the domain is known",
                 (uint32_t[]){31, 0});
    make_trouble(tally, "club.example", TALLY_HANDSHAKE, "", (uint32_t[]){0, 3});
    tally->from = MAKE_NOW - (int64_t)(MAKE_DAYS - 1) * DAY_S - 36000;
    tally->to = MAKE_NOW;
    tally->lines = 987654;
    tally->lines_unread = 12;
    tally->suppressed = 340;
}

static void make_what_if(struct judged *judged, struct judged_what_if *out, const char *setting,
                         const struct tally *tally)
{
    static const struct {
        const char *name, *now, *then, *why, *forecast;
        bool stops;
    } changes[] = {
        {"club.example", "NOTFOUND", "OK encrypt",
         "a mail host of club.example offers no STARTTLS <b>today</b>", "defers", true},
        {"bank.example", "NOTFOUND", "OK secure match=.bank.example servername=hostname",
         "an MTA-STS policy in enforce mode", "flows", false},
        {HOSTILE_QUOTE, "NOTFOUND", "OK dane-only",
         "every mail host has usable, DNSSEC-signed TLSA records", "unknown", false},
    };

    out->setting = setting;
    out->count = sizeof changes / sizeof *changes;
    out->changes = arena_array(judged->arena, out->count, sizeof *out->changes);
    for (size_t i = 0; i < out->count; i++) {
        uint32_t domain = tally_domain_find(tally, changes[i].name, strlen(changes[i].name));

        out->changes[i] = (struct judged_change){.domain = domain,
                                                 .messages = tally->domains[domain].messages,
                                                 .now = changes[i].now,
                                                 .then = changes[i].then,
                                                 .why = changes[i].why,
                                                 .forecast = changes[i].forecast,
                                                 .stops = changes[i].stops};
        out->messages_changed += tally->domains[domain].messages;
        if (changes[i].stops)
            out->messages_stopped += tally->domains[domain].messages;
    }
}

static void make_queue(struct judged *judged)
{
    judged->queue_read = true;
    judged->waiting_count = 2;
    judged->waiting = arena_array(judged->arena, 2, sizeof *judged->waiting);
    judged->waiting[0] = (struct judged_waiting){
        .queue_id = "4gYqL31Wz4z1X",
        .domain = "unlogged.example",
        .recipients = 3,
        .since = MAKE_NOW - 9000,
        .cause = TALLY_POLICY_LOOKUP,
        .reason = "client TLS configuration problem",
        .why = "the MX lookup failed, so nothing about the domain is known"};
    judged->waiting[1] = (struct judged_waiting){
        .queue_id = "4gYqM01Wz4z1Y",
        .domain = HOSTILE_TITLE,
        .recipients = 1,
        .since = MAKE_NOW - 600,
        .cause = TALLY_NO_CAUSE,
        .reason = "connect to mx.evil.example[192.0.2.1]:25: <i>timed out</i>"};
    judged->waiting_total = 4;
    judged->waiting_by_cause[TALLY_POLICY_LOOKUP] = 3;
    judged->waiting_by_cause[TALLY_NO_CAUSE] = 1;
}

static void make_judged(struct judged *judged, const struct tally *tally)
{
    judged->arena = arena_new(1 << 20);
    CHECK(judged->arena != NULL);
    judged->asked = true;
    judged->source = "mxcryptd";
    judged->domains = arena_array(judged->arena, tally->domain_count, sizeof *judged->domains);
    for (uint32_t i = 1; i < tally->domain_count; i++) {
        struct judged_domain *domain = &judged->domains[i];

        if (i > MADE_DOMAINS) {
            judged->messages_unjudged += tally->domains[i].messages;
            judged->domains_unjudged++;
            continue;
        }
        *domain = (struct judged_domain){.known = true,
                                         .found = made_domains[i - 1].found,
                                         .withheld = i == 2,
                                         .reason = made_domains[i - 1].reason,
                                         .why = "a sentence",
                                         .answer = i == 2 ? "NOTFOUND" : "OK"};
        judged->messages_by_level[domain->found] += tally->domains[i].messages;
        judged->domains_by_level[domain->found]++;
    }
    make_what_if(judged, &judged->what_ifs[0], "mode = enforce", tally);
    make_what_if(judged, &judged->what_ifs[1], "rules /etc/mxcrypt/<new>&rules", tally);
    judged->what_if_count = 2;
    make_queue(judged);
}

/* All of it. The local time zone must be set before. */
static inline void page_make(struct page_made *made)
{
    static const char *const remarks[] = {
        "The level of 213 deliveries is not known: set smtp_tls_loglevel = 1 in main.cf.",
        "mail.log.3.gz: line 17 is <not> a log line & was left out.", NULL};

    *made = (struct page_made){.tally = tally_new(&TALLY_LIMITS_DEFAULT)};
    CHECK(made->tally != NULL);
    make_tally(made->tally);
    make_judged(&made->judged, made->tally);
    made->page = (struct page){.tally = made->tally,
                               .judged = &made->judged,
                               .source = "/var/log/mail.log & 4 <rotations>",
                               .remarks = remarks,
                               .top = PAGE_TOP_DEFAULT,
                               .now = MAKE_NOW + 60};
}

static inline void page_unmake(struct page_made *made)
{
    arena_free(made->judged.arena);
    tally_free(made->tally);
}

/* An empty period. */
static inline void page_make_empty(struct page_made *made)
{
    *made = (struct page_made){.tally = tally_new(&TALLY_LIMITS_DEFAULT)};
    CHECK(made->tally != NULL);
    made->page = (struct page){
        .tally = made->tally, .source = "-", .top = PAGE_TOP_DEFAULT, .now = MAKE_NOW};
}
