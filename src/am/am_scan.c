/*-------------------------------------------------------------------------
 *
 * am_scan.c
 *		Index scans: searches that PostgreSQL's executor drives.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_scan.h"

#include <math.h>

#include "am/am_search.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Begin a scan, with room for the values that it orders by: ambeginscan. */
IndexScanDesc
nv_begin_scan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);

	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc(sizeof(Datum) * norderbys);
		for (int i = 0; i < norderbys; i++)
			scan->xs_orderbyvals[i] = Float8GetDatum(-get_float8_infinity());
		scan->xs_orderbynulls = palloc0(sizeof(bool) * norderbys);
	}
	scan->opaque = nv_searcher_open(index);
	return scan;
}

/* Begin to search for what the keys say: amrescan. */
void
nv_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	const ScanKeyData *key = &scan->orderByData[0];
	const char *name = RelationGetRelationName(scan->indexRelation);

	if (scan->numberOfOrderBys < 1)
		elog(ERROR, "cannot scan index \"%s\" without order", name);
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "cannot scan index \"%s\" with a snapshot that is not MVCC", name);
	if (orderbys != NULL)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
	if (keys != NULL)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	nv_search_begin(scan->opaque, key->sk_argument, (key->sk_flags & SK_ISNULL) != 0,
					scan->keyData, scan->numberOfKeys);
}

/* Fill in what the executor looks at beside the row's place. */
static void
set_order(IndexScanDesc scan, const NvSearcher *searcher, double bound)
{
	bool		null_query = searcher->goal.null_query;

	Assert(scan->numberOfOrderBys > 0);
	Assert(!isnan(bound));
	scan->xs_recheck = searcher->goal.filter != NULL && searcher->goal.filter->lossy;
	scan->xs_orderbynulls[0] = null_query;
	/* by reference on 32-bit machines, where each row would take new memory otherwise */
	if (FLOAT8PASSBYVAL)
		scan->xs_orderbyvals[0] = Float8GetDatum(bound);
	else
		*(float8 *) DatumGetPointer(scan->xs_orderbyvals[0]) = bound;
	/* of distances behind the first, all that is known is that they are not less */
	scan->xs_recheckorderby = scan->numberOfOrderBys > 1 ||
		(!null_query && !nv_space_is_exact(&searcher->core->space));
}

/* Return the next row: amgettuple. */
bool
nv_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	NvSearcher *searcher = scan->opaque;
	double		bound;

	if (!searcher->started)
	{
		pgstat_count_index_scan(scan->indexRelation);
		NV_COUNT_SEARCH(scan);
	}
	if (!nv_search_next(searcher, &scan->xs_heaptid, &bound))
		return false;
	set_order(scan, searcher, bound);
	return true;
}

/* End a scan: amendscan. */
void
nv_end_scan(IndexScanDesc scan)
{
	nv_searcher_end(scan->opaque);
	scan->opaque = NULL;
}
