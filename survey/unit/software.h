/* software: which mail server a greeting tells of. Servers may say what they like. */
#pragma once

/* "Postfix", "Exim", "Microsoft", "Google", ...; NULL when the greeting has no word we know.
 * Static. */
const char *software_of(const char *greeting);
