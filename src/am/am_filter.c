/*-------------------------------------------------------------------------
 *
 * am_filter.c
 *		Conditions of a search on the attributes of an index.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_filter.h"

#include "am/am_row.h"
#include "port/pg_bitutils.h"

/* ---- scan keys ---- */

/* The type of a key's value: operators may take another than the column's. */
static Oid
key_type(const NvAttributeColumn *column, const ScanKeyData *key)
{
	return column->type->kind == NV_ATTRIBUTE_ORDERED && OidIsValid(key->sk_subtype) ?
		key->sk_subtype : column->oid;
}

/* The word of a key's value. */
static uint64
key_word(const NvAttributeColumn *column, const ScanKeyData *key, Datum value)
{
	return column->type->word(value, key_type(column, key), column->collation);
}

/*
 * Set a range of words, for values on one side of a word or equal to it.  Where different
 * values may have the same word, one that is said to differ may have it too.
 */
static void
set_range(NvFilter *filter, NvCondition *c, int strategy, uint64 word, bool exact)
{
	bool		strict = exact &&
		(strategy == NV_ATTRIBUTE_LESS || strategy == NV_ATTRIBUTE_GREATER);

	c->kind = NV_CONDITION_RANGE;
	c->low = 0;
	c->high = PG_UINT64_MAX;
	switch (strategy)
	{
		case NV_ATTRIBUTE_LESS:
		case NV_ATTRIBUTE_LESS_EQUAL:
			filter->never |= strict && word == 0;
			c->high = word - strict;
			break;
		case NV_ATTRIBUTE_GREATER:
		case NV_ATTRIBUTE_GREATER_EQUAL:
			filter->never |= strict && word == PG_UINT64_MAX;
			c->low = word + strict;
			break;
		default:
			c->low = c->high = word;
			break;
	}
	filter->lossy |= !exact;
}

/* Make a condition on a word from a key that compares with one value. */
static void
set_comparison(NvFilter *filter, NvCondition *c, const NvAttributeColumn *column,
			   const ScanKeyData *key)
{
	const NvAttributeType *type = column->type;
	uint64		word = key_word(column, key, key->sk_argument);

	if (key->sk_strategy == NV_ATTRIBUTE_NOT_EQUAL)
	{
		c->kind = type->exact ? NV_CONDITION_NOT : NV_CONDITION_ANY;
		c->low = word;
		filter->lossy |= !type->exact;
	}
	else if (key->sk_strategy == NV_ATTRIBUTE_EQUAL || type->kind == NV_ATTRIBUTE_ORDERED)
		set_range(filter, c, key->sk_strategy, word, type->exact);
	else
	{
		/* a hash has no order */
		c->kind = NV_CONDITION_ANY;
		filter->lossy = true;
	}
}

/* Make a condition from "= ANY (array)", or from a comparison with any element of one. */
static void
set_among(NvFilter *filter, NvCondition *c, const NvAttributeColumn *column,
		  const ScanKeyData *key)
{
	ArrayType  *array = DatumGetArrayTypeP(key->sk_argument);
	Datum	   *values;
	bool	   *nulls;
	int			n = nv_array_values(array, &values, &nulls);
	int			nwords = 0;

	c->words = palloc(sizeof(uint64) * Max(n, 1));
	c->nwords = 0;
	for (int i = 0; i < n; i++)
	{
		/* nothing is equal to NULL */
		if (!nulls[i] && column->type->kind != NV_ATTRIBUTE_SET)
			c->words[nwords++] = key_word(column, key, values[i]);
		else if (!nulls[i])
			nwords++;
	}
	filter->never |= nwords == 0;
	filter->lossy |= !column->type->exact;
	if (key->sk_strategy != NV_ATTRIBUTE_EQUAL || column->type->kind == NV_ATTRIBUTE_SET)
	{
		c->kind = NV_CONDITION_ANY;
		filter->lossy = true;
		return;
	}
	c->kind = NV_CONDITION_AMONG;
	qsort(c->words, nwords, sizeof(uint64), nv_compare_words);
	for (int i = 0; i < nwords; i++)
	{
		if (c->nwords == 0 || c->words[i] != c->words[c->nwords - 1])
			c->words[c->nwords++] = c->words[i];
	}
}

/* Make a condition on a set. */
static void
set_elements(NvFilter *filter, NvCondition *c, const NvAttributeColumn *column,
			 const ScanKeyData *key)
{
	column->type->elements(key->sk_argument, column->oid, column->collation, &c->elements);
	filter->lossy = true;
	switch (key->sk_strategy)
	{
		case NV_ATTRIBUTE_OVERLAPS:
			c->kind = NV_CONDITION_OVERLAPS;
			filter->never |= c->elements.n == 0;
			break;
		case NV_ATTRIBUTE_CONTAINS:
			c->kind = NV_CONDITION_CONTAINS;
			break;
		case NV_ATTRIBUTE_CONTAINED:
			c->kind = NV_CONDITION_CONTAINED;
			break;
		default:
			c->kind = NV_CONDITION_SAME;
			break;
	}
}

