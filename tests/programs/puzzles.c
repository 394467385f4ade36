/* Queens, hanoi, Ackermann, life, a sieve, big factorials: recursion, bit boards, tables. */
#include <stdio.h>
#include <string.h>
static int queens(int n, unsigned columns, unsigned left, unsigned right) {
    unsigned free = ~(columns | left | right) & ((1u << n) - 1), count = 0;
    if (columns == (1u << n) - 1) return 1;
    while (free) {
        unsigned bit = free & -free;
        free ^= bit;
        count += queens(n, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return (int)count;
}
static int hanoi(int n, int a, int b, int c) { return n == 0 ? 0 : hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a); }
static int ackermann(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
static char board[20][40], next[20][40];
static int life(int rounds) {
    for (int i = 0; i < 20; i++) for (int j = 0; j < 40; j++) board[i][j] = (i * 7 + j * 11 + i * j) % 5 == 0;
    while (rounds--) {
        for (int i = 0; i < 20; i++) for (int j = 0; j < 40; j++) {
            int n = 0;
            for (int y = -1; y < 2; y++) for (int x = -1; x < 2; x++) n += (y || x) && board[(i + y + 20) % 20][(j + x + 40) % 40];
            next[i][j] = n == 3 || (n == 2 && board[i][j]);
        }
        memcpy(board, next, sizeof board);
    }
    int alive = 0;
    for (int i = 0; i < 20; i++) for (int j = 0; j < 40; j++) alive += board[i][j];
    return alive;
}
static int factorial_digits(int n) {
    static int digits[300];
    int count = 1, sum = 0;
    digits[0] = 1;
    for (int i = 2; i <= n; i++) {
        int carry = 0;
        for (int k = 0; k < count; k++) { carry += digits[k] * i; digits[k] = carry % 10; carry /= 10; }
        while (carry) { digits[count++] = carry % 10; carry /= 10; }
    }
    for (int k = 0; k < count; k++) sum += digits[k];
    return count * 10000 + sum;
}

int main(void) {
    printf("%d %d %d %d %d\n", queens(8, 0, 0, 0), hanoi(10, 0, 1, 2), ackermann(2, 9), life(30), factorial_digits(100));
    return queens(6, 0, 0, 0);
}
