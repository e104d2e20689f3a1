/*-------------------------------------------------------------------------
 *
 * am_insert.h
 *		Inserting rows, one after another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_INSERT_H
#define NV_AM_INSERT_H

#include "nv_compat.h"

#include "access/genam.h"
#include "am/am_index.h"
#include "nodes/execnodes.h"

typedef struct NvInserter NvInserter;

/* What a method does itself. */
typedef struct NvInsertMethod
{
	/*
	 * Open an index for inserts, in memory of the current context: a struct of the
	 * method that begins with an NvInserter, for which nv_inserter_init() was called.
	 */
	NvInserter *(*open) (Relation index);

	/*
	 * Insert a row's vector, which is inserter->query, with the row's attributes, which
	 * are inserter->image.  Of many vectors this is the one with this number.  The current
	 * context is scratch.
	 */
	void		(*insert) (NvInserter *inserter, ItemPointer tid, int ordinal);
} NvInsertMethod;

/* What is kept from row to row of a statement. */
struct NvInserter
{
	const NvInsertMethod *method;
	NvIndexCore *core;			/* the open index */
	NvQuery		query;			/* the vector of the row */
	char	   *image;			/* of its attributes, core->attributes.image_bytes */
	MemoryContext row;			/* of one row */
	MemoryContext scratch;		/* of one insert; what it allocated is kept for the next */
};

/*
 * Fill in an inserter.  The core stays the caller's.  first_block: bytes of the first
 * block of the scratch memory, which is there for all rows.
 */
extern void nv_inserter_init(NvInserter *inserter, const NvInsertMethod *method,
							 NvIndexCore *core, Size first_block);

/* aminsert, of all methods.  A row without a vector, or one that has no distance, is left out. */
extern bool nv_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid,
					  Relation heap, IndexUniqueCheck unique, bool unchanged, IndexInfo *info);

#endif							/* NV_AM_INSERT_H */
