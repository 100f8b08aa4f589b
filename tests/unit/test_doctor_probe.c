/* doctor: whether the probes see what Postfix will see; one difference a row. */
#include "tests/unit/doctor_world.h"

FAULT(sound)
{
    (void)world;
}

FAULT(floor_in_main)
{
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1");
}

FAULT(floor_of_a_service)
{
    add_overridden(world, "slow", POSTFIX_MANDATORY_PROTOCOLS, ">=TLSv1.3");
}

FAULT(floor_in_both)
{
    load_config(world, SOUND_CONFIG "tls-protocols = >=TLSv1.2\n");
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1");
}

FAULT(floor_in_ours)
{
    load_config(world, SOUND_CONFIG "tls-protocols = >=TLSv1.2\n");
    make_clients(world);
}

FAULT(floor_without_probes)
{
    load_config(world, SOUND_CONFIG "probe = no\n");
    floor_in_main(world);
}

FAULT(floor_unknown)
{
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "TLSv9");
}

FAULT(floor_of_old_postfix)
{
    set_main(world, POSTFIX_MANDATORY_PROTOCOLS, "!SSLv2, !SSLv3");
}

FAULT(floor_of_nobody)
{
    add_service(world, "lone")->overrides[POSTFIX_POLICY_MAPS] = "";
    world->postfix.services[world->postfix.service_count - 1]
        .overrides[POSTFIX_MANDATORY_PROTOCOLS] = ">=TLSv1.3";
    make_clients(world);
}

FAULT(high_in_main)
{
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "HIGH");
    set_main(world, POSTFIX_MANDATORY_EXCLUDE, "aNULL, kRSA");
    set_main(world, POSTFIX_EXCLUDE_CIPHERS, "MD5:3DES");
}

FAULT(high_in_both)
{
    load_config(world, SOUND_CONFIG "tls-ciphers = high !MD5 !3DES !aNULL !kRSA\n");
    high_in_main(world);
}

FAULT(excluded_in_ours)
{
    load_config(world, SOUND_CONFIG "tls-ciphers = medium !kRSA\n");
    make_clients(world);
}

/* As ssl-config.mozilla.org has it. */
FAULT(list_in_main)
{
    set_main(world, POSTFIX_MEDIUM_CIPHERS,
             "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384");
}

FAULT(list_in_both)
{
    load_config(world, SOUND_CONFIG
                "tls-ciphers = ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256\n");
    list_in_main(world);
}

FAULT(list_with_blanks)
{
    set_main(world, POSTFIX_MEDIUM_CIPHERS, "ECDHE-RSA-AES128-GCM-SHA256, AES128-SHA");
}

FAULT(grade_low)
{
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "low");
}

FAULT(grade_null)
{
    set_main(world, POSTFIX_MANDATORY_CIPHERS, "null");
}

FAULT(all_excluded)
{
    set_main(world, POSTFIX_MANDATORY_EXCLUDE, "ALL");
}

FAULT(excluded_of_a_service)
{
    add_overridden(world, "slow", POSTFIX_MANDATORY_EXCLUDE, "kRSA");
}

static const struct doctor_row rows[] = {
    {"G-18 nothing is planted", sound, NULL, NULL, NULL},
    {"G-18 protocols in main.cf", floor_in_main,
     "tls-protocols error: smtp_tls_mandatory_protocols allows TLSv1.2, TLSv1.3, and tls-protocols "
     "also TLSv1, TLSv1.1: mail",
     "tls-protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, in mxcryptd.conf", NULL},
    {"G-18 protocols of a service", floor_of_a_service,
     "tls-protocols error: smtp_tls_mandatory_protocols allows TLSv1.3, and",
     "tls-protocols = >=TLSv1.3, in", NULL},
    {"G-18 the same protocols", floor_in_both, NULL, NULL, NULL},
    {"G-18 fewer protocols in mxcryptd.conf", floor_in_ours,
     "tls-protocols warning: tls-protocols allows TLSv1.2, TLSv1.3, and "
     "smtp_tls_mandatory_protocols also TLSv1, TLSv1.1",
     "tls-protocols = >=TLSv1, in", NULL},
    {"G-18 protocols without probes", floor_without_probes, NULL, NULL, NULL},
    {"G-18 unknown protocols", floor_unknown,
     "tls-protocols error: smtp_tls_mandatory_protocols = TLSv9: not a version of TLS",
     "smtp_tls_mandatory_protocols = >=TLSv1.2", NULL},
    {"G-18 the default before 3.6", floor_of_old_postfix, NULL, NULL, NULL},
    {"G-18 protocols of a service that does not ask", floor_of_nobody, "map ", "", NULL},
    {"G-18 ciphers in main.cf", high_in_main,
     "tls-ciphers error: smtp_tls_mandatory_ciphers, less what is excluded, allows",
     "tls-ciphers = high !MD5 !3DES !aNULL !kRSA, in mxcryptd.conf", NULL},
    {"G-18 the same ciphers", high_in_both, NULL, NULL, NULL},
    {"G-18 fewer ciphers in mxcryptd.conf", excluded_in_ours,
     "tls-ciphers warning: tls-ciphers allows", "tls-ciphers = medium, in", NULL},
    {"G-18 a list in place of Postfix's", list_in_main, "tls-ciphers error: ",
     "tls-ciphers = ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384, in", NULL},
    {"G-18 the same list in another order", list_in_both, NULL, NULL, NULL},
    {"G-18 a list with blanks", list_with_blanks,
     "tls-ciphers error: ", "tls-ciphers = ECDHE-RSA-AES128-GCM-SHA256::AES128-SHA, in", NULL},
    {"G-18 low is medium", grade_low, NULL, NULL, NULL},
    {"G-18 null is no grade", grade_null,
     "tls-ciphers error: smtp_tls_mandatory_ciphers = null is no grade",
     "smtp_tls_mandatory_ciphers = medium", NULL},
    {"G-18 all ciphers excluded", all_excluded,
     "tls-ciphers error: smtp_tls_mandatory_ciphers, less what is excluded, cannot be used",
     "fewer exclusions", NULL},
    {"G-18 ciphers of a service", excluded_of_a_service,
     "tls-ciphers error: ", "tls-ciphers = medium !kRSA, in", NULL},
};

int main(void)
{
    ROWS_ADD(rows, test_doctor_row);
    return rows_run("doctor_probe");
}
