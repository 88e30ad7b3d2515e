/**
 * @file kernel32.h
 * A small part of kernel32.dll: stdcall functions that need nothing but their arguments.
 */
#ifndef BRIDGE32_DEMO_KERNEL32_H
#define BRIDGE32_DEMO_KERNEL32_H

#define WINAPI __stdcall

typedef int BOOL;
typedef unsigned long DWORD;
typedef unsigned int UINT;
typedef const char *LPCSTR;
typedef const wchar_t *LPCWSTR;

/**
 * Multiplies two numbers and divides the 64-bit product.
 * @param nNumber the number
 * @param nNumerator what it is multiplied with
 * @param nDenominator what the product is divided by
 * @return the result, rounded to the nearest whole number; -1 if it overflows or nDenominator is 0
 * @idempotent
 */
int WINAPI MulDiv(_In_ int nNumber, _In_ int nNumerator, _In_ int nDenominator);

/** @return the milliseconds since the system started; it wraps after 49.7 days */
DWORD WINAPI GetTickCount(void);

/** @return the milliseconds since the system started */
unsigned long long WINAPI GetTickCount64(void);

/** @return the Windows process id of the agent */
DWORD WINAPI GetCurrentProcessId(void);

/**
 * Counts the bytes of a text.
 * @param lpString the text, in the system's code page
 * @return its length
 * @idempotent
 */
int WINAPI lstrlenA(_In_z_ LPCSTR lpString);

/**
 * Counts the UTF-16 units of a text.
 * @param lpString the text
 * @return its length: a character outside the basic plane counts twice
 * @idempotent
 */
int WINAPI lstrlenW(_In_z_ LPCWSTR lpString);

/** A date and time. */
typedef struct _SYSTEMTIME {
    unsigned short wYear, wMonth, wDayOfWeek, wDay, wHour, wMinute, wSecond, wMilliseconds;
} SYSTEMTIME;

/**
 * The local date and time.
 * @param lpSystemTime receives it
 */
void WINAPI GetLocalTime(_Out_ SYSTEMTIME *lpSystemTime);

/**
 * The number of units per second of QueryPerformanceCounter.
 * @param lpFrequency receives the number
 * @return not 0
 */
BOOL WINAPI QueryPerformanceFrequency(_Out_ long long *lpFrequency);

/**
 * Sets what GetLastError answers.
 * @param dwErrCode the error code
 */
void WINAPI SetLastError(_In_ DWORD dwErrCode);

#endif
