/*-------------------------------------------------------------------------
 *
 * sparsevec.c
 *		The sparsevec type: text and binary forms, casts, comparison.
 *
 * Text form: "{index:value,...}/dimensions", indices from 1 in any order,
 * elements that are 0 left out.
 *
 * Binary form, in network byte order: int32 dim, int32 nnz, int32 unused,
 * int32 indices[nnz] from 0 ascending, float4 values[nnz], none of them 0.
 *
 *-------------------------------------------------------------------------
 */
#include "types/sparse.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "types/dense.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

typedef struct Entry
{
	int32		index;
	float		value;
} Entry;

/* Open a datum, and check that its size is that of its elements. */
NvSparse
nv_sparse_open(Datum d)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(d);
	struct varlena *packed = pg_detoast_datum_packed(value);
	const char *body = VARDATA_ANY(packed);
	Size		size = VARSIZE_ANY_EXHDR(packed);
	const Size	fixed = sizeof(NvSparseHeader) - VARHDRSZ;
	int32		dim = 0,
				nnz = 0;
	NvSparse	v;

	if (size >= fixed)
	{
		memcpy(&dim, body + offsetof(NvSparseHeader, dim) - VARHDRSZ, sizeof(dim));
		memcpy(&nnz, body + offsetof(NvSparseHeader, nnz) - VARHDRSZ, sizeof(nnz));
	}
	if (dim < 1 || nnz < 0 || nnz > NV_SPARSE_MAX_NNZ ||
		size != fixed + (Size) nnz * (sizeof(int32) + sizeof(float)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid sparsevec value of %zu bytes", size)));

	v.dim = dim;
	v.nnz = nnz;
	v.indices = (const nv_i32 *) (body + fixed);
	v.values = (const nv_f32 *) (v.indices + nnz);
	v.copy = packed == value ? NULL : packed;
	return v;
}

/* Free the copy, if opening made one. */
void
nv_sparse_close(NvSparse *v)
{
	if (v->copy != NULL)
		pfree(v->copy);
	v->copy = NULL;
}

/* Check that two values have the same dimensions. */
void
nv_sparse_check_same_dims(const NvSparse *a, const NvSparse *b)
{
	if (unlikely(a->dim != b->dim))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different sparsevec dimensions %d and %d", a->dim, b->dim)));
}

/* Allocate a datum.  Returns its arrays, which are not set yet, in *indices and *values. */
static NvSparseHeader *
make_sparsevec(int dim, int nnz, int32 **indices, float **values)
{
	Size		size = sizeof(NvSparseHeader) + (Size) nnz * (sizeof(int32) + sizeof(float));
	NvSparseHeader *header = palloc0(size);

	SET_VARSIZE(header, size);
	header->dim = dim;
	header->nnz = nnz;
	*indices = (int32 *) (header + 1);
	*values = (float *) (*indices + nnz);
	return header;
}

/* Check a number of dimensions; false if soft. */
static bool
check_sparse_dim(int64 dim, struct Node *escontext)
{
	if (dim < 1)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec must have at least 1 dimension")));
	if (dim > NV_SPARSE_MAX_DIM)
		ereturn(escontext, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d dimensions", NV_SPARSE_MAX_DIM)));
	return true;
}

/* Check a number of elements that are not 0; false if soft. */
static bool
check_nnz(int64 nnz, int dim, struct Node *escontext)
{
	if (nnz < 0)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec cannot have negative number of elements")));
	if (nnz > NV_SPARSE_MAX_NNZ)
		ereturn(escontext, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d non-zero elements",
						NV_SPARSE_MAX_NNZ)));
	if (nnz > dim)
		ereturn(escontext, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more elements than dimensions")));
	return true;
}

/* The i-th of the indices (from 0) of a vector of dim dimensions. */
static bool
check_index(const int32 *indices, int i, int dim, struct Node *escontext)
{
	if (indices[i] < 0 || indices[i] >= dim)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec index out of bounds")));
	if (i > 0 && indices[i] < indices[i - 1])
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec indices must be in ascending order")));
	if (i > 0 && indices[i] == indices[i - 1])
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec indices must not contain duplicates")));
	return true;
}

/* Report bad syntax; detail says what was wrong. */
static bool
syntax_error(const char *literal, const char *detail, struct Node *escontext)
{
	ereturn(escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type sparsevec: \"%s\"", literal),
			 detail != NULL ? errdetail("%s", detail) : 0));
}

/* Order entries by index. */
static int
compare_entries(const void *a, const void *b)
{
	int32		x = ((const Entry *) a)->index;
	int32		y = ((const Entry *) b)->index;

	return (x > y) - (x < y);
}

/* Sort entries by index; nearly always they come in order. */
static void
sort_entries(Entry *entries, int n)
{
	int			i = 1;

	while (i < n && entries[i - 1].index < entries[i].index)
		i++;
	if (i < n)
		qsort(entries, n, sizeof(Entry), compare_entries);
}

