/*-------------------------------------------------------------------------
 *
 * am_insert.c
 *		Inserting rows, one after another.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_insert.h"

#include "am/am_method.h"
#include "am/am_rowvectors.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Fill in an inserter. */
void
nv_inserter_init(NvInserter *inserter, const NvInsertMethod *method, NvIndexCore *core,
				 Size first_block)
{
	inserter->method = method;
	inserter->core = core;
	nv_query_alloc(&core->space, &inserter->query);
	inserter->image = palloc(Max(core->attributes.image_bytes, 1));
	inserter->row = AllocSetContextCreate(CurrentMemoryContext, "nanovec row",
										  ALLOCSET_SMALL_SIZES);
	inserter->scratch = AllocSetContextCreate(CurrentMemoryContext, "nanovec insert", 0,
											  first_block, ALLOCSET_DEFAULT_MAXSIZE);
}

/* Make the inserter that a statement keeps in info->ii_AmCache. */
static NvInserter *
begin_inserts(Relation index, IndexInfo *info)
{
	MemoryContext old = MemoryContextSwitchTo(info->ii_Context);
	NvInserter *inserter = nv_method_of(index)->insert->open(index);

	MemoryContextSwitchTo(old);
	info->ii_AmCache = inserter;
	return inserter;
}

/* Insert a row: aminsert. */
bool
nv_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
		  IndexUniqueCheck unique, bool unchanged, IndexInfo *info)
{
	NvInserter *inserter = info->ii_AmCache;
	MemoryContext old;
	NvRow		row;
	NvRowVectors vectors;

	if (!nv_row_take(&row, values, isnull))
		return false;
	if (inserter == NULL)
		inserter = begin_inserts(index, info);
	Assert(inserter->core != NULL && inserter->scratch != NULL);
	inserter->core->rel = index;

	old = MemoryContextSwitchTo(inserter->row);
	nv_row_vectors(&inserter->core->space, inserter->core->many, &row, &vectors);
	nv_attributes_summarize(&inserter->core->attributes, values, isnull, inserter->image);
	MemoryContextSwitchTo(inserter->scratch);
	for (int i = 0; i < vectors.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nv_query_set(&inserter->core->space, nv_row_vector(&vectors, i), &inserter->query))
			inserter->method->insert(inserter, tid, i);
		MemoryContextReset(inserter->scratch);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(inserter->row);
	return false;
}
