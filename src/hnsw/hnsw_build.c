/*-------------------------------------------------------------------------
 *
 * hnsw_build.c
 *		Builds an hnsw index: scans the table, in parallel, and has the graph
 *		made.
 *
 * All processes scan the table and put nodes into shared memory.  When the
 * scan ends, or memory is used up, they link the nodes together
 * (hnsw_link.c) and write them (hnsw_write.c).  Rows that did not
 * fit are then inserted on pages as any other row is.  Nothing is logged
 * before the end, when all processes log the index as a whole.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_build.h"

#include "access/table.h"
#include "access/tableam.h"
#include "am/am_build.h"
#include "am/am_custom.h"
#include "am/am_opclass.h"
#include "am/am_rowvectors.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "commands/progress.h"
#include "executor/executor.h"
#include "hnsw/hnsw_nearest.h"
#include "hnsw/hnsw_plan.h"
#include "miscadmin.h"
#include "nv_testpoint.h"
#include "nv_workers.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* By how much the estimate of shared memory may be too low, and what else takes some. */
#define SHARED_MARGIN 1.2
#define SHARED_SPARE (1024 * 1024)

/* Parts of the shared memory of a parallel build. */
enum
{
	PART_SHARED,
	PART_SCAN,
	PART_MEAN,
	NPARTS
};

extern PGDLLEXPORT void hnsw_build_worker(dsm_segment *segment, shm_toc *toc);

/* ---- rows ---- */

/* Bytes of a vector that its node has no room for, in slots. */
static uint32
count_rest_slots(const HnswMeta *meta, const HnswLayout *layout, uint32 bytes)
{
	uint32		room = meta->slot_bytes - offsetof(HnswRest, data);

	if (bytes <= layout->vector_room)
		return 0;
	return (bytes - layout->vector_room + room - 1) / room;
}

/* Write the rest of a vector into consecutive slots. */
static void
fill_rest(HnswIndex *ix, const NvStored *v, uint32 first, uint32 n)
{
	uint32		room = ix->meta.slot_bytes - offsetof(HnswRest, data);
	const char *data = (const char *) v->data + ix->layout.vector_room;
	uint32		left = v->bytes - ix->layout.vector_room;

	for (uint32 i = 0; i < n; i++)
	{
		HnswRest   *rest = (HnswRest *) hnsw_memory_slot(ix->memory, first + i);

		rest->kind = HNSW_SLOT_REST;
		rest->next = i + 1 < n ? first + i + 1 : HNSW_NO_SLOT;
		memcpy(rest->data, data, Min(room, left));
		data += room;
		left -= Min(room, left);
	}
	Assert(left == 0);
}

/*
 * Put the nodes of a vector into memory: consecutive slots, the top level
 * first, and behind them the rests of their vectors.  False when memory is
 * full.
 */
static bool
add_to_memory(HnswBuild *build, ItemPointer tid, int ordinal)
{
	HnswIndex  *ix = &build->ix;
	int			top = hnsw_draw_level(&ix->meta, tid, ordinal);
	NvStored	v;
	uint32		rest;
	uint32		first;

	nv_query_store(&ix->space, &build->query, build->stored, &v);
	rest = count_rest_slots(&ix->meta, &ix->layout, v.bytes);
	Assert(top <= HNSW_MAX_LEVEL && v.bytes <= ix->max_bytes);
	first = hnsw_memory_take(ix->memory, (top + 1) * (1 + rest));
	if (first == HNSW_NO_SLOT)
		return false;
	for (int level = top; level >= 0; level--)
	{
		uint32		slot = first + top - level;
		HnswNode   *node = (HnswNode *) hnsw_memory_slot(ix->memory, slot);

		hnsw_fill_node(ix, node, &v, level, top, tid, build->image);
		if (ix->meta.form == NV_FORM_SQ8 && build->differs)
			hnsw_fill_panel_vector(ix, node);
		if (level > 0)
		{
			HNSW_BELOW(&ix->layout, node)->down = slot + 1;
			HNSW_BELOW(&ix->layout, node)->base = first + top;
		}
		if (rest > 0)
		{
			node->rest = first + top + 1 + level * rest;
			fill_rest(ix, &v, node->rest, rest);
		}
	}
	return true;
}

