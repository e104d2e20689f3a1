/*-------------------------------------------------------------------------
 *
 * fuzz.c
 *		libFuzzer targets: what comes into the types from outside.
 *
 * The program is linked once and takes its target from the name that it is
 * run by:
 *
 *	TYPE_in		the text form
 *	TYPE_recv	the binary form
 *	TYPE_cast	what is stored, sound or not: printed, sent and cast to other types
 *	array_cast	arrays of int4, float4, float8 and numeric, cast to every type
 *	sq8vec_codes	sq8vec() of codes
 *
 * An input is refused with an error about the data, or gives a value that
 * keeps the promises of check_value() and check_cast().
 *
 *-------------------------------------------------------------------------
 */
#include "stub.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "simd/simd.h"
#include "types/dense.h"
#include "types/sparse.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum Kind
{
	VECTOR, HALFVEC, SPARSEVEC, SQ8VEC, NTYPES
} Kind;

typedef struct Type
{
	const char *name;
	PGFunction	in, out, recv, send;
	PGFunction	enforce_typmod;
	PGFunction	from_array;
	PGFunction	to_float4;
} Type;

#define FUNCTION(name) extern Datum name(PG_FUNCTION_ARGS)
#define TYPE_FUNCTIONS(type) \
	FUNCTION(type##_in); FUNCTION(type##_out); FUNCTION(type##_recv); FUNCTION(type##_send); \
	FUNCTION(type##_enforce_typmod); FUNCTION(type##_from_array)

TYPE_FUNCTIONS(vector);
TYPE_FUNCTIONS(halfvec);
TYPE_FUNCTIONS(sparsevec);
TYPE_FUNCTIONS(sq8vec);
FUNCTION(vector_to_float4);
FUNCTION(halfvec_to_float4);
FUNCTION(sq8vec_to_float4);
FUNCTION(vector_to_halfvec);
FUNCTION(vector_to_sparsevec);
FUNCTION(vector_to_sq8vec);
FUNCTION(halfvec_to_vector);
FUNCTION(halfvec_to_sparsevec);
FUNCTION(halfvec_to_sq8vec);
FUNCTION(sparsevec_to_vector);
FUNCTION(sparsevec_to_halfvec);
FUNCTION(sq8vec_to_vector);
FUNCTION(sq8vec_to_halfvec);
FUNCTION(sq8vec_from_codes);
FUNCTION(sq8vec_from_bytes);
FUNCTION(sq8vec_codes);

#define TYPE(type, to_float4) \
	{#type, type##_in, type##_out, type##_recv, type##_send, \
		type##_enforce_typmod, type##_from_array, to_float4}

static const Type types[NTYPES] = {
	[VECTOR] = TYPE(vector, vector_to_float4),
	[HALFVEC] = TYPE(halfvec, halfvec_to_float4),
	[SPARSEVEC] = TYPE(sparsevec, NULL),
	[SQ8VEC] = TYPE(sq8vec, sq8vec_to_float4)
};

/* casts[from][to] */
static const PGFunction casts[NTYPES][NTYPES] = {
	[VECTOR] = {NULL, vector_to_halfvec, vector_to_sparsevec, vector_to_sq8vec},
	[HALFVEC] = {halfvec_to_vector, NULL, halfvec_to_sparsevec, halfvec_to_sq8vec},
	[SPARSEVEC] = {sparsevec_to_vector, sparsevec_to_halfvec, NULL, NULL},
	[SQ8VEC] = {sq8vec_to_vector, sq8vec_to_halfvec, NULL, NULL}
};

static void
fail(const char *type, const char *why)
{
	fprintf(stderr, "%s: %s%s%s\n", type, why, stub_message[0] ? ": " : "", stub_message);
	abort();
}

static bool
call1(PGFunction function, Datum a, Datum *result)
{
	return stub_call(function, 1, &a, result);
}

static bool
call3(PGFunction function, Datum a, Datum b, Datum c, Datum *result)
{
	const Datum args[] = {a, b, c};

	return stub_call(function, 3, args, result);
}

/* The error of the last call must be about the data, or say that stored data is damaged. */
static void
check_error(const char *type, bool stored)
{
	int			class = ERRCODE_TO_CATEGORY(stub_sqlstate);

	if (class != ERRCODE_DATA_EXCEPTION && class != ERRCODE_PROGRAM_LIMIT_EXCEEDED &&
		stub_sqlstate != ERRCODE_PROTOCOL_VIOLATION &&
		!(stored && stub_sqlstate == ERRCODE_DATA_CORRUPTED))
		fail(type, "an error of the wrong kind");
}

/*-------------------------------------------------------------------------
 * What a value must do, whichever way it came
 *-------------------------------------------------------------------------
 */

static bool
same(Datum a, Datum b)
{
	struct varlena *x = (struct varlena *) DatumGetPointer(a);
	struct varlena *y = (struct varlena *) DatumGetPointer(b);

	return VARSIZE(x) == VARSIZE(y) && memcmp(x, y, VARSIZE(x)) == 0;
}

static bool
read_text(const Type *type, const char *text, Datum *value)
{
	return call3(type->in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1), value);
}

/* What a binary parameter goes through: all of it must be used. */
static bool
read_binary(const Type *type, const void *bytes, Size size, Datum *value)
{
	StringInfoData message = {.data = (char *) bytes, .len = (int) size, .maxlen = (int) size};

	return call3(type->recv, PointerGetDatum(&message), ObjectIdGetDatum(InvalidOid),
				 Int32GetDatum(-1), value) &&
		message.cursor == message.len;
}

static int
dim_of(Kind kind, Datum value)
{
	return kind == SPARSEVEC ? ((NvSparseHeader *) DatumGetPointer(value))->dim :
		((NvDenseHeader *) DatumGetPointer(value))->dim;
}

/* The value as it is stored in a row when it is short: behind one byte, at an odd address. */
static Datum
short_form(Datum value)
{
	struct varlena *from = (struct varlena *) DatumGetPointer(value);
	Size		body = VARSIZE(from) - VARHDRSZ;
	char	   *to = palloc(body + 2);

	to += ((uintptr_t) to & 1) == 0;
	SET_VARSIZE_SHORT(to, body + VARHDRSZ_SHORT);
	memcpy(to + VARHDRSZ_SHORT, VARDATA(from), body);
	return PointerGetDatum(to);
}

/* An IEEE binary16 in plain arithmetic; not NaN */
static float
half_to_float(uint16 half)
{
	int			exponent = half >> 10 & 31;
	int			fraction = half & 1023;
	float		x = exponent == 0 ? ldexpf((float) fraction, -24) : ldexpf((float) (fraction + 1024), exponent - 25);

	if (exponent == 31)
		x = INFINITY;
	return half & 0x8000 ? -x : x;
}

/* The elements of a value, of at most NV_MAX_DIM dimensions, in plain arithmetic */
static float *
elements_of(Kind kind, Datum value)
{
	const char *datum = DatumGetPointer(value);
	int			dim = dim_of(kind, value);
	float	   *out = palloc0(dim * sizeof(float));

	if (kind == SPARSEVEC)
	{
		int			nnz = ((const NvSparseHeader *) datum)->nnz;
		const int32 *indices = (const int32 *) (datum + sizeof(NvSparseHeader));
		const float *values = (const float *) (indices + nnz);

		for (int i = 0; i < nnz; i++)
			out[indices[i]] = values[i];
		return out;
	}
	for (int i = 0; i < dim; i++)
	{
		if (kind == VECTOR)
			out[i] = ((const float *) (datum + sizeof(NvDenseHeader)))[i];
		else if (kind == HALFVEC)
			out[i] = half_to_float(((const uint16 *) (datum + sizeof(NvDenseHeader)))[i]);
		else
		{
			const float *grid = (const float *) (datum + sizeof(NvDenseHeader));
			const uint8 *codes = (const uint8 *) (grid + 2);

			out[i] = (float) ((double) grid[1] +
							  (double) grid[0] * (codes[i] - ((const NvDenseHeader *) datum)->extra));
		}
	}
	return out;
}

/* What the rest of nanovec relies on, read from the bytes of the value */
static void
check_contents(Kind kind, Datum value)
{
	int			dim = dim_of(kind, value);
	const NvSparseHeader *sparse = (const NvSparseHeader *) DatumGetPointer(value);

	if (dim < 1 || dim > (kind == SPARSEVEC ? NV_SPARSE_MAX_DIM : NV_MAX_DIM))
		fail(types[kind].name, "a value has a wrong number of dimensions");
	if (kind == SPARSEVEC)
	{
		const int32 *indices = (const int32 *) (sparse + 1);
		const float *values = (const float *) (indices + sparse->nnz);

		for (int i = 0; i < sparse->nnz; i++)
		{
			if (indices[i] < 0 || indices[i] >= dim || (i > 0 && indices[i] <= indices[i - 1]))
				fail("sparsevec", "a value has wrong indices");
			if (values[i] == 0 || !isfinite(values[i]))
				fail("sparsevec", "a value has a wrong element");
		}
	}
	else
	{
		float	   *elements = elements_of(kind, value);

		for (int i = 0; i < dim; i++)
		{
			if (!isfinite(elements[i]))
				fail(types[kind].name, "a value has a wrong element");
		}
	}
}

/*
 * The contents are sound, text and binary forms give the same value back, and
 * the type modifier is enforced.
 */
static void
check_value(Kind kind, Datum value)
{
	const Type *type = &types[kind];
	int			dim = dim_of(kind, value);
	Datum		text,
				bytes,
				again;

	stub_message[0] = '\0';
	check_contents(kind, value);
	if (!call1(type->out, value, &text))
		fail(type->name, "a value does not print");
	if (!read_text(type, DatumGetCString(text), &again))
		fail(type->name, "what a value prints is refused");
	if (!same(value, again))
		fail(type->name, "what a value prints reads back as another");

	if (!call1(type->send, value, &bytes))
		fail(type->name, "a value has no binary form");
	if (!read_binary(type, VARDATA(DatumGetPointer(bytes)), VARSIZE(DatumGetPointer(bytes)) - VARHDRSZ,
					 &again))
		fail(type->name, "the binary form of a value is refused");
	if (!same(value, again))
		fail(type->name, "the binary form of a value reads back as another");

	if (VARATT_CAN_MAKE_SHORT(DatumGetPointer(value)))
	{
		Datum		packed = short_form(value);

		if (!call1(type->out, packed, &again) || strcmp(DatumGetCString(text), DatumGetCString(again)) != 0)
			fail(type->name, "a value with a short header prints as another");
		if (!call1(type->send, packed, &again) || !same(bytes, again))
			fail(type->name, "a value with a short header is sent as another");
	}

	if (!call3(type->enforce_typmod, value, Int32GetDatum(dim), BoolGetDatum(false), &again) ||
		!same(value, again))
		fail(type->name, "the right type modifier is refused");
	if (call3(type->enforce_typmod, value, Int32GetDatum(dim + 1), BoolGetDatum(false), &again))
		fail(type->name, "a wrong type modifier is accepted");
}

/* How far an element x may move when it becomes one of the value result. */
static double
tolerance(Kind to, Datum result, float x)
{
	const float *grid;

	switch (to)
	{
		case HALFVEC:
			return Max(fabs(x) / 2048, ldexp(1, -25));
		case SQ8VEC:
			/* half a step; roundings of scale, in steps, and of the element itself */
			grid = (const float *) (DatumGetPointer(result) + sizeof(NvDenseHeader));
			return grid[0] * 0.5001 + 256 * ldexp(1, -149) +
				(fabs(grid[1]) + 256.0 * grid[0]) * ldexp(1, -22);
		default:
			return 0;
	}
}

/* A cast of a sound value: done where it can be, with the elements that it had. */
static void
check_cast(Kind from, Kind to, Datum value)
{
	const Type *type = &types[to];
	int			dim = dim_of(from, value);
	bool		fits = dim <= NV_MAX_DIM;
	float	   *before,
			   *after;
	Datum		result;

	before = fits ? elements_of(from, value) : NULL;
	for (int i = 0; fits && to == HALFVEC && i < dim; i++)
	{
		/* the least that rounds to more than the greatest halfvec element */
		if (fabsf(before[i]) >= 65520)
			fits = false;
	}
	if (!call3(casts[from][to], value, Int32GetDatum(-1), BoolGetDatum(false), &result))
	{
		check_error(type->name, false);
		if (fits)
			fail(type->name, "a cast of what fits is refused");
		return;
	}
	stub_message[0] = '\0';
	if (!fits)
		fail(type->name, "a cast of what does not fit is done");
	check_value(to, result);
	if (dim_of(to, result) != dim)
		fail(type->name, "a cast changed the dimensions");

	after = elements_of(to, result);
	for (int i = 0; i < dim; i++)
	{
		if (!(fabs((double) after[i] - before[i]) <= tolerance(to, result, before[i])))
			fail(type->name, "a cast changed an element");
		if ((to == VECTOR || to == HALFVEC) && !signbit(after[i]) != !signbit(before[i]))
			fail(type->name, "a cast changed a sign");
	}
	if (call3(casts[from][to], value, Int32GetDatum(dim + 1), BoolGetDatum(false), &result))
		fail(type->name, "a cast to a wrong type modifier is done");
}

static void
check_to_float4(Kind kind, Datum value)
{
	float	   *elements = elements_of(kind, value);
	int			dim = dim_of(kind, value);
	Datum		result;
	ArrayType  *array;

	if (!call3(types[kind].to_float4, value, Int32GetDatum(-1), BoolGetDatum(false), &result))
		fail(types[kind].name, "a value cannot be cast to real[]");
	array = DatumGetArrayTypeP(result);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != dim || ARR_ELEMTYPE(array) != FLOAT4OID ||
		memcmp(ARR_DATA_PTR(array), elements, dim * sizeof(float)) != 0)
		fail(types[kind].name, "real[] has other elements than the value");
}

/*-------------------------------------------------------------------------
 * Targets
 *-------------------------------------------------------------------------
 */

static void
fuzz_in(Kind kind, const uint8_t *data, size_t size)
{
	char	   *text = pnstrdup((const char *) data, size);
	Datum		value;

	if (read_text(&types[kind], text, &value))
		check_value(kind, value);
	else
		check_error(types[kind].name, false);
}

static void
fuzz_recv(Kind kind, const uint8_t *data, size_t size)
{
	void	   *message = palloc(size);
	Datum		value,
				bytes;

	memcpy(message, data, size);
	stub_sqlstate = ERRCODE_PROTOCOL_VIOLATION; /* if not all of it is used */
	if (!read_binary(&types[kind], message, size, &value))
	{
		check_error(types[kind].name, false);
		return;
	}
	check_value(kind, value);
	if (!call1(types[kind].send, value, &bytes) ||
		VARSIZE(DatumGetPointer(bytes)) - VARHDRSZ != size ||
		memcmp(VARDATA(DatumGetPointer(bytes)), data, size) != 0)
		fail(types[kind].name, "what came as binary is sent as something else");
}

/* Is this a value that the type's own functions could have made? */
static bool
is_sound(Kind kind, Datum value)
{
	Datum		bytes,
				again;

	return call1(types[kind].send, value, &bytes) &&
		read_binary(&types[kind], VARDATA(DatumGetPointer(bytes)),
					VARSIZE(DatumGetPointer(bytes)) - VARHDRSZ, &again) &&
		same(value, again);
}

/* The first byte chooses the header; the rest is what follows that. */
static void
fuzz_cast(Kind kind, const uint8_t *data, size_t size)
{
	struct varlena *datum;
	Datum		value,
				result;
	const PGFunction others[] = {
		types[kind].out, types[kind].send, types[kind].enforce_typmod, types[kind].to_float4
	};

	if (size == 0)
		return;
	datum = palloc(size - 1 + VARHDRSZ);
	SET_VARSIZE(datum, size - 1 + VARHDRSZ);
	memcpy(VARDATA(datum), data + 1, size - 1);
	value = PointerGetDatum(datum);

	if (is_sound(kind, value))
	{
		check_value(kind, value);
		for (Kind to = 0; to < NTYPES; to++)
		{
			if (casts[kind][to] != NULL)
				check_cast(kind, to, value);
		}
		if (types[kind].to_float4 != NULL)
			check_to_float4(kind, value);
		return;
	}

	/* a damaged value: anything but a crash */
	if (data[0] % 2 == 1 && VARATT_CAN_MAKE_SHORT(datum))
		value = short_form(value);
	for (size_t i = 0; i < lengthof(others); i++)
	{
		if (others[i] != NULL &&
			!call3(others[i], value, Int32GetDatum(-1), BoolGetDatum(false), &result))
			check_error(types[kind].name, true);
	}
	for (Kind to = 0; to < NTYPES; to++)
	{
		if (casts[kind][to] != NULL &&
			!call3(casts[kind][to], value, Int32GetDatum(-1), BoolGetDatum(false), &result))
			check_error(types[kind].name, true);
	}
}

/* An array whose data is what is given; room for nulls if asked for, of which the first is one. */
static ArrayType *
make_array(Oid type, int ndim, int n, bool with_null, const void *data, size_t size)
{
	Size		start = with_null ? ARR_OVERHEAD_WITHNULLS(ndim, n) : ARR_OVERHEAD_NONULLS(ndim);
	ArrayType  *array = palloc0(start + size);

	SET_VARSIZE(array, start + size);
	array->ndim = ndim;
	array->dataoffset = with_null ? (int32) start : 0;
	array->elemtype = type;
	for (int i = 0; i < ndim; i++)
	{
		ARR_DIMS(array)[i] = i == 0 ? n : 1;
		ARR_LBOUND(array)[i] = 1;
	}
	if (with_null)
		memset(ARR_NULLBITMAP(array), 0xfe, (n + 7) / 8);
	memcpy(ARR_DATA_PTR(array), data, size);
	return array;
}

/* Elements of type numeric: see stub.h.  The texts are separated by commas. */
static ArrayType *
make_numeric_array(int ndim, const uint8_t *data, size_t size)
{
	char	   *elements = palloc0(8 * size + 8);
	size_t		used = 0;
	int			n = 0;

	for (size_t start = 0; start < size && ndim > 0;)
	{
		const uint8_t *comma = memchr(data + start, ',', size - start);
		size_t		length = comma != NULL ? (size_t) (comma - data) - start : size - start;

		used = INTALIGN(used);
		SET_VARSIZE(elements + used, VARHDRSZ + length);
		memcpy(elements + used + VARHDRSZ, data + start, length);
		used += VARHDRSZ + length;
		start += length + 1;
		n++;
	}
	return make_array(NUMERICOID, n == 0 ? 0 : ndim, n, false, elements, used);
}

/* The first byte chooses the element type, the number of dimensions and whether there are nulls. */
static void
fuzz_array(const uint8_t *data, size_t size)
{
	static const Oid element_types[] = {INT4OID, FLOAT4OID, FLOAT8OID, NUMERICOID};
	static const size_t element_sizes[] = {4, 4, 8, 1};
	int			kind_of_element,
				ndim,
				n;
	ArrayType  *array;

	if (size == 0)
		return;
	kind_of_element = data[0] % 4;
	ndim = data[0] / 4 % 4 == 0 ? 2 : 1;
	n = (int) ((size - 1) / element_sizes[kind_of_element]);
	if (n == 0)
		ndim = 0;
	if (element_types[kind_of_element] == NUMERICOID)
		array = make_numeric_array(ndim, data + 1, size - 1);
	else
		array = make_array(element_types[kind_of_element], ndim, n, n > 0 && data[0] / 16 % 4 == 0,
						   data + 1, n * element_sizes[kind_of_element]);
	n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	for (Kind kind = 0; kind < NTYPES; kind++)
	{
		Datum		value;

		if (!call3(types[kind].from_array, PointerGetDatum(array), Int32GetDatum(-1),
				   BoolGetDatum(false), &value))
		{
			check_error(types[kind].name, false);
			continue;
		}
		check_value(kind, value);
		if (dim_of(kind, value) != n)
			fail(types[kind].name, "an array became a value of other dimensions");
		if (kind == VECTOR && ARR_ELEMTYPE(array) == FLOAT4OID &&
			memcmp(elements_of(kind, value), ARR_DATA_PTR(array), n * sizeof(float)) != 0)
			fail(types[kind].name, "an array became a value of other elements");
		if (types[kind].to_float4 != NULL)
			check_to_float4(kind, value);
	}
}

/* A byte of choices, scale and offset as float8, then codes: bytes, or smallint[] */
static void
fuzz_codes(const uint8_t *data, size_t size)
{
	double		scale,
				offset;
	int			n;
	bool		as_bytes,
				is_signed;
	Datum		args[4],
				value,
				codes;
	int16	   *given;

	if (size < 17)
		return;
	as_bytes = data[0] % 2 == 0;
	is_signed = data[0] / 2 % 2 == 0;
	memcpy(&scale, data + 1, sizeof(scale));
	memcpy(&offset, data + 9, sizeof(offset));
	args[1] = Float8GetDatum(scale);
	args[2] = Float8GetDatum(offset);
	args[3] = BoolGetDatum(is_signed);
	data += 17;
	size -= 17;
	n = (int) (as_bytes ? size : size / sizeof(int16));
	given = palloc(n * sizeof(int16));
	if (as_bytes)
	{
		bytea	   *bytes = palloc(VARHDRSZ + n);

		SET_VARSIZE(bytes, VARHDRSZ + n);
		memcpy(VARDATA(bytes), data, n);
		for (int i = 0; i < n; i++)
			given[i] = is_signed ? (int16) (int8) data[i] : data[i];
		args[0] = PointerGetDatum(bytes);
	}
	else
	{
		memcpy(given, data, n * sizeof(int16));
		args[0] = PointerGetDatum(make_array(INT2OID, n > 0, n, false, data, n * sizeof(int16)));
	}

	if (!stub_call(as_bytes ? sq8vec_from_bytes : sq8vec_from_codes, as_bytes ? 4 : 3, args, &value))
	{
		check_error("sq8vec", false);
		return;
	}
	check_value(SQ8VEC, value);
	if (!call1(sq8vec_codes, value, &codes) ||
		ArrayGetNItems(1, ARR_DIMS(DatumGetArrayTypeP(codes))) != n ||
		memcmp(ARR_DATA_PTR(DatumGetArrayTypeP(codes)), given, n * sizeof(int16)) != 0)
		fail("sq8vec", "codes came back as others");
}

static void (*type_target) (Kind kind, const uint8_t *data, size_t size);
static void (*other_target) (const uint8_t *data, size_t size);
static Kind target_kind;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *slash = strrchr((*argv)[0], '/');
	const char *name = slash != NULL ? slash + 1 : (*argv)[0];
	const char *bad;

	if (!nv_simd_init(&bad))
		fprintf(stderr, "no such CPU feature: %s\n", bad);
	if (strcmp(name, "array_cast") == 0)
		other_target = fuzz_array;
	else if (strcmp(name, "sq8vec_codes") == 0)
		other_target = fuzz_codes;
	for (Kind kind = 0; kind < NTYPES; kind++)
	{
		size_t		length = strlen(types[kind].name);

		if (strncmp(name, types[kind].name, length) != 0)
			continue;
		target_kind = kind;
		if (strcmp(name + length, "_in") == 0)
			type_target = fuzz_in;
		else if (strcmp(name + length, "_recv") == 0)
			type_target = fuzz_recv;
		else if (strcmp(name + length, "_cast") == 0)
			type_target = fuzz_cast;
	}
	if (type_target == NULL && other_target == NULL)
	{
		fprintf(stderr, "no such target: %s\n", name);
		exit(2);
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (other_target != NULL)
		other_target(data, size);
	else
		type_target(target_kind, data, size);
	stub_reset();
	return 0;
}
