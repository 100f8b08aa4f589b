/* What a policy list may say, and what is told of one that says something else. In the texts ' stands
 * for ". */
#include "tests/unit/support/rows.h"

#include "tests/unit/policy/list/list_text.h"

#define L63  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L61  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define L253 L63 "." L63 "." L63 "." L61
#define MXS  "'mxs':['mx.a.example']"
#define MODE "'mode':'enforce'"
#define A    "'a.example':{" MODE "," MXS "}"
/* One domain with these hosts, in this mode. */
#define HOSTS(hosts) LIST_OF("'a.example':{" MODE ",'mxs':[" hosts "]}", "")
#define DOMAIN(name) LIST_OF("'" name "':{" MODE "," MXS "}", "")
#define POLICY(text) LIST_OF("'a.example':" text, "")
#define IN_A         "line 1: policies: a.example: "

/* ---- what is taken ---- */

static const struct good {
    const char *name, *text;
    const char *domain, *want; /* as list_said */
} goods[] = {
    {"enforce", LIST_OF(A, ""), "a.example", "enforce mx.a.example"},
    {"testing", POLICY("{'mode':'testing'," MXS "}"), "a.example", "testing mx.a.example"},
    {"mxs before mode", POLICY("{" MXS "," MODE "}"), "a.example", "enforce mx.a.example"},
    {"an alias", LIST_OF("'a.example':{'policy-alias':'big'}", "'big':{" MODE "," MXS "}"),
     "a.example", "enforce mx.a.example (big)"},
    {"an alias before it is defined",
     "{'policies':{'a.example':{'policy-alias':'big'}},'policy-aliases':{'big':{" MODE "," MXS
     "}}," LIST_TOP "}",
     "a.example", "enforce mx.a.example (big)"},
    {"an alias behind its definition",
     "{'policy-aliases':{'big':{" MODE "," MXS
     "}},'policies':{'a.example':{'policy-alias':'big'}}," LIST_TOP "}",
     "a.example", "enforce mx.a.example (big)"},
    {"an alias with blanks and marks",
     LIST_OF("'a.example':{'policy-alias':'a \\'b\\' \\\\c'}",
             "'a \\'b\\' \\\\c':{" MODE "," MXS "}"),
     "a.example", "enforce mx.a.example (a \"b\" \\c)"},
    {"an alias as long as a name may be",
     LIST_OF("'a.example':{'policy-alias':'" L253 "'}", "'" L253 "':{" MODE "," MXS "}"),
     "a.example", "enforce mx.a.example (" L253 ")"},
    {"a suffix", HOSTS("'.a.example'"), "a.example", "enforce *.a.example"},
    {"hosts are sorted", HOSTS("'mx2.a.example','.b.example','mx1.a.example'"), "a.example",
     "enforce *.b.example mx1.a.example mx2.a.example"},
    {"case is folded", LIST_OF("'A.Example':{" MODE ",'mxs':['MX.A.Example','.B.Example']}", ""),
     "a.example", "enforce *.b.example mx.a.example"},
    {"a host and the suffix that covers it", HOSTS("'.a.example','mx.a.example'"), "a.example",
     "enforce *.a.example mx.a.example"},
    {"a U-label as A-label", DOMAIN("xn--bcher-kva.example"), "xn--bcher-kva.example",
     "enforce mx.a.example"},
    {"a domain as long as it may be", DOMAIN(L253), L253, "enforce mx.a.example"},
    {"a host as long as it may be", HOSTS("'" L253 "'"), "a.example", "enforce " L253},
    {"a suffix as long as it may be", HOSTS("'." L253 "'"), "a.example", "enforce *." L253},
    {"digits in a name", HOSTS("'1.2.3.4.example','123.example'"), "a.example",
     "enforce 1.2.3.4.example 123.example"},
    {"a keyword as one of two labels", HOSTS("'nexthop.example','.hostname.example'"), "a.example",
     "enforce *.hostname.example nexthop.example"},
    {"blanks everywhere",
     " \t\r\n{ " LIST_TOP " ,\r\n\t'policies' : { 'a.example' : { 'mode' : 'enforce' , 'mxs' : [ "
     "'mx.a.example' , 'mx.b.example' ] } } , 'policy-aliases' : { } } \r\n",
     "a.example", "enforce mx.a.example mx.b.example"},
    {"escapes", LIST_OF("'\\u0061.ex\\u0041mple':{'m\\u006fde':'\\u0065nforce'," MXS "}", ""),
     "a.example", "enforce mx.a.example"},
    {"times as numbers",
     "{'timestamp':0,'expires':253402300799,'version':'0.1','policies':{" A "}," LIST_ALIASES "}",
     "a.example", "enforce mx.a.example"},
    {"an author",
     "{'author':'Ministry of \\u00c4, \xe2\x82\xac'," LIST_TOP ",'policies':{" A "}," LIST_ALIASES
     "}",
     "a.example", "enforce mx.a.example"},
    {"another domain's policy is another's",
     LIST_OF("'b.example':{'mode':'testing'," MXS "}," A, ""), "b.example", "testing mx.a.example"},
};

