/*-------------------------------------------------------------------------
 *
 * hnsw_scan.c
 *		Searches an hnsw index: nearest first.
 *
 * What goes out are lower bounds of the distances: whoever drives the search computes
 * the exact ones from the rows and puts them in order.
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
#include "hnsw/hnsw_map.h"

#include <limits.h>
#include <math.h>

#include "miscadmin.h"
#include "nv_guc.h"
#include "utils/memutils.h"

/*
 * In a search within a radius, in any order, so many rows wait at most while it reads what
 * is left of the index.
 */
#define MOST_WAITING 4096

/* When a search goes on, ef grows by one part in so many of itself. */
#define GROWTH_PART 8

/*
 * A search that may go on is sure of the nearer half of its ef candidates, but
 * of so many if ef is small: a scan compares exact distances, and takes a
 * few more rows than it returns.  LIMIT 10 should not need a second round.
 */
#define LEAST_SURE 16

/* An ef_search below this counts as halfway to it, or as LEAST_SURE. */
#define SMALL_EF 20

/* Where nodes have no codes, ef is larger by one part in so many; with a filter, twice as large. */
#define EXACT_PART 8

/*
 * Up to a radius ef is larger by one part in so many, since a row that is missed is not made
 * up for by one that is farther; and each time that the search goes on it is doubled, since
 * whoever sets a radius wants all that is within.
 */
#define RADIUS_PART 2
#define RADIUS_GROWTH 2

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
 * Where so much fewer of the neighbors of visited nodes pass than of all nodes, what
 * matches is far from the query, and the graph leads to it late.
 */
#define AT_ODDS 0.25

/*
 * Then, and when the walk took as long as reading all would have, up to so many times as
 * many are read.
 */
#define READS_INSTEAD 4

/* Flags of a result's item, beside the place of its row. */
#define ITEM_LAST 1				/* of the rows of its node */
#define ITEM_FULL 2				/* whose places for rows are all taken */

typedef struct HnswSearcher
{
	NvSearcher	base;
	HnswIndex	ix;
	HnswSearch *search;
	uint32		top;			/* where it began, on the highest level */
	bool		entered;		/* and came to level 0 */
	int			tries;			/* how often it began again */
	int			ef;				/* of the search so far */
	float		widened;		/* by the search itself, since estimates are poor */
	bool		going_on;		/* beyond the first ef; then limits count */
	bool		finished;		/* the search found all that it will */
	bool		out_of_memory;	/* since it had no memory to go on */
	const char *strategy;		/* how it searches, for people */
	int			rounds;			/* how often it went on, and the first time */
	bool		reading;		/* it left the graph, and reads on when rows have gone out */
	int64		nvisited;		/* rows of nodes visited */
	int			ninside;		/* nodes visited that are within the radius, if there is one */
	int			nfull;			/* nodes visited whose places for rows are all taken */
	float		error;			/* the largest of a node visited */
	int			nout;			/* nodes whose rows have gone out */
	int			nfull_out;		/* of these, full ones */

	/* with a filter */
	HnswPassing passing;
	double		most_read;		/* so many nodes are read without the graph */
	uint32		most_visits;	/* through the graph, before that is tried after all */
} HnswSearcher;

/* Open an index for searches. */
static NvSearcher *
open_searcher(Relation rel)
{
	HnswSearcher *s = palloc0(sizeof(HnswSearcher));

	hnsw_open(&s->ix, rel);
	nv_searcher_init(&s->base, &hnsw_search_method, &s->ix.core,
					 AllocSetContextCreate(CurrentMemoryContext, "hnsw scan",
										   0, FIRST_BLOCK, MOST_BLOCK));
	return &s->base;
}

