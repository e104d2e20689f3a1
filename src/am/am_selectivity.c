/*-------------------------------------------------------------------------
 *
 * am_selectivity.c
 *		Estimates how many rows are in a sphere.
 *
 * Statistics of PostgreSQL say nothing of distances.  So some rows of the table are read,
 * when a plan first needs it, and the distances between them are kept: what part of them is
 * below a radius tells how many rows a sphere around a row has, on average.  Below the
 * least of these distances a power of the radius goes on, whose exponent is the dimension
 * of the data there (Hill, 1975, of the least distances).
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <float.h>
#include <math.h>

#include "access/table.h"
#include "access/tableam.h"
#include "am/am_handler.h"
#include "am/am_opclass.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_type.h"
#include "distance/sphere.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "nv_random.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/selfuncs.h"
#include "utils/snapmgr.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

/* So many rows are read, of not more than so many bytes together. */
#define SAMPLED_ROWS 64
#define SAMPLED_BYTES (1024 * 1024)
#define MOST_DISTANCES (SAMPLED_ROWS * (SAMPLED_ROWS - 1) / 2)

/* And so many places are tried for that. */
#define TRIES (4 * SAMPLED_ROWS)

/* The tail is taken from the least distances, so many of them. */
#define TAIL_PART 20
#define LEAST_TAIL 8

/* Where nothing is known. */
#define DEFAULT_SELECTIVITY 0.0005

/* A session remembers distances of so many columns, as long as the table has about that size. */
#define MOST_SAMPLES 64

typedef struct SampleKey
{
	Oid			table;
	Oid			distance;		/* the function of the operator */
	int32		column;
} SampleKey;

typedef struct Sample
{
	SampleKey	key;
	BlockNumber blocks;			/* of the table, then */
	int			n;
	double	   *distances;		/* ascending; in TopMemoryContext */
} Sample;

static HTAB *samples;

/* Forget what is known of a table, or of all: its columns may have changed. */
static void
forget(Datum arg, Oid table)
{
	HASH_SEQ_STATUS scan;
	Sample	   *sample;

	hash_seq_init(&scan, samples);
	while ((sample = hash_seq_search(&scan)) != NULL)
	{
		if (OidIsValid(table) && sample->key.table != table)
			continue;
		pfree(sample->distances);
		hash_search(samples, &sample->key, HASH_REMOVE, NULL);
	}
}

/* Make the table of samples, in the first use of a session. */
static void
begin_samples(void)
{
	HASHCTL		control = {
		.keysize = sizeof(SampleKey),
		.entrysize = sizeof(Sample),
		.hcxt = TopMemoryContext
	};

	if (samples != NULL)
		return;
	samples = hash_create("nanovec samples of distances", MOST_SAMPLES, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
}

/* ---- reading rows ---- */

/* Whether a place is among n others. */
static bool
is_among(ItemPointerData *tids, int n, ItemPointer tid)
{
	for (int i = 0; i < n; i++)
	{
		if (ItemPointerEquals(&tids[i], tid))
			return true;
	}
	return false;
}

/*
 * Read values of a column from places all over the table; returns how many, in memory of
 * the current context.  The same places are tried each time, so that plans do not change.
 */
static int
read_values(Relation table, AttrNumber column, Datum *values)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(table);
	double		per_block = table->rd_rel->reltuples > 0 && table->rd_rel->relpages > 0 ?
		table->rd_rel->reltuples / table->rd_rel->relpages : 1;
	TupleTableSlot *slot = table_slot_create(table, NULL);
	IndexFetchTableData *fetch = NV_INDEX_FETCH_BEGIN(table);
	uint64		random = 0;
	ItemPointerData seen[SAMPLED_ROWS];
	Size		bytes = 0;
	int			n = 0;

	for (int i = 0; blocks > 0 && i < TRIES && n < SAMPLED_ROWS && bytes < SAMPLED_BYTES; i++)
	{
		ItemPointerData tid;
		bool		again = false;
		bool		isnull;
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		ItemPointerSet(&tid, (BlockNumber) (nv_random(&random) % blocks),
					   (OffsetNumber) (1 + nv_random(&random) % (uint64) Max(per_block, 1)));
		if (!table_index_fetch_tuple(fetch, &tid, GetActiveSnapshot(), slot, &again, NULL))
			continue;
		value = slot_getattr(slot, column, &isnull);
		if (isnull || is_among(seen, n, &slot->tts_tid))
			continue;
		seen[n] = slot->tts_tid;
		values[n] = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
		bytes += VARSIZE(DatumGetPointer(values[n]));
		n++;
	}
	table_index_fetch_end(fetch);
	ExecDropSingleTupleTableSlot(slot);
	return n;
}

/* The order of distances. */
static int
compare_distances(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Measure each pair of values; returns how many distances are numbers, in order. */
static int
measure_pairs(Oid function, const Datum *values, int n, double *distances)
{
	FmgrInfo	distance;
	int			found = 0;

	fmgr_info(function, &distance);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < i; j++)
		{
			double		d = DatumGetFloat8(FunctionCall2(&distance, values[i], values[j]));

			if (!isnan(d))
				distances[found++] = d;
		}
	}
	qsort(distances, found, sizeof(double), compare_distances);
	return found;
}

