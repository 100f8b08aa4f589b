/* verdict_names: the words of verdict.h for logs, JSON and people. */
#include "policy/decide/verdict.h"

const char *verdict_level_name(enum verdict_level level)
{
    static const char *const names[] = {
        [VERDICT_NO_OPINION] = "notfound", [VERDICT_ENCRYPT] = "encrypt",
        [VERDICT_DANE] = "dane",           [VERDICT_VERIFY] = "verify",
        [VERDICT_SECURE] = "secure",       [VERDICT_DANE_ONLY] = "dane-only",
        [VERDICT_TEMP] = "temp",
    };

    return names[level];
}

static const struct {
    const char *code, *text;
} reasons[] = {
#define X(word, code, text) [REASON_##word] = {code, text},
    VERDICT_REASONS(X)
#undef X
};

const char *verdict_reason_code(enum verdict_reason reason)
{
    return reasons[reason].code;
}

const char *verdict_reason_text(enum verdict_reason reason)
{
    return reasons[reason].text;
}

const char *dane_state_name(enum dane_state state)
{
    static const char *const names[] = {
        [DANE_UNKNOWN] = "unknown",   [DANE_FULL] = "full",         [DANE_MIXED] = "mixed",
        [DANE_UNUSABLE] = "unusable", [DANE_UNSIGNED] = "unsigned", [DANE_NONE] = "none",
        [DANE_ERROR] = "error",
    };

    return names[state];
}

const char *starttls_state_name(enum starttls_state state)
{
    static const char *const names[] = {
        [STARTTLS_ALL_UNKNOWN] = "unknown", [STARTTLS_ALL_VERIFIED] = "verified",
        [STARTTLS_ALL_TLS] = "tls",         [STARTTLS_PARTLY] = "partly",
        [STARTTLS_NOBODY] = "clear",        [STARTTLS_SOME_REFUSED] = "refused",
    };

    return names[state];
}

bool verdict_is_remembered(const struct verdict *verdict)
{
    return verdict->reason == REASON_DANE_REMEMBERED || verdict->reason == REASON_STS_REMEMBERED ||
           verdict->reason == REASON_STARTTLS_REMEMBERED || verdict->reason == REASON_HELD;
}
