/*-------------------------------------------------------------------------
 *
 * am_recall.c
 *		nanovec_index_recall() and nanovec_recall_sweep(): how many of the nearest
 *		rows an index finds, and in what time.
 *
 * The exact answers come from the table, by the distance function of SQL: a scan for
 * each of the first few queries, which tells how long that takes, and one for all the
 * others together.  A row that is as near as the k-th nearest counts as found, so
 * that rows of one distance can stand for one another.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "am/am_finder.h"
#include "am/am_inspect.h"
#include "am/am_queries.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* So many exact answers are searched for, and timed, one at a time. */
#define TIMED_ALONE 5

/* Milliseconds between two notices of how far it is. */
#define TELL_EVERY 10000

/* Queries, and how well an index answers them. */
typedef struct Trial
{
	NvIndexedTable table;
	NvFinder   *finder;
	int			k;
	NvQueries	queries;
	NvNeighbor *exact;			/* k for each query */
	int		   *nexact;			/* fewer when the table has fewer rows */
	NvNeighbor *found;			/* k */
	double	   *exact_ms;		/* of those that were timed */
	int			ntimed;
	double	   *index_ms;
	TimestampTz told;			/* when a notice was due last */
} Trial;

/* What came of searching for all queries. */
typedef struct Outcome
{
	bool		known;			/* there were queries, and rows */
	double		recall;
	double		worst;
} Outcome;

/* Tell how far it is, if that was not told for a while. */
static void
tell_progress(Trial *trial, const char *what, double part)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(trial->told, now, TELL_EVERY))
		return;
	trial->told = now;
	ereport(NOTICE,
			(errmsg("%s of index \"%s\": %d %% done", what,
					RelationGetRelationName(trial->table.index), (int) (100 * part))));
}

/* ---- exact answers ---- */

/* Read the table for the nearest rows of n queries, from number "first" on. */
static void
scan_table(Trial *trial, int first, int n)
{
	NvIndexedTable *t = &trial->table;
	TableScanDesc scan = table_beginscan_strat(t->heap, t->snapshot, 0, NULL, true, true);
	double		blocks = Max(RelationGetNumberOfBlocks(t->heap), 1);
	double		seen = 0;
	BlockNumber block = InvalidBlockNumber;
	Datum		value;

	while (table_scan_getnextslot(scan, ForwardScanDirection, t->slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (ItemPointerGetBlockNumberNoCheck(&t->slot->tts_tid) != block)
		{
			block = ItemPointerGetBlockNumberNoCheck(&t->slot->tts_tid);
			tell_progress(trial, "exact answers for the recall",
						  (first + n * ++seen / blocks) / trial->queries.n);
		}
		nv_table_next_row(t);
		if (!nv_table_plain_value(t, &value))
			continue;
		for (int q = first; q < first + n; q++)
		{
			double		distance = nv_table_distance(t, value, trial->queries.values[q]);

			if (!isnan(distance))
				nv_neighbors_add(trial->exact + (Size) q * trial->k, &trial->nexact[q], trial->k,
								 distance, &t->slot->tts_tid);
		}
	}
	table_endscan(scan);
	for (int q = first; q < first + n; q++)
		nv_neighbors_sort(trial->exact + (Size) q * trial->k, trial->nexact[q]);
}

/* Milliseconds since a time. */
static double
ms_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_MILLISEC(now);
}

/* Find the exact answers to all queries. */
static void
find_exact(Trial *trial)
{
	int			n = trial->queries.n;

	trial->ntimed = Min(n, TIMED_ALONE);
	for (int q = 0; q < trial->ntimed; q++)
	{
		instr_time	start;

		INSTR_TIME_SET_CURRENT(start);
		scan_table(trial, q, 1);
		trial->exact_ms[q] = ms_since(start);
	}
	if (n > trial->ntimed)
		scan_table(trial, trial->ntimed, n - trial->ntimed);
}

/* ---- answers of the index ---- */

/* How many of the nearest rows of a query were found, as a part of 1. */
static double
judge(const Trial *trial, int q, int nfound)
{
	int			nexact = trial->nexact[q];
	double		last = trial->exact[(Size) q * trial->k + nexact - 1].distance;
	int			n = 0;

	for (int i = 0; i < nfound; i++)
		n += trial->found[i].distance <= last;
	return (double) Min(n, nexact) / nexact;
}

/* Search for all queries, with the settings as they are, or another effort if it is not 0. */
static Outcome
search_all(Trial *trial, int effort)
{
	Outcome		out = {.worst = 1};
	int			judged = 0;

	for (int q = 0; q < trial->queries.n; q++)
	{
		instr_time	start;
		int			nfound;
		double		part;

		CHECK_FOR_INTERRUPTS();
		tell_progress(trial, "searches for the recall", (double) q / trial->queries.n);
		INSTR_TIME_SET_CURRENT(start);
		nv_finder_begin(trial->finder, trial->queries.values[q]);
		if (effort > 0)
			nv_finder_set_effort(trial->finder, effort);
		nfound = nv_finder_nearest(trial->finder, trial->k, INFINITY, trial->found);
		trial->index_ms[q] = ms_since(start);
		if (trial->nexact[q] == 0)
			continue;
		part = judge(trial, q, nfound);
		out.recall += part;
		out.worst = Min(out.worst, part);
		judged++;
	}
	out.known = judged > 0;
	out.recall /= Max(judged, 1);
	return out;
}

/* ---- the functions ---- */

/* Open the index. */
static void
begin_trial(Trial *trial, Oid index, int k)
{
	nv_check_number("k", k, NV_MOST_NEIGHBORS);
	nv_table_open(&trial->table, index);
	trial->finder = nv_finder_open(&trial->table);
	trial->k = k;
	trial->told = GetCurrentTimestamp();
}