static void test_good(void **state)
{
    const struct good *row = *state;
    struct policy_list *list = list_of(row->text);
    struct policy_list_entry entry;
    char said[1024];

    assert_true(policy_list_find(&entry, list, row->domain));
    assert_string_equal(entry.domain, row->domain);
    assert_string_equal(list_said(said, sizeof said, &entry), row->want);
    policy_list_free(list);
}

/* ---- what is refused ---- */

static const struct bad {
    const char *name, *text, *want; /* the message; '*' stands for the rest of it */
} bads[] = {
    /* the text */
    {"no text", "", "line 1: the text ends where an object must be"},
    {"blanks alone", " \n\n ", "line 3: the text ends where an object must be"},
    {"HTML", "<html>", "line 1: '<' where an object must be"},
    {"a mark of UTF-8", "\xef\xbb\xbf{}", "line 1: '\\xef' where an object must be"},
    {"an array", "[]", "line 1: '[' where an object must be"},
    {"a string", "'a'", "line 1: '\"' where an object must be"},
    {"text behind the end", LIST_OF(A, "") "\n{}", "line 2: '{' where the end of the text must be"},
    {"a letter behind the end", LIST_OF(A, "") "x",
     "line 1: 'x' where the end of the text must be"},
    {"a comma at the end", "{" LIST_TOP ",}", "line 1: '}' where a string must be"},
    {"a comma at the beginning", "{," LIST_TOP "}", "line 1: ',' where a string must be"},
    {"no comma", "{'version':'0.1' 'timestamp':1}", "line 1: '\"' where ',' or '}' must be"},
    {"no colon", "{'version' '0.1'}", "line 1: '\"' where ':' must be"},
    {"a comment", "{/* */}", "line 1: '/' where a string must be"},
    {"a key without quotation marks", "{version:1}", "line 1: 'v' where a string must be"},
    {"a number as key", "{1:1}", "line 1: '1' where a string must be"},
    {"a newline in a string", "{'versi\non':1}", "line 1: a control character in a string: \\x0a"},
    {"an escape that is none", "{'versi\\qn':1}", "line 1: a string is not valid: invalid escape*"},
    {"half a surrogate", "{'\\ud800':1}",
     "line 1: a string is not valid: invalid Unicode '\\x5cuD800'*"},
    {"an escaped NUL", "{'version\\u0000':1}", "line 1: a string is not valid: *"},
    {"no UTF-8", "{'versi\xffn':1}", "line 1: a string is not valid: unable to decode byte 0xff*"},
    {"an overlong form", "{'\xc0\xae':1}",
     "line 1: a string is not valid: unable to decode byte 0xc0*"},
    {"a surrogate in UTF-8", "{'\xed\xa0\x80':1}",
     "line 1: a string is not valid: unable to decode byte 0xed*"},
    {"UTF-8 outside of a string", "{\xc3\xa4}", "line 1: '\\xc3' where a string must be"},
    /* the members */
    {"no member", "{}", "line 1: timestamp is missing"},
    {"no timestamp", "{'expires':1,'version':'0.1'," LIST_POLICIES "," LIST_ALIASES "}",
     "line 1: timestamp is missing"},
    {"no expires", "{'timestamp':1,'version':'0.1'," LIST_POLICIES "," LIST_ALIASES "}",
     "line 1: expires is missing"},
    {"no version", "{" LIST_TIMES "," LIST_POLICIES "," LIST_ALIASES "}",
     "line 1: version is missing"},
    {"no policies", "{" LIST_TOP "," LIST_ALIASES "}", "line 1: policies is missing"},
    {"no aliases", "{" LIST_TOP "," LIST_POLICIES "}", "line 1: policy-aliases is missing"},
    {"an unknown member", "{" LIST_TOP ",'pinsets':{}}",
     "line 1: 'pinsets' is nothing that may be here"},
    {"another case", "{'Version':'0.1'}", "line 1: 'Version' is nothing that may be here"},
    {"an empty key", "{'':1}", "line 1: '' is nothing that may be here"},
    {"a foreign key", "{'\\u001b[1m\\u00e4':1}",
     "line 1: '\\x1b[1m\\xc3\\xa4' is nothing that may be here"},
    {"a member twice", "{" LIST_TOP ",'version':'0.1'}",
     "line 1: version: 'version' is there for the second time"},
    {"a member twice, once with an escape", "{" LIST_TOP ",'versio\\u006e':'0.1'}",
     "line 1: version: 'version' is there for the second time"},
    {"policies twice", "{" LIST_TOP "," LIST_POLICIES "," LIST_POLICIES "}",
     "line 1: policies: 'policies' is there for the second time"},
    {"an author twice", "{'author':'a','author':'b'}",
     "line 1: author: 'author' is there for the second time"},
    {"version 0.2", "{'version':'0.2'}", "line 1: version: '0.2' is not 0.1"},
    {"a version as number", "{'version':0.1}", "line 1: version: '0' where a string must be"},
    {"policies as array", "{" LIST_TOP ",'policies':[]}",
     "line 1: policies: '[' where an object must be"},
    {"policies as null", "{" LIST_TOP ",'policies':null}",
     "line 1: policies: 'n' where an object must be"},
    {"aliases as string", "{" LIST_TOP ",'policy-aliases':''}",
     "line 1: policy-aliases: '\"' where an object must be"},
    {"an author as number", "{'author':1}", "line 1: author: '1' where a string must be"},
    {"a newline in an author", "{'author':'a\\nb'}", "line 1: author: a control character"},
    {"a DEL in an author", "{'author':'a\x7f'}", "line 1: author: a control character"},
    {"a C1 control in an author", "{'author':'a\\u009b'}", "line 1: author: a control character"},
    /* times */
    {"a date", "{'timestamp':'2026-11-28'}",
     "line 1: timestamp: '2026-11-28' is no time: \"2026-12-31T12:00:00Z\", or seconds since 1970"},
    {"February 30", "{'expires':'2026-02-30T00:00:00Z'}",
     "line 1: expires: '2026-02-30T00:00:00Z' is no time: *"},
    {"a long text", "{'expires':'" L253 "'}", "line 1: expires: 'abcde*"},
    {"an empty time", "{'expires':''}", "line 1: expires: '' is no time: *"},
    {"a time before 1970", "{'timestamp':-1}",
     "line 1: timestamp: '-' where a whole number that is not negative must be"},
    {"a fraction", "{'timestamp':1.5}", "line 1: timestamp: a number that is not whole"},
    {"an exponent", "{'timestamp':1e9}", "line 1: timestamp: a number that is not whole"},
    {"a leading zero", "{'timestamp':01}", "line 1: timestamp: a number that begins with 0"},
    {"the year 10000", "{'timestamp':253402300800}",
     "line 1: timestamp: a time after the year 9999"},
    {"15 digits", "{'timestamp':999999999999999}", "line 1: timestamp: a time after the year 9999"},
    {"16 digits", "{'timestamp':1000000000000000}",
     "line 1: timestamp: a number of more than 15 digits"},
    {"2^64 + 1", "{'timestamp':18446744073709551617}",
     "line 1: timestamp: a number of more than 15 digits"},
    {"a time as null", "{'timestamp':null}",
     "line 1: timestamp: 'n' where a whole number that is not negative must be"},
    {"a time as array", "{'timestamp':[1]}",
     "line 1: timestamp: '[' where a whole number that is not negative must be"},
    {"hexadecimal", "{'timestamp':0x10}", "line 1: 'x' where ',' or '}' must be"},
    /* domains */
    {"an empty domain", DOMAIN(""), "line 1: policies: '' is no host name of two labels or more"},
    {"one label", DOMAIN("localhost"),
     "line 1: policies: 'localhost' is no host name of two labels or more"},
    {"a top-level domain", DOMAIN("example"),
     "line 1: policies: 'example' is no host name of two labels or more"},
    {"a dot at the end", DOMAIN("a.example."),
     "line 1: policies: 'a.example.' is no host name of two labels or more"},
    {"a dot at the beginning", DOMAIN(".a.example"),
     "line 1: policies: '.a.example' is no host name of two labels or more"},
    {"an empty label", DOMAIN("a..example"),
     "line 1: policies: 'a..example' is no host name of two labels or more"},
    {"a wildcard domain", DOMAIN("*.a.example"),
     "line 1: policies: '*.a.example' is no host name of two labels or more"},
    {"a U-label",
     DOMAIN("b\xc3\xbc"
            "cher.example"),
     "line 1: policies: 'b\\xc3\\xbccher.example' is no host name of two labels or more"},
    {"an underscore", DOMAIN("_a.example"),
     "line 1: policies: '_a.example' is no host name of two labels or more"},
    {"a hyphen at an end", DOMAIN("a-.example"),
     "line 1: policies: 'a-.example' is no host name of two labels or more"},
    {"an address", DOMAIN("192.0.2.1"),
     "line 1: policies: '192.0.2.1' is no host name of two labels or more"},
    {"an address in brackets", DOMAIN("[192.0.2.1]"),
     "line 1: policies: '[192.0.2.1]' is no host name of two labels or more"},
    {"an IPv6 address", DOMAIN("2001:db8::1"),
     "line 1: policies: '2001:db8::1' is no host name of two labels or more"},
    {"a host in brackets", DOMAIN("[mx.a.example]"),
     "line 1: policies: '[mx.a.example]' is no host name of two labels or more"},
    {"a port", DOMAIN("a.example:587"),
     "line 1: policies: 'a.example:587' is no host name of two labels or more"},
    {"a blank", DOMAIN("a .example"),
     "line 1: policies: 'a .example' is no host name of two labels or more"},
    {"a newline that is escaped", DOMAIN("a\\n.example"),
     "line 1: policies: 'a\\x0a.example' is no host name of two labels or more"},
    {"a label of 64", DOMAIN(L63 "x.example"), "line 1: policies: '" L63 "x.example' is no*"},
    {"254 octets", DOMAIN(L253 "j"), "line 1: policies: 'abcde*"},
    {"a domain twice", LIST_OF(A "," A, ""), IN_A "the domain is there for the second time"},
    {"a domain twice, in another case", LIST_OF(A ",\n'A.EXAMPLE':{" MODE "," MXS "}", ""),
     "line 2: policies: a.example: the domain is there for the second time"},
    {"a domain twice, once with an escape", LIST_OF(A ",'\\u0041.example':{" MODE "," MXS "}", ""),
     IN_A "the domain is there for the second time"},
    /* policies */
    {"a policy as string", POLICY("'enforce'"), IN_A "'\"' where an object must be"},
    {"a policy as null", POLICY("null"), IN_A "'n' where an object must be"},
    {"an empty policy", POLICY("{}"), IN_A "mode is missing"},
    {"no mode", POLICY("{" MXS "}"), IN_A "mode is missing"},
    {"no hosts", POLICY("{" MODE "}"), IN_A "mxs is missing"},
    {"a mode twice", POLICY("{" MODE ",'mode':'testing'," MXS "}"),
     IN_A "'mode' is there for the second time"},
    {"mxs twice", POLICY("{" MODE "," MXS "," MXS "}"), IN_A "'mxs' is there for the second time"},
    {"an unknown key", POLICY("{" MODE "," MXS ",'tls-report':'https://a.example'}"),
     IN_A "'tls-report' is nothing that may be here"},
    {"mode none", POLICY("{'mode':'none'," MXS "}"),
     IN_A "mode: 'none' is neither testing nor enforce"},
    {"mode in another case", POLICY("{'mode':'Enforce'," MXS "}"),
     IN_A "mode: 'Enforce' is neither testing nor enforce"},
    {"mode as boolean", POLICY("{'mode':true," MXS "}"), IN_A "'t' where a string must be"},
    {"mxs as string", POLICY("{" MODE ",'mxs':'mx.a.example'}"),
     IN_A "mxs: '\"' where an array must be"},
    {"mxs as object", POLICY("{" MODE ",'mxs':{}}"), IN_A "mxs: '{' where an array must be"},
    {"deep arrays", HOSTS("[[[[[[[[[["), IN_A "mxs: '[' where a string must be"},
    {"deep objects", POLICY("{'a':{'a':{'a':{"), IN_A "'a' is nothing that may be here"},
    /* hosts */
    {"an empty mxs", HOSTS(""), IN_A "mxs: no host"},
    {"a comma at the end of mxs", HOSTS("'mx.a.example',"), IN_A "mxs: ']' where a string must be"},
    {"an empty host", HOSTS("''"), IN_A "mxs: '' is no host name of two labels or more"},
    {"a dot", HOSTS("'.'"), IN_A "mxs: '.' is no host name of two labels or more"},
    {"a host as number", HOSTS("1"), IN_A "mxs: '1' where a string must be"},
    {"nexthop", HOSTS("'nexthop'"), IN_A "mxs: 'nexthop' is no host name of two labels or more"},
    {"dot-nexthop", HOSTS("'dot-nexthop'"),
     IN_A "mxs: 'dot-nexthop' is no host name of two labels or more"},
    {"hostname", HOSTS("'hostname'"), IN_A "mxs: 'hostname' is no host name of two labels or more"},
    {".nexthop", HOSTS("'.nexthop'"), IN_A "mxs: '.nexthop' is no host name of two labels or more"},
    {"a suffix of one label", HOSTS("'.com'"),
     IN_A "mxs: '.com' is no host name of two labels or more"},
    {"two dots", HOSTS("'..a.example'"),
     IN_A "mxs: '..a.example' is no host name of two labels or more"},
    {"a wildcard", HOSTS("'*.a.example'"),
     IN_A "mxs: '*.a.example' is no host: \"*.example.com\" is written \".example.com\""},
    {"a star", HOSTS("'*'"),
     IN_A "mxs: '*' is no host: \"*.example.com\" is written \".example.com\""},
    {"a wildcard behind a dot", HOSTS("'.*.example'"),
     IN_A "mxs: '.*.example' is no host name of two labels or more"},
    {"a host's address", HOSTS("'192.0.2.1'"),
     IN_A "mxs: '192.0.2.1' is no host name of two labels or more"},
    {"a suffix of an address", HOSTS("'.0.2.1'"),
     IN_A "mxs: '.0.2.1' is no host name of two labels or more"},
    {"a host's IPv6 address", HOSTS("'::1'"),
     IN_A "mxs: '::1' is no host name of two labels or more"},
    {"a separator", HOSTS("'mx.a.example:mx.evil.example'"),
     IN_A "mxs: 'mx.a.example:mx.evil.example' is no host name of two labels or more"},
    {"an attribute", HOSTS("'mx.a.example servername=x.example'"),
     IN_A "mxs: 'mx.a.example servername=x.example' is no host name of two labels or more"},
    {"a host with a dot at the end", HOSTS("'mx.a.example.'"),
     IN_A "mxs: 'mx.a.example.' is no host name of two labels or more"},
    {"a host twice", HOSTS("'mx.a.example','mx.b.example','mx.a.example'"),
     IN_A "mxs: 'mx.a.example' is there for the second time"},
    {"a host twice, in another case", HOSTS("'mx.a.example','MX.A.example'"),
     IN_A "mxs: 'MX.A.example' is there for the second time"},
    {"a suffix twice", HOSTS("'.a.example','.a.example'"),
     IN_A "mxs: '.a.example' is there for the second time"},
    /* aliases */
    {"an alias that is missing",
     LIST_OF("'b.example':{" MODE "," MXS "},\n'a.example':{'policy-alias':'big'}\n", ""),
     "line 2: policies: a.example: policy-aliases has no 'big'"},
    {"an alias in another case",
     LIST_OF("'a.example':{'policy-alias':'big'}", "'Big':{" MODE "," MXS "}"),
     IN_A "policy-aliases has no 'big'"},
    {"an alias of itself", LIST_OF("'a.example':{'policy-alias':'x'}", "'x':{'policy-alias':'x'}"),
     "line 1: policy-aliases: x: an alias of an alias"},
    {"aliases in a ring", LIST_OF("", "'x':{'policy-alias':'y'},'y':{'policy-alias':'x'}"),
     "line 1: policy-aliases: x: an alias of an alias"},
    {"an alias twice", LIST_OF("", "'x':{" MODE "," MXS "},'x':{" MODE "," MXS "}"),
     "line 1: policy-aliases: x: the alias is there for the second time"},
    {"an alias without hosts", LIST_OF("", "'x':{" MODE "}"),
     "line 1: policy-aliases: x: mxs is missing"},
    {"an alias beside a mode", POLICY("{'policy-alias':'x'," MODE "}"),
     IN_A "policy-alias beside mode or mxs"},
    {"an alias beside hosts", POLICY("{" MODE "," MXS ",'policy-alias':'x'}"),
     IN_A "policy-alias beside mode or mxs"},
    {"two aliases", POLICY("{'policy-alias':'x','policy-alias':'x'}"),
     IN_A "'policy-alias' is there for the second time"},
    {"an alias as null", POLICY("{'policy-alias':null}"), IN_A "'n' where a string must be"},
    {"an alias without a name", POLICY("{'policy-alias':''}"),
     IN_A "'' is no name of an alias: 1 to 253 printable ASCII characters"},
    {"an alias with a control character", POLICY("{'policy-alias':'a\\u0007'}"),
     IN_A "'a\\x07' is no name of an alias: 1 to 253 printable ASCII characters"},
    {"an alias that is not ASCII", LIST_OF("", "'\\u00e4':{" MODE "," MXS "}"),
     "line 1: policy-aliases: '\\xc3\\xa4' is no name of an alias: *"},
    {"an alias of 254", LIST_OF("", "'" L253 "x':{" MODE "," MXS "}"),
     "line 1: policy-aliases: 'abcde*"},
};

