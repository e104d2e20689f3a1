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
#include "am/am_order.h"
#include "am/am_row.h"
#include "am/am_search.h"
#include "distance/sphere.h"
#include "pgstat.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* What drives the search: one of the two. */
typedef struct NvScan
{
	NvSearcher *searcher;
	NvMultiSearch *multi;		/* where rows have many vectors */
	NvOrder    *order;			/* puts the searcher's rows in order */
	bool		ordered;		/* for this scan: it has to */
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
	{
		opaque->searcher = nv_searcher_open(index);
		opaque->order = nv_order_open(opaque->searcher);
	}
	scan->opaque = opaque;
	return scan;
}

/* Whether a key says that a vector is in a sphere, which is given. */
static bool
is_sphere(const ScanKeyData *key)
{
	return key->sk_attno == NV_VECTOR_COLUMN &&
		(key->sk_flags & (SK_ISNULL | SK_SEARCHARRAY)) == 0;
}

/*
 * What to search near: what the scan orders by, or else the center of a sphere.  *radius:
 * that of the sphere around it, if *within says that there is one.  Other spheres are left
 * to the executor.
 */
static Datum
find_query(IndexScanDesc scan, bool *isnull, bool *within, double *radius)
{
	const ScanKeyData *order = scan->numberOfOrderBys > 0 ? &scan->orderByData[0] : NULL;
	Datum		query = order != NULL ? order->sk_argument : (Datum) 0;
	bool		known = order != NULL;

	*isnull = known && (order->sk_flags & SK_ISNULL) != 0;
	*within = false;
	*radius = get_float8_infinity();
	for (int i = 0; i < scan->numberOfKeys && !*isnull; i++)
	{
		NvSphere	sphere;

		if (!is_sphere(&scan->keyData[i]))
			continue;
		sphere = nv_sphere_open(scan->keyData[i].sk_argument);
		if (known && !datum_image_eq(query, sphere.center, false, -1))
			continue;
		*radius = Min(*radius, sphere.radius);
		*within = known = true;
		query = sphere.center;
	}
	/* a condition may be NULL, or the plan the only one that the planner was allowed */
	if (!known)
		*isnull = *within = true;
	return query;
}

/* Begin to search for what the keys say, by MaxSim. */
static void
rescan_multi(IndexScanDesc scan, NvMultiSearch *multi)
{
	const ScanKeyData *order = &scan->orderByData[0];

	if (scan->numberOfOrderBys < 1)
		elog(ERROR, "cannot scan index \"%s\" without order",
			 RelationGetRelationName(scan->indexRelation));
	nv_multi_begin(multi, scan->heapRelation, scan->xs_snapshot, order->sk_argument,
				   (order->sk_flags & SK_ISNULL) != 0, scan->keyData, scan->numberOfKeys);
}

/*
 * Whether rows have to be put in order.  Distances behind the first are left to the
 * executor: all that is known of them is that they are not less than any number.
 */
static bool
needs_order(const IndexScanDescData *scan, const NvSearcher *searcher)
{
	return scan->numberOfOrderBys == 1 && !searcher->goal.null_query &&
		!nv_space_is_exact(&searcher->core->space);
}

/* Begin to search for what the keys say: amrescan. */
void
nv_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	const char *name = RelationGetRelationName(scan->indexRelation);
	NvScan	   *opaque = scan->opaque;
	Datum		query;
	bool		isnull;
	bool		within;
	double		radius;

	if (!IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "cannot scan index \"%s\" with a snapshot that is not MVCC", name);
	if (orderbys != NULL)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
	if (keys != NULL)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	opaque->counted = false;
	if (opaque->multi != NULL)
	{
		rescan_multi(scan, opaque->multi);
		return;
	}
	query = find_query(scan, &isnull, &within, &radius);
	nv_search_begin(opaque->searcher, query, isnull, scan->keyData, scan->numberOfKeys);
	if (within)
		nv_search_within(opaque->searcher, radius, scan->numberOfOrderBys == 0);
	opaque->ordered = needs_order(scan, opaque->searcher);
	if (opaque->ordered)
		nv_order_begin(opaque->order, scan->heapRelation, scan->xs_snapshot, query);
}

/* Whether a row has to be looked at to know if it matches. */
static bool
needs_recheck(const IndexScanDescData *scan, const NvSearcher *searcher)
{
	if (searcher->goal.filter != NULL && searcher->goal.filter->lossy)
		return true;
	for (int i = 0; i < scan->numberOfKeys; i++)
	{
		if (scan->keyData[i].sk_attno == NV_VECTOR_COLUMN &&
			(scan->keyData[i].sk_flags & SK_SEARCHNOTNULL) == 0)
			return true;
	}
	return false;
}

/*
 * Fill in what the executor looks at beside the row's place.  With several distances it has
 * to compute them.
 */
static void
set_order(IndexScanDesc scan, double bound, bool isnull)
{
	Assert(!isnan(bound));
	if (scan->numberOfOrderBys == 0)
		return;
	scan->xs_orderbynulls[0] = isnull;
	/* by reference on 32-bit machines, where each row would take new memory otherwise */
	if (FLOAT8PASSBYVAL)
		scan->xs_orderbyvals[0] = Float8GetDatum(bound);
	else
		*(float8 *) DatumGetPointer(scan->xs_orderbyvals[0]) = bound;
	scan->xs_recheckorderby = scan->numberOfOrderBys > 1;
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
		set_order(scan, bound, isnull);
		return true;
	}
	if (opaque->ordered ? !nv_order_next(opaque->order, &scan->xs_heaptid, &bound) :
		!nv_search_next(searcher, &scan->xs_heaptid, &bound))
		return false;
	scan->xs_recheck = needs_recheck(scan, searcher);
	set_order(scan, bound, searcher->goal.null_query);
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
	{
		nv_order_close(opaque->order);
		nv_searcher_end(opaque->searcher);
	}
	pfree(opaque);
	scan->opaque = NULL;
}
