/*-------------------------------------------------------------------------
 *
 * am_groups.c
 *		nanovec_search_groups(): the nearest groups of rows, such as documents whose
 *		chunks are rows.
 *
 * A group is as near as its nearest row.  So the search goes on, row by row, until no row
 * to come can be nearer than the farthest of the k groups that were found; each row is read
 * once, however many of a near group come first.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <math.h>

#include "am/am_finder.h"
#include "am/am_inspect.h"
#include "am/am_queries.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

/*
 * So many times as many candidates are kept, or lists looked into, as the settings say for
 * the nearest rows: a group that is missed may have been hidden behind the rows of others.
 */
#define MORE_EFFORT 2

/* A row is compared with all groups that are kept. */
#define MOST_GROUPS 1000

/* A group, and its nearest row. */
typedef struct RowGroup
{
	NvNeighbor	nearest;
	uint32		hash;
	bool		isnull;
	Datum		value;			/* a copy of its own */
} RowGroup;

typedef struct RowGroups
{
	NvIndexedTable table;
	AttrNumber	column;
	const TypeCacheEntry *type;
	Oid			collation;
	bool		byval;
	int16		length;
	RowGroup   *groups;			/* room for k, in any order */
	int			k;
	int			n;
	int			farthest;		/* of k groups */
} RowGroups;

/* Find the column that says to which group a row belongs. */
static void
find_column(RowGroups *g, const char *name)
{
	Form_pg_attribute attribute;

	g->column = get_attnum(RelationGetRelid(g->table.heap), name);
	if (g->column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\" to group by",
						RelationGetRelationName(g->table.heap), name)));
	attribute = TupleDescAttr(RelationGetDescr(g->table.heap), g->column - 1);
	g->collation = attribute->attcollation;
	g->byval = attribute->attbyval;
	g->length = attribute->attlen;
	g->type = lookup_type_cache(attribute->atttypid,
								TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO);
	if (!OidIsValid(g->type->eq_opr_finfo.fn_oid) || !OidIsValid(g->type->hash_proc_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not group by column \"%s\" of type %s", name,
						format_type_be(attribute->atttypid)),
				 errdetail("The type has no operator for equality that can be hashed.")));
}

/* The group of a value among those that are kept, or -1. */
static int
find_group(RowGroups *g, Datum value, bool isnull, uint32 hash)
{
	for (int i = 0; i < g->n; i++)
	{
		const RowGroup *group = &g->groups[i];

		if (group->hash != hash || group->isnull != isnull)
			continue;
		if (isnull || DatumGetBool(FunctionCall2Coll((FmgrInfo *) &g->type->eq_opr_finfo,
													 g->collation, group->value, value)))
			return i;
	}
	return -1;
}

/* Find out which of k groups is the farthest. */
static void
find_farthest(RowGroups *g)
{
	g->farthest = 0;
	for (int i = 1; i < g->n; i++)
	{
		if (g->groups[i].nearest.distance > g->groups[g->farthest].nearest.distance)
			g->farthest = i;
	}
}

/* No row to come matters that is not nearer. */
static double
limit_of(const RowGroups *g)
{
	return g->n == g->k ? g->groups[g->farthest].nearest.distance : INFINITY;
}

/* Take the row in the slot, at this distance, into account. */
static void
add_row(RowGroups *g, double distance)
{
	TupleTableSlot *slot = g->table.slot;
	bool		isnull;
	Datum		value = slot_getattr(slot, g->column, &isnull);
	uint32		hash = isnull ? 0 :
		DatumGetUInt32(FunctionCall1Coll((FmgrInfo *) &g->type->hash_proc_finfo, g->collation,
										 value));
	int			i = find_group(g, value, isnull, hash);
	RowGroup   *group;

	if (distance >= limit_of(g) || (i >= 0 && distance >= g->groups[i].nearest.distance))
		return;
	if (i < 0)
	{
		i = g->n < g->k ? g->n++ : g->farthest;
		group = &g->groups[i];
		if (!g->byval && !group->isnull && DatumGetPointer(group->value) != NULL)
			pfree(DatumGetPointer(group->value));
		group->hash = hash;
		group->isnull = isnull;
		group->value = isnull ? (Datum) 0 : datumCopy(value, g->byval, g->length);
	}
	g->groups[i].nearest.distance = distance;
	g->groups[i].nearest.tid = slot->tts_tid;
	if (g->n == g->k)
		find_farthest(g);
}

/* Put the nearest row of each group into the result, nearest first. */
static void
put_groups(RowGroups *g, NvReport *report)
{
	NvNeighbor *nearest = nv_palloc_many(g->k, sizeof(NvNeighbor));
	int			n = 0;

	for (int i = 0; i < g->n; i++)
		nv_neighbors_add(nearest, &n, g->k, g->groups[i].nearest.distance,
						 &g->groups[i].nearest.tid);
	nv_neighbors_sort(nearest, n);
	for (int i = 0; i < n; i++)
	{
		Datum		values[2] = {
			PointerGetDatum(&nearest[i].tid),
			Float8GetDatum(nearest[i].distance)
		};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(report->rows, report->desc, values, nulls);
	}
}

/* Search for the nearest groups. */
NV_FUNCTION(nanovec_search_groups)
{
	NvReport	report = nv_report_begin(fcinfo);
	Datum		query = PG_GETARG_DATUM(1);
	RowGroups	g = {.k = PG_GETARG_INT32(3)};
	NvFinder   *finder;
	double		distance;

	nv_check_number("k", g.k, MOST_GROUPS);
	nv_table_open(&g.table, PG_GETARG_OID(0));
	nv_check_query_type(&g.table, get_fn_expr_argtype(fcinfo->flinfo, 1));
	find_column(&g, NameStr(*PG_GETARG_NAME(2)));
	g.groups = palloc0(sizeof(RowGroup) * g.k);
	finder = nv_finder_open(&g.table);
	nv_finder_begin(finder, query);
	nv_finder_set_effort(finder, Min(nv_finder_effort(finder) * MORE_EFFORT,
									 nv_finder_most_effort(finder)));
	while (nv_finder_next(finder, limit_of(&g), &distance))
	{
		if (!isnan(distance))
			add_row(&g, distance);
	}
	put_groups(&g, &report);
	nv_finder_close(finder);
	nv_table_close(&g.table);
	return (Datum) 0;
}