static bool is_wanted(const char *error, const char *want)
{
    size_t length = strlen(want);

    if (want[length - 1] == '*')
        return strncmp(error, want, length - 1) == 0;
    return strcmp(error, want) == 0;
}

static void test_bad(void **state)
{
    const struct bad *row = *state;
    char *text = list_text(row->text), error[POLICY_LIST_ERROR_MAX] = "";
    struct policy_list *list = (void *)text;

    assert_int_equal(policy_list_read(&list, text, strlen(text), error), -1);
    assert_null(list);
    if (!is_wanted(error, row->want))
        fail_msg("%s\n%s", error, row->want);
    free(text);
}

/* ---- the header ---- */

static void test_header(void **state)
{
    struct policy_list *list =
        list_of("{'author':'Ministry of \\u00c4','timestamp':'2026-11-28T13:00:00+01:00',"
                "'expires':1795867201,'version':'0.1','policies':{" A
                ",'b.example':{'policy-alias':'x'}},'policy-aliases':{'x':{" MODE "," MXS
                "},'y':{" MODE "," MXS "}}}");
    const struct policy_list_header *header = policy_list_header(list);

    (void)state;
    assert_string_equal(header->author, "Ministry of \xc3\x84");
    assert_int_equal(header->timestamp_s, 1795867200);
    assert_int_equal(header->expires_s, 1795867201);
    assert_int_equal(header->domains, 2);
    assert_int_equal(header->aliases, 2);
    policy_list_free(list);
}

