/*-------------------------------------------------------------------------
 *
 * am_search.h
 *		A search of an index, whoever drives it.
 *
 * An index scan (am_scan.c) is one way to drive a search; other code that wants the
 * nearest rows to a vector opens a searcher itself:
 *
 *	searcher = nv_searcher_open(index);
 *	for each query
 *		goal = nv_search_begin(searcher, query, isnull);
 *		(change what the settings put into the goal, where that is wanted)
 *		while (nv_search_next(searcher, &tid, &bound))
 *			...
 *	nv_searcher_end(searcher);
 *
 * Rows come in the order of lower bounds of their distances.  To be sure of the
 * nearest k, the caller computes distances from the rows, and asks for more until
 * bounds are beyond the k-th distance; am_order.c does the same for index
 * scans.  The rows are for the eyes of an MVCC snapshot that was taken before
 * nv_search_begin(), and of no other: see README.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_SEARCH_H
#define NV_AM_SEARCH_H

#include "nv_compat.h"

#include <math.h>

#include "am/am_filter.h"
#include "am/am_index.h"
#include "am/am_results.h"
#include "am/am_stats.h"
#include "nv_guc.h"
#include "portability/instr_time.h"

/*
 * What to search for.  nv_search_begin() fills this in; settings are read there, and
 * nowhere else in a search.
 */
typedef struct NvSearchGoal
{
	/* Which rows: those near a query. */
	NvQuery		query;
	bool		null_query;		/* the query is NULL, all distances are; query is of zeros */
	const NvFilter *filter;		/* conditions on attributes, or NULL: any row */

	/*
	 * Rows whose bounds are not less than this are left out, and the search ends when it
	 * has found the others, but for some that it misses.  Infinite: it goes on.
	 */
	double		radius;
	bool		any_order;		/* with a radius: rows come as they are found */

	/* How hard to search. */
	int			effort;			/* at least 1: candidates to keep (hnsw), lists to look into (ivf) */
	NvIterativeScan order;		/* whether to go on when these rows are out, and in which order */
	int			most;			/* where to end then: rows visited (hnsw), lists (ivf) */
	Size		memory;			/* and how many bytes to take for that */
} NvSearchGoal;

typedef struct NvSearcher NvSearcher;

/* What a method does itself. */
typedef struct NvSearchMethod
{
	/*
	 * Open an index for searches, in memory of the current context: a struct of the
	 * method that begins with an NvSearcher, for which nv_searcher_init() was called.
	 */
	NvSearcher *(*open) (Relation index);

	/* Fill in a goal from settings: all but the query. */
	void		(*take_settings) (const NvSearcher *searcher, NvSearchGoal *goal);

	/* The most that a goal's effort can be, for this index. */
	int			(*most_effort) (const NvSearcher *searcher);

	/* Begin to search for searcher->goal; what the search before left is void. */
	void		(*start) (NvSearcher *searcher);

	/*
	 * Do the next part of what is to be done before next(), false from the last on.
	 * NULL where start() does it all.
	 */
	bool		(*step) (NvSearcher *searcher);

	/* Take out the next result; false when there is none.  It has ended then. */
	bool		(*next) (NvSearcher *searcher, NvResult *result);

	/*
	 * Tell what the search did: strategy, visited, estimated, rounds, passed and refused,
	 * and why it ended, if next() said that it did.
	 */
	void		(*count) (const NvSearcher *searcher, NvSearchCounts *counts);
} NvSearchMethod;

struct NvSearcher
{
	const NvSearchMethod *method;
	NvIndexCore *core;			/* the open index */
	MemoryContext context;		/* of one search; the current one in start(), step() and next() */
	NvSearchGoal goal;
	bool		started;
	bool		stepping;		/* nv_search_step() has more to do */
	bool		ended;			/* nv_search_next() returned false */
	int64		returned;		/* rows */
	instr_time	begun;			/* when it started */
	NvResults	results;		/* empty before start() */
};

/*
 * Fill in a searcher, for its method's open().  The core stays the caller's; the
 * context becomes the searcher's.
 */
extern void nv_searcher_init(NvSearcher *searcher, const NvSearchMethod *method,
							 NvIndexCore *core, MemoryContext context);

/*
 * Open an index of ours, which stays the caller's, for searches one after another.
 * Memory of the current context.  Errors of nv_index_open().
 */
extern NvSearcher *nv_searcher_open(Relation index);

/*
 * Begin a search for the nearest rows to a value of the index's element type, or to
 * NULL, and forget the one before.  The rows have to match these scan keys, if there are
 * any; where searcher->goal.filter is lossy, some may not.  The goal is the searcher's;
 * the caller may change what came from settings until it asks for the first row.  ERROR
 * (DATA_EXCEPTION): the value has other dimensions than the index.
 */
extern NvSearchGoal *nv_search_begin(NvSearcher *searcher, Datum query, bool isnull,
									 const ScanKeyData *keys, int nkeys);

/*
 * Have a search that was begun end at a radius, which is then the only limit: what the
 * settings say of going on does not count.  In any order, none is left out because it came
 * late.
 */
extern void nv_search_within(NvSearcher *searcher, double radius, bool any_order);

/*
 * The next row, with a lower bound of its distance; false when there is none.  ERROR
 * (INDEX_CORRUPTED).  Locks pages while it runs, and holds nothing when it returns.
 */
extern bool nv_search_next(NvSearcher *searcher, ItemPointer tid, double *bound);

/*
 * A row that a search which ended happened to find beyond those, with a lower bound of its
 * distance, in no order; false when none is left.  There are others as near.
 */
extern bool nv_search_left_over(NvSearcher *searcher, ItemPointer tid, double *bound);

/*
 * Do a part of what nv_search_next() does for the first row, or false if that is done;
 * several searches by turns hide the time that it takes to fetch pages from memory.
 */
extern bool nv_search_step(NvSearcher *searcher);

/* Whether a bound is within the radius. */
static inline bool
nv_search_takes(const NvSearchGoal *goal, double bound)
{
	return bound < goal->radius || isinf(goal->radius);
}

/* Free a searcher, and count what its last search did, as nv_search_begin() does. */
extern void nv_searcher_end(NvSearcher *searcher);

#endif							/* NV_AM_SEARCH_H */
