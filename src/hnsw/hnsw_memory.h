/*-------------------------------------------------------------------------
 *
 * hnsw_memory.h
 *		The graph while it is built in memory: an array of slots, in chunks.
 *
 * Slots have the layout that they have in pages, so that search and choice
 * of neighbors are the same code for both.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_MEMORY_H
#define HNSW_MEMORY_H

#include "nv_compat.h"

#include "hnsw/hnsw_page.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/dsa.h"

/* A chunk is about this large: enough that few are needed. */
#define HNSW_CHUNK_BYTES (4 * 1024 * 1024)

/* Shared by the processes of a build. */
typedef struct HnswMemoryShared
{
	pg_atomic_uint32 used;		/* slots handed out */
	uint32		limit;			/* most slots */
	LWLock		lock;			/* adding chunks */
	dsa_pointer chunks;			/* dsa_pointer of each chunk */
} HnswMemoryShared;

/* Open in one process. */
typedef struct HnswMemory
{
	HnswMemoryShared *shared;
	dsa_area   *area;			/* NULL: one process, chunks are palloc'd here: */
	MemoryContext context;
	uint32		slot_bytes;
	int			chunk_shift;	/* slots per chunk: 1 << chunk_shift */
	uint32		max_chunks;
	char	  **chunks;			/* where chunks are in this process, or NULL */
} HnswMemory;

/* Prepare for at most so many bytes of slots. */
extern void hnsw_memory_init(HnswMemoryShared *shared, uint32 slot_bytes, Size bytes);

/*
 * Open it in this process, in the current memory context.  Without an area
 * there is one process only, and chunks are palloc'd.
 */
extern HnswMemory *hnsw_memory_attach(HnswMemoryShared *shared, dsa_area *area,
									  uint32 slot_bytes);

/* Map a chunk into this process, zeroed when it is new. */
extern char *hnsw_memory_map(HnswMemory *memory, uint32 chunk);

/* A slot that was handed out. */
static inline char *
hnsw_memory_slot(HnswMemory *memory, uint32 slot)
{
	uint32		chunk = slot >> memory->chunk_shift;
	char	   *start = memory->chunks[chunk];

	if (unlikely(start == NULL))
		start = hnsw_memory_map(memory, chunk);
	return start + (Size) (slot & ((1u << memory->chunk_shift) - 1)) * memory->slot_bytes;
}

/* Hand out n slots with consecutive numbers, zeroed; HNSW_NO_SLOT when there is no room. */
extern uint32 hnsw_memory_take(HnswMemory *memory, uint32 n);

#endif							/* HNSW_MEMORY_H */