/* An int64 has room for so many digits, whatever they are. */
#define SHORT_DIGITS 18

/* Parse an integer at *pos and set *pos behind it.  One out of range becomes the largest. */
static bool
parse_integer(const char *literal, char **pos, int64 *result, struct Node *escontext)
{
	char	   *start = *pos;
	char	   *p = start;
	int64		value = 0;

	while (*p >= '0' && *p <= '9' && p - start < SHORT_DIGITS)
		value = 10 * value + (*p++ - '0');
	if (likely(p > start && !(*p >= '0' && *p <= '9')))
	{
		*result = value;
		*pos = p;
		return true;
	}
	*result = strtoll(start, pos, 10);
	if (*pos == start)
		return syntax_error(literal, NULL, escontext);
	return true;
}

/*
 * Parse "index:value" pairs up to and with the closing brace.  Elements that
 * are 0 are dropped; indices become counts from 0 and may still be out of
 * order or too large.  entries has room for all.
 */
static bool
parse_entries(const char *literal, char **pos, Entry *entries, int *nnz,
			  struct Node *escontext)
{
	char	   *p = *pos;
	int			n = 0;

	for (;;)
	{
		int64		index;
		float		value;

		p = nv_skip_spaces(p);
		if (!parse_integer(literal, &p, &index, escontext))
			return false;
		p = nv_skip_spaces(p);
		if (*p++ != ':')
			return syntax_error(literal, NULL, escontext);
		p = nv_skip_spaces(p);
		if (!nv_parse_float(literal, &p, "sparsevec", INFINITY, false, &value, escontext))
			return false;
		if (value != 0)
		{
			/* what is out of range stays so; dim is not known yet */
			entries[n].index = (int32) (Min(Max(index, 0), PG_INT32_MAX) - 1);
			entries[n].value = value;
			n++;
		}
		p = nv_skip_spaces(p);
		if (*p != ',')
			break;
		p++;
	}
	if (*p != '}')
		return syntax_error(literal, NULL, escontext);
	*pos = p + 1;
	*nnz = n;
	return true;
}

/* The input function: text to a value. */
NV_FUNCTION(sparsevec_in)
{
	char	   *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	struct Node *escontext = fcinfo->context;
	char	   *pos = nv_skip_spaces(literal);
	int			room = 1;
	int			nnz = 0;
	int64		dim;
	Entry	   *entries;
	NvSparseHeader *header;
	int32	   *indices;
	float	   *values;

	if (*pos++ != '{')
	{
		syntax_error(literal, "Vector contents must start with \"{\".", escontext);
		PG_RETURN_NULL();
	}
	for (char *p = pos; (p = strchr(p, ',')) != NULL; p++)
		room++;
	if (room > NV_SPARSE_MAX_NNZ)
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d non-zero elements",
						NV_SPARSE_MAX_NNZ)));
	entries = palloc(room * sizeof(Entry));

	pos = nv_skip_spaces(pos);
	if (*pos == '}')
		pos++;
	else if (!parse_entries(literal, &pos, entries, &nnz, escontext))
		PG_RETURN_NULL();

	pos = nv_skip_spaces(pos);
	if (*pos++ != '/')
	{
		syntax_error(literal, "Unexpected end of input.", escontext);
		PG_RETURN_NULL();
	}
	pos = nv_skip_spaces(pos);
	if (!parse_integer(literal, &pos, &dim, escontext))
		PG_RETURN_NULL();
	if (*nv_skip_spaces(pos) != '\0')
	{
		syntax_error(literal, "Junk after closing.", escontext);
		PG_RETURN_NULL();
	}
	if (!check_sparse_dim(dim, escontext) ||
		!nv_check_typmod(typmod, (int) dim, escontext))
		PG_RETURN_NULL();

	sort_entries(entries, nnz);
	header = make_sparsevec((int) dim, nnz, &indices, &values);
	for (int i = 0; i < nnz; i++)
	{
		indices[i] = entries[i].index;
		values[i] = entries[i].value;
		if (!check_index(indices, i, (int) dim, escontext))
			PG_RETURN_NULL();
	}
	pfree(entries);
	PG_RETURN_POINTER(header);
}

/* The output function: a value to text. */
NV_FUNCTION(sparsevec_out)
{
	NvSparse	v = NV_GETARG_SPARSE(0);
	/* at most 10 digits, a colon, a number and a comma for each element */
	char	   *text = palloc((Size) v.nnz * (12 + FLOAT_SHORTEST_DECIMAL_LEN) + 16);
	char	   *end = text;

	*end++ = '{';
	for (int i = 0; i < v.nnz; i++)
	{
		if (i > 0)
			*end++ = ',';
		end += pg_ultoa_n((uint32) v.indices[i] + 1, end);
		*end++ = ':';
		end += float_to_shortest_decimal_bufn(v.values[i], end);
	}
	*end++ = '}';
	*end++ = '/';
	end += pg_ultoa_n((uint32) v.dim, end);
	*end = '\0';
	nv_sparse_close(&v);
	PG_RETURN_CSTRING(text);
}

