/* test_member: what qualifies a domain for a policy list, and with which hosts. */
#include "tests/unit/support/rows.h"

#include "survey/member/member.h"
#include "tests/unit/support/evidence_make.h"

/* ---- who qualifies ---- */

struct row {
    const char *name;
    enum mx_state mx;
    const char *hosts, *probes; /* evidence_make.h */
    enum member_fault fault;
    const char *why; /* its end; NULL: only the sentence */
};

static const struct row rows[] = {
    {"all verified", MX_LISTED, "NN", "V,VV", MEMBER_GOOD, NULL},
    {"implicit MX", MX_IMPLICIT, "N", "V", MEMBER_GOOD, NULL},
    {"DANE beside it", MX_LISTED, "UB", "V,V", MEMBER_GOOD, NULL},
    {"a TLSA lookup that failed", MX_LISTED, "NE", "V,V", MEMBER_GOOD, NULL},
    {"one answers", MX_LISTED, "NN", "VSXK,S", MEMBER_GOOD, NULL},
    {"a host without an address", MX_LISTED, "ND", "V,", MEMBER_GOOD, NULL},
    {"nobody answers", MX_LISTED, "NN", "S,XK", MEMBER_SILENT, NULL},
    {"nobody was asked", MX_LISTED, "N", "??", MEMBER_SILENT, NULL},
    {"no address", MX_LISTED, "N", "", MEMBER_SILENT, NULL},
    {"without TLS", MX_LISTED, "NN", "V,VC", MEMBER_CLEAR, "mx1.example.com 192.0.2.12"},
    {"refused for now", MX_LISTED, "N", "VP", MEMBER_CLEAR, "mx0.example.com 192.0.2.2"},
    {"refused", MX_LISTED, "N", "R", MEMBER_CLEAR, "mx0.example.com 192.0.2.1"},
    {"TLS is broken", MX_LISTED, "N", "B", MEMBER_CLEAR, "mx0.example.com 192.0.2.1"},
    {"a certificate", MX_LISTED, "NN", "V,T", MEMBER_CERTIFICATE, "mx1.example.com 192.0.2.11"},
    {"one that has lapsed", MX_LISTED, "N", "L", MEMBER_CERTIFICATE, "mx0.example.com 192.0.2.1"},
    {"one that we trust no longer", MX_LISTED, "N", "D", MEMBER_CERTIFICATE,
     "mx0.example.com 192.0.2.1"},
    {"the first fault counts", MX_LISTED, "NN", "T,C", MEMBER_CERTIFICATE,
     "mx0.example.com 192.0.2.1"},
    {"no such domain", MX_NXDOMAIN, "", "", MEMBER_NO_MAIL, NULL},
    {"null MX", MX_NULL, "", "", MEMBER_NO_MAIL, NULL},
    {"no valid host name", MX_UNUSABLE, "", "", MEMBER_NO_MAIL, NULL},
    {"only hosts without an address", MX_LISTED, "DD", ",", MEMBER_NO_MAIL, NULL},
    {"the MX lookup fails", MX_ERROR, "", "", MEMBER_MX_ERROR, NULL},
    {"it is not known", MX_UNKNOWN, "", "", MEMBER_MX_ERROR, NULL},
    {"an address lookup fails", MX_LISTED, "NL", "V,", MEMBER_HOST_ERROR, "mx1.example.com"},
    {"a host is not known", MX_LISTED, "N?", "V,", MEMBER_HOST_ERROR, "mx1.example.com"},
};

/* The sentence of the fault, then ": " and what the row says. */
static void expect_why(const struct row *row, const struct member *member)
{
    const char *sentence = member_fault_text(row->fault);
    struct buf why;

    buf_init(&why, 1000);
    member_why(&why, member);
    assert_memory_equal(buf_text(&why), sentence, strlen(sentence));
    assert_string_equal(why.data + strlen(sentence) + (row->why == NULL ? 0 : 2),
                        row->why == NULL ? "" : row->why);
    buf_fini(&why);
}

static void qualifies(void **state)
{
    const struct row *row = *state;
    struct member member;
    struct made made;

    make_evidence(&made, row->mx, false, row->hosts, '-', row->probes);
    member_judge(&member, &made.evidence);
    assert_string_equal(member_fault_name(member.fault), member_fault_name(row->fault));
    expect_why(row, &member);
}

