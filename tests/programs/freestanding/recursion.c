#include "start.h"
static i64 fib(i64 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static i64 ackermann(i64 m, i64 n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
int main(void) { number(fib(18)); number(ackermann(2, 9)); return 200; }
