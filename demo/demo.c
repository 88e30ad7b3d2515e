/* The demo's own library, compiled for ELF i386 and PE i386 by `cargo xtask build`. */
#define _In_reads_bytes_(size)
#include "demo.h"

#include <string.h>

int Add(int a, int b) {
    /* Unsigned, because C leaves open what a signed overflow is. */
    return (int)((unsigned int)a + (unsigned int)b);
}

double Scale(double value, double factor) {
    return value * factor;
}

long long Multiply(int a, int b) {
    return (long long)a * b;
}

int DEMO_CALL Divide(int dividend, int divisor, int *quotient, int *remainder) {
    *quotient = 0;
    *remainder = 0;
    if (divisor == 0) {
        return DEMO_DIVISION_BY_ZERO;
    }
    /* In 64 bits, because the smallest number divided by -1 is not an int. */
    *quotient = (int)((long long)dividend / divisor);
    *remainder = (int)((long long)dividend % divisor);
    return DEMO_OK;
}

unsigned int TextLength(const char *text) {
    return (unsigned int)strlen(text);
}

unsigned int Sum(const unsigned char *data, unsigned int size) {
    unsigned int sum = 0;
    for (unsigned int i = 0; i < size; i++) {
        sum += data[i];
    }
    return sum;
}

unsigned int Count(void) {
    static unsigned int calls;
    return ++calls;
}

void Crash(void) {
    *(volatile int *)0 = 1;
}
