/*-------------------------------------------------------------------------
 *
 * hnsw_prewarm.c
 *		Reads the part of an hnsw index that every search goes through: the levels
 *		above 0, one node in 2m.
 *
 * They lie anywhere among the others, and only edges lead to them: from the entry
 * point to all nodes of its level, from each of these down, and so on.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "am/am_bitmap.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

/* Nodes to read. */
typedef struct Walk
{
	HnswIndex	ix;
	uint32		nslots;
	uint8	   *seen;			/* bitmap of slots */
	uint8	   *pages;			/* bitmap of blocks that were read */
	uint32	   *waiting;
	Size		nwaiting;
	Size		room;
} Walk;

/* Read a node later, unless it was seen. */
static void
add_node(Walk *walk, uint32 slot)
{
	/* what came after the walk began is left out */
	if (slot >= walk->nslots || nv_bit(walk->seen, slot))
		return;
	nv_set_bit(walk->seen, slot);
	if (walk->nwaiting == walk->room)
	{
		walk->room *= 2;
		walk->waiting = repalloc_huge(walk->waiting, sizeof(uint32) * walk->room);
	}
	walk->waiting[walk->nwaiting++] = slot;
}

/* Read a node, with all of its vector; what it leads to above level 0 follows. */
static void
read_node(Walk *walk, uint32 slot)
{
	HnswIndex  *ix = &walk->ix;
	HnswRef		ref;

	nv_set_bit(walk->pages, hnsw_slot_block(&ix->meta, slot));
	if (!hnsw_read(ix, slot, &ref))
		return;
	hnsw_stored(ix, &ref);
	if (ref.node->level > 0)
	{
		for (int i = 0; i < ref.node->nedges; i++)
			add_node(walk, HNSW_NEIGHBORS(ref.node)[i]);
	}
	if (ref.node->level > 1)
		add_node(walk, hnsw_down(ix, ref.node));
	hnsw_release(&ref);
}

/* Walk all levels above 0. */
int64
hnsw_prewarm(Relation rel)
{
	Walk		walk = {.room = 1024};
	BlockNumber nblocks;
	int64		n = 0;
	uint32		entry;
	int			level;

	hnsw_open(&walk.ix, rel);
	walk.nslots = hnsw_count_slots(&walk.ix);
	walk.seen = nv_bitmap_alloc(walk.nslots);
	/* those of the slots that count are among them */
	nblocks = RelationGetNumberOfBlocks(rel);
	walk.pages = nv_bitmap_alloc(nblocks);
	walk.waiting = palloc(sizeof(uint32) * walk.room);
	for (BlockNumber block = 0; block < hnsw_first_block(&walk.ix.meta); block++)
	{
		ReleaseBuffer(nv_read_buffer(rel, block));
		nv_set_bit(walk.pages, block);
	}
	hnsw_get_entry(&walk.ix, &entry, &level);
	if (entry != HNSW_NO_SLOT)
		add_node(&walk, entry);
	while (walk.nwaiting > 0)
	{
		CHECK_FOR_INTERRUPTS();
		read_node(&walk, walk.waiting[--walk.nwaiting]);
	}
	for (BlockNumber block = 0; block < nblocks; block++)
		n += nv_bit(walk.pages, block);
	return n;
}