/* Fill in a goal from settings. */
static void
take_settings(const NvSearcher *base, NvSearchGoal *goal)
{
	double		memory = (double) work_mem * 1024 * hnsw_scan_mem_multiplier;

	goal->effort = hnsw_ef_search;
	goal->order = hnsw_iterative_scan;
	goal->most = hnsw_max_scan_tuples;
	/* of 32 bits, a Size may have no room for so much */
	goal->memory = (Size) Min(memory, (double) MaxAllocHugeSize);
}

/* The most that ef_search can be. */
static int
most_effort(const NvSearcher *base)
{
	return HNSW_MAX_EF_SEARCH;
}

/* The item of a row. */
static inline uint64
item_of(const ItemPointerData *tid, int flags)
{
	return nv_item(ItemPointerGetBlockNumberNoCheck(tid), ItemPointerGetOffsetNumberNoCheck(tid),
				   (uint16) flags);
}

/* Add the rows of a node, which all have the same bound. */
static void
add_rows(HnswSearcher *s, const HnswNode *node, double bound)
{
	const ItemPointerData *tids = HNSW_TIDS(&s->ix.layout, node);
	int			flags = node->ntids == s->ix.meta.node_tids ? ITEM_FULL : 0;
	uint64		last = item_of(&tids[0], flags);

	for (int i = 1; i < node->ntids; i++)
	{
		uint64		item = item_of(&tids[i], flags);

		nv_results_add(&s->base.results, bound, Min(item, last), false);
		last = Max(item, last);
	}
	nv_results_add(&s->base.results, bound, last | ITEM_LAST, false);
}

/* Whether the search ends at a radius. */
static inline bool
has_radius(const HnswSearcher *s)
{
	return !isinf(s->base.goal.radius);
}

/* Whether memory and settings let the search go on. */
static bool
may_go_on(const HnswSearcher *s)
{
	Size		more;

	if (has_radius(s))
		return !s->reading || nv_results_waiting(&s->base.results) < MOST_WAITING;
	if (!s->going_on)
		return true;
	more = nv_results_growth(&s->base.results, HNSW_NODE_TIDS);
	return s->nvisited < s->base.goal.most &&
		(more == 0 || hnsw_search_memory(s->search) + more <= s->base.goal.memory);
}

/* Take over a node that the search visits; false when it must not go on. */
static bool
take_node(void *arg, const HnswNode *node, float distance)
{
	HnswSearcher *s = arg;
	double		bound;

	Assert(node->level == 0 && node->ntids <= s->ix.meta.node_tids);
	if ((node->flags & HNSW_DEAD) != 0 || node->ntids == 0)
		return true;
	bound = nv_space_lower_bound(&s->ix.space, &s->base.goal.query, distance, node->error);
	s->error = Max(s->error, node->error);
	s->nvisited += node->ntids;
	s->nfull += node->ntids == s->ix.meta.node_tids;
	if (!nv_search_takes(&s->base.goal, bound))
		return may_go_on(s);
	s->ninside++;
	/* too late for a strict order; a node is visited once, so nothing comes twice */
	if (s->base.goal.order == NV_ITERATIVE_RELAXED || !(bound < s->base.results.last.bound))
		add_rows(s, node, bound);
	return may_go_on(s);
}

/* The first so many of ef candidates are those that a search is sure of. */
static double
count_sure(const HnswSearcher *s)
{
	return Max(s->ef / (2 * s->widened), LEAST_SURE);
}

/*
 * Have out what is within the radius of the search.  Beyond the first ef, where many
 * are nearly as far as one another, that is less by what the bounds of nodes that were
 * not visited may be below their distances: or else these would come too late.
 */
static void
set_horizon(HnswSearcher *s, bool first)
{
	float		radius = s->finished ? INFINITY : hnsw_search_radius(s->search);
	double		horizon = INFINITY;

	if (!isinf(radius))
		horizon = nv_space_lower_bound(&s->ix.space, &s->base.goal.query, radius,
									   first ? 0 : s->error);
	/* all that is within the radius of the goal was found, as surely as the nearest rows are */
	if (has_radius(s) && horizon >= s->base.goal.radius && s->ninside <= count_sure(s))
		s->finished = true;
	nv_results_ready(&s->base.results,
					 s->finished || s->base.goal.any_order ? INFINITY : horizon);
}

