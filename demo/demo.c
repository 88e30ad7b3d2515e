/* The demo's own library, compiled for ELF i386 and PE i386 by `cargo xtask build`. */
#define _In_reads_bytes_(size)
#include "demo.h"

#include <limits.h>
#include <math.h>
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

int DEMO_CALL Round(double value, enum DemoRounding rounding) {
    double whole = rounding == DEMO_DOWN ? floor(value) : rounding == DEMO_UP ? ceil(value) : round(value);
    if (isnan(whole)) {
        return 0;
    }
    /* C leaves open what becomes of a double that no int can hold. */
    return whole <= INT_MIN ? INT_MIN : whole >= INT_MAX ? INT_MAX : (int)whole;
}

double Distance(const struct DemoPoint *from, const struct DemoPoint *to) {
    return hypot(to->x - from->x, to->y - from->y);
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
