/* String functions, base64, CRC-32, and a state machine in a switch. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static void base64(const uint8_t *in, int size, char *out) {
    const char *set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < size; i += 3) {
        uint32_t v = in[i] << 16 | (i + 1 < size ? in[i + 1] << 8 : 0) | (i + 2 < size ? in[i + 2] : 0);
        *out++ = set[v >> 18];
        *out++ = set[v >> 12 & 63];
        *out++ = i + 1 < size ? set[v >> 6 & 63] : '=';
        *out++ = i + 2 < size ? set[v & 63] : '=';
    }
    *out = 0;
}
static uint32_t crc(const uint8_t *data, size_t size) {
    uint32_t c = ~0u;
    while (size--) {
        c ^= *data++;
        for (int i = 0; i < 8; i++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}
static int words(const char *s) {
    enum { OUT, IN, NUMBER } state = OUT;
    int count = 0;
    for (; *s; s++)
        switch (state) {
        case OUT: if (isalpha((unsigned char)*s)) { state = IN; count++; } else if (isdigit((unsigned char)*s)) { state = NUMBER; count += 100; } break;
        case IN: if (!isalnum((unsigned char)*s)) state = OUT; break;
        case NUMBER: if (!isdigit((unsigned char)*s) && *s != '.') state = OUT; break;
        }
    return count;
}

int main(void) {
    char out[200], copy[100], *save = NULL;
    const char *text = "The quick brown fox, 12 jumps over 3.5 lazy dogs; again and again!";
    base64((const uint8_t *)text, (int)strlen(text), out);
    printf("%s\n%08x %08x %d\n", out, crc((const uint8_t *)text, strlen(text)), crc((const uint8_t *)"123456789", 9), words(text));
    strcpy(copy, text);
    for (char *token = strtok_r(copy, " ,;!", &save); token; token = strtok_r(NULL, " ,;!", &save)) printf("<%s>", token);
    memmove(copy + 3, text, 20);
    copy[23] = 0;
    printf("\n%s %s %d %d %d\n", strstr(text, "lazy"), strrchr(text, 'a'), strcmp("abc", "abd") < 0, strncmp("abcx", "abcy", 3), memcmp("b", "a", 1) > 0);
    printf("%d %d %s\n", (int)strspn("aabbcc", "ab"), (int)strcspn(text, ",;"), strchr(copy, 'q'));
    return words(text) & 127;
}