/* The input function of type modifiers. */
NV_FUNCTION(sparsevec_typmod_in)
{
	PG_RETURN_INT32(nv_typmod_in(PG_GETARG_ARRAYTYPE_P(0), "sparsevec", NV_SPARSE_MAX_DIM));
}

/* The binary input function. */
NV_FUNCTION(sparsevec_recv)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int32		dim = (int32) pq_getmsgint(buf, sizeof(int32));
	int32		nnz = (int32) pq_getmsgint(buf, sizeof(int32));
	int32		unused = (int32) pq_getmsgint(buf, sizeof(int32));
	NvSparseHeader *header;
	int32	   *indices;
	float	   *values;

	check_sparse_dim(dim, NULL);
	check_nnz(nnz, dim, NULL);
	nv_check_typmod(PG_GETARG_INT32(2), dim, NULL);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	header = make_sparsevec(dim, nnz, &indices, &values);
	for (int i = 0; i < nnz; i++)
	{
		indices[i] = (int32) pq_getmsgint(buf, sizeof(int32));
		check_index(indices, i, dim, NULL);
	}
	for (int i = 0; i < nnz; i++)
	{
		values[i] = pq_getmsgfloat4(buf);
		nv_check_finite(values[i], "sparsevec", NULL);
		if (values[i] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("binary representation of sparsevec cannot contain zero values")));
	}
	PG_RETURN_POINTER(header);
}

/* The binary output function. */
NV_FUNCTION(sparsevec_send)
{
	NvSparse	v = NV_GETARG_SPARSE(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, (int) (3 * sizeof(int32) + v.nnz * (sizeof(int32) + sizeof(float))));
	pq_sendint32(&buf, v.dim);
	pq_sendint32(&buf, v.nnz);
	pq_sendint32(&buf, 0);
	for (int i = 0; i < v.nnz; i++)
		pq_sendint32(&buf, v.indices[i]);
	for (int i = 0; i < v.nnz; i++)
		pq_sendfloat4(&buf, v.values[i]);
	nv_sparse_close(&v);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* Check the dimensions of a value that goes into a column with a type modifier. */
NV_FUNCTION(sparsevec_enforce_typmod)
{
	NvSparse	v = NV_GETARG_SPARSE(0);

	nv_check_typmod(PG_GETARG_INT32(1), v.dim, NULL);
	nv_sparse_close(&v);
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* Make a value of those of elements[dim] that are not 0; dim is at least 1. */
static NvSparseHeader *
sparsevec_from_floats(const float *elements, int dim)
{
	int			nnz = 0;
	NvSparseHeader *header;
	int32	   *indices;
	float	   *values;

	for (int i = 0; i < dim; i++)
	{
		nv_check_finite(elements[i], "sparsevec", NULL);
		nnz += elements[i] != 0;
	}
	check_nnz(nnz, dim, NULL);
	header = make_sparsevec(dim, nnz, &indices, &values);
	for (int i = 0, n = 0; i < dim; i++)
	{
		if (elements[i] == 0)
			continue;
		indices[n] = i;
		values[n++] = elements[i];
	}
	return header;
}

/* Cast a dense vector: elements that are 0 are left out. */
static Datum
dense_to_sparsevec(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		v = NV_GETARG_DENSE(0, type);
	float	   *elements;
	NvSparseHeader *result;

	nv_check_typmod(PG_GETARG_INT32(1), v.dim, NULL);
	elements = nv_dense_floats(&v);
	result = sparsevec_from_floats(elements, v.dim);
	pfree(elements);
	nv_dense_close(&v);
	PG_RETURN_POINTER(result);
}

/* The casts from dense types. */
NV_FUNCTION(vector_to_sparsevec)
{
	return dense_to_sparsevec(fcinfo, &nv_vector_type);
}

NV_FUNCTION(halfvec_to_sparsevec)
{
	return dense_to_sparsevec(fcinfo, &nv_halfvec_type);
}

/* Cast an array to a sparse vector. */
NV_FUNCTION(sparsevec_from_array)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			dim = nv_array_dim(array);
	float	   *elements;
	NvSparseHeader *result;

	check_sparse_dim(dim, NULL);
	nv_check_typmod(PG_GETARG_INT32(1), dim, NULL);
	elements = nv_array_floats(array);
	result = sparsevec_from_floats(elements, dim);
	pfree(elements);
	PG_FREE_IF_COPY(array, 0);
	PG_RETURN_POINTER(result);
}

/* Cast to a dense vector; ERROR when that cannot have so many dimensions. */
static Datum
sparsevec_to_dense(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvSparse	v = NV_GETARG_SPARSE(0);
	float	   *elements;
	Datum		result;

	nv_check_dim(type->name, v.dim);
	nv_check_typmod(PG_GETARG_INT32(1), v.dim, NULL);
	elements = palloc0(v.dim * sizeof(float));
	for (int i = 0; i < v.nnz; i++)
	{
		if (v.indices[i] < 0 || v.indices[i] >= v.dim)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("sparsevec index %d is out of bounds", v.indices[i])));
		elements[v.indices[i]] = v.values[i];
	}
	result = nv_dense_make(type, elements, v.dim);
	pfree(elements);
	nv_sparse_close(&v);
	return result;
}

