/*-------------------------------------------------------------------------
 *
 * ivf_scan.c
 *		Searches an ivf index: nearest first.  See README, "Search".
 *
 * What goes out are lower bounds of the distances: whoever drives the search computes
 * the exact ones from the rows and puts them in order.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <math.h>

#include "am/am_select.h"
#include "miscadmin.h"
#include "nv_testpoint.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/* The first round keeps this many entries, and each other one this many times more. */
#define FIRST_ROUND IVF_LEAST_PASSING
#define ROUND_GROWTH 4

/*
 * Of the entries whose records a round reads, the nearest quarter is taken to be nearer
 * than every entry whose record it did not read.
 */
#define SURE_PART 4

/*
 * In strict order a scan returns one in IVF_OUT_PART of the entries that are in its lists, or
 * 24 if that is more; then it looks into more lists.  Up to a radius IVF_INSIDE_PART takes its
 * place.
 */
#define LEAST_OUT 24

/* With the default of probes, a list is passed over that is this part farther than the nearest. */
#define FARTHER 0.5f

/* While a record is measured, the one this many places behind it is prefetched. */
#define FETCH_AHEAD 3

/* There is room for this many times the candidates to keep; when it is full, they are cut back. */
#define CUT_AT 4
#define MAX_KEEP 10000000

/*
 * The deviation of an estimate, as a part of what its code says; and by how many
 * deviations a result must be nearer than the entries that were left out.
 */
#define NOISE_PART 0.6
#define SURE_TIMES 1.6

/* A scan looks into more lists until it has seen as many rows as this many lists hold. */
#define LEAST_LISTS 8

/*
 * With conditions that one row in n passes, a scan looks into lists until it has seen as
 * many rows that pass as it would have seen without, or into this power of n times as many
 * lists as it looks into at most without.  Measured: the power is where the recall at one
 * row in ten is what it is without.
 */
#define PASSING_POWER 0.4

/* With conditions, lists that follow the first ones come in parts of those before. */
#define MORE_PART 8

#define NO_LIST IVF_MAX_LISTS

/*
 * An entry in the running: in rounds by estimates, where it is; in rounds by
 * bounds, its row.
 */
typedef struct Candidate
{
	double		key;
	uint32		block;			/* of its group, or of the row */
	uint16		place;			/* in it */
	uint16		version;		/* of the group then, its lower half */
} Candidate;

typedef struct IvfSearcher
{
	NvSearcher	base;			/* of which the items of results are rows, without flags */
	IvfIndex	ix;
	bool		strict;			/* results go out in order, or not at all */
	bool		by_bound;		/* rounds read records, not codes */

	/* where there are codes, the list whose entries are looked at: see step_to_list() */
	uint32		list;			/* NO_LIST: none */
	NvQuery		from;			/* what its records are measured from, */
	float		shift;			/* and what is to be added then */
	NvStored	stored;			/* the same in 8 bits; data NULL: not of use */
	char	   *stored_data;	/* room for it */
	float		start;			/* of estimates */
	float		weight;
	float		step_norm;		/* that of the step, of which there is a table */

	IvfNearList *near;			/* room for all lists */
	int			nnear;			/* so many are the nearest, in order */
	int			first;			/* of those being looked into */
	int			nlists;
	int			nwanted;		/* so many that hold entries were wanted */
	int			nfilled;		/* how many do */
	double		nseen;			/* entries in them */
	double		nentries;		/* of these, the ones that pass the filter: without one, all */
	double		nout;			/* results that went out */
	double		nentries_before;	/* in the lists before these, of a search that is not strict */

	/* of all rounds, for people */
	int			rounds;
	int64		nmeasured;		/* vectors */
	int64		nestimated;		/* from codes */
	int64		npassed;		/* entries that passed the filter, and that did not */
	int64		nrefused;

	/* a round takes entries in (after, upto] */
	Candidate	after;
	Candidate	upto;
	NvCutoff	cutoff;			/* of upto, in rounds by bounds */
	int			keep;
	bool		more;			/* entries beyond upto were seen */
	bool		covered;		/* of these lists all that is within the radius was found */
	Candidate  *candidates;		/* in the order in which they were seen */
	Candidate  *selected;		/* as much room again */
	int			n;
	int			room;

	/* of the entries that a round refined */
	double		noise;			/* sum of the squares of what estimates may be off by */
	int			nrefined;
	float		most_error;
	int			nsure;			/* results that they say may go out */
} IvfSearcher;

