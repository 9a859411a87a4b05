/* The Python binding of the as-of kernel: takes buffers, checks them, releases the interpreter, runs the kernel.
 *
 * Limited API of CPython 3.11, so one build serves every later version; no header of NumPy is needed.
 */
#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>

#include "asof_gather.h"
#include "asof_kernel.h"

/* A buffer of integers: its number format as a bit for each width in bytes. */
#define SIGNED(bytes) (1u << (bytes))
#define UNSIGNED(bytes) (1u << ((bytes) + 16))
#define ANY_SIGNED (SIGNED(1) | SIGNED(2) | SIGNED(4) | SIGNED(8))
#define ANY_INTEGER (ANY_SIGNED | UNSIGNED(1) | UNSIGNED(2) | UNSIGNED(4) | UNSIGNED(8))
#define ANY_CODE (SIGNED(1) | SIGNED(2) | SIGNED(4))
#define CODE_TYPES "int8, int16 or int32"

typedef struct {
    Py_buffer view;
    unsigned kind;
    size_t length;
} numbers;

static unsigned kind_of(const Py_buffer *view)
{
    const char *format = view->format == NULL ? "B" : view->format;
    if (*format == '@' || *format == '=')
        format++;
    if (format[0] == '\0' || format[1] != '\0')
        return 0;
    if (view->itemsize != 1 && view->itemsize != 2 && view->itemsize != 4 && view->itemsize != 8)
        return 0;
    if (strchr("bhilqn", format[0]) != NULL)
        return SIGNED(view->itemsize);
    if (strchr("BHILQN", format[0]) != NULL)
        return UNSIGNED(view->itemsize);
    return 0;
}

/* Takes a buffer; 0 with an exception set where it is not what is wanted. What was taken must be released. */
static int take(PyObject *object, const char *name, unsigned kinds, const char *wanted, int writable, numbers *out)
{
    out->view.obj = NULL;
    if (PyObject_GetBuffer(object, &out->view, PyBUF_FORMAT | PyBUF_ND | (writable ? PyBUF_WRITABLE : 0)) < 0) {
        if (PyErr_ExceptionMatches(PyExc_BufferError))
            PyErr_Format(PyExc_ValueError, "%s must be contiguous%s.", name, writable ? " and writable" : "");
        return 0;
    }
    out->kind = kind_of(&out->view);
    if (!(out->kind & kinds)) {
        PyErr_Format(PyExc_TypeError, "%s must be of the type %s, not %s.", name, wanted,
                     out->view.format == NULL ? "bytes" : out->view.format);
        return 0;
    }
    if (out->view.ndim != 1) {
        PyErr_Format(PyExc_ValueError, "%s must have one dimension, not %d.", name, out->view.ndim);
        return 0;
    }
    out->length = (size_t)(out->view.len / out->view.itemsize);
    if (out->length > 0 && (uintptr_t)out->view.buf % (uintptr_t)out->view.itemsize != 0) {
        PyErr_Format(PyExc_ValueError, "%s must be aligned in memory.", name);
        return 0;
    }
    return 1;
}

static void release(numbers *taken, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (taken[i].view.obj != NULL)
            PyBuffer_Release(&taken[i].view);
}

static asof_integer integer_of(unsigned kind)
{
    switch (kind) {
    case SIGNED(1): return ASOF_I8;
    case SIGNED(2): return ASOF_I16;
    case SIGNED(4): return ASOF_I32;
    case SIGNED(8): return ASOF_I64;
    case UNSIGNED(1): return ASOF_U8;
    case UNSIGNED(2): return ASOF_U16;
    case UNSIGNED(4): return ASOF_U32;
    default: return ASOF_U64;
    }
}

static int unit_of(const char *name, asof_unit *unit)
{
    static const char *const names[] = {"s", "ms", "us", "ns"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *unit = (asof_unit)i;
            return 1;
        }
    }
    PyErr_Format(PyExc_ValueError, "The unit must be s, ms, us or ns, not %s.", name);
    return 0;
}

