/*-------------------------------------------------------------------------
 *
 * hnsw_memory.h
 *		The graph while it is built in memory: an array of slots, in chunks.
 *
 * Slots have the layout that they have in pages, or one that differs by what
 * an HnswLayout says, so that search and choice of neighbors are the same code
 * for both.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_MEMORY_H
#define HNSW_MEMORY_H

#include "nv_compat.h"

#include "hnsw/hnsw_page.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"

/*
 * A chunk is about this large, and of shared ones there are at most so many:
 * each is a segment of its own, since those of a dsa_area double as it grows,
 * and the last may be nearly empty.
 */
#define HNSW_CHUNK_BYTES (4 * 1024 * 1024)
#define HNSW_SHARED_CHUNKS 128

/* Shared by the processes of a build. */
typedef struct HnswMemoryShared
{
	pg_atomic_uint32 used;		/* slots handed out */
	uint32		limit;			/* most slots: whole chunks */
	int			chunk_shift;	/* slots per chunk: 1 << chunk_shift */
	LWLock		lock;			/* adding chunks */
	dsm_handle	chunks[HNSW_SHARED_CHUNKS];
} HnswMemoryShared;

/* Open in one process. */
typedef struct HnswMemory
{
	HnswMemoryShared *shared;
	bool		alone;			/* the only process: chunks are palloc'd here: */
	MemoryContext context;
	uint32		slot_bytes;
	int			chunk_shift;	/* slots per chunk: 1 << chunk_shift */
	uint32		max_chunks;
	char	  **chunks;			/* where chunks are in this process, or NULL */
} HnswMemory;

/*
 * Whether nodes in memory differ from those on pages: where they are linked without
 * searches.  They have no codes of neighbors, which are most of a node, and are written
 * when all edges are known.  Before a vector of 8-bit codes is its NvPanelVector.
 */
extern bool hnsw_memory_differs(const HnswMeta *pages);

/*
 * What nodes look like in memory.  pages is the metapage; meta is what the functions that
 * read and change nodes take in its place, with the size of slots in memory.
 */
extern void hnsw_memory_form(const HnswMeta *pages, HnswMeta *meta, HnswLayout *layout);

/* Prepare for at most so many bytes of slots, of one process or of several. */
extern void hnsw_memory_init(HnswMemoryShared *shared, uint32 slot_bytes, Size bytes, bool alone);

/* Open it in this process, in the current memory context. */
extern HnswMemory *hnsw_memory_attach(HnswMemoryShared *shared, uint32 slot_bytes, bool alone);

/* Close it; the memory is free when all processes have. */
extern void hnsw_memory_detach(HnswMemory *memory);

/* Shared memory of several processes, zeroed; its address in this one; and the end of it. */
extern dsm_handle hnsw_segment_create(Size bytes);
extern void *hnsw_segment_address(dsm_handle handle);
extern void hnsw_segment_detach(dsm_handle handle);

/* Map a chunk into this process, zeroed when it is new. */
extern char *hnsw_memory_map(HnswMemory *memory, uint32 chunk);

/* A slot that was handed out. */
static inline char *
hnsw_memory_slot(HnswMemory *memory, uint32 slot)
{
	uint32		chunk = slot >> memory->chunk_shift;
	char	   *start = memory->chunks[chunk];

	Assert(slot < pg_atomic_read_u32(&memory->shared->used));
	if (unlikely(start == NULL))
		start = hnsw_memory_map(memory, chunk);
	return start + (Size) (slot & ((1u << memory->chunk_shift) - 1)) * memory->slot_bytes;
}

/* Hand out n slots with consecutive numbers, zeroed; HNSW_NO_SLOT when there is no room. */
extern uint32 hnsw_memory_take(HnswMemory *memory, uint32 n);

#endif							/* HNSW_MEMORY_H */
