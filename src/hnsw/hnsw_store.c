/*-------------------------------------------------------------------------
 *
 * hnsw_store.c
 *		Reading nodes, and changing them, on pages; those in memory are in hnsw_memory.c.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "miscadmin.h"

/* Whether a vector of an index can have so many bytes. */
bool
hnsw_vector_bytes_valid(const HnswIndex *ix, uint32 bytes)
{
	if (ix->meta.form == NV_FORM_SPARSE)
		return bytes <= ix->max_bytes;
	return bytes == ix->vector_bytes || bytes == ix->max_bytes;
}

/* Check the header of a node. */
void
hnsw_check_node(HnswIndex *ix, uint32 slot, const HnswNode *node)
{
	if (unlikely(node->level > HNSW_MAX_LEVEL || node->ntids > ix->meta.node_tids ||
				 !hnsw_vector_bytes_valid(ix, node->vector_bytes) ||
				 node->nedges > hnsw_max_edges(&ix->meta)))
		hnsw_damaged(ix, slot, "has a header that makes no sense");
}

/* The node in a slot of a locked page, or NULL. */
static inline const HnswNode *
node_on_page(HnswIndex *ix, Buffer buffer, uint32 slot)
{
	const HnswNode *node =
		(const HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);

	if (unlikely(node->kind != HNSW_SLOT_NODE))
	{
		/* a crash right after the file grew leaves a page of zeros */
		if (!PageIsNew(BufferGetPage(buffer)))
			nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
		return NULL;
	}
	/* this finds pages of another kind too, without two more cache lines */
	hnsw_check_node(ix, slot, node);
	return node;
}

/* Lock the page of a node. */
static bool
page_read(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	ref->buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	LockBuffer(ref->buffer, BUFFER_LOCK_SHARE);
	ref->node = node_on_page(ix, ref->buffer, slot);
	if (ref->node != NULL)
		return true;
	hnsw_release(ref);
	ref->buffer = InvalidBuffer;
	return false;
}

/* Find a node on the page that is locked, or lock another page. */
static bool
page_read_next(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	BlockNumber block = hnsw_slot_block(&ix->meta, slot);

	if (ref->buffer == InvalidBuffer || BufferGetBlockNumber(ref->buffer) != block)
	{
		hnsw_release(ref);
		ref->buffer = InvalidBuffer;
		CHECK_FOR_INTERRUPTS();
		ref->buffer = nv_read_buffer(ix->rel, block);
		LockBuffer(ref->buffer, BUFFER_LOCK_SHARE);
	}
	ref->node = node_on_page(ix, ref->buffer, slot);
	return ref->node != NULL;
}

/* Prefetch all of a slot. */
static void
page_prefetch(HnswIndex *ix, uint32 slot)
{
	nv_prefetch_page(ix->rel, hnsw_slot_block(&ix->meta, slot), hnsw_slot_offset(&ix->meta, slot),
					 ix->meta.slot_bytes);
}

/* Copy a part of a long vector, whose page may be that of its node. */
static uint32
page_read_rest(HnswIndex *ix, uint32 slot, const HnswRef *ref, char *out, uint32 bytes)
{
	Buffer		buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	bool		same_page = buffer == ref->buffer;
	const HnswRest *rest;
	uint32		next;

	/* whoever wants two pages must not hold one that others wait for */
	Assert(!nv_locked_exclusively(ref->buffer));
	if (!same_page)
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
	nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_SLOTS);
	rest = (const HnswRest *) hnsw_slot_at(&ix->meta, BufferGetPage(buffer), slot);
	if (rest->kind != HNSW_SLOT_REST)
		hnsw_damaged(ix, slot, "does not hold the rest of a vector");
	memcpy(out, rest->data, bytes);
	next = rest->next;
	if (same_page)
		ReleaseBuffer(buffer);
	else
		UnlockReleaseBuffer(buffer);
	return next;
}