PyDoc_STRVAR(locate_doc, "locate(ids, groups, times, unit, first, last, starts, rows)\n--\n\n"
                         "Write the row of each sample into rows.");

enum { IDS, GROUPS, TIMES, FIRST, LAST, STARTS, ROWS, LOCATE_BUFFERS };

static PyObject *locate(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *given[LOCATE_BUFFERS];
    const char *unit_name;
    if (!PyArg_ParseTuple(arguments, "OOOsOOOO:locate", &given[IDS], &given[GROUPS], &given[TIMES], &unit_name,
                          &given[FIRST], &given[LAST], &given[STARTS], &given[ROWS]))
        return NULL;
    numbers taken[LOCATE_BUFFERS];
    for (int i = 0; i < LOCATE_BUFFERS; i++)
        taken[i].view.obj = NULL;
    asof_span *spans = NULL;
    asof_cursor *cursors = NULL;
    PyObject *answer = NULL;
    asof_unit unit;
    if (!unit_of(unit_name, &unit) || !take(given[IDS], "ids", ANY_INTEGER, "integer", 0, &taken[IDS]) ||
        !take(given[GROUPS], "groups", SIGNED(4), "int32", 0, &taken[GROUPS]) ||
        !take(given[TIMES], "times", SIGNED(8), "int64", 0, &taken[TIMES]) ||
        !take(given[FIRST], "first", SIGNED(8), "int64", 0, &taken[FIRST]) ||
        !take(given[LAST], "last", SIGNED(8), "int64", 0, &taken[LAST]) ||
        !take(given[STARTS], "starts", SIGNED(8), "int64", 0, &taken[STARTS]) ||
        !take(given[ROWS], "rows", SIGNED(4), "int32", 1, &taken[ROWS]))
        goto done;
    size_t samples = taken[IDS].length, resources = taken[FIRST].length, rows = taken[STARTS].length;
    if (taken[TIMES].length != samples || taken[ROWS].length != samples) {
        PyErr_SetString(PyExc_ValueError, "ids, times and rows must have one length.");
        goto done;
    }
    if (taken[LAST].length != resources) {
        PyErr_SetString(PyExc_ValueError, "first and last must have one length.");
        goto done;
    }
    if (rows > INT32_MAX || resources > INT32_MAX || taken[GROUPS].length > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "groups, first and starts can have no more than 2147483647 elements each.");
        goto done;
    }
    size_t cursor_count = asof_cursors(taken[GROUPS].length);
    spans = malloc((resources + 1) * sizeof *spans);
    cursors = calloc(cursor_count, sizeof *cursors); /* fresh pages: only those that are used cost anything */
    if (spans == NULL || cursors == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (!asof_make_spans(taken[FIRST].view.buf, taken[LAST].view.buf, resources, rows, spans)) {
        PyErr_SetString(PyExc_ValueError, "first and last must be 0 <= first <= last <= the number of starts.");
        goto done;
    }
    asof_table table = {taken[GROUPS].view.buf, (uint32_t)taken[GROUPS].length, spans, (uint32_t)resources,
                        taken[STARTS].view.buf};
    Py_BEGIN_ALLOW_THREADS
    if (rows == 0)
        memset(taken[ROWS].view.buf, 0, samples * sizeof(int32_t));
    else
        asof_locate(&table, taken[IDS].view.buf, integer_of(taken[IDS].kind), taken[TIMES].view.buf, unit, samples,
                    cursors, cursor_count, taken[ROWS].view.buf);
    Py_END_ALLOW_THREADS
    answer = Py_NewRef(Py_None);
done:
    free(cursors);
    free(spans);
    release(taken, LOCATE_BUFFERS);
    return answer;
}

PyDoc_STRVAR(any_negative_doc, "any_negative(codes)\n--\n\nWhether a column of codes holds one that means null.");

