/* fuzz_renewal: any text as the file in which mxcrypt list renew counts days; what is read is the same
 * when it was written and read again. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "survey/member/renewal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[RENEWAL_ERROR_MAX] = "";
    struct renewals *all = renewals_read((const char *)data, size, error), *again;
    struct buf one, other;

    CHECK((all == NULL) == (error[0] != '\0'));
    if (all == NULL)
        return 0;
    buf_init(&one, RENEWAL_TEXT_MAX);
    buf_init(&other, RENEWAL_TEXT_MAX);
    renewals_write(&one, all);
    again = renewals_read(one.data, one.length, error);
    CHECK(again != NULL);
    renewals_write(&other, again);
    CHECK(one.length == other.length && memcmp(one.data, other.data, one.length) == 0);
    buf_fini(&one);
    buf_fini(&other);
    renewals_free(all);
    renewals_free(again);
    return 0;
}
