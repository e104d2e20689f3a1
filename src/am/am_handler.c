/*-------------------------------------------------------------------------
 *
 * am_handler.c
 *		What the handlers of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_handler.h"

#include "am/am_opclass.h"
#include "storage/bufmgr.h"
#include "storage/indexfsm.h"
#include "utils/float.h"
#include "utils/rel.h"

#define MOST_METHODS 8

static const NvMethod *methods[MOST_METHODS];
static int	nmethods;

/* Remember a method for as long as the backend lives. */
void
nv_method_register(const NvMethod *method)
{
	Assert(nmethods < MOST_METHODS);
	Assert(method->build != NULL && method->check != NULL && method->info != NULL);
	methods[nmethods++] = method;
}

/* Find the method of an index by the function that builds it. */
const NvMethod *
nv_method_of(Relation index)
{
	for (int i = 0; i < nmethods; i++)
	{
		if (index->rd_indam != NULL && index->rd_indam->ambuild == methods[i]->build)
			return methods[i];
	}
	return NULL;
}

/* Make the part of a handler's answer that all methods share. */
IndexAmRoutine *
nv_make_handler(const NvMethod *method)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	am->ambuild = method->build;
	am->amstrategies = 0;
	am->amsupport = NV_OPCLASS_PROCS;
	am->amcanorderbyop = true;
	am->amoptionalkey = true;
	am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
	am->amkeytype = InvalidOid;
	NV_SET_CAN_BUILD_PARALLEL(am);
	am->amvacuumcleanup = nv_vacuum_cleanup;
	am->amvalidate = nv_opclass_validate;
	return am;
}

bool
nv_cost_without_order(IndexPath *path, const NvCosts *costs)
{
	if (path->indexorderbys != NIL)
		return false;
	NV_DISABLE_PATH(&path->path);
	*costs->startup = *costs->total = get_float8_infinity();
	*costs->selectivity = 0;
	*costs->correlation = 0;
	*costs->pages = 0;
	return true;
}

IndexBulkDeleteResult *
nv_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	/* nothing was removed, and how many rows a partial index has is not known */
	if (info->analyze_only || stats == NULL)
		return stats;
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	IndexFreeSpaceMapVacuum(info->index);
	return stats;
}
