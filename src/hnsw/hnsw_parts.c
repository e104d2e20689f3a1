/*-------------------------------------------------------------------------
 *
 * hnsw_parts.c
 *		Makes the graph of an index build without any search.
 *
 * On each level, from the highest down, hnsw_partition() finds the nearest of all
 * vectors.  Each chooses neighbors among these; then each looks at those that it chose
 * and those that chose it, and keeps the best.  A step reads only what the one before
 * it has written, with a barrier between them, and each vector belongs to one process,
 * so the graph does not depend on timing or on the number of processes.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_partition.h"

#include "miscadmin.h"
#include "nv_workers.h"

/* Vectors that a process takes at a time. */
#define STEP 64

/* The smallest sample that has lists. */
#define LEAST_SAMPLE 16

/* Of a list in a sample by L2, so many are candidates on level 0; on upper levels all. */
#define OF_SAMPLE 24

/* By the inner product, of the list by L2 so many are candidates beside. */
#define OF_DISTANCE 32

/* ---- memory ---- */

/* A vector's node and how long it is; see number_by_length(). */
typedef struct ByLength
{
	uint32		place;			/* of its length, the longest first */
	uint32		rank;			/* of equally long ones */
	uint32		node;
} ByLength;

/*
 * The most neighbors that a vector chooses itself; other places are for those that choose
 * it.  By the inner product these are few for most vectors.
 */
static int
most_chosen(const HnswMeta *meta, bool by_product)
{
	int			places = hnsw_max_edges(meta);

	return places - places / (by_product ? 16 : 4);
}

/* Bytes of the arrays that are shared, for each vector, and of what numbers them by length. */
static double
bytes_of_vector(const HnswMeta *meta)
{
	bool		by_product = meta->metric == NV_SPACE_IP;
	double		chosen = most_chosen(meta, by_product);
	double		lists = by_product ? HNSW_MEASURES : 1;

	return lists * (sizeof(uint64) * HNSW_LIST + sizeof(uint8)) +
		(by_product ? sizeof(ByLength) + sizeof(uint32) : 0) +
		3 * sizeof(uint32) + sizeof(uint16) +	/* nodes, members, spare, groups */
		sizeof(uint32) * (1 + chosen) + sizeof(uint32) * (1 + chosen) +	/* choices, sources */
		(sizeof(uint64) * HNSW_LIST + sizeof(uint8)) / (HNSW_SAMPLE(by_product) - 1.0) +	/* of samples */
		sizeof(HnswTwin) + 1;	/* twins; segments */
}

/* Whether all that is needed fits into the memory of the build, beside n vectors. */
bool
hnsw_parts_fit(HnswBuild *build, uint32 n)
{
	const HnswMeta *meta = &build->ix.meta;
	HnswBuildShared *shared = build->shared;
	double		slots = (double) pg_atomic_read_u32(&shared->memory.used) *
		(meta->slot_bytes + 2 * sizeof(uint32));
	double		arrays = bytes_of_vector(meta) * n;
	double		processes = shared->nprocesses *
		((double) hnsw_matrix_bytes(meta) + 2 * hnsw_picker_bytes(meta));

	/* places in the array of sources are numbers of 32 bits */
	if ((double) n * hnsw_max_edges(meta) >= PG_UINT32_MAX)
		return false;
	if (!hnsw_matrix_serves(meta) || slots + arrays + processes > shared->memory_limit)
		return false;
	return build->alone || arrays <= nv_shared_room();
}

/* ---- numbers ---- */

/*
 * Have the one on the highest level stand for nodes of the same vector, which come
 * together in twins[].
 */
static void
choose_standing(HnswIndex *ix, HnswTwin *twins, uint32 n)
{
	for (uint32 first = 0, next; first < n; first = next)
	{
		uint32		of = twins[first].of;
		uint32		best = first;

		for (next = first; next < n && twins[next].of == of; next++)
		{
			if (hnsw_memory_node(ix, twins[next].slot)->top_level >
				hnsw_memory_node(ix, twins[best].slot)->top_level)
				best = next;
		}
		if (hnsw_memory_node(ix, twins[best].slot)->top_level <=
			hnsw_memory_node(ix, of)->top_level)
			continue;
		for (uint32 i = first; i < next; i++)
			twins[i].of = twins[best].slot;
		twins[best].slot = of;
	}
}

