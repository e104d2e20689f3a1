/*-------------------------------------------------------------------------
 *
 * ivf_assign.c
 *		Sorts the rows of a table by the lists of an ivf index that they belong to.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf_build.h"

#include <math.h>

#include "am/am_row.h"
#include "access/tableam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

/* Rows whose lists are found together, as far as a part of memory holds them. */
#define ASSIGN_ROWS 16384
#define ASSIGN_MEMORY_PART 8

/* Rows that are assigned to lists together. */
int
ivf_rows_at_once(const IvfBuild *build)
{
	Size		most = (Size) maintenance_work_mem * 1024 / ASSIGN_MEMORY_PART /
		(sizeof(float) * build->length);

	return (int) Min(ASSIGN_ROWS, Max(1, most));
}

/* Complete the record of a row that waits, whose list is known now. */
static void
store_waiting(IvfBuild *build, int i, IvfRecord *record)
{
	ItemPointerData tid = record->tid;
	NvQuery		row = {.elements = build->waiting + (size_t) i * build->length};

	row.norm = sqrtf(nv_kern.ip_f32(row.elements, row.elements, build->length));
	ivf_write_record(&build->ix, &row, build->centroids + (Size) build->lists[i] * build->length,
					 &tid, record);
}

/* Find the lists of the rows that wait, and put them into the sort. */
static void
assign_waiting(IvfBuild *build)
{
	Size		bytes = build->ix.layout.record.bytes;
	Size		image_bytes = build->meta.attribute_bytes;
	bytea	   *value = palloc(VARHDRSZ + bytes + image_bytes);

	Assert(build->nwaiting <= build->most_waiting);
	nv_team_assign(build->team, build->nwaiting, build->lists, build->distances);
	SET_VARSIZE(value, VARHDRSZ + bytes + image_bytes);
	for (int i = 0; i < build->nwaiting; i++)
	{
		IvfRecord  *record = (IvfRecord *) (build->records + i * bytes);

		if (build->meta.bits > 0)
			store_waiting(build, i, record);
		memcpy(VARDATA(value), record, bytes);
		memcpy(VARDATA(value) + bytes, build->images + i * image_bytes, image_bytes);
		ExecClearTuple(build->slot);
		build->slot->tts_values[0] = Int32GetDatum((int32) build->lists[i]);
		build->slot->tts_values[1] = PointerGetDatum(value);
		build->slot->tts_isnull[0] = build->slot->tts_isnull[1] = false;
		ExecStoreVirtualTuple(build->slot);
		tuplesort_puttupleslot(build->sort, build->slot);
		build->distance_sum += sqrt(build->distances[i]);
	}
	pfree(value);
	build->ntuples += build->nwaiting;
	build->nwaiting = 0;
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) build->ntuples);
}

/* Have a row of the table wait for its list. */
static void
add_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	IvfBuild   *build = arg;
	IvfIndex   *ix = &build->ix;
	MemoryContext old;
	NvRow		row;

	if (!nv_row_take(&row, values, isnull))
		return;
	old = MemoryContextSwitchTo(build->scratch);
	if (nv_query_set(&ix->space, row.vector, &build->query))
	{
		IvfRecord  *record = (IvfRecord *) (build->records +
											(Size) build->nwaiting * ix->layout.record.bytes);

		if (ix->meta.bits > 0)
			record->tid = *tid;
		else
			ivf_write_record(ix, &build->query, NULL, tid, record);
		nv_attributes_summarize(&ix->attributes, values, isnull,
								build->images + (Size) build->nwaiting * ix->meta.attribute_bytes);
		nv_query_floats(&ix->space, &build->query,
						build->waiting + (size_t) build->nwaiting++ * build->length);
		if (build->nwaiting == build->most_waiting)
			assign_waiting(build);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/* What the team and the rows that wait leave of memory, in kB. */
static int
sort_memory(const IvfBuild *build)
{
	Size		row = sizeof(float) * build->length;
	Size		team_rows = Max(build->room, (size_t) build->most_waiting);
	/* a row's place has a list and a distance; centroids are here and with the team */
	Size		used = team_rows * (row + sizeof(uint32) + sizeof(float)) +
		build->most_waiting *
		(ivf_sorted_bytes(&build->ix) + sizeof(uint32) + sizeof(float)) +
		2 * row * build->meta.lists;

	return Max(maintenance_work_mem / 4, maintenance_work_mem - (int) Min(used / 1024, INT_MAX));
}

/* Scan the table, and sort its rows by their lists; returns how many it has. */
double
ivf_assign_rows(IvfBuild *build)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	AttrNumber	column = 1;
	Oid			operator = Int4LessOperator;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;
	double		heap_tuples;

	TupleDescInitEntry(desc, 1, "list", INT4OID, -1, 0);
	TupleDescInitEntry(desc, 2, "record", BYTEAOID, -1, 0);
	build->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	build->most_waiting = ivf_rows_at_once(build);
	build->sort = tuplesort_begin_heap(desc, 1, &column, &operator, &collation, &nulls_first,
									   sort_memory(build), NULL, 0);
	nv_query_alloc(&build->ix.space, &build->query);
	nv_team_set_centroids(build->team, build->centroids, (int) build->meta.lists);
	build->waiting = nv_team_rows(build->team);
	build->records = palloc_extended((Size) build->ix.layout.record.bytes * build->most_waiting,
									 MCXT_ALLOC_HUGE);
	build->images = palloc_extended((Size) build->meta.attribute_bytes * build->most_waiting,
									MCXT_ALLOC_HUGE);
	build->lists = palloc(sizeof(uint32) * build->most_waiting);
	build->distances = palloc(sizeof(float) * build->most_waiting);
	heap_tuples = table_index_build_scan(build->heap, build->rel, build->info, true, true, add_row,
										 build, NULL);
	if (build->nwaiting > 0)
		assign_waiting(build);
	nv_team_end(build->team);
	pfree(build->distances);
	pfree(build->lists);
	pfree(build->images);
	pfree(build->records);
	ExecDropSingleTupleTableSlot(build->slot);
	build->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return heap_tuples;
}
