/*-------------------------------------------------------------------------
 *
 * bm25_stats.c
 *		The type bm25stats: how it is stored, its text and binary forms.
 *
 * As stored: StatsHead; uint32 starts[buckets + 1], where the entries of each
 * bucket begin in the body, and where the last ends; the entries.  An entry is
 * EntryHead and a lexeme, in the bucket that hash_bytes() gives; those of a
 * bucket are in the order of their bytes.  Nothing is aligned.  So a look-up
 * reads two numbers and then the entries between them, of a value that can have
 * many megabytes.
 *
 * Text form: the number of documents, their length all together, and lexemes
 * with the number of documents that each is in: 3 120 'cat':2 'dog':3.  Quotes
 * in lexemes are doubled.
 *
 * Binary form, in network byte order: int64 documents, int64 length, int32
 * number of lexemes; of each, ascending, int64 documents (2 or more), int32
 * bytes, the lexeme.
 *
 *-------------------------------------------------------------------------
 */
#include "text/bm25_stats.h"

#include "access/detoast.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"

typedef struct StatsHead
{
	uint64		length;
	uint32		documents;
	uint32		buckets;
} StatsHead;

typedef struct EntryHead
{
	uint32		documents;
	uint32		len;
} EntryHead;

/* ---- making a value ---- */

/* The order of lexemes within a bucket, and in the outer forms: that of their bytes. */
static int
compare_terms(const void *a, const void *b)
{
	const NvBm25Term *x = a;
	const NvBm25Term *y = b;
	int			order = memcmp(x->lexeme, y->lexeme, Min(x->len, y->len));

	return order != 0 ? order : x->len - y->len;
}

static uint32
bucket_of(const char *lexeme, int len, uint32 buckets)
{
	return hash_bytes((const unsigned char *) lexeme, len) % buckets;
}

/* Put terms in the order of their buckets, and of their bytes within one; set where each begins. */
static NvBm25Term *
order_terms(const NvBm25Term *terms, uint32 n, uint32 buckets, uint32 *first)
{
	NvBm25Term *ordered = palloc_extended(sizeof(NvBm25Term) * Max(n, 1), MCXT_ALLOC_HUGE);

	memset(first, 0, sizeof(uint32) * ((Size) buckets + 1));
	for (uint32 i = 0; i < n; i++)
		first[bucket_of(terms[i].lexeme, terms[i].len, buckets)]++;
	/* from counts to where each ends, and by filling from behind, to where it begins */
	for (uint32 b = 1; b <= buckets; b++)
		first[b] += first[b - 1];
	for (uint32 i = n; i-- > 0;)
		ordered[--first[bucket_of(terms[i].lexeme, terms[i].len, buckets)]] = terms[i];
	for (uint32 b = 0; b < buckets; b++)
	{
		CHECK_FOR_INTERRUPTS();
		qsort(ordered + first[b], first[b + 1] - first[b], sizeof(NvBm25Term), compare_terms);
	}
	return ordered;
}

struct varlena *
nv_bm25_make(uint32 documents, uint64 length, const NvBm25Term *terms, uint32 n,
			 struct Node *escontext)
{
	StatsHead	head = {.length = length, .documents = documents, .buckets = Max(n, 1)};
	Size		table = sizeof(head) + sizeof(uint32) * ((Size) head.buckets + 1);
	Size		bytes = table;
	uint32	   *first;
	NvBm25Term *ordered;
	struct varlena *value;
	char	   *body;

