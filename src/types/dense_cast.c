/*-------------------------------------------------------------------------
 *
 * dense_cast.c
 *		Casts between dense types, and from and to arrays.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

/* Check the dimensions of a value that goes into a column with a type modifier. */
Datum
nv_dense_enforce_typmod(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		v = NV_GETARG_DENSE(0, type);

	nv_check_typmod(PG_GETARG_INT32(1), v.dim, NULL);
	nv_dense_close(&v);
	return PG_GETARG_DATUM(0);
}

/*
 * Round an element of an array to a float.  A float8 that is too large becomes
 * infinite; a numeric that is too large is an ERROR (NUMERIC_VALUE_OUT_OF_RANGE).
 */
static float
element_to_float(Datum element, Oid type)
{
	switch (type)
	{
		case INT4OID:
			return (float) DatumGetInt32(element);
		case FLOAT4OID:
			return DatumGetFloat4(element);
		case FLOAT8OID:
			return (float) DatumGetFloat8(element);
		case NUMERICOID:
			return DatumGetFloat4(DirectFunctionCall1(numeric_float4, element));
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("unsupported array type")));
	}
	return 0;					/* keep compilers quiet */
}

/* Count the elements of an array, and check that a vector can be made of it. */
int
nv_array_dim(ArrayType *array)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be 1-D")));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));
	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

/* Take the elements of an array as floats. */
float *
nv_array_floats(ArrayType *array)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *elements;
	int			dim;
	float	   *out;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, type, typlen, typbyval, typalign, &elements, NULL, &dim);
	out = palloc(Max(dim, 1) * sizeof(float));
	for (int i = 0; i < dim; i++)
	{
		CHECK_FOR_INTERRUPTS();
		out[i] = element_to_float(elements[i], type);
	}
	pfree(elements);
	return out;
}

/* Cast an array to a vector. */
Datum
nv_dense_from_array(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			dim = nv_array_dim(array);
	float	   *elements;
	Datum		result;

	nv_check_dim(type->name, dim);
	nv_check_typmod(PG_GETARG_INT32(1), dim, NULL);
	elements = nv_array_floats(array);
	result = nv_dense_make(type, elements, dim);
	pfree(elements);
	PG_FREE_IF_COPY(array, 0);
	return result;
}

/* Cast a vector to an array of float4. */
Datum
nv_dense_to_float4(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		v = NV_GETARG_DENSE(0, type);
	float	   *elements = nv_dense_floats(&v);
	Datum	   *datums = palloc(v.dim * sizeof(Datum));
	ArrayType  *result;

	for (int i = 0; i < v.dim; i++)
		datums[i] = Float4GetDatum(elements[i]);
	/* as for any cast to an array type, the typmod is that of the elements */
	result = construct_array(datums, v.dim, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT);

	pfree(datums);
	pfree(elements);
	nv_dense_close(&v);
	PG_RETURN_ARRAYTYPE_P(result);
}

/* Cast a vector of one dense type to another. */
Datum
nv_dense_convert(FunctionCallInfo fcinfo, const NvDenseType *from, const NvDenseType *to)
{
	NvDense		v = NV_GETARG_DENSE(0, from);
	float	   *elements;
	Datum		result;

	nv_check_typmod(PG_GETARG_INT32(1), v.dim, NULL);
	elements = nv_dense_floats(&v);
	result = nv_dense_make(to, elements, v.dim);
	pfree(elements);
	nv_dense_close(&v);
	return result;
}
