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
 * ef_search had been larger.
 *
 * The search hands over each node that it visits, of which only the places of
 * its rows are kept, until they go out.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <limits.h>
#include <math.h>

#include "am/am_results.h"
#include "am/am_scan.h"
#include "miscadmin.h"
#include "nv_guc.h"
#include "utils/memutils.h"

/* By what part of itself ef grows when a search goes on. */
#define GROWTH_PART 8

/*
 * A search that may go on is sure of the nearer half of its ef candidates, but
 * of so many if ef is small: the executor compares exact distances, and takes a
 * few more rows than it returns.  LIMIT 10 should not need a second round.
 */
#define LEAST_SURE 16

/* An ef_search below this counts as halfway to it, or as LEAST_SURE. */
#define SMALL_EF 20

/* So much more ef is where nodes have no codes. */
#define EXACT_PART 8

/*
 * When ef comes to this part of all nodes, the scan reads the rest of the index
 * as it lies on disk, which takes less time than what went before; and far from
 * the query, where nodes are nearly as far as one another, the graph would lead
 * to many too late for a strict order.
 */
#define REST_PART 8

/*
 * Blocks of the search's memory.  They are so small that what is more than 1 kB has
 * a block of its own: arrays grow while memory is short, and pieces of blocks that
 * they left would stay with the context, and count.
 */
#define FIRST_BLOCK (4 * 1024)
#define MOST_BLOCK (8 * 1024)

/* How often a search begins again when its way ends in freed nodes. */
#define MAX_TRIES 100

/*
 * The item of a result is the place of its row, and these.  So rows with the
 * same bound go out as they lie in the table.
 */
#define ITEM_LAST 1				/* of the rows of its node */
#define ITEM_FULL 2				/* whose places for rows are all taken */

typedef struct HnswScan
{
	HnswIndex	ix;
	NvQuery		query;
	bool		null_query;
	bool		started;
	bool		finished;		/* the search found all that it will */

	/* settings when the first row was asked for */
	NvIterativeScan iterative;
	int			ef_search;
	int			max_rows;
	Size		memory;

	HnswSearch *search;
	int			ef;				/* of the search so far */
	float		widened;		/* by the search itself, since estimates are poor */
	bool		going_on;		/* beyond the first ef; then limits count */
	int64		nvisited;		/* rows of nodes visited */
	int			nfull;			/* nodes visited whose places for rows are all taken */
	float		error;			/* the largest of a node visited */
	NvResults	results;
	int			nout;			/* nodes whose rows have gone out */
	int			nfull_out;		/* of these, full ones */
	MemoryContext search_context;
} HnswScan;

IndexScanDesc
hnsw_begin_scan(Relation rel, int nkeys, int norderbys)
{
	HnswScan   *s = palloc0(sizeof(HnswScan));

	hnsw_open(&s->ix, rel);
	nv_query_alloc(&s->ix.space, &s->query);
	s->search_context = AllocSetContextCreate(CurrentMemoryContext, "hnsw scan",
											  0, FIRST_BLOCK, MOST_BLOCK);
	return nv_scan_begin(rel, nkeys, norderbys, s);
}

void
hnsw_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	HnswScan   *s = scan->opaque;

	nv_scan_take_order(scan, orderbys);
	MemoryContextReset(s->search_context);
	s->started = s->finished = s->going_on = false;
	s->search = NULL;
	nv_results_reset(&s->results);
	s->nvisited = 0;
	s->error = 0;
	s->nfull = s->nout = s->nfull_out = 0;
}

void
hnsw_end_scan(IndexScanDesc scan)
{
	HnswScan   *s = scan->opaque;

	MemoryContextDelete(s->search_context);
	pfree(s);
	scan->opaque = NULL;
}

static inline uint64
item_of_row(const ItemPointerData *tid, int flags)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 32 |
		(uint64) ItemPointerGetOffsetNumberNoCheck(tid) << 16 | flags;
}