/* The last domain may have left. */
static void test_empty(void **state)
{
    struct policy_list *list = list_of(LIST_OF("", ""));
    struct policy_list_entry entry;
    size_t at = 0;

    (void)state;
    assert_null(policy_list_header(list)->author);
    assert_int_equal(policy_list_header(list)->domains, 0);
    assert_false(policy_list_next(&entry, list, &at));
    assert_false(policy_list_find(&entry, list, "a.example"));
    assert_false(policy_list_find(&entry, list, ""));
    policy_list_free(list);
    policy_list_free(NULL);
}

/* A list speaks of the domain itself, and of no other. */
static void test_find(void **state)
{
    static const char *const others[] = {"example",    "x.a.example",  ".a.example", "aa.example",
                                         "a.example.", "mx.a.example", "a.exampl",   ""};
    struct policy_list *list = list_of(LIST_OF(A, "'c.example':{" MODE "," MXS "}"));
    struct policy_list_entry entry;

    (void)state;
    assert_true(policy_list_find(&entry, list, "a.example"));
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(policy_list_find(&entry, list, others[i]));
    assert_false(policy_list_find(&entry, list, "c.example"));
    policy_list_free(list);
}

static void test_next(void **state)
{
    static const char *const want[] = {"c.example", "a.example", "b.example"};
    struct policy_list *list =
        list_of(LIST_OF("'c.example':{" MODE "," MXS "}," A ",'B.example':{'policy-alias':'x'}",
                        "'x':{'mode':'testing'," MXS "}"));
    struct policy_list_entry entry;
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(policy_list_next(&entry, list, &at));
        assert_string_equal(entry.domain, want[i]);
    }
    assert_false(policy_list_next(&entry, list, &at));
    policy_list_free(list);
}