/* Show the phase of a build to pg_stat_progress_create_index. */
static void
report_phase(HnswBuild *build, HnswPhase phase)
{
	if (build->leader)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
}

/* Link and write what is in memory; all processes, each once. */
static void
finish_memory(HnswBuild *build)
{
	MemoryContext context = AllocSetContextCreate(build->context, "hnsw link",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	Assert(!build->on_pages && build->ix.memory != NULL);
	report_phase(build, HNSW_PHASE_LINK);
	hnsw_link(build);
	report_phase(build, HNSW_PHASE_WRITE);
	hnsw_write(build);
	hnsw_array_free(build, build->shared->order);
	hnsw_memory_detach(build->ix.memory);
	build->on_pages = true;
	build->ix = build->pages;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Tell the user that the graph no longer fits into memory. */
static void
report_full(HnswBuild *build)
{
	if (build->leader)
		ereport(NOTICE,
				(errmsg("hnsw graph no longer fits into maintenance_work_mem after " UINT64_FORMAT " tuples",
						pg_atomic_read_u64(&build->shared->ntuples)),
				 errdetail("The build goes on, and takes longer."),
				 errhint("Increase maintenance_work_mem to speed up the build.")));
}

/* Add a vector of a row, to memory or to the pages.  False if it has no distance. */
static bool
add_vector(HnswBuild *build, ItemPointer tid, Datum vector, int ordinal)
{
	if (!nv_query_set(&build->ix.space, vector, &build->query))
		return false;
	if (!build->on_pages && !add_to_memory(build, tid, ordinal))
	{
		report_full(build);
		finish_memory(build);
		report_phase(build, HNSW_PHASE_INSERT);
	}
	if (build->on_pages)
		hnsw_insert_query(&build->ix, &build->query, build->image, tid, ordinal);
	return true;
}

/* Count a row that was added. */
static void
count_row(HnswBuild *build)
{
	build->index_tuples++;
	pg_atomic_fetch_add_u64(&build->shared->ntuples, 1);
	if (build->leader)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE,
									 pg_atomic_read_u64(&build->shared->ntuples));
}

/* Add a row of the table. */
static void
add_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	HnswBuild  *build = arg;
	MemoryContext old;
	NvRow		row;
	NvRowVectors vectors;
	bool		added = false;

	if (!nv_row_take(&row, values, isnull))
		return;
	old = MemoryContextSwitchTo(build->row);
	nv_row_vectors(&build->ix.space, build->ix.many, &row, &vectors);
	nv_attributes_summarize(&build->ix.attributes, values, isnull, build->image);
	MemoryContextSwitchTo(build->scratch);
	for (int i = 0; i < vectors.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		added |= add_vector(build, tid, nv_row_vector(&vectors, i), i);
		MemoryContextReset(build->scratch);
	}
	if (added)
		count_row(build);
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->row);
}

/* Open a process's view.  shared and mean are set. */
static void
open_build(HnswBuild *build)
{
	build->context = CurrentMemoryContext;
	build->row = AllocSetContextCreate(CurrentMemoryContext, "hnsw build row",
									   ALLOCSET_SMALL_SIZES);
	build->scratch = AllocSetContextCreate(CurrentMemoryContext, "hnsw build vector",
										   ALLOCSET_DEFAULT_SIZES);
	hnsw_open_new(&build->pages, build->rel, &build->shared->meta, build->mean);
	build->pages.logged = false;
	build->pages.build_lock = &build->shared->update_lock;
	build->ix = build->pages;
	build->differs = hnsw_memory_differs(&build->pages.meta);
	hnsw_memory_form(&build->pages.meta, &build->ix.meta, &build->ix.layout);
	hnsw_use_memory(&build->ix, hnsw_memory_attach(&build->shared->memory,
												   build->ix.meta.slot_bytes, build->alone));
	nv_query_alloc(&build->ix.space, &build->query);
	build->image = palloc(Max(build->ix.meta.attribute_bytes, 1));
	build->stored = palloc_extended(build->ix.max_bytes, MCXT_ALLOC_HUGE);
}

