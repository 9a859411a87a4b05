/* What columns of dictionary codes say at rows: the second half of the as-of join, after asof_kernel.h has found the rows.
 *
 * Like that one: pure C11 on plain memory, and nothing reads or writes out of bounds whatever the positions are.
 */
#ifndef TIMELINE_ASOF_GATHER_H
#define TIMELINE_ASOF_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ASOF_GATHER_BLOCK 4096 /* a multiple of 16: positions, and what is taken for them, stay in the cache */
#define ASOF_ROW 16            /* bytes that a row of a table has for one group of columns */
#define ASOF_LEAST_LANES 3     /* fewer columns are taken one by one */

/* A column of dictionary codes, negative where null, and where its samples go. */
typedef struct {
    const void *codes;
    size_t size; /* bytes of a code: 1, 2 or 4 */
    void *indices;
    uint8_t *validity; /* or NULL where no code is negative */
    size_t nulls;      /* counted */
} asof_column;

static inline bool asof_any_negative(const void *codes, size_t size, size_t rows)
{
#define ASOF_SCAN(T)                                                                                                   \
    {                                                                                                                  \
        const T *in = (const T *)codes;                                                                                \
        T all = 0;                                                                                                     \
        for (size_t i = 0; i < rows; i++)                                                                              \
            all |= in[i];                                                                                              \
        return all < 0;                                                                                                \
    }
    if (size == 1)
        ASOF_SCAN(int8_t)
    if (size == 2)
        ASOF_SCAN(int16_t)
    ASOF_SCAN(int32_t)
#undef ASOF_SCAN
}

/* The signs of the 8 codes from here on, the first as the lowest bit. */
static inline unsigned asof_signs(const void *codes, size_t size)
{
    unsigned signs = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (size == 1) { /* the multiplication moves each sign to its own bit of the highest byte */
        uint64_t eight;
        memcpy(&eight, codes, 8);
        return (unsigned)(((eight >> 7 & 0x0101010101010101) * 0x0102040810204080) >> 56);
    }
    if (size == 2) {
        uint64_t four[2];
        memcpy(four, codes, 16);
        for (int k = 0; k < 2; k++)
            signs |= (unsigned)(((four[k] >> 15 & 0x0001000100010001) * 0x0001000200040008) >> 48 & 15) << 4 * k;
        return signs;
    }
#endif
    for (unsigned k = 0; k < 8; k++) {
        bool negative = size == 1   ? ((const int8_t *)codes)[k] < 0
                        : size == 2 ? ((const int16_t *)codes)[k] < 0
                                    : ((const int32_t *)codes)[k] < 0;
        signs |= (unsigned)negative << k;
    }
    return signs;
}

/* Zero where negative, with its bit of validity cleared. */
static inline void asof_mark_nulls(asof_column *column, size_t begin, size_t samples)
{
#define ASOF_MARK(T)                                                                                                   \
    {                                                                                                                  \
        T *indices = (T *)column->indices + begin;                                                                     \
        for (; i + 8 <= samples; i += 8) {                                                                             \
            unsigned signs = asof_signs(indices + i, sizeof(T));                                                       \
            validity[i / 8] = (uint8_t)~signs;                                                                         \
            any |= signs;                                                                                              \
        }                                                                                                              \
        for (; i < samples; i++) { /* less than a byte */                                                              \
            unsigned sign = indices[i] < 0;                                                                            \
            any |= sign;                                                                                               \
            validity[i / 8] = (uint8_t)((i % 8 == 0 ? 0u : validity[i / 8]) | (1 - sign) << i % 8);                    \
        }                                                                                                              \
        if (!any)                                                                                                      \
            return;                                                                                                    \
        uint32_t nulls = 0;                                                                                            \
        for (i = 0; i < samples; i++)                                                                                  \
            nulls += indices[i] < 0;                                                                                   \
        for (i = 0; i < samples; i++)                                                                                  \
            indices[i] = indices[i] < 0 ? 0 : indices[i];                                                              \
        column->nulls += nulls;                                                                                        \
        return;                                                                                                        \
    }
    uint8_t *validity = column->validity + begin / 8;
    unsigned any = 0;
    size_t i = 0;
    if (column->size == 1)
        ASOF_MARK(int8_t)
    if (column->size == 2)
        ASOF_MARK(int16_t)
    ASOF_MARK(int32_t)
#undef ASOF_MARK
}