	for (uint32 i = 0; i < n; i++)
		bytes += sizeof(EntryHead) + terms[i].len;
	if (bytes > MaxAllocSize - VARHDRSZ)
		ereturn(escontext, NULL,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a bm25stats value has no room for %u lexemes", n),
				 errhint("Make the statistics of a sample of the documents.")));
	first = palloc_extended(sizeof(uint32) * ((Size) head.buckets + 1), MCXT_ALLOC_HUGE);
	ordered = order_terms(terms, n, head.buckets, first);
	value = palloc(VARHDRSZ + bytes);
	SET_VARSIZE(value, VARHDRSZ + bytes);
	body = VARDATA(value);
	memcpy(body, &head, sizeof(head));
	bytes = table;
	for (uint32 b = 0; b <= head.buckets; b++)
	{
		uint32		start = (uint32) bytes;

		memcpy(body + sizeof(head) + sizeof(uint32) * b, &start, sizeof(start));
		for (uint32 i = first[b]; b < head.buckets && i < first[b + 1]; i++)
		{
			EntryHead	entry = {.documents = ordered[i].documents, .len = ordered[i].len};

			if (i > first[b] && compare_terms(ordered + i - 1, ordered + i) == 0)
				ereturn(escontext, NULL,
						(errcode(ERRCODE_DATA_EXCEPTION),
						 errmsg("bm25stats has the same lexeme twice")));
			memcpy(body + bytes, &entry, sizeof(entry));
			memcpy(body + bytes + sizeof(entry), ordered[i].lexeme, entry.len);
			bytes += sizeof(entry) + entry.len;
		}
	}
	Assert(bytes == VARSIZE(value) - VARHDRSZ);
	pfree(ordered);
	pfree(first);
	return value;
}

/* ---- look-ups ---- */

static void
value_is_damaged(const NvBm25Stats *stats)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("invalid bm25stats value of %zu bytes", stats->bytes)));
}

/* Some bytes of the body, wherever it is. */
static const char *
get_bytes(const NvBm25Stats *stats, Size from, Size n)
{
	struct varlena *slice;

	if (from > stats->bytes || n > stats->bytes - from)
		value_is_damaged(stats);
	if (stats->body != NULL)
		return stats->body + from;
	if (n == 0)
		return "";
	slice = detoast_attr_slice(stats->value, (int32) from, (int32) n);
	if (VARSIZE_ANY_EXHDR(slice) != n)
		value_is_damaged(stats);
	return VARDATA_ANY(slice);
}

void
nv_bm25_open(NvBm25Stats *stats, Datum value, bool whole)
{
	struct varlena *given = (struct varlena *) DatumGetPointer(value);
	StatsHead	head;

	stats->value = given;
	if (VARATT_IS_EXTERNAL_ONDISK(given) && !whole)
	{
		stats->body = NULL;
		stats->bytes = toast_raw_datum_size(value) - VARHDRSZ;
	}
	else
	{
		struct varlena *packed = pg_detoast_datum_packed(given);

		stats->body = VARDATA_ANY(packed);
		stats->bytes = VARSIZE_ANY_EXHDR(packed);
	}
	memcpy(&head, get_bytes(stats, 0, sizeof(head)), sizeof(head));
	stats->documents = head.documents;
	stats->length = head.length;
	stats->buckets = head.buckets;
	if (head.buckets < 1 ||
		head.buckets >= (stats->bytes - sizeof(head)) / sizeof(uint32))
		value_is_damaged(stats);
}

/* The entries of buckets [from, to): *bytes of them. */
static const char *
get_entries(const NvBm25Stats *stats, uint32 from, uint32 to, Size *bytes)
{
	Size		table = sizeof(StatsHead) + sizeof(uint32) * ((Size) stats->buckets + 1);
	uint32		start,
				end;

	Assert(from < to && to <= stats->buckets);
	if (to == from + 1)
	{
		const char *starts = get_bytes(stats, sizeof(StatsHead) + sizeof(uint32) * (Size) from,
									   2 * sizeof(uint32));

		memcpy(&start, starts, sizeof(start));
		memcpy(&end, starts + sizeof(start), sizeof(end));
	}
	else
	{
		start = (uint32) table;
		end = (uint32) stats->bytes;
	}
	if (start < table || start > end)
		value_is_damaged(stats);
	*bytes = end - start;
	return get_bytes(stats, start, *bytes);
}

/* The entry at *entries, of which *bytes are left; moves them to the next. */
static NvBm25Term
next_entry(const NvBm25Stats *stats, const char **entries, Size *bytes)
{
	EntryHead	head;
	NvBm25Term	term;

	if (*bytes < sizeof(head))
		value_is_damaged(stats);
	memcpy(&head, *entries, sizeof(head));
	if (head.len < 1 || head.len > MAXSTRLEN || head.len > *bytes - sizeof(head) ||
		head.documents < 1 || head.documents > stats->documents)
		value_is_damaged(stats);
	term.lexeme = *entries + sizeof(head);
	term.len = (int) head.len;
	term.documents = head.documents;
	*entries += sizeof(head) + head.len;
	*bytes -= sizeof(head) + head.len;
	return term;
}

