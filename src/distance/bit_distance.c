/*-------------------------------------------------------------------------
 *
 * bit_distance.c
 *		SQL distance functions of bit.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "simd/simd.h"
#include "types/detoast.h"
#include "utils/varbit.h"

/* A bit string, ready to read.  Bits behind the last one are 0. */
typedef struct BitString
{
	int			length;			/* in bits */
	const uint8 *bytes;
	void	   *copy;			/* what detoasting palloc'd, or NULL */
} BitString;

/* How many bytes the bits take. */
static inline Size
bytes_of(const BitString *b)
{
	return ((Size) b->length + BITS_PER_BYTE - 1) / BITS_PER_BYTE;
}

/* Open a bit string; ERROR (DATA_CORRUPTED) when its bytes are too few for its length. */
static BitString
open_bits(Datum d)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(d);
	struct varlena *packed = pg_detoast_datum_packed(value);
	BitString	b;
	int32		length;

	memcpy(&length, VARDATA_ANY(packed), sizeof(length));
	b.length = length;
	if (length < 0 || VARSIZE_ANY_EXHDR(packed) < VARBITHDRSZ + bytes_of(&b))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid bit string of %zu bytes", VARSIZE_ANY_EXHDR(packed))));
	b.bytes = (const uint8 *) VARDATA_ANY(packed) + VARBITHDRSZ;
	b.copy = packed == value ? NULL : packed;
	return b;
}

/* Free the copy, if opening made one. */
static void
close_bits(BitString *b)
{
	if (b->copy != NULL)
		pfree(b->copy);
}

/* ERROR (DATA_EXCEPTION) when two bit strings differ in length. */
static void
check_same_length(const BitString *a, const BitString *b)
{
	if (unlikely(a->length != b->length))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different bit lengths %d and %d", a->length, b->length)));
}

/* The number of bits that differ. */
NV_FUNCTION(hamming_distance)
{
	BitString	a = open_bits(nv_cached_arg(fcinfo, 0));
	BitString	b = open_bits(nv_cached_arg(fcinfo, 1));
	uint64		distance;

	check_same_length(&a, &b);
	distance = nv_kern.hamming(a.bytes, b.bytes, bytes_of(&a));
	close_bits(&a);
	close_bits(&b);
	PG_RETURN_FLOAT8((double) distance);
}

/* 1 - |a & b| / |a | b|, which is 1 when the two share no bit, even if neither has any. */
NV_FUNCTION(jaccard_distance)
{
	BitString	a = open_bits(nv_cached_arg(fcinfo, 0));
	BitString	b = open_bits(nv_cached_arg(fcinfo, 1));
	NvBitCounts counts;

	check_same_length(&a, &b);
	nv_kern.jaccard(a.bytes, b.bytes, bytes_of(&a), &counts);
	close_bits(&a);
	close_bits(&b);
	if (counts.both == 0)
		PG_RETURN_FLOAT8(1);
	PG_RETURN_FLOAT8(1 - (double) counts.both / (double) counts.either);
}
