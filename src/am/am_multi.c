/*-------------------------------------------------------------------------
 *
 * am_multi.c
 *		Searches of indexes that have many vectors a row, by MaxSim.
 *
 * A search goes in rounds.  In each, every vector of the query is searched for, with the
 * same effort, several of them by turns; in the next with twice the effort.  What a row
 * was found with adds up to a bound of its distance: a search that did not find it counts
 * with the distance of the last row that it found, since it is that far away at least.
 * A score estimates the distance: there, such a search counts with the distance of rows
 * that it did not find, as an estimate of that has it; or with the row's own, if it happened
 * to meet the row up to there.  At first the estimate is a guess, as much more as the last
 * row that it found is farther than the first; then it is the mean of that and of rows that
 * were refined, and scores are computed anew whenever twice as many were.  Rows are refined,
 * which means that their distances are computed from the table, in the order of scores, and
 * go out in the order of distances.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_multi.h"

#include <limits.h>
#include <math.h>

#include "am/am_nearest.h"
#include "am/am_rowvectors.h"
#include "am/am_search.h"
#include "distance/maxsim.h"
#include "miscadmin.h"
#include "nv_random.h"
#include "utils/memutils.h"

/* So many searches run by turns. */
#define LANES 8

/*
 * So many rows are refined before the first goes out, for each of the effort (ef_search);
 * and this many times as many as when the last of those that go out was found: where good
 * rows come late, others may come later.  Measured: see docs/design-notes.md.
 */
#define FIRST_PART 2
#define BEYOND_LATEST 4

/* They are refined in portions, after which it is looked whether one may go out. */
#define PORTION 16

/* What is guessed of rows that a search did not find counts as so many that were measured. */
#define GUESS_ROWS 8

/* A row that was found. */
typedef struct FoundRow
{
	uint64		item;			/* its place: nv_item(); the key */
	float		gain;			/* by how much its bound is less than that of rows not found */
	float		score;			/* likewise, of its estimated distance; more is nearer */
	int			query;			/* the last vector, counted from 1, whose search found it */
	bool		refined;		/* or not visible */
	bool		measured;		/* its distances are in the sums of vectors of the query */
	char		status;			/* of the hash table */
} FoundRow;

#define SH_PREFIX rowtable
#define SH_ELEMENT_TYPE FoundRow
#define SH_KEY_TYPE uint64
#define SH_KEY item
#define SH_HASH_KEY(table, key) ((uint32) nv_mix(key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A row that the search for one vector found. */
typedef struct Finding
{
	uint64		item;
	double		bound;
} Finding;

/* A vector of the query, and what the search for it found. */
typedef struct QueryVector
{
	Finding    *findings;		/* nearest first, each row once; of the last round */
	int			n;
	double		farthest;		/* of those that the search is sure of */
	double		guess;			/* as much more as that is farther than the first */
	double		sum;			/* of the distances from all rows that were measured */
} QueryVector;

/* A row to be refined. */
typedef struct Candidate
{
	uint64		item;
	float		score;
	float		gain;			/* the greatest of it and those that come behind */
} Candidate;

struct NvMultiSearch
{
	Relation	index;
	NvSearcher *searchers[LANES];	/* opened when they are needed */
	MemoryContext context;		/* of one search */
	MemoryContext row;			/* of one row that is refined */
	bool		table_open;
	NvIndexedTable table;

	/* what to search for */
	NvVectors	query;
	NvMaxSim   *maxsim;			/* NULL: all distances are */
	QueryVector *vectors;		/* query.n */
	const ScanKeyData *keys;
	int			nkeys;
	NvIterativeScan order;
	int			first_effort;	/* of the first round */
	int			most_effort;
	int			most;			/* rows to be found */
	Size		memory;

	/* where it stands */
	bool		started;
	bool		all;			/* the last round: it lists all rows */
	bool		finished;		/* there is no other round */
	int			effort;			/* of the last round */
	rowtable_hash *rows;
	double		floor;			/* the bound of a row that no search found */
	Candidate  *candidates;		/* best first */
	int			ncandidates;
	int			next;			/* the first that is not refined */
	int			nrefined;
	int			nmeasured;
	int			next_scoring;	/* when so many are */
	int			latest;			/* of the rows that went out: so many were refined by then */
	NvResults	results;		/* refined rows */
};

