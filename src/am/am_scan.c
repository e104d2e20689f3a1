/*-------------------------------------------------------------------------
 *
 * am_scan.c
 *		What scans of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_scan.h"

#include <math.h>

#include "am/am_page.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

IndexScanDesc
nv_scan_begin(Relation index, int nkeys, int norderbys, void *opaque)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);

	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc(sizeof(Datum) * norderbys);
		for (int i = 0; i < norderbys; i++)
			scan->xs_orderbyvals[i] = Float8GetDatum(-get_float8_infinity());
		scan->xs_orderbynulls = palloc0(sizeof(bool) * norderbys);
	}
	scan->opaque = opaque;
	return scan;
}

void
nv_scan_take_order(IndexScanDesc scan, ScanKey orderbys)
{
	Assert(scan->orderByData != NULL || scan->numberOfOrderBys == 0);
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
}

bool
nv_scan_start(IndexScanDesc scan, const NvSpace *space, NvQuery *query)
{
	const ScanKeyData *key = &scan->orderByData[0];
	const char *name = RelationGetRelationName(scan->indexRelation);
	bool		null_query;

	if (scan->numberOfOrderBys < 1)
		elog(ERROR, "cannot scan index \"%s\" without order", name);
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "cannot scan index \"%s\" with a snapshot that is not MVCC", name);

	pgstat_count_index_scan(scan->indexRelation);
	NV_COUNT_SEARCH(scan);
	null_query = (key->sk_flags & SK_ISNULL) != 0;
	if (null_query)
		nv_query_set_zero(space, query);
	else
		nv_query_set(space, key->sk_argument, query);
	return null_query;
}

void
nv_scan_return(IndexScanDesc scan, const NvSpace *space, bool null_query, double bound,
			   const ItemPointerData *tid)
{
	Assert(scan->numberOfOrderBys > 0);
	Assert(!isnan(bound));
	/* PostgreSQL would add a page to the table where the block is none */
	if (!nv_row_possible(tid))
		nv_index_damaged(scan->indexRelation, "it leads to row (%u,%u), which cannot be",
						 ItemPointerGetBlockNumberNoCheck(tid),
						 ItemPointerGetOffsetNumberNoCheck(tid));
	scan->xs_heaptid = *tid;
	scan->xs_recheck = false;
	scan->xs_orderbynulls[0] = null_query;
	/* by reference on 32-bit machines, where each row would take new memory otherwise */
	if (FLOAT8PASSBYVAL)
		scan->xs_orderbyvals[0] = Float8GetDatum(bound);
	else
		*(float8 *) DatumGetPointer(scan->xs_orderbyvals[0]) = bound;
	/* of distances behind the first, all that is known is that they are not less */
	scan->xs_recheckorderby = scan->numberOfOrderBys > 1 ||
		(!null_query && !nv_space_is_exact(space));
}
