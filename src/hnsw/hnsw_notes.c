/*-------------------------------------------------------------------------
 *
 * hnsw_notes.c
 *		Notes on the edges of all nodes, which vacuum takes while it reads them.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include "utils/memutils.h"

#define NOTES_BLOCK (1024 * 1024)

struct HnswNotes
{
	HnswNoted **nodes;			/* by slot; NULL: no live node */
	uint32		nslots;
	Size		limit;
	Size		used;
	bool		complete;
	MemoryContext context;
};

/* Begin notes; without any where even the array of slots is too large. */
HnswNotes *
hnsw_notes_begin(uint32 nslots, Size limit)
{
	HnswNotes  *notes = palloc0(sizeof(HnswNotes));

	notes->nslots = nslots;
	notes->limit = limit;
	notes->used = sizeof(HnswNoted *) * (Size) nslots;
	notes->complete = notes->used <= limit;
	/* large blocks: there are as many pieces as nodes */
	notes->context = GenerationContextCreate(CurrentMemoryContext, "hnsw notes", 0,
											 NOTES_BLOCK, NOTES_BLOCK);
	if (notes->complete)
		notes->nodes = palloc_extended(Max(notes->used, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return notes;
}

/* Free notes. */
void
hnsw_notes_end(HnswNotes *notes)
{
	MemoryContextDelete(notes->context);
	if (notes->nodes != NULL)
		pfree(notes->nodes);
	pfree(notes);
}

/* Copy the edges of a node, as far as there is room. */
void
hnsw_note(HnswNotes *notes, uint32 slot, const HnswNode *node)
{
	Size		bytes = offsetof(HnswNoted, edges) + sizeof(uint32) * node->nedges;
	HnswNoted	   *noted;

	Assert(slot < notes->nslots);
	notes->used += bytes;
	if (notes->used > notes->limit)
	{
		notes->complete = false;
		MemoryContextReset(notes->context);
	}
	if (!notes->complete)
		return;
	Assert(notes->nodes[slot] == NULL);
	noted = MemoryContextAlloc(notes->context, bytes);
	noted->level = node->level;
	noted->stale = false;
	noted->nedges = node->nedges;
	memcpy(noted->edges, HNSW_NEIGHBORS(node), sizeof(uint32) * node->nedges);
	notes->nodes[slot] = noted;
}

/* Whether there are notes on all live nodes. */
bool
hnsw_notes_complete(const HnswNotes *notes)
{
	return notes != NULL && notes->complete;
}

/* Have a node read again by those who would rely on its note. */
void
hnsw_note_change(HnswNotes *notes, uint32 slot)
{
	if (notes->complete && slot < notes->nslots && notes->nodes[slot] != NULL)
		notes->nodes[slot]->stale = true;
}

/* Whether there are notes on a slot. */
bool
hnsw_notes_cover(const HnswNotes *notes, uint32 slot)
{
	return hnsw_notes_complete(notes) && slot < notes->nslots;
}

/* Look up a note. */
const HnswNoted *
hnsw_noted(const HnswNotes *notes, uint32 slot)
{
	Assert(hnsw_notes_cover(notes, slot));
	return notes->nodes[slot];
}

/* Look for a dead node among the edges of a note. */
bool
hnsw_noted_dead_end(const HnswNotes *notes, uint32 slot, const uint8 *dead)
{
	const HnswNoted *noted = hnsw_noted(notes, slot);

	for (int i = 0; noted != NULL && i < noted->nedges; i++)
	{
		if (noted->edges[i] < notes->nslots && nv_bit(dead, noted->edges[i]))
			return true;
	}
	return false;
}
