/* main: the command line of mxcryptd(8). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config/config.h"
#include "daemon/mxcryptd.h"

#define OVERRIDES_MAX 64

static int usage(void)
{
    fputs("usage: mxcryptd [-tV] [-c file] [-o key=value]...\n", stderr);
    return 64;
}

/* The last part of -t. */
static int check_rules(const struct config *config)
{
    char error[CONFIG_ERROR_MAX];
    struct rules *rules;

    if (config_read_rules(&rules, config, error) != 0) {
        fprintf(stderr, "mxcryptd: %s\n", error);
        return 1;
    }
    rules_free(rules);
    puts("configuration: ok");
    return 0;
}

int main(int argc, char **argv)
{
    const char *overrides[OVERRIDES_MAX], *path = NULL;
    char error[CONFIG_ERROR_MAX];
    size_t count = 0;
    struct config config;
    int option, status;
    bool check = false;

    while ((option = getopt(argc, argv, "c:o:tV")) != -1) {
        if (option == 'V') {
            puts("mxcryptd " MXC_VERSION);
            return 0;
        }
        if (option == '?' || (option == 'o' && count == OVERRIDES_MAX))
            return usage();
        if (option == 'c')
            path = optarg;
        else if (option == 'o')
            overrides[count++] = optarg;
        else
            check = true;
    }
    if (optind != argc)
        return usage();
    if (config_load(&config, path, overrides, count, error) != 0) {
        fprintf(stderr, "mxcryptd: %s\n", error);
        config_fini(&config);
        return 1;
    }
    status = check ? check_rules(&config) : mxcryptd_run(&config);
    config_fini(&config);
    return status;
}