/* What the manual shows as an example is a list. */
static void test_manual(void **state)
{
    static char page[65536], error[POLICY_LIST_ERROR_MAX];
    FILE *file = fopen(MXC_SOURCE_DIR "/docs/mxcrypt-list.5", "r");
    struct policy_list_entry entry;
    struct policy_list *list;
    char *begin, *end, said[256];

    (void)state;
    assert_non_null(file);
    assert_true(fread(page, 1, sizeof page - 1, file) > 0);
    fclose(file);
    begin = strstr(page, "\n{\n");
    assert_non_null(begin);
    end = strstr(begin, ".Ed");
    assert_non_null(end);
    if (policy_list_read(&list, begin, (size_t)(end - begin), error) != 0)
        fail_msg("%s", error);
    assert_true(policy_list_find(&entry, list, "dentist.example"));
    assert_string_equal(list_said(said, sizeof said, &entry),
                        "enforce *.mx.hosting.example (hosting)");
    policy_list_free(list);
}

/* ---- every octet ---- */

#define SMALL                                                                                      \
    "{'author':'A \\u00e4 \xc3\xa4','timestamp':'2026-11-28T00:00:00Z','expires':1798416000,"      \
    "'version':'0.1',\n'policies':{'a.example':{'mode':'enforce','mxs':['mx.a.example','.b.a']},"  \
    "'b.example':{'policy-alias':'x'}},\n'policy-aliases':{'x':{'mxs':['.x.example'],'mode':"      \
    "'testing'}}}"