/* Lock the page of a node exclusively, and begin to change it. */
static HnswNode *
page_change_begin(HnswIndex *ix, uint32 slot, uint32 version, HnswNodeChange *change)
{
	HnswNode   *node;

	change->buffer = nv_read_buffer(ix->rel, hnsw_slot_block(&ix->meta, slot));
	LockBuffer(change->buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, change->buffer, NV_PAGE_HNSW_SLOTS);
	node = (HnswNode *) hnsw_slot_at(&ix->meta, BufferGetPage(change->buffer), slot);
	if (node->kind != HNSW_SLOT_NODE || node->version != version || (node->flags & HNSW_DEAD))
	{
		UnlockReleaseBuffer(change->buffer);
		return NULL;
	}
	Assert(nv_may_change(change->buffer));
	nv_change_begin(&change->logged, ix->rel, ix->logged);
	return (HnswNode *) hnsw_slot_at(&ix->meta,
									 nv_change_page(&change->logged, change->buffer, false),
									 slot);
}

/* Write the change of a node, and unlock its page. */
static void
page_change_finish(HnswNodeChange *change)
{
	nv_change_finish(&change->logged);
	UnlockReleaseBuffer(change->buffer);
}

const HnswStore hnsw_page_store = {
	.read = page_read,
	.read_next = page_read_next,
	.prefetch = page_prefetch,
	.read_rest = page_read_rest,
	.change_begin = page_change_begin,
	.change_finish = page_change_finish,
	.stays = false
};

/* Put a vector that is longer than its node holds together, in ix->assembled. */
static void
assemble(HnswIndex *ix, const HnswRef *ref, HnswReadRest read_rest)
{
	const uint32 room = ix->meta.slot_bytes - offsetof(HnswRest, data);
	const HnswNode *node = ref->node;
	uint32		slot = node->rest;

	Assert(ix->assembled != NULL && node->vector_bytes <= ix->max_bytes);
	memcpy(ix->assembled, HNSW_VECTOR(&ix->layout, node), ix->layout.vector_room);
	for (uint32 at = ix->layout.vector_room; at < node->vector_bytes; at += room)
		slot = read_rest(ix, slot, ref, ix->assembled + at, Min(room, node->vector_bytes - at));
}

/* ---- copies ---- */

/* Copy a slot, and put the rest of a long vector together, while its page is locked. */
static bool
copy_read(HnswIndex *ix, uint32 slot, HnswRef *ref)
{
	if (!page_read(ix, slot, ref))
		return false;
	memcpy(ix->copied, ref->node, ix->meta.slot_bytes);
	if (ref->node->vector_bytes > ix->layout.vector_room)
		assemble(ix, ref, page_read_rest);
	UnlockReleaseBuffer(ref->buffer);
	ref->buffer = InvalidBuffer;
	ref->node = (const HnswNode *) ix->copied;
	return true;
}

/* For who measures what is read: nobody holds a lock meanwhile. */
const HnswStore hnsw_copy_store = {
	.read = copy_read,
	.read_next = page_read_next,
	.prefetch = page_prefetch,
	.change_begin = page_change_begin,
	.change_finish = page_change_finish,
	.stays = false
};

/* Find the vector of a node, or put it together. */
NvStored
hnsw_stored(HnswIndex *ix, const HnswRef *ref)
{
	const HnswNode *node = ref->node;
	NvStored	v = {
		.data = HNSW_VECTOR(&ix->layout, node),
		.bytes = node->vector_bytes,
		.scale = node->scale,
		.offset = node->offset,
		.error = node->error,
		.sum = node->sum,
		.square = node->square
	};

	if (likely(v.bytes <= ix->layout.vector_room))
		return v;
	/* a copy was made together with the rest */
	if (ix->store->read_rest != NULL)
		assemble(ix, ref, ix->store->read_rest);
	v.data = ix->assembled;
	return v;
}

/* Copy a node, so that its page can be released. */
bool
hnsw_copy_node(HnswIndex *ix, uint32 slot, HnswNodeCopy *copy)
{
	HnswRef		ref;
	NvStored	v;

	if (!hnsw_read(ix, slot, &ref))
		return false;
	copy->version = ref.node->version;
	copy->level = ref.node->level;
	copy->dead = (ref.node->flags & HNSW_DEAD) != 0;
	copy->nedges = ref.node->nedges;
	Assert(copy->nedges <= HNSW_MAX_SLOTS);
	memcpy(copy->edges, HNSW_NEIGHBORS(ref.node), sizeof(uint32) * copy->nedges);
	v = hnsw_stored(ix, &ref);
	copy->stored = nv_stored_copy(&v);
	hnsw_release(&ref);
	return true;
}
