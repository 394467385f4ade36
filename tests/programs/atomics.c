/* C11 atomics of every width, compare-exchange loops included. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

static _Atomic int32_t word = 5;
static _Atomic int64_t wide = -7;
static _Atomic uint8_t byte = 250;
static _Atomic uint16_t half = 65530;
static atomic_flag flag = ATOMIC_FLAG_INIT;

int main(void) {
    int old = atomic_fetch_add(&word, 10);
    printf("%d %d\n", old, atomic_load(&word));
    printf("%lld %lld\n", (long long)atomic_fetch_sub(&wide, 3), (long long)atomic_load(&wide));
    printf("%d %d\n", atomic_fetch_or(&word, 0x70), atomic_fetch_and(&word, 0x3c));
    printf("%d %d\n", atomic_fetch_xor(&word, 0xff), atomic_exchange(&word, 99));
    for (int i = 0; i < 10; i++) { atomic_fetch_add(&byte, 1); atomic_fetch_add(&half, 3); }
    int32_t expected = 98;
    int swapped = atomic_compare_exchange_strong(&word, &expected, 1);
    printf("%d %d %d\n", swapped, expected, atomic_load(&word));
    swapped = atomic_compare_exchange_strong(&word, &expected, 1);
    int64_t seen = atomic_load(&wide);
    while (!atomic_compare_exchange_weak(&wide, &seen, seen * 3)) {}
    printf("%d %d %d %d %lld\n", swapped, atomic_load(&word), atomic_load(&byte), atomic_load(&half), (long long)atomic_load(&wide));
    printf("%d %d\n", atomic_flag_test_and_set(&flag), atomic_flag_test_and_set(&flag));
    atomic_thread_fence(memory_order_seq_cst);
    return 3;
}