/* Blocks that a process logs at a time. */
#define LOG_STEP 256

/* Log the whole index, by turns of the processes, when all of them have written it. */
static void
log_together(HnswBuild *build)
{
	HnswBuildShared *shared = build->shared;
	BlockNumber first;

	if (build->leader)
		NV_TEST_POINT("build_written");
	if (hnsw_build_wait(build))
	{
		shared->nblocks = RelationGetNumberOfBlocks(build->rel);
		pg_atomic_write_u32(&shared->next_page, 0);
	}
	hnsw_build_wait(build);
	while (shared->logged &&
		   (first = pg_atomic_fetch_add_u32(&shared->next_page, LOG_STEP)) < shared->nblocks)
		nv_log_blocks(build->rel, MAIN_FORKNUM, first, Min(first + LOG_STEP, shared->nblocks));
}

/* Scan the table, or a share of it, and do one's part of the rest. */
static void
run_build(HnswBuild *build, IndexInfo *info, TableScanDesc scan)
{
	double		reltuples;

	reltuples = table_index_build_scan(build->heap, build->rel, info, true, scan == NULL,
									   add_row, build, scan);
	if (!build->on_pages)
		finish_memory(build);

	/* whoever is done has written what was in memory */
	Assert(build->on_pages && build->ix.memory == NULL);
	log_together(build);
	SpinLockAcquire(&build->shared->mutex);
	build->shared->ndone++;
	build->shared->heap_tuples += reltuples;
	build->shared->index_tuples += build->index_tuples;
	build->shared->broken_hot_chain |= info->ii_BrokenHotChain;
	SpinLockRelease(&build->shared->mutex);
	ConditionVariableSignal(&build->shared->done);
}

/*
 * About how much shared memory workers would need.  The table is looked at only
 * where there may be too little.
 */
static double
shared_bytes(HnswBuild *build, IndexInfo *info, const HnswMeta *meta)
{
	double		most = maintenance_work_mem * 1024.0;
	NvSpaceSpec spec = hnsw_spec(meta);
	HnswMeta	in_memory;
	HnswLayout	layout;
	uint32		vector;
	double		nodes;
	double		slots;

	if (most + SHARED_SPARE <= nv_shared_room())
		return most;
	hnsw_memory_form(meta, &in_memory, &layout);
	vector = meta->form == NV_FORM_SPARSE ? 0 :
		nv_form_max_bytes(meta->form, meta->dims, nv_spec_length(&spec));
	/* one in 2m has a node on the next level, too */
	nodes = nv_estimate_vectors(build->heap, build->rel, info) * 2 * meta->m / (2 * meta->m - 1);
	slots = nodes * (1 + count_rest_slots(&in_memory, &layout, vector));
	return Min(most, SHARED_MARGIN * slots *
			   (in_memory.slot_bytes + hnsw_link_slot_bytes(meta)));
}

/* The memory of a build: that of its settings, or what there is of shared memory. */
static Size
memory_limit(const HnswBuild *build)
{
	double		most = maintenance_work_mem * 1024.0;

	if (!build->alone)
		most = Min(most, nv_shared_room() - SHARED_SPARE);
	return (Size) Max(most, 0);
}

