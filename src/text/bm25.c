/*-------------------------------------------------------------------------
 *
 * bm25.c
 *		nanovec_bm25(), and nanovec_bm25_stats(), which makes its statistics.
 *
 * A word of the query that stands tf times in a document of length l adds
 *
 *		ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * l / L))
 *
 * where N is the number of documents, L their mean length, and df the number of
 * those that have the word (Robertson and Zaragoza, "The Probabilistic Relevance
 * Framework: BM25 and Beyond", 2009, with the idf of Lucene, which is never
 * negative; "Lucene (accurate)" in Kamphuis et al., "Which BM25 Do You Mean?",
 * ECIR 2020).
 *
 *-------------------------------------------------------------------------
 */
#include "text/bm25_stats.h"

#include <math.h>

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tsearch/ts_utils.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* ---- statistics ---- */

/* A string of bytes; in a table of lexemes, one of its own. */
typedef struct Lexeme
{
	const char *bytes;
	int			len;
} Lexeme;

/* A lexeme that was seen, and in how many documents. */
typedef struct SeenLexeme
{
	Lexeme		lexeme;			/* key */
	uint32		documents;
	uint32		hash;
	char		status;			/* of simplehash */
} SeenLexeme;

#define SH_PREFIX seen
#define SH_ELEMENT_TYPE SeenLexeme
#define SH_KEY_TYPE Lexeme
#define SH_KEY lexeme
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key).bytes, (key).len)
#define SH_EQUAL(table, a, b) ((a).len == (b).len && memcmp((a).bytes, (b).bytes, (a).len) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, a) (a)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The state of the aggregate nanovec_bm25_stats(). */
typedef struct Collection
{
	MemoryContext context;		/* of all that is here */
	seen_hash  *seen;
	uint32		documents;
	uint64		length;
} Collection;

static Collection *
new_collection(MemoryContext aggregate)
{
	MemoryContext context = AllocSetContextCreate(aggregate, "nanovec BM25 statistics",
												  ALLOCSET_DEFAULT_SIZES);
	Collection *c = MemoryContextAllocZero(context, sizeof(Collection));

	c->context = context;
	c->seen = seen_create(context, 1024, NULL);
	return c;
}

/* Count a document. */
static void
add_document(Collection *c, TSVector document)
{
	if (c->documents == PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("statistics cannot be of more than %u documents", PG_UINT32_MAX)));
	c->documents++;
	for (int i = 0; i < document->size; i++)
	{
		const WordEntry *entry = ARRPTR(document) + i;
		Lexeme		lexeme = {.bytes = STRPTR(document) + entry->pos, .len = entry->len};
		bool		found;
		SeenLexeme *seen = seen_insert(c->seen, lexeme, &found);

		if (!found)
		{
			char	   *copy = MemoryContextAlloc(c->context, Max(lexeme.len, 1));

			memcpy(copy, lexeme.bytes, lexeme.len);
			seen->lexeme.bytes = copy;
			seen->documents = 0;
		}
		seen->documents++;
		c->length += nv_entry_count(document, i);
	}
}

/* Transition function of nanovec_bm25_stats(tsvector): a NULL is no document. */
NV_FUNCTION(nanovec_bm25_accum)
{
	MemoryContext aggregate;
	Collection *c;

	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "nanovec_bm25_accum called in non-aggregate context");
	c = PG_ARGISNULL(0) ? new_collection(aggregate) : (Collection *) PG_GETARG_POINTER(0);
	if (!PG_ARGISNULL(1))
	{
		TSVector	document = PG_GETARG_TSVECTOR(1);

		add_document(c, document);
		PG_FREE_IF_COPY(document, 1);
	}
	PG_RETURN_POINTER(c);
}

/* Final function of nanovec_bm25_stats(tsvector); without rows, statistics of no document. */
NV_FUNCTION(nanovec_bm25_final)
{
	const Collection none = {0};
	const Collection *c = PG_ARGISNULL(0) ? &none : (Collection *) PG_GETARG_POINTER(0);
	uint32		n = 0;
	NvBm25Term *terms;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "nanovec_bm25_final called in non-aggregate context");
	terms = palloc_extended(sizeof(NvBm25Term) * (c->seen == NULL ? 1 : c->seen->members + 1),
							MCXT_ALLOC_HUGE);
	if (c->seen != NULL)
	{
		seen_iterator it;
		SeenLexeme *seen;

		seen_start_iterate(c->seen, &it);
		while ((seen = seen_iterate(c->seen, &it)) != NULL)
		{
			if (seen->documents > 1)
				terms[n++] = (NvBm25Term) {seen->lexeme.bytes, seen->lexeme.len, seen->documents};
		}
	}
	PG_RETURN_POINTER(nv_bm25_make(c->documents, c->length, terms, n, NULL));
}

