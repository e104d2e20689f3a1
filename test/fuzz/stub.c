/*-------------------------------------------------------------------------
 *
 * stub.c
 *		Just enough of a PostgreSQL backend to call the functions of the types.
 *
 * Shortest decimals, StringInfo and sorting come from the libraries of
 * PostgreSQL's client programs, which are the same source.
 *
 *-------------------------------------------------------------------------
 */
#include "stub.h"

#include <math.h>
#include <setjmp.h>

#include "access/detoast.h"
#include "access/tupmacs.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
/* its declaration differs between versions */
#define pq_sendbytes pq_sendbytes_of_another_version
#include "libpq/pqformat.h"
#undef pq_sendbytes
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

MemoryContext CurrentMemoryContext;
volatile sig_atomic_t InterruptPending;
PGPROC	   *MyProc;

/* A fault of the test or of the code under test: the fuzzer reports it. */
static void
die(const char *why)
{
	fprintf(stderr, "stub: %s\n", why);
	abort();
}

/*-------------------------------------------------------------------------
 * Memory: each chunk is malloc's own, so that the sanitizer guards its ends
 *-------------------------------------------------------------------------
 */

static void **chunks;
static int	nchunks;
static int	chunks_room;

static void *
remember(void *chunk)
{
	if (chunk == NULL)
		die("out of memory");
	if (nchunks == chunks_room)
	{
		chunks_room = chunks_room * 2 + 64;
		chunks = realloc(chunks, chunks_room * sizeof(void *));
		if (chunks == NULL)
			die("out of memory");
	}
	chunks[nchunks++] = chunk;
	return chunk;
}

/* The place in chunks of what was palloc'd, most often a recent one */
static int
find_chunk(const void *pointer)
{
	for (int i = nchunks - 1; i >= 0; i--)
	{
		if (chunks[i] == pointer)
			return i;
	}
	die("pfree or repalloc of what was not palloc'd");
	return -1;
}

static void
check_size(Size size)
{
	if (!AllocSizeIsValid(size))
		elog(ERROR, "invalid memory alloc request size %zu", size);
}

void *
palloc(Size size)
{
	check_size(size);
	return remember(malloc(size));
}

void *
palloc0(Size size)
{
	check_size(size);
	return remember(calloc(1, size));
}

void *
repalloc(void *pointer, Size size)
{
	int			i = find_chunk(pointer);

	check_size(size);
	chunks[i] = realloc(pointer, size);
	if (chunks[i] == NULL)
		die("out of memory");
	return chunks[i];
}

void
pfree(void *pointer)
{
	int			i = find_chunk(pointer);

	free(pointer);
	chunks[i] = chunks[--nchunks];
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

char *
pnstrdup(const char *in, Size length)
{
	Size		n = strnlen(in, length);
	char	   *out = palloc(n + 1);

	memcpy(out, in, n);
	out[n] = '\0';
	return out;
}

void
stub_reset(void)
{
	while (nchunks > 0)
		free(chunks[--nchunks]);
}

/*-------------------------------------------------------------------------
 * Errors
 *-------------------------------------------------------------------------
 */

int			stub_sqlstate;
char		stub_message[1024];

static sigjmp_buf *handler;		/* of the function that runs */
static int	error_level;

bool
stub_call(PGFunction function, int nargs, const Datum *args, Datum *result)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);
	sigjmp_buf	here;
	bool		returned = false;

	if (handler != NULL)
		die("stub_call() inside stub_call()");
	InitFunctionCallInfoData(*fcinfo, NULL, nargs, InvalidOid, NULL, NULL);
	for (int i = 0; i < nargs; i++)
	{
		fcinfo->args[i].value = args[i];
		fcinfo->args[i].isnull = false;
	}
	if (sigsetjmp(here, 0) == 0)
	{
		handler = &here;
		*result = function(fcinfo);
		if (fcinfo->isnull)
			die("a function returned NULL");
		returned = true;
	}
	handler = NULL;
	return returned;
}

bool
errstart(int elevel, const char *domain)
{
	error_level = elevel;
	stub_sqlstate = ERRCODE_INTERNAL_ERROR;
	stub_message[0] = '\0';
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

/* Soft errors (PostgreSQL 16 and later) without a context to save them are hard ones. */
extern bool errsave_start(struct Node *context, const char *domain);
extern void errsave_finish(struct Node *context, const char *file, int line, const char *function);

bool
errsave_start(struct Node *context, const char *domain)
{
	return errstart(ERROR, domain);
}

void
errsave_finish(struct Node *context, const char *file, int line, const char *function)
{
	errfinish(file, line, function);
}

void
errfinish(const char *file, int line, const char *function)
{
	if (handler == NULL)
		die("an error outside any call");
	siglongjmp(*handler, 1);
}

int
errcode(int sqlstate)
{
	stub_sqlstate = sqlstate;
	return 0;
}

/* Format it all, whatever is kept: bad arguments are faults, too. */
#define FORMAT_MESSAGE(buffer, size, fmt) \
	do { \
		va_list		args; \
		va_start(args, fmt); \
		vsnprintf(buffer, size, fmt, args); \
		va_end(args); \
	} while (0)

int
errmsg(const char *fmt,...)
{
	FORMAT_MESSAGE(stub_message, sizeof(stub_message), fmt);
	return 0;
}

int
errmsg_internal(const char *fmt,...)
{
	FORMAT_MESSAGE(stub_message, sizeof(stub_message), fmt);
	return 0;
}

int
errdetail(const char *fmt,...)
{
	char		detail[1024];

	FORMAT_MESSAGE(detail, sizeof(detail), fmt);
	return 0;
}

int
errhint(const char *fmt,...)
{
	char		hint[1024];

	FORMAT_MESSAGE(hint, sizeof(hint), fmt);
	return 0;
}

void
float_overflow_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value out of range: overflow")));
}

