/*-------------------------------------------------------------------------
 *
 * am_stats.c
 *		What searches did: the last one of this session, and those of each index.
 *
 * Counts by index are in shared memory, in a table of fixed size: whoever needs a place in
 * it takes that of the index that was not searched for the longest time.  They are lost when
 * the server restarts.  Without shared_preload_libraries there are none.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_stats.h"

#include "access/htup_details.h"
#include "am/am_inspect.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nv_workers.h"
#include "port/pg_bitutils.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* An index has one of so many places, from its hash on. */
#define PLACES 1024
#define CHOICES 16

/* Searches are counted by how many vectors they visited, a bucket for each power of two. */
#define BUCKETS 32

typedef struct IndexStats
{
	Oid			database;		/* InvalidOid: none has the place */
	Oid			index;
	slock_t		mutex;			/* of what follows */
	TimestampTz since;
	TimestampTz last;
	int64		searches;
	int64		visited;
	int64		estimated;
	int64		returned;
	int64		rounds;
	double		time;			/* ms */
	int64		buckets[BUCKETS];
} IndexStats;

typedef struct SharedStats
{
	LWLock		lock;			/* of who has which place */
	IndexStats	places[PLACES];
} SharedStats;

static SharedStats *shared;

/* Of this session; its index is InvalidOid before the first. */
static NvSearchCounts last;

static shmem_request_hook_type next_request_hook;
static shmem_startup_hook_type next_startup_hook;

/* ---- shared memory ---- */

/* Ask for room. */
static void
at_request(void)
{
	if (next_request_hook != NULL)
		next_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedStats)));
}

/* Make the table, or find the one that is there. */
static void
at_startup(void)
{
	bool		found;

	if (next_startup_hook != NULL)
		next_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("nanovec index statistics", sizeof(SharedStats), &found);
	LWLockRelease(AddinShmemInitLock);
	if (found)
		return;
	memset(shared, 0, sizeof(*shared));
	LWLockInitialize(&shared->lock, nv_lock_tranche());
	for (int i = 0; i < PLACES; i++)
		SpinLockInit(&shared->places[i].mutex);
}

/* Prepare counts by index. */
void
nv_stats_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_request_hook = shmem_request_hook;
	shmem_request_hook = at_request;
	next_startup_hook = shmem_startup_hook;
	shmem_startup_hook = at_startup;
}

/* ---- places; the lock is held ---- */

/* The first of the places that an index may have. */
static uint32
first_place(Oid index)
{
	return hash_combine(murmurhash32(MyDatabaseId), murmurhash32(index)) % PLACES;
}

/* The place of an index of this database, or NULL. */
static IndexStats *
find_place(Oid index)
{
	uint32		first = first_place(index);

	for (uint32 i = 0; i < CHOICES; i++)
	{
		IndexStats *place = &shared->places[(first + i) % PLACES];

		if (place->index == index && place->database == MyDatabaseId)
			return place;
	}
	return NULL;
}

/* Begin to count anew. */
static void
clear(IndexStats *place)
{
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&place->mutex);
	place->since = now;
	place->last = 0;
	place->searches = place->visited = place->estimated = place->returned = place->rounds = 0;
	place->time = 0;
	memset(place->buckets, 0, sizeof(place->buckets));
	SpinLockRelease(&place->mutex);
}

/* Give an index a place, for which the lock is held exclusively. */
static IndexStats *
take_place(Oid index)
{
	uint32		first = first_place(index);
	IndexStats *taken = &shared->places[first];

	for (uint32 i = 0; i < CHOICES; i++)
	{
		IndexStats *place = &shared->places[(first + i) % PLACES];

		if (!OidIsValid(place->database))
		{
			taken = place;
			break;
		}
		if (place->last < taken->last)
			taken = place;
	}
	taken->database = MyDatabaseId;
	taken->index = index;
	clear(taken);
	return taken;
}

/* ---- counting ---- */

/* Add a search to the counts of its index. */
static void
add_counts(IndexStats *place, const NvSearchCounts *c)
{
	int			bucket = c->visited <= 1 ? 0 :
		Min(pg_leftmost_one_pos64((uint64) c->visited - 1) + 1, BUCKETS - 1);
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&place->mutex);
	place->last = now;
	place->searches++;
	place->visited += c->visited;
	place->estimated += c->estimated;
	place->returned += c->returned;
	place->rounds += c->rounds;
	place->time += c->time;
	place->buckets[bucket]++;
	SpinLockRelease(&place->mutex);
}

/* Count a search. */
void
nv_stats_count(const NvSearchCounts *counts)
{
	IndexStats *place;

	last = *counts;
	if (shared == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_SHARED);
	place = find_place(counts->index);
	if (place == NULL)
	{
		LWLockRelease(&shared->lock);
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		place = find_place(counts->index);
		if (place == NULL)
			place = take_place(counts->index);
	}
	add_counts(place, counts);
	LWLockRelease(&shared->lock);
}

