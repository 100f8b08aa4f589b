/*
 * issuers: see issuers.h.
 *
 * Let's Encrypt, by https://letsencrypt.org/certificates/: the generation of 2015 ended in 2020,
 * that of 2020 in June 2024. Those of 2024 sign nothing since May 2026, when all profiles had moved
 * to the generation Y (YE1, YR1, ...). Of some that stood by (R4, E2, R14, E9) no certificate was
 * ever issued; a record that names one is as useless. Digests are of the keys, as "2 1 1" has them;
 * an issuer that is signed again keeps its key.
 *
 * BUGS: only these are known. Whether another issuer will sign the next certificate cannot be told
 * from outside.
 */
#include "check/issuers.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

static const struct {
    const char *digest, *name;
} retired[] = {
    {"60b87575447dcba2a36b7d11ac09fb24a9db406fee12d2cc90180517616e8a18",
     "Let's Encrypt Authority X3"},
    {"b111dd8a1c2091a89bd4fd60c57f0716cce50feeff8137cdbee0326e02cf362b",
     "Let's Encrypt Authority X4"},
    {"8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d", "Let's Encrypt R3"},
    {"e5545e211347241891c554a03934cde9b749664a59d26d615fe58f77990f2d03", "Let's Encrypt R4"},
    {"276fe8a8c4ec7611565bf9fce6dcace9be320c1b5bea27596b2204071ed04f10", "Let's Encrypt E1"},
    {"bd936e72b212ef6f773102c6b77d38f94297322efc25396bc3279422e0c89270", "Let's Encrypt E2"},
    {"3586d4ecf070578cbd27aedce20b964e48bc149faeb9dad72f46b857869172b8", "Let's Encrypt E5"},
    {"d016e1fe311948aca64f2de44ce86c9a51ca041df6103bb52a88eb3f761f57d7", "Let's Encrypt E6"},
    {"cbbc559b44d524d6a132bdac672744da3407f12aae5d5f722c5f6c7913871c75", "Let's Encrypt E7"},
    {"885bf0572252c6741dc9a52f5044487fef2a93b811cdedfad7624cc283b7cdd5", "Let's Encrypt E8"},
    {"f1440a9b76e1e41e53a4cb461329bf6337b419726be513e42e19f1c691c5d4b2", "Let's Encrypt E9"},
    {"2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba", "Let's Encrypt R10"},
    {"6ddac18698f7f1f7e1c69b9bce420d974ac6f94ca8b2c761701623f99c767dc7", "Let's Encrypt R11"},
    {"919c0df7a787b597ed056ace654b1de9c0387acf349f73734a4fd7b58cf612a4", "Let's Encrypt R12"},
    {"025490860b498ab73c6a12f27a49ad5fe230fafe3ac8f6112c9b7d0aad46941d", "Let's Encrypt R13"},
    {"f1647a5ee3efac54c892e930584fe47979b7acd1c76c1271bca1c5076d869888", "Let's Encrypt R14"},
};

const char *issuer_retired_text(const char *digest)
{
    for (size_t i = 0; i < sizeof retired / sizeof retired[0]; i++)
        if (strcmp(retired[i].digest, digest) == 0)
            return retired[i].name;
    return NULL;
}

const char *issuer_retired(const uint8_t *digest, size_t length)
{
    char text[2 * ISSUER_DIGEST_OCTETS + 1];

    if (length != ISSUER_DIGEST_OCTETS)
        return NULL;
    return issuer_retired_text(escape_hex(text, digest, length));
}

const char *issuer_digest(size_t i)
{
    return i < sizeof retired / sizeof retired[0] ? retired[i].digest : NULL;
}
