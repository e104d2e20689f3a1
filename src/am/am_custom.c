/*-------------------------------------------------------------------------
 *
 * am_custom.c
 *		Distances by a function of the user's.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_custom.h"

#include <float.h>
#include <math.h>

#include "access/htup_details.h"
#include "am/am_build.h"
#include "am/am_opclass.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "cluster/kmeans.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varbit.h"

/* So many rows are measured in pairs, in both orders, before an index is built on them. */
#define CHECKED_ROWS 24
#define CHECKED_BLOCKS 100

/*
 * Rounding may make a difference of this part between the two orders of a pair; for rows
 * that are nearly the same, of this part of the largest distance.
 */
#define MOST_ASYMMETRY 1e-4
#define MOST_ASYMMETRY_OF_LARGEST 1e-6

/* ---- values ---- */

/* Bytes of the largest value of the type. */
static Size
value_bytes(const NvSpace *space)
{
	const NvDenseType *dense = space->type->dense;

	if (dense != NULL)
		return dense->header + space->dims * dense->element;
	if (space->form == NV_FORM_BITS)
		return VARBITTOTALLEN(space->dims);
	return sizeof(NvSparseHeader) + nv_space_max_bytes(space);
}

/* Make a value of a stored vector again, in this room. */
static Datum
make_value(const NvSpace *space, const NvStored *v, char *value)
{
	const NvDenseType *dense = space->type->dense;

	Assert(v->bytes <= nv_space_max_bytes(space));
	if (dense != NULL)
	{
		NvDenseHeader *header = (NvDenseHeader *) value;

		SET_VARSIZE(header, value_bytes(space));
		header->dim = (int16) space->dims;
		header->extra = 0;
		if (space->type->kind == NV_ELEMENT_VECTOR)
			memcpy(value + dense->header, v->data, v->bytes);
		else
		{
			memcpy(space->custom->elements, v->data, v->bytes);
			dense->encode(space->custom->elements, space->dims, value);
		}
	}
	else if (space->form == NV_FORM_BITS)
	{
		SET_VARSIZE(value, value_bytes(space));
		VARBITLEN(value) = space->dims;
		memcpy(VARBITS(value), v->data, v->bytes);
	}
	else
	{
		NvSparseHeader *header = (NvSparseHeader *) value;

		SET_VARSIZE(header, sizeof(NvSparseHeader) + v->bytes);
		header->dim = space->dims;
		header->nnz = (int32) (v->bytes / (sizeof(int32) + sizeof(float)));
		header->unused = 0;
		memcpy(header + 1, v->data, v->bytes);
	}
	return PointerGetDatum(value);
}

/* ---- calls ---- */

/* ERROR: what the function returned is no distance. */
static void __attribute__((noreturn))
no_distance(const NvCustom *custom, const char *returned)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("distance function %s returned %s",
					format_procedure(custom->function.fn_oid), returned),
			 errhint("A distance by which an index orders is a number, 0 or greater, of any two vectors.")));
}

/* Call the function for two values. */
static double
call(NvCustom *custom, Datum a, Datum b)
{
	LOCAL_FCINFO(fcinfo, 2);
	MemoryContext old;
	double		distance = 0;

	/* no content lock is held, nor an LWLock: see README, "Locks" */
	Assert(InterruptHoldoffCount == 0 && CritSectionCount == 0);
	CHECK_FOR_INTERRUPTS();
	old = MemoryContextSwitchTo(custom->scratch);
	InitFunctionCallInfoData(*fcinfo, &custom->function, 2, custom->collation, NULL, NULL);
	fcinfo->args[0].value = a;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = b;
	fcinfo->args[1].isnull = false;
	a = FunctionCallInvoke(fcinfo);
	if (!fcinfo->isnull)
		distance = DatumGetFloat8(a);
	MemoryContextSwitchTo(old);
	MemoryContextReset(custom->scratch);

	if (unlikely(fcinfo->isnull))
		no_distance(custom, "NULL");
	if (unlikely(isnan(distance)))
		no_distance(custom, "NaN");
	if (unlikely(distance < 0))
		no_distance(custom, psprintf("%g, which is negative", distance));
	return distance;
}

/* At most a distance, as a float. */
static float
round_down(double distance)
{
	float		rounded;

	if (distance >= FLT_MAX)
		return FLT_MAX;
	rounded = (float) distance;
	return rounded > distance ? nextafterf(rounded, 0) : rounded;
}

/* Measure two stored vectors. */
float
nv_custom_between(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	NvCustom   *custom = space->custom;
	Datum		x = make_value(space, a, custom->values[0]);
	Datum		y = make_value(space, b, custom->values[1]);

	return round_down(call(custom, x, y));
}

/* Measure a stored vector from a query. */
float
nv_custom_from_query(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	NvStored	dense = {
		.data = query->elements,
		.bytes = space->length * sizeof(float)
	};

	/* nor would SQL call the function for NULL */
	if (query->none)
		return 0;
	return nv_custom_between(space, v, space->type->dense != NULL ? &dense : &query->raw);
}

