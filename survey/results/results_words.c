/* results_words: the words of enums in the file, which are those of logs and JSON. */
#include "survey/results/results_internal.h"

#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const char *const mx[] = {MX_STATES(ENUM_WORD)};
static const char *const dane[] = {HOST_DANE_STATES(ENUM_WORD)};
static const char *const starttls[] = {STARTTLS_STATES(ENUM_WORD)};
static const char *const sts[] = {STS_STATES(ENUM_WORD)};
static const char *const matches[] = {
    [TLSA_MATCH_NONE] = "none", [TLSA_MATCH_OK] = "match", [TLSA_MATCH_MISMATCH] = "mismatch"};
#define X(word, name, text) name,
static const char *const faults[] = {TLS_FAULTS(X)};
#undef X
static const char *const partial[] = {[PARTIAL_DANE_TABLE] = "table",
                                      [PARTIAL_DANE_ONLY] = "only",
                                      [PARTIAL_DANE_OPPORTUNISTIC] = "opportunistic"};
static const char *const modes[] = {
    [STS_MODE_NONE] = "none", [STS_MODE_TESTING] = "testing", [STS_MODE_ENFORCE] = "enforce"};

const struct results_words results_mx_words = {mx, COUNT(mx), true};
const struct results_words results_dane_words = {dane, COUNT(dane), true};
const struct results_words results_starttls_words = {starttls, COUNT(starttls), true};
const struct results_words results_sts_words = {sts, COUNT(sts), true};
const struct results_words results_match_words = {matches, COUNT(matches), false};
const struct results_words results_fault_words = {faults, COUNT(faults), false};
const struct results_words results_partial_words = {partial, COUNT(partial), false};
const struct results_words results_mode_words = {modes, COUNT(modes), false};

struct sql_value value_word(const struct results_words *words, unsigned number)
{
    if (number >= (unsigned)words->count || (number == 0 && words->unknown))
        return value_none();
    return value_text(words->words[number]);
}

unsigned row_word(struct sql_statement *row, int column, const struct results_words *words)
{
    struct sql_value value;

    if (!sql_column(row, column, &value) || value.type != SQL_TEXT)
        return 0;
    for (int i = 0; i < words->count; i++)
        if (strcmp(words->words[i], value.text) == 0)
            return (unsigned)i;
    return 0;
}