/* Count the vectors of each level, and number them from the highest level down. */
static void
number_vectors(HnswBuild *build, HnswPartsShared *shared, const HnswTwin *twins)
{
	HnswIndex  *ix = &build->ix;
	const uint32 *order = hnsw_array(build, build->shared->order);
	uint32	   *nodes = hnsw_array(build, shared->nodes);
	uint8	   *is_twin = nv_bitmap_alloc(pg_atomic_read_u32(&build->shared->memory.used));
	uint32		next[HNSW_MAX_LEVEL + 2] = {0};

	for (uint32 i = 0; i < shared->ntwins; i++)
		nv_set_bit(is_twin, twins[i].slot);
	for (int pass = 0; pass < 2; pass++)
	{
		for (uint32 i = 0; i < build->shared->nslots; i++)
		{
			const HnswNode *node = hnsw_memory_node(ix, order[i]);

			CHECK_FOR_INTERRUPTS();
			if (node->level > 0 || nv_bit(is_twin, order[i]))
				continue;
			if (pass == 1)
				nodes[next[node->top_level + 1]++] = order[i];
			else
			{
				for (int level = 0; level <= node->top_level; level++)
					next[level]++;
			}
		}
		if (pass == 0)
		{
			/* those of a level come behind those of higher ones */
			for (int level = 0; level <= HNSW_MAX_LEVEL; level++)
			{
				shared->on_level[level] = next[level];
				if (next[level] > 0)
					shared->top = level;
			}
			Assert(shared->on_level[0] == shared->n);
		}
	}
	pfree(is_twin);
}

/* One process: allocate what all of them share. */
void
hnsw_parts_begin(HnswBuild *build, const HnswTwin *twins, uint32 ntwins, uint32 n)
{
	HnswPartsShared *shared;
	HnswTwin   *array;
	bool		by_product = build->shared->by_product;
	Size		chosen = most_chosen(&build->ix.meta, by_product);
	uint32		samples = n / (HNSW_SAMPLE(by_product) - 1) + 1;

	build->shared->parts = hnsw_array_alloc(build, sizeof(HnswPartsShared));
	shared = hnsw_array(build, build->shared->parts);
	shared->n = n;
	shared->ntwins = ntwins;
	pg_atomic_init_u32(&shared->next, 0);
	pg_atomic_init_u64(&shared->head, 0);
	shared->twins = hnsw_array_alloc(build, sizeof(HnswTwin) * Max(ntwins, 1));
	array = hnsw_array(build, shared->twins);
	if (ntwins > 0)
		memcpy(array, twins, sizeof(HnswTwin) * ntwins);
	choose_standing(&build->ix, array, ntwins);
	shared->nodes = hnsw_array_alloc(build, sizeof(uint32) * n);
	number_vectors(build, shared, array);
	for (int i = 0; i < (by_product ? HNSW_MEASURES : 1); i++)
	{
		shared->keys[i] = hnsw_array_alloc(build, sizeof(uint64) * HNSW_LIST * n);
		shared->counts[i] = hnsw_array_alloc(build, sizeof(uint8) * n);
	}
	shared->sample_keys = hnsw_array_alloc(build, sizeof(uint64) * HNSW_LIST * samples);
	shared->sample_counts = hnsw_array_alloc(build, sizeof(uint8) * samples);
	shared->members = hnsw_array_alloc(build, sizeof(uint32) * n);
	shared->spare = hnsw_array_alloc(build, sizeof(uint32) * n);
	shared->groups = hnsw_array_alloc(build, sizeof(uint16) * n);
	shared->big = hnsw_array_alloc(build, sizeof(HnswSegment) * hnsw_partition_segments(n));
	shared->tasks = hnsw_array_alloc(build, sizeof(HnswSegment) * hnsw_partition_segments(n));
	shared->choices = hnsw_array_alloc(build, sizeof(uint32) * (1 + chosen) * n);
	shared->incoming = hnsw_array_alloc(build, sizeof(pg_atomic_uint32) * (n + 1));
	shared->sources = hnsw_array_alloc(build, sizeof(uint32) * chosen * n);
}

