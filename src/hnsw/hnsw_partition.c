/*-------------------------------------------------------------------------
 *
 * hnsw_partition.c
 *		Random partitions of an index build's vectors into leaves.
 *
 * After Rubel et al., "PiPNN" (arXiv 2602.21247, 2026): in a round each vector comes
 * into one leaf of at most HNSW_LEAF, by going with the nearest of some leaders, which
 * are vectors taken at random; groups too large are split in the same way.  All pairs
 * of a leaf are measured.  In another round, with other leaders, near vectors that a
 * border kept apart are in one leaf.
 *
 * Large segments are split by all processes together, between barriers.  The rest are
 * tasks, each for one process.  What a round does depends on its number and on the
 * vectors only.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_partition.h"

#include "miscadmin.h"
#include "nv_random.h"

/* The most leaders, and about how many leaves a group becomes for each. */
#define MOST_LEADERS (HNSW_LEAF / 4)
#define LEADERS_PER_LEAF 2

/* Segments larger than this are split by all processes together. */
#define TASK_MEMBERS (8 * HNSW_LEAF)

/* Members whose leader is looked for at a time. */
#define ASSIGN_STEP 64

/* A leader with fewer members than this part of a leaf goes without them. */
#define LEAST_GROUP (HNSW_LEAF / 8)

/* A segment in which splits get nowhere is cut up as it is. */
#define MOST_SPLITS 10

/*
 * Rounds end when one has found so few of the nearest HNSW_LIST_HEAD of a vector, on
 * average, and after so many in any case.
 */
#define MOST_ROUNDS 24
#define FEW_NEW 0.5

#define ROUND_SEED UINT64CONST(0x706172746974696f)

StaticAssertDecl(MOST_LEADERS <= lengthof(((HnswPartsShared *) 0)->kept), "too many leaders");

/* Segments of one process that wait to be split or measured. */
typedef struct Waiting
{
	HnswSegment segment;
	int			splits;
} Waiting;

typedef struct WaitingStack
{
	Waiting    *waiting;
	int			n;
	int			room;
} WaitingStack;

/* Twice as many as follow from the least size of a group. */
Size
hnsw_partition_segments(uint32 n)
{
	return n / (LEAST_GROUP / 2) + 2 * MOST_LEADERS;
}

/* ---- splitting ---- */

/* The nodes of consecutive members. */
static void
slots_of(const HnswParts *parts, const uint32 *numbers, int n, uint32 *slots)
{
	for (int i = 0; i < n; i++)
		slots[i] = parts->nodes[numbers[i]];
}

/* Move members taken at random to the front of a segment: its leaders. Returns how many. */
static int
draw_leaders(HnswParts *parts, const HnswSegment *segment, uint64 seed)
{
	uint32	   *members = parts->members + segment->first;
	int			n = Min(MOST_LEADERS, LEADERS_PER_LEAF * segment->n / HNSW_LEAF);
	uint64		random = seed ^ nv_mix(segment->first);

	Assert(segment->n > HNSW_LEAF && n >= 2);
	for (int i = 0; i < n; i++)
	{
		uint32		other = i + (uint32) (nv_random(&random) % (segment->n - i));
		uint32		member = members[i];

		members[i] = members[other];
		members[other] = member;
	}
	return n;
}

/* Take the leaders as columns; those that were dropped not.  Returns which they are. */
static void
take_leaders(HnswParts *parts, const HnswSegment *segment, int nleaders, const uint8 *kept,
			 uint16 *which)
{
	uint32		slots[MOST_LEADERS];
	int			n = 0;

	for (int i = 0; i < nleaders; i++)
	{
		if (kept != NULL && !kept[i])
			continue;
		slots[n] = parts->nodes[parts->members[segment->first + i]];
		which[n++] = (uint16) i;
	}
	hnsw_matrix_columns(parts->matrix, slots, n);
}

/*
 * Find the leaders of members from one place to another; kept: only of those whose
 * leader was dropped.
 */
static void
assign_members(HnswParts *parts, uint32 from, uint32 to, const uint8 *kept, const uint16 *which)
{
	while (from < to)
	{
		uint32		places[ASSIGN_STEP];
		uint32		slots[ASSIGN_STEP];
		uint16		nearest[ASSIGN_STEP];
		int			n = 0;

		for (; from < to && n < ASSIGN_STEP; from++)
		{
			if (kept != NULL && kept[parts->groups[from]])
				continue;
			places[n] = from;
			slots[n++] = parts->nodes[parts->members[from]];
		}
		hnsw_matrix_assign(parts->matrix, slots, n, nearest);
		for (int i = 0; i < n; i++)
			parts->groups[places[i]] = which[nearest[i]];
	}
}

/* Count the members of groups. */
static void
count_groups(const HnswParts *parts, const HnswSegment *segment, int nleaders, uint32 *counts)
{
	memset(counts, 0, sizeof(uint32) * nleaders);
	for (uint32 i = segment->first; i < segment->first + segment->n; i++)
		counts[parts->groups[i]]++;
}