static PyObject *any_negative(PyObject *module, PyObject *object)
{
    (void)module;
    numbers codes;
    PyObject *answer = NULL;
    if (take(object, "codes", ANY_CODE, CODE_TYPES, 0, &codes)) {
        bool found;
        Py_BEGIN_ALLOW_THREADS
        found = asof_any_negative(codes.view.buf, (size_t)codes.view.itemsize, codes.length);
        Py_END_ALLOW_THREADS
        answer = PyBool_FromLong(found);
    }
    release(&codes, 1);
    return answer;
}

/* The columns of a call: for each the buffers of codes, indices and validity. */
enum { CODES, INDICES, VALIDITY, COLUMN_BUFFERS };

typedef struct {
    size_t count;
    size_t rows;
    numbers *taken;
    asof_column *columns;
} column_list;

static int allocate_columns(PyObject *list, column_list *out)
{
    memset(out, 0, sizeof *out);
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "columns must be a list.");
        return 0;
    }
    size_t count = (size_t)PyList_Size(list);
    out->taken = calloc(COLUMN_BUFFERS * count + 1, sizeof *out->taken);
    out->columns = calloc(count + 1, sizeof *out->columns);
    if (out->taken == NULL || out->columns == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    out->count = count;
    return 1;
}

static void release_columns(column_list *list)
{
    release(list->taken, COLUMN_BUFFERS * list->count);
    free(list->taken);
    free(list->columns);
}

/* Takes the codes of column k; all have one length. */
static int take_codes(PyObject *object, column_list *list, size_t k)
{
    numbers *codes = &list->taken[COLUMN_BUFFERS * k + CODES];
    if (!take(object, "codes", ANY_CODE, CODE_TYPES, 0, codes))
        return 0;
    if (k == 0)
        list->rows = codes->length;
    if (codes->length != list->rows) {
        PyErr_SetString(PyExc_ValueError, "All columns must have one length.");
        return 0;
    }
    list->columns[k].codes = codes->view.buf;
    list->columns[k].size = (size_t)codes->view.itemsize;
    return 1;
}

/* Takes where the samples of column k go. */
static int take_output(PyObject *indices, PyObject *validity, size_t samples, column_list *list, size_t k)
{
    numbers *taken = &list->taken[COLUMN_BUFFERS * k];
    if (!take(indices, "indices", taken[CODES].kind, "their codes", 1, &taken[INDICES]))
        return 0;
    list->columns[k].indices = taken[INDICES].view.buf;
    bool fits = taken[INDICES].length == samples;
    if (validity != Py_None) {
        if (!take(validity, "validity", UNSIGNED(1), "uint8", 1, &taken[VALIDITY]))
            return 0;
        list->columns[k].validity = taken[VALIDITY].view.buf;
        fits = fits && taken[VALIDITY].length == samples / 8 + (samples % 8 != 0);
    }
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "indices must have an element, and validity a bit, for each position.");
    return fits;
}

PyDoc_STRVAR(pack_doc, "pack(columns)\n--\n\n"
                       "Lay columns side by side for gather; None where there is nothing to be won by it.");

static PyObject *pack(PyObject *module, PyObject *list)
{
    (void)module;
    column_list columns;
    PyObject *answer = NULL;
    if (!allocate_columns(list, &columns))
        goto done;
    for (size_t k = 0; k < columns.count; k++) {
        PyObject *codes = PyList_GetItem(list, (Py_ssize_t)k);
        if (codes == NULL || !take_codes(codes, &columns, k))
            goto done;
    }
    size_t stride = asof_stride(columns.columns, columns.count);
    if (stride == 0 || columns.rows == 0) {
        answer = Py_NewRef(Py_None);
        goto done;
    }
    if (columns.rows > (size_t)PY_SSIZE_T_MAX / stride) {
        PyErr_NoMemory();
        goto done;
    }
    answer = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(columns.rows * stride));
    if (answer != NULL) {
        unsigned char *table = (unsigned char *)PyByteArray_AsString(answer);
        Py_BEGIN_ALLOW_THREADS
        asof_pack(columns.columns, columns.count, columns.rows, stride, table);
        Py_END_ALLOW_THREADS
    }
