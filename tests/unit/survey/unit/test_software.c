/* Greetings, as servers send them, and what they tell of the software. */
#include "survey/unit/software.h"

#include "tests/unit/support/rows.h"

struct greeting_case {
    const char *name;
    const char *greeting, *want;
};

static const struct greeting_case greeting_cases[] = {
    {"Postfix", "mx.example.org ESMTP Postfix (Debian/GNU)", "Postfix"},
    {"Exim", "mx.example.org ESMTP Exim 4.96 Tue, 01 Jan 2030 00:00:00 +0000", "Exim"},
    {"Microsoft",
     "AM7EUR06FT042.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Tue",
     "Microsoft"},
    {"Google", "mx.google.com ESMTP a640c23a62f3a-a1b2si3.42 - gsmtp", "Google"},
    {"Sendmail", "mx.example.org ESMTP Sendmail 8.15.2/8.15.2; Tue, 1 Jan 2030", "Sendmail"},
    {"OpenSMTPD", "mx.example.org ESMTP OpenSMTPD", "OpenSMTPD"},
    {"qmail", "mx.example.org ESMTP qmail", "qmail"},
    {"Haraka", "mx.example.org ESMTP Haraka/3.0.3 ready", "Haraka"},
    {"Amazon SES", "inbound-smtp.us-east-1.amazonaws.com ESMTP SimpleEmailService-WallE-Inbound x",
     "Amazon SES"},
    {"Nemesis", "gmx.net (mxgmx016) Nemesis ESMTP Service ready", "Nemesis"},
    {"letter case", "mx ESMTP POSTFIX", "Postfix"},
    {"at the end", "mx exim", "Exim"},
    {"the host's name does not count", "postfix.example.org ESMTP", NULL},
    {"part of a word", "mx ESMTP NotPostfix", NULL},
    {"the beginning of a word", "mx ESMTP Postfixed", NULL},
    {"nothing known", "mx.example.org ESMTP ready", NULL},
    {"empty", "", NULL},
    {"no greeting", NULL, NULL},
};

static void run_greeting_case(void **state)
{
    const struct greeting_case *row = *state;
    const char *software = software_of(row->greeting);

    if (row->want == NULL)
        assert_null(software);
    else
        assert_string_equal(software == NULL ? "(none)" : software, row->want);
}

int main(void)
{
    ROWS_ADD(greeting_cases, run_greeting_case);
    return rows_run("software");
}