uint32
nv_bm25_frequency(const NvBm25Stats *stats, const char *lexeme, int len)
{
	uint32		bucket = bucket_of(lexeme, len, stats->buckets);
	Size		bytes;
	const char *entries = get_entries(stats, bucket, bucket + 1, &bytes);

	while (bytes > 0)
	{
		NvBm25Term	term = next_entry(stats, &entries, &bytes);

		if (term.len == len && memcmp(term.lexeme, lexeme, len) == 0)
			return term.documents;
	}
	return 1;
}

/* All terms in the order of their bytes, palloc'd; *n of them, which point into the value. */
static NvBm25Term *
sorted_terms(const NvBm25Stats *stats, uint32 *n)
{
	Size		bytes,
				left;
	const char *all = get_entries(stats, 0, stats->buckets, &bytes);
	const char *entries = all;
	NvBm25Term *terms;

	*n = 0;
	for (left = bytes; left > 0; (*n)++)
		next_entry(stats, &entries, &left);
	terms = palloc_extended(sizeof(NvBm25Term) * Max(*n, 1), MCXT_ALLOC_HUGE);
	entries = all;
	left = bytes;
	for (uint32 i = 0; i < *n; i++)
		terms[i] = next_entry(stats, &entries, &left);
	qsort(terms, *n, sizeof(NvBm25Term), compare_terms);
	return terms;
}

/* ---- text form ---- */

/* Terms as they come in, from either form. */
typedef struct TermList
{
	NvBm25Term *terms;
	uint32		n;
	uint32		room;
} TermList;

static void
add_term(TermList *list, NvBm25Term term)
{
	if (list->n == list->room)
	{
		Size		bytes;

		list->room = Max(2 * list->room, 64);
		bytes = sizeof(NvBm25Term) * list->room;
		list->terms = list->terms == NULL ? palloc_extended(bytes, MCXT_ALLOC_HUGE) :
			repalloc_huge(list->terms, bytes);
	}
	list->terms[list->n++] = term;
}

/* Whether the documents of a collection, and their length, can be; an error if not. */
static bool
check_totals(int64 documents, int64 length, struct Node *escontext)
{
	if (documents < 0 || documents > PG_UINT32_MAX)
		ereturn(escontext, false,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of documents in bm25stats must be between 0 and %u",
						PG_UINT32_MAX)));
	if (length < 0 || (documents == 0 && length > 0))
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("length in bm25stats must be at least 0, and 0 without documents")));
	return true;
}

/* Whether a lexeme can be in so many of the documents and has a length that it may have. */
static bool
check_term(int64 len, int64 in, int64 documents, struct Node *escontext)
{
	if (len < 1 || len > MAXSTRLEN)
		ereturn(escontext, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a lexeme in bm25stats must have between 1 and %d bytes", MAXSTRLEN)));
	if (in < 1 || in > documents)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a lexeme in bm25stats must be in between 1 and all of the documents")));
	return true;
}

static void
skip_spaces(const char **text)
{
	while (**text == ' ' || (**text >= '\t' && **text <= '\r'))
		(*text)++;
}

/* A number of decimal digits at *text, which moves behind it.  False: none, or too large. */
static bool
read_number(const char **text, int64 *number)
{
	const char *digits = *text;

	*number = 0;
	for (; **text >= '0' && **text <= '9'; (*text)++)
	{
		if (*number > (PG_INT64_MAX - 9) / 10)
			return false;
		*number = *number * 10 + (**text - '0');
	}
	return *text > digits;
}

/* A lexeme in quotes at *text, which moves behind it; its bytes go to *to. */
static bool
read_lexeme(const char **text, char **to, int64 *len)
{
	char	   *start = *to;

	if (*(*text)++ != '\'')
		return false;
	for (;; (*text)++)
	{
		if (**text == '\0')
			return false;
		if (**text == '\'' && *++(*text) != '\'')
			break;
		*(*to)++ = **text;
	}
	*len = *to - start;
	return true;
}

NV_FUNCTION(bm25stats_in)
{
	const char *input = PG_GETARG_CSTRING(0);
	struct Node *escontext = fcinfo->context;
	/* lexemes become shorter when they are read */
	char	   *bytes = palloc_extended(strlen(input) + 1, MCXT_ALLOC_HUGE);
	const char *text = input;
	int64		documents,
				length;
	TermList	list = {0};
	struct varlena *value;

	skip_spaces(&text);
	if (!read_number(&text, &documents) || *text != ' ')
		goto syntax;
	skip_spaces(&text);
	if (!read_number(&text, &length))
		goto syntax;
	if (!check_totals(documents, length, escontext))
		PG_RETURN_NULL();
	for (skip_spaces(&text); *text != '\0'; skip_spaces(&text))
	{
		NvBm25Term	term = {.lexeme = bytes};
		int64		len,
					in;

		CHECK_FOR_INTERRUPTS();
		if (!read_lexeme(&text, &bytes, &len) || *text++ != ':' || !read_number(&text, &in))
			goto syntax;
		if (!check_term(len, in, documents, escontext))
			PG_RETURN_NULL();
		term.len = (int) len;
		term.documents = (uint32) in;
		if (in > 1)
			add_term(&list, term);
	}
	value = nv_bm25_make((uint32) documents, (uint64) length, list.terms, list.n, escontext);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(value);

syntax:
	ereturn(escontext, (Datum) 0,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type bm25stats: byte %d of \"%.60s\"",
					(int) (text - input) + 1, input),
			 errhint("nanovec_bm25_stats() makes such values.")));
}

