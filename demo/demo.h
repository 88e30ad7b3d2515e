/**
 * @file demo.h
 * The demo's own library: a few functions that each show one thing a call can carry.
 */
#ifndef BRIDGE32_DEMO_H
#define BRIDGE32_DEMO_H

#ifdef _WIN32
#define DEMO_API __declspec(dllexport)
#define DEMO_CALL __stdcall
#else
#define DEMO_API __attribute__((visibility("default")))
#define DEMO_CALL
#endif

/** What the functions answer that can fail. */
enum DemoStatus {
    DEMO_OK = 0,
    DEMO_DIVISION_BY_ZERO = 1
};

/** Which whole number Round takes. */
enum DemoRounding {
    /** the one below */
    DEMO_DOWN = 0,
    /** the one above */
    DEMO_UP = 1,
    /** the nearest one, halves away from zero */
    DEMO_NEAREST = 2
};

/** A place on a plane. */
struct DemoPoint {
    /** to the right */
    double x;
    /** upwards */
    double y;
};

/**
 * Adds two numbers.
 * @param[in] a the first number
 * @param[in] b the second number
 * @return a + b
 * @idempotent
 */
DEMO_API int Add(int a, int b);

/**
 * Multiplies a measurement.
 * @param[in] value the measurement
 * @param[in] factor what to multiply it with
 * @return value * factor
 * @idempotent
 */
DEMO_API double Scale(double value, double factor);

/**
 * Multiplies two 32-bit numbers without overflow.
 * @param[in] a the first number
 * @param[in] b the second number
 * @return the 64-bit product
 * @idempotent
 */
DEMO_API long long Multiply(int a, int b);

/**
 * Divides with a remainder.
 * @param[in] dividend what is divided
 * @param[in] divisor what it is divided by
 * @param[out] quotient the whole part
 * @param[out] remainder what is left
 * @return DEMO_OK, or DEMO_DIVISION_BY_ZERO with both outputs 0
 */
DEMO_API int DEMO_CALL Divide(int dividend, int divisor, int *quotient, int *remainder);

/**
 * Makes a measurement a whole number.
 * @param[in] value the measurement; beyond the range of an int the nearest end of it is meant
 * @param[in] rounding which whole number
 * @return the whole number; 0 if value is not a number
 * @idempotent
 */
DEMO_API int DEMO_CALL Round(double value, enum DemoRounding rounding);

/**
 * Measures how far two places are from each other.
 * @param[in] from one place
 * @param[in] to the other place
 * @return the distance
 * @idempotent
 */
DEMO_API double Distance(const struct DemoPoint *from, const struct DemoPoint *to);

/**
 * Counts the bytes of a text.
 * @param[in] text a text that ends with a zero byte
 * @return its length in bytes
 * @idempotent
 */
DEMO_API unsigned int TextLength(const char *text);

/**
 * Adds the bytes of a buffer.
 * @param[in] data the bytes
 * @param[in] size how many there are
 * @return their sum
 */
DEMO_API unsigned int Sum(_In_reads_bytes_(size) const unsigned char *data, unsigned int size);

/**
 * How often this process called this function: the library keeps its state from call to call.
 * @return 1 the first time
 */
DEMO_API unsigned int Count(void);

/** Writes to address 0. The agent dies and is started again; the gateway says what happened. */
DEMO_API void Crash(void);

#endif