/* Open a process's view. */
static void
open_parts(HnswParts *parts, HnswBuild *build)
{
	HnswPartsShared *shared = hnsw_array(build, build->shared->parts);

	parts->build = build;
	parts->ix = &build->ix;
	parts->shared = shared;
	parts->matrix = hnsw_matrix_create(&build->ix);
	for (int i = 0; i < (int) lengthof(parts->pickers); i++)
		parts->pickers[i] = hnsw_picker_create(&build->ix);
	parts->chosen = most_chosen(&build->ix.meta, build->shared->by_product);
	parts->nodes = hnsw_array(build, shared->nodes);
	parts->twins = hnsw_array(build, shared->twins);
	parts->by_product = build->shared->by_product;
	for (int i = 0; i < (parts->by_product ? HNSW_MEASURES : 1); i++)
	{
		parts->lists[i].keys = hnsw_array(build, shared->keys[i]);
		parts->lists[i].counts = hnsw_array(build, shared->counts[i]);
	}
	parts->samples.keys = hnsw_array(build, shared->sample_keys);
	parts->samples.counts = hnsw_array(build, shared->sample_counts);
	parts->members = hnsw_array(build, shared->members);
	parts->spare = hnsw_array(build, shared->spare);
	parts->groups = hnsw_array(build, shared->groups);
	parts->big = hnsw_array(build, shared->big);
	parts->tasks = hnsw_array(build, shared->tasks);
	parts->choices = hnsw_array(build, shared->choices);
	parts->incoming = hnsw_array(build, shared->incoming);
	parts->sources = hnsw_array(build, shared->sources);
}

/* Be done with it. */
static void
close_parts(HnswParts *parts)
{
	HnswBuild  *build = parts->build;
	HnswPartsShared *shared = parts->shared;
	const HnswArray arrays[] = {
		shared->nodes, shared->twins, shared->keys[HNSW_BY_DISTANCE],
		shared->counts[HNSW_BY_DISTANCE], shared->sample_keys,
		shared->sample_counts, shared->members, shared->spare, shared->groups, shared->big,
		shared->tasks, shared->choices, shared->incoming, shared->sources
	};

	/* the last who lets go of them has them freed */
	for (int i = 0; i < (int) lengthof(arrays); i++)
		hnsw_array_free(build, arrays[i]);
	if (parts->by_product)
	{
		hnsw_array_free(build, shared->keys[HNSW_BY_PRODUCT]);
		hnsw_array_free(build, shared->counts[HNSW_BY_PRODUCT]);
	}
	hnsw_array_free(build, build->shared->parts);
}

/* ---- candidates ---- */

/* The node of a vector on a level. */
static inline uint32
node_on(const HnswParts *parts, uint32 number, int level)
{
	Assert(number < parts->shared->on_level[level]);
	return parts->nodes[number] - level;
}

/* The lists by what counts. */
static inline const HnswLists *
main_lists(const HnswParts *parts)
{
	return &parts->lists[parts->by_product ? HNSW_BY_PRODUCT : HNSW_BY_DISTANCE];
}

/* Have what a vector begins with come into the caches: its list. */
static inline void
prefetch_list(HnswParts *parts, uint32 number)
{
	const HnswLists *lists = main_lists(parts);
	const char *list = (const char *) (lists->keys + (Size) number * HNSW_LIST);

	__builtin_prefetch(lists->counts + number);
	for (Size b = 0; b < sizeof(uint64) * HNSW_LIST; b += NV_PREFETCH_STEP)
		__builtin_prefetch(list + b);
}

/* What a step does with one vector of a level: first who is to be looked at, then the rest. */
typedef void (*VectorStep) (HnswParts *parts, HnswPicker *picker, uint32 number, int level);

/*
 * Do a step with all vectors of a level, by turns of the processes.  They come in the
 * order of leaves, whose vectors have most of their lists in common.  While one is worked
 * on, those that the next looks at come into the caches.
 */
static void
do_all(HnswParts *parts, int level, VectorStep collect, VectorStep finish)
{
	const uint32 *members = parts->members;
	uint32		n = parts->shared->on_level[level];
	uint32		first;

	while ((first = pg_atomic_fetch_add_u32(&parts->shared->next, STEP)) < n)
	{
		uint32		end = Min(first + STEP, n);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = first; i <= end; i++)
		{
			if (i + 1 < end)
				prefetch_list(parts, members[i + 1]);
			if (i < end)
				collect(parts, parts->pickers[i % 2], members[i], level);
			if (i > first)
				finish(parts, parts->pickers[(i - 1) % 2], members[i - 1], level);
		}
	}
}

/* ---- choice ---- */

/* Add the others in a list. */
static void
add_from_list(HnswParts *parts, HnswPicker *picker, const HnswLists *lists, uint32 number,
			  int most, int level)
{
	const uint64 *list = lists->keys + (Size) number * HNSW_LIST;

	for (int i = 0; i < Min(most, lists->counts[number]); i++)
	{
		uint32		other = hnsw_list_other(list[i], number);

		if (other != picker->number)
			hnsw_pick_add(picker, other, node_on(parts, other, level));
	}
}

