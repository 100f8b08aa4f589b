/*
 * line: see line.h. A table says which programs write what, by the last part of their names; each of
 * its functions reads one text from the left. From the right only what ends with Postfix's own words
 * is read: the lines of qmgr, which hold no reply of a server. Never fails: what has not the whole
 * form of a line stays LINE_OTHER.
 */
#include "audit/line.h"

#include <string.h>

#include "base/ascii.h"

#define QUEUE_ID_MIN 5
#define QUEUE_ID_MAX 32
#define DIGITS_SAFE  19 /* of a decimal number: it fits in 64 bits */
#define PAIRS_MAX    16 /* name=value in a status line; Postfix 3.12 writes 8 */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- text ---- */

/* Takes `start` off the front, if it is there. */
static inline bool take_start(struct span *text, const char *start, size_t length)
{
    if (text->length < length || memcmp(text->text, start, length) != 0)
        return false;
    span_skip(text, length);
    return true;
}

/* The same for a constant, whose length is known when this is compiled. */
#define TAKE(text, constant) take_start((text), (constant), sizeof(constant) - 1)

/* What comes before an octet; all of it where there is none. */
static struct span before(struct span text, char stop)
{
    const char *end = memchr(text.text, stop, text.length);

    return (struct span){text.text, end == NULL ? text.length : (size_t)(end - text.text)};
}

/* Takes what comes before `stop`, and `stop`. */
static inline bool take_until(struct span *text, const char *stop, struct span *out)
{
    size_t length = strlen(stop);
    const char *end = text->text, *last = text->text + text->length;

    /* what is looked for is mostly near: memchr beats memmem */
    while ((end = memchr(end, stop[0], (size_t)(last - end))) != NULL) {
        if ((size_t)(last - end) >= length && end[1] == stop[1] && memcmp(end, stop, length) == 0)
            break;
        end++;
    }
    if (end == NULL)
        return false;
    *out = (struct span){text->text, (size_t)(end - text->text)};
    span_skip(text, out->length + length);
    return true;
}

/* Takes `end` off the back, if it is there. */
static bool take_end(struct span *text, const char *end)
{
    size_t length = strlen(end);

    if (text->length < length || memcmp(text->text + text->length - length, end, length) != 0)
        return false;
    text->length -= length;
    return true;
}

/* Decimal digits at the front; what is too large becomes the largest number. */
static bool take_number(struct span *text, uint64_t *out)
{
    size_t taken = 0;

    *out = 0;
    for (; taken < text->length && ascii_is_digit(text->text[taken]); taken++)
        *out = *out * 10 + (uint64_t)(text->text[taken] - '0');
    if (taken > DIGITS_SAFE)
        *out = UINT64_MAX;
    span_skip(text, taken);
    return taken > 0;
}

static bool take_number_end(struct span *text, uint64_t *out)
{
    struct span number = *text;

    while (text->length > 0 && ascii_is_digit(text->text[text->length - 1]))
        text->length--;
    span_skip(&number, text->length);
    return take_number(&number, out);
}

/* "0.04" as 1, "12" as 12: whole seconds, rounded up. */
static uint32_t seconds_of(struct span value)
{
    uint64_t whole = 0;

    take_number(&value, &whole);
    while (value.length > 0 && (value.text[0] == '.' || value.text[0] == '0'))
        span_skip(&value, 1);
    whole += value.length > 0 && whole < UINT32_MAX;
    return whole > UINT32_MAX ? UINT32_MAX : (uint32_t)whole;
}

/* A queue id is short, in upper-case hexadecimal digits, or long, in digits and letters that are no
 * vowels: "3A7B21F0", "4bJ7Vx2x3mz1xyz". No word of Postfix's is either. */
struct id_set {
    uint64_t low, high; /* a bit for each octet below 64, and below 128 */
};
#define DIGITS  (UINT64_C(0x3ff) << '0')
#define LETTERS UINT64_C(0x07fffffe07fffffe)                        /* from bit 'A' - 64 on */
#define VOWELS  (UINT64_C(0x00208222) | UINT64_C(0x00208222) << 32) /* A E I O U, a e i o u */
static const struct id_set short_ids = {DIGITS, UINT64_C(0x7e)};    /* A to F */
static const struct id_set long_ids = {DIGITS, LETTERS & ~VOWELS};