/* Open an index for searches. */
static NvSearcher *
open_searcher(Relation rel)
{
	IvfSearcher *s = palloc0(sizeof(IvfSearcher));

	ivf_open(&s->ix, rel);
	if (s->ix.meta.bits > 0)
		s->stored_data = palloc(s->ix.vector_bytes);
	nv_searcher_init(&s->base, &ivf_search_method, &s->ix.core,
					 AllocSetContextCreate(CurrentMemoryContext, "ivf scan",
										   ALLOCSET_DEFAULT_SIZES));
	return &s->base;
}

/* Fill in a goal from settings. */
static void
take_settings(const NvSearcher *base, NvSearchGoal *goal)
{
	const IvfIndex *ix = &((const IvfSearcher *) base)->ix;

	goal->effort = ivf_probes(ix);
	goal->order = ix->settings->iterative_scan;
	goal->most = ix->settings->max_probes;
	goal->memory = (Size) work_mem * 1024;
}

/* The most that probes can be. */
static int
most_effort(const NvSearcher *base)
{
	return (int) ((const IvfSearcher *) base)->ix.meta.lists;
}

/* ---- candidates ---- */

/* The order of candidates: by key, and by place where these are equal. */
static inline bool
before(const Candidate *a, const Candidate *b)
{
	if (a->key != b->key)
		return a->key < b->key;
	if (a->block != b->block)
		return a->block < b->block;
	return a->place < b->place;
}

NV_DEFINE_SELECT(select_candidates, Candidate, before)

/* Have a round take candidates up to this one. */
static void
set_upto(IvfSearcher *s, Candidate upto)
{
	s->upto = upto;
	if (s->by_bound)
		nv_space_cutoff(&s->ix.space, &s->base.goal.query, upto.key, &s->cutoff);
}

/*
 * Keep the least, in the order in which they are, and let in only what comes
 * before the last of them.
 */
static void
cut(IvfSearcher *s)
{
	int			n = 0;

	if (s->n <= s->keep)
		return;
	memcpy(s->selected, s->candidates, sizeof(Candidate) * s->n);
	Assert(s->keep > 0 && s->n <= s->room);
	select_candidates(s->selected, s->n, s->keep);
	set_upto(s, s->selected[s->keep - 1]);
	for (int i = 0; i < s->n; i++)
	{
		if (!before(&s->upto, &s->candidates[i]))
			s->candidates[n++] = s->candidates[i];
	}
	s->n = n;
	s->more = true;
}

/* Add a candidate, if the round takes it. */
static inline void
add_candidate(IvfSearcher *s, double key, uint32 block, uint16 place, uint16 version)
{
	Candidate	c = {key, block, place, version};

	if (key > s->upto.key || key < s->after.key)
		return;
	if (!before(&s->after, &c))
		return;
	if (before(&s->upto, &c))
	{
		s->more = true;
		return;
	}
	if (s->n == s->room)
		cut(s);
	Assert(s->n < s->room);
	s->candidates[s->n++] = c;
}

/* ---- looking into groups, whose code pages are locked ---- */

/* step_to_list() for the inner product.  Overwrites the centroid, which is in ix->floats. */
static void
step_by_ip(IvfSearcher *s, float *norm2, float *greatest)
{
	IvfIndex   *ix = &s->ix;
	const float *q = s->base.goal.query.elements;
	float		own = nv_kern.ip_f32(ix->floats, ix->floats, ix->length);

	s->shift = s->start = -nv_kern.ip_f32(q, ix->floats, ix->length);
	s->weight = own > 0 ? -s->shift / own : 0;
	if (!isfinite(s->weight))
		s->weight = 0;
	for (int i = 0; i < ix->length; i++)
		ix->floats[i] *= s->weight;
	*norm2 = nv_kern.step_f32(q, ix->floats, ix->length, ix->step, greatest);
	s->from = s->base.goal.query;
}

/*
 * Get ready to look at entries of a list, which are steps from its centroid: the
 * step from there to the query, and its table.  See ../quant/residual_code.h.
 * In rounds by bounds it is also stored as entries are, but not for the inner
 * product, where what an error of it does depends on the other side.
 */
