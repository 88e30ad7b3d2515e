/**
 * @file math.h
 * A part of C's mathematical library: numbers in, numbers out.
 */
#ifndef BRIDGE32_DEMO_MATH_H
#define BRIDGE32_DEMO_MATH_H

/** @return the cosine of x radians @idempotent */
double cos(double x);
/** @return the sine of x radians @idempotent */
double sin(double x);
/** @return the angle in radians between the x axis and the point (x, y) @idempotent */
double atan2(double y, double x);
/** @return e to the power of x @idempotent */
double exp(double x);
/** @return the natural logarithm of x @idempotent */
double log(double x);
/** @return x to the power of y @idempotent */
double pow(double x, double y);
/** @return the square root of x @idempotent */
double sqrt(double x);
/** The square root in single precision. @return the square root of x @idempotent */
float sqrtf(float x);
/** @return the largest whole number that is not above x @idempotent */
double floor(double x);
/** @return x rounded to the nearest whole number, halves away from zero @idempotent */
long long llround(double x);
/** @return x times 2 to the power of exp @idempotent */
double ldexp(double x, int exp);
/**
 * Splits x into a fraction between 0.5 and 1 and a power of 2.
 * @param[in] x the number
 * @param[out] exp the power
 * @return the fraction
 * @idempotent
 */
double frexp(double x, int *exp);
/**
 * Splits x into its whole and its fractional part.
 * @param[in] x the number
 * @param[out] iptr the whole part
 * @return the fractional part
 * @idempotent
 */
double modf(double x, double *iptr);

#endif