/* The text lies at the end of its memory, so that the sanitizer sees an octet read beyond it. */
static int read_exactly(const char *text, size_t length, char error[POLICY_LIST_ERROR_MAX])
{
    char *copy = malloc(length == 0 ? 1 : length);
    struct policy_list *list;
    int result;

    memcpy(copy, text, length);
    result = policy_list_read(&list, copy, length, error);
    policy_list_free(list);
    free(copy);
    return result;
}

static void test_cut(void **state)
{
    char *text = list_text(SMALL), error[POLICY_LIST_ERROR_MAX];
    size_t length = strlen(text);

    (void)state;
    assert_int_equal(read_exactly(text, length, error), 0);
    for (size_t i = 0; i < length; i++) {
        error[0] = '\0';
        assert_int_equal(read_exactly(text, i, error), -1);
        assert_int_equal(strncmp(error, "line ", 5), 0);
        assert_non_null(strstr(error, "the text ends w"));
    }
    free(text);
}

static void test_nul(void **state)
{
    char *text = list_text(SMALL), error[POLICY_LIST_ERROR_MAX];
    size_t length = strlen(text);

    (void)state;
    for (size_t i = 0; i <= length; i++) {
        char was = text[i];

        text[i] = '\0';
        assert_int_equal(read_exactly(text, length + 1, error), -1);
        text[i] = was;
    }
    free(text);
}