static void
step_to_list(IvfSearcher *s, uint32 list)
{
	IvfIndex   *ix = &s->ix;
	float		norm2;
	float		greatest;

	if (ix->meta.bits == 0 || s->list == list)
		return;
	s->list = list;
	s->stored.data = NULL;
	ivf_read_centroid(ix, list, ix->floats);
	if (ix->space.metric == NV_SPACE_IP)
		step_by_ip(s, &norm2, &greatest);
	else
	{
		norm2 = nv_kern.step_f32(s->base.goal.query.elements, ix->floats, ix->length, ix->step,
								 &greatest);
		s->shift = 0;
		s->start = norm2;
		s->weight = 1;
		s->from = s->base.goal.query;
		s->from.elements = ix->step;
		if (s->by_bound)
			nv_query_store(&ix->space, &s->from, s->stored_data, &s->stored);
	}
	s->step_norm = sqrtf(norm2);
	if (!s->by_bound)
		nv_step_table(ix->step, ix->meta.bits, greatest, &ix->table);
}

/* Distance of the vector of a record from the query. */
static inline float
distance_of(const IvfSearcher *s, const NvStored *v)
{
	if (s->ix.meta.bits == 0)
		return nv_distance_from_query(&s->ix.space, &s->base.goal.query, v);
	return nv_distance_from_query(&s->ix.space, &s->from, v) + s->shift;
}

/*
 * Which of n entries of a group from "first" on, at most 32, pass the filter, as bits;
 * without one, all do.
 */
static inline uint32
find_passing(IvfSearcher *s, const IvfGroup *group, uint32 first, uint32 n)
{
	IvfIndex   *ix = &s->ix;
	uint32		passing = PG_UINT32_MAX >> (NV_FASTSCAN_BLOCK - n);
	bool		valid = true;

	Assert(n > 0 && n <= NV_FASTSCAN_BLOCK && first + n <= group->n);
	StaticAssertStmt(NV_FASTSCAN_BLOCK <= NV_FILTER_IMAGES, "images are tested block by block");
	if (s->base.goal.filter != NULL)
		passing = nv_filter_passing(s->base.goal.filter, ivf_image(ix, group, first),
									ix->layout.image_step, (int) n, &valid);
	if (!valid)
		ivf_damaged(ix, ix->group, "has attributes that make no sense");
	return passing;
}

/*
 * Estimates for the 32 entries of the block that entry "first" begins; which of
 * them are not more than "most".
 */
static inline uint32
estimate_block(const IvfSearcher *s, const IvfGroup *group, uint32 first, float most,
			   float *estimates)
{
	const IvfIndex *ix = &s->ix;
	const uint8 *block = ivf_code_block(ix, group, first);

	return nv_code_estimate(&ix->table, ix->meta.bits, block, IVF_ADD(ix, block),
							IVF_FACTOR(ix, block), s->weight, s->start, most, estimates);
}

/* Collect candidates of a group by their codes. */
static void
estimate_group(IvfSearcher *s, const IvfGroup *group, BlockNumber block)
{
	for (uint32 first = 0; first < group->n; first += NV_FASTSCAN_BLOCK)
	{
		uint32		passing = find_passing(s, group, first,
										   Min(NV_FASTSCAN_BLOCK, group->n - first));
		int			n = pg_popcount32(passing);
		float		estimates[NV_FASTSCAN_BLOCK];
		uint32		near;

		if (n == 0)
			continue;
		step_to_list(s, group->list);
		s->nentries += n;
		near = passing & estimate_block(s, group, first, (float) s->upto.key, estimates);
		s->more |= pg_popcount32(near) < n;
		for (; near != 0; near &= near - 1)
		{
			uint32		i = pg_rightmost_one_pos32(near);

			add_candidate(s, ivf_finite(estimates[i]), block, (uint16) (first + i),
						  (uint16) group->version);
		}
	}
}

/* Collect a candidate by its record. */
static inline void
measure_entry(IvfSearcher *s, const IvfRecord *record)
{
	NvStored	v = ivf_stored(&s->ix, record);
	float		distance;

	/* both as 8-bit codes: several times as quick, and enough for most */
	if (s->ix.meta.bits > 0 && s->stored.data != NULL)
	{
		distance = nv_distance_between(&s->ix.space, &s->stored, &v);
		if (nv_beyond(&s->cutoff, distance, v.error + s->stored.error))
		{
			s->more = true;
			return;
		}
	}
	distance = distance_of(s, &v);
	if (nv_beyond(&s->cutoff, distance, v.error))
		s->more = true;
	else
		add_candidate(s, nv_space_lower_bound(&s->ix.space, &s->base.goal.query, distance, v.error),
					  ItemPointerGetBlockNumberNoCheck(&record->tid),
					  ItemPointerGetOffsetNumberNoCheck(&record->tid), 0);
}

