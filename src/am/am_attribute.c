/*-------------------------------------------------------------------------
 *
 * am_attribute.c
 *		Attributes: the columns of an index beside its vectors, by which searches are
 *		filtered.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_attribute.h"

#include <math.h>

#include "access/genam.h"
#include "am/am_row.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

StaticAssertDecl(sizeof(NvAttributeSet) == 32, "NvAttributeSet is part of the format");
StaticAssertDecl(NV_MAX_ATTRIBUTES <= 8, "a byte has a bit for each attribute");

#define HEAD_BYTES 2

/* ---- columns ---- */

/* Ask an operator class how its values are summarized. */
static const NvAttributeType *
type_of(Relation rel, int column)
{
	const NvAttributeType *type;

	if (!OidIsValid(index_getprocid(rel, column, NV_ATTRIBUTE_PROC)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an index has one column of vectors, which comes first"),
				 errdetail("Column %d of index \"%s\" is another.", column,
						   RelationGetRelationName(rel))));
	type = (const NvAttributeType *)
		DatumGetPointer(FunctionCall1(index_getprocinfo(rel, column, NV_ATTRIBUTE_PROC),
									  PointerGetDatum(NULL)));
	if (type == NULL || (type->kind == NV_ATTRIBUTE_SET ? type->elements == NULL :
						 type->word == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class of column %d of index \"%s\" does not say how to summarize values",
						column, RelationGetRelationName(rel))));
	return type;
}

/* Find the attributes of an index. */
void
nv_attributes_of(Relation rel, NvAttributes *attributes)
{
	int			offset = HEAD_BYTES;

	memset(attributes, 0, sizeof(*attributes));
	attributes->n = IndexRelationGetNumberOfKeyAttributes(rel) - NV_VECTOR_COLUMN;
	if (attributes->n == 0)
		return;
	/* catalogs are looked into, so no page may be locked: see README */
	Assert(InterruptHoldoffCount == 0);
	if (attributes->n > NV_MAX_ATTRIBUTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an index cannot have more than %d columns beside its vectors",
						NV_MAX_ATTRIBUTES)));
	for (int i = 0; i < attributes->n; i++)
	{
		NvAttributeColumn *column = &attributes->columns[i];
		int			number = NV_VECTOR_COLUMN + 1 + i;

		column->type = type_of(rel, number);
		column->oid = getBaseType(TupleDescAttr(rel->rd_att, number - 1)->atttypid);
		column->collation = rel->rd_indcollation[number - 1];
		column->offset = (uint16) offset;
		offset += column->type->kind == NV_ATTRIBUTE_SET ? sizeof(NvAttributeSet) : sizeof(uint64);
	}
	attributes->image_bytes = (uint16) offset;
}

/* ---- images ---- */

/* Summarize the elements of a set. */
static NvAttributeSet
summarize_set(const NvAttributeColumn *column, Datum value)
{
	NvAttributeSet set = {0};
	NvElementHashes elements;

	column->type->elements(value, column->oid, column->collation, &elements);
	if (elements.n <= NV_SET_LIST)
	{
		set.n = (uint16) elements.n;
		memcpy(set.hashes, elements.hashes, sizeof(uint16) * elements.n);
		return set;
	}
	set.n = NV_SET_IS_BITS;
	for (int i = 0; i < elements.n; i++)
	{
		int			bit = elements.hashes[i] % NV_SET_BITS;

		set.hashes[bit / 16] |= (uint16) (1 << (bit % 16));
	}
	return set;
}

/* Make the image of a row. */
void
nv_attributes_summarize(const NvAttributes *attributes, const Datum *values, const bool *isnull,
						char *image)
{
	if (attributes->n == 0)
		return;
	memset(image, 0, attributes->image_bytes);
	for (int i = 0; i < attributes->n; i++)
	{
		const NvAttributeColumn *column = &attributes->columns[i];
		int			at = NV_VECTOR_COLUMN + i;

		if (isnull[at])
			image[0] |= (char) (1 << i);
		else if (column->type->kind == NV_ATTRIBUTE_SET)
		{
			NvAttributeSet set = summarize_set(column, values[at]);

			memcpy(image + column->offset, &set, sizeof(set));
		}
		else
		{
			uint64		word = column->type->word(values[at], column->oid, column->collation);

			memcpy(image + column->offset, &word, sizeof(word));
		}
	}
}