/* The best come first; of equal ones, as they lie in the table. */
#define ST_SORT sort_candidates
#define ST_ELEMENT_TYPE Candidate
#define ST_COMPARE(a, b) \
	((a)->score != (b)->score ? ((a)->score > (b)->score ? -1 : 1) : \
	 (a)->item < (b)->item ? -1 : (a)->item > (b)->item)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* ---- beginning ---- */

/* Open an index. */
NvMultiSearch *
nv_multi_open(Relation index)
{
	NvMultiSearch *s = palloc0(sizeof(NvMultiSearch));

	s->index = index;
	s->searchers[0] = nv_searcher_open(index);
	s->context = AllocSetContextCreate(CurrentMemoryContext, "nanovec multi search",
									   ALLOCSET_DEFAULT_SIZES);
	s->row = AllocSetContextCreate(CurrentMemoryContext, "nanovec multi row",
								   ALLOCSET_DEFAULT_SIZES);
	return s;
}

/* Take the settings from where a search for one vector has them. */
static void
take_settings(NvMultiSearch *s)
{
	NvSearcher *searcher = s->searchers[0];
	NvSearchGoal goal = {0};

	searcher->method->take_settings(searcher, &goal);
	s->first_effort = goal.effort;
	s->most_effort = Max(nv_multi_most_effort(s), goal.effort);
	s->order = goal.order;
	s->most = goal.most;
	s->memory = goal.memory;
}

/* Open a copy of the query's array in the search's memory. */
static void
open_query(NvMultiSearch *s, Datum query, bool isnull)
{
	const NvSpace *space = &s->searchers[0]->core->space;
	NvRow		row;
	NvRowVectors vectors;

	s->maxsim = NULL;
	if (isnull)
		return;
	row.vector = PointerGetDatum(PG_DETOAST_DATUM_COPY(query));
	nv_row_vectors(space, true, &row, &vectors);
	s->query = vectors.vectors;
	if (vectors.n > 0)
	{
		s->maxsim = nv_maxsim_prepare(&s->query);
		s->vectors = palloc0(sizeof(QueryVector) * vectors.n);
	}
}

/* Begin to search. */
void
nv_multi_begin(NvMultiSearch *s, Relation heap, Snapshot snapshot, Datum query, bool isnull,
			   const ScanKeyData *keys, int nkeys)
{
	MemoryContext old;

	if (!s->table_open)
	{
		old = MemoryContextSwitchTo(GetMemoryChunkContext(s));
		nv_table_begin(&s->table, heap, s->index, snapshot);
		s->table_open = true;
		MemoryContextSwitchTo(old);
	}
	s->table.snapshot = snapshot;
	MemoryContextReset(s->context);
	nv_results_reset(&s->results);
	s->started = s->all = s->finished = false;
	s->effort = s->nrefined = s->nmeasured = s->latest = 0;
	s->next_scoring = PORTION;
	s->candidates = NULL;
	s->ncandidates = s->next = 0;
	s->floor = -INFINITY;
	s->keys = keys;
	s->nkeys = nkeys;
	take_settings(s);

	old = MemoryContextSwitchTo(s->context);
	s->rows = rowtable_create(s->context, 256, NULL);
	open_query(s, query, isnull);
	MemoryContextSwitchTo(old);
}

/* The effort of the first round. */
int
nv_multi_effort(const NvMultiSearch *s)
{
	return s->first_effort;
}

/* The most that it can be. */
int
nv_multi_most_effort(const NvMultiSearch *s)
{
	return s->searchers[0]->method->most_effort(s->searchers[0]);
}

/* Change it. */
void
nv_multi_set_effort(NvMultiSearch *s, int effort)
{
	Assert(!s->started && effort > 0);
	s->first_effort = effort;
	s->most_effort = Max(s->most_effort, effort);
}

/* Close the search. */
void
nv_multi_close(NvMultiSearch *s)
{
	if (s->table_open)
		nv_table_end(&s->table);
	for (int i = 0; i < LANES; i++)
	{
		if (s->searchers[i] != NULL)
			nv_searcher_end(s->searchers[i]);
	}
	MemoryContextDelete(s->row);
	MemoryContextDelete(s->context);
	pfree(s);
}

/* ---- rounds ---- */

