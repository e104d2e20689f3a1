/*-------------------------------------------------------------------------
 *
 * am_search.c
 *		A search of an index, whoever drives it.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_search.h"

#include <float.h>
#include <math.h>

#include "am/am_method.h"
#include "am/am_page.h"
#include "utils/memutils.h"

/* Fill in a searcher. */
void
nv_searcher_init(NvSearcher *searcher, const NvSearchMethod *method, NvIndexCore *core,
				 MemoryContext context)
{
	searcher->method = method;
	searcher->core = core;
	searcher->context = context;
	nv_query_alloc(&core->space, &searcher->goal.query);
}

/* Open an index, by its method. */
NvSearcher *
nv_searcher_open(Relation index)
{
	Assert(nv_method_of(index) != NULL);
	return nv_method_of(index)->search->open(index);
}

/* Count what a search did, if there was one. */
static void
finish(NvSearcher *searcher)
{
	NvSearchCounts counts = {
		.index = RelationGetRelid(searcher->core->rel),
		.returned = searcher->returned,
		.filtered = searcher->goal.filter != NULL,
		.end = NV_END_ENOUGH
	};
	instr_time	time;

	if (!searcher->started)
		return;
	INSTR_TIME_SET_CURRENT(time);
	INSTR_TIME_SUBTRACT(time, searcher->begun);
	counts.time = INSTR_TIME_GET_MILLISEC(time);
	searcher->method->count(searcher, &counts);
	nv_stats_count(&counts);
	searcher->started = false;
}

/* Set the goal, and forget all else. */
NvSearchGoal *
nv_search_begin(NvSearcher *searcher, Datum query, bool isnull, const ScanKeyData *keys,
				int nkeys)
{
	NvSearchGoal *goal = &searcher->goal;
	const NvSpace *space = &searcher->core->space;
	MemoryContext old;

	finish(searcher);
	MemoryContextReset(searcher->context);
	nv_results_reset(&searcher->results);
	searcher->stepping = searcher->ended = false;
	searcher->returned = 0;

	old = MemoryContextSwitchTo(searcher->context);
	goal->null_query = isnull;
	if (isnull)
		nv_query_set_zero(space, &goal->query);
	else
		nv_query_set(space, query, &goal->query);
	goal->filter = nv_filter_make(&searcher->core->attributes, keys, nkeys);
	MemoryContextSwitchTo(old);
	searcher->method->take_settings(searcher, goal);
	goal->radius = INFINITY;
	goal->any_order = false;
	return goal;
}

/* Set a radius. */
void
nv_search_within(NvSearcher *searcher, double radius, bool any_order)
{
	NvSearchGoal *goal = &searcher->goal;

	Assert(!searcher->started && !isnan(radius));
	/* an infinite one is a limit, too: no distance is so large */
	goal->radius = Max(Min(radius, DBL_MAX), -DBL_MAX);
	goal->any_order = any_order;
	goal->most = PG_INT32_MAX;
	if (any_order)
		goal->order = NV_ITERATIVE_RELAXED;
	else if (goal->order == NV_ITERATIVE_OFF)
		goal->order = NV_ITERATIVE_STRICT;
}

/* Start the search, or do its next step. */
bool
nv_search_step(NvSearcher *searcher)
{
	const NvSearchMethod *method = searcher->method;
	MemoryContext old;

	if (searcher->started && !searcher->stepping)
		return false;
	old = MemoryContextSwitchTo(searcher->context);
	if (!searcher->started)
	{
		Assert(searcher->goal.effort > 0 && searcher->goal.most > 0);
		Assert(nv_results_waiting(&searcher->results) == 0);
		searcher->started = true;
		INSTR_TIME_SET_CURRENT(searcher->begun);
		method->start(searcher);
		searcher->stepping = method->step != NULL;
	}
	else
		searcher->stepping = method->step(searcher);
	MemoryContextSwitchTo(old);
	return searcher->stepping;
}

/* The row of a result, which must be a possible one. */
static void
open_result(NvSearcher *searcher, const NvResult *result, ItemPointer tid, double *bound)
{
	Assert(!isnan(result->bound));
	*tid = nv_item_row(result->item);
	*bound = result->bound;
	/* PostgreSQL would add a page to the table where the block is none */
	if (!nv_row_possible(tid))
		nv_index_damaged(searcher->core->rel, "it leads to row (%u,%u), which cannot be",
						 ItemPointerGetBlockNumberNoCheck(tid),
						 ItemPointerGetOffsetNumberNoCheck(tid));
}

/* Find the next row. */
bool
nv_search_next(NvSearcher *searcher, ItemPointer tid, double *bound)
{
	MemoryContext old;
	NvResult	result;
	bool		found;

	while (nv_search_step(searcher))
		;
	old = MemoryContextSwitchTo(searcher->context);
	found = searcher->method->next(searcher, &result);
	MemoryContextSwitchTo(old);
	searcher->ended = !found;
	searcher->returned += found;
	if (!found)
		return false;
	open_result(searcher, &result, tid, bound);
	return true;
}

/* Take what waits and will not go out. */
bool
nv_search_left_over(NvSearcher *searcher, ItemPointer tid, double *bound)
{
	NvResults  *results = &searcher->results;

	Assert(searcher->ended);
	if (nv_results_waiting(results) == 0)
		return false;
	/* no heap any more */
	results->nready = 0;
	open_result(searcher, &results->results[--results->n], tid, bound);
	return true;
}

/* Free a searcher, and what its method keeps for one search. */
void
nv_searcher_end(NvSearcher *searcher)
{
	finish(searcher);
	MemoryContextDelete(searcher->context);
	pfree(searcher);
}
