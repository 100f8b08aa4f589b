# The tables of a results file, as a C file of mxc_survey.
set(results_folder ${CMAKE_CURRENT_LIST_DIR})
set(results_assets ${CMAKE_CURRENT_BINARY_DIR}/results_schema.c)
add_custom_command(OUTPUT ${results_assets}
    COMMAND ${CMAKE_COMMAND} -DFROM=${results_folder}/schema.sql -DOUT=${results_assets} -P ${results_folder}/embed.cmake
    DEPENDS ${results_folder}/schema.sql ${results_folder}/embed.cmake
    VERBATIM)
target_sources(mxc_survey PRIVATE ${results_assets})
