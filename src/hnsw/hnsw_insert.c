/*-------------------------------------------------------------------------
 *
 * hnsw_insert.c
 *		Inserts vectors into the graph on pages.
 *
 * See README for the order of steps and locks.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <math.h>

#include "miscadmin.h"
#include "nv_random.h"
#include "nv_testpoint.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/* What an insert decided before it writes. */
typedef struct Placement
{
	NvStored	stored;
	const char *image;			/* of attributes */
	uint32		hash;			/* of the place of the row */
	uint32		after;			/* where equally near neighbors are counted from: anywhere */
	int			level;
	int			n[HNSW_MAX_LEVEL + 1];
	HnswCandidate *neighbors[HNSW_MAX_LEVEL + 1];
	int			nstrict[HNSW_MAX_LEVEL + 1];	/* so many, the first, were chosen strictly */
	HnswSurroundings *around;
} Placement;

/* Whether a search found a live node. */
static bool
found_live(HnswSearch *search)
{
	int			nfound;
	const HnswFound *found = hnsw_found(search, &nfound);

	for (int i = 0; i < nfound; i++)
	{
		if (!found[i].dead)
			return true;
	}
	return false;
}

/*
 * Search again from any live node, if there is one: on the way, the search passes
 * those at the edge of the dead region.
 */
static void
search_from_elsewhere(HnswIndex *ix, HnswSearch *search, const NvQuery *query, int level)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(ix->rel);
	uint32		start = hnsw_nearest(search) == NULL ? 0 : hnsw_nearest(search)->slot;
	uint32		live = hnsw_find_live(ix, level, start, NULL,
									  hnsw_first_slot(&ix->meta, nblocks));

	if (live != HNSW_NO_SLOT)
		hnsw_search_level(search, query, live, level, ix->meta.ef_construction);
}

/* Whether a search found a node with a vector. */
static bool
found_same(HnswSearch *search, const NvStored *v)
{
	const HnswFound *nearest = hnsw_nearest(search);

	return nearest != NULL && nv_stored_equal(&nearest->stored, v);
}

/*
 * Look for as many candidates beside nodes that have the vector of another one; not for a new
 * one of these, whose neighbors are theirs.
 */
static void
search_beside_twins(HnswSearch *search, const Placement *place)
{
	const int	wanted = hnsw_search_ef(search);
	int			ef;

	while ((ef = hnsw_ef_beside_twins(search, wanted)) > hnsw_search_ef(search) &&
		   !found_same(search, &place->stored) && hnsw_search_more(search, ef, 0))
		CHECK_FOR_INTERRUPTS();
}

/* Keep what a search found for a level, as far as it makes neighbors. */
static void
choose_neighbors(HnswIndex *ix, HnswSearch *search, const NvQuery *query, Placement *place,
				 int level)
{
	int			nfound;
	HnswFound  *found;
	HnswCandidate *c;
	int			n = 0;
	int			ef = ix->meta.ef_construction;

	/* where vacuum is removing a whole region, look beyond it, but not through all of it */
	while (!found_live(search) && ef < HNSW_FAR_SEARCH * ix->meta.ef_construction &&
		   hnsw_search_more(search, ef *= 2, 0))
		CHECK_FOR_INTERRUPTS();
	if (!found_live(search))
		search_from_elsewhere(ix, search, query, level);
	if (level == 0)
		search_beside_twins(search, place);
	found = hnsw_found(search, &nfound);
	c = palloc_extended(sizeof(HnswCandidate) * Max(nfound, 1), MCXT_ALLOC_HUGE);
	for (int i = 0; i < nfound; i++)
	{
		if (found[i].dead)
			continue;
		c[n].slot = found[i].slot;
		c[n].stored = found[i].stored;
		c[n++].distance = hnsw_edge_distance(ix, &place->stored, &found[i].stored);
	}
	for (int i = 0; i < nfound; i++)
		hnsw_note_found(place->around, &found[i], level, level > 0);
	if (nfound > 0)
		place->after = found[place->hash % nfound].slot;
	n = hnsw_choose_beside(ix, &place->stored, c, 0, n, place->after, hnsw_chosen_edges(ix), true,
						   &place->nstrict[level]);
	/* the search's copies are overwritten on the next level */
	for (int i = 0; level > 0 && i < n; i++)
		c[i].stored = nv_stored_copy(&c[i].stored);
	place->neighbors[level] = c;
	place->n[level] = n;
}