static inline bool is_in(const struct id_set *set, unsigned char c)
{
    return c < 128 && (((c < 64 ? set->low : set->high) >> (c & 63)) & 1);
}

/* "3A7B21F0: " at the front. */
static bool take_queue_id(struct span *text, struct span *id)
{
    const unsigned char *octets = (const unsigned char *)text->text;
    size_t length = 0, most = text->length < QUEUE_ID_MAX ? text->length : QUEUE_ID_MAX;

    while (length < most && is_in(&long_ids, octets[length]))
        length++;
    if (length < text->length && octets[length] != ':') {
        for (length = 0; length < most && is_in(&short_ids, octets[length]);)
            length++;
    }
    if (length < QUEUE_ID_MIN || text->length < length + 2 || octets[length] != ':' ||
        octets[length + 1] != ' ')
        return false;
    *id = (struct span){text->text, length};
    span_skip(text, length + 2);
    return true;
}

/* ---- addresses ---- */

/* The length of a quoted string at the front (RFC 5321 §4.1.2); 0 when there is none. */
static size_t quoted(struct span text)
{
    for (size_t i = 1; i < text.length && text.text[0] == '"'; i++) {
        if (text.text[i] == '\\')
            i++;
        else if (text.text[i] == '"')
            return i + 1;
    }
    return 0;
}

/* "user@domain>, " after its "<". What looks like an end inside quotes is none. */
static bool take_address(struct span *text, struct span *out)
{
    const char *begin = text->text;
    struct span rest = *text, tail;

    span_skip(&rest, quoted(rest));
    if (!take_until(&rest, ">, ", &tail))
        return false;
    *out = (struct span){begin, (size_t)(tail.text + tail.length - begin)};
    *text = rest;
    return true;
}

struct span line_domain(struct span address)
{
    size_t local = quoted(address), at = address.length;

    while (at > local && address.text[at - 1] != '@')
        at--;
    if (at == local)
        return (struct span){address.text + address.length, 0};
    span_skip(&address, at);
    return address;
}

/* ---- status lines ---- */

static void read_delays(struct line *out, struct span value)
{
    const struct span all = value;

    for (int i = 0; i < 3; i++) {
        struct span part = before(value, '/');

        if (part.length == value.length)
            return;
        out->connected_s = seconds_of(part); /* the third */
        span_skip(&value, part.length + 1);
    }
    out->setup = (struct span){all.text, (size_t)(value.text - all.text)};
    out->sending_s = seconds_of(value);
}

/* "conn_use=" */
static bool take_name(struct span *text, struct span *out)
{
    size_t length = 0;

    while (length < text->length &&
           ((text->text[length] >= 'a' && text->text[length] <= 'z') || text->text[length] == '_'))
        length++;
    *out = (struct span){text->text, length};
    span_skip(text, length);
    return length > 0 && TAKE(text, "=");
}

static void read_pair(struct line *out, struct span name, struct span value)
{
    uint64_t number;

    if (span_is(name, "conn_use") && take_number(&value, &number))
        out->conn_use = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    else if (span_is(name, "delay"))
        out->delay_s = seconds_of(value);
    else if (span_is(name, "delays"))
        read_delays(out, value);
    else if (span_is(name, "tls"))
        out->tls = value;
}

static bool take_status(struct span *text, enum tally_status *out)
{
    static const struct {
        const char *word;
        enum tally_status status;
    } words[] = {
        {"sent (", TALLY_SENT},
        {"deferred (", TALLY_DEFERRED},
        {"bounced (", TALLY_BOUNCED},
        {"SOFTBOUNCE (", TALLY_DEFERRED},
    };

    for (size_t i = 0; i < COUNT(words); i++)
        if (take_start(text, words[i].word, strlen(words[i].word))) {
            *out = words[i].status;
            return true;
        }
    return false;
}

/* "host[address]:port" or "none": its name alone. */
static bool read_relay(struct line *out, struct span relay)
{
    struct span name = before(relay, '[');

    out->relay = relay;
    out->relay_host = (struct span){relay.text, 0};
    if (span_is(relay, "none"))
        return true;
    out->relay_host = name;
    return name.length > 0 && name.length < relay.length &&
           memchr(relay.text, ']', relay.length) != NULL;
}