/* A query that calls the aggregate, which is in a schema, for a column of a table. */
static char *
stats_query(Oid table, const char *column, const char *schema)
{
	char	   *name = get_rel_name(table);
	AttrNumber	number;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	number = get_attnum(table, column);
	if (number != InvalidAttrNumber && getBaseType(get_atttype(table, number)) != TSVECTOROID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of \"%s\" is not of type tsvector", column, name),
				 errhint("Keep to_tsvector() of the text in a generated column, or call "
						 "nanovec_bm25_stats(to_tsvector(...)) as an aggregate.")));
	return psprintf("SELECT %s.nanovec_bm25_stats(%s::pg_catalog.tsvector) FROM %s",
					quote_identifier(schema), quote_identifier(column),
					quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), name));
}

/* nanovec_bm25_stats(regclass, name): with the rights of who calls it, and the rows they see. */
NV_FUNCTION(nanovec_bm25_stats_table)
{
	char	   *schema = get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid));
	char	   *query = stats_query(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)), schema);
	bool		null;
	Datum		stats;

	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "query for BM25 statistics failed");
	stats = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	Assert(!null);
	stats = SPI_datumTransfer(stats, false, -1);
	SPI_finish();
	PG_RETURN_DATUM(stats);
}

/* ---- scores ---- */

/* A word of a query. */
typedef struct QueryWord
{
	const char *lexeme;			/* in the query */
	int			len;
	bool		prefix;
	uint8		weights;		/* of positions that count; 0: all */
	double		idf;			/* unless it is a prefix */
} QueryWord;

/* What a query needs of statistics. */
typedef struct Scorer
{
	/* by which the next call with the same arguments knows them; of a toasted value only */
	struct varatt_external pointer;
	LocalTransactionId lxid;	/* the pointer may mean another value later */
	MemoryContext context;		/* of all that is here */

	TSQuery		query;
	NvBm25Stats stats;
	double		mean_length;
	int			nwords;
	QueryWord  *words;
} Scorer;

static double
idf_of(const NvBm25Stats *stats, const char *lexeme, int len)
{
	double		df = nv_bm25_frequency(stats, lexeme, len);
	double		n = Max((double) stats->documents, df);

	return log1p((n - df + 0.5) / (df + 0.5));
}

/* Add the words of a part of a query that a document may have. */
static void
collect_words(Scorer *scorer, const QueryItem *item)
{
	check_stack_depth();
	if (item->type == QI_VAL)
	{
		const QueryOperand *operand = &item->qoperand;

		scorer->words[scorer->nwords++] = (QueryWord) {
			.lexeme = GETOPERAND(scorer->query) + operand->distance,
			.len = operand->length,
			.prefix = operand->prefix,
			.weights = operand->weight
		};
		return;
	}
	/* what is not to be there adds nothing */
	if (item->qoperator.oper == OP_NOT)
		return;
	collect_words(scorer, item + item->qoperator.left);
	collect_words(scorer, item + 1);
}

/* Fill a scorer, in the current memory context. */
static void
prepare_scorer(Scorer *scorer, TSQuery query, Datum stats)
{
	bool		prefix = false;

	scorer->query = query;
	scorer->nwords = 0;
	scorer->words = palloc(sizeof(QueryWord) * Max(query->size, 1));
	if (query->size > 0)
		collect_words(scorer, GETQUERY(query));
	for (int i = 0; i < scorer->nwords; i++)
		prefix |= scorer->words[i].prefix;
	/* which words begin with a prefix, each document says anew */
	nv_bm25_open(&scorer->stats, stats, prefix);
	scorer->mean_length = scorer->stats.documents == 0 ? 0 :
		(double) scorer->stats.length / scorer->stats.documents;
	for (int i = 0; i < scorer->nwords; i++)
	{
		QueryWord  *word = scorer->words + i;

		CHECK_FOR_INTERRUPTS();
		if (!word->prefix)
			word->idf = idf_of(&scorer->stats, word->lexeme, word->len);
	}
}

/*
 * The scorer of a query and of statistics that are stored out of line: that of
 * the call before, if both are the same.
 */