/* Get ready to call the function of an index. */
void
nv_custom_open(NvSpace *space, Relation index)
{
	NvCustom   *custom = palloc(sizeof(NvCustom));

	Assert(nv_space_is_custom(space));
	Assert(space->form == NV_FORM_FLOAT4 || space->type->dense == NULL);
	fmgr_info_cxt(get_opcode(nv_opclass_distance(index)), &custom->function, CurrentMemoryContext);
	custom->collation = index->rd_indcollation[NV_VECTOR_COLUMN - 1];
	custom->scratch = AllocSetContextCreate(CurrentMemoryContext, "nanovec distance function",
											ALLOCSET_SMALL_SIZES);
	custom->values[0] = palloc(value_bytes(space));
	custom->values[1] = palloc(value_bytes(space));
	custom->elements = palloc(sizeof(float) * Max(space->length, 1));
	space->custom = custom;
}

/* ---- what the catalogs say ---- */

/* Whether workers may call it. */
bool
nv_custom_parallel_safe(Relation index)
{
	return func_parallel(get_opcode(nv_opclass_distance(index))) == PROPARALLEL_SAFE;
}

/* Look up the cost. */
double
nv_custom_cost(Relation index)
{
	Oid			function = get_opcode(nv_opclass_distance(index));
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	double		cost;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	cost = ((Form_pg_proc) GETSTRUCT(tuple))->procost;
	ReleaseSysCache(tuple);
	return cost;
}

/* Have the planner look at a call with two columns. */
bool
nv_custom_is_inlined(Oid operator)
{
	Expr	   *args[2];
	Oid			types[2];
	Node	   *node;

	op_input_types(operator, &types[0], &types[1]);
	for (int i = 0; i < 2; i++)
		args[i] = (Expr *) makeVar(1, i + 1, types[i], -1, InvalidOid, 0);
	node = (Node *) make_opclause(operator, FLOAT8OID, false, args[0], args[1], InvalidOid,
								  InvalidOid);
	node = eval_const_expressions(NULL, node);
	return !IsA(node, OpExpr) || ((OpExpr *) node)->opno != operator;
}

/* ---- checks ---- */

/* Some vectors of the table. */
typedef struct Rows
{
	MemoryContext context;
	Datum		vectors[CHECKED_ROWS];
	int			n;
	uint64		seen;
	uint64		random;
} Rows;

/* Keep the vector of a row, perhaps. */
static void
take_row(Relation rel, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
{
	Rows	   *rows = arg;
	MemoryContext old;
	size_t		place;
	NvRow		row;

	if (!nv_row_take(&row, values, isnull))
		return;
	place = nv_sample_place(CHECKED_ROWS, &rows->seen, &rows->random);
	if (place >= CHECKED_ROWS)
		return;
	old = MemoryContextSwitchTo(rows->context);
	rows->vectors[place] = PointerGetDatum(PG_DETOAST_DATUM_COPY(row.vector));
	rows->n = Max(rows->n, (int) place + 1);
	MemoryContextSwitchTo(old);
}

/* Measure some rows from each other: errors of call(), or if the order matters. */
static void
check_rows(NvCustom *custom, const Rows *rows)
{
	double		distances[CHECKED_ROWS][CHECKED_ROWS];
	double		largest = 0;

	for (int i = 0; i < rows->n; i++)
	{
		for (int j = 0; j < rows->n; j++)
		{
			distances[i][j] = call(custom, rows->vectors[i], rows->vectors[j]);
			largest = Max(largest, distances[i][j]);
		}
	}
	for (int i = 0; i < rows->n; i++)
	{
		for (int j = 0; j < i; j++)
		{
			double		one = distances[i][j];
			double		other = distances[j][i];

			if (one == other || fabs(one - other) <= MOST_ASYMMETRY * Max(one, other) ||
				fabs(one - other) <= MOST_ASYMMETRY_OF_LARGEST * largest)
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("distance function %s is not symmetric",
							format_procedure(custom->function.fn_oid)),
					 errdetail("The distance of two vectors of the table is %g, and in the other order %g.",
							   one, other),
					 errhint("An index needs a distance that is the same in both directions; "
							 "the mean of both is.")));
		}
	}
}

/* ERROR unless the catalogs say that the function is what an index needs. */
static void
check_definition(Oid operator)
{
	Oid			function = get_opcode(operator);

	if (func_volatile(function) != PROVOLATILE_IMMUTABLE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("distance function %s must be marked IMMUTABLE",
						format_procedure(function)),
				 errhint("If what it returns depends on its arguments alone: ALTER FUNCTION %s IMMUTABLE.",
						 format_procedure(function))));
	if (nv_custom_is_inlined(operator))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("distance function %s is inlined in queries, which then cannot use the index",
						format_procedure(function)),
				 errhint("Write RETURN (SELECT ...) as its body, or write it in PL/pgSQL.")));
}

/* Check the function, and what it makes of some rows. */
void
nv_custom_check(Relation heap, Relation index, IndexInfo *info, NvElementKind kind, int dims)
{
	bool		dense = nv_element_type(kind)->dense != NULL;
	NvForm		form = dense ? NV_FORM_FLOAT4 :
		kind == NV_ELEMENT_BIT ? NV_FORM_BITS : NV_FORM_SPARSE;
	NvSpace		space;
	Rows		rows = {.context = CurrentMemoryContext};

	check_definition(nv_opclass_distance(index));
	if (heap == NULL)
		return;
	nv_space_init(&space, kind, NV_SPACE_CUSTOM, form, dims, dims, NULL, NULL);
	nv_custom_open(&space, index);
	nv_sample_blocks(heap, index, info, CHECKED_BLOCKS, take_row, &rows);
	check_rows(space.custom, &rows);
}