done:
    release_columns(&columns);
    return answer;
}

static PyObject *null_counts(const column_list *columns)
{
    PyObject *list = PyList_New((Py_ssize_t)columns->count);
    for (size_t k = 0; list != NULL && k < columns->count; k++) {
        PyObject *nulls = PyLong_FromSize_t(columns->columns[k].nulls);
        if (nulls == NULL || PyList_SetItem(list, (Py_ssize_t)k, nulls) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

PyDoc_STRVAR(gather_doc, "gather(positions, columns, table)\n--\n\n"
                         "Take the codes at the positions. columns is a list of (codes, indices, validity or None), the\n"
                         "latter two to be written; table is pack() of these codes, or None. Returns how many of each\n"
                         "are null.");

static PyObject *gather(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *given_positions, *given_columns, *given_table;
    if (!PyArg_ParseTuple(arguments, "OOO:gather", &given_positions, &given_columns, &given_table))
        return NULL;
    enum { POSITIONS, TABLE, GATHER_BUFFERS };
    numbers taken[GATHER_BUFFERS];
    for (int i = 0; i < GATHER_BUFFERS; i++)
        taken[i].view.obj = NULL;
    column_list columns;
    PyObject *answer = NULL;
    if (!allocate_columns(given_columns, &columns) ||
        !take(given_positions, "positions", SIGNED(4), "int32", 0, &taken[POSITIONS]))
        goto done;
    size_t samples = taken[POSITIONS].length;
    for (size_t k = 0; k < columns.count; k++) {
        PyObject *column = PyList_GetItem(given_columns, (Py_ssize_t)k), *codes, *indices, *validity;
        if (column == NULL)
            goto done;
        if (!PyTuple_Check(column)) {
            PyErr_SetString(PyExc_TypeError, "A column must be a tuple of codes, indices and validity.");
            goto done;
        }
        if (!PyArg_ParseTuple(column, "OOO", &codes, &indices, &validity) || !take_codes(codes, &columns, k) ||
            !take_output(indices, validity, samples, &columns, k))
            goto done;
    }
    const unsigned char *table = NULL;
    if (given_table != Py_None) {
        size_t stride = asof_stride(columns.columns, columns.count);
        if (!take(given_table, "table", UNSIGNED(1), "uint8", 0, &taken[TABLE]))
            goto done;
        if (stride == 0 || taken[TABLE].length % stride != 0 || taken[TABLE].length / stride != columns.rows) {
            PyErr_SetString(PyExc_ValueError, "table must be what pack() made of these columns.");
            goto done;
        }
        table = taken[TABLE].view.buf;
    }
    size_t reached;
    Py_BEGIN_ALLOW_THREADS
    reached = asof_gather(taken[POSITIONS].view.buf, samples, columns.rows, columns.columns, columns.count, table);
    Py_END_ALLOW_THREADS
    if (reached < samples)
        PyErr_Format(PyExc_ValueError, "Position %d is no row: the columns have %zu.",
                     (int)((const int32_t *)taken[POSITIONS].view.buf)[reached], columns.rows);
    else
        answer = null_counts(&columns);
done:
    release_columns(&columns);
    release(taken, GATHER_BUFFERS);
    return answer;
}

static PyMethodDef methods[] = {
    {"locate", locate, METH_VARARGS, locate_doc},
    {"any_negative", any_negative, METH_O, any_negative_doc},
    {"pack", pack, METH_O, pack_doc},
    {"gather", gather, METH_VARARGS, gather_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "timeline.replay.join._asof",
    .m_doc = "The compiled kernel of the as-of join. Use timeline.replay.join.asof, which answers without it too.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__asof(void)
{
    return PyModuleDef_Init(&definition);
}
