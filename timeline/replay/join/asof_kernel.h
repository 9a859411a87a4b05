/* The as-of join over columns: which row of its resource each sample falls into.
 *
 * Pure C11 on plain memory: no Python, no allocation, no globals. The Python binding (_asof.c) and the fuzz harness
 * (tests/joining/fuzz_asof.c) include it. Nothing here reads or writes out of bounds, whatever the values in the arrays
 * are, even where another thread changes them meanwhile: a number is copied, then checked, then used.
 */
#ifndef TIMELINE_ASOF_KERNEL_H
#define TIMELINE_ASOF_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Measured: without these two the loop over samples that are where they were takes a third longer. */
#ifdef __GNUC__
#define ASOF_RARE(condition) __builtin_expect((condition), 0)
#define ASOF_APART __attribute__((noinline))
#else
#define ASOF_RARE(condition) (condition)
#define ASOF_APART
#endif

/* The resources, and the rows of each. `starts` must not be empty. */
typedef struct {
    int32_t first;
    int32_t count;
} asof_span;

typedef struct {
    const int32_t *groups; /* for each dictionary index the number of a resource, or what is none */
    uint32_t indices;      /* how many of them, at most INT32_MAX */
    const asof_span *spans;
    uint32_t resources;
    const int64_t *starts;
} asof_table;

/* The row in which the samples of one dictionary index were last, as [low, low + width) and its number.
 * All zero is the cursor of nothing: it holds no time. */
typedef struct {
    int64_t low;
    uint64_t width;
    int32_t row;
    uint32_t id;
} asof_cursor;

#define ASOF_UNKNOWN UINT32_MAX /* the index of no resource */
#define ASOF_BLOCK 1024         /* samples that are treated in one way */
#define ASOF_LANES 8            /* binary searches that run side by side; as many as a compiler will unroll */

typedef enum { ASOF_SECONDS, ASOF_MILLISECONDS, ASOF_MICROSECONDS, ASOF_NANOSECONDS } asof_unit;
typedef enum { ASOF_I8, ASOF_I16, ASOF_I32, ASOF_I64, ASOF_U8, ASOF_U16, ASOF_U32, ASOF_U64 } asof_integer;

/* Checks first and last, and copies them. False where a range lies outside of the rows. */
static inline bool asof_make_spans(const int64_t *first, const int64_t *last, size_t resources, size_t rows,
                                   asof_span *spans)
{
    bool good = true;
    for (size_t g = 0; g < resources; g++) {
        int64_t from = first[g], to = last[g];
        bool fits = 0 <= from && from <= to && (uint64_t)to <= (uint64_t)rows;
        good &= fits;
        bool some = fits && from < to;
        spans[g].first = some ? (int32_t)from : 0;
        spans[g].count = some ? (int32_t)(to - from) : 0;
    }
    return good;
}

/* The span of a dictionary index; an empty one where it is of no known resource. */
static inline asof_span asof_find_span(const asof_table *table, uint32_t id)
{
    asof_span none = {0, 0};
    if (id >= table->indices)
        return none;
    uint32_t group = (uint32_t)table->groups[id];
    return group < table->resources ? table->spans[group] : none;
}

/* Puts the cursor where the time is. Returns true where a cursor in use was of no help in this. */
static ASOF_APART bool asof_move(asof_cursor *cursor, const asof_table *table, uint32_t id, int64_t time)
{
    const int64_t *starts = table->starts;
    bool used = cursor->width != 0, known = used && cursor->id == id;
    asof_span span = asof_find_span(table, id);
    int32_t end = span.first + span.count;
    int32_t row = 0;
    bool searched = false;
    if (span.count > 0) {
        int32_t next = cursor->row == 0 ? span.first : cursor->row + 1;
        if (known && next >= span.first && next < end && starts[next] <= time &&
            (next + 1 == end || time < starts[next + 1])) {
            row = next;
        } else {
            int32_t low = span.first, count = span.count;
            while (count > 1) {
                int32_t half = count / 2;
                low += starts[low + half] <= time ? half : 0;
                count -= half;
            }
            row = starts[low] <= time ? low : 0;
            searched = used;
        }
    }
    bool before = span.count == 0 || starts[row] > time || row < span.first;
    int64_t low = before ? INT64_MIN : starts[row];
    int32_t next = before ? span.first : row + 1;
    uint64_t width;
    if (span.count > 0 && next < end) {
        width = (uint64_t)starts[next] - (uint64_t)low;
    } else { /* open */
        width = (uint64_t)INT64_MAX - (uint64_t)low + 1;
        width = width == 0 ? UINT64_MAX : width;
    }
    cursor->low = low;
    cursor->width = width;
    cursor->row = before ? 0 : row;
    cursor->id = id;
    return searched;
}

/* One compare a sample where each resource's samples come in order. Returns how many samples had to search. */
static inline size_t asof_follow(const asof_table *table, const uint32_t *ids, const int64_t *times, size_t samples,
                                 asof_cursor *cursors, uint32_t mask, int32_t *rows)
{
    size_t searches = 0;
    for (size_t i = 0; i < samples; i++) {
        uint32_t id = ids[i];
        asof_cursor *cursor = &cursors[id & mask];
        if (ASOF_RARE((cursor->id != id) | ((uint64_t)times[i] - (uint64_t)cursor->low >= cursor->width)))
            searches += asof_move(cursor, table, id, times[i]);
        int32_t row = cursor->row;
        rows[i] = row;
        if (i + 1 < samples && ids[i + 1] == id) { /* a run of one resource, where it needs not be looked up */
            uint64_t low = (uint64_t)cursor->low, width = cursor->width;
            while (i + 1 < samples && ids[i + 1] == id && (uint64_t)times[i + 1] - low < width)
                rows[++i] = row;
        }
    }
    return searches;
}