/* ---- samples ---- */

/* Whether the planner may look at all rows of a table for the user. */
static bool
may_read(Oid table)
{
	return pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(table, InvalidOid, true) != RLS_ENABLED;
}

/* Read rows and measure them; NULL if there are none to speak of. */
static Sample *
take_sample(const SampleKey *key, Relation table)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nanovec sample",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Datum	   *values = palloc(sizeof(Datum) * SAMPLED_ROWS);
	double	   *distances = palloc(sizeof(double) * MOST_DISTANCES);
	int			n = measure_pairs(key->distance, values,
								  read_values(table, (AttrNumber) key->column, values), distances);
	Sample	   *sample = NULL;
	double	   *kept;

	if (n >= LEAST_TAIL)
	{
		if (hash_get_num_entries(samples) >= MOST_SAMPLES)
			forget((Datum) 0, InvalidOid);
		kept = MemoryContextAlloc(TopMemoryContext, sizeof(double) * n);
		memcpy(kept, distances, sizeof(double) * n);
		sample = hash_search(samples, key, HASH_ENTER, NULL);
		sample->blocks = RelationGetNumberOfBlocks(table);
		sample->n = n;
		sample->distances = kept;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return sample;
}

/* Find the sample of a column, or take it; NULL if there is none. */
static const Sample *
find_sample(const SampleKey *key, Relation table)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(table);
	Sample	   *sample = hash_search(samples, key, HASH_FIND, NULL);

	if (sample != NULL && blocks / 2 <= sample->blocks && sample->blocks / 2 <= blocks)
		return sample;
	if (sample != NULL)
	{
		pfree(sample->distances);
		hash_search(samples, key, HASH_REMOVE, NULL);
	}
	return take_sample(key, table);
}

/* ---- estimates ---- */