/*
 * Add a row to a node that was found to have the same vector, if it is still
 * alive, has the same attributes and has room.  Vacuum frees no node while an
 * insert is under way, so the vector is the same as it was.  The rest of a long
 * one must not be read here: two inserts could wait for each other's pages.
 */
static bool
add_tid(HnswIndex *ix, uint32 slot, const NvStored *v, const char *image, ItemPointer tid)
{
	Buffer		buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	HnswNode   *node;
	NvChange	change;
	bool		same;
	bool		added;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
	node = (HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);
	same = node->kind == HNSW_SLOT_NODE && (node->flags & HNSW_DEAD) == 0 && node->level == 0 &&
		memcmp(HNSW_IMAGE(&ix->layout, node), image, ix->meta.attribute_bytes) == 0;
	/* of a row with many vectors, two may be the same as they are stored */
	added = same && ix->many && hnsw_node_has_row(ix, node, tid);
	if (same && !added && node->ntids < ix->meta.node_tids)
	{
		nv_change_begin(&change, ix->rel, ix->logged);
		node = (HnswNode *) hnsw_slot_at(&ix->meta, nv_change_page(&change, buffer, false), slot);
		HNSW_TIDS(&ix->layout, node)[node->ntids++] = *tid;
		node->error = Max(node->error, v->error);
		nv_change_finish(&change);
		added = true;
	}
	UnlockReleaseBuffer(buffer);
	return added;
}

/* Add a row to a node of the same vector and attributes; returns whether one has room. */
static bool
join_duplicate(HnswIndex *ix, HnswSearch *search, const NvStored *v, const char *image,
			   ItemPointer tid)
{
	int			nfound;
	HnswFound  *found = hnsw_found(search, &nfound);

	for (int i = 0; i < nfound; i++)
	{
		if (!found[i].dead && (found[i].ntids < ix->meta.node_tids || ix->many) &&
			nv_stored_equal(&found[i].stored, v) && add_tid(ix, found[i].slot, v, image, tid))
			return true;
	}
	return false;
}

/* Rounding that is more than this part of the distances to near neighbors leads searches astray. */
#define MUCH_ROUNDING 0.15
#define NEAREST 3

/*
 * The Euclidean distance (by L1, that) to the third nearest vector of those that
 * a search found, but for those that are the same; infinite if there are not so
 * many.
 */
static double
near_distance(const HnswIndex *ix, HnswSearch *search, const NvQuery *query)
{
	double		nearest[NEAREST];
	int			nfound;
	const HnswFound *found = hnsw_found(search, &nfound);

	for (int k = 0; k < NEAREST; k++)
		nearest[k] = INFINITY;
	for (int i = 0; i < nfound; i++)
	{
		double		distance = found[i].distance;

		if (found[i].dead)
			continue;
		if (ix->space.ip)
			distance = (double) query->norm * query->norm +
				nv_stored_norm2(&ix->space, &found[i].stored) + 2 * distance;
		if (!(distance > 0))
			continue;
		for (int k = 0; k < NEAREST; k++)
		{
			if (distance < nearest[k])
			{
				double		further = nearest[k];

				nearest[k] = distance;
				distance = further;
			}
		}
	}
	return ix->space.metric == NV_SPACE_L1 ? nearest[NEAREST - 1] : sqrt(nearest[NEAREST - 1]);
}

/*
 * Store a vector finely where the usual rounding is too much beside its distances
 * from its neighbors: it is of another place than the rows that the form was
 * chosen for, or where rows are denser.  Returns whether that changed it.
 */
static bool
store_finely(HnswIndex *ix, HnswSearch *search, const NvQuery *query, Placement *place)
{
	if (ix->meta.form != NV_FORM_SQ8 || nv_stored_fine(&ix->space, &place->stored) ||
		place->stored.error <= MUCH_ROUNDING * near_distance(ix, search, query))
		return false;
	nv_query_store_fine(&ix->space, query, (char *) unconstify(void *, place->stored.data),
						&place->stored);
	return true;
}