/* After the queue id: to=<…>, [orig_to=<…>, ]relay=…, name=value…, status=WORD (reason) */
static void read_delivery(struct line *out, struct span text)
{
    struct span relay, name, value;

    out->conn_use = 1;
    out->delay_s = out->connected_s = out->sending_s = 0;
    out->tls = out->setup = (struct span){text.text, 0};
    out->suspended = false;
    if (!TAKE(&text, "to=<") || !take_address(&text, &out->recipient))
        return;
    if (TAKE(&text, "orig_to=<") && !take_address(&text, &value))
        return;
    if (!TAKE(&text, "relay=") || !take_until(&text, ", ", &relay) || !read_relay(out, relay))
        return;
    for (int i = 0; i < PAIRS_MAX && !TAKE(&text, "status="); i++) {
        if (!take_name(&text, &name) || !take_until(&text, ", ", &value))
            return;
        read_pair(out, name, value);
    }
    if (!take_status(&text, &out->status)) {
        out->kind = LINE_PROBE;
        return;
    }
    take_end(&text, ")");
    out->reason = text;
    out->domain = line_domain(out->recipient);
    out->kind = LINE_DELIVERY;
}

/* ---- what clients write ---- */

static bool take_level(struct span *text, enum tally_level *out)
{
    static const struct {
        const char *word;
        enum tally_level level;
    } words[] = {
        {"Verified ", TALLY_VERIFIED},
        {"Trusted ", TALLY_TRUSTED},
        {"Untrusted ", TALLY_UNTRUSTED},
        {"Anonymous ", TALLY_ANONYMOUS},
    };

    for (size_t i = 0; i < COUNT(words); i++)
        if (take_start(text, words[i].word, strlen(words[i].word))) {
            *out = words[i].level;
            return true;
        }
    return false;
}

static enum tally_protocol protocol_of(struct span word)
{
    for (int protocol = 0; protocol < TALLY_OTHER; protocol++)
        if (span_is(word, tally_protocol_name((enum tally_protocol)protocol)))
            return (enum tally_protocol)protocol;
    return TALLY_OTHER;
}

/* Verified TLS connection established to host[address]:25: TLSv1.3 with cipher … */
static bool read_session(struct line *out, struct span text)
{
    struct span relay, protocol;

    if (!take_level(&text, &out->level) || !TAKE(&text, "TLS connection "))
        return false;
    out->reused = TAKE(&text, "reused to ");
    if (!out->reused && !TAKE(&text, "established to "))
        return false;
    if (!take_until(&text, ": ", &relay) || !take_until(&text, " with cipher ", &protocol) ||
        !read_relay(out, relay))
        return false;
    out->protocol = protocol_of(protocol);
    out->kind = LINE_SESSION;
    return true;
}

/* Lines that say why TLS fails, in their order of likelihood. What follows the words is foreign. */
static bool read_why(struct line *out, struct span text)
{
    static const struct {
        const char *start;
        const char *then; /* NULL: none; else these words follow one word */
        enum tally_cause cause;
    } whys[] = {
        {"certificate verification failed for ", NULL, TALLY_CERTIFICATE},
        {"server certificate verification failed for ", NULL, TALLY_CERTIFICATE},
        {"CA certificate verification failed for ", NULL, TALLY_CERTIFICATE},
        {"SSL_connect error to ", NULL, TALLY_HANDSHAKE},
        {"warning: TLS library problem: ", NULL, TALLY_HANDSHAKE},
        {"warning: MX name ", NULL, TALLY_MX_PATTERN},
        {"warning: DANE TLSA lookup problem: ", NULL, TALLY_TLSA_LOOKUP},
        {"warning: table ", " lookup error: ", TALLY_POLICY_LOOKUP},
        {"warning: ", " socketmap server temporary error: ", TALLY_POLICY_LOOKUP},
        {"warning: ", " socketmap server timeout error: ", TALLY_POLICY_LOOKUP},
        {"warning: ", " socketmap server permanent error: ", TALLY_POLICY_LOOKUP},
        {"warning: ", " socketmap server unknown error: ", TALLY_POLICY_LOOKUP},
    };

    for (size_t i = 0; i < COUNT(whys); i++) {
        struct span rest = text;

        if (!take_start(&rest, whys[i].start, strlen(whys[i].start)))
            continue;
        if (whys[i].then != NULL) {
            span_skip(&rest, before(rest, ' ').length);
            if (!take_start(&rest, whys[i].then, strlen(whys[i].then)))
                continue;
        }
        out->reason = rest;
        out->cause = whys[i].cause;
        out->kind = LINE_WHY;
        return true;
    }
    return false;
}

