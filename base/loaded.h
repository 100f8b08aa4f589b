/* loaded: what becomes of data that were saved elsewhere when they are loaded. */
#pragma once

enum loaded {
    LOADED_REFUSED, /* not what this program saves, or no memory: nothing happened */
    LOADED_KNOWN,   /* nothing new */
    LOADED_NEW
};

/* Two moments this near are one: from one clock to another and back some of it is lost. */
#define LOADED_SAME_MS 100