/* Read what is left of the index, or as much of it as there is room for now. */
static void
read_on(HnswSearcher *s)
{
	if (hnsw_nvisited(s->search) > 0 && !s->reading)
		s->strategy = s->base.goal.filter == NULL ? "graph, then all other nodes" :
			"graph, then all other nodes that may match";
	s->reading = s->base.goal.any_order;
	s->reading = hnsw_search_rest(s->search) && s->reading;
	s->finished = !s->reading;
}

/*
 * Read the rest of the index, if the scan is allowed so many rows, as far as those
 * that it met tell how many there are.  Then there is room for them: growing with
 * each quarter, it would leave many holes behind.
 */
static bool
read_rest(HnswSearcher *s)
{
	double		rows;

	if (s->base.goal.order == NV_ITERATIVE_OFF)
		return false;
	rows = s->base.goal.filter != NULL ? s->passing.n :
		(double) hnsw_count_slots(&s->ix) * s->nvisited / Max(hnsw_nvisited(s->search), 1);
	/* within a radius there is no other limit, nor is all that is read kept */
	if (!has_radius(s) &&
		(rows > s->base.goal.most || s->nvisited >= s->base.goal.most ||
		 hnsw_search_memory(s->search) + rows * sizeof(NvResult) > s->base.goal.memory))
		return false;
	hnsw_search_leave_graph(s->search);
	if (!has_radius(s))
		nv_results_reserve(&s->base.results, (int) Min(rows + HNSW_NODE_TIDS, INT_MAX));
	read_on(s);
	return true;
}

/*
 * What a search that ran out of nodes did not reach comes before what is far goes out.  Up to
 * a radius, so does what it had no memory to reach: reading the index takes next to none.
 */
static void
read_unreached(HnswSearcher *s)
{
	if (hnsw_search_ran_out(s->search) ||
		(has_radius(s) && (s->finished || isinf(hnsw_search_radius(s->search)))))
		read_rest(s);
}

/* How many candidates the search keeps at first. */
static int
first_ef(const HnswSearcher *s)
{
	int			ef = s->base.goal.effort;

	/* estimates have a search visit more than ef nodes; without them it ends earlier */
	if (s->ix.meta.bits == 0)
		ef += s->base.goal.filter != NULL ? ef : ef / EXACT_PART;
	if (has_radius(s))
		ef += ef / RADIUS_PART;
	if (s->base.goal.order != NV_ITERATIVE_OFF && ef < SMALL_EF)
		ef = Max(LEAST_SURE, (ef + SMALL_EF) / 2);
	return ef;
}

/* Whether the search has gone so far that reading the rest of the index takes less time. */
static bool
may_read_rest(const HnswSearcher *s, int ef)
{
	if (s->base.goal.filter == NULL)
		return (uint32) ef >= hnsw_count_slots(&s->ix) / REST_PART;
	return (uint32) ef >= s->passing.n / REST_PART ||
		hnsw_nvisited(s->search) >= s->most_visits;
}

/* Find out which nodes may pass the filter, and how many are better read without the graph. */
static void
apply_filter(HnswSearcher *s)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(s->ix.rel);

	hnsw_map_search(&s->ix, s->base.goal.filter, &s->passing);
	hnsw_search_filter(s->search, s->base.goal.filter, &s->passing);
	s->most_read = hnsw_most_read(blocks, hnsw_count_slots(&s->ix), s->ef);
	s->most_visits = (uint32) Min(Max(s->passing.n / hnsw_reads_per_visit(blocks), s->ef),
								  PG_INT32_MAX);
}

/* Read all nodes that may pass, and were not visited.  Every row that matches is found then. */
static void
read_passing(HnswSearcher *s)
{
	read_on(s);
	set_horizon(s, true);
}