static inline void asof_take(const asof_column *column, const uint32_t *positions, size_t begin, size_t samples)
{
#define ASOF_TAKE(T)                                                                                                   \
    {                                                                                                                  \
        const T *codes = (const T *)column->codes;                                                                     \
        T *indices = (T *)column->indices + begin;                                                                     \
        for (size_t i = 0; i < samples; i++)                                                                           \
            indices[i] = codes[positions[i]];                                                                          \
        return;                                                                                                        \
    }
    if (column->size == 1)
        ASOF_TAKE(int8_t)
    if (column->size == 2)
        ASOF_TAKE(int16_t)
    ASOF_TAKE(int32_t)
#undef ASOF_TAKE
}

/* The next columns of one size, as many as fill a vector. Returns how many; none at the end. */
static inline size_t asof_group(asof_column *columns, size_t count, size_t size, size_t *next, asof_column **group)
{
    size_t lanes = 0;
    for (; *next < count && lanes < ASOF_ROW / size; (*next)++)
        if (columns[*next].size == size)
            group[lanes++] = &columns[*next];
    return lanes;
}

/* Where many samples share few rows, the columns are first laid side by side in a table, row by row: then a sample costs
 * one look into memory and not one for each column. Rows are loaded whole and turned into columns within registers. */
#if !defined(ASOF_PLAIN) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define ASOF_TABLES
#endif
#endif

#ifdef ASOF_TABLES

typedef int8_t asof_vector1 __attribute__((vector_size(ASOF_ROW)));
typedef int16_t asof_vector2 __attribute__((vector_size(ASOF_ROW)));
typedef int32_t asof_vector4 __attribute__((vector_size(ASOF_ROW)));
#define ASOF_LOW1(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ASOF_HIGH1(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define ASOF_LOW2(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ASOF_HIGH2(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define ASOF_LOW4(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ASOF_HIGH4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)

/* A square of N codes each way is turned by interleaving its halves log2(N) times, as a pack of cards is shuffled. */
#define ASOF_DEFINE_TAKE_ROWS(SIZE, N, SHUFFLES)                                                                       \
    static inline void asof_take_rows##SIZE(const unsigned char *table, size_t stride, const uint32_t *positions,      \
                                            size_t begin, size_t squares, asof_column **group, size_t lanes)           \
    {                                                                                                                  \
        unsigned char *out[N] = {0};                                                                                   \
        for (size_t k = 0; k < lanes; k++)                                                                             \
            out[k] = (unsigned char *)group[k]->indices + begin * SIZE;                                                \
        for (size_t i = 0; i < squares; i++) {                                                                         \
            asof_vector##SIZE rows[N], turned[N];                                                                      \
            for (size_t k = 0; k < N; k++)                                                                             \
                memcpy(&rows[k], table + positions[i * N + k] * stride, ASOF_ROW);                                     \
            for (int shuffle = 0; shuffle < SHUFFLES; shuffle++) {                                                     \
                for (size_t k = 0; k < N / 2; k++) {                                                                   \
                    turned[2 * k] = ASOF_LOW##SIZE(rows[k], rows[k + N / 2]);                                          \
                    turned[2 * k + 1] = ASOF_HIGH##SIZE(rows[k], rows[k + N / 2]);                                     \
                }                                                                                                      \
                memcpy(rows, turned, sizeof rows);                                                                     \
            }                                                                                                          \
            for (size_t k = 0; k < lanes; k++)                                                                         \
                memcpy(out[k] + i * ASOF_ROW, &rows[k], ASOF_ROW);                                                     \
        }                                                                                                              \
    }
ASOF_DEFINE_TAKE_ROWS(1, 16, 4)
ASOF_DEFINE_TAKE_ROWS(2, 8, 3)
ASOF_DEFINE_TAKE_ROWS(4, 4, 2)

