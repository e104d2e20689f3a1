/*-------------------------------------------------------------------------
 *
 * hnsw_scan.c
 *		Scans an hnsw index: nearest first.
 *
 * What goes out are lower bounds of the distances, with recheck: the executor
 * computes the exact ones from the rows and puts them in order.
 *
 * A search is sure of the order only up to its horizon; what it happened to
 * visit beyond waits.  When more rows are asked for, the search goes on as if
 * ef_search had been twice as large.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <math.h>

#include "am/am_results.h"
#include "am/am_scan.h"
#include "miscadmin.h"
#include "nv_guc.h"
#include "utils/memutils.h"

/* By how much ef grows at most when a search goes on. */
#define LARGEST_STEP 2048

/* How often a search begins again when its way ends in freed nodes. */
#define MAX_TRIES 100

typedef struct HnswScan
{
	HnswIndex	ix;
	NvQuery		query;
	bool		null_query;
	bool		started;
	bool		finished;		/* the search found all that it will */
	HnswSearch *search;
	int			ef;				/* of the search so far */
	int			taken;			/* of hnsw_found(), how many were made results */
	NvResults	results;		/* of which the items are numbers in hnsw_found() */
	int			next_tid;		/* of the next result, the row to return */
	int			nnodes;			/* whose rows have gone out */
	int64		nreturned;		/* rows */
	MemoryContext search_context;
} HnswScan;

IndexScanDesc
hnsw_begin_scan(Relation rel, int nkeys, int norderbys)
{
	HnswScan   *s = palloc0(sizeof(HnswScan));

	hnsw_open(&s->ix, rel);
	nv_query_alloc(&s->ix.space, &s->query);
	s->search_context = AllocSetContextCreate(CurrentMemoryContext, "hnsw scan",
											  ALLOCSET_DEFAULT_SIZES);
	return nv_scan_begin(rel, nkeys, norderbys, s);
}

void
hnsw_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	HnswScan   *s = scan->opaque;

	nv_scan_take_order(scan, orderbys);
	MemoryContextReset(s->search_context);
	s->started = false;
	s->finished = false;
	s->search = NULL;
	nv_results_reset(&s->results);
	s->next_tid = s->taken = 0;
	s->nnodes = 0;
	s->nreturned = 0;
}

void
hnsw_end_scan(IndexScanDesc scan)
{
	HnswScan   *s = scan->opaque;

	MemoryContextDelete(s->search_context);
	pfree(s);
	scan->opaque = NULL;
}

/*
 * A search that may go on is sure of the nearer half of its candidates only:
 * what it missed behind them would come too late.
 */
static float
horizon_of(const HnswScan *s)
{
	int			part = hnsw_iterative_scan == NV_ITERATIVE_OFF ? 1 : 2;

	return hnsw_horizon(s->search, (s->ef + part - 1) / part);
}

/* Add what was newly found to the results that wait. */
static void
take_results(HnswScan *s)
{
	bool		strict = hnsw_iterative_scan != NV_ITERATIVE_RELAXED;
	float		horizon = horizon_of(s);
	int			nfound;
	HnswFound  *found = hnsw_found(s->search, &nfound);

	for (int i = s->taken; i < nfound; i++)
	{
		if (!found[i].dead && found[i].ntids > 0)
			nv_results_add(&s->results,
						   nv_space_lower_bound(&s->ix.space, &s->query, found[i].distance,
												found[i].error), i, strict);
	}
	s->taken = nfound;
	nv_results_ready(&s->results, isinf(horizon) ? INFINITY :
					 nv_space_lower_bound(&s->ix.space, &s->query, horizon, 0));
}

static void
start(IndexScanDesc scan, HnswScan *s)
{
	uint32		top,
				entry;
	int			entry_level;

	s->started = true;
	s->null_query = nv_scan_start(scan, &s->ix.space, &s->query);
	s->search = hnsw_search_begin(&s->ix, false);
	s->ef = hnsw_ef_search;
	for (int tries = 0;; tries++)
	{
		int			nfound = 0;

		hnsw_get_entry(&s->ix, &top, &entry_level);
		if (top == HNSW_NO_SLOT)
		{
			s->finished = true;
			return;
		}
		entry = hnsw_descend(s->search, &s->query, top, entry_level, 0);
		if (entry != HNSW_NO_SLOT)
		{
			hnsw_search_level(s->search, &s->query, entry, 0, s->ef);
			hnsw_found(s->search, &nfound);
		}
		if (nfound > 0)
			break;
		/* vacuum freed the way down from under us: begin again */
		CHECK_FOR_INTERRUPTS();
		if (tries == MAX_TRIES)
			hnsw_damaged(&s->ix, top, "no way down from the entry point");
	}
	take_results(s);
}

/* Memory that a search may take when it goes on. */
static Size
search_limit(const HnswScan *s)
{
	double		limit = (double) work_mem * 1024 * hnsw_scan_mem_multiplier;

	/* of 32 bits, a Size may have no room for so much */
	limit = Min(limit, (double) MaxAllocHugeSize);
	/* the room for its results, in the same context, may double afterwards */
	return (Size) Max(1, limit - (double) sizeof(NvResult) * s->results.room);
}

/* Search on; false when there is no more, or no more is allowed. */
static bool
go_on(HnswScan *s)
{
	bool		more = false;

	if (!s->finished && hnsw_iterative_scan != NV_ITERATIVE_OFF &&
		s->nreturned < hnsw_max_scan_tuples)
	{
		s->ef += Min(s->ef, LARGEST_STEP);
		more = hnsw_search_more(s->search, s->ef, search_limit(s));
	}
	if (more)
		take_results(s);
	else if (!s->finished && hnsw_iterative_scan != NV_ITERATIVE_OFF)
	{
		/* what was visited beyond the horizon is all there is left */
		s->finished = true;
		nv_results_ready(&s->results, INFINITY);
		return true;
	}
	return more;
}

bool
hnsw_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	HnswScan   *s = scan->opaque;
	MemoryContext old = MemoryContextSwitchTo(s->search_context);
	bool		found = false;

	if (!s->started)
		start(scan, s);
	while (!found)
	{
		const NvResult *r;

		if (hnsw_iterative_scan == NV_ITERATIVE_OFF && s->nnodes >= hnsw_ef_search)
			break;
		r = nv_results_peek(&s->results);
		if (r != NULL)
		{
			int			nfound;
			const HnswFound *f = hnsw_found(s->search, &nfound) + r->item;

			if (s->next_tid < f->ntids)
			{
				nv_scan_return(scan, &s->ix.space, s->null_query, r->bound,
							   &f->tids[s->next_tid++]);
				s->nreturned++;
				found = true;
			}
			else
			{
				nv_results_pop(&s->results);
				s->next_tid = 0;
				s->nnodes++;
			}
		}
		else if (s->search == NULL || !go_on(s))
			break;
	}
	MemoryContextSwitchTo(old);
	return found;
}