/* Set up what the processes share, with as many slots as memory has room for. */
static void
init_shared(HnswBuildShared *shared, HnswBuild *build, const HnswMeta *meta, int nworkers,
			bool concurrent)
{
	Size		most = memory_limit(build);
	uint64		processes = (uint64) hnsw_link_process_bytes(meta) * (1 + nworkers);
	HnswMeta	in_memory;
	HnswLayout	layout;
	Size		slots;

	hnsw_memory_form(meta, &in_memory, &layout);
	slots = (most - (Size) Min(processes, most / 2)) /
		(in_memory.slot_bytes + hnsw_link_slot_bytes(meta));
	memset(shared, 0, sizeof(*shared));
	shared->heap = RelationGetRelid(build->heap);
	shared->index = RelationGetRelid(build->rel);
	shared->concurrent = concurrent;
	shared->nprocesses = 1 + nworkers;
	shared->memory_limit = most;
	shared->meta = *meta;
	shared->logged = RelationNeedsWAL(build->rel);
	hnsw_memory_init(&shared->memory, in_memory.slot_bytes, slots * in_memory.slot_bytes,
					 build->alone);
	hnsw_build_lock_init(&shared->update_lock);
	BarrierInit(&shared->barrier, 0);
	pg_atomic_init_u32(&shared->next, 0);
	pg_atomic_init_u64(&shared->next_group, 0);
	pg_atomic_init_u32(&shared->next_page, 0);
	pg_atomic_init_u64(&shared->ntuples, 0);
	SpinLockInit(&shared->mutex);
	ConditionVariableInit(&shared->done);
}

/* ---- one process ---- */

/* Build in this process. */
static HnswBuildShared *
build_alone(HnswBuild *build, IndexInfo *info, const HnswMeta *meta)
{
	/* it has an atomic of 8 bytes, and what palloc returns may be aligned for 4 */
	build->shared = (HnswBuildShared *) TYPEALIGN(sizeof(uint64),
												  palloc(sizeof(HnswBuildShared) + sizeof(uint64)));
	build->alone = true;
	init_shared(build->shared, build, meta, 0, info->ii_Concurrent);
	build->leader = true;
	BarrierAttach(&build->shared->barrier);
	open_build(build);
	report_phase(build, HNSW_PHASE_LOAD);
	run_build(build, info, NULL);
	return build->shared;
}

/* ---- several processes ---- */

/* A build with workers.  The leader's snapshot is theirs. */
typedef struct ParallelBuild
{
	NvParallel	workers;
	Snapshot	snapshot;
	HnswBuildShared *shared;
	ParallelTableScanDesc scan;
} ParallelBuild;

/* Set up shared memory and start the workers; false when there are none. */
static bool
start_workers(HnswBuild *build, IndexInfo *info, const HnswMeta *meta, int nworkers,
			  ParallelBuild *parallel)
{
	NvParallel *workers = &parallel->workers;
	const Size	mean_bytes = meta->has_mean ? sizeof(float) * meta->dims : 0;
	const Size	bytes[NPARTS] = {
		[PART_SHARED] = sizeof(HnswBuildShared),
		[PART_SCAN] = table_parallelscan_estimate(build->heap, parallel->snapshot),
		[PART_MEAN] = Max(mean_bytes, sizeof(float))
	};

	if (!nv_parallel_begin(workers, "hnsw_build_worker", nworkers, bytes, NPARTS))
		return false;
	parallel->shared = workers->parts[PART_SHARED];
	init_shared(parallel->shared, build, meta, nworkers, info->ii_Concurrent);
	parallel->scan = workers->parts[PART_SCAN];
	table_parallelscan_initialize(build->heap, parallel->scan, parallel->snapshot);
	if (mean_bytes > 0)
		memcpy(workers->parts[PART_MEAN], build->mean, mean_bytes);

	/* attached before anyone can wait at the barrier */
	BarrierAttach(&parallel->shared->barrier);
	return nv_parallel_launch(workers, true);
}

/* Wait until all workers have added what they found. */
static void
wait_for_workers(ParallelBuild *parallel)
{
	int			n = nv_parallel_workers(&parallel->workers) + 1;

	for (;;)
	{
		bool		done;

		SpinLockAcquire(&parallel->shared->mutex);
		done = parallel->shared->ndone == n;
		Assert(parallel->shared->ndone <= n);
		SpinLockRelease(&parallel->shared->mutex);
		if (done)
			break;
		ConditionVariableSleep(&parallel->shared->done, nv_wait_event());
	}
	ConditionVariableCancelSleep();
}

