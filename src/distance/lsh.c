/*-------------------------------------------------------------------------
 *
 * lsh.c
 *		nanovec_lsh(): signatures of vectors, of one bit for each random hyperplane.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "miscadmin.h"
#include "quant/hyperplanes.h"
#include "types/dense.h"
#include "utils/varbit.h"

/* As many as an index of bit strings takes. */
#define MOST_BITS 64000

/* Hyperplanes are kept from call to call, if their normals take no more bytes than this. */
#define MOST_KEPT (4 * 1024 * 1024)

/* Hyperplanes that the calls of one expression share. */
typedef struct Kept
{
	int			dims;			/* 0: there are none */
	int			bits;
	int			seed;
	uint8	   *codes;			/* dims for each */
	NvPlane    *planes;			/* one for each bit */
} Kept;

/*
 * The hyperplanes for a call: those of the call before, if it asked for the same; NULL
 * if they are too many.
 */
static const NvPlane *
keep_planes(FunctionCallInfo fcinfo, int dims, int bits, int seed)
{
	MemoryContext context = fcinfo->flinfo->fn_mcxt;
	Kept	   *kept = fcinfo->flinfo->fn_extra;

	if (kept != NULL && kept->dims == dims && kept->bits == bits && kept->seed == seed)
		return kept->planes;
	if ((Size) dims * bits > MOST_KEPT)
		return NULL;
	if (kept == NULL)
		kept = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(context, sizeof(Kept));
	if (kept->dims != 0)
	{
		kept->dims = 0;
		pfree(kept->codes);
		pfree(kept->planes);
	}
	kept->codes = MemoryContextAlloc(context, (Size) dims * bits);
	kept->planes = MemoryContextAlloc(context, sizeof(NvPlane) * bits);
	for (int i = 0; i < bits; i++)
		nv_make_plane((uint64) (int64) seed, i, dims, kept->codes + (Size) i * dims,
					  &kept->planes[i]);
	kept->dims = dims;
	kept->bits = bits;
	kept->seed = seed;
	return kept->planes;
}

/* The signature of a value. */
static Datum
signature(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		v = NV_GETARG_DENSE(0, type);
	int			bits = PG_GETARG_INT32(1);
	int			seed = PG_GETARG_INT32(2);
	const NvPlane *planes;
	NvPlane		plane;
	NvPoint		point;
	uint8	   *codes;
	float	   *x;
	VarBit	   *result;

	if (bits < 1 || bits > MOST_BITS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bits must be between 1 and %d", MOST_BITS)));
	planes = keep_planes(fcinfo, v.dim, bits, seed);
	x = nv_dense_floats(&v);
	/* of the point, and of a hyperplane that is not kept */
	codes = palloc(3 * v.dim);
	nv_make_point(x, v.dim, codes, &point);
	result = palloc0(VARBITTOTALLEN(bits));
	SET_VARSIZE(result, VARBITTOTALLEN(bits));
	VARBITLEN(result) = bits;
	for (int i = 0; i < bits; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (planes == NULL)
			nv_make_plane((uint64) (int64) seed, i, v.dim, codes + 2 * v.dim, &plane);
		if (nv_is_above(&point, planes == NULL ? &plane : &planes[i], v.dim))
			VARBITS(result)[i / BITS_PER_BYTE] |= (uint8) (HIGHBIT >> i % BITS_PER_BYTE);
	}
	pfree(codes);
	pfree(x);
	nv_dense_close(&v);
	PG_RETURN_VARBIT_P(result);
}

/* Signature of a vector. */
NV_FUNCTION(nanovec_lsh_vector)
{
	return signature(fcinfo, &nv_vector_type);
}

/* Signature of a halfvec. */
NV_FUNCTION(nanovec_lsh_halfvec)
{
	return signature(fcinfo, &nv_halfvec_type);
}
