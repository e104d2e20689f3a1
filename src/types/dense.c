/*-------------------------------------------------------------------------
 *
 * dense.c
 *		Opening and making values of the dense types.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

/* Open a datum, detoasting it where that is necessary. */
NvDense
nv_dense_open_any(Datum d, const NvDenseType *type)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(d);
	struct varlena *packed = pg_detoast_datum_packed(value);
	const char *body = VARDATA_ANY(packed);
	Size		size = VARSIZE_ANY_EXHDR(packed);
	int16		dim = 0;
	NvDense		v;

	/* The body starts behind the varlena header, whose length may be 1 or 4. */
	if (size >= type->header - VARHDRSZ)
		memcpy(&dim, body + offsetof(NvDenseHeader, dim) - VARHDRSZ, sizeof(dim));
	if (dim < 1 || dim > NV_MAX_DIM || size != type->header - VARHDRSZ + (Size) dim * type->element)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid %s value of %zu bytes", type->name, size)));

	v.type = type;
	v.dim = dim;
	v.data = body + type->header - VARHDRSZ;
	v.zero = 0;
	v.scale = 0;
	v.offset = 0;
	v.copy = packed == value ? NULL : packed;
	if (type->open != NULL)
		type->open(&v, body);
	return v;
}

/* Decode all elements. */
float *
nv_dense_floats(const NvDense *v)
{
	float	   *out = palloc(v->dim * sizeof(float));

	v->type->decode(v, out);
	return out;
}

/* Allocate a datum and set its headers. */
void *
nv_dense_alloc(const NvDenseType *type, int dim)
{
	Size		size = type->header + (Size) dim * type->element;
	NvDenseHeader *datum = palloc0(size);

	Assert(dim >= 1 && dim <= NV_MAX_DIM);
	SET_VARSIZE(datum, size);
	datum->dim = (int16) dim;
	return datum;
}

/* Encode in[dim] and report in *fits whether every element is finite now. */
static Datum
encode_elements(const NvDenseType *type, const float *in, int dim, bool *fits)
{
	void	   *datum;

	nv_check_dim(type->name, dim);
	datum = nv_dense_alloc(type, dim);
	type->encode(in, dim, datum);

	*fits = true;
	for (int i = 0; i < dim; i++)
		*fits &= fabsf(in[i]) < type->overflow;
	return PointerGetDatum(datum);
}

/* Make a value; an element that does not fit is named in the error. */
Datum
nv_dense_make(const NvDenseType *type, const float *in, int dim)
{
	bool		fits;
	Datum		result;

	for (int i = 0; i < dim; i++)
		nv_check_finite(in[i], type->name, NULL);

	result = encode_elements(type, in, dim, &fits);
	for (int i = 0; !fits && i < dim; i++)
	{
		char		number[FLOAT_SHORTEST_DECIMAL_LEN];

		if (fabsf(in[i]) < type->overflow)
			continue;
		float_to_shortest_decimal_buf(in[i], number);
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type %s", number, type->name)));
	}
	return result;
}

/* Make a value of computed elements. */
Datum
nv_dense_make_result(const NvDenseType *type, const float *in, int dim)
{
	bool		fits;
	Datum		result = encode_elements(type, in, dim, &fits);

	if (!fits)
		float_overflow_error();
	return result;
}

/* Check a number of dimensions. */
void
nv_check_dim(const char *type_name, int64 dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s must have at least 1 dimension", type_name)));
	if (dim > NV_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s cannot have more than %d dimensions", type_name, NV_MAX_DIM)));
}

/* Check dimensions against a type modifier, of which -1 allows any. */
bool
nv_check_typmod(int32 typmod, int dim, struct Node *escontext)
{
	if (typmod == -1 || typmod == dim)
		return true;
	ereturn(escontext, false,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("expected %d dimensions, not %d", typmod, dim)));
}

/* Check that an element is a finite number. */
bool
nv_check_finite(float x, const char *type_name, struct Node *escontext)
{
	if (likely(isfinite(x)))
		return true;
	if (isnan(x))
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in %s", type_name)));
	ereturn(escontext, false,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("infinite value not allowed in %s", type_name)));
}

/* Check that two values have the same dimensions. */
void
nv_check_same_dims(const NvDense *a, const NvDense *b)
{
	if (unlikely(a->dim != b->dim))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d", a->type->name, a->dim, b->dim)));
}

/* Take the number of dimensions from a list of type modifiers. */
int32
nv_typmod_in(ArrayType *modifiers, const char *type_name, int max)
{
	int			n;
	int32	   *typmods = ArrayGetIntegerTypmods(modifiers, &n);

	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid type modifier"),
				 errhint("Give the number of dimensions alone: %s(3).", type_name)));
	if (typmods[0] < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s must be at least 1", type_name)));
	if (typmods[0] > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s cannot exceed %d", type_name, max)));
	return typmods[0];
}
