/*-------------------------------------------------------------------------
 *
 * nv_inspect.c
 *		SQL functions that tell how nanovec runs here.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "simd/simd.h"
#include "utils/builtins.h"

/* nanovec_simd(): each kernel and the variant of it that was chosen. */
NV_FUNCTION(nanovec_simd)
{
	FuncCallContext *context;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		TupleDesc	desc;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		context->tuple_desc = BlessTupleDesc(desc);
		context->max_calls = nv_simd_kernel_count();
		MemoryContextSwitchTo(old);
	}

	context = SRF_PERCALL_SETUP();
	if (context->call_cntr < context->max_calls)
	{
		int			i = (int) context->call_cntr;
		Datum		values[2] = {
			CStringGetTextDatum(nv_simd_kernel_name(i)),
			CStringGetTextDatum(nv_simd_kernel_variant(i))
		};
		bool		nulls[2] = {false, false};
		HeapTuple	tuple = heap_form_tuple(context->tuple_desc, values, nulls);

		SRF_RETURN_NEXT(context, HeapTupleGetDatum(tuple));
	}
	SRF_RETURN_DONE(context);
}
