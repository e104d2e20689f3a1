/*-------------------------------------------------------------------------
 *
 * am_rowvectors.c
 *		The vectors that a row brings to an index: one, or those of an array.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_rowvectors.h"

/* Bytes of an array that tell how many elements it has, whatever its dimensions. */
#define ARRAY_HEAD (sizeof(ArrayType) + MAXDIM * sizeof(int))

/* ERROR when a row has too many vectors for an index. */
static void
check_count(const NvSpace *space, int n)
{
	if (n > NV_MOST_ROW_VECTORS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array of %d elements of type %s is too long for an index", n,
						space->type->name),
				 errdetail("It can have at most %d.", NV_MOST_ROW_VECTORS),
				 errhint("Split it, or average vectors that are next to each other.")));
}

/* Open the row's array, if it is one, and look at what it holds before anything is done with it. */
void
nv_row_vectors(const NvSpace *space, bool many, const NvRow *row, NvRowVectors *v)
{
	v->many = many;
	v->single = row->vector;
	v->n = 1;
	if (!many)
		return;
	v->vectors = nv_vectors_open(row->vector, space->type->dense);
	v->n = v->vectors.n;
	check_count(space, v->n);
	if (v->n > 0 && v->vectors.dim != space->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d", space->type->name, v->vectors.dim,
						space->dims)));
}

/* Count the elements of the row's array. */
int
nv_count_row_vectors(bool many, const NvRow *row)
{
	ArrayType  *head;

	if (!many)
		return 1;
	head = (ArrayType *) PG_DETOAST_DATUM_SLICE(row->vector, 0, ARRAY_HEAD - VARHDRSZ);
	return ArrayGetNItems(ARR_NDIM(head), ARR_DIMS(head));
}
