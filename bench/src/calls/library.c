#include <string.h>

struct Sample { int id; double value; short flags; unsigned char digits[8]; };

API int Add(int a, int b) { return a + b; }
API unsigned int Length(const char *text) { return (unsigned int)strlen(text); }
API double Weigh(const struct Sample *sample) { return sample->value * sample->flags + sample->digits[7]; }
API unsigned int Sum(const void *data, unsigned int size) {
    unsigned int sum = 0;
    for (unsigned int i = 0; i < size; i++) sum += ((const unsigned char *)data)[i];
    return sum;
}