NV_FUNCTION(bm25stats_out)
{
	NvBm25Stats stats;
	StringInfoData out;
	NvBm25Term *terms;
	uint32		n;

	nv_bm25_open(&stats, PG_GETARG_DATUM(0), true);
	terms = sorted_terms(&stats, &n);
	initStringInfo(&out);
	appendStringInfo(&out, "%u %llu", stats.documents, (unsigned long long) stats.length);
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		appendStringInfoString(&out, " '");
		for (int c = 0; c < terms[i].len; c++)
		{
			if (terms[i].lexeme[c] == '\'')
				appendStringInfoChar(&out, '\'');
			appendStringInfoChar(&out, terms[i].lexeme[c]);
		}
		appendStringInfo(&out, "':%u", terms[i].documents);
	}
	PG_RETURN_CSTRING(out.data);
}

/* ---- binary form ---- */

NV_FUNCTION(bm25stats_recv)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int64		documents = pq_getmsgint64(message);
	int64		length = pq_getmsgint64(message);
	int32		n = (int32) pq_getmsgint(message, 4);
	TermList	list = {0};

	check_totals(documents, length, NULL);
	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("bm25stats cannot have a negative number of lexemes")));
	for (int32 i = 0; i < n; i++)
	{
		int64		in = pq_getmsgint64(message);
		int			raw = (int) pq_getmsgint(message, 4);
		int			len;
		NvBm25Term	term;

		CHECK_FOR_INTERRUPTS();
		term.lexeme = pq_getmsgtext(message, raw, &len);
		check_term(len, in, documents, NULL);
		term.len = len;
		term.documents = (uint32) in;
		if (in < 2 || (i > 0 && compare_terms(&list.terms[i - 1], &term) >= 0))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("lexemes of bm25stats must be in ascending order and in 2 documents or more")));
		add_term(&list, term);
	}
	PG_RETURN_BYTEA_P(nv_bm25_make((uint32) documents, (uint64) length, list.terms, list.n, NULL));
}

NV_FUNCTION(bm25stats_send)
{
	NvBm25Stats stats;
	StringInfoData out;
	NvBm25Term *terms;
	uint32		n;

	nv_bm25_open(&stats, PG_GETARG_DATUM(0), true);
	terms = sorted_terms(&stats, &n);
	pq_begintypsend(&out);
	pq_sendint64(&out, stats.documents);
	pq_sendint64(&out, stats.length);
	pq_sendint32(&out, n);
	for (uint32 i = 0; i < n; i++)
	{
		char	   *text = pg_server_to_client(terms[i].lexeme, terms[i].len);
		int			len = text == terms[i].lexeme ? terms[i].len : (int) strlen(text);

		CHECK_FOR_INTERRUPTS();
		pq_sendint64(&out, terms[i].documents);
		pq_sendint32(&out, len);
		pq_sendbytes(&out, text, len);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}