/* The casts to dense types. */
NV_FUNCTION(sparsevec_to_vector)
{
	return sparsevec_to_dense(fcinfo, &nv_vector_type);
}

NV_FUNCTION(sparsevec_to_halfvec)
{
	return sparsevec_to_dense(fcinfo, &nv_halfvec_type);
}

/* The Euclidean norm, computed in double precision. */
static double
l2_norm(const NvSparse *v)
{
	double		sum = 0;

	for (int i = 0; i < v->nnz; i++)
		sum += (double) v->values[i] * (double) v->values[i];
	return sqrt(sum);
}

/* The Euclidean norm of a value. */
NV_FUNCTION(sparsevec_l2_norm)
{
	NvSparse	v = NV_GETARG_SPARSE(0);
	double		norm = l2_norm(&v);

	nv_sparse_close(&v);
	PG_RETURN_FLOAT8(norm);
}

/* Divide a vector by its norm; elements that become 0 are left out. */
NV_FUNCTION(sparsevec_l2_normalize)
{
	NvSparse	v = NV_GETARG_SPARSE(0);
	double		norm = l2_norm(&v);
	NvSparseHeader *result;
	int32	   *indices;
	float	   *values;
	int			nnz = 0;

	for (int i = 0; i < v.nnz; i++)
		nnz += (float) (v.values[i] / norm) != 0;

	result = make_sparsevec(v.dim, nnz, &indices, &values);
	for (int i = 0, n = 0; i < v.nnz; i++)
	{
		float		value = (float) (v.values[i] / norm);

		if (value == 0)
			continue;
		if (isinf(value))
			float_overflow_error();
		indices[n] = v.indices[i];
		values[n++] = value;
	}
	nv_sparse_close(&v);
	PG_RETURN_POINTER(result);
}

/*
 * Compare as the dense vectors would: the first dimension in which they
 * differ decides, then the number of dimensions.
 */
static int
sparsevec_compare(FunctionCallInfo fcinfo)
{
	NvSparse	a = NV_GETARG_SPARSE(0);
	NvSparse	b = NV_GETARG_SPARSE(1);
	int			result = (a.dim > b.dim) - (a.dim < b.dim);
	int			i = 0,
				j = 0;

	while (i < a.nnz || j < b.nnz)
	{
		int32		ai = i < a.nnz ? a.indices[i] : PG_INT32_MAX;
		int32		bi = j < b.nnz ? b.indices[j] : PG_INT32_MAX;
		float		x = ai <= bi ? a.values[i] : 0;
		float		y = bi <= ai ? b.values[j] : 0;

		/* beyond the shorter vector there is nothing to compare */
		if (Min(ai, bi) >= Min(a.dim, b.dim))
			break;
		if (x != y)
		{
			result = x < y ? -1 : 1;
			break;
		}
		i += ai <= bi;
		j += bi <= ai;
	}
	nv_sparse_close(&a);
	nv_sparse_close(&b);
	return result;
}

/* The comparison operators, and the support function of btree. */
NV_FUNCTION(sparsevec_lt)
{
	PG_RETURN_BOOL(sparsevec_compare(fcinfo) < 0);
}

NV_FUNCTION(sparsevec_le)
{
	PG_RETURN_BOOL(sparsevec_compare(fcinfo) <= 0);
}

NV_FUNCTION(sparsevec_eq)
{
	PG_RETURN_BOOL(sparsevec_compare(fcinfo) == 0);
}

NV_FUNCTION(sparsevec_ne)
{
	PG_RETURN_BOOL(sparsevec_compare(fcinfo) != 0);
}

NV_FUNCTION(sparsevec_ge)
{
	PG_RETURN_BOOL(sparsevec_compare(fcinfo) >= 0);
}

NV_FUNCTION(sparsevec_gt)
{
	PG_RETURN_BOOL(sparsevec_compare(fcinfo) > 0);
}

NV_FUNCTION(sparsevec_cmp)
{
	PG_RETURN_INT32(sparsevec_compare(fcinfo));
}
