/*-------------------------------------------------------------------------
 *
 * detoast.h
 *		Keep a toasted argument that comes back call after call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DETOAST_H
#define NV_DETOAST_H

#include "nv_compat.h"

/* nv_cached_arg() of an argument that is stored out of line. */
extern Datum nv_cached_toasted_arg(FunctionCallInfo fcinfo, int argno);

/*
 * Argument argno (0 or 1) of the function, not NULL.
 *
 * A query vector that was read from a table can be stored out of line, and
 * would then be fetched and copied again for every row that it is compared
 * with.  From the second call with the same toast pointer on, the result is a
 * copy in fn_mcxt, which serves for the rest of the transaction and is freed
 * when another pointer comes.  Anything else is returned as it is.
 *
 * Owns fn_extra of the calling function.
 */
static inline Datum
nv_cached_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		arg = PG_GETARG_DATUM(argno);

	if (unlikely(VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(arg))) && fcinfo->flinfo != NULL)
		return nv_cached_toasted_arg(fcinfo, argno);
	return arg;
}

#endif							/* NV_DETOAST_H */
