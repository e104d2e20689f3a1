/*-------------------------------------------------------------------------
 *
 * hnsw_memory.c
 *		The graph while it is built in memory: an array of slots, in chunks.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_memory.h"

#include "nv_workers.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

/* ---- segments ---- */

dsm_handle
hnsw_segment_create(Size bytes)
{
	dsm_segment *segment = dsm_create(bytes, 0);

	/* one that the server had ready may hold anything */
	memset(dsm_segment_address(segment), 0, bytes);
	return dsm_segment_handle(segment);
}

void *
hnsw_segment_address(dsm_handle handle)
{
	dsm_segment *segment = dsm_find_mapping(handle);

	if (segment == NULL)
		segment = dsm_attach(handle);
	if (segment == NULL)
		elog(ERROR, "could not map dynamic shared memory segment");
	return dsm_segment_address(segment);
}

void
hnsw_segment_detach(dsm_handle handle)
{
	dsm_segment *segment = dsm_find_mapping(handle);

	if (segment != NULL)
		dsm_detach(segment);
}

/* ---- slots ---- */

void
hnsw_memory_init(HnswMemoryShared *shared, uint32 slot_bytes, Size bytes, bool alone)
{
	Size		slots = Min(bytes / slot_bytes, HNSW_NO_SLOT - 1);
	/* little is lost when the last chunk does not fit */
	Size		chunk = Min(HNSW_CHUNK_BYTES, bytes / 32);
	int			shift = 0;

	Assert(slot_bytes > 0);
	while (((Size) slot_bytes << (shift + 1)) <= chunk)
		shift++;
	while (!alone && slots >> shift > HNSW_SHARED_CHUNKS)
		shift++;
	pg_atomic_init_u32(&shared->used, 0);
	LWLockInitialize(&shared->lock, nv_lock_tranche());
	Assert(alone || slots >> shift <= HNSW_SHARED_CHUNKS);
	shared->chunk_shift = shift;
	shared->limit = (uint32) (slots >> shift << shift);
	for (int i = 0; i < HNSW_SHARED_CHUNKS; i++)
		shared->chunks[i] = DSM_HANDLE_INVALID;
}

HnswMemory *
hnsw_memory_attach(HnswMemoryShared *shared, uint32 slot_bytes, bool alone)
{
	HnswMemory *memory = palloc0(sizeof(HnswMemory));

	memory->shared = shared;
	memory->alone = alone;
	memory->context = CurrentMemoryContext;
	memory->slot_bytes = slot_bytes;
	memory->chunk_shift = shared->chunk_shift;
	memory->max_chunks = (shared->limit >> memory->chunk_shift) + 1;
	memory->chunks = palloc_extended(sizeof(char *) * memory->max_chunks,
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return memory;
}

char *
hnsw_memory_map(HnswMemory *memory, uint32 chunk)
{
	Size		bytes = (Size) memory->slot_bytes << memory->chunk_shift;
	dsm_handle *handle = &memory->shared->chunks[chunk];

	Assert(chunk < memory->max_chunks);
	Assert(memory->alone || chunk < HNSW_SHARED_CHUNKS);
	if (memory->alone)
	{
		memory->chunks[chunk] = MemoryContextAllocExtended(memory->context, bytes,
														   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		return memory->chunks[chunk];
	}
	LWLockAcquire(&memory->shared->lock, LW_EXCLUSIVE);
	if (*handle == DSM_HANDLE_INVALID)
		*handle = hnsw_segment_create(bytes);
	memory->chunks[chunk] = hnsw_segment_address(*handle);
	LWLockRelease(&memory->shared->lock);
	return memory->chunks[chunk];
}

void
hnsw_memory_detach(HnswMemory *memory)
{
	for (uint32 chunk = 0; chunk < memory->max_chunks; chunk++)
	{
		if (memory->chunks[chunk] == NULL)
			continue;
		if (memory->alone)
			pfree(memory->chunks[chunk]);
		else
			hnsw_segment_detach(memory->shared->chunks[chunk]);
	}
	pfree(memory->chunks);
	pfree(memory);
}

uint32
hnsw_memory_take(HnswMemory *memory, uint32 n)
{
	uint32		first = pg_atomic_read_u32(&memory->shared->used);

	Assert(n > 0);
	do
	{
		if (n > memory->shared->limit || first > memory->shared->limit - n)
			return HNSW_NO_SLOT;
	} while (!pg_atomic_compare_exchange_u32(&memory->shared->used, &first, first + n));
	return first;
}
