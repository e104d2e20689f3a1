/*-------------------------------------------------------------------------
 *
 * hnsw_write.c
 *		Writes the graph of an index build from memory to pages.
 *
 * Nodes that are neighbors should share a page where several fit one: a
 * search then finds the next page in the cache more often.  One process finds out
 * where each goes.  Then all of them add pages, and fill each with what belongs
 * there.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_build.h"
#include "hnsw/hnsw_map.h"

#include "miscadmin.h"

typedef struct Writer
{
	HnswBuild  *build;
	HnswIndex  *ix;				/* in memory */
	HnswIndex  *pages;
	uint32	   *place;			/* by slot in memory: slot in the index */
	uint32	   *at;				/* the reverse */
	uint32		n;				/* slots placed */
	HnswCandidate neighbors[HNSW_MAX_SLOTS];	/* of the node being written */
} Writer;

typedef struct Near
{
	float		distance;
	uint32		slot;
} Near;

/* Whether a slot in memory has its place in the index already. */
static bool
is_placed(const Writer *w, uint32 slot)
{
	return w->place[slot] != HNSW_NO_SLOT;
}

/* Give the next place to a node, and those behind it to the rest of its vector. */
static void
put(Writer *w, uint32 slot)
{
	uint32		rest = hnsw_memory_node(w->ix, slot)->rest;

	Assert(!is_placed(w, slot));
	Assert(hnsw_memory_node(w->ix, slot)->kind == HNSW_SLOT_NODE);
	w->place[slot] = w->n;
	w->at[w->n++] = slot;
	while (rest != HNSW_NO_SLOT)
	{
		w->place[rest] = w->n;
		w->at[w->n++] = rest;
		rest = ((HnswRest *) hnsw_memory_node(w->ix, rest))->next;
	}
}

/* The order of nodes by distance, for qsort(). */
static int
compare_near(const void *a, const void *b)
{
	float		x = ((const Near *) a)->distance;
	float		y = ((const Near *) b)->distance;

	return x < y ? -1 : x > y;
}

/* Fill the page with the nearest neighbors of a node that have no place yet. */
static void
fill_page(Writer *w, uint32 slot)
{
	HnswIndex  *ix = w->ix;
	const HnswNode *node = hnsw_memory_node(ix, slot);
	HnswRef		ref = {.node = node};
	NvStored	self;
	Near		near[HNSW_MAX_SLOTS];
	int			n = 0;

	if (ix->meta.slots_per_page == 1 || w->n % ix->meta.slots_per_page == 0)
		return;
	self = hnsw_stored(ix, &ref);
	for (int i = 0; i < node->nedges; i++)
	{
		uint32		neighbor = HNSW_NEIGHBORS(node)[i];
		NvStored	v;

		if (is_placed(w, neighbor))
			continue;
		ref.node = hnsw_memory_node(ix, neighbor);
		v = hnsw_stored(ix, &ref);
		near[n].distance = nv_distance_between(&ix->space, &self, &v);
		near[n++].slot = neighbor;
	}
	qsort(near, n, sizeof(Near), compare_near);
	for (int i = 0; i < n && w->n % ix->meta.slots_per_page != 0; i++)
		put(w, near[i].slot);
}

/*
 * Level 0 in the order of a breadth-first walk, page by page; the other levels
 * after it.  "at" is at once the queue of the walk.
 */
static void
place_all(Writer *w)
{
	HnswBuildShared *shared = w->build->shared;
	const uint32 *order = hnsw_array(w->build, shared->order);
	uint32		next = 0;

	for (uint32 i = 0; i < shared->nslots; i++)
	{
		const HnswNode *node = hnsw_memory_node(w->ix, order[i]);

		if (node->level > 0 || (node->flags & HNSW_DEAD) || is_placed(w, order[i]))
			continue;
		put(w, order[i]);
		for (; next < w->n; next++)
		{
			const HnswNode *from = hnsw_memory_node(w->ix, w->at[next]);

			CHECK_FOR_INTERRUPTS();
			if (from->kind != HNSW_SLOT_NODE)
				continue;
			for (int e = 0; e < from->nedges; e++)
			{
				uint32		neighbor = HNSW_NEIGHBORS(from)[e];

				if (is_placed(w, neighbor))
					continue;
				put(w, neighbor);
				fill_page(w, neighbor);
			}
		}
	}
	for (uint32 i = 0; i < shared->nslots; i++)
	{
		const HnswNode *node = hnsw_memory_node(w->ix, order[i]);

		if (node->level > 0 && (node->flags & HNSW_DEAD) == 0)
			put(w, order[i]);
	}
}

