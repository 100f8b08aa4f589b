/* prober_uv: see prober_uv.h. What is switched off in the options is never made. */
#include "probe/prober_uv.h"

#include <stdlib.h>

struct prober {
    struct tls_context *tls;
    struct https *https;
    struct domain_tools tools;
};

static int sts_part(struct prober *prober, uv_loop_t *loop, struct prober_options *options)
{
    int error;

    options->https.loop = loop;
    options->https.filter = &options->filter;
    options->https.ca_file = options->ca_file;
    options->https.ca_path = options->ca_path;
    error = https_new(&prober->https, &options->https);
    if (error != 0)
        return error;
    options->sts.loop = loop;
    options->sts.dns = prober->tools.dns;
    options->sts.https = prober->https;
    return sts_new(&prober->tools.sts, &options->sts);
}

static int book_part(struct prober *prober, uv_loop_t *loop, struct prober_options *options)
{
    options->book.smtp.loop = loop;
    options->book.smtp.tls = prober->tls;
    options->book.smtp.filter = &options->filter;
    return book_new(&prober->tools.book, &options->book);
}

static int tls_part(struct prober *prober, const struct prober_options *options, const char **why)
{
    if (tls_context_new(&prober->tls, options->ca_file, options->ca_path, why) != 0)
        return UV_EINVAL;
    *why = NULL;
    if (options->tls.cipher_list == NULL || tls_context_demand(prober->tls, &options->tls))
        return 0;
    *why = "tls-ciphers: OpenSSL finds no cipher in it";
    return UV_EINVAL;
}

int prober_new(struct prober **out, uv_loop_t *loop, struct prober_options *options,
               const char **why)
{
    struct prober *prober = calloc(1, sizeof *prober);
    int error;

    if (prober == NULL)
        return UV_ENOMEM;
    *why = NULL;
    prober->tools.filter = &options->filter;
    prober->tools.dane = options->dane;
    prober->tools.smtp_port = options->smtp_port;
    error = tls_part(prober, options, why);
    if (error == 0)
        error = dns_new(&prober->tools.dns, loop, &options->dns);
    if (error == 0 && options->mta_sts)
        error = sts_part(prober, loop, options);
    if (error == 0 && options->probe)
        error = book_part(prober, loop, options);
    if (error != 0) {
        prober_close(prober);
        prober_free(prober);
        return error;
    }
    *out = prober;
    return 0;
}

void prober_close(struct prober *prober)
{
    if (prober->tools.book != NULL)
        book_close(prober->tools.book);
    if (prober->tools.sts != NULL)
        sts_close(prober->tools.sts);
    if (prober->https != NULL)
        https_close(prober->https);
    if (prober->tools.dns != NULL)
        dns_close(prober->tools.dns);
}

void prober_free(struct prober *prober)
{
    if (prober == NULL)
        return;
    tls_context_free(prober->tls);
    free(prober);
}

const struct domain_tools *prober_tools(const struct prober *prober)
{
    return &prober->tools;
}