/* A binary search for each sample, many side by side, so that they wait for memory together and not in turn. */
static inline void asof_search(const asof_table *table, const uint32_t *ids, const int64_t *times, size_t samples,
                               int32_t *rows)
{
    const int64_t *starts = table->starts;
    for (size_t begin = 0; begin < samples; begin += ASOF_LANES) {
        size_t lanes = samples - begin < ASOF_LANES ? samples - begin : ASOF_LANES;
        int32_t low[ASOF_LANES] = {0}, count[ASOF_LANES] = {0};
        int64_t time[ASOF_LANES] = {0};
        int32_t most = 0;
        for (size_t k = 0; k < lanes; k++) {
            asof_span span = asof_find_span(table, ids[begin + k]);
            low[k] = span.first;
            count[k] = span.count;
            time[k] = times[begin + k];
            most = span.count > most ? span.count : most;
        }
        for (; most > 1; most -= most / 2) {
            for (size_t k = 0; k < ASOF_LANES; k++) {
                int32_t half = count[k] / 2;
                low[k] += starts[low[k] + half] <= time[k] ? half : 0;
                count[k] -= half;
            }
        }
        for (size_t k = 0; k < lanes; k++) /* of an empty span low is 0 */
            rows[begin + k] = starts[low[k]] <= time[k] ? low[k] : 0;
    }
}

/* Dictionary indices of any width as uint32; what is negative or too large becomes unknown. */
static inline void asof_read_ids(const void *ids, asof_integer type, size_t begin, size_t samples, uint32_t *out)
{
#define ASOF_READ(T)                                                                                                   \
    {                                                                                                                  \
        const T *in = (const T *)ids + begin;                                                                          \
        for (size_t i = 0; i < samples; i++) {                                                                         \
            uint64_t id = (uint64_t)in[i];                                                                             \
            out[i] = id < ASOF_UNKNOWN ? (uint32_t)id : ASOF_UNKNOWN;                                                  \
        }                                                                                                              \
        break;                                                                                                         \
    }
    switch (type) {
    case ASOF_I8: ASOF_READ(int8_t)
    case ASOF_I16: ASOF_READ(int16_t)
    case ASOF_I32: ASOF_READ(int32_t)
    case ASOF_I64: ASOF_READ(int64_t)
    case ASOF_U8: ASOF_READ(uint8_t)
    case ASOF_U16: ASOF_READ(uint16_t)
    case ASOF_U32: ASOF_READ(uint32_t)
    case ASOF_U64: ASOF_READ(uint64_t)
    }
#undef ASOF_READ
}

/* Times in microseconds. What is finer is floored; what lies beyond the range of int64 is after everything, or before
 * everything, where its index becomes unknown: INT64_MIN itself might be the start of a row. */
static inline void asof_read_times(const int64_t *in, asof_unit unit, size_t samples, int64_t *out, uint32_t *ids)
{
    if (unit == ASOF_NANOSECONDS) {
        for (size_t i = 0; i < samples; i++) { /* of a negative x, the floor is -1 - (-1 - x) / 1000 */
            uint64_t negative = in[i] < 0 ? UINT64_MAX : 0;
            out[i] = (int64_t)((((uint64_t)in[i] ^ negative) / 1000) ^ negative);
        }
        return;
    }
    int64_t factor = unit == ASOF_SECONDS ? 1000000 : 1000;
    int64_t least = INT64_MIN / factor, most = INT64_MAX / factor;
    for (size_t i = 0; i < samples; i++) {
        int64_t time = in[i];
        ids[i] = time < least ? ASOF_UNKNOWN : ids[i];
        out[i] = time > most ? INT64_MAX : (time < least ? least : time) * factor;
    }
}

/* How many cursors to give asof_locate, a power of two: one for each index, but no more than fit a processor's cache. */
static inline size_t asof_cursors(size_t indices)
{
    size_t cursors = 64;
    while (cursors < indices && cursors < ((size_t)1 << 18))
        cursors *= 2;
    return cursors;
}

/* The row of each sample. `cursors` is zeroed memory; its number is a power of two. */
static inline void asof_locate(const asof_table *table, const void *ids, asof_integer type, const int64_t *times,
                               asof_unit unit, size_t samples, asof_cursor *cursors, size_t cursor_count,
                               int32_t *rows)
{
    uint32_t mask = (uint32_t)(cursor_count - 1);
    uint32_t id_block[ASOF_BLOCK];
    int64_t time_block[ASOF_BLOCK];
    bool plain_ids = type == ASOF_I32 || type == ASOF_U32;
    size_t patience = 1, searching = 0;
    for (size_t begin = 0; begin < samples; begin += ASOF_BLOCK) {
        size_t size = samples - begin < ASOF_BLOCK ? samples - begin : ASOF_BLOCK;
        const uint32_t *block_ids = id_block;
        const int64_t *block_times = time_block;
        if (plain_ids && (unit == ASOF_MICROSECONDS || unit == ASOF_NANOSECONDS))
            block_ids = (const uint32_t *)ids + begin;
        else
            asof_read_ids(ids, type, begin, size, id_block);
        if (unit == ASOF_MICROSECONDS)
            block_times = times + begin;
        else
            asof_read_times(times + begin, unit, size, time_block, id_block);
        if (searching > 0) {
            searching--;
            asof_search(table, block_ids, block_times, size, rows + begin);
        } else if (asof_follow(table, block_ids, block_times, size, cursors, mask, rows + begin) > size / 8) {
            searching = patience; /* no order: follow again later, and ever later */
            patience = patience < 64 ? patience * 2 : 64;
        } else {
            patience = 1;
        }
    }
}

#endif