/* Begin a search for a vector of the query, or for NULL. */
static NvSearcher *
begin_lane(NvMultiSearch *s, int lane, int query, int effort)
{
	Datum		vector = query >= 0 ? nv_vectors_datum(&s->query, query) : (Datum) 0;
	NvSearchGoal *goal;
	MemoryContext old;

	if (s->searchers[lane] == NULL)
	{
		old = MemoryContextSwitchTo(GetMemoryChunkContext(s));
		s->searchers[lane] = nv_searcher_open(s->index);
		MemoryContextSwitchTo(old);
	}
	goal = nv_search_begin(s->searchers[lane], vector, query < 0, s->keys, s->nkeys);
	goal->effort = effort;
	goal->order = NV_ITERATIVE_OFF;
	return s->searchers[lane];
}

/*
 * The rows of one search, in memory of the search: *nsure are those that it is sure of,
 * nearest first; others behind them it happened to meet.
 */
static Finding *
take_findings(NvMultiSearch *s, NvSearcher *searcher, int *nsure, int *n)
{
	MemoryContext old = MemoryContextSwitchTo(s->context);
	int			room = 64;
	Finding    *findings = palloc(sizeof(Finding) * room);
	bool		sure = true;
	ItemPointerData tid;
	double		bound;

	*nsure = *n = 0;
	while ((sure = sure && nv_search_next(searcher, &tid, &bound)) ||
		   nv_search_left_over(searcher, &tid, &bound))
	{
		if (*n == room)
			findings = repalloc_huge(findings, sizeof(Finding) * (room *= 2));
		findings[(*n)++] = (Finding) {
			nv_item(ItemPointerGetBlockNumberNoCheck(&tid),
					ItemPointerGetOffsetNumberNoCheck(&tid), 0),
			bound
		};
		*nsure += sure;
	}
	MemoryContextSwitchTo(old);
	return findings;
}

/* Note a row, unless it is known already. */
static FoundRow *
note_row(NvMultiSearch *s, uint64 item)
{
	bool		found;
	FoundRow   *row = rowtable_insert(s->rows, item, &found);

	if (!found)
	{
		row->gain = row->score = 0;
		row->query = 0;
		row->refined = row->measured = false;
	}
	return row;
}

/* The order of findings, nearest first. */
static int
compare_findings(const void *a, const void *b)
{
	double		x = ((const Finding *) a)->bound;
	double		y = ((const Finding *) b)->bound;

	return x < y ? -1 : x > y;
}

/*
 * Keep what a search found for a vector of the query, of which so many are sure, and note
 * the rows.
 */
static void
keep_findings(NvMultiSearch *s, int query, Finding *findings, int nsure, int n)
{
	QueryVector *v = &s->vectors[query];

	if (v->findings != NULL)
		pfree(v->findings);
	v->findings = findings;
	v->n = 0;
	if (nsure == 0)
		return;
	/* of a row's vectors, the nearest has to come first */
	qsort(findings, n, sizeof(Finding), compare_findings);
	v->farthest = findings[nsure - 1].bound;
	v->guess = v->farthest + (v->farthest - findings[0].bound);
	s->floor += v->farthest;
	for (int i = 0; i < n; i++)
	{
		FoundRow   *row = note_row(s, findings[i].item);

		if (row->query == query + 1)
			continue;
		row->query = query + 1;
		row->gain += (float) Max(v->farthest - findings[i].bound, 0);
		findings[v->n++] = findings[i];
	}
}

/*
 * How far rows are, by estimate, that the search for a vector did not find: as those that
 * were measured, and those that are only guessed.
 */
static double
estimate_missing(const NvMultiSearch *s, const QueryVector *v)
{
	double		sum = v->sum + GUESS_ROWS * v->guess;
	int			n = s->nmeasured + GUESS_ROWS;

	for (int i = 0; i < v->n; i++)
	{
		if (rowtable_lookup(s->rows, v->findings[i].item)->measured)
		{
			sum -= v->findings[i].bound;
			n--;
		}
	}
	Assert(n >= GUESS_ROWS);
	return Max(sum / n, v->farthest);
}

/* Compute the scores of all rows. */
static void
score_rows(NvMultiSearch *s)
{
	rowtable_iterator it;
	FoundRow   *row;

	rowtable_start_iterate(s->rows, &it);
	while ((row = rowtable_iterate(s->rows, &it)) != NULL)
		row->score = 0;
	for (int q = 0; q < s->query.n; q++)
	{
		const QueryVector *v = &s->vectors[q];
		double		missing = v->n > 0 ? estimate_missing(s, v) : 0;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < v->n && v->findings[i].bound < missing; i++)
			rowtable_lookup(s->rows, v->findings[i].item)->score +=
				(float) (missing - v->findings[i].bound);
	}
	s->next_scoring = Max(2 * s->nmeasured, PORTION);
}