/* ---- SQL functions ---- */

/* Why a search ended, in words. */
static const char *
end_name(NvSearchEnd end)
{
	switch (end)
	{
		case NV_END_ENOUGH:
			return "enough rows";
		case NV_END_ALL:
			return "all rows";
		case NV_END_RADIUS:
			return "radius";
		case NV_END_EFFORT:
			return "iterative scan is off";
		case NV_END_MOST:
			return "limit of the setting";
		case NV_END_MEMORY:
			return "memory";
	}
	return NULL;
}

/* Tell of the last search; NULL where there was none. */
NV_FUNCTION(nanovec_last_scan)
{
	TupleDesc	desc;
	Datum		values[11];
	bool		nulls[11] = {false};
	int			n = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!OidIsValid(last.index))
		PG_RETURN_NULL();
	values[n++] = ObjectIdGetDatum(last.index);
	values[n++] = CStringGetTextDatum(last.strategy);
	values[n++] = Int64GetDatum(last.visited);
	values[n++] = Int64GetDatum(last.estimated);
	values[n++] = Int64GetDatum(last.returned);
	values[n++] = Int64GetDatum(last.rounds);
	nulls[n] = nulls[n + 1] = !last.filtered;
	values[n++] = Int64GetDatum(last.passed);
	values[n++] = Int64GetDatum(last.refused);
	values[n++] = CStringGetTextDatum(end_name(last.end));
	values[n++] = Float8GetDatum(last.time);
	Assert(n == desc->natts);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* So many vectors at most a part of all searches visited: the end of the bucket where it ends. */
static int64
quantile(const IndexStats *s, double part)
{
	double		rest = part * s->searches;

	for (int i = 0; i < BUCKETS; i++)
	{
		rest -= s->buckets[i];
		if (rest <= 0)
			return INT64CONST(1) << i;
	}
	return INT64CONST(1) << (BUCKETS - 1);
}

/* Put the counts of an index into a result. */
static void
put_stats(const NvReport *report, const IndexStats *s)
{
	Datum		values[11];
	bool		nulls[11] = {false};
	int			n = 0;

	values[n++] = ObjectIdGetDatum(s->index);
	values[n++] = Int64GetDatum(s->searches);
	values[n++] = Int64GetDatum(s->returned);
	values[n++] = Int64GetDatum(s->visited);
	values[n++] = Int64GetDatum(s->estimated);
	values[n++] = Int64GetDatum(s->rounds);
	nulls[n] = nulls[n + 1] = s->searches == 0;
	values[n++] = Int64GetDatum(quantile(s, 0.5));
	values[n++] = Int64GetDatum(quantile(s, 0.95));
	values[n++] = Float8GetDatum(s->time);
	nulls[n] = s->searches == 0;
	values[n++] = TimestampTzGetDatum(s->last);
	values[n++] = TimestampTzGetDatum(s->since);
	Assert(n == report->desc->natts);
	tuplestore_putvalues(report->rows, report->desc, values, nulls);
}

/* ERROR where nothing is counted. */
static void
check_counting(void)
{
	if (shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("searches are not counted by index"),
				 errhint("Add nanovec to shared_preload_libraries and restart the server.")));
}

/* Tell of the searches of all indexes of this database that are still there. */
NV_FUNCTION(nanovec_index_stats)
{
	NvReport	report = nv_report_begin(fcinfo);

	check_counting();
	for (int i = 0; i < PLACES; i++)
	{
		IndexStats *place = &shared->places[i];
		IndexStats	copy;

		LWLockAcquire(&shared->lock, LW_SHARED);
		SpinLockAcquire(&place->mutex);
		copy = *place;
		SpinLockRelease(&place->mutex);
		LWLockRelease(&shared->lock);
		if (copy.database == MyDatabaseId && get_rel_name(copy.index) != NULL)
			put_stats(&report, &copy);
	}
	return (Datum) 0;
}

/* Forget the counts of an index, for its owner, or of all of this database, for superusers. */
NV_FUNCTION(nanovec_index_stats_reset)
{
	Oid			index = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);

	check_counting();
	if (OidIsValid(index) && get_rel_name(index) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", index)));
	if (OidIsValid(index) ? !NV_IS_OWNER(index) : !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to reset statistics of %s",
						OidIsValid(index) ? get_rel_name(index) : "all indexes"),
				 errhint("An index's owner may reset those of the index, a superuser all.")));
	LWLockAcquire(&shared->lock, LW_SHARED);
	for (int i = 0; i < PLACES; i++)
	{
		IndexStats *place = &shared->places[i];

		if (place->database == MyDatabaseId && (!OidIsValid(index) || place->index == index))
			clear(place);
	}
	LWLockRelease(&shared->lock);
	PG_RETURN_VOID();
}
