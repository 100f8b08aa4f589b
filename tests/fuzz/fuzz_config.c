/* fuzz: the configuration reader. helo-name is given, so that it is the same on every host. */
#include <stdint.h>

#include "daemon/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static const char *const overrides[] = {"helo-name=mx.example"};
    struct config config;
    char error[CONFIG_ERROR_MAX];

    config_parse(&config, "fuzz", (const char *)data, length, overrides, 1, error);
    config_fini(&config);
    return 0;
}