static void too_many(void **state)
{
    struct member member;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", '-', "V");
    made.evidence.mx_truncated = true;
    member_judge(&member, &made.evidence);
    assert_int_equal(member.fault, MEMBER_TOO_MANY);
    made.evidence.mx_truncated = false;
    made.hosts[0].hidden = "too many addresses";
    member_judge(&member, &made.evidence);
    assert_int_equal(member.fault, MEMBER_TOO_MANY);
}

/* What a list may have: policy_list.h. */
static void names_of_hosts(void **state)
{
    static const char *const bad[] = {"mx", "a_b.example", "-.example", ""};
    struct member member;
    struct made made;

    (void)state;
    make_evidence(&made, MX_LISTED, false, "N", '-', "V");
    for (size_t i = 0; i < COUNT(bad); i++) {
        made.hosts[0].name = bad[i];
        member_judge(&member, &made.evidence);
        assert_int_equal(member.fault, MEMBER_NAME);
    }
}

/* What a foreign server said is escaped, and there is an end to it. */
static void hostile_detail(void **state)
{
    char detail[2000];
    struct member member;
    struct made made;
    struct buf why;

    (void)state;
    memset(detail, 'x', sizeof detail - 1);
    detail[0] = '\t';
    detail[sizeof detail - 1] = '\0';
    make_evidence(&made, MX_LISTED, false, "N", '-', "C");
    made.addresses[0][0].starttls.detail = detail;
    member_judge(&member, &made.evidence);
    buf_init(&why, 1000);
    member_why(&why, &member);
    assert_false(why.failed);
    assert_non_null(strstr(why.data, ": \\x09xxx"));
    buf_fini(&why);
}

/* ---- with which hosts ---- */

static const struct hosts_row {
    const char *name, *mx[6], *want; /* blanks between */
    bool fold;
} hosts_rows[] = {
    {"sorted", {"b.example.com", "a.example.com"}, "a.example.com b.example.com", false},
    {"folded", {"b.example.com", "a.example.com"}, "*.example.com", true},
    {"one is not folded", {"a.example.com"}, "a.example.com", true},
    {"by parents",
     {"a.mx.example.com", "b.mx.example.com", "mx.example.com", "c.example.net"},
     "mx.example.com c.example.net *.mx.example.com",
     true},
    {"two parents",
     {"a.one.example", "b.one.example", "a.two.example", "b.two.example"},
     "*.one.example *.two.example",
     true},
    {"below a top level", {"one.example", "two.example"}, "one.example two.example", true},
    {"below a public suffix", {"one.co.uk", "two.co.uk"}, "one.co.uk two.co.uk", true},
    {"below a private registry",
     {"one.github.io", "two.github.io"},
     "one.github.io two.github.io",
     true},
    {"below a domain of one", {"a.one.co.uk", "b.one.co.uk"}, "*.one.co.uk", true},
};

static void hosts(void **state)
{
    const struct hosts_row *row = *state;
    struct buf got, want;
    struct made made;
    size_t count, i;

    make_evidence(&made, MX_LISTED, false, "NNNNN", '-', "");
    for (i = 0; row->mx[i] != NULL; i++)
        made.hosts[i].name = row->mx[i];
    made.hosts[i].name = "a.dead.example"; /* left out */
    made.hosts[i].dane = HOST_DANE_DEAD;
    made.evidence.host_count = i + 1;
    buf_init(&got, 1000);
    buf_init(&want, 1000);
    count = member_hosts(&got, &made.evidence, row->fold);
    buf_add(&want, row->want, strlen(row->want) + 1);
    for (i = 0; i < want.length; i++)
        if (want.data[i] == ' ')
            want.data[i] = '\0';
    for (i = 0; i < got.length; i++)
        count -= got.data[i] == '\0';
    assert_int_equal(count, 0);
    assert_int_equal(got.length, want.length);
    assert_memory_equal(got.data, want.data, want.length);
    buf_fini(&got);
    buf_fini(&want);
}

int main(void)
{
    ROWS_ADD(rows, qualifies);
    ROWS_ADD(hosts_rows, hosts);
    ROWS_ADD_TEST(too_many);
    ROWS_ADD_TEST(names_of_hosts);
    ROWS_ADD_TEST(hostile_detail);
    return rows_run("member");
}