/* Which leaders stay; returns whether any is dropped, and two at least stay. */
static bool
drop_leaders(const HnswSegment *segment, int nleaders, const uint32 *counts, uint8 *kept)
{
	uint32		least = Min(LEAST_GROUP, segment->n / nleaders / 4 + 1);
	int			n = 0;

	for (int i = 0; i < nleaders; i++)
	{
		kept[i] = counts[i] >= least;
		n += kept[i];
	}
	return n >= 2 && n < nleaders;
}

/* Bring the members of each group together, in the order that they have. */
static void
gather_groups(HnswParts *parts, const HnswSegment *segment, int nleaders, const uint32 *counts)
{
	uint32	   *members = parts->members + segment->first;
	uint32	   *spare = parts->spare + segment->first;
	uint32		starts[MOST_LEADERS];
	uint32		start = 0;

	for (int i = 0; i < nleaders; i++)
	{
		starts[i] = start;
		start += counts[i];
	}
	Assert(start == segment->n);
	for (uint32 i = 0; i < segment->n; i++)
		spare[starts[parts->groups[segment->first + i]]++] = members[i];
	memcpy(members, spare, sizeof(uint32) * segment->n);
}

/* The largest group. */
static uint32
largest_group(const uint32 *counts, int n)
{
	uint32		most = 0;

	for (int i = 0; i < n; i++)
		most = Max(most, counts[i]);
	return most;
}

/* Whether splits get nowhere, as among equal vectors. */
static bool
is_stuck(const HnswSegment *segment, uint32 largest, int splits)
{
	return largest == segment->n || splits >= MOST_SPLITS;
}

/* Bring members into an order at random, to be cut up. */
static void
shuffle_members(HnswParts *parts, const HnswSegment *segment, uint64 seed)
{
	uint32	   *members = parts->members + segment->first;
	uint64		random = seed ^ nv_mix(segment->first + 1);

	for (uint32 i = segment->n; i > 1; i--)
	{
		uint32		other = (uint32) (nv_random(&random) % i);
		uint32		member = members[i - 1];

		members[i - 1] = members[other];
		members[other] = member;
	}
}

/* ---- tasks ---- */

/* Have a segment wait. */
static void
push_waiting(WaitingStack *stack, uint32 first, uint32 n, int splits)
{
	if (n < 2)
		return;
	if (stack->n == stack->room)
	{
		stack->room *= 2;
		stack->waiting = repalloc(stack->waiting, sizeof(Waiting) * stack->room);
	}
	stack->waiting[stack->n++] = (Waiting) {{first, n}, splits};
}

/* Split a segment, and have its groups wait. */
static void
split_alone(HnswParts *parts, const Waiting *from, uint64 seed, WaitingStack *stack)
{
	HnswSegment segment = from->segment;
	uint32		end = segment.first + segment.n;
	int			nleaders = draw_leaders(parts, &segment, seed);
	uint32		counts[MOST_LEADERS];
	uint8		kept[MOST_LEADERS];
	uint16		which[MOST_LEADERS];

	take_leaders(parts, &segment, nleaders, NULL, which);
	assign_members(parts, segment.first, end, NULL, which);
	count_groups(parts, &segment, nleaders, counts);
	if (drop_leaders(&segment, nleaders, counts, kept))
	{
		take_leaders(parts, &segment, nleaders, kept, which);
		assign_members(parts, segment.first, end, kept, which);
		count_groups(parts, &segment, nleaders, counts);
	}
	if (is_stuck(&segment, largest_group(counts, nleaders), from->splits))
	{
		shuffle_members(parts, &segment, seed);
		for (uint32 i = segment.first; i < end; i += HNSW_LEAF)
			push_waiting(stack, i, Min(HNSW_LEAF, end - i), 0);
		return;
	}
	gather_groups(parts, &segment, nleaders, counts);
	for (int i = 0; i < nleaders; i++)
	{
		push_waiting(stack, segment.first, counts[i], from->splits + 1);
		segment.first += counts[i];
	}
}

/* Split a segment into leaves, and measure these. */
static void
run_task(HnswParts *parts, const HnswLists lists[HNSW_MEASURES], const HnswSegment *task,
		 uint64 seed, WaitingStack *stack)
{
	uint64		head = 0;

	Assert(stack->n == 0);
	push_waiting(stack, task->first, task->n, 0);
	while (stack->n > 0)
	{
		Waiting		next = stack->waiting[--stack->n];
		const uint32 *members = parts->members + next.segment.first;
		uint32		slots[HNSW_LEAF];

		CHECK_FOR_INTERRUPTS();
		if (next.segment.n > HNSW_LEAF)
		{
			split_alone(parts, &next, seed, stack);
			continue;
		}
		slots_of(parts, members, (int) next.segment.n, slots);
		head += hnsw_join_leaf(parts->matrix, lists, members, slots,
							   (int) next.segment.n);
	}
	pg_atomic_fetch_add_u64(&parts->shared->head, head);
}

/* ---- splitting together ---- */

