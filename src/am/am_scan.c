/*-------------------------------------------------------------------------
 *
 * am_scan.c
 *		Index scans: searches that PostgreSQL's executor drives.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_scan.h"

#include <math.h>

#include "am/am_multi.h"
#include "am/am_opclass.h"
#include "am/am_search.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* What drives the search: one of these. */
typedef struct NvScan
{
	NvSearcher *searcher;
	NvMultiSearch *multi;		/* where rows have many vectors */
	bool		counted;		/* for statistics */
} NvScan;

/* Begin a scan, with room for the values that it orders by: ambeginscan. */
IndexScanDesc
nv_begin_scan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	NvScan	   *opaque = palloc0(sizeof(NvScan));

	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc(sizeof(Datum) * norderbys);
		for (int i = 0; i < norderbys; i++)
			scan->xs_orderbyvals[i] = Float8GetDatum(-get_float8_infinity());
		scan->xs_orderbynulls = palloc0(sizeof(bool) * norderbys);
	}
	if (nv_opclass_many(index))
		opaque->multi = nv_multi_open(index);
	else
		opaque->searcher = nv_searcher_open(index);
	scan->opaque = opaque;
	return scan;
}

/* Begin to search for what the keys say: amrescan. */
void
nv_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	const ScanKeyData *key = &scan->orderByData[0];
	NvScan	   *opaque = scan->opaque;
	bool		isnull;
	const char *name = RelationGetRelationName(scan->indexRelation);

	if (scan->numberOfOrderBys < 1)
		elog(ERROR, "cannot scan index \"%s\" without order", name);
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "cannot scan index \"%s\" with a snapshot that is not MVCC", name);
	if (orderbys != NULL)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
	if (keys != NULL)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	isnull = (key->sk_flags & SK_ISNULL) != 0;
	opaque->counted = false;
	if (opaque->multi != NULL)
		nv_multi_begin(opaque->multi, scan->heapRelation, scan->xs_snapshot, key->sk_argument,
					   isnull, scan->keyData, scan->numberOfKeys);
	else
		nv_search_begin(opaque->searcher, key->sk_argument, isnull, scan->keyData,
						scan->numberOfKeys);
}

/* Fill in what the executor looks at beside the row's place. */
static void
set_order(IndexScanDesc scan, double bound, bool isnull, bool exact)
{
	Assert(scan->numberOfOrderBys > 0);
	Assert(!isnan(bound));
	scan->xs_orderbynulls[0] = isnull;
	/* by reference on 32-bit machines, where each row would take new memory otherwise */
	if (FLOAT8PASSBYVAL)
		scan->xs_orderbyvals[0] = Float8GetDatum(bound);
	else
		*(float8 *) DatumGetPointer(scan->xs_orderbyvals[0]) = bound;
	/* of distances behind the first, all that is known is that they are not less */
	scan->xs_recheckorderby = scan->numberOfOrderBys > 1 || !(isnull || exact);
}

/* Return the next row: amgettuple. */
bool
nv_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	NvScan	   *opaque = scan->opaque;
	NvSearcher *searcher = opaque->searcher;
	double		bound;
	bool		isnull;

	if (!opaque->counted)
	{
		opaque->counted = true;
		pgstat_count_index_scan(scan->indexRelation);
		NV_COUNT_SEARCH(scan);
	}
	if (opaque->multi != NULL)
	{
		if (!nv_multi_next(opaque->multi, &scan->xs_heaptid, &bound, &isnull, &scan->xs_recheck))
			return false;
		set_order(scan, bound, isnull, true);
		return true;
	}
	if (!nv_search_next(searcher, &scan->xs_heaptid, &bound))
		return false;
	scan->xs_recheck = searcher->goal.filter != NULL && searcher->goal.filter->lossy;
	set_order(scan, bound, searcher->goal.null_query, nv_space_is_exact(&searcher->core->space));
	return true;
}

/* End a scan: amendscan. */
void
nv_end_scan(IndexScanDesc scan)
{
	NvScan	   *opaque = scan->opaque;

	if (opaque->multi != NULL)
		nv_multi_close(opaque->multi);
	else
		nv_searcher_end(opaque->searcher);
	pfree(opaque);
	scan->opaque = NULL;
}
