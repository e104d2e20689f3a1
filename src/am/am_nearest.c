/*-------------------------------------------------------------------------
 *
 * am_nearest.c
 *		An index together with its table: the nearest rows by exact distances.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_nearest.h"

#include <math.h>

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "am/am_heap.h"
#include "am/am_inspect.h"
#include "am/am_opclass.h"
#include "am/am_row.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* ---- rights ---- */

/* ERROR unless the user may read all rows of the table of an index. */
static void
check_reader(Oid index)
{
	Oid			table = IndexGetRelation(index, true);
	const char *name;

	/* what is no index is told by whoever opens it */
	if (!OidIsValid(table) || (name = get_rel_name(table)) == NULL)
		return;
	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, name);
	if (check_enable_rls(table, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security of table \"%s\" applies to you", name),
				 errdetail("This function sees all rows of the table."),
				 errhint("Search with ORDER BY and LIMIT in a query: its rows are those that you may see.")));
}

/* Become the owner of the table, for the functions that its index calls. */
void
nv_table_become_owner(NvIndexedTable *t, Relation heap)
{
	GetUserIdAndSecContext(&t->user, &t->security);
	SetUserIdAndSecContext(heap->rd_rel->relowner, t->security | SECURITY_RESTRICTED_OPERATION);
	t->settings = NewGUCNestLevel();
}

/* Become again who called. */
void
nv_table_become_caller(const NvIndexedTable *t)
{
	AtEOXact_GUC(false, t->settings);
	SetUserIdAndSecContext(t->user, t->security);
}

/* ---- opening ---- */

/* ERROR if rows that the snapshot sees may be missing in the index. */
static void
check_usable(Relation index)
{
	/* as the planner does: it was built when old versions of rows had other values */
	if (index->rd_index->indcheckxmin &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							   TransactionXmin))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" cannot be used in this transaction yet",
						RelationGetRelationName(index)),
				 errhint("It was built while older transactions were running. Try again in a new one.")));
}

/* Find the function that computes distances. */
static void
find_distance(NvIndexedTable *t)
{
	t->type = t->index->rd_opcintype[NV_VECTOR_COLUMN - 1];
	t->collation = t->index->rd_indcollation[NV_VECTOR_COLUMN - 1];
	fmgr_info(get_opcode(nv_opclass_distance(t->index)), &t->distance);
}

/* Prepare to look at rows. */
void
nv_table_begin(NvIndexedTable *t, Relation heap, Relation index, Snapshot snapshot)
{
	Assert(IsMVCCSnapshot(snapshot));
	t->heap = heap;
	t->index = index;
	t->snapshot = snapshot;
	t->many = nv_opclass_many(index);
	find_distance(t);
	t->info = BuildIndexInfo(t->index);
	t->estate = CreateExecutorState();
	t->econtext = GetPerTupleExprContext(t->estate);
	t->predicate = ExecPrepareQual(t->info->ii_Predicate, t->estate);
	t->slot = table_slot_create(t->heap, NULL);
	t->econtext->ecxt_scantuple = t->slot;
	t->fetch = NV_INDEX_FETCH_BEGIN(t->heap);
}

/* Let go of all that looking at rows took. */
void
nv_table_end(NvIndexedTable *t)
{
	table_index_fetch_end(t->fetch);
	ExecDropSingleTupleTableSlot(t->slot);
	FreeExecutorState(t->estate);
}

/* Open an index and its table. */
void
nv_table_open(NvIndexedTable *t, Oid oid)
{
	Relation	heap;
	Relation	index;

	check_reader(oid);
	index = nv_inspect_open(oid, AccessShareLock, &heap);
	nv_table_become_owner(t, heap);
	check_usable(index);
	PredicateLockRelation(index, GetActiveSnapshot());
	nv_table_begin(t, heap, index, GetActiveSnapshot());
}

/* Close both. */
void
nv_table_close(NvIndexedTable *t)
{
	nv_table_end(t);
	nv_table_become_caller(t);
	relation_close(t->index, NoLock);
	table_close(t->heap, NoLock);
}

/* ---- rows ---- */

/* Fetch a row. */
bool
nv_table_fetch(NvIndexedTable *t, const ItemPointerData *tid)
{
	ItemPointerData at = *tid;
	bool		again = false;

	nv_table_next_row(t);
	return table_index_fetch_tuple(t->fetch, &at, t->snapshot, t->slot, &again, NULL);
}

/* Compute the values that a row brings to the index. */
void
nv_table_values(NvIndexedTable *t, Datum *values, bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(t->econtext->ecxt_per_tuple_memory);

	FormIndexDatum(t->info, t->slot, t->estate, values, isnull);
	MemoryContextSwitchTo(old);
}

/* Find out what a row brings to the index. */
bool
nv_table_value(NvIndexedTable *t, Datum *value)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	NvRow		row;
	bool		taken;

	if (!ExecQual(t->predicate, t->econtext))
		return false;
	nv_table_values(t, values, isnull);
	taken = nv_row_take(&row, values, isnull);
	*value = row.vector;
	return taken;
}

/* Forget what was computed from a row. */
void
nv_table_next_row(NvIndexedTable *t)
{
	ResetExprContext(t->econtext);
}

/* Compute a distance, by the function of SQL. */
double
nv_table_distance(NvIndexedTable *t, Datum a, Datum b)
{
	MemoryContext old = MemoryContextSwitchTo(t->econtext->ecxt_per_tuple_memory);
	double		distance = DatumGetFloat8(FunctionCall2Coll(&t->distance, t->collation, a, b));

	MemoryContextSwitchTo(old);
	return distance;
}

/* Fetch a row, and compute its distance. */
bool
nv_table_measure(NvIndexedTable *t, const ItemPointerData *tid, Datum query, double *distance)
{
	Datum		value;

	if (!nv_table_fetch(t, tid) || !nv_table_value(t, &value))
		return false;
	*distance = nv_table_distance(t, value, query);
	return true;
}

/* ---- the nearest ---- */

/* The farthest come first; of those as far as one another, the one that lies last. */
static inline bool
farther(const NvNeighbor *a, const NvNeighbor *b)
{
	if (a->distance != b->distance)
		return a->distance > b->distance;
	return ItemPointerCompare(unconstify(ItemPointerData *, &a->tid),
							  unconstify(ItemPointerData *, &b->tid)) > 0;
}

NV_DEFINE_HEAP(neighbor_heap, NvNeighbor, farther, NV_HEAP_PUT)

/* Add a row, if it is among the nearest. */
void
nv_neighbors_add(NvNeighbor *out, int *n, int k, double distance, const ItemPointerData *tid)
{
	NvNeighbor	row = {distance, *tid};

	Assert(!isnan(distance) && *n <= k);
	if (*n < k)
	{
		out[(*n)++] = row;
		neighbor_heap_up(NULL, out, *n - 1);
	}
	else if (farther(&out[0], &row))
	{
		out[0] = row;
		neighbor_heap_down(NULL, out, k, 0);
	}
}

/* Sort by heap: the farthest of those that are left goes to the end. */
void
nv_neighbors_sort(NvNeighbor *neighbors, int n)
{
	for (int left = n - 1; left > 0; left--)
	{
		NvNeighbor	farthest = neighbors[0];

		neighbors[0] = neighbors[left];
		neighbors[left] = farthest;
		neighbor_heap_down(NULL, neighbors, left, 0);
	}
}