/* Collect candidates of a group that pass the filter by their records. */
static void
measure_passing(IvfSearcher *s, const IvfGroup *group)
{
	Buffer		records = InvalidBuffer;

	for (uint32 first = 0; first < group->n; first += NV_FASTSCAN_BLOCK)
	{
		uint32		passing = find_passing(s, group, first,
										   Min(NV_FASTSCAN_BLOCK, group->n - first));

		if (passing == 0)
			continue;
		step_to_list(s, group->list);
		s->nentries += pg_popcount32(passing);
		for (uint32 rest = passing; rest != 0; rest &= rest - 1)
			ivf_prefetch_record(&s->ix, group, first + pg_rightmost_one_pos32(rest));
		for (uint32 rest = passing; rest != 0; rest &= rest - 1)
			measure_entry(s, ivf_read_record(&s->ix, group, first + pg_rightmost_one_pos32(rest),
											 &records));
	}
	ivf_release_page(&records);
}

/* Collect candidates of a group by their records. */
static void
measure_group(IvfSearcher *s, const IvfGroup *group)
{
	const IvfShape *shape = &s->ix.layout.record;
	uint32		step = ivf_inline(&s->ix) ? s->ix.layout.entries : Max(shape->per_page, 1);
	Buffer		records = InvalidBuffer;

	if (group->n > 0)
		step_to_list(s, group->list);
	s->nentries += group->n;
	for (uint32 first = 0; first < group->n; first += step)
	{
		const char *record = (const char *) ivf_read_record(&s->ix, group, first, &records);
		uint32		n = Min(step, group->n - first);

		/* CPUs do not look beyond a page of theirs by themselves */
		if (first + step < group->n)
			ivf_prefetch_record(&s->ix, group, first + step);
		for (uint32 i = 0; i < n; i++)
		{
			for (Size ahead = 0; i + FETCH_AHEAD < n && ahead < shape->bytes; ahead += 64)
				__builtin_prefetch(record + (i + FETCH_AHEAD) * shape->bytes + ahead);
			measure_entry(s, (const IvfRecord *) (record + i * shape->bytes));
		}
	}
	ivf_release_page(&records);
}

/* Collect candidates from the groups of a list; "then" is looked into next. */
static void
look_into(IvfSearcher *s, uint32 list, BlockNumber block, BlockNumber then)
{
	double		before_it = s->nseen;

	while (block != InvalidBlockNumber)
	{
		Buffer		buffer;
		const IvfGroup *group;
		BlockNumber next;

		/* here: nothing interrupts whoever holds the lock of a buffer */
		CHECK_FOR_INTERRUPTS();
		buffer = ivf_lock_group(&s->ix, block, list, BUFFER_LOCK_SHARE);
		group = ivf_group_of(BufferGetPage(buffer));
		next = group->next;
		s->nseen += group->n;
		if (!s->by_bound)
			ivf_prefetch_group(&s->ix, next != InvalidBlockNumber ? next : then,
							   s->base.goal.filter != NULL);
		if (s->by_bound && s->base.goal.filter != NULL)
			measure_passing(s, group);
		else if (s->by_bound)
			measure_group(s, group);
		else
			estimate_group(s, group, block);
		UnlockReleaseBuffer(buffer);
		block = next;
	}
	s->nfilled += s->nseen > before_it;
}

/* ---- refining ---- */

/* Add a row to the results, if it is within the radius. */
static void
add_result(IvfSearcher *s, double bound, BlockNumber block, OffsetNumber offset)
{
	if (nv_search_takes(&s->base.goal, bound))
		nv_results_add(&s->base.results, bound, nv_item(block, offset, 0), s->strict);
}

/* Make a result of an entry, by its record. */
static void
refine_entry(IvfSearcher *s, const IvfGroup *group, uint32 i, Buffer *records)
{
	const IvfRecord *record = ivf_read_record(&s->ix, group, i, records);
	NvStored	v = ivf_stored(&s->ix, record);
	double		bound = nv_space_lower_bound(&s->ix.space, &s->base.goal.query,
											 distance_of(s, &v), v.error);
	const uint8 *block = ivf_code_block(&s->ix, group, i);
	float		noise = s->step_norm *
		nv_half_float(IVF_FACTOR(&s->ix, block)[i % NV_FASTSCAN_BLOCK]);

	s->noise += (double) noise * noise;
	s->nrefined++;
	s->most_error = Max(s->most_error, v.error);
	add_result(s, bound, ItemPointerGetBlockNumberNoCheck(&record->tid),
			   ItemPointerGetOffsetNumberNoCheck(&record->tid));
}