/* Whatever an octet becomes, the list is read or refused, with a reason. */
static void test_other_octets(void **state)
{
    static const unsigned char others[] = {'"', '\\', '{', '}', '[', ']', ',',  ':',  ' ',  '\n',
                                           '0', 'a',  'U', '.', '*', '-', 0x7f, 0x80, 0xc3, 0xff};
    char *text = list_text(SMALL), error[POLICY_LIST_ERROR_MAX];
    size_t length = strlen(text);

    (void)state;
    for (size_t i = 0; i < length; i++)
        for (size_t j = 0; j < sizeof others; j++) {
            char was = text[i];

            error[0] = '\0';
            text[i] = (char)others[j];
            if (read_exactly(text, length, error) != 0)
                assert_int_equal(strncmp(error, "line ", 5), 0);
            for (const char *c = error; *c != '\0'; c++)
                assert_true(*c >= ' ' && *c <= '~');
            text[i] = was;
        }
    free(text);
}

int main(void)
{
    ROWS_ADD(goods, test_good);
    ROWS_ADD(bads, test_bad);
    ROWS_ADD_TEST(test_header);
    ROWS_ADD_TEST(test_empty);
    ROWS_ADD_TEST(test_find);
    ROWS_ADD_TEST(test_next);
    ROWS_ADD_TEST(test_manual);
    ROWS_ADD_TEST(test_cut);
    ROWS_ADD_TEST(test_nul);
    ROWS_ADD_TEST(test_other_octets);
    return rows_run("policy_list_read");
}
