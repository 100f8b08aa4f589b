# Makes a C file of schema.sql.
# usage: cmake -DFROM=survey/results/schema.sql -DOUT=FILE -P embed.cmake
cmake_minimum_required(VERSION 3.25)

file(READ ${FROM} octets HEX)
string(REGEX REPLACE "(..)" "0x\\1," octets "${octets}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" octets "${octets}")
file(WRITE ${OUT} "/* of schema.sql, by embed.cmake */\n#include \"survey/results/results_internal.h\"\n\n"
    "const char results_schema[] = {\n${octets}0};\n")
