/* Runs the as-of kernel on random inputs and compares it with loops too plain to be wrong.
 *
 *     cc -g -O1 -fsanitize=address,undefined -I timeline/replay/join tests/joining/fuzz_asof.c -o fuzz && ./fuzz SEED CASES
 *
 * Each array is a block of memory of its own and of its exact size, so that the sanitizer sees one step too far. Half of
 * the cases obey the contract and are compared; the others are noise in every array, and only must not go astray.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "asof_gather.h"
#include "asof_kernel.h"

static uint64_t state;

static uint64_t any(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}

static size_t below(size_t limit) { return (size_t)(any() % limit); }
static bool chance(size_t in) { return below(in) == 0; }

/* Small, near the ends of its range in any unit, or anything. */
static int64_t some_number(void)
{
    static const int64_t factors[] = {1, 1000, 1000000};
    switch (below(6)) {
    case 0: return (INT64_MIN + 1) / factors[below(3)] + (int64_t)below(4) - 1;
    case 1: return (INT64_MAX - 1) / factors[below(3)] - (int64_t)below(4) + 1;
    case 2: return (int64_t)any();
    default: return (int64_t)below(2001) - 1000;
    }
}

static void *block(size_t count, size_t size)
{
    void *memory = malloc(count * size == 0 ? 1 : count * size);
    if (memory == NULL) {
        fputs("no memory\n", stderr);
        exit(2);
    }
    return memory;
}

static void fail(const char *what, uint64_t seed, size_t at, int64_t wanted, int64_t got)
{
    fprintf(stderr, "case %" PRIu64 ": %s %zu is %" PRId64 ", not %" PRId64 "\n", seed, what, at, got, wanted);
    exit(1);
}

/* A random size: none, one, around the sizes that the kernel treats alike, or another. */
static size_t some_size(void)
{
    static const size_t around[] = {ASOF_LANES, 16, ASOF_BLOCK, 2 * ASOF_BLOCK, ASOF_GATHER_BLOCK};
    switch (below(4)) {
    case 0: return below(3);
    case 1: return around[below(5)] + below(3) - 1;
    case 2: return below(12 * ASOF_BLOCK);
    default: return below(100);
    }
}