/* The first of a list's owner and the others in it that is in a sample of the first n; or n. */
static uint32
first_in_sample(const HnswLists *lists, uint32 number, uint32 n)
{
	const uint64 *list = lists->keys + (Size) number * HNSW_LIST;

	if (number < n)
		return number;
	for (int i = 0; i < lists->counts[number]; i++)
	{
		uint32		other = hnsw_list_other(list[i], number);

		if (other < n)
			return other;
	}
	return n;
}

/* The lists of a sample of n, and behind them those of the next. */
static HnswLists
lists_after(HnswLists lists, uint32 n)
{
	lists.keys += (Size) n * HNSW_LIST;
	lists.counts += n;
	return lists;
}

/*
 * Collect candidates for a vector on a level: those in its list, and those in the list, in
 * a sample, of the nearest one that is there.  In tight clusters, lists hold nothing of
 * other ones.  By the inner product, what lists of leaves lack are the long vectors, too,
 * which are half of a sample.
 */
static void
collect_candidates(HnswParts *parts, HnswPicker *picker, uint32 number, int level)
{
	HnswLists	from = *main_lists(parts);
	HnswLists	next = parts->samples;
	uint32		near = number;
	int			ratio = HNSW_SAMPLE(parts->by_product);
	int			of_sample = level > 0 || parts->by_product ? HNSW_LIST : OF_SAMPLE;

	hnsw_pick_begin(picker, number, node_on(parts, number, level));
	add_from_list(parts, picker, &from, number, HNSW_LIST, level);
	if (parts->by_product)
		add_from_list(parts, picker, &parts->lists[HNSW_BY_DISTANCE], number, OF_DISTANCE, level);
	for (uint32 n = parts->shared->on_level[level] / ratio; n >= LEAST_SAMPLE; n /= ratio)
	{
		near = first_in_sample(&from, near, n);
		if (near == n)
			break;
		from = next;
		add_from_list(parts, picker, &from, near, of_sample, level);
		next = lists_after(next, n);
	}
}

/* Choose neighbors of a vector, and count for each that it is chosen. */
static void
choose_own(HnswParts *parts, HnswPicker *picker, uint32 number, int level)
{
	uint32	   *choice = parts->choices + (Size) number * (1 + parts->chosen);

	hnsw_pick(picker, 0, parts->chosen);
	choice[0] = picker->npicked;
	for (int i = 0; i < picker->npicked; i++)
	{
		choice[1 + i] = picker->numbers[picker->picked[i]];
		pg_atomic_fetch_add_u32(&parts->incoming[choice[1 + i]], 1);
	}
}

/* One process: where those that chose a vector will begin. */
static void
place_sources(HnswParts *parts, int level)
{
	uint32		place = 0;

	for (uint32 i = 0; i < parts->shared->on_level[level]; i++)
	{
		uint32		n = pg_atomic_read_u32(&parts->incoming[i]);

		pg_atomic_write_u32(&parts->incoming[i], place);
		place += n;
	}
	pg_atomic_write_u32(&parts->shared->next, 0);
}

/* Note for each who chose it; in the end, incoming[] is where those of the next begin. */
static void
note_sources(HnswParts *parts, int level)
{
	uint32		n = parts->shared->on_level[level];
	uint32		first;

	while ((first = pg_atomic_fetch_add_u32(&parts->shared->next, STEP)) < n)
	{
		uint32		end = Min(first + STEP, n);

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = first; i < end; i++)
		{
			const uint32 *choice = parts->choices + (Size) i * (1 + parts->chosen);

			for (uint32 k = 0; k < choice[0]; k++)
				parts->sources[pg_atomic_fetch_add_u32(&parts->incoming[choice[1 + k]], 1)] = i;
		}
	}
}

/* ---- edges ---- */

/* The number of a vector that has none: a twin's. */
#define NO_NUMBER PG_UINT32_MAX

/* Whether a number, or a slot, is among n of them. */
static bool
is_among(const uint32 *x, int n, uint32 wanted)
{
	for (int i = 0; i < n; i++)
	{
		if (x[i] == wanted)
			return true;
	}
	return false;
}

