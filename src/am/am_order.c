/*-------------------------------------------------------------------------
 *
 * am_order.c
 *		The rows of a search in the order of their exact distances.
 *
 * A search returns lower bounds of distances.  A row whose distance was computed from the
 * table waits until bounds are not less than that.
 *
 * PostgreSQL's executor would do the same (xs_recheckorderby), but as of 18.6 it forgets
 * the places of the rows that wait: ctid is (4294967295,0) then, and FOR UPDATE and WHERE
 * CURRENT OF fail (15.20 and 17.12 do it right).  It also keeps copies of the rows.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_order.h"

#include <math.h>

#include "am/am_nearest.h"
#include "am/am_results.h"
#include "miscadmin.h"
#include "utils/memutils.h"

struct NvOrder
{
	NvSearcher *searcher;
	MemoryContext context;		/* of the results */
	bool		table_open;
	NvIndexedTable table;
	Datum		query;
	NvResults	results;		/* rows with their distances, which wait */
	bool		ended;			/* the search has no more */
};

/* Prepare. */
NvOrder *
nv_order_open(NvSearcher *searcher)
{
	NvOrder    *o = palloc0(sizeof(NvOrder));

	o->searcher = searcher;
	o->context = AllocSetContextCreate(CurrentMemoryContext, "nanovec order",
									   ALLOCSET_SMALL_SIZES);
	return o;
}

/* Begin, and forget what is left of the search before. */
void
nv_order_begin(NvOrder *o, Relation heap, Snapshot snapshot, Datum query)
{
	if (!o->table_open)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(o));

		nv_table_begin(&o->table, heap, o->searcher->core->rel, snapshot);
		o->table_open = true;
		MemoryContextSwitchTo(old);
	}
	Assert(o->table.heap == heap);
	o->table.snapshot = snapshot;
	o->query = query;
	o->ended = false;
	nv_results_reset(&o->results);
	MemoryContextReset(o->context);
}

/* No more rows are looked at: hold no pins. */
static void
end_rows(NvOrder *o)
{
	o->ended = true;
	nv_results_ready(&o->results, INFINITY);
	ExecClearTuple(o->table.slot);
	table_index_fetch_reset(o->table.fetch);
	nv_table_next_row(&o->table);
}

/* Take a row of the search, if there is one. */
static void
take_row(NvOrder *o)
{
	NvIndexedTable *t = &o->table;
	ItemPointerData tid;
	double		bound;
	double		distance;
	MemoryContext old;

	if (!nv_search_next(o->searcher, &tid, &bound))
	{
		end_rows(o);
		return;
	}
	nv_results_ready(&o->results, bound);
	if (!nv_table_measure(t, &tid, o->query, &distance))
		return;
	if (isnan(distance))
		distance = INFINITY;
	if (distance < bound)
		nv_index_damaged(t->index, "row (%u,%u) is nearer than it says",
						 ItemPointerGetBlockNumber(&tid), ItemPointerGetOffsetNumber(&tid));
	old = MemoryContextSwitchTo(o->context);
	nv_results_add(&o->results, distance,
				   nv_item(ItemPointerGetBlockNumber(&tid), ItemPointerGetOffsetNumber(&tid), 0),
				   false);
	MemoryContextSwitchTo(old);
}

/* Search until the nearest row that waits may go out. */
bool
nv_order_next(NvOrder *o, ItemPointer tid, double *distance)
{
	const NvResult *result;

	while ((result = nv_results_peek(&o->results)) == NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (o->ended)
			return false;
		take_row(o);
	}
	*tid = nv_item_row(result->item);
	*distance = result->bound;
	nv_results_pop(&o->results);
	return true;
}

/* Close the table, and free all memory. */
void
nv_order_close(NvOrder *o)
{
	if (o->table_open)
		nv_table_end(&o->table);
	MemoryContextDelete(o->context);
	pfree(o);
}