static int compare(const void *one, const void *other)
{
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

/* Whether start <= time, where time is in a unit: exactly, in a wider type of two parts. */
static bool has_started(int64_t start, int64_t time, asof_unit unit)
{
    int64_t factor = unit == ASOF_SECONDS ? 1000000 : unit == ASOF_MILLISECONDS ? 1000 : 1;
    if (unit == ASOF_NANOSECONDS) {
        int64_t quotient = time / 1000;
        return start <= (time % 1000 < 0 ? quotient - 1 : quotient);
    }
    int64_t whole = start / factor, rest = start % factor; /* start <= time * factor */
    return rest > 0 ? whole < time : whole <= time;
}

static void store_integer(void *array, asof_integer type, size_t i, uint64_t value)
{
    switch (type) {
    case ASOF_I8:
    case ASOF_U8: ((uint8_t *)array)[i] = (uint8_t)value; break;
    case ASOF_I16:
    case ASOF_U16: ((uint16_t *)array)[i] = (uint16_t)value; break;
    case ASOF_I32:
    case ASOF_U32: ((uint32_t *)array)[i] = (uint32_t)value; break;
    case ASOF_I64:
    case ASOF_U64: ((uint64_t *)array)[i] = value; break;
    }
}

/* The index as it was stored; UINT64_MAX where it is negative. */
static uint64_t load_integer(const void *array, asof_integer type, size_t i)
{
    int64_t value = 0;
    switch (type) {
    case ASOF_I8: value = ((const int8_t *)array)[i]; break;
    case ASOF_I16: value = ((const int16_t *)array)[i]; break;
    case ASOF_I32: value = ((const int32_t *)array)[i]; break;
    case ASOF_I64: value = ((const int64_t *)array)[i]; break;
    case ASOF_U8: return ((const uint8_t *)array)[i];
    case ASOF_U16: return ((const uint16_t *)array)[i];
    case ASOF_U32: return ((const uint32_t *)array)[i];
    case ASOF_U64: return ((const uint64_t *)array)[i];
    }
    return value < 0 ? UINT64_MAX : (uint64_t)value;
}

static const size_t WIDTH[] = {1, 2, 4, 8, 1, 2, 4, 8};

static void try_locate(uint64_t seed)
{
    bool noise = chance(2);
    size_t resources = below(40), indices = below(50), samples = some_size(), rows = 1;
    int64_t *first = block(resources, 8), *last = block(resources, 8);
    for (size_t g = 0; g < resources; g++) {
        rows += below(3); /* rows of nobody */
        first[g] = (int64_t)rows;
        rows += chance(3) ? 0 : below(40);
        last[g] = (int64_t)rows;
    }
    rows += below(2);
    for (size_t g = resources; g > 1; g--) { /* resources in no order */
        size_t other = below(g);
        int64_t from = first[g - 1], to = last[g - 1];
        first[g - 1] = first[other], last[g - 1] = last[other];
        first[other] = from, last[other] = to;
    }
    int64_t *starts = block(rows, 8);
    for (size_t i = 0; i < rows; i++)
        starts[i] = some_number();
    if (!noise)
        for (size_t g = 0; g < resources; g++) {
            int64_t *own = starts + first[g];
            size_t count = (size_t)(last[g] - first[g]);
            qsort(own, count, 8, compare);
            for (size_t i = 1; i < count; i++) /* strictly; where there is no room above, the last ones are dropped */
                if (own[i] <= own[i - 1]) {
                    if (own[i - 1] == INT64_MAX) {
                        last[g] = first[g] + (int64_t)i;
                        break;
                    }
                    own[i] = own[i - 1] + 1;
                }
        }
    int32_t *groups = block(indices, 4);
    for (size_t i = 0; i < indices; i++)
        groups[i] = chance(8) ? (int32_t)any() : (int32_t)below(resources + 2) - 1;

    asof_integer type = (asof_integer)below(8);
    asof_unit unit = (asof_unit)below(4);
    void *ids = block(samples, WIDTH[type]);
    int64_t *times = block(samples, 8);
    size_t run = 1 + below(30);
    uint64_t id = 0;
    for (size_t i = 0; i < samples; i++) {
        if (chance(run))
            id = chance(50) ? any() : below(indices + 2);
        store_integer(ids, type, i, id);
        times[i] = some_number();
    }
    if (chance(2))
        qsort(times, samples, 8, compare);

    if (chance(8) && resources > 0) { /* what is out of the rows is seen */
        asof_span *spans = block(resources, sizeof *spans);
        size_t g = below(resources);
        int64_t was = last[g];
        last[g] = chance(2) ? first[g] - 1 : (int64_t)rows + 1 + (int64_t)below(5);
        if (asof_make_spans(first, last, resources, rows, spans))
            fail("span", seed, g, 0, 1);
        last[g] = was;
        free(spans);
    }
    asof_span *spans = block(resources, sizeof *spans);
    if (!asof_make_spans(first, last, resources, rows, spans))
        fail("spans", seed, 0, 1, 0);
    asof_table table = {groups, (uint32_t)indices, spans, (uint32_t)resources, starts};
    size_t cursor_count = chance(2) ? asof_cursors(indices) : (size_t)1 << below(7); /* also so few that they are shared */
    asof_cursor *cursors = block(cursor_count, sizeof *cursors);
    memset(cursors, 0, cursor_count * sizeof *cursors);
    int32_t *found = block(samples, 4);
    asof_locate(&table, ids, type, times, unit, samples, cursors, cursor_count, found);

    for (size_t i = 0; i < samples; i++) {
        uint64_t index = load_integer(ids, type, i);
        int64_t group = index < indices ? groups[index] : -1;
        bool known = group >= 0 && (uint64_t)group < resources;
        if (noise) {
            if (found[i] != 0 && !(known && first[group] <= found[i] && found[i] < last[group]))
                fail("astray: row of sample", seed, i, 0, found[i]);
            continue;
        }
        int64_t row = 0;
        for (int64_t p = known ? first[group] : 0; known && p < last[group]; p++)
            row = has_started(starts[p], times[i], unit) ? p : row;
        if (row != found[i])
            fail("row of sample", seed, i, row, found[i]);
    }
    free(first), free(last), free(starts), free(groups), free(ids), free(times);
    free(spans), free(cursors), free(found);
}

static int64_t code_at(const void *codes, size_t size, size_t i)
{
    return size == 1   ? ((const int8_t *)codes)[i]
           : size == 2 ? ((const int16_t *)codes)[i]
                       : ((const int32_t *)codes)[i];
}

static void try_gather(uint64_t seed)
{
    size_t count = below(45), rows = 1 + below(chance(4) ? 3000 : 60), samples = some_size();
    asof_column *columns = block(count, sizeof *columns);
    for (size_t k = 0; k < count; k++) {
        size_t size = (size_t)1 << below(3), bytes = rows * size, nulls = 1 + below(200);
        unsigned char *codes = block(rows, size);
        for (size_t i = 0; i < bytes; i++)
            codes[i] = (unsigned char)any();
        for (size_t i = size - 1; i < bytes; i += size) /* the byte with the sign, in a little-endian machine */
            codes[i] &= chance(nulls) ? 0xff : 0x7f;
        columns[k] = (asof_column){codes, size, block(samples, size), NULL, 0};
        bool negative = false;
        for (size_t i = 0; i < rows; i++)
            negative |= code_at(codes, size, i) < 0;
        if (asof_any_negative(codes, size, rows) != negative)
            fail("negative column", seed, k, negative, !negative);
        if (negative || chance(4))
            columns[k].validity = block((samples + 7) / 8, 1);
    }
    int32_t *positions = block(samples, 4);
    for (size_t i = 0; i < samples; i++)
        positions[i] = (int32_t)below(rows);
    size_t astray = samples;
    if (samples > 0 && chance(4)) {
        astray = below(samples);
        positions[astray] = chance(2) ? (int32_t)rows : -1 - (int32_t)below(5);
    }
    size_t stride = asof_stride(columns, count);
    unsigned char *table = NULL;
    if (stride > 0 && chance(2)) {
        table = block(rows, stride);
        asof_pack(columns, count, rows, stride, table);
    }
    size_t reached = asof_gather(positions, samples, rows, columns, count, table);
    if (reached != astray)
        fail("reached", seed, count, (int64_t)astray, (int64_t)reached);
    for (size_t k = 0; k < count; k++) {
        size_t nulls = 0;
        for (size_t i = 0; astray == samples && i < samples; i++) {
            int64_t code = code_at(columns[k].codes, columns[k].size, (size_t)positions[i]);
            int64_t index = code_at(columns[k].indices, columns[k].size, i);
            if (index != (code < 0 ? 0 : code))
                fail("index of sample", seed, i, code < 0 ? 0 : code, index);
            if (columns[k].validity != NULL && (columns[k].validity[i / 8] >> i % 8 & 1) != (code >= 0))
                fail("validity of sample", seed, i, code >= 0, code < 0);
            nulls += code < 0;
        }
        if (astray == samples && columns[k].nulls != nulls)
            fail("nulls of column", seed, k, (int64_t)nulls, (int64_t)columns[k].nulls);
        if (astray == samples && columns[k].validity != NULL && samples % 8 != 0 &&
            columns[k].validity[samples / 8] >> samples % 8 != 0)
            fail("bits beyond the last of column", seed, k, 0, 1);
        free((void *)columns[k].codes), free(columns[k].indices), free(columns[k].validity);
    }
    free(columns), free(positions), free(table);
}

int main(int count, char **words)
{
    if (count != 3) {
        fputs("usage: fuzz SEED CASES\n", stderr);
        return 2;
    }
    uint64_t seed = strtoull(words[1], NULL, 10), cases = strtoull(words[2], NULL, 10);
    for (uint64_t i = 0; i < cases; i++) {
        state = (seed + i) * 0x9e3779b97f4a7c15u + 1;
        for (int k = 0; k < 4; k++)
            any();
        if (i % 2 == 0)
            try_locate(seed + i);
        else
            try_gather(seed + i);
    }
    printf("%" PRIu64 " cases\n", cases);
    return 0;
}
