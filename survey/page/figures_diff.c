/*
 * figures_diff: the figures of two results files, of which the older one is attached as `old`; see
 * figures.h. Only domains that have a verdict in both are compared, by their names.
 */
#include "survey/page/figures.h"

/* The level of a domain, or that no mail can be sent to it. */
#define LEVEL                                                                                      \
    "CASE WHEN mx IN ('listed', 'implicit') AND reason <> 'no-mx-host'\n"                          \
    "              THEN verdict ELSE 'no-mail' END"
#define BOTH                                                                                       \
    "WITH was AS (\n"                                                                              \
    "  SELECT name, weight, operator_share, reason,\n"                                             \
    "         " LEVEL " AS level\n"                                                                \
    "  FROM old.domain WHERE verdict IS NOT NULL),\n"                                              \
    "now AS (\n"                                                                                   \
    "  SELECT name, weight, operator_share, reason,\n"                                             \
    "         " LEVEL " AS level\n"                                                                \
    "  FROM main.domain WHERE verdict IS NOT NULL)\n"
/* A place in this list is better than those before it: where mail waits, it is not protected. */
#define RANK(level)                                                                                \
    "instr(',no-mail,temp,notfound,encrypt,dane,verify,secure,dane-only,',\n"                      \
    "            ',' || " level " || ',')"
#define CHANGED                                                                                    \
    BOTH                                                                                           \
        "SELECT now.name AS name, was.level AS was, now.level AS now, was.reason AS was_reason,\n" \
        "       now.reason AS now_reason, now.weight AS weight\n"                                  \
        "FROM now JOIN was ON was.name = now.name\n"                                               \
        "WHERE was.level <> 'no-mail' AND now.level <> 'no-mail'\n"                                \
        "  AND "
#define HEAVIEST "ORDER BY weight DESC, name LIMIT 1000"
/* The states in one column, before and now. */
#define STATE(what)                                                                                \
    "  SELECT '" what "' AS what, o." what " AS was, n." what " AS now, count(*) AS domains\n"     \
    "  FROM old.domain o JOIN main.domain n ON n.name = o.name\n"                                  \
    "  WHERE o.verdict IS NOT NULL AND n.verdict IS NOT NULL GROUP BY 2, 3"

const struct figure figures_of_diff[] = {
    {"old_runs", "The older survey", "How the older file was made.",
     "SELECT version, began, ended, list, names, names_read, sample,\n"
     "       CAST(seed AS TEXT) AS seed, dnssec, probe, dane AS option_dane, partial_dane,\n"
     "       testing_enforced, wildcard_hosts, verify AS option_verify\n"
     "FROM old.run ORDER BY id LIMIT 1000",
     FIGURE_LIST},
    {"new_runs", "The newer survey", "How the newer file was made.",
     "SELECT version, began, ended, list, names, names_read, sample,\n"
     "       CAST(seed AS TEXT) AS seed, dnssec, probe, dane AS option_dane, partial_dane,\n"
     "       testing_enforced, wildcard_hosts, verify AS option_verify\n"
     "FROM main.run ORDER BY id LIMIT 1000",
     FIGURE_LIST},
    {"totals", "In all",
     "Domains with a verdict in both files, which all other figures are of, and in one of them "
     "only; and of those in both, how many have a better level now, a worse one, and another "
     "reason for the same.",
     BOTH
     "SELECT count(*) AS both,\n"
     "       (SELECT count(*) FROM was) - count(*) AS only_old,\n"
     "       (SELECT count(*) FROM now) - count(*) AS only_new,\n"
     "       coalesce(sum(was.level <> 'no-mail' AND now.level <> 'no-mail' AND\n"
     "         " RANK(
         "now.level") " >\n"
                      "         " RANK(
                          "was.level") "), 0) AS improved,\n"
                                       "       coalesce(sum(was.level <> 'no-mail' AND now.level "
                                       "<> 'no-mail' AND\n"
                                       "         " RANK(
                                           "now.level") " <\n"
                                                        "         " RANK(
                                                            "was.level") "), 0) AS fell,\n"
                                                                         "       "
                                                                         "coalesce(sum(now.level = "
                                                                         "was.level AND now.reason "
                                                                         "<> was.reason), 0)\n"
                                                                         "         AS "
                                                                         "other_reason\n"
                                                                         "FROM now JOIN was ON "
                                                                         "was.name = now.name",
     FIGURE_ROW},
    {"flows", "From level to level",
     "Domains by their level before and now. no-mail: no mail could be sent to them.",
     BOTH "SELECT was.level AS was, now.level AS now, count(*) AS domains,\n"
          "       total(was.operator_share) AS was_operators,\n"
          "       total(now.operator_share) AS now_operators,\n"
          "       total(was.weight) AS was_weight, total(now.weight) AS now_weight\n"
          "FROM now JOIN was ON was.name = now.name\n"
          "GROUP BY 1, 2\n"
          "ORDER BY " RANK("was.level") " DESC,\n"
                                        "         " RANK("now.level") " DESC LIMIT 1000",
     FIGURE_LIST},
    {"states", "Other states", "Domains by STARTTLS, DANE, MTA-STS and TLSRPT, before and now.",
     "WITH both AS (\n" STATE("starttls") "\n  UNION ALL\n" STATE("dane") "\n  UNION ALL\n" STATE(
         "mta_sts") "\n  UNION ALL\n" STATE("tlsrpt") "),\n"
                                                      "side AS (\n"
                                                      "  SELECT what, was AS state, domains AS "
                                                      "before, 0 AS after FROM both\n"
                                                      "  UNION ALL SELECT what, now, 0, domains "
                                                      "FROM both)\n"
                                                      "SELECT what, coalesce(state, 'unknown') AS "
                                                      "state, sum(before) AS was_domains,\n"
                                                      "       sum(after) AS now_domains, "
                                                      "sum(after) - sum(before) AS more\n"
                                                      "FROM side GROUP BY 1, 2 ORDER BY what, "
                                                      "now_domains DESC, state LIMIT 1000",
     FIGURE_LIST},
    {"fell", "Domains that fell", "Domains with a worse level than before, the heaviest first.",
     CHANGED RANK("now.level") " <\n      " RANK("was.level") "\n" HEAVIEST, FIGURE_LIST},
    {"improved", "Domains that improved",
     "Domains with a better level than before, the heaviest first.",
     CHANGED RANK("now.level") " >\n      " RANK("was.level") "\n" HEAVIEST, FIGURE_LIST},
    {"only_old", "In the older file only",
     "Domains without a verdict in the newer file, the heaviest first.",
     BOTH "SELECT name, level, reason, weight FROM was\n"
          "WHERE name NOT IN (SELECT name FROM now)\n" HEAVIEST,
     FIGURE_LIST},
    {"only_new", "In the newer file only",
     "Domains without a verdict in the older file, the heaviest first.",
     BOTH "SELECT name, level, reason, weight FROM now\n"
          "WHERE name NOT IN (SELECT name FROM was)\n" HEAVIEST,
     FIGURE_LIST},
    {NULL, NULL, NULL, NULL, FIGURE_ROW},
};
