/* dns_words: what the numbers in a DNS message are called. */
#pragma once

/* "SERVFAIL"; NULL for a number without a name. */
const char *dns_rcode_name(unsigned rcode);
/* Of an extended error (RFC 8914): "DNSSEC Bogus"; NULL for a number without a name. */
const char *dns_ede_name(unsigned code);