/* Replace the number of a slot in memory by that of its place in the index. */
static void
translate(const Writer *w, uint32 *slot)
{
	if (*slot == HNSW_NO_SLOT)
		return;
	/* nothing leads to what is not written */
	Assert(is_placed(w, *slot));
	*slot = w->place[*slot];
}

/* Copy the parts of a node that are not at the same place in memory and on its page. */
static void
copy_parts(const Writer *w, HnswNode *to, const HnswNode *from)
{
	const HnswLayout *in_memory = &w->ix->layout;
	const HnswLayout *layout = &w->pages->layout;

	Assert(in_memory->add == layout->add && from->vector_bytes <= layout->vector_room);
	memcpy(to, from, layout->add);
	memcpy(HNSW_VECTOR(layout, to), HNSW_VECTOR(in_memory, from), from->vector_bytes);
}

/* Write the codes of a node's edges, which it has not in memory; they lead on in the index. */
static void
write_codes(Writer *w, HnswNode *to, const HnswNode *from)
{
	HnswRef		ref = {.node = from};
	NvStored	self = hnsw_stored(w->ix, &ref);

	for (int i = 0; i < from->nedges; i++)
	{
		ref.node = hnsw_memory_node(w->ix, HNSW_NEIGHBORS(from)[i]);
		w->neighbors[i].slot = HNSW_NEIGHBORS(to)[i];
		w->neighbors[i].stored = hnsw_stored(w->ix, &ref);
	}
	to->nedges = 0;
	hnsw_set_edges(w->pages, to, &self, w->neighbors, from->nedges);
}

/* Have the vectors of a node's neighbors come into the caches. */
static void
prefetch_neighbors(Writer *w, uint32 slot)
{
	const HnswNode *node = hnsw_memory_node(w->ix, slot);

	if (node->kind != HNSW_SLOT_NODE)
		return;
	for (int i = 0; i < node->nedges; i++)
		hnsw_memory_prefetch(w->ix, HNSW_NEIGHBORS(node)[i]);
}

/* Copy a slot, with its references as they are in the index. */
static void
copy_slot(Writer *w, char *to, uint32 slot)
{
	const HnswNode *from = hnsw_memory_node(w->ix, slot);
	HnswNode   *node = (HnswNode *) to;

	if (w->build->differs)
		copy_parts(w, node, from);
	else
		memcpy(to, from, w->ix->meta.slot_bytes);
	if (node->kind == HNSW_SLOT_REST)
	{
		translate(w, &((HnswRest *) to)->next);
		return;
	}
	if (node->level > 0)
	{
		translate(w, &HNSW_BELOW(&w->ix->layout, node)->down);
		translate(w, &HNSW_BELOW(&w->ix->layout, node)->base);
	}
	translate(w, &node->rest);
	for (int i = 0; i < node->nedges; i++)
		translate(w, &HNSW_NEIGHBORS(node)[i]);
	if (w->build->differs && w->pages->meta.bits > 0)
		write_codes(w, node, from);
}

/* The image of the node at a place, if it is one of level 0. */
static const char *
image_at(void *arg, uint32 place)
{
	const Writer *w = arg;
	const HnswNode *node;

	if (place >= w->n)
		return NULL;
	node = hnsw_memory_node(w->ix, w->at[place]);
	return node->kind == HNSW_SLOT_NODE && node->level == 0 ?
		HNSW_IMAGE(&w->ix->layout, node) : NULL;
}

/* About so many images are looked at to learn bounds. */
#define MOST_IMAGES 16384