/* Entries of a group moved since it was looked into: find those of this round again. */
static void
refine_moved(IvfSearcher *s, const IvfGroup *group, BlockNumber block)
{
	Buffer		records = InvalidBuffer;

	for (uint32 first = 0; first < group->n; first += NV_FASTSCAN_BLOCK)
	{
		float		estimates[NV_FASTSCAN_BLOCK];
		uint32		near = find_passing(s, group, first,
										Min(NV_FASTSCAN_BLOCK, group->n - first)) &
			estimate_block(s, group, first, INFINITY, estimates);

		for (; near != 0; near &= near - 1)
		{
			uint32		i = pg_rightmost_one_pos32(near);
			Candidate	c = {ivf_finite(estimates[i]), block, (uint16) (first + i), 0};

			if (before(&s->after, &c) && !before(&s->upto, &c))
				refine_entry(s, group, first + i, &records);
		}
	}
	ivf_release_page(&records);
}

/* Make results of the candidates, which are n entries of one group. */
static void
refine_group(IvfSearcher *s, const Candidate *c, int n)
{
	Buffer		records = InvalidBuffer;
	Buffer		buffer;
	const IvfGroup *group;

	CHECK_FOR_INTERRUPTS();
	buffer = ivf_lock_group(&s->ix, c->block, IVF_MAX_LISTS, BUFFER_LOCK_SHARE);
	group = ivf_group_of(BufferGetPage(buffer));
	step_to_list(s, group->list);
	if ((uint16) group->version != c->version)
		refine_moved(s, group, c->block);
	else
	{
		for (int i = 0; i < n; i++)
			ivf_prefetch_record(&s->ix, group, c[i].place);
		for (int i = 0; i < n; i++)
			refine_entry(s, group, c[i].place, &records);
	}
	ivf_release_page(&records);
	UnlockReleaseBuffer(buffer);
}

/* Make results of all candidates. */
static void
refine(IvfSearcher *s)
{
	int			n;

	if (s->by_bound)
	{
		for (int i = 0; i < s->n; i++)
			add_result(s, s->candidates[i].key, s->candidates[i].block, s->candidates[i].place);
		return;
	}
	for (int i = 0; i < s->n; i += n)
	{
		for (n = 1; i + n < s->n && s->candidates[i + n].block == s->candidates[i].block; n++)
			;
		refine_group(s, &s->candidates[i], n);
	}
}

/* ---- rounds ---- */

static const Candidate before_all = {.key = -INFINITY};
static const Candidate behind_all = {INFINITY, PG_UINT32_MAX, PG_UINT16_MAX, 0};

/*
 * How many candidates a round keeps at most: a part of the memory has room for
 * them.  The rest is for results that wait, with room that doubles.
 */
static Size
most_kept(Size memory)
{
	return memory / 3 / (2 * sizeof(Candidate)) / CUT_AT;
}

/* Count the rounds that so many rows take. */
double
ivf_rounds(double rows, Size memory)
{
	double		rounds = 1;

	for (double keep = FIRST_ROUND; rows > keep; rounds++)
	{
		rows -= keep;
		keep *= ROUND_GROWTH;
		if (keep >= (double) most_kept(memory))
			return rounds + rows / (double) most_kept(memory);
	}
	return rounds;
}

/* Make room for the candidates of rounds that keep so many. */
static void
reserve(IvfSearcher *s, int keep)
{
	s->keep = (int) Min((Size) keep, most_kept(s->base.goal.memory));
	if (s->candidates != NULL)
		pfree(s->candidates);
	s->room = s->keep * CUT_AT;
	s->candidates = palloc_extended(2 * sizeof(Candidate) * s->room, MCXT_ALLOC_HUGE);
	s->selected = s->candidates + s->room;
}

/* How many results may wait when a round ends: the next adds about as many. */
static double
most_waiting(const IvfSearcher *s)
{
	return (double) s->base.goal.memory / 8 / sizeof(NvResult);
}

/* How many lists a scan looks into at most. */
static int
most_lists(const IvfSearcher *s)
{
	if (s->base.goal.order == NV_ITERATIVE_OFF)
		return s->first + s->nlists;
	return Min(Max(s->base.goal.most, s->base.goal.effort), (int) s->ix.meta.lists);
}

/*
 * How many results may go out before a scan in strict order, or within a radius, looks into
 * more lists.
 */
