/*-------------------------------------------------------------------------
 *
 * hnsw_build.h
 *		What the files of an index build share.  See README, "Build".
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_BUILD_H
#define HNSW_BUILD_H

#include "nv_compat.h"

#include "hnsw/hnsw.h"
#include "hnsw/hnsw_memory.h"
#include "storage/barrier.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"

/* An array that all processes of a build see: a segment; palloc'd, when there is one process. */
typedef uint64 HnswArray;

/*
 * A lock of many readers or one writer.  Who waits for it or holds it can be interrupted, as
 * whoever holds an LWLock cannot: while it is held, functions of the user's run.  Nobody
 * releases it after an error, which ends the whole build.
 */
struct HnswBuildLock
{
	slock_t		mutex;
	ConditionVariable released;
	int			readers;
	int			waiting;		/* writers, which go first */
	bool		written;		/* a writer holds it */
};

/* Shared by the processes of a build. */
typedef struct HnswBuildShared
{
	Oid			heap;
	Oid			index;
	bool		concurrent;
	int			nprocesses;
	Size		memory_limit;	/* of slots and of all that linking needs */
	HnswMeta	meta;
	HnswMemoryShared memory;
	HnswBuildLock update_lock;	/* page locks do not conflict within a parallel group */

	Barrier		barrier;		/* all processes, between the steps of linking */
	pg_atomic_uint32 next;		/* first work not yet taken, of linking */
	pg_atomic_uint64 next_group;	/* and of reverse edges */
	pg_atomic_uint32 next_page; /* of writing, and then of logging */
	pg_atomic_uint64 ntuples;	/* rows seen, for the progress report */

	/* linking, see hnsw_link.c */
	uint32		entry;
	int			entry_level;
	uint32		nslots;			/* slots of nodes */
	HnswArray	order;			/* uint32[nslots]: slots, in order of insertion */
	HnswArray	ranks;			/* uint32 for each slot: its place there */
	bool		by_parts;		/* without searches: see hnsw_parts.c */
	bool		by_product;		/* then: by the inner product, of vectors of several lengths */
	HnswArray	parts;			/* HnswPartsShared, if so */
	HnswArray	choices;		/* uint32[batch][1 + 2m]: a count and slots */
	HnswArray	pairs;			/* HnswPair[batch * (1 + 2m)] */
	uint64		npairs;			/* more than slots: 2m for each of half of them */

	/* writing, see hnsw_write.c */
	HnswArray	place;			/* uint32 for each slot in memory: slot in the index */
	HnswArray	at;				/* the reverse */
	uint32		nplaced;
	bool		logged;			/* whether the index is, at the end */
	BlockNumber nblocks;		/* then: what it has */

	/* the end: how many workers are done, and what they found */
	slock_t		mutex;
	ConditionVariable done;
	int			ndone;
	double		heap_tuples;
	double		index_tuples;
	bool		broken_hot_chain;
} HnswBuildShared;

/* Batches of so many pairs need 50 GB, more than a test can have. */
StaticAssertDecl(sizeof(((HnswBuildShared *) NULL)->npairs) > sizeof(uint32),
				 "pairs of half of all nodes are more than a uint32 can count");

/* One process's view of a build. */
typedef struct HnswBuild
{
	Relation	heap;
	Relation	rel;
	HnswIndex	ix;				/* the graph: in memory first, then on pages */
	HnswIndex	pages;			/* on pages */
	bool		differs;		/* hnsw_memory_differs() */
	HnswBuildShared *shared;
	bool		alone;			/* the only process */
	const float *mean;
	bool		leader;
	bool		on_pages;		/* memory is full, or linked and written */
	NvQuery		query;
	char	   *image;			/* of a row's attributes */
	char	   *stored;			/* room for a stored vector */
	double		index_tuples;
	MemoryContext context;		/* lives as long as the build */
	MemoryContext row;			/* of one row */
	MemoryContext scratch;		/* of one vector */
} HnswBuild;

/* A node of the graph in memory. */
static inline HnswNode *
hnsw_memory_node(HnswIndex *ix, uint32 slot)
{
	return (HnswNode *) hnsw_memory_slot(ix->memory, slot);
}

/* Have the header and the vector of a node in memory come into the caches. */
static inline void
hnsw_memory_prefetch(HnswIndex *ix, uint32 slot)
{
	const HnswNode *node = hnsw_memory_node(ix, slot);
	const char *vector = HNSW_VECTOR(&ix->layout, node);
	Size		bytes = Min(ix->max_bytes, ix->layout.vector_room);

	__builtin_prefetch(node);
	for (Size b = 0; b < bytes; b += NV_PREFETCH_STEP)
		__builtin_prefetch(vector + b);
}

/* What belongs to the codes of a node in memory, of an index for which hnsw_memory_differs(). */
static inline NvPanelVector *
hnsw_panel_vector(const HnswIndex *ix, const HnswNode *node)
{
	Assert(ix->meta.form == NV_FORM_SQ8);
	return (NvPanelVector *) HNSW_VECTOR(&ix->layout, node) - 1;
}

/* The same of what a build by partitions reads of a node. */
static inline void
hnsw_leaf_prefetch(HnswIndex *ix, uint32 slot)
{
	const char *node = (const char *) hnsw_memory_node(ix, slot);

	/* numbers are just before codes; of other forms they are in the header */
	__builtin_prefetch(ix->meta.form == NV_FORM_SQ8 ?
					   node + ix->layout.vector - sizeof(NvPanelVector) : node);
	for (Size b = ix->layout.vector; b < ix->meta.slot_bytes; b += NV_PREFETCH_STEP)
		__builtin_prefetch(node + b);
}

/* hnsw_shared.c: a shared array, zeroed; its address in this process; and its end, in each */
extern HnswArray hnsw_array_alloc(HnswBuild *build, Size bytes);
extern void *hnsw_array(HnswBuild *build, HnswArray array);
extern void hnsw_array_free(HnswBuild *build, HnswArray array);

/* Wait for all processes.  True in one of them. */
extern bool hnsw_build_wait(HnswBuild *build);

/* A node whose vector another node has, which stands for it while neighbors are looked for. */
typedef struct HnswTwin
{
	uint32		slot;			/* on level 0 */
	uint32		of;
} HnswTwin;

/*
 * hnsw_parts.c: whether the graph of n different vectors can be made without searches: by
 * how they are measured, and by memory.
 */
extern bool hnsw_parts_fit(HnswBuild *build, uint32 n);

/*
 * Begin to do so; one process.  The order of insertion is known.  Twins of the same node
 * come together, and lead to each other.
 */
extern void hnsw_parts_begin(HnswBuild *build, const HnswTwin *twins, uint32 ntwins, uint32 n);

/* Do it; all processes call it together, once they can see what that one did. */
extern void hnsw_parts_link(HnswBuild *build);

/*
 * hnsw_link.c: make a graph of the nodes in memory.  All processes call it
 * together.
 */
extern void hnsw_link(HnswBuild *build);

/* Bytes for each slot that linking and writing need beside it; and of a process, for searches. */
extern Size hnsw_link_slot_bytes(const HnswMeta *meta);
extern Size hnsw_link_process_bytes(const HnswMeta *meta);

/* hnsw_write.c: write the graph in memory to the index; all processes call it together. */
extern void hnsw_write(HnswBuild *build);

#endif							/* HNSW_BUILD_H */
