/* doctor_judge_lists: the checks of policy lists; see doctor.h. Pure.
 *
 * No mail waits for a list that cannot be used; what is missing is its protection of the first contact.
 * So all findings are warnings. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor/doctor.h"

#define SOON_S (3 * 86400) /* as the daemon warns */
#define DAY_S  86400

/* False after a note that the daemon said nothing. */
static bool are_known(struct doctor_report *report)
{
    if (report->facts->lists.unknown != NULL)
        doctor_not_made(report, report->facts->lists.unknown);
    return report->facts->lists.unknown == NULL;
}

void doctor_judge_list_keys(struct doctor_report *report)
{
    const struct doctor_lists *lists = &report->facts->lists;

    for (size_t i = 0; i < lists->count; i++) {
        const struct doctor_list *list = &lists->lists[i];

        if (list->key_forbidden)
            doctor_not_made(report, "the keys of policy lists are not for this user");
        else if (list->key_error != NULL)
            doctor_find(report, DOCTOR_WARNING,
                        "put the public key of the list's maker there, readable for mxcryptd's "
                        "user, or correct policy-list in mxcryptd.conf; then mxcrypt reload",
                        "the key of policy list %s: %s", list->source, list->key_error);
    }
}

void doctor_judge_gpgv(struct doctor_report *report)
{
    const struct doctor_lists *lists = &report->facts->lists;
    bool needed = false;

    for (size_t i = 0; i < lists->count; i++)
        needed |= lists->lists[i].openpgp;
    if (needed && lists->no_gpgv)
        doctor_find(report, DOCTOR_WARNING, "install gpgv (apt-get install gpgv)",
                    "gpgv is not installed: no list with an OpenPGP signature can be verified");
}

/* ---- states ---- */

static const char *fix_of(const struct doctor_list *list)
{
    static const struct {
        const char *state, *fix;
    } fixes[] = {
        {"missing", "put list and signature there, or let mxcryptd reach the server; policy-list, "
                    "in mxcryptd.conf, says where they are"},
        {"expired", "have its maker publish a newer list, or take it out of mxcryptd.conf"},
        {"too-new", "wait; or look at the clock of this host and of the list's maker, and at "
                    "min-age= in mxcryptd.conf"},
    };

    for (size_t i = 0; i < sizeof fixes / sizeof fixes[0]; i++)
        if (strcmp(fixes[i].state, list->state) == 0)
            return fixes[i].fix;
    return "ask its maker, or correct policy-list in mxcryptd.conf; mxcrypt list verify says the "
           "same of a file";
}

static void judge_list(struct doctor_report *report, const struct doctor_list *list)
{
    if (list->state == NULL)
        doctor_find(report, DOCTOR_WARNING, "mxcrypt reload",
                    "mxcryptd.conf names policy list %s, and the running mxcryptd does not have it",
                    list->source);
    else if (strcmp(list->state, "in-force") != 0)
        doctor_find(report, DOCTOR_WARNING, fix_of(list), "policy list %s is not in force: %s%s%s",
                    list->source, list->state, *list->why == '\0' ? "" : ": ", list->why);
    else if (list->stale)
        doctor_find(report, DOCTOR_WARNING, fix_of(list),
                    "policy list %s is stale; the one in force is not renewed%s%s", list->source,
                    *list->why == '\0' ? "" : ": ", list->why);
    else if (*list->why != '\0')
        doctor_find(report, DOCTOR_WARNING, fix_of(list),
                    "policy list %s is in force, and its source has no newer one that is: %s",
                    list->source, list->why);
}

void doctor_judge_lists(struct doctor_report *report)
{
    const struct doctor_lists *lists = &report->facts->lists;

    if (!are_known(report))
        return;
    for (size_t i = 0; i < lists->count; i++)
        judge_list(report, &lists->lists[i]);
}

void doctor_judge_list_expiry(struct doctor_report *report)
{
    const struct doctor_lists *lists = &report->facts->lists;

    if (!are_known(report))
        return;
    for (size_t i = 0; i < lists->count; i++) {
        const struct doctor_list *list = &lists->lists[i];
        int64_t left_s = list->expires_s - report->facts->now_s;

        if (list->expires_s != 0 && left_s > 0 && left_s <= SOON_S)
            doctor_find(report, DOCTOR_WARNING,
                        "have its maker publish a newer list: makers renew them by a timer, well "
                        "before they expire",
                        "policy list %s expires in %" PRId64 " hours", list->source,
                        left_s / (DAY_S / 24));
    }
}

void doctor_judge_list_kept(struct doctor_report *report)
{
    const struct doctor_lists *lists = &report->facts->lists;

    if (!are_known(report))
        return;
    for (size_t i = 0; i < lists->count; i++)
        if (lists->lists[i].state != NULL && *lists->lists[i].not_kept != '\0')
            doctor_find(report, DOCTOR_WARNING,
                        "let mxcryptd's user write to the folder of the store, and see that the "
                        "disk has room",
                        "what is kept of policy list %s cannot be written: %s; after a restart an "
                        "older list could be used",
                        lists->lists[i].source, lists->lists[i].not_kept);
}