/* How many distances are less than a radius, by bisection. */
static int
count_less(const Sample *sample, double radius)
{
	int			low = 0,
				high = sample->n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (sample->distances[middle] < radius)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Which part of all distances is less than a radius. */
static double
part_less(const Sample *sample, double radius)
{
	const double *d = sample->distances;
	int			k = Max(sample->n / TAIL_PART, LEAST_TAIL);
	double		farthest = d[k - 1];	/* of the tail */
	double		sum = 0;
	bool		is_power = d[0] >= 0;

	if (radius >= farthest)
		return (double) count_less(sample, radius) / sample->n;
	if (is_power && radius <= 0)
		return 0;
	for (int i = 0; i < k - 1; i++)
		sum += is_power ? log(farthest / Max(d[i], farthest * FLT_EPSILON)) : farthest - d[i];
	/* many that are as far as one another, and none nearer */
	if (!(sum > 0))
		return 0;
	sum /= k - 1;
	return (double) k / sample->n *
		(is_power ? pow(radius / farthest, 1 / sum) : exp((radius - farthest) / sum));
}

/* Find the radius of a sphere, if the planner knows it. */
static bool
known_radius(PlannerInfo *root, Node *node, double *radius)
{
	List	   *fields = NIL;
	Node	   *last;

	node = estimate_expression_value(root, node);
	if (IsA(node, Const) && !((Const *) node)->constisnull)
	{
		*radius = nv_sphere_open(((Const *) node)->constvalue).radius;
		return true;
	}
	/* around a center that is not known */
	if (IsA(node, FuncExpr))
		fields = ((FuncExpr *) node)->args;
	else if (IsA(node, RowExpr))
		fields = ((RowExpr *) node)->args;
	if (list_length(fields) != 2)
		return false;
	last = lsecond(fields);
	if (!IsA(last, Const) || ((Const *) last)->consttype != FLOAT8OID ||
		((Const *) last)->constisnull)
		return false;
	*radius = DatumGetFloat8(((Const *) last)->constvalue);
	return true;
}

/* The function that computes the distance which an operator compares with a radius. */
static Oid
distance_of(Oid operator)
{
	CatCList   *list = SearchSysCacheList1(AMOPOPID, ObjectIdGetDatum(operator));
	Oid			distance = InvalidOid;

	for (int i = 0; i < list->n_members && !OidIsValid(distance); i++)
	{
		Form_pg_amop member = (Form_pg_amop) GETSTRUCT(&list->members[i]->tuple);

		if (member->amopstrategy == NV_VECTOR_SPHERE)
			distance = get_opfamily_member(member->amopfamily, member->amoplefttype,
										   member->amoplefttype, NV_VECTOR_DISTANCE);
	}
	ReleaseCatCacheList(list);
	return OidIsValid(distance) ? get_opcode(distance) : InvalidOid;
}

/* The table of a column, which has to be one of vectors of one length; or InvalidOid. */
static Oid
table_of(PlannerInfo *root, Node *node)
{
	const Var  *var = (const Var *) node;
	const RangeTblEntry *rte;

	if (!IsA(node, Var) || var->varlevelsup != 0 || var->varattno <= 0 || var->vartypmod <= 0)
		return InvalidOid;
	rte = planner_rt_fetch(var->varno, root);
	if (rte->rtekind != RTE_RELATION || rte->securityQuals != NIL ||
		(rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW))
		return InvalidOid;
	return rte->relid;
}

/*
 * Estimate which part of the rows of a column's table is nearer than a radius to one of them;
 * false if nothing is known of them.
 */
static bool
part_within(PlannerInfo *root, Node *column, Oid distance, double radius, double *part)
{
	SampleKey	key;
	Relation	table;
	const Sample *sample;

	memset(&key, 0, sizeof(key));
	key.table = table_of(root, column);
	key.distance = distance;
	if (!OidIsValid(key.table) || !OidIsValid(key.distance) || !ActiveSnapshotSet() ||
		!may_read(key.table))
		return false;
	key.column = ((Var *) column)->varattno;
	begin_samples();
	table = table_open(key.table, NoLock);
	sample = find_sample(&key, table);
	if (sample != NULL)
		*part = part_less(sample, radius);
	table_close(table, NoLock);
	return sample != NULL;
}

/* Estimate which part of a table's rows is in a sphere. */
static double
selectivity_of(PlannerInfo *root, Oid operator, List *args)
{
	double		part = DEFAULT_SELECTIVITY;
	double		radius;

	if (known_radius(root, lsecond(args), &radius))
		part_within(root, linitial(args), distance_of(operator), radius, &part);
	CLAMP_PROBABILITY(part);
	return part;
}

/* Find the number that an expression is, if the planner knows it. */
static bool
known_number(PlannerInfo *root, Node *node, double *number)
{
	const Const *value = (const Const *) estimate_expression_value(root, node);

	if (!IsA(value, Const) || value->consttype != FLOAT8OID || value->constisnull)
		return false;
	*number = DatumGetFloat8(value->constvalue);
	return true;
}

/* The two arguments of an operator's function, if an expression is that; else false. */
static bool
calls(Node *node, Oid function, Node **left, Node **right)
{
	const OpExpr *op = (const OpExpr *) node;

	if (!IsA(node, OpExpr) || get_opcode(op->opno) != function)
		return false;
	*left = linitial(op->args);
	*right = lsecond(op->args);
	return true;
}

/*
 * Find the radius, if a condition says that a distance is less than that: distance < radius,
 * or 1 - distance > similarity, or either the other way round.
 */
static bool
bounds_distance(PlannerInfo *root, Node *condition, const Node *distance, double *radius)
{
	Node	   *less;
	Node	   *more;
	Node	   *one;
	Node	   *subtracted;
	double		whole;
	double		rest;

	if (!calls(condition, F_FLOAT8LT, &less, &more) &&
		!calls(condition, F_FLOAT8LE, &less, &more) &&
		!calls(condition, F_FLOAT8GT, &more, &less) && !calls(condition, F_FLOAT8GE, &more, &less))
		return false;
	if (equal(less, distance))
		return known_number(root, more, radius);
	if (!calls(more, F_FLOAT8MI, &one, &subtracted) || !equal(subtracted, distance) ||
		!known_number(root, one, &whole) || !known_number(root, less, &rest))
		return false;
	*radius = whole - rest;
	return true;
}

/* Whether a query asks for more rows than its condition on the distance leaves. */
bool
nv_wants_more_than_within(PlannerInfo *root, const IndexPath *path)
{
	const OpExpr *order = path->indexorderbys == NIL ? NULL : linitial(path->indexorderbys);
	const IndexOptInfo *index = path->indexinfo;
	ListCell   *lc;

	if (order == NULL || !IsA(order, OpExpr) || root->limit_tuples <= 0)
		return false;
	foreach(lc, index->rel->baserestrictinfo)
	{
		Node	   *condition = (Node *) lfirst_node(RestrictInfo, lc)->clause;
		double		radius;
		double		part;

		if (bounds_distance(root, condition, (const Node *) order, &radius) &&
			part_within(root, linitial(order->args), get_opcode(order->opno), radius, &part) &&
			part * index->rel->tuples < root->limit_tuples)
			return true;
	}
	return false;
}

/* The estimate for a condition on one table. */
NV_FUNCTION(nanovec_sphere_sel)
{
	PG_RETURN_FLOAT8(selectivity_of((PlannerInfo *) PG_GETARG_POINTER(0), PG_GETARG_OID(1),
									(List *) PG_GETARG_POINTER(2)));
}

/* The estimate for a condition that joins two. */
NV_FUNCTION(nanovec_sphere_joinsel)
{
	PG_RETURN_FLOAT8(selectivity_of((PlannerInfo *) PG_GETARG_POINTER(0), PG_GETARG_OID(1),
									(List *) PG_GETARG_POINTER(2)));
}