/* Make room for the answers to n queries at most. */
static void
make_room(Trial *trial, int n)
{
	int			k = trial->k;

	nv_check_memory((double) sizeof(NvNeighbor) * k * n, "queries or neighbors");
	trial->exact = nv_palloc_many((Size) n * k, sizeof(NvNeighbor));
	trial->found = nv_palloc_many(k, sizeof(NvNeighbor));
	trial->nexact = palloc0(sizeof(int) * Max(n, 1));
	trial->exact_ms = palloc(sizeof(double) * TIMED_ALONE);
	trial->index_ms = palloc(sizeof(double) * Max(n, 1));
}

/* Begin a trial with rows of the table, moved a little; finds the exact answers, too. */
static void
begin_with_rows(Trial *trial, Oid index, int n, int k, int64 seed)
{
	nv_check_number("queries", n, NV_MOST_QUERIES);
	begin_trial(trial, index, k);
	make_room(trial, n);
	nv_queries_of_rows(&trial->queries, &trial->table, n, (uint64) seed);
	find_exact(trial);
}

/* Begin a trial with the queries of an array, likewise. */
static void
begin_with_array(Trial *trial, Oid index, Datum array, int k)
{
	begin_trial(trial, index, k);
	nv_queries_of_array(&trial->queries, &trial->table, array, false);
	make_room(trial, trial->queries.n);
	find_exact(trial);
}

/* Close what a trial opened. */
static void
end_trial(Trial *trial)
{
	nv_finder_close(trial->finder);
	nv_table_close(&trial->table);
}

/* The order of times. */
static int
compare_times(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* Set two columns to the median and the 95th percentile of some times, which get sorted. */
static void
set_times(double *ms, int n, Datum *values, bool *nulls)
{
	nulls[0] = nulls[1] = n == 0;
	if (n == 0)
		return;
	qsort(ms, n, sizeof(double), compare_times);
	values[0] = Float8GetDatum(ms[(n - 1) / 2]);
	values[1] = Float8GetDatum(ms[(int) ceil(.95 * n) - 1]);
}

/* Set two columns to the mean and the least recall. */
static void
set_recall(const Outcome *out, Datum *values, bool *nulls)
{
	nulls[0] = nulls[1] = !out->known;
	values[0] = Float8GetDatum(out->recall);
	values[1] = Float8GetDatum(out->worst);
}

/* Search for the queries, and make the row of nanovec_index_recall(). */
static Datum
recall_row(FunctionCallInfo fcinfo, Trial *trial)
{
	Outcome		out = search_all(trial, 0);
	Datum		values[6] = {0};
	bool		nulls[6];
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	set_recall(&out, values, nulls);
	set_times(trial->index_ms, trial->queries.n, values + 2, nulls + 2);
	set_times(trial->exact_ms, trial->ntimed, values + 4, nulls + 4);
	end_trial(trial);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* Search for the queries with each of some settings, and make the rows of a sweep. */
static void
sweep_rows(Trial *trial, NvReport *report, ArrayType *settings)
{
	int			most = nv_finder_most_effort(trial->finder);
	Datum	   *efforts;
	bool	   *isnull;
	int			n;

	deconstruct_array(settings, INT4OID, sizeof(int32), true, TYPALIGN_INT, &efforts, &isnull, &n);
	for (int i = 0; i < n; i++)
	{
		if (isnull[i] || DatumGetInt32(efforts[i]) < 1 || DatumGetInt32(efforts[i]) > most)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("settings for index \"%s\" must be between 1 and %d",
							RelationGetRelationName(trial->table.index), most)));
	}
	for (int i = 0; i < n; i++)
	{
		Outcome		out = search_all(trial, DatumGetInt32(efforts[i]));
		Datum		values[5] = {efforts[i]};
		bool		nulls[5] = {false};

		set_recall(&out, values + 1, nulls + 1);
		set_times(trial->index_ms, trial->queries.n, values + 3, nulls + 3);
		tuplestore_putvalues(report->rows, report->desc, values, nulls);
	}
}

/* Recall with rows of the table as queries. */
NV_FUNCTION(nanovec_index_recall_rows)
{
	Trial		trial = {0};

	begin_with_rows(&trial, PG_GETARG_OID(0), PG_GETARG_INT32(1), PG_GETARG_INT32(2),
					PG_GETARG_INT64(3));
	return recall_row(fcinfo, &trial);
}

/* Recall with queries of the user's. */
NV_FUNCTION(nanovec_index_recall_array)
{
	Trial		trial = {0};

	begin_with_array(&trial, PG_GETARG_OID(0), PG_GETARG_DATUM(1), PG_GETARG_INT32(2));
	return recall_row(fcinfo, &trial);
}

/* A sweep with rows of the table as queries. */
NV_FUNCTION(nanovec_recall_sweep_rows)
{
	NvReport	report = nv_report_begin(fcinfo);
	Trial		trial = {0};

	begin_with_rows(&trial, PG_GETARG_OID(0), PG_GETARG_INT32(2), PG_GETARG_INT32(3),
					PG_GETARG_INT64(4));
	sweep_rows(&trial, &report, PG_GETARG_ARRAYTYPE_P(1));
	end_trial(&trial);
	return (Datum) 0;
}

/* A sweep with queries of the user's. */
NV_FUNCTION(nanovec_recall_sweep_array)
{
	NvReport	report = nv_report_begin(fcinfo);
	Trial		trial = {0};

	begin_with_array(&trial, PG_GETARG_OID(0), PG_GETARG_DATUM(2), PG_GETARG_INT32(3));
	sweep_rows(&trial, &report, PG_GETARG_ARRAYTYPE_P(1));
	end_trial(&trial);
	return (Datum) 0;
}
