/* What arguments are marshalled for: every kind of type, in every direction. In the functions whose name begins with Plain
   nothing that a library could write is an address. */
typedef enum { RED, GREEN = 5, BLUE = -7 } Color;
typedef struct { unsigned low : 3; int middle : 5; long long wide : 40; bool flag : 1; } Bits;
typedef union { int whole; double precise; unsigned char raw[12]; } Number;
typedef struct {
    char name[8];
    WCHAR wide[4];
    /** @encoding gbk */ char local[6];
    struct { short depth; Number number; } inside;
    Bits bits;
    Color colors[2];
} Plain;
typedef struct Node { int value; const struct Node *next; } Node;
typedef struct { int count; _Field_size_(count) Plain *items; const char *text; } List;
typedef struct Opaque Opaque;
#define SEVEN 7

void PlainScalars(signed char a, unsigned short b, int c, unsigned long long d, float e, double f, bool g, Color h, wchar_t i);
int PlainOut(_Out_ Plain *plain, _Out_ int *number, _Inout_ double *both, _Out_opt_ Color *color);
int PlainBuffers(_Out_writes_to_(room, *used) unsigned char *bytes, unsigned room, _Out_ unsigned *used, _Inout_updates_(count) short *numbers, unsigned char count);
int PlainTexts(_Out_writes_z_(size) char *text, unsigned size, _Inout_updates_z_(wide_size) WCHAR *wide, unsigned wide_size, _Out_writes_(rows * columns) float *table, unsigned rows, unsigned columns);
/** @encoding gbk */
int PlainText(const char *a, _In_opt_z_ const wchar_t *b, _In_z_ const WCHAR *c);
/** @encoding windows-1252
 *  @lossy */
int PlainLossy(const char *a, _Inout_updates_z_(n) char *b, int n);
int PlainByValue(Plain plain, Bits bits, Number number);
int PlainArrays(_In_reads_(n) const Plain *items, int n, _Inout_updates_(m) Bits *bits, size_t m, _In_reads_bytes_(size) const void *data, long size);
int Nested(const Node *node, _In_ const List *list, _In_reads_(n) const char *const *texts, int n);
int Pointers(_Outptr_ char **text, _Outptr_ Opaque **made, _Inout_ List *list);
int Handles(Opaque *opaque, _In_opt_ void *any, HANDLE system, _In_reads_bytes_(16) const void *block);
int Calls(int (*plain)(int a, _In_z_ const char *text), _In_opt_ double (*floating)(double x, Plain by_value, const Node *node), void (__stdcall *event)(Color color, long long number));
int Variadic(const char *format, ...);
