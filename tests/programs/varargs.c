/* Variadic functions, structures by value, function pointers. */
#include <stdarg.h>
#include <stdio.h>
struct small { int a; float b; };
struct pair { double x, y; };
struct large { long v[6]; };
static double sum(const char *kinds, ...) {
    va_list list, copy;
    double total = 0;
    va_start(list, kinds);
    va_copy(copy, list);
    for (const char *k = kinds; *k; k++) {
        if (*k == 'i') total += va_arg(list, int);
        if (*k == 'l') total += (double)va_arg(list, long long);
        if (*k == 'd') total += va_arg(list, double);
        if (*k == 'p') { struct pair p = va_arg(list, struct pair); total += p.x * p.y; }
        if (*k == 'L') { struct large l = va_arg(list, struct large); total += l.v[5]; }
    }
    total += *kinds == 'i' ? va_arg(copy, int) : 0;
    va_end(copy);
    va_end(list);
    return total;
}
static struct small twice(struct small s) { s.a *= 2; s.b *= 2; return s; }
static struct large shift(struct large l, long by) { for (int i = 0; i < 6; i++) l.v[i] <<= by; return l; }
static struct pair turn(struct pair p) { return (struct pair){-p.y, p.x}; }
static int add(int a, int b) { return a + b; }
static int sub(int a, int b) { return a - b; }
static int many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j) { return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j; }

int main(void) {
    struct large l = {{1, 2, 3, 4, 5, 6}};
    struct pair p = {1.5, -2};
    printf("%g %g\n", sum("iildd", 1, 2, 3LL, 0.5, 0.25), sum("pLidp", p, l, 7, 2.5, p));
    struct small s = twice((struct small){21, 1.25f});
    struct large t = shift(l, 3);
    struct pair q = turn(turn(p));
    int (*table[])(int, int) = {add, sub, add};
    int total = 0;
    for (int i = 0; i < 9; i++) total = table[i % 3](total, i * 11);
    printf("%d %g %ld %g %g %d %d\n", s.a, s.b, t.v[5], q.x, q.y, total, many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    return s.a;
}