/* Check what later code relies on. */
bool
nv_attributes_valid(const NvAttributes *attributes, const char *image)
{
	if (attributes->n == 0)
		return true;
	if (!nv_attribute_head_valid(attributes, (uint8) image[0], (uint8) image[1]))
		return false;
	for (int i = 0; i < attributes->n; i++)
	{
		NvAttributeSet set;

		if (attributes->columns[i].type->kind != NV_ATTRIBUTE_SET)
			continue;
		set = nv_attribute_set(attributes, image, i);
		if (!nv_attribute_set_valid(&set))
			return false;
	}
	return true;
}

/* ---- words of values ---- */

/* The word of a signed number. */
static uint64
word_of_int(int64 value)
{
	return (uint64) value ^ (UINT64CONST(1) << 63);
}

/* The word of a float: as SQL orders them, zeros are equal and NaN is the greatest. */
static uint64
word_of_float(double value)
{
	int64		bits;

	if (isnan(value))
		return PG_UINT64_MAX;
	if (value == 0)
		value = 0;
	memcpy(&bits, &value, sizeof(bits));
	/* of negative numbers, the greater magnitude is the lesser number */
	return bits < 0 ? ~(uint64) bits : word_of_int(bits);
}

/* The word of a whole number, or of a boolean. */
static uint64
integer_word(Datum value, Oid type, Oid collation)
{
	switch (type)
	{
		case BOOLOID:
			return word_of_int(DatumGetBool(value));
		case INT2OID:
			return word_of_int(DatumGetInt16(value));
		case INT4OID:
			return word_of_int(DatumGetInt32(value));
		default:
			Assert(type == INT8OID);
			return word_of_int(DatumGetInt64(value));
	}
}

/* The word of a float4 or a float8. */
static uint64
float_word(Datum value, Oid type, Oid collation)
{
	Assert(type == FLOAT4OID || type == FLOAT8OID);
	return word_of_float(type == FLOAT4OID ? DatumGetFloat4(value) : DatumGetFloat8(value));
}

/* The word of a numeric: that of the nearest float8. */
static uint64
numeric_word(Datum value, Oid type, Oid collation)
{
	return word_of_float(DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value)));
}

/* The word of a time: microseconds; a date is the midnight at its beginning. */
static uint64
time_word(Datum value, Oid type, Oid collation)
{
	DateADT		date;

	if (type != DATEOID)
		return word_of_int(DatumGetTimestamp(value));
	date = DatumGetDateADT(value);
	if (DATE_IS_NOBEGIN(date))
		return word_of_int(PG_INT64_MIN);
	/* the last dates are beyond what a timestamp can be */
	if (DATE_IS_NOEND(date) || date > PG_INT64_MAX / USECS_PER_DAY)
		return word_of_int(PG_INT64_MAX);
	return word_of_int(date * USECS_PER_DAY);
}

/* The word of a UUID: its first 8 bytes. */
static uint64
uuid_word(Datum value, Oid type, Oid collation)
{
	const pg_uuid_t *uuid = DatumGetUUIDP(value);
	uint64		word = 0;

	for (int i = 0; i < (int) sizeof(word); i++)
		word = word << 8 | uuid->data[i];
	return word;
}

/* The hash function of a type; ERROR if it has none. */
static FmgrInfo *
hash_function(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC_FINFO);

	if (!OidIsValid(entry->hash_extended_proc_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify a hash function for type %s",
						format_type_be(type))));
	return &entry->hash_extended_proc_finfo;
}

/* The hash of a value, by the function of its type. */
static uint64
hash_value(FmgrInfo *function, Datum value, Oid collation)
{
	return DatumGetUInt64(FunctionCall2Coll(function, collation, value, Int64GetDatum(0)));
}

/* The word of a value of any type that can be hashed. */
static uint64
hashed_word(Datum value, Oid type, Oid collation)
{
	return hash_value(hash_function(type), value, collation);
}