/* Forget how rows were found in the round before. */
static void
forget_findings(NvMultiSearch *s)
{
	rowtable_iterator it;
	FoundRow   *row;

	s->floor = 0;
	rowtable_start_iterate(s->rows, &it);
	while ((row = rowtable_iterate(s->rows, &it)) != NULL)
	{
		row->gain = 0;
		row->query = 0;
	}
}

/* Search for all vectors of the query. */
static void
search_all(NvMultiSearch *s, int effort)
{
	forget_findings(s);
	for (int first = 0; first < s->query.n; first += LANES)
	{
		int			n = Min(LANES, s->query.n - first);
		bool		busy = true;

		for (int i = 0; i < n; i++)
			begin_lane(s, i, first + i, effort);
		while (busy)
		{
			CHECK_FOR_INTERRUPTS();
			busy = false;
			for (int i = 0; i < n; i++)
				busy |= nv_search_step(s->searchers[i]);
		}
		for (int i = 0; i < n; i++)
		{
			int			nsure;
			int			nfindings;
			Finding    *findings = take_findings(s, s->searchers[i], &nsure, &nfindings);

			keep_findings(s, first + i, findings, nsure, nfindings);
		}
	}
	score_rows(s);
}

/*
 * The last round: list rows, by the search for one vector, which goes on and on.  Where
 * searches with the most effort did not find enough, this finds all others, as far as
 * settings allow.
 */
static void
list_all(NvMultiSearch *s)
{
	NvSearcher *searcher = begin_lane(s, 0, s->maxsim != NULL ? 0 : -1, s->first_effort);
	ItemPointerData tid;
	double		bound;

	searcher->goal.order = NV_ITERATIVE_RELAXED;
	searcher->goal.most = INT_MAX;
	s->floor = -INFINITY;
	while (s->rows->members < (uint32) s->most &&
		   MemoryContextMemAllocated(s->context, true) < s->memory &&
		   nv_search_next(searcher, &tid, &bound))
	{
		CHECK_FOR_INTERRUPTS();
		note_row(s, nv_item(ItemPointerGetBlockNumberNoCheck(&tid),
							ItemPointerGetOffsetNumberNoCheck(&tid), 0));
	}
}

/* Put the rows that were found and not yet refined in the order of their scores. */
static void
order_candidates(NvMultiSearch *s)
{
	rowtable_iterator it;
	FoundRow   *row;

	if (s->candidates != NULL)
		pfree(s->candidates);
	s->candidates = MemoryContextAllocHuge(s->context, sizeof(Candidate) *
										   Max(s->rows->members, 1));
	s->ncandidates = s->next = 0;
	rowtable_start_iterate(s->rows, &it);
	while ((row = rowtable_iterate(s->rows, &it)) != NULL)
	{
		if (!row->refined)
			s->candidates[s->ncandidates++] = (Candidate) {row->item, row->score, row->gain};
	}
	if (s->ncandidates > 1)
		sort_candidates(s->candidates, s->ncandidates);
	for (int i = s->ncandidates - 1; i > 0; i--)
		s->candidates[i - 1].gain = Max(s->candidates[i - 1].gain, s->candidates[i].gain);
}

/* Whether settings allow another round. */
static bool
may_go_on(const NvMultiSearch *s)
{
	return !s->started ||
		(s->order != NV_ITERATIVE_OFF && !s->all && s->rows->members < (uint32) s->most &&
		 MemoryContextMemAllocated(s->context, true) < s->memory);
}

/* Make a round; false when there is none. */
static bool
next_round(NvMultiSearch *s)
{
	if (!may_go_on(s))
	{
		s->finished = true;
		return false;
	}
	s->effort = s->started ? 2 * s->effort : s->first_effort;
	s->started = true;
	if (s->effort <= s->most_effort)
		search_all(s, s->effort);
	else
	{
		list_all(s);
		s->all = true;
	}
	order_candidates(s);
	return true;
}

/* ---- rows ---- */

/* Take note of the distances of a row that was measured from each vector of the query. */
static void
note_distances(NvMultiSearch *s, FoundRow *row)
{
	const float *products = nv_maxsim_products(s->maxsim);

	for (int q = 0; q < s->query.n; q++)
	{
		if (!isfinite(products[q]))
			return;
	}
	for (int q = 0; q < s->query.n; q++)
		s->vectors[q].sum -= products[q];
	row->measured = true;
	s->nmeasured++;
}

