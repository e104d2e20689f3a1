/*-------------------------------------------------------------------------
 *
 * hnsw_slots.c
 *		Finds free slots, writes nodes to them, and looks for nodes of a kind.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"
#include "hnsw/hnsw_map.h"

#include "miscadmin.h"
#include "nv_random.h"
#include "nv_testpoint.h"
#include "storage/indexfsm.h"

/* Find a free slot in a page; -1 if there is none.  *others tells whether there are more. */
static int
find_free(const HnswMeta *meta, Page page, bool *others)
{
	int			found = -1;

	*others = false;
	for (int i = 0; i < meta->slots_per_page; i++)
	{
		if (*hnsw_slot_at(meta, page, i) != HNSW_SLOT_FREE)
			continue;
		if (found >= 0)
		{
			*others = true;
			break;
		}
		found = i;
	}
	return found;
}

/*
 * Look for a free slot in a block; its buffer, exclusively locked, or invalid.
 * *others: there are more.
 */
static Buffer
try_block(HnswIndex *ix, BlockNumber block, uint32 *slot, bool *others)
{
	Buffer		buffer = nv_read_buffer(ix->rel, block);
	int			place = -1;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	/* a page of zeros, which a crash left, is not used again */
	if (nv_page_is(BufferGetPage(buffer), NV_PAGE_HNSW_SLOTS))
		place = find_free(&ix->meta, BufferGetPage(buffer), others);
	if (place < 0)
	{
		UnlockReleaseBuffer(buffer);
		return InvalidBuffer;
	}
	*slot = hnsw_first_slot(&ix->meta, block) + place;
	Assert(hnsw_slot_block(&ix->meta, *slot) == block);
	return buffer;
}

/*
 * Find a free slot: in the page used last, in one that vacuum left room in,
 * in the last one, or in a new one.  Returns its buffer, exclusively locked;
 * *fresh says that the page is new.
 */
static Buffer
take_slot(HnswIndex *ix, uint32 *slot, bool *fresh)
{
	BlockNumber first = hnsw_first_block(&ix->meta);
	BlockNumber block = RelationGetTargetBlock(ix->rel);
	Buffer		buffer;
	bool		others;

	*fresh = false;
	if (block != InvalidBlockNumber)
	{
		buffer = try_block(ix, block, slot, &others);
		if (buffer != InvalidBuffer)
			return buffer;
	}
	else
	{
		block = RelationGetNumberOfBlocks(ix->rel) - 1;
		if (block >= first && (buffer = try_block(ix, block, slot, &others)) != InvalidBuffer)
			goto found;
	}
	while ((block = GetFreeIndexPage(ix->rel)) != InvalidBlockNumber)
	{
		CHECK_FOR_INTERRUPTS();
		if (block < first || block >= RelationGetNumberOfBlocks(ix->rel))
			continue;
		buffer = try_block(ix, block, slot, &others);
		if (buffer == InvalidBuffer)
			continue;
		if (others)
			RecordFreeIndexPage(ix->rel, block);
		goto found;
	}
	/* a page of the map is left to the first who needs it: see hnsw_map_begin() */
	while (hnsw_is_map_block(&ix->meta, BufferGetBlockNumber(buffer = nv_extend(ix->rel))))
		UnlockReleaseBuffer(buffer);
	block = BufferGetBlockNumber(buffer);
	if ((uint64) (block - first + 1) * ix->meta.slots_per_page > HNSW_NO_SLOT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" is full", RelationGetRelationName(ix->rel)),
				 errhint("Partition the table.")));
	*slot = hnsw_first_slot(&ix->meta, block);
	*fresh = true;
found:
	RelationSetTargetBlock(ix->rel, block);
	return buffer;
}

/* Begin to write to a free slot.  Returns it, zeroed, in the page to be changed. */
static char *
begin_slot(HnswIndex *ix, NvChange *change, Buffer *buffer, uint32 *slot)
{
	bool		fresh;
	Page		page;
	char	   *at;

	*buffer = take_slot(ix, slot, &fresh);
	nv_change_begin(change, ix->rel, ix->logged);
	page = nv_change_page(change, *buffer, fresh);
	if (fresh)
	{
		nv_page_init(page, NV_PAGE_HNSW_SLOTS);
		nv_page_use_none(page);
	}
	at = hnsw_slot_at(&ix->meta, page, *slot);
	memset(at, 0, ix->meta.slot_bytes);
	nv_page_use(page, at + ix->meta.slot_bytes);
	return at;
}

/* Write the rest of a vector, the end first, so that each part can say where the next is. */
static uint32
write_rest(HnswIndex *ix, const NvStored *v)
{
	uint32		room = ix->meta.slot_bytes - offsetof(HnswRest, data);
	uint32		next = HNSW_NO_SLOT;
	uint32		left;

	if (v->bytes <= ix->layout.vector_room)
		return next;
	left = v->bytes - ix->layout.vector_room;
	Assert(room > 0);
	for (int64 start = (left - 1) / room * (int64) room; start >= 0; start -= room)
	{
		NvChange	change;
		Buffer		buffer;
		uint32		slot;
		HnswRest   *rest = (HnswRest *) begin_slot(ix, &change, &buffer, &slot);

		rest->kind = HNSW_SLOT_REST;
		rest->next = next;
		memcpy(rest->data, (const char *) v->data + ix->layout.vector_room + start,
			   Min(room, left - start));
		nv_change_finish(&change);
		UnlockReleaseBuffer(buffer);
		next = slot;
	}
	return next;
}