/* Make a condition from a key on an attribute. */
static void
set_condition(NvFilter *filter, NvCondition *c, const ScanKeyData *key)
{
	const NvAttributeColumn *column;

	c->column = key->sk_attno - NV_VECTOR_COLUMN - 1;
	Assert(c->column >= 0 && c->column < filter->attributes->n);
	column = &filter->attributes->columns[c->column];
	if (key->sk_flags & SK_SEARCHNULL)
		c->kind = NV_CONDITION_NULL;
	else if (key->sk_flags & SK_SEARCHNOTNULL)
		c->kind = NV_CONDITION_ANY;
	else if (key->sk_flags & SK_ISNULL)
		filter->never = true;
	else if (key->sk_flags & SK_SEARCHARRAY)
		set_among(filter, c, column, key);
	else if (column->type->kind == NV_ATTRIBUTE_SET)
		set_elements(filter, c, column, key);
	else
		set_comparison(filter, c, column, key);
}

/* Make a filter of scan keys. */
NvFilter *
nv_filter_make(const NvAttributes *attributes, const ScanKeyData *keys, int nkeys)
{
	NvFilter   *filter;

	if (nkeys == 0)
		return NULL;
	filter = palloc0(sizeof(NvFilter));
	filter->attributes = attributes;
	filter->conditions = palloc0(sizeof(NvCondition) * nkeys);
	for (int i = 0; i < nkeys; i++)
	{
		if (keys[i].sk_attno > NV_VECTOR_COLUMN)
			set_condition(filter, &filter->conditions[filter->n++], &keys[i]);
		else if ((keys[i].sk_flags & (SK_ISNULL | SK_SEARCHNOTNULL)) == SK_ISNULL)
			filter->never = true;	/* no row of the index has a vector that is NULL */
	}
	return filter->n > 0 || filter->never ? filter : NULL;
}

/* ---- rows ---- */

/* Whether a set has an element. */
static bool
set_has(const NvAttributeSet *set, uint16 hash)
{
	if (set->n == NV_SET_IS_BITS)
	{
		int			bit = hash % NV_SET_BITS;

		return (set->hashes[bit / 16] >> (bit % 16)) & 1;
	}
	for (int i = 0; i < set->n; i++)
	{
		if (set->hashes[i] == hash)
			return true;
	}
	return false;
}

/* Whether a set has one of some elements. */
static bool
set_overlaps(const NvAttributeSet *set, const NvElementHashes *elements)
{
	for (int i = 0; i < elements->n; i++)
	{
		if (set_has(set, elements->hashes[i]))
			return true;
	}
	return false;
}

/* Whether a set has all of some elements. */
static bool
set_contains(const NvAttributeSet *set, const NvElementHashes *elements)
{
	for (int i = 0; i < elements->n; i++)
	{
		if (!set_has(set, elements->hashes[i]))
			return false;
	}
	return true;
}

/* Whether all elements of a set are among some. */
static bool
set_contained(const NvAttributeSet *set, const NvElementHashes *elements)
{
	NvAttributeSet other = {.n = NV_SET_IS_BITS};

	if (set->n != NV_SET_IS_BITS)
	{
		for (int i = 0; i < set->n; i++)
		{
			if (bsearch(&set->hashes[i], elements->hashes, elements->n, sizeof(uint16),
						nv_compare_hashes) == NULL)
				return false;
		}
		return true;
	}
	for (int i = 0; i < elements->n; i++)
	{
		int			bit = elements->hashes[i] % NV_SET_BITS;

		other.hashes[bit / 16] |= (uint16) (1 << (bit % 16));
	}
	for (int i = 0; i < NV_SET_LIST; i++)
	{
		if (set->hashes[i] & ~other.hashes[i])
			return false;
	}
	return true;
}

/* Whether a set passes a condition. */
static bool
set_passes(const NvCondition *c, const NvAttributeSet *set)
{
	switch (c->kind)
	{
		case NV_CONDITION_ANY:
			return true;
		case NV_CONDITION_OVERLAPS:
			return set_overlaps(set, &c->elements);
		case NV_CONDITION_CONTAINS:
			return set_contains(set, &c->elements);
		case NV_CONDITION_CONTAINED:
			return set_contained(set, &c->elements);
		default:
			Assert(c->kind == NV_CONDITION_SAME);
			return set_contains(set, &c->elements) && set_contained(set, &c->elements);
	}
}

