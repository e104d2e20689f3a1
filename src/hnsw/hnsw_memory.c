/*-------------------------------------------------------------------------
 *
 * hnsw_memory.c
 *		The graph while it is built in memory: an array of slots, in chunks.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_memory.h"

#include "storage/lwlock.h"
#include "utils/memutils.h"

void
hnsw_memory_init(HnswMemoryShared *shared, uint32 slot_bytes, Size bytes)
{
	pg_atomic_init_u32(&shared->used, 0);
	LWLockInitialize(&shared->lock, LWTRANCHE_PARALLEL_QUERY_DSA);
	shared->limit = (uint32) Min(bytes / slot_bytes, HNSW_NO_SLOT - 1);
	shared->chunks = InvalidDsaPointer;
}

HnswMemory *
hnsw_memory_attach(HnswMemoryShared *shared, dsa_area *area, uint32 slot_bytes)
{
	HnswMemory *memory = palloc0(sizeof(HnswMemory));

	memory->shared = shared;
	memory->area = area;
	memory->context = CurrentMemoryContext;
	memory->slot_bytes = slot_bytes;
	while (((Size) slot_bytes << (memory->chunk_shift + 1)) <= HNSW_CHUNK_BYTES)
		memory->chunk_shift++;
	memory->max_chunks = (shared->limit >> memory->chunk_shift) + 1;
	memory->chunks = palloc_extended(sizeof(char *) * memory->max_chunks,
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return memory;
}

/* The shared table of chunks; made at the first need. */
static dsa_pointer *
chunk_table(HnswMemory *memory)
{
	HnswMemoryShared *shared = memory->shared;

	if (shared->chunks == InvalidDsaPointer)
		shared->chunks = dsa_allocate_extended(memory->area,
											   sizeof(dsa_pointer) * memory->max_chunks,
											   DSA_ALLOC_HUGE | DSA_ALLOC_ZERO);
	return dsa_get_address(memory->area, shared->chunks);
}

char *
hnsw_memory_map(HnswMemory *memory, uint32 chunk)
{
	Size		bytes = (Size) memory->slot_bytes << memory->chunk_shift;
	dsa_pointer *table;

	if (memory->area == NULL)
	{
		memory->chunks[chunk] = MemoryContextAllocExtended(memory->context, bytes,
														   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		return memory->chunks[chunk];
	}
	LWLockAcquire(&memory->shared->lock, LW_EXCLUSIVE);
	table = chunk_table(memory);
	if (table[chunk] == InvalidDsaPointer)
		table[chunk] = dsa_allocate_extended(memory->area, bytes,
											 DSA_ALLOC_HUGE | DSA_ALLOC_ZERO);
	memory->chunks[chunk] = dsa_get_address(memory->area, table[chunk]);
	LWLockRelease(&memory->shared->lock);
	return memory->chunks[chunk];
}

uint32
hnsw_memory_take(HnswMemory *memory, uint32 n)
{
	uint32		first = pg_atomic_read_u32(&memory->shared->used);

	do
	{
		if (n > memory->shared->limit || first > memory->shared->limit - n)
			return HNSW_NO_SLOT;
	} while (!pg_atomic_compare_exchange_u32(&memory->shared->used, &first, first + n));
	return first;
}
