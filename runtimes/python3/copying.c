/* Copies a value that is plain JSON all through: what `restore(encode(value))` makes of it, ten times as fast.

   It decides nothing. What it does not know for sure (subclasses, other types, NaN, lone surrogates, integers beyond
   64 bits, `$bytes`, more than 120 levels, more than `room` bytes) it leaves to the codec: copy_plain is None then, as
   it always is where this could not be compiled. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define MAX_DEPTH 120
#define SCALAR_BYTES 26 /* of JSON, at most: -1.2345678901234567e+123 and a comma */

static PyObject *copy(PyObject *value, Py_ssize_t *room, int depth);

static int is_text(PyObject *text, Py_ssize_t *room)
{
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0)
        return 0;
#endif
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    *room -= 6 * length + 4; /* \u0000, quotes, a colon, a comma */
    if (*room < 0)
        return 0;
    if (PyUnicode_KIND(text) == PyUnicode_2BYTE_KIND || PyUnicode_KIND(text) == PyUnicode_4BYTE_KIND)
        for (Py_ssize_t at = 0; at < length; at++)
            if (Py_UNICODE_IS_SURROGATE(PyUnicode_READ_CHAR(text, at)))
                return 0;
    return 1;
}

/* None and bytes, too: nobody can change them. */
static int is_scalar(PyObject *value, Py_ssize_t *room)
{
    if (PyUnicode_CheckExact(value))
        return is_text(value, room);
    *room -= SCALAR_BYTES;
    if (PyBytes_CheckExact(value))
        *room -= PyBytes_GET_SIZE(value) / 3 * 4 + 4;
    else if (PyLong_CheckExact(value)) {
        int overflow;
        PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow)
            return 0;
    } else if (PyFloat_CheckExact(value)) {
        if (!isfinite(PyFloat_AS_DOUBLE(value)))
            return 0;
    } else if (value != Py_None && !PyBool_Check(value))
        return 0;
    return *room >= 0;
}

static int is_container(PyObject *value)
{
    return PyDict_CheckExact(value) || PyList_CheckExact(value) || PyTuple_CheckExact(value);
}

/* The own copies come first, then what is in them is looked at: garbage collection, which an allocation may begin, runs
   code of anybody's, which may change `value` meanwhile. */
static PyObject *copy_dict(PyObject *value, Py_ssize_t *room, int depth)
{
    PyObject *key, *item, *result = PyDict_Copy(value);
    Py_ssize_t at = 0;
    if (result == NULL)
        return NULL;
    while (PyDict_Next(result, &at, &key, &item)) {
        if (!PyUnicode_CheckExact(key) || !is_text(key, room))
            goto other;
        if (is_container(item)) {
            PyObject *inner = copy(item, room, depth + 1);
            if (inner == NULL)
                goto other;
            int failed = PyDict_SetItem(result, key, inner);
            Py_DECREF(inner);
            if (failed)
                goto other;
        } else if (!is_scalar(item, room))
            goto other;
    }
    at = 0;
    if (PyDict_Size(result) == 1 && PyDict_Next(result, &at, &key, &item) && PyUnicode_GET_LENGTH(key) > 0
        && PyUnicode_READ_CHAR(key, 0) == '$')
        goto other; /* perhaps `$bytes` */
    return result;
other:
    Py_DECREF(result);
    return NULL;
}

static PyObject *copy_list(PyObject *value, Py_ssize_t *room, int depth)
{
    PyObject *result = PySequence_List(value);
    if (result == NULL)
        return NULL;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(result); at++) {
        PyObject *item = PyList_GET_ITEM(result, at);
        if (is_container(item)) {
            PyObject *inner = copy(item, room, depth + 1);
            if (inner == NULL || PyList_SetItem(result, at, inner) < 0)
                goto other;
        } else if (!is_scalar(item, room))
            goto other;
    }
    return result;
other:
    Py_DECREF(result);
    return NULL;
}

static PyObject *copy(PyObject *value, Py_ssize_t *room, int depth)
{
    *room -= 3; /* brackets, a comma */
    if (depth > MAX_DEPTH || *room < 0)
        return NULL;
    return PyDict_CheckExact(value) ? copy_dict(value, room, depth) : copy_list(value, room, depth);
}

PyDoc_STRVAR(copy_plain_doc,
"copy_plain(value, room)\n--\n\n"
"A copy of plain JSON whose text has `room` bytes at most; None if that is not sure.");

static PyObject *copy_plain(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "copy_plain(value, room)");
        return NULL;
    }
    PyObject *value = arguments[0], *result = NULL;
    Py_ssize_t room = PyLong_AsSsize_t(arguments[1]);
    if (room == -1 && PyErr_Occurred())
        return NULL;
    if (is_container(value))
        result = copy(value, &room, 1);
    else if (is_scalar(value, &room))
        result = Py_NewRef(value);
    if (result == NULL) {
        PyErr_Clear(); /* of memory: the codec will raise it again */
        Py_RETURN_NONE;
    }
    return result;
}

static PyMethodDef methods[] = {
    {"copy_plain", (PyCFunction)(void (*)(void))copy_plain, METH_FASTCALL, copy_plain_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_copying", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__copying(void)
{
    return PyModuleDef_Init(&definition);
}