void
float_underflow_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value out of range: underflow")));
}

void
ProcessInterrupts(void)
{
}

/*-------------------------------------------------------------------------
 * Values
 *-------------------------------------------------------------------------
 */

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	if (VARATT_IS_COMPRESSED(datum) || VARATT_IS_EXTERNAL(datum))
		die("nothing here is toasted");
	return datum;
}

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	Size		size = VARSIZE_ANY_EXHDR(datum);
	struct varlena *copy;

	if (!VARATT_IS_EXTENDED(datum))
		return datum;
	copy = palloc(size + VARHDRSZ);
	SET_VARSIZE(copy, size + VARHDRSZ);
	memcpy(VARDATA(copy), VARDATA_ANY(pg_detoast_datum_packed(datum)), size);
	return copy;
}

int
pg_ultoa_n(uint32 value, char *out)
{
	char		digits[16];
	int			n = snprintf(digits, sizeof(digits), "%u", value);

	memcpy(out, digits, n);
	return n;
}

Datum
numeric_float4(PG_FUNCTION_ARGS)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	char	   *number = pnstrdup(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	float		value;

	errno = 0;
	value = strtof(number, NULL);
	if (errno == ERANGE && (isinf(value) || value == 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type real", number)));
	PG_RETURN_FLOAT4(value);
}

Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum arg)
{
	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, collation, NULL, NULL);
	fcinfo->args[0].value = arg;
	fcinfo->args[0].isnull = false;
	return function(fcinfo);
}

int
AggCheckCallContext(FunctionCallInfo fcinfo, MemoryContext *context)
{
	die("no aggregates here");
	return 0;
}

char *
get_func_name(Oid funcid)
{
	die("no aggregates here");
	return NULL;
}

/*-------------------------------------------------------------------------
 * Arrays
 *-------------------------------------------------------------------------
 */

int32 *
ArrayGetIntegerTypmods(ArrayType *array, int *n)
{
	die("no type modifiers here");
	return NULL;
}

int
ArrayGetNItems(int ndim, const int *dims)
{
	int			n = ndim > 0;

	for (int i = 0; i < ndim; i++)
		n *= dims[i];
	return n;
}

bool
array_contains_nulls(ArrayType *array)
{
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	for (int i = 0; ARR_HASNULL(array) && i < n; i++)
	{
		if (!(ARR_NULLBITMAP(array)[i / 8] & (1 << i % 8)))
			return true;
	}
	return false;
}

void
get_typlenbyvalalign(Oid type, int16 *length, bool *by_value, char *align)
{
	*length = type == INT2OID ? 2 : type == FLOAT8OID ? 8 : type == NUMERICOID ? -1 : 4;
	*by_value = type != NUMERICOID;
	*align = type == INT2OID ? TYPALIGN_SHORT : type == FLOAT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT;
}

void
deconstruct_array(ArrayType *array, Oid type, int length, bool by_value, char align,
				  Datum **elements, bool **nulls, int *n)
{
	char	   *place = ARR_DATA_PTR(array);

	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	*elements = palloc(*n * sizeof(Datum));
	if (ARR_ELEMTYPE(array) != type || array_contains_nulls(array))
		die("deconstruct_array() of another array than it is called for");
	for (int i = 0; i < *n; i++)
	{
		place = (char *) att_align_pointer(place, align, length, place);
		(*elements)[i] = fetch_att(place, by_value, length);
		place = att_addlength_pointer(place, length, place);
	}
	if (place > (char *) array + VARSIZE(array))
		die("an array's elements go beyond its end");
}

/* Of elements passed by value */
ArrayType *
construct_array(Datum *elements, int n, Oid type, int length, bool by_value, char align)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + (Size) n * length;
	ArrayType  *array = palloc0(size);

	if (!by_value)
		die("construct_array() of elements by reference");
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = type;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	for (int i = 0; i < n; i++)
		store_att_byval(ARR_DATA_PTR(array) + (Size) i * length, elements[i], length);
	return array;
}

/*-------------------------------------------------------------------------
 * Messages
 *-------------------------------------------------------------------------
 */

const char *
pq_getmsgbytes(StringInfo message, int n)
{
	const char *bytes = message->data + message->cursor;

	if (n < 0 || n > message->len - message->cursor)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("insufficient data left in message")));
	message->cursor += n;
	return bytes;
}

void
pq_copymsgbytes(StringInfo message, char *out, int n)
{
	memcpy(out, pq_getmsgbytes(message, n), n);
}

unsigned int
pq_getmsgint(StringInfo message, int size)
{
	const unsigned char *bytes = (const unsigned char *) pq_getmsgbytes(message, size);
	unsigned int value = 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

float4
pq_getmsgfloat4(StringInfo message)
{
	uint32		bits = pq_getmsgint(message, 4);
	float4		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

extern void pq_sendbytes(StringInfo buf, const void *data, int n);

void
pq_sendbytes(StringInfo buf, const void *data, int n)
{
	appendBinaryStringInfo(buf, data, n);
}

void
pq_sendfloat4(StringInfo buf, float4 value)
{
	uint32		bits;

	memcpy(&bits, &value, sizeof(bits));
	pq_sendint32(buf, bits);
}

void
pq_begintypsend(StringInfo buf)
{
	initStringInfo(buf);
	appendBinaryStringInfo(buf, "\0\0\0\0", 4);
}

bytea *
pq_endtypsend(StringInfo buf)
{
	SET_VARSIZE(buf->data, buf->len);
	return (bytea *) buf->data;
}
