/* Integer and string conversions of printf, sscanf and strtol. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    printf("%d %i %u %x %X %o %c %s %%\n", -42, INT_MIN, UINT_MAX, 0xbeef, 0xBEEF, 0777, 'z', "text");
    printf("[%8d] [%-8d] [%08d] [%+d] [% d] [%#x] [%#o]\n", 42, 42, 42, 42, 42, 42, 42);
    printf("%ld %lld %zu %hd %hhd\n", LONG_MIN, LLONG_MAX, sizeof(long), (short)70000, (char)300);
    printf("[%.3s] [%10s] [%-10s] [%*d] [%.*s]\n", "abcdef", "right", "left", 6, 7, 2, "xyz");
    int a, n;
    unsigned b;
    char word[16];
    n = sscanf(" 12 0xff hello!", "%d %x %15[a-z]", &a, &b, word);
    printf("%d %d %u %s\n", n, a, b, word);
    char *end;
    long value = strtol("  -0x7fffffffffffffffz", &end, 0);
    printf("%ld %c %lu\n", value, *end, strtoul("18446744073709551615", NULL, 10));
    char buffer[8];
    int length = snprintf(buffer, sizeof buffer, "%s", "longer than that");
    printf("%d %s %d %d\n", length, buffer, argc, (int)strlen(argv[0]) > 0);
    fprintf(stderr, "to the other stream\n");
    return 7;
}
