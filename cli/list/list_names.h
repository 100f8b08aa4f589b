/* list_names: the domains that a list is to be made of, from elsewhere than a file of names. */
#pragma once

#include "cli/cli.h"

/* Each writes plain domains, one a line, to a new file: of the operator's rules those that ask for TLS
 * and have not lapsed; of the daemon's cache those that it has a verdict of. *count: how many. The exit
 * status, after a message. */
int list_names_of_rules(struct cli *cli, const char *path, size_t *count);
int list_names_of_memory(struct cli *cli, const char *path, size_t *count);