static double
most_out(const IvfSearcher *s)
{
	double		part = isinf(s->base.goal.radius) ? IVF_OUT_PART : IVF_INSIDE_PART;

	return Max(LEAST_OUT, (s->nentries_before + s->nentries) / part);
}

/*
 * The least bound that entries that their estimates kept out can well have.  What an
 * estimate is off by is normal, of the deviation NOISE_PART * |t| * factor (of a code whose
 * bits have the direction of the step as well as they usually do).
 */
static double
horizon_of(const IvfSearcher *s)
{
	double		noise = NOISE_PART * sqrt(s->noise / Max(s->nrefined, 1));

	if (s->by_bound)
		return s->upto.key;
	return nv_space_lower_bound(&s->ix.space, &s->base.goal.query,
								(float) (s->upto.key - SURE_TIMES * noise), s->most_error);
}

/* How many of the results that wait are nearer than that. */
static int
count_sure(const IvfSearcher *s, double horizon)
{
	const NvResults *r = &s->base.results;
	int			n = 0;

	for (int i = 0; i < r->n; i++)
		n += r->results[i].bound <= horizon;
	return n;
}

/* Have those results go out that are in their place, after a round that added some. */
static void
let_out(IvfSearcher *s, int nadded)
{
	double		n = nv_results_waiting(&s->base.results);
	double		horizon = s->more ? horizon_of(s) : INFINITY;

	s->covered = !isinf(s->base.goal.radius) && horizon >= s->base.goal.radius;
	if (s->base.goal.any_order)
	{
		nv_results_ready(&s->base.results, INFINITY);
		s->nsure = (int) n;
		return;
	}
	/* bounds are complete up to the last one; estimates are not so sure */
	if (s->more && !s->by_bound && !s->covered)
	{
		s->nsure = count_sure(s, horizon);
		n = Min(s->n / SURE_PART + 1 - (s->n - nadded), s->nsure);
	}
	if (s->first + s->nlists < most_lists(s))
	{
		if (s->strict)
			n = Min(n, most_out(s) - s->nout);
		else if (!s->more)
			n /= 2;
	}
	/* what memory has no room for can't wait */
	n = Max(n, nv_results_waiting(&s->base.results) - most_waiting(s));
	nv_results_ready_least(&s->base.results, (int) Max(n, 0));
}

/*
 * At least so many of the lists, nearest first; but those that were looked into, the first
 * of them so far, stay in front: estimates chose them, and may have left out nearer ones.
 */
static void
order_lists(IvfSearcher *s, int looked_into, int wanted)
{
	int			lists = (int) s->ix.meta.lists;
	bool	   *known = palloc0(sizeof(bool) * lists);
	IvfNearList *nearest = palloc(sizeof(IvfNearList) * lists);
	int			n;

	Assert(wanted > looked_into && wanted <= lists);
	for (int i = 0; i < looked_into; i++)
		known[s->near[i].list] = true;
	ivf_nearest_lists(&s->ix, &s->base.goal.query, wanted, INFINITY, false, nearest, &n);
	s->nnear = looked_into;
	for (int i = 0; i < n; i++)
	{
		if (!known[nearest[i].list])
			s->near[s->nnear++] = nearest[i];
	}
	Assert(s->nnear >= wanted && s->nnear <= lists);
	s->list = NO_LIST;
	pfree(nearest);
	pfree(known);
}

/* Whether the lists that a scan entered hold less than its lists should. */
static bool
too_little(const IvfSearcher *s)
{
	const IvfMeta *meta = &s->ix.meta;

	if (s->nfilled < s->nwanted)
		return true;
	return !meta->flat && s->nfilled < s->base.goal.effort &&
		s->nseen < Min(s->base.goal.effort, LEAST_LISTS) * meta->trained_rows /
		Max(ivf_built_lists(meta), 1);
}

/* See IVF_LEAST_PASSING, which comes on top. */
double
ivf_lists_to_pass(double wanted, double probes, double share)
{
	return Min(wanted / share, probes * pow(share, -PASSING_POWER));
}

/*
 * Whether a scan with a filter should look into more lists before it takes the nearest of
 * what passed, if it may at all.
 */
static bool
too_few_pass(const IvfSearcher *s, int end)
{
	const NvSearchGoal *goal = &s->base.goal;

	if (goal->filter == NULL ||
		(goal->order != NV_ITERATIVE_OFF && end >= Max(goal->most, goal->effort)))
		return false;
	return s->nentries < IVF_LEAST_PASSING ||
		s->nfilled < ivf_lists_to_pass(s->nwanted, goal->effort, s->nentries / s->nseen);
}