/*
 * Give up on the graph where it leads to few matches, or there are few, which the map did
 * not know, or where it takes too long; unless there are too many to read.  Returns
 * whether it did.
 */
static bool
leave_graph(HnswSearcher *s, bool ended)
{
	double		share;

	if (s->base.goal.filter == NULL)
		return false;
	share = s->passing.n / Max((double) hnsw_count_slots(&s->ix), 1);
	if (!ended && hnsw_nvisited(s->search) < s->most_visits)
		return false;
	if (ended && hnsw_search_passed(s->search) >= AT_ODDS * share &&
		s->passing.n * hnsw_search_matched(s->search) > s->most_read)
		return false;
	if (s->passing.n > READS_INSTEAD * s->most_read &&
		s->passing.n > (uint32) s->base.goal.most)
		return false;
	hnsw_search_leave_graph(s->search);
	read_passing(s);
	return true;
}

/* Find the way down, and start to search level 0 from there. */
static void
enter(HnswSearcher *s)
{
	int			top_level;
	uint32		entry;

	hnsw_get_entry(&s->ix, &s->top, &top_level);
	if (s->top == HNSW_NO_SLOT)
	{
		s->entered = false;
		s->finished = true;
		return;
	}
	entry = hnsw_descend(s->search, &s->base.goal.query, s->top, top_level, 0);
	s->entered = entry != HNSW_NO_SLOT;
	if (s->entered)
		hnsw_search_start(s->search, &s->base.goal.query, entry, 0, s->ef);
}

/* Start to search for the first ef candidates. */
static void
start(NvSearcher *base)
{
	HnswSearcher *s = (HnswSearcher *) base;

	s->ef = first_ef(s);
	s->going_on = s->finished = s->reading = false;
	s->strategy = "graph";
	s->rounds = 1;
	s->tries = 0;
	s->out_of_memory = false;
	s->nvisited = 0;
	s->ninside = 0;
	s->widened = 1;
	s->error = 0;
	s->nfull = s->nout = s->nfull_out = 0;
	s->search = hnsw_search_begin(&s->ix, false);
	hnsw_search_visitor(s->search, take_node, s);
	if (s->base.goal.filter != NULL)
	{
		apply_filter(s);
		if (s->passing.n <= s->most_read)
		{
			hnsw_search_skip_graph(s->search, &s->base.goal.query);
			s->strategy = "nodes that may match";
			read_passing(s);
			return;
		}
	}
	enter(s);
}

/*
 * Search on until there are as many nodes beside those that have the vector of another one
 * as there should be.  Nothing is nearer than one at no distance.
 */
static void
look_beside_twins(HnswSearcher *s)
{
	const int	wanted = hnsw_search_ef(s->search);

	while (!s->finished && (s->ix.space.ip || hnsw_search_radius(s->search) > 0))
	{
		int			ef = hnsw_ef_beside_twins(s->search, wanted);

		if (ef == hnsw_search_ef(s->search) ||
			(may_read_rest(s, ef) && read_rest(s)) ||
			!hnsw_search_more(s->search, ef, s->base.goal.memory))
			break;
	}
}

/* Visit a node, or begin again; false when the first ef candidates were found. */
static bool
step(NvSearcher *base)
{
	HnswSearcher *s = (HnswSearcher *) base;

	if (s->finished || s->reading)
		return false;
	if (s->entered && hnsw_search_step(s->search))
		return !leave_graph(s, false);
	if (!s->entered || hnsw_nvisited(s->search) == 0)
	{
		/* vacuum freed the way down from under us: begin again */
		CHECK_FOR_INTERRUPTS();
		if (s->tries++ == MAX_TRIES)
			hnsw_damaged(&s->ix, s->top, "has no node below it");
		enter(s);
		return true;
	}
	if (leave_graph(s, true))
		return false;
	Assert(hnsw_search_ef(s->search) >= s->ef);
	s->going_on = true;
	look_beside_twins(s);
	s->widened = (float) hnsw_search_ef(s->search) / s->ef;
	s->ef = hnsw_search_ef(s->search);
	if (!s->finished && !s->reading)
		read_unreached(s);
	set_horizon(s, true);
	return false;
}

