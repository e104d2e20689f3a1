/*-------------------------------------------------------------------------
 *
 * detoast.c
 *		Keep a toasted argument that comes back call after call.
 *
 *-------------------------------------------------------------------------
 */
#include "types/detoast.h"

#include "access/detoast.h"

typedef struct CachedArg
{
	struct varatt_external pointer; /* the last one seen */
	LocalTransactionId lxid;	/* when; the pointer may mean another value later */
	struct varlena *value;		/* what it points to, or NULL */
} CachedArg;

/* Fetch an argument, or find the copy that the call before made. */
Datum
nv_cached_toasted_arg(FunctionCallInfo fcinfo, int argno)
{
	Datum		arg = PG_GETARG_DATUM(argno);
	struct varlena *value = (struct varlena *) DatumGetPointer(arg);
	struct varatt_external pointer;
	CachedArg  *cached;

	Assert(argno == 0 || argno == 1);
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
														  2 * sizeof(CachedArg));
	cached = (CachedArg *) fcinfo->flinfo->fn_extra + argno;

	VARATT_EXTERNAL_GET_POINTER(pointer, value);
	if (cached->lxid != NV_CURRENT_LXID ||
		memcmp(&cached->pointer, &pointer, sizeof(pointer)) != 0)
	{
		if (cached->value != NULL)
			pfree(cached->value);
		cached->value = NULL;
		cached->pointer = pointer;
		cached->lxid = NV_CURRENT_LXID;
		return arg;
	}

	if (cached->value == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		cached->value = pg_detoast_datum_packed(value);
		MemoryContextSwitchTo(old);
	}
	return PointerGetDatum(cached->value);
}