/* False when no workers could be had: nothing was done then. */
static bool
build_in_parallel(HnswBuild *build, IndexInfo *info, const HnswMeta *meta, int nworkers,
				  IndexBuildResult *result)
{
	ParallelBuild parallel = {.snapshot = SnapshotAny};
	bool		started;

	if (info->ii_Concurrent)
		parallel.snapshot = RegisterSnapshot(GetTransactionSnapshot());
	started = start_workers(build, info, meta, nworkers, &parallel);
	if (started)
	{
		build->shared = parallel.shared;
		build->leader = true;
		open_build(build);
		report_phase(build, HNSW_PHASE_LOAD);
		run_build(build, info, NV_BEGINSCAN_PARALLEL(build->heap, parallel.scan));
		wait_for_workers(&parallel);
		result->heap_tuples = parallel.shared->heap_tuples;
		result->index_tuples = parallel.shared->index_tuples;
		info->ii_BrokenHotChain = parallel.shared->broken_hot_chain;
		nv_parallel_end(&parallel.workers);
	}
	if (IsMVCCSnapshot(parallel.snapshot))
		UnregisterSnapshot(parallel.snapshot);
	return started;
}

/* What a worker does: its share of the scan and of the linking. */
void
hnsw_build_worker(dsm_segment *segment, shm_toc *toc)
{
	HnswBuild	build = {0};
	HnswBuildShared *shared = nv_parallel_part(toc, PART_SHARED);
	LOCKMODE	heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
	LOCKMODE	index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
	ParallelTableScanDesc scan = nv_parallel_part(toc, PART_SCAN);
	IndexInfo  *info;

	/* too late to take part: the others are past the scan already */
	if (BarrierAttach(&shared->barrier) > 0)
	{
		BarrierDetach(&shared->barrier);
		SpinLockAcquire(&shared->mutex);
		shared->ndone++;
		SpinLockRelease(&shared->mutex);
		ConditionVariableSignal(&shared->done);
		return;
	}

	build.shared = shared;
	build.mean = nv_parallel_part(toc, PART_MEAN);
	build.heap = table_open(shared->heap, heap_lock);
	build.rel = index_open(shared->index, index_lock);
	info = BuildIndexInfo(build.rel);
	info->ii_Concurrent = shared->concurrent;
	open_build(&build);
	run_build(&build, info, NV_BEGINSCAN_PARALLEL(build.heap, scan));
	index_close(build.rel, index_lock);
	table_close(build.heap, heap_lock);
}

/* ---- entry points ---- */

/* Build an index: ambuild. */
IndexBuildResult *
hnsw_build(Relation heap, Relation rel, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	HnswBuild	build = {.heap = heap, .rel = rel};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HnswMeta	meta;
	float	   *mean;
	int			nworkers;

	if (RelationGetNumberOfBlocks(rel) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
	hnsw_plan(heap, rel, info, &meta, &mean);
	build.mean = mean;
	hnsw_write_head(rel, MAIN_FORKNUM, &meta, mean);

	nworkers = meta.metric == NV_SPACE_CUSTOM && !nv_custom_parallel_safe(rel) ? 0 :
		nv_build_workers(heap, rel);
	if (nworkers > 0)
		nworkers = nv_workers_that_fit(nworkers, shared_bytes(&build, info, &meta));
	if (nworkers == 0 || !build_in_parallel(&build, info, &meta, nworkers, result))
	{
		HnswBuildShared *shared = build_alone(&build, info, &meta);

		result->heap_tuples = shared->heap_tuples;
		result->index_tuples = shared->index_tuples;
	}
	NV_TEST_POINT("build_logged");
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

/* Make the init fork of an unlogged index: ambuildempty. */
void
hnsw_build_empty(Relation rel)
{
	HnswMeta	meta;
	float	   *mean;

	hnsw_plan(NULL, rel, NULL, &meta, &mean);
	hnsw_write_head(rel, INIT_FORKNUM, &meta, mean);
	nv_log_whole(rel, INIT_FORKNUM);
}