/* What made a client go on to another mail host. */
static void read_skipped(struct line *out, struct span text)
{
    out->reason = text;
    out->cause = cause_of(text);
    if (span_starts(text, "lost connection with ") || span_starts(text, "conversation with "))
        out->kind = LINE_LOST;
    else if (out->cause != TALLY_NO_CAUSE)
        out->kind = LINE_SKIPPED;
}

static void read_client(struct line *out, struct span text)
{
    struct span id;

    if (take_queue_id(&text, &id)) {
        out->queue_id = id;
        if (span_starts(text, "to=<"))
            read_delivery(out, text);
        else
            read_skipped(out, text);
    } else if (!read_session(out, text))
        read_why(out, text);
}

/* error(8): what the queue manager holds back, because a delivery before failed; and what the
 * operator's transport_maps send back. */
static void read_error(struct line *out, struct span text)
{
    if (!take_queue_id(&text, &out->queue_id))
        return;
    read_delivery(out, text);
    out->suspended =
        out->kind == LINE_DELIVERY && TAKE(&out->reason, "delivery temporarily suspended: ");
    if (!out->suspended)
        out->kind =
            out->kind == LINE_DELIVERY && out->status == TALLY_BOUNCED ? LINE_RETURNED : LINE_OTHER;
}

/* ---- what the queue manager and others write ---- */

static void read_removed(struct line *out, struct span text)
{
    if (take_queue_id(&text, &out->queue_id) && span_is(text, "removed"))
        out->kind = LINE_REMOVED;
}

/* The sender may hold anything; what stands behind the last blank is Postfix's. */
static void read_pickup(struct line *out, struct span text)
{
    size_t begin;

    if (!take_queue_id(&text, &out->queue_id))
        return;
    for (begin = text.length; begin > 0 && text.text[begin - 1] != ' ';)
        begin--;
    span_skip(&text, begin);
    if (TAKE(&text, "orig_id=")) {
        out->former_id = text;
        out->kind = LINE_REQUEUED;
    }
}

static void read_qmgr(struct line *out, struct span text)
{
    uint64_t recipients;

    if (!take_queue_id(&text, &out->queue_id))
        return;
    if (span_is(text, "removed"))
        out->kind = LINE_REMOVED;
    else if (!span_starts(text, "from=<"))
        return;
    else if (take_end(&text, ">, status=expired, returned to sender") ||
             take_end(&text, ">, status=force-expired, returned to sender"))
        out->kind = LINE_EXPIRED;
    else if (take_end(&text, " (queue active)") && take_number_end(&text, &recipients) &&
             take_end(&text, ", nrcpt=") && take_number_end(&text, &out->size) &&
             take_end(&text, ">, size=")) {
        span_skip(&text, sizeof "from=<" - 1);
        out->sender = text;
        out->kind = LINE_QUEUED;
    }
}

/* Suppressed 123 messages from postfix.service */
static void read_journald(struct line *out, struct span text)
{
    if (TAKE(&text, "Suppressed ") && take_number(&text, &out->number) && TAKE(&text, " messages"))
        out->kind = LINE_SUPPRESSED;
}

/* imjournal: 3 messages lost due to rate-limiting; imuxsock lost 12 messages from pid 345 due to … */
static void read_rsyslogd(struct line *out, struct span text)
{
    bool known = TAKE(&text, "imjournal: ") || TAKE(&text, "imuxsock lost ");

    if (known && take_number(&text, &out->number) && TAKE(&text, " messages "))
        out->kind = LINE_SUPPRESSED;
}