/* Fill in a node, but for its edges, the nodes below it and the rest of its vector. */
void
hnsw_fill_node(HnswIndex *ix, HnswNode *node, const NvStored *v, int level, int top_level,
			   const ItemPointerData *tid, const char *image)
{
	Assert(level >= 0 && level <= top_level && top_level <= HNSW_MAX_LEVEL);
	Assert(hnsw_vector_bytes_valid(ix, v->bytes));
	node->kind = HNSW_SLOT_NODE;
	node->level = (uint8) level;
	node->top_level = level == 0 ? (uint16) top_level : 0;
	node->rest = HNSW_NO_SLOT;
	node->vector_bytes = v->bytes;
	node->scale = v->scale;
	node->offset = v->offset;
	node->error = v->error;
	node->sum = v->sum;
	node->square = v->square;
	if (level == 0)
	{
		node->ntids = 1;
		HNSW_TIDS(&ix->layout, node)[0] = *tid;
		memcpy(HNSW_IMAGE(&ix->layout, node), image, ix->meta.attribute_bytes);
	}
	else
		*HNSW_BELOW(&ix->layout, node) = (HnswBelow) {HNSW_NO_SLOT, HNSW_NO_SLOT};
	memcpy(HNSW_VECTOR(&ix->layout, node), v->data, Min(v->bytes, ix->layout.vector_room));
}

/* Write a node to a free slot, after the rest of its vector. */
uint32
hnsw_write_node(HnswIndex *ix, const HnswNewNode *new, const HnswCandidate *neighbors, int n)
{
	uint32		rest = write_rest(ix, &new->stored);
	NvChange	change;
	Buffer		buffer;
	uint32		slot;
	HnswNode   *node;
	HnswMapChange map;

	Assert(n <= hnsw_max_edges(&ix->meta));
	Assert((rest != HNSW_NO_SLOT) == (new->stored.bytes > ix->layout.vector_room));
	if (rest != HNSW_NO_SLOT)
		NV_TEST_POINT("insert_more_written");
	node = (HnswNode *) begin_slot(ix, &change, &buffer, &slot);
	hnsw_fill_node(ix, node, &new->stored, new->level, new->top_level, &new->tid,
				   new->image);
	if (new->level > 0)
		*HNSW_BELOW(&ix->layout, node) = new->below;
	node->rest = rest;
	hnsw_set_edges(ix, node, &new->stored, neighbors, n);
	hnsw_map_begin(ix, &change, slot, &map);
	hnsw_map_set(ix, &map, slot, new->level == 0 ? new->image : NULL);
	nv_change_finish(&change);
	hnsw_map_end(&map);
	UnlockReleaseBuffer(buffer);
	return slot;
}

/* Look at one slot after the other, and only once at each page. */
uint32
hnsw_find_live(HnswIndex *ix, int level, uint32 near, const uint8 *among, uint32 nslots)
{
	HnswRef		ref = {.buffer = InvalidBuffer};
	uint32		found = HNSW_NO_SLOT;

	for (uint32 i = 1; i <= nslots && found == HNSW_NO_SLOT; i++)
	{
		uint32		slot = (uint32) (((uint64) near + i) % nslots);

		/* where no page is locked: among many that are not wanted, or in memory */
		CHECK_FOR_INTERRUPTS();
		if (slot != near && (among == NULL || nv_bit(among, slot)) &&
			hnsw_read_next(ix, slot, &ref) &&
			ref.node->level == level && !(ref.node->flags & HNSW_DEAD))
			found = slot;
	}
	hnsw_release(&ref);
	return found;
}

/* How many nodes are looked at for a free place. */
#define ROOM_TRIES 64

/* Look at some slots at random, the same for the same node. */
uint32
hnsw_find_room(HnswIndex *ix, int level, uint32 slot, const uint8 *among, uint32 nslots)
{
	uint64		random = slot;

	Assert(nslots > 0);
	for (int i = 0; i < ROOM_TRIES; i++)
	{
		uint32		other = (uint32) (nv_random(&random) % nslots);
		HnswRef		ref;
		bool		room;

		if (other == slot || (among != NULL && !nv_bit(among, other)) ||
			!hnsw_read(ix, other, &ref))
			continue;
		room = ref.node->level == level && !(ref.node->flags & HNSW_DEAD) &&
			ref.node->nedges > 0 && ref.node->nedges < hnsw_max_edges(&ix->meta);
		hnsw_release(&ref);
		if (room)
			return other;
	}
	return HNSW_NO_SLOT;
}
