/**
 * @file zlib.h
 * A part of zlib's interface (zlib 1.2), with the lengths of its buffers said in SAL.
 */
#ifndef BRIDGE32_DEMO_ZLIB_H
#define BRIDGE32_DEMO_ZLIB_H

typedef unsigned char Byte;
typedef Byte Bytef;
typedef unsigned int uInt;
typedef unsigned long uLong;
typedef uLong uLongf;

/** The call did what was asked. */
#define Z_OK 0
/** The compressed data ended, or is not compressed data. */
#define Z_DATA_ERROR (-3)
/** There was not enough memory. */
#define Z_MEM_ERROR (-4)
/** The output did not fit into the buffer. */
#define Z_BUF_ERROR (-5)

/** Stores without compressing. */
#define Z_NO_COMPRESSION 0
/** Fastest. */
#define Z_BEST_SPEED 1
/** Smallest. */
#define Z_BEST_COMPRESSION 9
/** zlib's choice between speed and size. */
#define Z_DEFAULT_COMPRESSION (-1)

/**
 * The version of the library that is loaded.
 * @return for example "1.2.13"
 * @idempotent
 */
const char *zlibVersion(void);

/**
 * Updates a CRC-32 with more bytes.
 * @param crc the checksum so far, 0 to begin with
 * @param buf the bytes
 * @param len how many there are
 * @return the new checksum
 * @idempotent
 */
uLong crc32(uLong crc, _In_reads_bytes_(len) const Bytef *buf, uInt len);

/**
 * Updates an Adler-32 checksum with more bytes.
 * @param adler the checksum so far, 1 to begin with
 * @param buf the bytes
 * @param len how many there are
 * @return the new checksum
 * @idempotent
 */
uLong adler32(uLong adler, _In_reads_bytes_(len) const Bytef *buf, uInt len);

/**
 * How large the output of compress and compress2 can become.
 * @param sourceLen the number of bytes to compress
 * @return the number of bytes that suffices for any input of that length
 * @idempotent
 */
uLong compressBound(uLong sourceLen);

/**
 * Compresses a buffer at the default level.
 * @param dest receives the compressed bytes
 * @param destLen in: the room in dest; out: how many bytes were written
 * @param source the bytes to compress
 * @param sourceLen how many there are
 * @return Z_OK, Z_MEM_ERROR or Z_BUF_ERROR
 * @idempotent
 */
int compress(_Out_writes_bytes_to_(*destLen, *destLen) Bytef *dest, _Inout_ uLongf *destLen,
             _In_reads_bytes_(sourceLen) const Bytef *source, uLong sourceLen);

/**
 * Compresses a buffer.
 * @param dest receives the compressed bytes
 * @param destLen in: the room in dest; out: how many bytes were written
 * @param source the bytes to compress
 * @param sourceLen how many there are
 * @param level from Z_BEST_SPEED to Z_BEST_COMPRESSION, or Z_DEFAULT_COMPRESSION
 * @return Z_OK, Z_MEM_ERROR or Z_BUF_ERROR
 * @idempotent
 */
int compress2(_Out_writes_bytes_to_(*destLen, *destLen) Bytef *dest, _Inout_ uLongf *destLen,
              _In_reads_bytes_(sourceLen) const Bytef *source, uLong sourceLen, int level);

/**
 * Decompresses what compress or compress2 made.
 * @param dest receives the bytes
 * @param destLen in: the room in dest; out: how many bytes were written
 * @param source the compressed bytes
 * @param sourceLen how many there are
 * @return Z_OK, Z_MEM_ERROR, Z_BUF_ERROR or Z_DATA_ERROR
 * @idempotent
 */
int uncompress(_Out_writes_bytes_to_(*destLen, *destLen) Bytef *dest, _Inout_ uLongf *destLen,
               _In_reads_bytes_(sourceLen) const Bytef *source, uLong sourceLen);

#endif