/* Add the rows of a node, which all have the same bound. */
static void
add_rows(HnswScan *s, const HnswNode *node, double bound)
{
	const ItemPointerData *tids = HNSW_TIDS(&s->ix.layout, node);
	int			flags = node->ntids == s->ix.meta.node_tids ? ITEM_FULL : 0;
	uint64		last = item_of_row(&tids[0], flags);

	for (int i = 1; i < node->ntids; i++)
	{
		uint64		item = item_of_row(&tids[i], flags);

		nv_results_add(&s->results, bound, Min(item, last), false);
		last = Max(item, last);
	}
	nv_results_add(&s->results, bound, last | ITEM_LAST, false);
}

/* Take over a node that the search visits; false when it must not go on. */
static bool
take_node(void *arg, const HnswNode *node, float distance)
{
	HnswScan   *s = arg;
	double		bound;
	Size		more;

	Assert(node->level == 0 && node->ntids <= s->ix.meta.node_tids);
	if ((node->flags & HNSW_DEAD) != 0 || node->ntids == 0)
		return true;
	bound = nv_space_lower_bound(&s->ix.space, &s->query, distance, node->error);
	s->error = Max(s->error, node->error);
	s->nvisited += node->ntids;
	s->nfull += node->ntids == s->ix.meta.node_tids;
	/* too late for a strict order; a node is visited once, so nothing comes twice */
	if (s->iterative == NV_ITERATIVE_RELAXED || !(bound < s->results.last.bound))
		add_rows(s, node, bound);
	if (!s->going_on)
		return true;
	more = nv_results_growth(&s->results, HNSW_NODE_TIDS);
	return s->nvisited < s->max_rows &&
		(more == 0 || hnsw_search_memory(s->search) + more <= s->memory);
}

/*
 * Have out what is within the radius of the search.  Beyond the first ef, where many
 * are nearly as far as one another, that is less by what the bounds of nodes that were
 * not visited may be below their distances: or else these would come too late.
 */
static void
set_horizon(HnswScan *s, bool first)
{
	float		radius = s->finished ? INFINITY : hnsw_search_radius(s->search);

	nv_results_ready(&s->results, isinf(radius) ? INFINITY :
					 nv_space_lower_bound(&s->ix.space, &s->query, radius,
										  first ? 0 : s->error));
}

/* Memory that a search may take when it goes on. */
static Size
search_memory(void)
{
	double		limit = (double) work_mem * 1024 * hnsw_scan_mem_multiplier;

	/* of 32 bits, a Size may have no room for so much */
	return (Size) Min(limit, (double) MaxAllocHugeSize);
}

static void
take_settings(HnswScan *s)
{
	s->iterative = hnsw_iterative_scan;
	s->ef_search = s->ef = hnsw_ef_search;
	/* estimates have a search visit more than ef nodes; without them it ends earlier */
	if (s->ix.meta.bits == 0)
		s->ef += s->ef / EXACT_PART;
	if (s->iterative != NV_ITERATIVE_OFF && s->ef < SMALL_EF)
		s->ef = Max(LEAST_SURE, (s->ef + SMALL_EF) / 2);
	s->max_rows = hnsw_max_scan_tuples;
	s->memory = search_memory();
}

/*
 * Read the rest of the index, if the scan is allowed so many rows, as far as those
 * that it met tell how many there are.  Then there is room for them: growing with
 * each quarter, it would leave many holes behind.
 */
static bool
read_rest(HnswScan *s)
{
	double		rows;

	if (s->iterative == NV_ITERATIVE_OFF)
		return false;
	rows = (double) hnsw_count_slots(&s->ix) * s->nvisited / Max(hnsw_nvisited(s->search), 1);
	if (rows > s->max_rows || s->nvisited >= s->max_rows ||
		hnsw_search_memory(s->search) + rows * sizeof(NvResult) > s->memory)
		return false;
	nv_results_reserve(&s->results, (int) Min(rows + HNSW_NODE_TIDS, INT_MAX));
	hnsw_search_rest(s->search);
	s->finished = true;
	return true;
}

