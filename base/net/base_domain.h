/* base_domain: which part of a name one owner is likely to stand behind, by the public suffix list.
 * For fairness only: nothing is trusted for it. */
#pragma once

/*
 * The public suffix of a valid name in lower case, and the label before it: example.co.uk of
 * a.b.example.co.uk. Private registries count: strangers share github.io as they share co.uk. Below
 * a top level that is not listed, the last two labels. All of a name that is a suffix itself.
 * Borrowed from `name`.
 */
const char *base_domain(const char *name);
