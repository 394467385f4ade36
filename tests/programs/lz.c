/* An LZ compressor with a hash table of three-byte strings, and its decompressor. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t pack(const uint8_t *in, size_t size, uint8_t *out) {
    static int32_t table[1 << 12];
    memset(table, -1, sizeof table);
    size_t at = 0, to = 0, literal = 0;
    while (at < size) {
        size_t length = 0, distance = 0;
        if (at + 4 <= size) {
            uint32_t key = ((in[at] | in[at + 1] << 8 | in[at + 2] << 16) * 2654435761u) >> 20;
            int32_t before = table[key];
            table[key] = (int32_t)at;
            if (before >= 0 && at - before < 65536) {
                while (at + length < size && length < 130 && in[before + length] == in[at + length]) length++;
                distance = at - before;
            }
        }
        if (length < 4) { literal++; at++; length = 0; }
        if (literal == 127 || (literal && (length || at == size))) {
            size_t start = at - literal;
            out[to++] = (uint8_t)literal;
            memcpy(out + to, in + start, literal);
            to += literal;
            literal = 0;
        }
        if (length) {
            out[to++] = (uint8_t)(0x80 | (length - 3));
            out[to++] = (uint8_t)distance;
            out[to++] = (uint8_t)(distance >> 8);
            at += length;
        }
    }
    return to;
}
static size_t unpack(const uint8_t *in, size_t size, uint8_t *out) {
    size_t to = 0;
    for (size_t at = 0; at < size;) {
        uint8_t code = in[at++];
        if (code & 0x80) {
            size_t distance = in[at] | in[at + 1] << 8;
            at += 2;
            for (int i = 0; i < (code & 0x7f) + 3; i++, to++) out[to] = out[to - distance];
        } else { memcpy(out + to, in + at, code); at += code; to += code; }
    }
    return to;
}

int main(void) {
    enum { SIZE = 60000 };
    uint8_t *data = malloc(SIZE), *packed = malloc(2 * SIZE), *back = malloc(SIZE + 200);
    unsigned seed = 7;
    const char *words[] = {"the ", "tensor ", "core ", "loads ", "a ", "tile ", "of ", "weights\n"};
    size_t size = 0;
    while (size < SIZE - 16) {
        seed = seed * 1103515245u + 12345u;
        const char *word = words[seed >> 24 & 7];
        memcpy(data + size, word, strlen(word));
        size += strlen(word);
        if ((seed >> 16 & 31) == 0) data[size++] = (uint8_t)(seed >> 8);
    }
    size_t small = pack(data, size, packed), same = unpack(packed, small, back);
    int good = same == size && !memcmp(data, back, size);
    printf("%zu -> %zu %d\n", size, small, good);
    return !good;
}
