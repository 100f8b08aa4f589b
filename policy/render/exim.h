/*
 * exim: an answer as Exim can take it apart (mxcrypt-exim(5)): one line of words `name=value`, made
 * for ${extract}. Pure.
 *
 *   level=secure dane=no require_tls=yes verify=yes match=mx1.example:*.example sni=NAME
 *   level=notfound
 *   level=temp reason="…"
 *
 * FAIL DIRECTIONS
 *   A policy that Exim cannot carry out (fingerprint, tafile=), or a line that does not pass
 *   exim_syntax_ok: level=temp. An empty line, or one that is cut, has no level that is known, or no
 *   word that allows anything: the configuration in contrib/exim defers.
 */
#pragma once

#include "policy/render/render.h"

/* Octets of a line without its LF: what is rendered for Postfix, and a "*" for each pattern. */
#define EXIM_LINE_MAX (2 * RENDER_SOCKETMAP_MAX)

/* Appends the line of a plain answer (render.h), without LF. Fails only as buf_add does. */
void exim_write(struct buf *out, const struct answer *answer);

/*
 * True for a line that exim_write may send: the words are known, each at most once and in their
 * order, they fit the level, and a value holds no character that Exim, or a list of Exim's, reads
 * as something else. On false *why names the fault (static).
 */
bool exim_syntax_ok(const char *line, size_t length, const char **why);
