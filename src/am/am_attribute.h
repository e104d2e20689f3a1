/*-------------------------------------------------------------------------
 *
 * am_attribute.h
 *		Attributes: the columns of an index beside its vectors, by which searches are
 *		filtered.
 *
 * What an index keeps of an attribute is a summary of a fixed size: of a single value a
 * word of 64 bits, in the order of the values or a hash of them; of a set, such as an
 * array, a list of short hashes of its elements.  All summaries of a row, one behind the
 * other, are its image:
 *
 *	+-------+--------+-----------+-----------+---
 *	| nulls | unused | attribute | attribute | ...
 *	+-------+--------+-----------+-----------+---
 *	  1 byte  1 byte    8 or 32 bytes each
 *
 * Equal rows have equal images.  Different values may have the same summary: what an image
 * cannot tell apart, the executor looks at again (xs_recheck).  Images lie at any
 * address, and are of the byte order of the machine, as all pages are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_ATTRIBUTE_H
#define NV_AM_ATTRIBUTE_H

#include "nv_compat.h"

#include "utils/array.h"
#include "utils/rel.h"

/* So many attributes an index may have. */
#define NV_MAX_ATTRIBUTES 8

/* The support function of an operator class that says how its values are summarized. */
#define NV_ATTRIBUTE_PROC 3

/* Strategy numbers of the operator classes of attributes. */
typedef enum NvAttributeStrategy
{
	NV_ATTRIBUTE_LESS = 11,
	NV_ATTRIBUTE_LESS_EQUAL,
	NV_ATTRIBUTE_EQUAL,
	NV_ATTRIBUTE_GREATER_EQUAL,
	NV_ATTRIBUTE_GREATER,
	NV_ATTRIBUTE_NOT_EQUAL,
	NV_ATTRIBUTE_OVERLAPS = 21,
	NV_ATTRIBUTE_CONTAINS,
	NV_ATTRIBUTE_CONTAINED,
	NV_ATTRIBUTE_SAME
} NvAttributeStrategy;

/* What the summaries of a type are like. */
typedef enum NvAttributeKind
{
	NV_ATTRIBUTE_ORDERED,		/* a word; of two values, the greater has no lesser one */
	NV_ATTRIBUTE_HASHED,		/* a word; equal values have the same */
	NV_ATTRIBUTE_SET			/* NvAttributeSet */
} NvAttributeKind;

/*
 * The elements of a set, by 16 bits of a hash of each.  When there are more than fit,
 * bits stand for them (Bloom, 1970): bit h % NV_SET_BITS of "hashes".
 */
#define NV_SET_LIST 15
#define NV_SET_BITS (NV_SET_LIST * 16)
#define NV_SET_IS_BITS PG_UINT16_MAX

typedef struct NvAttributeSet
{
	uint16		n;				/* hashes, or NV_SET_IS_BITS */
	uint16		hashes[NV_SET_LIST];	/* ascending, each once; zeros behind them */
} NvAttributeSet;

/* The most that an image takes: a head of two bytes, and a set for each attribute. */
#define NV_MAX_IMAGE_BYTES (2 + NV_MAX_ATTRIBUTES * sizeof(NvAttributeSet))

/* Hashes of the elements of one value, palloc'd. */
typedef struct NvElementHashes
{
	uint16	   *hashes;			/* ascending, each once */
	int			n;
} NvElementHashes;

typedef struct NvAttributeType
{
	NvAttributeKind kind;
	bool		exact;			/* different values have different words */

	/*
	 * The word of a value of some type of the operator family, which is not NULL; of
	 * kinds other than sets.  Memory is of the current context.  Errors are those of the
	 * type's own functions.
	 */
	uint64		(*word) (Datum value, Oid type, Oid collation);

	/* The same for sets. */
	void		(*elements) (Datum value, Oid type, Oid collation, NvElementHashes *out);
} NvAttributeType;

typedef struct NvAttributeColumn
{
	const NvAttributeType *type;
	Oid			oid;			/* the type of the column */
	Oid			collation;
	uint16		offset;			/* of its summary in an image */
} NvAttributeColumn;

/* The columns of an open index that are attributes: those from the second on. */
typedef struct NvAttributes
{
	int			n;				/* 0 .. NV_MAX_ATTRIBUTES */
	uint16		image_bytes;	/* 0 if there are none, else even */
	NvAttributeColumn columns[NV_MAX_ATTRIBUTES];
} NvAttributes;

/*
 * Which attributes an index has.  ERROR (PROGRAM_LIMIT_EXCEEDED): too many;
 * (FEATURE_NOT_SUPPORTED): a second column of vectors; (INVALID_OBJECT_DEFINITION): an
 * operator class that says nothing of use.  Looks into catalogs: no page is locked.
 */
extern void nv_attributes_of(Relation rel, NvAttributes *attributes);

/*
 * Make the image of a row, image_bytes bytes, from the values of an index tuple.
 * Memory that detoasting takes is of the current context.
 */
extern void nv_attributes_summarize(const NvAttributes *attributes, const Datum *values,
									const bool *isnull, char *image);

/* Whether an attribute is NULL in an image. */
static inline bool
nv_attribute_is_null(const char *image, int column)
{
	return ((uint8) image[0] >> column) & 1;
}

/* The word of an attribute that has one; 0 where it is NULL. */
static inline uint64
nv_attribute_word(const NvAttributes *attributes, const char *image, int column)
{
	uint64		word;

	Assert(attributes->columns[column].type->kind != NV_ATTRIBUTE_SET);
	memcpy(&word, image + attributes->columns[column].offset, sizeof(word));
	return word;
}

/* The set of an attribute that is one; zeros where it is NULL. */
static inline NvAttributeSet
nv_attribute_set(const NvAttributes *attributes, const char *image, int column)
{
	NvAttributeSet set;

	Assert(attributes->columns[column].type->kind == NV_ATTRIBUTE_SET);
	memcpy(&set, image + attributes->columns[column].offset, sizeof(set));
	return set;
}

/* Whether the head of an image, its first two bytes, can be one. */
static inline bool
nv_attribute_head_valid(const NvAttributes *attributes, uint8 nulls, uint8 unused)
{
	return (nulls >> attributes->n) == 0 && unused == 0;
}

/* Whether a set is safe to look at. */
static inline bool
nv_attribute_set_valid(const NvAttributeSet *set)
{
	return set->n <= NV_SET_LIST || set->n == NV_SET_IS_BITS;
}

/* The elements of an array, and which are NULL, palloc'd; returns how many there are. */
extern int	nv_array_values(ArrayType *array, Datum **values, bool **nulls);

/* The order of words (uint64), for qsort() and bsearch(). */
extern int	nv_compare_words(const void *a, const void *b);

/* The order of hashes of elements (uint16), likewise. */
extern int	nv_compare_hashes(const void *a, const void *b);

/*
 * Whether an image can be one: an image from a damaged page may say anything, and is safe
 * to look at only if this is so.
 */
extern bool nv_attributes_valid(const NvAttributes *attributes, const char *image);

#endif							/* NV_AM_ATTRIBUTE_H */
