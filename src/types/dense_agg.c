/*-------------------------------------------------------------------------
 *
 * dense_agg.c
 *		avg() of dense types.  (sum() is the + operator.)
 *
 * The state is a double precision array: the number of rows, then the sum of
 * each element; "{0}" before the first row.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/lsyscache.h"

typedef struct AvgState
{
	ArrayType  *array;
	double	   *values;			/* inside array: rows, then sums */
	int			dim;			/* 0 before the first row */
} AvgState;

/* Take a state from the arguments.  Anyone may have made it up, so it is checked. */
static AvgState
get_state(FunctionCallInfo fcinfo, int argno)
{
	AvgState	state;

	state.array = PG_GETARG_ARRAYTYPE_P(argno);
	if (ARR_NDIM(state.array) != 1 || ARR_DIMS(state.array)[0] < 1 ||
		ARR_HASNULL(state.array) || ARR_ELEMTYPE(state.array) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s: expected state array", get_func_name(fcinfo->flinfo->fn_oid)),
				 errdetail("The state of an average is a one-dimensional array of the number of "
						   "rows and the sum of each element.")));
	state.values = (double *) ARR_DATA_PTR(state.array);
	state.dim = ARR_DIMS(state.array)[0] - 1;
	return state;
}

/* Make a state for dim elements, all of them 0. */
static AvgState
make_state(int dim)
{
	AvgState	state;
	Size		size = ARR_OVERHEAD_NONULLS(1) + (dim + 1) * sizeof(double);

	state.array = palloc0(size);
	SET_VARSIZE(state.array, size);
	state.array->ndim = 1;
	state.array->dataoffset = 0;
	state.array->elemtype = FLOAT8OID;
	ARR_DIMS(state.array)[0] = dim + 1;
	ARR_LBOUND(state.array)[0] = 1;
	state.values = (double *) ARR_DATA_PTR(state.array);
	state.dim = dim;
	return state;
}

/* Add a row to the state of avg(). */
Datum
nv_dense_accum(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	AvgState	old = get_state(fcinfo, 0);
	AvgState	new = old;
	NvDense		v = NV_GETARG_DENSE(1, type);
	float	   *x;

	if (old.dim > 0)
		nv_check_typmod(old.dim, v.dim, NULL);

	/* an aggregate's own state may be changed in place */
	if (old.dim == 0 || !AggCheckCallContext(fcinfo, NULL))
	{
		new = make_state(v.dim);
		memcpy(new.values, old.values, (old.dim + 1) * sizeof(double));
	}

	x = nv_dense_floats(&v);
	new.values[0] += 1;
	for (int i = 0; i < v.dim; i++)
	{
		new.values[i + 1] += x[i];
		if (unlikely(isinf(new.values[i + 1])))
			float_overflow_error();
	}
	pfree(x);
	nv_dense_close(&v);
	PG_RETURN_ARRAYTYPE_P(new.array);
}

/* Add the states of two processes. */
Datum
nv_dense_combine(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	AvgState	a = get_state(fcinfo, 0);
	AvgState	b = get_state(fcinfo, 1);
	AvgState	sum;

	if (Max(a.dim, b.dim) > 0)
		nv_check_dim(type->name, Max(a.dim, b.dim));
	if (a.values[0] == 0)
		PG_RETURN_ARRAYTYPE_P(b.array);
	if (b.values[0] == 0)
		PG_RETURN_ARRAYTYPE_P(a.array);

	nv_check_typmod(a.dim, b.dim, NULL);
	sum = make_state(a.dim);
	for (int i = 0; i <= a.dim; i++)
	{
		sum.values[i] = a.values[i] + b.values[i];
		if (unlikely(isinf(sum.values[i])))
			float_overflow_error();
	}
	PG_RETURN_ARRAYTYPE_P(sum.array);
}

/* Divide the sums by the number of rows. */
Datum
nv_dense_avg(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	AvgState	state = get_state(fcinfo, 0);
	float	   *mean;
	Datum		result;

	if (state.values[0] == 0)
		PG_RETURN_NULL();

	nv_check_dim(type->name, state.dim);
	mean = palloc(state.dim * sizeof(float));
	for (int i = 0; i < state.dim; i++)
		mean[i] = (float) (state.values[i + 1] / state.values[0]);
	result = nv_dense_make(type, mean, state.dim);
	pfree(mean);
	return result;
}