/* The order of words, for qsort() and bsearch(). */
int
nv_compare_words(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

/* ---- elements of sets ---- */

/* The order of hashes, for qsort(). */
int
nv_compare_hashes(const void *a, const void *b)
{
	return (int) *(const uint16 *) a - (int) *(const uint16 *) b;
}

/* Put hashes in order, each once. */
static void
sort_hashes(NvElementHashes *e)
{
	int			n = 0;

	qsort(e->hashes, e->n, sizeof(uint16), nv_compare_hashes);
	for (int i = 0; i < e->n; i++)
	{
		if (n == 0 || e->hashes[i] != e->hashes[n - 1])
			e->hashes[n++] = e->hashes[i];
	}
	e->n = n;
}

/* The 16 bits that are kept of a hash. */
static uint16
short_hash(uint64 hash)
{
	return (uint16) (hash >> 32);
}

/* Take an array apart. */
int
nv_array_values(ArrayType *array, Datum **values, bool **nulls)
{
	Oid			element = ARR_ELEMTYPE(array);
	int16		length;
	bool		by_value;
	char		align;
	int			n;

	get_typlenbyvalalign(element, &length, &by_value, &align);
	deconstruct_array(array, element, length, by_value, align, values, nulls, &n);
	return n;
}

/* Hash the elements of an array that are not NULL. */
static void
array_elements(Datum value, Oid type, Oid collation, NvElementHashes *out)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	FmgrInfo   *function = hash_function(ARR_ELEMTYPE(array));
	Datum	   *values;
	bool	   *nulls;
	int			n = nv_array_values(array, &values, &nulls);

	out->hashes = palloc(sizeof(uint16) * Max(n, 1));
	out->n = 0;
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			out->hashes[out->n++] = short_hash(hash_value(function, values[i], collation));
	}
	sort_hashes(out);
}

/* The hash of a scalar of jsonb; equal ones have the same. */
static uint64
json_scalar_hash(const JsonbValue *v)
{
	switch (v->type)
	{
		case jbvString:
			return hash_bytes_extended((const unsigned char *) v->val.string.val,
									   v->val.string.len, jbvString);
		case jbvNumeric:
			return DatumGetUInt64(DirectFunctionCall2(hash_numeric_extended,
													  NumericGetDatum(v->val.numeric),
													  Int64GetDatum(jbvNumeric)));
		case jbvBool:
			return v->val.boolean ? 2 : 1;
		default:
			return 0;
	}
}

/*
 * Hash the scalars in a jsonb, each together with the keys that lead to it.  What one
 * jsonb contains, by @>, has no other hashes.  Positions in arrays do not count.
 */
static void
jsonb_elements(Datum value, Oid type, Oid collation, NvElementHashes *out)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	JsonbIterator *it = JsonbIteratorInit(&jsonb->root);
	int			room = 16;
	int			depth = 0;
	int			levels = 16;
	uint64	   *path = palloc0(sizeof(uint64) * levels);	/* by depth: hash of keys */
	JsonbIteratorToken token;
	JsonbValue	v;

	out->hashes = palloc(sizeof(uint16) * room);
	out->n = 0;
	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
		{
			if (++depth == levels)
				path = repalloc(path, sizeof(uint64) * (levels *= 2));
			path[depth] = path[depth - 1];
		}
		else if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			depth--;
		else if (token == WJB_KEY)
			path[depth] = hash_combine64(path[depth - 1], json_scalar_hash(&v));
		else
		{
			if (out->n == room)
				out->hashes = repalloc(out->hashes, sizeof(uint16) * (room *= 2));
			out->hashes[out->n++] = short_hash(hash_combine64(path[depth], json_scalar_hash(&v)));
		}
	}
	sort_hashes(out);
}

/* ---- support functions of operator classes ---- */

#define ATTRIBUTE_SUPPORT(name, ...) \
NV_FUNCTION(nanovec_attribute_##name) \
{ \
	static const NvAttributeType type = {__VA_ARGS__}; \
\
	PG_RETURN_POINTER(&type); \
}

ATTRIBUTE_SUPPORT(integer, .kind = NV_ATTRIBUTE_ORDERED, .exact = true, .word = integer_word)
ATTRIBUTE_SUPPORT(float, .kind = NV_ATTRIBUTE_ORDERED, .exact = true, .word = float_word)
ATTRIBUTE_SUPPORT(numeric, .kind = NV_ATTRIBUTE_ORDERED, .word = numeric_word)
ATTRIBUTE_SUPPORT(time, .kind = NV_ATTRIBUTE_ORDERED, .word = time_word)
ATTRIBUTE_SUPPORT(uuid, .kind = NV_ATTRIBUTE_ORDERED, .word = uuid_word)
ATTRIBUTE_SUPPORT(hash, .kind = NV_ATTRIBUTE_HASHED, .word = hashed_word)
ATTRIBUTE_SUPPORT(array, .kind = NV_ATTRIBUTE_SET, .elements = array_elements)
ATTRIBUTE_SUPPORT(jsonb, .kind = NV_ATTRIBUTE_SET, .elements = jsonb_elements)