/* ---- the whole line ---- */

#define NAME(constant)                                                                             \
    {                                                                                              \
        constant, sizeof(constant) - 1                                                             \
    }

static const struct {
    struct span program; /* the last part of its name */
    bool postfix;        /* behind a syslog_name and a slash */
    void (*read)(struct line *out, struct span text);
} programs[] = {
    {NAME("smtp"), true, read_client},        {NAME("qmgr"), true, read_qmgr},
    {NAME("error"), true, read_error},        {NAME("postsuper"), true, read_removed},
    {NAME("pickup"), true, read_pickup},      {NAME("nqmgr"), true, read_qmgr},
    {NAME("oqmgr"), true, read_qmgr},         {NAME("systemd-journald"), false, read_journald},
    {NAME("journald"), false, read_journald}, {NAME("systemd-journal"), false, read_journald},
    {NAME("rsyslogd"), false, read_rsyslogd},
};

/* "[123]: " or ": " behind the program, and its number. */
static bool take_pid(struct line *out, struct span *text)
{
    uint64_t pid;

    out->pid = 0;
    if (!TAKE(text, "["))
        return TAKE(text, ": ");
    if (!take_number(text, &pid) || !TAKE(text, "]: "))
        return false;
    out->pid = pid > UINT32_MAX ? 0 : (uint32_t)pid;
    return true;
}

/* The place of a program in the table; COUNT(programs) when it is not read. */
static size_t find_program(struct span program, size_t slash)
{
    struct span name = {program.text + slash, program.length - slash};

    for (size_t i = 0; i < COUNT(programs); i++)
        if (name.length == programs[i].program.length &&
            memcmp(name.text, programs[i].program.text, name.length) == 0)
            return programs[i].postfix == (slash > 0) ? i : COUNT(programs);
    return COUNT(programs);
}

/* "HOST PROGRAM" at the front; false when a line cannot begin so. */
static bool read_head(struct line_head *out, const char *text, size_t length)
{
    struct span host = before((struct span){text, length}, ' ');
    size_t at = host.length + 1, end = at, slash = 0;

    if (host.length == 0 || host.length >= length)
        return false;
    for (; end < length && text[end] > ' ' && text[end] != '[' && text[end] != ':'; end++)
        if (text[end] == '/')
            slash = end + 1 - at;
    if (end == at || end == length || text[end] == ' ' || end > UINT16_MAX)
        return false;
    out->host = (uint16_t)host.length;
    out->length = (uint16_t)end;
    out->program = (uint8_t)find_program((struct span){text + at, end - at}, slash);
    out->numbered = slash > 0;
    return true;
}

/* The head that a line before had, if it is the same; else it is read. NULL when there is none. */
static const struct line_head *head_of(struct line_heads *heads, const char *text, size_t length)
{
    struct line_head *head = heads->heads;

    for (; head < heads->heads + LINE_HEADS; head++)
        if (head->length > 0 && length > head->length && text[head->length] == '[' &&
            memcmp(text, head->text, head->length) == 0)
            return head;
    head = &heads->heads[heads->next++ % LINE_HEADS];
    head->length = 0;
    if (!read_head(head, text, length))
        return NULL;
    if (head->length <= LINE_HEAD_MAX && text[head->length] == '[') {
        memcpy(head->text, text, head->length);
        return head;
    }
    heads->unkept = *head;
    head->length = 0;
    return &heads->unkept;
}

/* Most lines are of programs that are not read: nothing more is looked at then. */
void line_read(struct line_heads *heads, struct line *out, const char *text, size_t length)
{
    const struct line_head *head = head_of(heads, text, length);
    struct span rest = {text, length};

    out->kind = LINE_UNREAD;
    if (head == NULL)
        return;
    out->kind = LINE_OTHER;
    out->host = (struct span){text, head->host};
    out->program = (struct span){text + head->host + 1, (size_t)head->length - head->host - 1};
    if (head->program == COUNT(programs))
        return;
    out->instance = before(out->program, '/');
    span_skip(&rest, head->length);
    if (take_pid(out, &rest) && (!head->numbered || out->pid != 0))
        programs[head->program].read(out, rest);
}