/* Compute the distance of a row, if it is there for the snapshot. */
static void
refine(NvMultiSearch *s, const Candidate *candidate)
{
	ItemPointerData tid = nv_item_row(candidate->item);
	FoundRow   *row = rowtable_lookup(s->rows, candidate->item);
	MemoryContext old;
	Datum		value;

	Assert(row != NULL && !row->refined);
	row->refined = true;
	s->nrefined++;
	if (!nv_table_fetch(&s->table, &tid) || !nv_table_value(&s->table, &value))
		return;
	old = MemoryContextSwitchTo(s->row);
	{
		NvVectors	vectors = nv_vectors_open(value, s->query.type);
		double		distance;

		if (vectors.n > 0)
		{
			distance = -nv_maxsim(s->maxsim, &vectors);
			note_distances(s, row);
			MemoryContextSwitchTo(s->context);
			nv_results_add(&s->results, distance,
						   candidate->item | Min((s->nrefined - 1) / PORTION, PG_UINT16_MAX),
						   s->order != NV_ITERATIVE_RELAXED);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(s->row);
}

/* Refine a portion of the candidates that are next. */
static void
refine_some(NvMultiSearch *s)
{
	for (int i = 0; i < PORTION && s->next < s->ncandidates; i++)
	{
		CHECK_FOR_INTERRUPTS();
		refine(s, &s->candidates[s->next++]);
	}
	/* no pins from row to row */
	ExecClearTuple(s->table.slot);
	table_index_fetch_reset(s->table.fetch);
	nv_table_next_row(&s->table);
	/* the more is known of rows, the better are scores */
	if (s->nmeasured >= s->next_scoring && !s->all)
	{
		score_rows(s);
		order_candidates(s);
	}
}

/*
 * At most the distances of all rows that were not refined, as far as searches are right:
 * less than all by a little, since gains are floats.
 */
static double
least_bound(const NvMultiSearch *s)
{
	double		gain = s->next < s->ncandidates ? s->candidates[s->next].gain : 0;

	return s->floor - gain - 1e-5 * (fabs(s->floor) + gain);
}

/* How many rows had been refined when a result was, its portion included. */
static int
refined_as(const NvResult *result)
{
	return ((int) (uint16) result->item + 1) * PORTION;
}

/*
 * Whether the nearest row that was refined may go out: nothing can be nearer, or enough
 * others were refined, or there are no others.
 */
static bool
may_go_out(const NvMultiSearch *s)
{
	int			latest;

	if (s->results.n == 0)
		return false;
	if (s->finished && s->next == s->ncandidates)
		return true;
	if (!s->all && s->results.results[0].bound <= least_bound(s))
		return true;
	latest = Max(s->latest, refined_as(&s->results.results[0]));
	return s->nrefined >= FIRST_PART * s->first_effort && s->nrefined >= BEYOND_LATEST * latest;
}

/* Where all distances are NULL, rows go out as they are found. */
static bool
next_without_distance(NvMultiSearch *s, ItemPointer tid)
{
	if (!s->started)
	{
		s->started = s->all = s->finished = true;
		list_all(s);
		order_candidates(s);
	}
	if (s->next == s->ncandidates)
		return false;
	*tid = nv_item_row(s->candidates[s->next++].item);
	return true;
}

/* Find the next row. */
bool
nv_multi_next(NvMultiSearch *s, ItemPointer tid, double *distance, bool *isnull, bool *lossy)
{
	const NvFilter *filter;

	*isnull = s->maxsim == NULL;
	*distance = 0;
	if (s->maxsim == NULL)
	{
		if (!next_without_distance(s, tid))
			return false;
	}
	else
	{
		while (!may_go_out(s))
		{
			if (s->next < s->ncandidates)
				refine_some(s);
			else if (s->finished || (!next_round(s) && s->results.n == 0))
				return false;
		}
		nv_results_ready_least(&s->results, 1);
		*tid = nv_item_row(nv_results_peek(&s->results)->item);
		*distance = nv_results_peek(&s->results)->bound;
		s->latest = Max(s->latest, refined_as(nv_results_peek(&s->results)));
		nv_results_pop(&s->results);
	}
	filter = s->searchers[0]->goal.filter;
	*lossy = filter != NULL && filter->lossy;
	return true;
}
