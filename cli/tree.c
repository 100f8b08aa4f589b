/* tree: a report of policy/report/report.h as text for people: what was found, indented, then the
 * words. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Prints ", LABEL TEXT" for a member that is a string. */
static void add(const json_t *object, const char *name, const char *label)
{
    const char *text = string_of(object, name);

    if (*text != '\0')
        printf(", %s%s", label, text);
}

static void print_tlsa(const json_t *tlsa)
{
    printf("    TLSA %lld %lld %lld %.32s%s: %s\n", number_of(tlsa, "usage"),
           number_of(tlsa, "selector"), number_of(tlsa, "mtype"), string_of(tlsa, "data"),
           strlen(string_of(tlsa, "data")) > 32 ? "..." : "",
           is_true(tlsa, "usable") ? "usable" : "not usable by SMTP");
}

static void print_address(const json_t *address)
{
    printf("    %s%s: STARTTLS %s", string_of(address, "address"),
           is_true(address, "secure") ? " (signed)" : "", string_of(address, "starttls"));
    add(address, "tls", "");
    add(address, "cipher", "");
    if (*string_of(address, "chain") != '\0') {
        add(address, "subject", "certificate for ");
        printf(", name %s", is_true(address, "name_ok") ? "ok" : "wrong");
        add(address, "chain", "chain ");
        add(address, "tlsa", "TLSA ");
    }
    if (number_of(address, "code") != 0)
        printf(", reply %lld", number_of(address, "code"));
    putchar('\n');
    if (*string_of(address, "detail") != '\0')
        printf("      %s\n", string_of(address, "detail"));
}

void tree_print_host(const json_t *host)
{
    const json_t *item;
    size_t i;

    printf("  %s: DANE %s", string_of(host, "name"), string_of(host, "dane"));
    add(host, "expanded", "alias of ");
    add(host, "tlsa_base", "TLSA base domain ");
    add(host, "why", "");
    putchar('\n');
    json_array_foreach(json_object_get(host, "tlsa"), i, item) print_tlsa(item);
    json_array_foreach(json_object_get(host, "addresses"), i, item) print_address(item);
}

static void print_mx(const json_t *mx)
{
    printf("MX: %s%s", string_of(mx, "state"), is_true(mx, "secure") ? ", signed" : ", not signed");
    if (json_is_integer(json_object_get(mx, "ttl")))
        printf(", TTL %lld s", number_of(mx, "ttl"));
    add(mx, "why", "");
    putchar('\n');
}

static void print_sts(const json_t *sts)
{
    const json_t *pattern;
    size_t i;

    printf("MTA-STS: %s", string_of(sts, "state"));
    add(sts, "mode", "mode ");
    add(sts, "id", "id ");
    if (json_is_integer(json_object_get(sts, "max_age")))
        printf(", max_age %lld s", number_of(sts, "max_age"));
    if (json_is_integer(json_object_get(sts, "remembered_for_s")))
        printf(", remembered for another %lld s", number_of(sts, "remembered_for_s"));
    add(sts, "why", "");
    putchar('\n');
    json_array_foreach(json_object_get(sts, "mx"), i, pattern)
        printf("  mx: %s\n", json_string_value(pattern));
}

static void print_sentences(const char *title, const json_t *sentences)
{
    const json_t *sentence;
    size_t i;

    if (json_array_size(sentences) == 0)
        return;
    printf("\n%s\n", title);
    json_array_foreach(sentences, i, sentence) printf("  - %s\n", json_string_value(sentence));
}

void tree_print(const json_t *report)
{
    const json_t *held = json_object_get(report, "held"), *host;
    const json_t *evidence = json_object_get(report, "evidence");
    size_t i;

    printf("%s: %s\n", string_of(report, "key"), string_of(report, "answer"));
    if (json_object_get(report, "without_dane") != NULL)
        printf("an MTA without DANE (Sendmail): %s\n", string_of(report, "without_dane"));
    if (json_is_integer(json_object_get(report, "valid_for_s")))
        printf("good for another %lld s", number_of(report, "valid_for_s"));
    if (json_is_integer(json_object_get(report, "age_s")))
        printf(", looked up %lld s ago", number_of(report, "age_s"));
    if (json_object_get(report, "valid_for_s") != NULL) /* a survey's has neither */
        putchar('\n');
    if (json_is_object(held))
        printf("held: %s, since %lld s, for another %lld s\n", string_of(held, "level"),
               number_of(held, "since_s"), number_of(held, "until_s"));
    if (json_is_object(evidence)) {
        putchar('\n');
        print_mx(json_object_get(evidence, "mx"));
        json_array_foreach(json_object_get(evidence, "hosts"), i, host) tree_print_host(host);
        print_sts(json_object_get(evidence, "mta_sts"));
        printf("DANE in all: %s\n", string_of(evidence, "dane"));
        printf("STARTTLS in all: %s\n", string_of(evidence, "starttls"));
    }
    print_sentences("Why", json_object_get(report, "why"));
    print_sentences("What would change it", json_object_get(report, "change"));
}
