# Style and script of the HTML page, as a C file of mxc_base.
set(page_folder ${CMAKE_CURRENT_LIST_DIR})
set(page_assets ${CMAKE_CURRENT_BINARY_DIR}/page_assets.c)
add_custom_command(OUTPUT ${page_assets}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${page_folder} -DOUT=${page_assets} -P ${page_folder}/embed.cmake
    DEPENDS ${page_folder}/page.css ${page_folder}/page.js ${page_folder}/embed.cmake
    VERBATIM)
target_sources(mxc_base PRIVATE ${page_assets})
