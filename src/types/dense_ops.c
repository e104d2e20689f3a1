/*-------------------------------------------------------------------------
 *
 * dense_ops.c
 *		Arithmetic, comparison and pieces of the dense types.
 *
 * Results are computed in float and stored in the element type; what does
 * not fit is an error, never an infinity.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

#include "utils/float.h"
#include "utils/varbit.h"

typedef float (*ElementOp) (float a, float b);

/* The sum of two elements. */
static float
add_elements(float a, float b)
{
	return a + b;
}

/* The difference of two elements. */
static float
subtract_elements(float a, float b)
{
	return a - b;
}

/* The product of two elements. */
static float
multiply_elements(float a, float b)
{
	return a * b;
}

/* Apply op to each pair of elements.  On request an underflow to 0 is an ERROR. */
static Datum
elementwise(FunctionCallInfo fcinfo, const NvDenseType *type, ElementOp op, bool check_underflow)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	NvDense		b = NV_GETARG_DENSE(1, type);
	float	   *x,
			   *y,
			   *z;
	Datum		result;

	nv_check_same_dims(&a, &b);
	x = nv_dense_floats(&a);
	y = nv_dense_floats(&b);
	z = palloc(a.dim * sizeof(float));
	for (int i = 0; i < a.dim; i++)
		z[i] = op(x[i], y[i]);
	result = nv_dense_make_result(type, z, a.dim);

	if (check_underflow)
	{
		NvDense		stored = nv_dense_open(result, type);

		type->decode(&stored, z);
		for (int i = 0; i < a.dim; i++)
		{
			if (z[i] == 0 && x[i] != 0 && y[i] != 0)
				float_underflow_error();
		}
	}

	pfree(z);
	pfree(x);
	pfree(y);
	nv_dense_close(&a);
	nv_dense_close(&b);
	return result;
}

/* The operator +. */
Datum
nv_dense_add(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	return elementwise(fcinfo, type, add_elements, false);
}

/* The operator -. */
Datum
nv_dense_sub(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	return elementwise(fcinfo, type, subtract_elements, false);
}

/* The operator *, which multiplies element by element. */
Datum
nv_dense_mul(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	return elementwise(fcinfo, type, multiply_elements, true);
}

/* The operator ||. */
Datum
nv_dense_concat(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	NvDense		b = NV_GETARG_DENSE(1, type);
	char	   *result;

	nv_check_dim(type->name, a.dim + b.dim);
	result = nv_dense_alloc(type, a.dim + b.dim);
	memcpy(result + type->header, a.data, a.dim * type->element);
	memcpy(result + type->header + a.dim * type->element, b.data, b.dim * type->element);

	nv_dense_close(&a);
	nv_dense_close(&b);
	PG_RETURN_POINTER(result);
}

/*
 * Take a part of a vector, as substring() does of a text: so many elements from number
 * "start" on, which counts from 1, as far as there are so many.
 */
Datum
nv_dense_subvector(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	int64		start = PG_GETARG_INT32(1);
	int64		count = PG_GETARG_INT32(2);
	int64		end = Min(start + count, (int64) a.dim + 1);	/* first one left out */
	char	   *result;

	start = Max(start, 1);
	nv_check_dim(type->name, count < 1 ? 0 : end - start);
	result = nv_dense_alloc(type, (int) (end - start));
	memcpy(result + type->header, (const char *) a.data + (start - 1) * type->element,
		   (end - start) * type->element);

	nv_dense_close(&a);
	PG_RETURN_POINTER(result);
}

/* Make a bit string that has a 1 for each element above 0. */
Datum
nv_dense_binary_quantize(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	float	   *x = nv_dense_floats(&a);
	Size		size = VARBITTOTALLEN(a.dim);
	VarBit	   *result = palloc0(size);
	uint8	   *bits = VARBITS(result);

	SET_VARSIZE(result, size);
	VARBITLEN(result) = a.dim;
	for (int i = 0; i < a.dim; i++)
	{
		if (x[i] > 0)
			bits[i / 8] |= 0x80 >> (i % 8);
	}

	pfree(x);
	nv_dense_close(&a);
	PG_RETURN_VARBIT_P(result);
}

/* Compute the Euclidean norm of x[n], in double precision. */
static double
l2_norm(const float *x, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) x[i] * (double) x[i];
	return sqrt(sum);
}

/* The Euclidean norm of a value. */
Datum
nv_dense_l2_norm(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	float	   *x = nv_dense_floats(&a);
	double		norm = l2_norm(x, a.dim);

	pfree(x);
	nv_dense_close(&a);
	PG_RETURN_FLOAT8(norm);
}

/* Divide a vector by its norm; a zero vector stays as it is. */
Datum
nv_dense_l2_normalize(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	float	   *x = nv_dense_floats(&a);
	double		norm = l2_norm(x, a.dim);
	Datum		result;

	for (int i = 0; i < a.dim; i++)
		x[i] = norm > 0 ? (float) (x[i] / norm) : 0;
	result = nv_dense_make_result(type, x, a.dim);

	pfree(x);
	nv_dense_close(&a);
	return result;
}

/* The number of dimensions. */
Datum
nv_dense_dims(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	int			dim = a.dim;

	nv_dense_close(&a);
	PG_RETURN_INT32(dim);
}

/* Compare element by element; of two vectors that agree so far, the shorter one is less. */
int
nv_dense_cmp(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		a = NV_GETARG_DENSE(0, type);
	NvDense		b = NV_GETARG_DENSE(1, type);
	float	   *x = nv_dense_floats(&a);
	float	   *y = nv_dense_floats(&b);
	int			shared = Min(a.dim, b.dim);
	int			result = (a.dim > b.dim) - (a.dim < b.dim);

	for (int i = 0; i < shared; i++)
	{
		if (x[i] != y[i])
		{
			result = x[i] < y[i] ? -1 : 1;
			break;
		}
	}

	pfree(x);
	pfree(y);
	nv_dense_close(&a);
	nv_dense_close(&b);
	return result;
}