/* Whether a word passes a condition. */
static bool
word_passes(const NvCondition *c, uint64 word)
{
	switch (c->kind)
	{
		case NV_CONDITION_ANY:
			return true;
		case NV_CONDITION_RANGE:
			return word >= c->low && word <= c->high;
		case NV_CONDITION_NOT:
			return word != c->low;
		default:
			Assert(c->kind == NV_CONDITION_AMONG);
			return bsearch(&word, c->words, c->nwords, sizeof(uint64), nv_compare_words) != NULL;
	}
}

/* Whether an image passes all conditions. */
bool
nv_filter_passes(const NvFilter *filter, const char *image)
{
	const NvAttributes *attributes = filter->attributes;

	if (filter->never)
		return false;
	for (int i = 0; i < filter->n; i++)
	{
		const NvCondition *c = &filter->conditions[i];
		bool		null = nv_attribute_is_null(image, c->column);

		if (null || c->kind == NV_CONDITION_NULL)
		{
			if (!null || c->kind != NV_CONDITION_NULL)
				return false;
		}
		else if (attributes->columns[c->column].type->kind == NV_ATTRIBUTE_SET)
		{
			NvAttributeSet set = nv_attribute_set(attributes, image, c->column);

			if (!set_passes(c, &set))
				return false;
		}
		else if (!word_passes(c, nv_attribute_word(attributes, image, c->column)))
			return false;
	}
	return true;
}

/* ---- many rows ---- */

/* Some images of a page. */
typedef struct Images
{
	const char *first;
	Size		step;
	int			n;
} Images;

/* Which images have NULL for an attribute. */
static uint32
find_nulls(const Images *images, int column)
{
	const char *image = images->first;
	uint32		bits = 0;

	for (int i = 0; i < images->n; i++, image += images->step)
		bits |= (uint32) nv_attribute_is_null(image, column) << i;
	return bits;
}

/* Which images have a word, "offset" bytes from their beginning, from low to high. */
static uint32
find_range(const Images *images, int offset, uint64 low, uint64 high)
{
	const char *at = images->first + offset;
	uint64		width = high - low;
	uint32		bits = 0;

	Assert(low <= high);
	for (int i = 0; i < images->n; i++, at += images->step)
	{
		uint64		word;

		memcpy(&word, at, sizeof(word));
		bits |= (uint32) (word - low <= width) << i;
	}
	return bits;
}

/* Which of the images with these bits pass a condition on a word, which is none of them NULL. */
static uint32
words_passing(const NvFilter *filter, const NvCondition *c, const Images *images, uint32 bits)
{
	const NvAttributes *attributes = filter->attributes;
	int			offset = attributes->columns[c->column].offset;

	if (c->kind == NV_CONDITION_ANY)
		return bits;
	if (c->kind == NV_CONDITION_RANGE)
		return bits & find_range(images, offset, c->low, c->high);
	for (uint32 rest = bits; rest != 0; rest &= rest - 1)
	{
		int			i = pg_rightmost_one_pos32(rest);

		if (!word_passes(c, nv_attribute_word(attributes, images->first + i * images->step,
											  c->column)))
			bits &= ~((uint32) 1 << i);
	}
	return bits;
}

/* The same for a set. */
static uint32
sets_passing(const NvFilter *filter, const NvCondition *c, const Images *images, uint32 bits,
			 bool *valid)
{
	for (uint32 rest = bits; rest != 0; rest &= rest - 1)
	{
		int			i = pg_rightmost_one_pos32(rest);
		NvAttributeSet set = nv_attribute_set(filter->attributes,
											  images->first + i * images->step, c->column);

		if (!nv_attribute_set_valid(&set))
			*valid = false;
		else if (!set_passes(c, &set))
			bits &= ~((uint32) 1 << i);
	}
	return bits;
}

/* Which images pass all conditions. */
uint32
nv_filter_passing(const NvFilter *filter, const char *first, Size step, int n, bool *valid)
{
	const NvAttributes *attributes = filter->attributes;
	const Images images = {first, step, n};
	uint32		bits = PG_UINT32_MAX >> (NV_FILTER_IMAGES - n);
	uint8		nulls = 0;
	uint8		unused = 0;

	Assert(n > 0 && n <= NV_FILTER_IMAGES);
	for (int i = 0; i < n; i++)
	{
		nulls |= (uint8) first[i * step];
		unused |= (uint8) first[i * step + 1];
	}
	*valid = nv_attribute_head_valid(attributes, nulls, unused);
	if (filter->never)
		return 0;
	for (int i = 0; i < filter->n && bits != 0; i++)
	{
		const NvCondition *c = &filter->conditions[i];
		uint32		null = nulls == 0 ? 0 : find_nulls(&images, c->column);

		if (c->kind == NV_CONDITION_NULL)
			bits &= null;
		else if (attributes->columns[c->column].type->kind == NV_ATTRIBUTE_SET)
			bits = sets_passing(filter, c, &images, bits & ~null, valid);
		else
			bits = words_passing(filter, c, &images, bits & ~null);
	}
	return bits;
}
