/** What calls carry: one function for each. */
int Add(int a, int b);
unsigned int Length(const char *text);
struct Sample { int id; double value; short flags; unsigned char digits[8]; };
double Weigh(const struct Sample *sample);
unsigned int Sum(_In_reads_bytes_(size) const void *data, unsigned int size);
