/* finding: the tables of finding.h. */
#include "check/finding.h"

#define X(word, code_, severity_, rfc_, text_)                                                     \
    [CHECK_FOUND_##                                                                                \
        word] = {.code = (code_), .rfc = (rfc_), .text = (text_), .severity = CHECK_##severity_},
const struct check_kind check_kinds[CHECK_CODE_COUNT] = {CHECK_FINDINGS(X)};
#undef X

static const struct {
    const char *name;
    int exit;
} severities[CHECK_SEVERITY_COUNT] = {
#define X(word, name_, status) [CHECK_##word] = {(name_), (status)},
    CHECK_SEVERITIES(X)
#undef X
};

const char *check_severity_name(enum check_severity severity)
{
    return severities[severity].name;
}

int check_severity_exit(enum check_severity severity)
{
    return severities[severity].exit;
}
