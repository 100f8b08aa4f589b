/*
 * software: see software.h. A greeting is the host's name and then words that the server chose: the
 * name is passed over, and a word of the table counts where it stands alone. The first line of the
 * table that is found wins, so that what stands in front of a server comes before it.
 */
#include "survey/unit/software.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"

static const struct software_row {
    const char *word; /* in any letter case; blanks stand for themselves */
    const char *name;
} rows[] = {
    {"microsoft esmtp mail service", "Microsoft"},
    {"microsoft smtp server", "Microsoft"},
    {"gsmtp", "Google"},
    {"mimecast", "Mimecast"},
    {"simpleemailservice", "Amazon SES"},
    {"amazonaws", "Amazon SES"},
    {"proofpoint", "Proofpoint"},
    {"messagelabs", "Symantec"},
    {"symantec", "Symantec"},
    {"barracuda", "Barracuda"},
    {"fortimail", "FortiMail"},
    {"fortinet", "FortiMail"},
    {"ironport", "Cisco"},
    {"cisco", "Cisco"},
    {"sophos", "Sophos"},
    {"trend micro", "Trend Micro"},
    {"halon", "Halon"},
    {"mailcow", "Postfix"},
    {"postcow", "Postfix"},
    {"zimbra", "Zimbra"},
    {"postfix", "Postfix"},
    {"exim", "Exim"},
    {"sendmail", "Sendmail"},
    {"opensmtpd", "OpenSMTPD"},
    {"qmail", "qmail"},
    {"netqmail", "qmail"},
    {"s/qmail", "qmail"},
    {"haraka", "Haraka"},
    {"stalwart", "Stalwart"},
    {"maddy", "maddy"},
    {"mox", "mox"},
    {"courier", "Courier"},
    {"kerio connect", "Kerio Connect"},
    {"kerio mailserver", "Kerio Connect"},
    {"mdaemon", "MDaemon"},
    {"mailenable", "MailEnable"},
    {"icewarp", "IceWarp"},
    {"hmailserver", "hMailServer"},
    {"smartermail", "SmarterMail"},
    {"communigate pro", "CommuniGate Pro"},
    {"axigen", "Axigen"},
    {"surgesmtp", "SurgeMail"},
    {"surgemail", "SurgeMail"},
    {"domino", "Domino"},
    {"groupwise", "GroupWise"},
    {"powermta", "PowerMTA"},
    {"kumomta", "KumoMTA"},
    {"momentum", "Momentum"},
    {"zone-mta", "ZoneMTA"},
    {"zonemta", "ZoneMTA"},
    {"mailgun", "Mailgun"},
    {"james", "Apache James"},
    {"oracle communications messaging", "Oracle"},
    {"sun java", "Oracle"},
    {"mercury", "Mercury"},
    {"citadel", "Citadel"},
    {"nemesis", "Nemesis"},
    {"yandex", "Yandex"},
};

/* Whether `word` stands alone somewhere in `text`. */
static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; *at != '\0'; at++)
        if ((at == text || !ascii_is_alnum(at[-1])) && strncasecmp(at, word, length) == 0 &&
            !ascii_is_alnum(at[length]))
            return true;
    return false;
}

const char *software_of(const char *greeting)
{
    const char *words = greeting == NULL ? NULL : strchr(greeting, ' ');

    for (size_t i = 0; words != NULL && i < sizeof rows / sizeof rows[0]; i++)
        if (has_word(words, rows[i].word))
            return rows[i].name;
    return NULL;
}