/* Look into the lists from number "first" to the one before "end". */
static void
look_into_lists(IvfSearcher *s, int first, int end)
{
	BlockNumber block = ivf_read_list(&s->ix, s->near[first].list).first;

	for (int i = first; i < end; i++)
	{
		BlockNumber then = i + 1 < end ? ivf_read_list(&s->ix, s->near[i + 1].list).first :
			InvalidBlockNumber;

		look_into(s, s->near[i].list, block, then);
		block = then;
	}
}

/* Add what a round did to the counts. */
static void
count_round(IvfSearcher *s)
{
	s->rounds++;
	s->nmeasured += s->by_bound ? (int64) s->nentries : s->nrefined;
	s->nestimated += s->by_bound ? 0 : (int64) s->nentries;
	s->npassed += (int64) s->nentries;
	s->nrefused += (int64) (s->nseen - s->nentries);
}

/*
 * Look into the lists for entries behind s->after, and add the best to the
 * results.
 */
static void
run_round(IvfSearcher *s, bool entering)
{
	int			waiting = nv_results_waiting(&s->base.results);
	int			end = s->first + s->nlists;
	int			lists = (int) s->ix.meta.lists;

	s->n = 0;
	set_upto(s, behind_all);
	s->more = false;
	s->nseen = s->nentries = 0;
	s->nfilled = 0;
	look_into_lists(s, s->first, end);
	/* lists that hold nothing do not count, and lists of few rows count little */
	while (entering && end < lists && (too_little(s) || too_few_pass(s, end)))
	{
		/* with a filter several at a time, so that one is fetched while another is looked into */
		int			n = s->base.goal.filter != NULL ? (end - s->first) / MORE_PART + 1 : 1;

		if (end == s->nnear)
			order_lists(s, end, Min(end * ROUND_GROWTH, lists));
		n = Min(n, s->nnear - end);
		look_into_lists(s, end, end + n);
		end += n;
	}
	Assert(end > s->first && end <= lists);
	s->nlists = end - s->first;
	cut(s);
	s->noise = s->most_error = 0;
	s->nrefined = 0;
	NV_TEST_POINT("ivf_looked");
	refine(s);
	count_round(s);
	let_out(s, nv_results_waiting(&s->base.results) - waiting);
}

/* Look into n lists, from number "first" on. */
static void
enter_lists(IvfSearcher *s, int first, int n)
{
	const IvfMeta *meta = &s->ix.meta;
	int			lists = (int) meta->lists;

	/* lists to come are none to leave out */
	if (first == 0 && n >= (int) ivf_built_lists(meta) && meta->spares < meta->lists)
		n = lists;
	if (first + n > s->nnear)
		order_lists(s, first, lists);
	Assert(first + n <= s->nnear && s->nnear <= lists);
	s->first = first;
	s->nlists = s->nwanted = n;
	s->nentries_before = first == 0 ? 0 : s->nentries_before + s->nentries;
	s->by_bound = s->ix.meta.bits == 0 || n == lists;
	s->list = NO_LIST;
	s->after = before_all;
	run_round(s, true);
}

/*
 * How much farther than the nearest a list may be, for a search to look into
 * it: as SPANN does (Chen et al., NeurIPS 2021), so that easy queries take few
 * lists.  Who asks for more lists wants farther ones, too.  Distances as the
 * index has them: squares.
 */
static float
farthest_ratio(const IvfSearcher *s)
{
	const IvfIndex *ix = &s->ix;
	int			probes = s->base.goal.effort;
	float		ratio = 1 + FARTHER * probes / ix->meta.probes;

	/* a search that does not go on, or is to be exact, takes what it was told */
	if (ix->meta.flat || ix->space.metric == NV_SPACE_IP ||
		probes >= (int) ivf_built_lists(&ix->meta) || s->base.goal.order == NV_ITERATIVE_OFF)
		return INFINITY;
	return ratio * ratio;
}