/* Fill the places that are left with the nearest of a list.  Returns how many are taken. */
static int
fill_from_list(HnswParts *parts, uint32 number, int level, uint32 *slots, int n, int limit)
{
	const HnswLists *lists = main_lists(parts);
	const uint64 *list = lists->keys + (Size) number * HNSW_LIST;

	for (int i = 0; i < lists->counts[number] && n < limit; i++)
	{
		uint32		slot = node_on(parts, hnsw_list_other(list[i], number), level);

		if (!is_among(slots, n, slot))
			slots[n++] = slot;
	}
	return n;
}

/* Set the edges of a node, which has no codes of them in memory. */
static void
set_edges(HnswParts *parts, HnswNode *node, const uint32 *slots, int n)
{
	Assert(parts->ix->meta.bits == 0 && n <= hnsw_max_edges(&parts->ix->meta));
	memcpy(HNSW_NEIGHBORS(node), slots, sizeof(uint32) * n);
	node->nedges = (uint16) n;
	node->version++;
}

/* Collect those that a vector chose and those that chose it. */
static void
collect_edges(HnswParts *parts, HnswPicker *picker, uint32 number, int level)
{
	const uint32 *choice = parts->choices + (Size) number * (1 + parts->chosen);
	uint32		slot = node_on(parts, number, level);
	const HnswNode *node = hnsw_memory_node(parts->ix, slot);
	uint32		from = number == 0 ? 0 : pg_atomic_read_u32(&parts->incoming[number - 1]);
	uint32		to = pg_atomic_read_u32(&parts->incoming[number]);

	hnsw_pick_begin(picker, number, slot);
	/* the one that it has already leads to its next twin */
	for (int i = 0; i < node->nedges; i++)
		hnsw_pick_add(picker, NO_NUMBER, HNSW_NEIGHBORS(node)[i]);
	for (uint32 i = 0; i < choice[0]; i++)
		hnsw_pick_add(picker, choice[1 + i], node_on(parts, choice[1 + i], level));
	for (uint32 i = from; i < to; i++)
	{
		uint32		source = parts->sources[i];

		if (!is_among(choice + 1, choice[0], source))
			hnsw_pick_add(picker, source, node_on(parts, source, level));
	}
}

/* Give a vector's node on a level its edges. */
static void
link_vector(HnswParts *parts, HnswPicker *picker, uint32 number, int level)
{
	HnswNode   *node = hnsw_memory_node(parts->ix, node_on(parts, number, level));
	int			limit = hnsw_chosen_edges(parts->ix);
	uint32		slots[HNSW_MAX_SLOTS];
	int			n;

	hnsw_pick(picker, node->nedges, limit);
	for (n = 0; n < picker->npicked; n++)
		slots[n] = picker->slots[picker->picked[n]];
	n = fill_from_list(parts, number, level, slots, n, limit);
	set_edges(parts, node, slots, n);
}

/* Give a twin the neighbors of the one that stands for it, and behind its ring, that one's. */
static void
link_twin(HnswParts *parts, const HnswTwin *twin)
{
	HnswIndex  *ix = parts->ix;
	int			limit = hnsw_max_edges(&ix->meta);
	int			top = hnsw_memory_node(ix, twin->slot)->top_level;

	Assert(top <= hnsw_memory_node(ix, twin->of)->top_level);
	for (int level = top; level >= 0; level--)
	{
		HnswNode   *node = hnsw_memory_node(ix, twin->slot - level);
		const HnswNode *of = hnsw_memory_node(ix, twin->of - level);
		uint32		slots[HNSW_MAX_SLOTS];
		int			n = node->nedges;

		memcpy(slots, HNSW_NEIGHBORS(node), sizeof(uint32) * n);
		if (level > 0)
			slots[n++] = twin->of - level;
		for (int i = 0; i < of->nedges && n < limit; i++)
		{
			uint32		slot = HNSW_NEIGHBORS(of)[i];

			if (slot != twin->slot - level && !is_among(slots, n, slot))
				slots[n++] = slot;
		}
		set_edges(parts, node, slots, n);
	}
}

/* Give all twins their edges. */
static void
link_twins(HnswParts *parts)
{
	HnswPartsShared *shared = parts->shared;
	uint32		i;

	while ((i = pg_atomic_fetch_add_u32(&shared->next, 1)) < shared->ntwins)
	{
		CHECK_FOR_INTERRUPTS();
		link_twin(parts, &parts->twins[i]);
	}
}

/* ---- levels ---- */

/* Have all processes begin with the first vector. */
static void
begin_step(HnswParts *parts)
{
	if (hnsw_build_wait(parts->build))
		pg_atomic_write_u32(&parts->shared->next, 0);
	hnsw_build_wait(parts->build);
}