/* How many nodes it takes to hold the rows that a node with all places would. */
static int
nodes_for_one(const HnswSearcher *s)
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
next_ef(const HnswSearcher *s)
{
	int			ef_search = s->base.goal.effort;

	if (has_radius(s))
		return s->ef * RADIUS_GROWTH;
	if (s->base.goal.order != NV_ITERATIVE_OFF)
		return s->ef + Max(s->ef / GROWTH_PART, 1);
	return Max(s->ef, ef_search + Min(ef_search * (nodes_for_one(s) - 1), s->nfull));
}

/* Whether another node may go out before the search goes on. */
static bool
may_go_out(const HnswSearcher *s)
{
	int			ef_search = s->base.goal.effort;

	if (s->base.goal.order == NV_ITERATIVE_OFF)
		return s->nout - s->nfull_out < ef_search && s->nout < nodes_for_one(s) * ef_search;
	return s->finished || s->base.goal.any_order || s->nout < count_sure(s);
}

/* Search on.  Returns false when there is no more, or no more is allowed. */
static bool
go_on(HnswSearcher *s)
{
	int			ef = next_ef(s);

	if (s->reading)
	{
		read_on(s);
		set_horizon(s, false);
		return true;
	}
	if (s->finished || ef == s->ef)
		return false;
	Assert(ef > s->ef);
	s->ef = ef;
	s->rounds++;
	/* when it ends, what was visited beyond the horizon is all there is left */
	if (s->nvisited >= s->base.goal.most)
		s->finished = true;
	else if (!may_read_rest(s, ef) || !read_rest(s))
	{
		s->finished = !hnsw_search_more(s->search, ef, s->base.goal.memory);
		s->out_of_memory = s->finished && !hnsw_search_ran_out(s->search);
		read_unreached(s);
	}
	set_horizon(s, false);
	return true;
}

/* Take out the next result. */
static bool
next(NvSearcher *base, NvResult *result)
{
	HnswSearcher *s = (HnswSearcher *) base;
	const NvResult *r = NULL;

	while (!may_go_out(s) || (r = nv_results_peek(&base->results)) == NULL)
	{
		if (!go_on(s))
			return false;
	}
	*result = *r;
	nv_results_pop(&base->results);
	s->nout += (result->item & ITEM_LAST) != 0;
	s->nfull_out += (result->item & (ITEM_LAST | ITEM_FULL)) == (ITEM_LAST | ITEM_FULL);
	return true;
}

/* Why the search ended, if next() said so. */
static NvSearchEnd
end_of(const HnswSearcher *s)
{
	if (!s->base.ended)
		return NV_END_ENOUGH;
	if (has_radius(s))
		return NV_END_RADIUS;
	if (s->base.goal.order == NV_ITERATIVE_OFF && !s->finished)
		return NV_END_EFFORT;
	if (s->nvisited >= s->base.goal.most)
		return NV_END_MOST;
	return s->out_of_memory ? NV_END_MEMORY : NV_END_ALL;
}

/* Tell what the search did. */
static void
count(const NvSearcher *base, NvSearchCounts *counts)
{
	const HnswSearcher *s = (const HnswSearcher *) base;

	counts->strategy = s->strategy;
	counts->rounds = s->rounds;
	counts->end = end_of(s);
	hnsw_search_count(s->search, counts);
}

const NvSearchMethod hnsw_search_method = {
	.open = open_searcher,
	.take_settings = take_settings,
	.most_effort = most_effort,
	.start = start,
	.step = step,
	.next = next,
	.count = count
};