/* What a search that ran out of nodes did not reach comes before what is far goes out. */
static void
read_unreached(HnswScan *s)
{
	if (hnsw_search_ran_out(s->search))
		read_rest(s);
}

static void
start(IndexScanDesc scan, HnswScan *s)
{
	uint32		top,
				entry;
	int			entry_level;

	s->started = true;
	take_settings(s);
	s->null_query = nv_scan_start(scan, &s->ix.space, &s->query);
	s->search = hnsw_search_begin(&s->ix, false);
	hnsw_search_visitor(s->search, take_node, s);
	for (int tries = 0;; tries++)
	{
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
			if (hnsw_nvisited(s->search) > 0)
				break;
		}
		/* vacuum freed the way down from under us: begin again */
		CHECK_FOR_INTERRUPTS();
		if (tries == MAX_TRIES)
			hnsw_damaged(&s->ix, top, "has no node below it");
	}
	Assert(hnsw_search_ef(s->search) >= s->ef);
	s->widened = (float) hnsw_search_ef(s->search) / s->ef;
	s->ef = hnsw_search_ef(s->search);
	s->going_on = true;
	read_unreached(s);
	set_horizon(s, true);
}

/* So many nodes hold the rows that one with all places would. */
static int
nodes_for_one(const HnswScan *s)
{
	return HNSW_NODE_TIDS / s->ix.meta.node_tids;
}

/*
 * What ef should be for another node to go out, or what it is if none should.
 * Without going on, ef_search nodes go out.  Where nodes have few places for rows,
 * full ones, whose vector may have more rows in others, are not counted, as far as
 * that makes no more than HNSW_NODE_TIDS rows for each of ef_search.
 */
static int
next_ef(const HnswScan *s)
{
	if (s->iterative != NV_ITERATIVE_OFF)
		return s->ef + Max(s->ef / GROWTH_PART, 1);
	return Max(s->ef, s->ef_search + Min(s->ef_search * (nodes_for_one(s) - 1), s->nfull));
}

/* Whether another node may go out before the search goes on. */
static bool
may_go_out(const HnswScan *s)
{
	if (s->iterative == NV_ITERATIVE_OFF)
		return s->nout - s->nfull_out < s->ef_search && s->nout < nodes_for_one(s) * s->ef_search;
	return s->finished || s->nout < Max(s->ef / (2 * s->widened), LEAST_SURE);
}

/* Search on; false when there is no more, or no more is allowed. */
static bool
go_on(HnswScan *s)
{
	int			ef = next_ef(s);

	if (s->finished || ef == s->ef)
		return false;
	Assert(ef > s->ef);
	s->ef = ef;
	/* when it ends, what was visited beyond the horizon is all there is left */
	if (s->nvisited >= s->max_rows)
		s->finished = true;
	else if ((uint32) ef < hnsw_count_slots(&s->ix) / REST_PART || !read_rest(s))
	{
		s->finished = !hnsw_search_more(s->search, ef, s->memory);
		read_unreached(s);
	}
	set_horizon(s, false);
	return true;
}

bool
hnsw_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	HnswScan   *s = scan->opaque;
	MemoryContext old = MemoryContextSwitchTo(s->search_context);
	const NvResult *r = NULL;

	if (!s->started)
		start(scan, s);
	while (!may_go_out(s) || (r = nv_results_peek(&s->results)) == NULL)
	{
		if (!go_on(s))
			break;
	}
	if (r != NULL)
	{
		ItemPointerData tid;

		ItemPointerSet(&tid, (BlockNumber) (r->item >> 32), (OffsetNumber) (r->item >> 16));
		nv_scan_return(scan, &s->ix.space, s->null_query, r->bound, &tid);
		s->nout += (r->item & ITEM_LAST) != 0;
		s->nfull_out += (r->item & (ITEM_LAST | ITEM_FULL)) == (ITEM_LAST | ITEM_FULL);
		nv_results_pop(&s->results);
	}
	MemoryContextSwitchTo(old);
	return r != NULL;
}