/* Note a segment as one for all, or as a task. */
static void
note_segment(HnswParts *parts, uint32 first, uint32 n, bool is_task)
{
	HnswPartsShared *shared = parts->shared;

	if (n < 2)
		return;
	if (shared->nbig + shared->ntasks >= hnsw_partition_segments(shared->n))
		elog(ERROR, "too many parts of %u vectors", shared->n);
	if (n > TASK_MEMBERS && !is_task)
		parts->big[shared->nbig++] = (HnswSegment) {first, n};
	else
		parts->tasks[shared->ntasks++] = (HnswSegment) {first, n};
}

/* One process: take the next large segment and its leaders; one of none when all are split. */
static void
begin_split(HnswParts *parts, uint64 seed)
{
	HnswPartsShared *shared = parts->shared;

	shared->split.n = 0;
	pg_atomic_write_u32(&shared->next, 0);
	if (shared->nbig == 0)
		return;
	shared->split = parts->big[--shared->nbig];
	shared->nleaders = draw_leaders(parts, &shared->split, seed);
}

/* All processes: find the leaders of its members. */
static void
assign_together(HnswParts *parts, const uint8 *kept)
{
	const uint32 step = 16 * ASSIGN_STEP;
	HnswPartsShared *shared = parts->shared;
	uint32		end = shared->split.first + shared->split.n;
	uint16		which[MOST_LEADERS];
	uint32		first;

	take_leaders(parts, &shared->split, shared->nleaders, kept, which);
	while ((first = pg_atomic_fetch_add_u32(&shared->next, step)) < shared->split.n)
	{
		CHECK_FOR_INTERRUPTS();
		first += shared->split.first;
		assign_members(parts, first, Min(first + step, end), kept, which);
	}
}

/* One process: note the groups. */
static void
end_split(HnswParts *parts, uint64 seed)
{
	HnswPartsShared *shared = parts->shared;
	HnswSegment segment = shared->split;
	uint32		end = segment.first + segment.n;
	uint32		counts[MOST_LEADERS];

	count_groups(parts, &segment, shared->nleaders, counts);
	/* what shrinks slowly is left to one process, which counts splits */
	if (largest_group(counts, shared->nleaders) > segment.n / 8 * 7)
	{
		shuffle_members(parts, &segment, seed);
		for (uint32 i = segment.first; i < end; i += TASK_MEMBERS)
			note_segment(parts, i, Min(TASK_MEMBERS, end - i), true);
		return;
	}
	gather_groups(parts, &segment, shared->nleaders, counts);
	for (int i = 0; i < shared->nleaders; i++)
	{
		note_segment(parts, segment.first, counts[i], false);
		segment.first += counts[i];
	}
}

/* Split all large segments. */
static void
split_together(HnswParts *parts, uint64 seed)
{
	HnswPartsShared *shared = parts->shared;

	for (;;)
	{
		if (hnsw_build_wait(parts->build))
			begin_split(parts, seed);
		hnsw_build_wait(parts->build);
		if (shared->split.n == 0)
			break;
		assign_together(parts, NULL);
		if (hnsw_build_wait(parts->build))
		{
			uint32		counts[MOST_LEADERS];

			count_groups(parts, &shared->split, shared->nleaders, counts);
			/* when none is dropped nobody looks for another leader */
			if (!drop_leaders(&shared->split, shared->nleaders, counts, shared->kept))
				memset(shared->kept, 1, sizeof(shared->kept));
			pg_atomic_write_u32(&shared->next, 0);
		}
		hnsw_build_wait(parts->build);
		assign_together(parts, shared->kept);
		if (hnsw_build_wait(parts->build))
			end_split(parts, seed);
	}
}

/* ---- rounds ---- */

/* One process: all n vectors in one segment. */
static void
begin_round(HnswParts *parts, uint32 n)
{
	HnswPartsShared *shared = parts->shared;

	for (uint32 i = 0; i < n; i++)
		parts->members[i] = i;
	shared->nbig = shared->ntasks = 0;
	note_segment(parts, 0, n, false);
	pg_atomic_write_u64(&shared->head, 0);
}

/* Put the nearest of the first n vectors into their lists. */
void
hnsw_partition(HnswParts *parts, const HnswLists lists[HNSW_MEASURES], uint32 n)
{
	HnswPartsShared *shared = parts->shared;
	WaitingStack stack = {.room = MOST_LEADERS};

	stack.waiting = palloc(sizeof(Waiting) * stack.room);
	for (int round = 0; round < MOST_ROUNDS; round++)
	{
		uint64		seed = nv_mix(ROUND_SEED + round);
		uint32		task;
		uint64		head;

		if (hnsw_build_wait(parts->build))
			begin_round(parts, n);
		split_together(parts, seed);
		while ((task = pg_atomic_fetch_add_u32(&shared->next, 1)) < shared->ntasks)
			run_task(parts, lists, &parts->tasks[task], seed, &stack);
		hnsw_build_wait(parts->build);
		head = pg_atomic_read_u64(&shared->head);
		/* of a single leaf all is known */
		if (n <= HNSW_LEAF || head < FEW_NEW * n)
			break;
	}
	hnsw_build_wait(parts->build);
	pfree(stack.waiting);
}
