/* page_assets: page.css and page.js as text, and their hashes as a Content-Security-Policy names
 * them. The C file is made by embed.cmake. */
#pragma once

extern const char page_css[], page_css_hash[];
extern const char page_js[], page_js_hash[];