/* Empty the lists of the first n vectors, and count nobody who chose them. */
static void
empty_lists(HnswParts *parts, const HnswLists lists[HNSW_MEASURES], uint32 n)
{
	if (hnsw_build_wait(parts->build))
	{
		for (int i = 0; i < HNSW_MEASURES; i++)
		{
			if (lists[i].keys != NULL)
				memset(lists[i].counts, 0, sizeof(uint8) * n);
		}
		for (uint32 i = 0; i < n; i++)
			pg_atomic_write_u32(&parts->incoming[i], 0);
	}
	hnsw_build_wait(parts->build);
}

/* Fill the lists of all samples of a level. */
static void
list_samples(HnswParts *parts, int level)
{
	HnswLists	lists[HNSW_MEASURES] = {{0}};
	HnswLists  *sample = &lists[parts->by_product ? HNSW_BY_PRODUCT : HNSW_BY_DISTANCE];
	int			ratio = HNSW_SAMPLE(parts->by_product);

	*sample = parts->samples;
	for (uint32 n = parts->shared->on_level[level] / ratio; n >= LEAST_SAMPLE; n /= ratio)
	{
		empty_lists(parts, lists, n);
		hnsw_partition(parts, lists, n);
		*sample = lists_after(*sample, n);
	}
}

#define ST_SORT sort_by_length
#define ST_ELEMENT_TYPE ByLength
#define ST_COMPARE(a, b) \
	((a)->place != (b)->place ? ((a)->place < (b)->place ? -1 : 1) : \
	 (a)->rank < (b)->rank ? -1 : (a)->rank > (b)->rank)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * One process: number the vectors of a level anew.  By turns the longest of those that are
 * left is next, and the first of them in their order.  So half of a sample are the longest
 * vectors, which may all be of a few clusters, and half are of all of them.
 */
static void
number_by_length(HnswParts *parts, int level)
{
	HnswIndex  *ix = parts->ix;
	uint32		n = parts->shared->on_level[level];
	ByLength   *longest = palloc_extended(sizeof(ByLength) * n, MCXT_ALLOC_HUGE);
	uint32	   *others = palloc_extended(sizeof(uint32) * n, MCXT_ALLOC_HUGE);
	uint8	   *numbered = nv_bitmap_alloc(pg_atomic_read_u32(&parts->build->shared->memory.used));
	uint32		nlongest = 0;
	uint32		nothers = 0;

	for (uint32 i = 0; i < n; i++)
	{
		uint32		slot = parts->nodes[i];
		HnswRef		ref = {.node = hnsw_memory_node(ix, slot), .buffer = InvalidBuffer};
		NvStored	v = hnsw_stored(ix, &ref);

		CHECK_FOR_INTERRUPTS();
		longest[i].place = hnsw_float_place(-nv_stored_norm2(&ix->space, &v));
		longest[i].rank = ix->ranks[slot];
		longest[i].node = others[i] = slot;
	}
	sort_by_length(longest, n);
	for (uint32 i = 0; i < n; i++)
	{
		uint32		next;

		do
			next = i % 2 == 0 ? longest[nlongest++].node : others[nothers++];
		while (nv_bit(numbered, next));
		nv_set_bit(numbered, next);
		parts->nodes[i] = next;
	}
	pfree(numbered);
	pfree(others);
	pfree(longest);
}

/* Link all nodes of a level. */
static void
link_level(HnswParts *parts, int level)
{
	uint32		n = parts->shared->on_level[level];

	if (hnsw_build_wait(parts->build) && parts->by_product)
		number_by_length(parts, level);
	hnsw_build_wait(parts->build);
	list_samples(parts, level);
	empty_lists(parts, parts->lists, n);
	hnsw_partition(parts, parts->lists, n);
	begin_step(parts);
	do_all(parts, level, collect_candidates, choose_own);
	if (hnsw_build_wait(parts->build))
		place_sources(parts, level);
	hnsw_build_wait(parts->build);
	note_sources(parts, level);
	begin_step(parts);
	do_all(parts, level, collect_edges, link_vector);
}

/* Link all nodes, level by level. */
void
hnsw_parts_link(HnswBuild *build)
{
	HnswParts	parts = {0};

	open_parts(&parts, build);
	for (int level = parts.shared->top; level >= 0; level--)
		link_level(&parts, level);
	begin_step(&parts);
	link_twins(&parts);
	hnsw_build_wait(build);
	close_parts(&parts);
}
