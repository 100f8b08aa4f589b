/* hash: SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"); see hash.h. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>
#include <sys/random.h>

static uint64_t process_key[2];

int hash_init(void)
{
    return getrandom(process_key, sizeof process_key, 0) == (ssize_t)sizeof process_key ? 0 : -1;
}

static inline uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* 8 octets, the first the lowest */
static inline uint64_t load_le(const unsigned char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* Less than 8 of them */
static inline uint64_t load_rest(const unsigned char *p, size_t n)
{
    uint64_t word = 0;

    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

static uint64_t sip_hash(const uint64_t key[2], const void *data, size_t length)
{
    const unsigned char *p = data;
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    uint64_t word;
    size_t left = length;

    for (; left >= 8; left -= 8, p += 8) {
        word = load_le(p);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = load_rest(p, left) | (uint64_t)(length & 0xff) << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *data, size_t length)
{
    return sip_hash(process_key, data, length);
}

uint64_t hash_keyed(const uint64_t key[2], const void *data, size_t length)
{
    return sip_hash(key, data, length);
}

uint64_t hash_stable(const void *data, size_t length)
{
    static const uint64_t fixed_key[2] = {0x6d78637279707400, 1};

    return sip_hash(fixed_key, data, length);
}
