/*-------------------------------------------------------------------------
 *
 * am_finder.c
 *		The nearest rows of a table by exact distances, whatever its index holds of a row.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_finder.h"

#include <math.h>

#include "am/am_multi.h"
#include "am/am_search.h"
#include "miscadmin.h"
#include "pgstat.h"

struct NvFinder
{
	NvIndexedTable *table;
	NvSearcher *searcher;		/* where rows have one vector */
	NvMultiSearch *multi;		/* where they have many */
	Datum		query;
	bool		counted;		/* by PostgreSQL's statistics */
	double		last;			/* multi: the greatest distance of a row that came */
};

/* Open a table. */
NvFinder *
nv_finder_open(NvIndexedTable *table)
{
	NvFinder   *f = palloc0(sizeof(NvFinder));

	f->table = table;
	if (table->many)
		f->multi = nv_multi_open(table->index);
	else
		f->searcher = nv_searcher_open(table->index);
	return f;
}

/* Begin a search. */
void
nv_finder_begin(NvFinder *f, Datum query)
{
	f->query = query;
	f->counted = false;
	f->last = -INFINITY;
	if (f->multi != NULL)
		nv_multi_begin(f->multi, f->table->heap, f->table->snapshot, query, false, NULL, 0);
	else
		nv_search_begin(f->searcher, query, false, NULL, 0);
}

/* The effort of a search. */
int
nv_finder_effort(const NvFinder *f)
{
	return f->multi != NULL ? nv_multi_effort(f->multi) : f->searcher->goal.effort;
}

/* The most that it can be. */
int
nv_finder_most_effort(const NvFinder *f)
{
	return f->multi != NULL ? nv_multi_most_effort(f->multi) :
		f->searcher->method->most_effort(f->searcher);
}

/* Change it. */
void
nv_finder_set_effort(NvFinder *f, int effort)
{
	Assert(!f->counted && effort > 0 && effort <= nv_finder_most_effort(f));
	if (f->multi != NULL)
		nv_multi_set_effort(f->multi, effort);
	else
		f->searcher->goal.effort = effort;
}

/* End at a radius.  Rows by MaxSim come with their distances: the caller's limit is enough. */
void
nv_finder_within(NvFinder *f, double radius)
{
	if (f->multi == NULL)
		nv_search_within(f->searcher, radius, false);
}

/* Do a part of the search. */
bool
nv_finder_step(NvFinder *f)
{
	return f->multi == NULL && nv_search_step(f->searcher);
}

/* Search on for one vector, and look at the row. */
static bool
next_single(NvFinder *f, double limit, double *distance)
{
	ItemPointerData tid;
	double		bound;

	while (nv_search_next(f->searcher, &tid, &bound))
	{
		CHECK_FOR_INTERRUPTS();
		if (bound >= limit && !isinf(limit))
			break;
		if (nv_table_measure(f->table, &tid, f->query, distance))
			return true;
	}
	return false;
}

/*
 * Search on by MaxSim.  Rows come in the order of their distances, but for those that a
 * relaxed order has late: so none that is to come has to be nearer than the last.
 */
static bool
next_multi(NvFinder *f, double limit, double *distance)
{
	ItemPointerData tid;
	bool		isnull;
	bool		lossy;

	while ((f->last < limit || isinf(limit)) &&
		   nv_multi_next(f->multi, &tid, distance, &isnull, &lossy))
	{
		CHECK_FOR_INTERRUPTS();
		/* an empty query has no distance from any row */
		if (isnull)
			break;
		f->last = Max(f->last, *distance);
		if (nv_table_fetch(f->table, &tid))
			return true;
	}
	return false;
}

/* Search on, and look at the row. */
bool
nv_finder_next(NvFinder *f, double limit, double *distance)
{
	if (!f->counted)
	{
		f->counted = true;
		pgstat_count_index_scan(f->table->index);
	}
	if (f->multi != NULL ? next_multi(f, limit, distance) : next_single(f, limit, distance))
		return true;
	table_index_fetch_reset(f->table->fetch);
	return false;
}

/* Search, and look at the rows until none of those to come can be nearer. */
int
nv_finder_nearest(NvFinder *f, int k, double radius, NvNeighbor *out)
{
	/* those that are just as far are within */
	double		beyond = nextafter(radius, INFINITY);
	double		distance;
	int			n = 0;

	while (nv_finder_next(f, n == k ? Min(beyond, out[0].distance) : beyond, &distance))
	{
		if (distance <= radius)
			nv_neighbors_add(out, &n, k, distance, &f->table->slot->tts_tid);
	}
	nv_neighbors_sort(out, n);
	return n;
}

/* Free a finder. */
void
nv_finder_close(NvFinder *f)
{
	if (f->multi != NULL)
		nv_multi_close(f->multi);
	else
		nv_searcher_end(f->searcher);
	pfree(f);
}
