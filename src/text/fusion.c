/*-------------------------------------------------------------------------
 *
 * fusion.c
 *		Making one ranking of several: by ranks, or by scores.
 *
 * Reciprocal rank fusion: what is in place r of a list gets 1 / (k + r) for it,
 * and the sum over all lists is its score (Cormack, Clarke and Buettcher,
 * "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
 * Methods", SIGIR 2009).
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "windowapi.h"

/* How many lists nanovec_fuse() takes; it has a form for each number, with k and weights behind. */
#define MOST_LISTS 4

/* ---- by ranks ---- */

static void
check_k(int k)
{
	if (k < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be at least 0")));
}

/* nanovec_rrf(): the part of a score that one rank is worth; without a rank, none. */
NV_FUNCTION(nanovec_rrf)
{
	int64		rank;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	check_k(PG_GETARG_INT32(1));
	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(0);
	rank = PG_GETARG_INT64(0);
	if (rank < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ranks are counted from 1, not %lld", (long long) rank)));
	PG_RETURN_FLOAT8(1 / ((double) PG_GETARG_INT32(1) + (double) rank));
}

/* Something that is in one of the lists, or in several. */
typedef struct Fused
{
	Datum		id;				/* key */
	uint32		hash;
	char		status;			/* of simplehash */
	double		score;
	int			first;			/* how many others were met before */
	int			ranks[MOST_LISTS];	/* 0: not in that list */
} Fused;

/* How ids are compared: private data of the table. */
typedef struct IdType
{
	TypeCacheEntry *entry;
	Oid			collation;
} IdType;

static uint32
hash_id(const IdType *type, Datum id)
{
	return DatumGetUInt32(FunctionCall1Coll(&type->entry->hash_proc_finfo, type->collation, id));
}

static bool
equal_ids(const IdType *type, Datum a, Datum b)
{
	return DatumGetBool(FunctionCall2Coll(&type->entry->eq_opr_finfo, type->collation, a, b));
}

#define SH_PREFIX fused
#define SH_ELEMENT_TYPE Fused
#define SH_KEY_TYPE Datum
#define SH_KEY id
#define SH_HASH_KEY(table, key) hash_id((table)->private_data, key)
#define SH_EQUAL(table, a, b) equal_ids((table)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* What nanovec_fuse() is about. */
typedef struct Fusion
{
	int			lists;			/* those that are NULL, too */
	double		weights[MOST_LISTS];
	int			k;
	IdType		type;
	fused_hash *table;
} Fusion;

/* Take the weights of an argument, or 1 for each list. */
static void
take_weights(Fusion *fusion, ArrayType *array)
{
	Datum	   *weights;
	bool	   *nulls;
	int			n;

	for (int i = 0; i < MOST_LISTS; i++)
		fusion->weights[i] = 1;
	if (array == NULL)
		return;
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array of weights must be 1-D")));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &weights, &nulls, &n);
	if (n != fusion->lists)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("there are %d weights for %d lists", n, fusion->lists)));
	for (int i = 0; i < n; i++)
	{
		fusion->weights[i] = nulls[i] ? -1 : DatumGetFloat8(weights[i]);
		if (!(fusion->weights[i] >= 0) || isinf(fusion->weights[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weights must be at least 0 and finite")));
	}
}

/* Add the ids of a list, the best first.  What comes again, or is NULL, takes no place. */
static void
add_list(Fusion *fusion, ArrayType *array, int list)
{
	TypeCacheEntry *entry = fusion->type.entry;
	Datum	   *ids;
	bool	   *nulls;
	int			n;
	int			rank = 0;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a ranked list must be a 1-D array")));
	deconstruct_array(array, ARR_ELEMTYPE(array), entry->typlen, entry->typbyval, entry->typalign,
					  &ids, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		Fused	   *fused;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			continue;
		fused = fused_insert(fusion->table, ids[i], &found);
		if (!found)
		{
			fused->score = 0;
			fused->first = (int) fusion->table->members - 1;
			memset(fused->ranks, 0, sizeof(fused->ranks));
		}
		if (fused->ranks[list] > 0)
			continue;
		fused->ranks[list] = ++rank;
		fused->score += fusion->weights[list] / ((double) fusion->k + rank);
	}
}

static int
best_rank(const Fused *fused)
{
	int			best = PG_INT32_MAX;

	for (int i = 0; i < MOST_LISTS; i++)
		if (fused->ranks[i] > 0)
			best = Min(best, fused->ranks[i]);
	return best;
}

/* By score; of equal ones by the best rank, then by the order of the lists. */
static int
compare_fused(const void *a, const void *b)
{
	const Fused *x = *(Fused *const *) a;
	const Fused *y = *(Fused *const *) b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (best_rank(x) != best_rank(y))
		return best_rank(x) < best_rank(y) ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* All that is in the lists of a call, the best first: *n of them, palloc'd. */
static Fused **
fuse_lists(FunctionCallInfo fcinfo, Fusion *fusion, int *n)
{
	/* the type is that of the argument, since all lists can be NULL */
	Oid			id_type = get_base_element_type(get_fn_expr_argtype(fcinfo->flinfo, 0));
	Fused	  **order;
	fused_iterator it;

	fusion->lists = PG_NARGS() - 2;
	Assert(fusion->lists >= 2 && fusion->lists <= MOST_LISTS);
	if (PG_ARGISNULL(fusion->lists))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("k must not be NULL")));
	fusion->k = PG_GETARG_INT32(fusion->lists);
	check_k(fusion->k);
	take_weights(fusion, PG_ARGISNULL(fusion->lists + 1) ? NULL :
				 PG_GETARG_ARRAYTYPE_P(fusion->lists + 1));
	fusion->type.entry = lookup_type_cache(id_type, TYPECACHE_HASH_PROC_FINFO |
										   TYPECACHE_EQ_OPR_FINFO);
	fusion->type.collation = PG_GET_COLLATION();
	if (!OidIsValid(fusion->type.entry->hash_proc_finfo.fn_oid) ||
		!OidIsValid(fusion->type.entry->eq_opr_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("lists of type %s cannot be fused, since it cannot be hashed",
						format_type_be(id_type)),
				 errhint("Fuse lists of keys.")));
	fusion->table = fused_create(CurrentMemoryContext, 256, &fusion->type);
	for (int i = 0; i < fusion->lists; i++)
		if (!PG_ARGISNULL(i))
			add_list(fusion, PG_GETARG_ARRAYTYPE_P_COPY(i), i);

	*n = 0;
	order = palloc_extended(sizeof(Fused *) * Max(fusion->table->members, 1), MCXT_ALLOC_HUGE);
	fused_start_iterate(fusion->table, &it);
	while ((order[*n] = fused_iterate(fusion->table, &it)) != NULL)
		if (++*n == (int) fusion->table->members)
			break;
	qsort(order, *n, sizeof(Fused *), compare_fused);
	return order;
}

/* The ranks of one in the lists, NULL where it is not. */
static Datum
ranks_of(const Fusion *fusion, const Fused *fused)
{
	Datum		ranks[MOST_LISTS];
	bool		nulls[MOST_LISTS];
	int			lower = 1;
	int			n = fusion->lists;

	for (int i = 0; i < n; i++)
	{
		ranks[i] = Int32GetDatum(fused->ranks[i]);
		nulls[i] = fused->ranks[i] == 0;
	}
	return PointerGetDatum(construct_md_array(ranks, nulls, 1, &n, &lower, INT4OID, sizeof(int32),
											  true, TYPALIGN_INT));
}

/* What nanovec_fuse() goes through. */
typedef struct FusedRows
{
	Fusion		fusion;
	Fused	  **order;
} FusedRows;

/* nanovec_fuse(): one row for each id of the lists, the best first. */
NV_FUNCTION(nanovec_fuse)
{
	FuncCallContext *context;
	FusedRows  *rows;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		TupleDesc	desc;
		int			n;

		context = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(context->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		context->tuple_desc = BlessTupleDesc(desc);
		rows = palloc0(sizeof(FusedRows));
		rows->order = fuse_lists(fcinfo, &rows->fusion, &n);
		context->max_calls = n;
		context->user_fctx = rows;
		MemoryContextSwitchTo(old);
	}

	context = SRF_PERCALL_SETUP();
	rows = context->user_fctx;
	if (context->call_cntr < context->max_calls)
	{
		const Fused *fused = rows->order[context->call_cntr];
		Datum		values[4] = {
			fused->id,
			Float8GetDatum(fused->score),
			Int64GetDatum((int64) context->call_cntr + 1),
			ranks_of(&rows->fusion, fused)
		};
		bool		nulls[4] = {false};
		HeapTuple	tuple = heap_form_tuple(context->tuple_desc, values, nulls);

		SRF_RETURN_NEXT(context, HeapTupleGetDatum(tuple));
	}
	SRF_RETURN_DONE(context);
}

/* ---- by scores ---- */

/* What the scores of a partition are like; those that are NULL or not finite do not count. */
typedef struct ScoreRange
{
	bool		known;
	int64		n;
	double		least;
	double		greatest;
	/* of scores moved to 0..1 */
	double		mean;
	double		deviation;
} ScoreRange;

/* A score moved to 0..1; halves, since a difference may have no room in a double. */
static double
move_score(const ScoreRange *range, double score)
{
	return (score / 2 - range->least / 2) / (range->greatest / 2 - range->least / 2);
}

/* The score of a row of the partition.  False when it has none. */
static bool
score_at(WindowObject window, int64 row, double *score)
{
	bool		null,
				out;
	Datum		value = WinGetFuncArgInPartition(window, 0, (int) row, WINDOW_SEEK_HEAD, false,
												 &null, &out);

	if (null || out)
		return false;
	*score = DatumGetFloat8(value);
	return isfinite(*score);
}

/* Look at all scores of the partition, when the first of its rows is asked for. */
static const ScoreRange *
get_range(WindowObject window)
{
	ScoreRange *range = WinGetPartitionLocalMemory(window, sizeof(ScoreRange));
	int64		rows;
	double		sum = 0,
				squares = 0,
				score;

	if (range->known)
		return range;
	rows = WinGetPartitionRowCount(window);
	for (int64 i = 0; i < rows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!score_at(window, i, &score))
			continue;
		range->least = range->n == 0 ? score : Min(range->least, score);
		range->greatest = range->n == 0 ? score : Max(range->greatest, score);
		range->n++;
	}
	range->known = true;
	if (range->n == 0 || range->least == range->greatest)
		return range;
	for (int64 i = 0; i < rows; i++)
		if (score_at(window, i, &score))
			sum += move_score(range, score);
	range->mean = sum / range->n;
	for (int64 i = 0; i < rows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (score_at(window, i, &score))
			squares += pow(move_score(range, score) - range->mean, 2);
	}
	range->deviation = sqrt(squares / range->n);
	return range;
}

/* The score of the present row, with what it is to be seen against; false for one without. */
static bool
current_score(FunctionCallInfo fcinfo, double *score, const ScoreRange **range)
{
	WindowObject window = PG_WINDOW_OBJECT();

	*range = get_range(window);
	return score_at(window, WinGetCurrentPosition(window), score);
}

/* nanovec_minmax(): the greatest score of the partition is 1, the least 0; of equal ones, all 1. */
NV_FUNCTION(nanovec_minmax)
{
	double		score;
	const ScoreRange *range;

	if (!current_score(fcinfo, &score, &range))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(range->least == range->greatest ? 1 : move_score(range, score));
}

/* nanovec_zscore(): how many standard deviations above the mean; of equal ones, all 0. */
NV_FUNCTION(nanovec_zscore)
{
	double		score;
	const ScoreRange *range;

	if (!current_score(fcinfo, &score, &range))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(range->least == range->greatest ? 0 :
					 (move_score(range, score) - range->mean) / range->deviation);
}