/* Begin the search: choose the lists, and run the first round. */
static void
start(NvSearcher *base)
{
	IvfSearcher *s = (IvfSearcher *) base;
	IvfIndex   *ix = &s->ix;
	int			lists;

	/* whoever drives the search may have asked for any number */
	base->goal.effort = Min(base->goal.effort, (int) ix->meta.lists);
	s->nout = 0;
	s->rounds = 0;
	s->nmeasured = s->nestimated = s->npassed = s->nrefused = 0;
	s->by_bound = false;
	if (base->goal.filter != NULL && base->goal.filter->never)
		return;
	s->candidates = NULL;
	/* nothing is too late for a distance of NULL */
	s->strict = base->goal.order != NV_ITERATIVE_RELAXED && !base->goal.null_query;
	s->near = palloc(sizeof(IvfNearList) * ix->meta.lists);
	s->list = NO_LIST;
	lists = ivf_nearest_lists(ix, &base->goal.query, base->goal.effort, farthest_ratio(s), false,
							  s->near, &s->nnear);
	reserve(s, FIRST_ROUND);
	enter_lists(s, 0, lists);
}

/*
 * Look into more lists.  In strict order they begin anew, with more lists, and
 * what went out is not found again; else the next lists follow.
 */
static void
widen(IvfSearcher *s, int most)
{
	int			end = s->first + s->nlists;

	if (s->strict)
	{
		nv_results_clear(&s->base.results);
		reserve(s, (int) Min(ROUND_GROWTH * Max(s->nout, FIRST_ROUND), MAX_KEEP));
		/* whoever wants so many rows gets what was passed over, too */
		enter_lists(s, 0, Min(Max(2 * end, s->base.goal.effort), most));
	}
	else
		enter_lists(s, end, Min(end, most - end));
}

/*
 * Estimates tell nothing here: rows are far from the centroids of their lists, or
 * as far from the query as one another.  Read the records of the lists instead.
 * What went out is not found again.
 */
static void
look_closer(IvfSearcher *s)
{
	nv_results_clear(&s->base.results);
	reserve(s, (int) Min(Max(s->nout * ROUND_GROWTH, FIRST_ROUND), MAX_KEEP));
	s->by_bound = true;
	s->list = NO_LIST;
	s->after = before_all;
	run_round(s, false);
}

/* Find more results; false when there are no more, or no more are allowed. */
static bool
go_on(IvfSearcher *s)
{
	int			most;
	bool		can_widen;

	if (s->base.goal.filter != NULL && s->base.goal.filter->never)
		return false;
	most = most_lists(s);
	can_widen = s->first + s->nlists < most;
	/* where so much was within the radius there is more of it in other lists */
	if (s->covered && (!can_widen || (nv_results_waiting(&s->base.results) == 0 &&
									  s->nout < most_out(s))))
		return false;
	if (can_widen && (s->covered || !s->more || (s->strict && s->nout >= most_out(s))))
	{
		widen(s, most);
		return true;
	}
	if (!s->more)
		return false;
	if (!s->by_bound && s->nsure == 0 && (s->strict || s->nout == 0))
	{
		look_closer(s);
		return true;
	}
	/* rounds go through the entries in order */
	Assert(before(&s->after, &s->upto));
	s->after = s->upto;
	reserve(s, (int) Min((double) s->keep * ROUND_GROWTH, MAX_KEEP));
	run_round(s, false);
	return true;
}

/* Take out the next result. */
static bool
next(NvSearcher *base, NvResult *result)
{
	IvfSearcher *s = (IvfSearcher *) base;
	const NvResult *r;

	while ((r = nv_results_peek(&base->results)) == NULL)
	{
		if (!go_on(s))
			return false;
	}
	*result = *r;
	nv_results_pop(&base->results);
	s->nout++;
	return true;
}

/* Why the search ended, if next() said so. */
static NvSearchEnd
end_of(const IvfSearcher *s)
{
	if (!s->base.ended)
		return NV_END_ENOUGH;
	if (s->rounds > 0 && s->covered)
		return NV_END_RADIUS;
	if (s->rounds == 0 || s->first + s->nlists >= (int) s->ix.meta.lists)
		return NV_END_ALL;
	return s->base.goal.order == NV_ITERATIVE_OFF ? NV_END_EFFORT : NV_END_MOST;
}

/* Tell what the search did. */
static void
count(const NvSearcher *base, NvSearchCounts *counts)
{
	const IvfSearcher *s = (const IvfSearcher *) base;

	counts->strategy = s->by_bound ? "vectors of lists" : "codes of lists, then vectors";
	counts->visited = s->nmeasured;
	counts->estimated = s->nestimated;
	counts->rounds = s->rounds;
	counts->passed = s->npassed;
	counts->refused = s->nrefused;
	counts->end = end_of(s);
}

const NvSearchMethod ivf_search_method = {
	.open = open_searcher,
	.take_settings = take_settings,
	.most_effort = most_effort,
	.start = start,
	.next = next,
	.count = count
};