static Scorer *
cached_scorer(FmgrInfo *flinfo, TSQuery query, Datum stats)
{
	Scorer	   *scorer = flinfo->fn_extra;
	struct varatt_external pointer;
	MemoryContext context,
				old;

	VARATT_EXTERNAL_GET_POINTER(pointer, (struct varlena *) DatumGetPointer(stats));
	if (scorer != NULL && scorer->lxid == NV_CURRENT_LXID &&
		memcmp(&scorer->pointer, &pointer, sizeof(pointer)) == 0 &&
		VARSIZE(scorer->query) == VARSIZE(query) &&
		memcmp(scorer->query, query, VARSIZE(query)) == 0)
		return scorer;

	/* an error below leaves no scorer that is half filled */
	flinfo->fn_extra = NULL;
	if (scorer != NULL)
		MemoryContextDelete(scorer->context);
	context = AllocSetContextCreate(flinfo->fn_mcxt, "nanovec BM25 query", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	scorer = palloc(sizeof(Scorer));
	scorer->context = context;
	scorer->pointer = pointer;
	scorer->lxid = NV_CURRENT_LXID;
	prepare_scorer(scorer, (TSQuery) PG_DETOAST_DATUM_COPY(TSQueryGetDatum(query)), stats);
	MemoryContextSwitchTo(old);
	flinfo->fn_extra = scorer;
	return scorer;
}

/* How often a document has its i-th lexeme at positions that count. */
static int
count_of(TSVector document, int i, uint8 weights)
{
	const WordEntry *entry = ARRPTR(document) + i;
	int			count = 0;

	/* without positions, the weight is the least, as it is for ts_rank() */
	if (weights == 0 || !entry->haspos)
		return weights == 0 || (weights & 1) ? nv_entry_count(document, i) : 0;
	for (int p = 0; p < POSDATALEN(document, entry); p++)
		count += weights >> WEP_GETWEIGHT(POSDATAPTR(document, entry)[p]) & 1;
	return count;
}

/* The first lexeme of a document that is not before a word. */
static int
find_lexeme(TSVector document, const QueryWord *word)
{
	int			low = 0,
				high = document->size;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		WordEntry  *entry = ARRPTR(document) + middle;

		if (tsCompareString(unconstify(char *, word->lexeme), word->len,
							STRPTR(document) + entry->pos, entry->len, false) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The score of a document; norm is what tf is weighed against. */
static double
score_of(const Scorer *scorer, TSVector document, double norm)
{
	double		score = 0;

	for (int w = 0; w < scorer->nwords; w++)
	{
		const QueryWord *word = scorer->words + w;

		for (int i = find_lexeme(document, word); i < document->size; i++)
		{
			const WordEntry *entry = ARRPTR(document) + i;
			const char *lexeme = STRPTR(document) + entry->pos;
			int			tf;

			if (tsCompareString(unconstify(char *, word->lexeme), word->len,
								unconstify(char *, lexeme), entry->len, word->prefix) != 0)
				break;
			tf = count_of(document, i, word->weights);
			if (tf > 0)
				score += (word->prefix ? idf_of(&scorer->stats, lexeme, entry->len) : word->idf) *
					(tf / (tf + norm));
			if (!word->prefix)
				break;
		}
	}
	return score;
}

NV_FUNCTION(nanovec_bm25)
{
	TSVector	document = PG_GETARG_TSVECTOR(0);
	TSQuery		query = (TSQuery) PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	Datum		stats = PG_GETARG_DATUM(2);
	double		k1 = PG_GETARG_FLOAT8(3);
	double		b = PG_GETARG_FLOAT8(4);
	Scorer		here;
	Scorer	   *scorer = &here;
	double		length = 0,
				relative,
				score;

	if (!(k1 >= 0) || isinf(k1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k1 must be at least 0 and finite")));
	if (!(b >= 0 && b <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("b must be between 0 and 1")));
	if (VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(stats)) && fcinfo->flinfo != NULL)
		scorer = cached_scorer(fcinfo->flinfo, query, stats);
	else
		prepare_scorer(scorer, query, stats);
	for (int i = 0; i < document->size; i++)
		length += nv_entry_count(document, i);
	/* statistics that were made when there was no word yet say nothing of lengths */
	relative = scorer->mean_length > 0 ? length / scorer->mean_length : 1;
	score = score_of(scorer, document, k1 * (1 - b + b * relative));
	PG_FREE_IF_COPY(document, 0);
	PG_RETURN_FLOAT8(score);
}