/* Search all levels.  Returns true when a node with the same vector took the row. */
static bool
find_place(HnswIndex *ix, const NvQuery *query, uint32 entry, int entry_level, Placement *place,
		   ItemPointer tid)
{
	HnswSearch *search = hnsw_search_begin(ix, true);
	uint32		above = entry;

	entry = hnsw_descend(search, query, entry, entry_level, Min(place->level, entry_level));
	for (int level = Min(place->level, entry_level); level >= 0; level--)
	{
		const HnswFound *nearest;

		if (entry == HNSW_NO_SLOT)
			hnsw_damaged(ix, above, "has no node below it");
		above = entry;
		hnsw_search_level(search, query, entry, level, hnsw_level_ef(ix, level));
		if (level == 0 && join_duplicate(ix, search, &place->stored, place->image, tid))
			return true;
		if (store_finely(ix, search, query, place) && level == 0 &&
			join_duplicate(ix, search, &place->stored, place->image, tid))
			return true;
		choose_neighbors(ix, search, query, place, level);
		nearest = hnsw_nearest(search);
		entry = nearest == NULL ? HNSW_NO_SLOT : nearest->down;
	}
	return false;
}

/*
 * A new node is to have edges back from so many of its neighbors, as a part of m.
 * Where few vectors are everybody's nearest, as with norms over orders of
 * magnitude, the heuristic chooses no others, and they are full.
 */
#define EDGES_BACK(m) ((m) * 5 / 8)

/* Let the neighbors on one level know the new node; one of them must. */
static void
add_reverse_edges(HnswIndex *ix, Placement *place, int level, uint32 slot)
{
	HnswCandidate self = {.slot = slot, .stored = place->stored};
	int			n = place->n[level];
	int			added;
	/* by the inner product, one long vector stands for all others */
	int			nasked = ix->space.ip ? n : Min(place->nstrict[level], ix->meta.m);

	added = hnsw_ask_for_edges(place->around, &self, place->neighbors[level], n, nasked,
							   EDGES_BACK(ix->meta.m));
	if (added == 0 && ix->space.ip)
	{
		uint32		from = hnsw_find_room(ix, level, slot, NULL, hnsw_count_slots(ix));

		added = from != HNSW_NO_SLOT &&
			hnsw_add_edge_near(place->around, from, &self, HNSW_IF_WORTH_IT);
	}
	for (int i = 0; i < n && added == 0; i++)
		added = hnsw_add_edge_near(place->around, place->neighbors[level][i].slot, &self,
								   HNSW_ALWAYS);
}

/* Write the nodes of all levels, from the lowest up, since each knows those below it. */
static void
write_levels(HnswIndex *ix, const Placement *place, ItemPointer tid, uint32 *slots)
{
	HnswNewNode new = {
		.stored = place->stored,
		.top_level = place->level,
		.tid = *tid,
		.image = place->image
	};

	for (int level = 0; level <= place->level; level++)
	{
		new.level = level;
		slots[level] = hnsw_write_node(ix, &new, place->neighbors[level], place->n[level]);
		new.below = (HnswBelow) {.down = slots[level], .base = slots[0]};
		if (level < place->level)
			NV_TEST_POINT("insert_level_written");
	}
}

/*
 * Have the nodes of a new entry point lead to those of the one before, on each of its
 * levels.  The way down from an entry point may be all that leads to these: a vacuum
 * or a build sees them reached by that (hnsw_reach.c).
 */
static void
lead_to_entry(HnswIndex *ix, Placement *place, const uint32 *slots, uint32 entry)
{
	HnswRef		ref;

	while (entry != HNSW_NO_SLOT && hnsw_read(ix, entry, &ref))
	{
		HnswCandidate before = {.slot = entry};
		uint32		down = hnsw_down(ix, ref.node);
		HnswNodeCopy node;

		hnsw_release(&ref);
		if (!hnsw_copy_node(ix, entry, &node) || node.dead)
			break;
		before.stored = node.stored;
		Assert(node.level <= place->level);
		hnsw_add_edge_near(place->around, slots[node.level], &before, HNSW_ALWAYS);
		entry = down;
	}
}

/*
 * Insert, with the update lock held: exclusively, if the entry point may
 * change.  False, and nothing is done, when it must change and may not: all
 * nodes that there are wait for vacuum to free them.
 */
