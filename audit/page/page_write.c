/* page_write: a page of the audit into a file; see page.h. */
#include "audit/page/page.h"
#include "base/page/page_write.h"

struct page_to_fill {
    const struct page *page;
    page_writer *write;
};

static bool fill_page(FILE *out, const void *context)
{
    const struct page_to_fill *this = context;

    return this->write(out, this->page);
}

int page_write_file(const char *path, const struct page *page, page_writer *write)
{
    const struct page_to_fill this = {page, write};

    return page_replace(path, fill_page, &this);
}