/* Bytes of a row of the table of these columns; 0 where a table is of no use. */
static inline size_t asof_stride(asof_column *columns, size_t count)
{
    asof_column *group[ASOF_ROW];
    size_t stride = 0, lanes;
    for (size_t size = 1; size <= 4; size *= 2)
        for (size_t next = 0; (lanes = asof_group(columns, count, size, &next, group)) > 0;)
            stride += lanes < ASOF_LEAST_LANES ? 0 : ASOF_ROW;
    return stride;
}

/* Fills a table of `rows * stride` bytes. */
static inline void asof_pack(asof_column *columns, size_t count, size_t rows, size_t stride, unsigned char *table)
{
    asof_column *group[ASOF_ROW];
    size_t offset = 0, lanes;
    memset(table, 0, rows * stride);
    for (size_t size = 1; size <= 4; size *= 2) {
        for (size_t next = 0; (lanes = asof_group(columns, count, size, &next, group)) > 0;) {
            if (lanes < ASOF_LEAST_LANES)
                continue;
            for (size_t k = 0; k < lanes; k++) {
                const unsigned char *codes = group[k]->codes;
                for (size_t row = 0; row < rows; row++)
                    memcpy(table + row * stride + offset + k * size, codes + row * size, size);
            }
            offset += ASOF_ROW;
        }
    }
}

#else

static inline size_t asof_stride(asof_column *columns, size_t count)
{
    (void)columns;
    (void)count;
    return 0;
}

static inline void asof_pack(asof_column *columns, size_t count, size_t rows, size_t stride, unsigned char *table)
{
    (void)columns;
    (void)count;
    (void)rows;
    (void)stride;
    (void)table;
}

#endif

/* What the columns of one group say at a block of positions that are rows of theirs. */
static inline void asof_take_group(asof_column **group, size_t lanes, const unsigned char *table, size_t stride,
                                   const uint32_t *positions, size_t begin, size_t samples)
{
    size_t done = 0;
#ifdef ASOF_TABLES
    if (table != NULL) {
        size_t size = group[0]->size, squares = samples / (ASOF_ROW / size);
        done = squares * (ASOF_ROW / size);
        if (size == 1)
            asof_take_rows1(table, stride, positions, begin, squares, group, lanes);
        else if (size == 2)
            asof_take_rows2(table, stride, positions, begin, squares, group, lanes);
        else
            asof_take_rows4(table, stride, positions, begin, squares, group, lanes);
    }
#else
    (void)table;
    (void)stride;
#endif
    for (size_t k = 0; k < lanes; k++) {
        asof_take(group[k], positions + done, begin + done, samples - done);
        if (group[k]->validity != NULL)
            asof_mark_nulls(group[k], begin, samples);
    }
}

/* Takes the codes at the positions; `table` is what asof_pack made of these columns, or NULL. Returns `samples`, or the
 * first sample whose position is no row of the columns: what is written from its block on means nothing then. */
static inline size_t asof_gather(const int32_t *positions, size_t samples, size_t rows, asof_column *columns,
                                 size_t count, const unsigned char *table)
{
    uint32_t block[ASOF_GATHER_BLOCK];
    asof_column *group[ASOF_ROW];
    size_t stride = table == NULL ? 0 : asof_stride(columns, count), lanes;
    for (size_t begin = 0; begin < samples; begin += ASOF_GATHER_BLOCK) {
        size_t block_size = samples - begin < ASOF_GATHER_BLOCK ? samples - begin : ASOF_GATHER_BLOCK;
        uint32_t outside = 0;
        for (size_t i = 0; i < block_size; i++) {
            block[i] = (uint32_t)positions[begin + i];
            outside |= block[i] >= rows;
        }
        if (outside) {
            size_t i = 0;
            while (i + 1 < block_size && block[i] < rows)
                i++;
            return begin + i;
        }
        size_t offset = 0;
        for (size_t size = 1; size <= 4; size *= 2) {
            for (size_t next = 0; (lanes = asof_group(columns, count, size, &next, group)) > 0;) {
                bool packed = table != NULL && lanes >= ASOF_LEAST_LANES;
                asof_take_group(group, lanes, packed ? table + offset : NULL, stride, block, begin, block_size);
                offset += packed ? ASOF_ROW : 0;
            }
        }
    }
    return samples;
}

#endif