/* Learn the bounds of attributes. */
static void
learn_bounds(Writer *w)
{
	uint32		step = Max(w->n / MOST_IMAGES, 1);
	char	  **images = palloc(sizeof(char *) * (w->n / step + 1));
	uint32		n = 0;

	for (uint32 place = 0; place < w->n; place += step)
	{
		const char *image = image_at(w, place);

		if (image != NULL)
			images[n++] = unconstify(char *, image);
	}
	hnsw_map_learn(w->pages, images, n);
	pfree(images);
}

/* Write the slots of a page. */
static void
write_slots(Writer *w, Page page, uint32 first)
{
	const HnswMeta *meta = &w->pages->meta;
	uint32		end = Min(first + meta->slots_per_page, w->n);

	Assert(first < w->n);
	nv_page_init(page, NV_PAGE_HNSW_SLOTS);
	for (uint32 i = first; i < end; i++)
	{
		/* of the next one, which may be on another page, while this one is worked on */
		if (i + 1 < w->n)
			prefetch_neighbors(w, w->at[i + 1]);
		copy_slot(w, hnsw_slot_at(meta, page, i), w->at[i]);
	}
}

/* Write all pages, by turns of the processes: whoever adds one writes what belongs there. */
static void
write_pages(Writer *w)
{
	HnswBuildShared *shared = w->build->shared;
	const HnswMeta *meta = &w->pages->meta;
	BlockNumber last = hnsw_slot_block(meta, w->n - 1);

	while (hnsw_first_block(meta) + pg_atomic_fetch_add_u32(&shared->next_page, 1) <= last)
	{
		Buffer		buffer = nv_extend(w->build->rel);
		Page		page = BufferGetPage(buffer);
		BlockNumber block = BufferGetBlockNumber(buffer);
		uint32		first = hnsw_first_slot(meta, block);

		CHECK_FOR_INTERRUPTS();
		Assert(block <= last);
		if (hnsw_is_map_block(meta, block))
		{
			nv_page_init(page, NV_PAGE_HNSW_MAP);
			hnsw_map_fill(w->pages, page, first, image_at, w);
		}
		else
			write_slots(w, page, first);
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
}

/* Write the entry point into the metapage. */
static void
write_entry(Writer *w)
{
	HnswBuildShared *shared = w->build->shared;
	Buffer		buffer = ReadBuffer(w->build->rel, HNSW_META_BLOCK);
	HnswMeta   *meta;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	Assert(is_placed(w, shared->entry) && shared->entry_level <= HNSW_MAX_LEVEL);
	meta = (HnswMeta *) NV_PAGE_CONTENTS(BufferGetPage(buffer));
	meta->entry = w->place[shared->entry];
	meta->entry_level = (uint16) shared->entry_level;
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/* One process: find places for all nodes. */
static void
begin_write(Writer *w)
{
	HnswBuild  *build = w->build;
	HnswBuildShared *shared = build->shared;
	Size		bytes = sizeof(uint32) * pg_atomic_read_u32(&shared->memory.used);

	shared->place = hnsw_array_alloc(build, bytes);
	shared->at = hnsw_array_alloc(build, bytes);
	w->place = hnsw_array(build, shared->place);
	w->at = hnsw_array(build, shared->at);
	memset(w->place, 0xff, bytes);
	place_all(w);
	shared->nplaced = w->n;
	if (w->ix->attributes.n > 0)
		learn_bounds(w);
	pg_atomic_write_u32(&shared->next_page, 0);
}

/* Place all nodes, and write them. */
void
hnsw_write(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;
	Writer	   *w;

	/* all of them have waited since it was set */
	if (shared->nslots == 0)
		return;
	w = palloc0(sizeof(Writer));
	w->build = build;
	w->ix = &build->ix;
	w->pages = &build->pages;
	if (hnsw_build_wait(build))
		begin_write(w);
	hnsw_build_wait(build);
	w->place = hnsw_array(build, shared->place);
	w->at = hnsw_array(build, shared->at);
	w->n = shared->nplaced;
	write_pages(w);
	if (hnsw_build_wait(build))
		write_entry(w);
	hnsw_build_wait(build);
	hnsw_array_free(build, shared->place);
	hnsw_array_free(build, shared->at);
	pfree(w);
}
