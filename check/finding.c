/* finding: the table of finding.h. */
#include "check/finding.h"

#define X(word, code_, severity_, rfc_, text_)                                                     \
    [CHECK_FOUND_##                                                                                \
        word] = {.code = (code_), .rfc = (rfc_), .text = (text_), .severity = CHECK_##severity_},
const struct check_kind check_kinds[CHECK_CODE_COUNT] = {CHECK_FINDINGS(X)};
#undef X