static bool
insert_locked(HnswIndex *ix, NvQuery *query, Placement *place, ItemPointer tid, uint32 entry,
			  int entry_level, bool exclusive)
{
	uint32		slots[HNSW_MAX_LEVEL + 1];
	bool		alone = entry == HNSW_NO_SLOT;

	/* what a first try found may be gone */
	memset(place->n, 0, sizeof(place->n));
	place->around = hnsw_surroundings_begin(ix);
	if (entry != HNSW_NO_SLOT && find_place(ix, query, entry, entry_level, place, tid))
		return true;
	NV_TEST_POINT("insert_placed");
	alone |= place->n[0] == 0;
	if (alone && !exclusive)
		return false;
	write_levels(ix, place, tid, slots);
	NV_TEST_POINT("insert_written");
	for (int level = 0; level <= place->level; level++)
		add_reverse_edges(ix, place, level, slots[level]);
	NV_TEST_POINT("insert_linked");
	if (alone || place->level > entry_level)
	{
		if (place->level > entry_level)
			lead_to_entry(ix, place, slots, entry);
		hnsw_set_entry(ix, slots[place->level], place->level);
	}
	return true;
}

/* Hash the place of a row. */
uint64
hnsw_hash_row(const ItemPointerData *tid, uint64 salt)
{
	uint64		z = salt + (((uint64) ItemPointerGetBlockNumber(tid) << 16) |
							ItemPointerGetOffsetNumber(tid));

	return nv_mix(z);
}

/* Draw a level at random, by a hash of the place of the row and of the vector's number. */
int
hnsw_draw_level(const HnswMeta *meta, const ItemPointerData *tid, int ordinal)
{
	uint64		salt = 1 + ((uint64) ordinal << 48);
	/* (0, 1] from the upper 53 bits */
	double		uniform = ((double) (hnsw_hash_row(tid, salt) >> 11) + 1) / 9007199254740992.0;

	return Min((int) (-log(uniform) / log(hnsw_level_ratio(meta))), HNSW_MAX_LEVEL);
}

/* Take the update lock. */
static void
lock_update(HnswIndex *ix, bool exclusive)
{
	if (ix->build_lock != NULL)
		hnsw_build_lock(ix->build_lock, exclusive);
	else
		LockPage(ix->rel, HNSW_UPDATE_LOCK, exclusive ? ExclusiveLock : ShareLock);
}

/* Release the update lock. */
static void
unlock_update(HnswIndex *ix, bool exclusive)
{
	if (ix->build_lock != NULL)
		hnsw_build_unlock(ix->build_lock, exclusive);
	else
		UnlockPage(ix->rel, HNSW_UPDATE_LOCK, exclusive ? ExclusiveLock : ShareLock);
}

/* Insert a vector, with the update lock held exclusively if the entry point may change. */
void
hnsw_insert_query(HnswIndex *ix, NvQuery *query, const char *image, ItemPointer tid,
				  int ordinal)
{
	Placement	place = {
		.level = hnsw_draw_level(&ix->meta, tid, ordinal),
		.hash = (uint32) hnsw_hash_row(tid, 0),
		.image = image
	};
	char	   *data = palloc_extended(ix->max_bytes, MCXT_ALLOC_HUGE);
	bool		done = false;

	nv_query_store(&ix->space, query, data, &place.stored);
	for (bool exclusive = false; !done; exclusive = true)
	{
		uint32		entry;
		int			entry_level;

		/* the entry point changes under the exclusive lock only */
		lock_update(ix, exclusive);
		hnsw_get_entry(ix, &entry, &entry_level);
		if (exclusive || (entry != HNSW_NO_SLOT && place.level <= entry_level))
			done = insert_locked(ix, query, &place, tid, entry, entry_level, exclusive);
		unlock_update(ix, exclusive);
	}
}

#define SCRATCH_BYTES (512 * 1024)

typedef struct HnswInserter
{
	NvInserter	base;
	HnswIndex	ix;
} HnswInserter;

/* Open an index for inserts. */
static NvInserter *
open_inserter(Relation rel)
{
	HnswInserter *inserter = palloc0(sizeof(HnswInserter));

	hnsw_open(&inserter->ix, rel);
	nv_inserter_init(&inserter->base, &hnsw_insert_method, &inserter->ix.core, SCRATCH_BYTES);
	return &inserter->base;
}

/* Insert a row, whose vector is the inserter's query. */
static void
insert_row(NvInserter *base, ItemPointer tid, int ordinal)
{
	HnswInserter *inserter = (HnswInserter *) base;

	hnsw_insert_query(&inserter->ix, &base->query, base->image, tid, ordinal);
}

const NvInsertMethod hnsw_insert_method = {
	.open = open_inserter,
	.insert = insert_row
};
