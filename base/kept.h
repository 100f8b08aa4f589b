/* kept: what becomes of something that was kept elsewhere when it is given back. */
#pragma once

enum kept {
    KEPT_REFUSED, /* not what this program keeps, or no memory: nothing happened */
    KEPT_KNOWN,   /* nothing new */
    KEPT_TAKEN
};

/* Two moments this near are one: from one clock to another and back some of it is lost. */
#define KEPT_SAME_MS 100
