/* cli_certs: certificate files that the command is given. */
#pragma once

#include "base/arena.h"
#include "probe/tls/tls_pem.h"

/* Reads the chain of a PEM file. False after a message. */
bool cli_read_chain(struct tls_shown *out, struct arena *arena, const char *path);
/* Whether the private key in a file is that of a certificate. False after a message. */
bool cli_check_key(const char *path, const struct tls_der *certificate);
