/*-------------------------------------------------------------------------
 *
 * check.h
 *		The parts of test_kernels.  Each reports one test for every kernel
 *		of its kind that the variant provides.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHECK_H
#define CHECK_H

#include "simd/simd.h"

/* Lengths at which kernels of vectors run: all up to this one, then some. */
#define SHORT_MAX 300
#define NUM_LONG 6
#define LONG_MAX 16000

extern const size_t long_lengths[NUM_LONG];

/* Distances of dense vectors: every pair of element types. */
extern void check_dense(const NvVariant *v);

/* Sums and distances of 8-bit codes, bit strings, fast scan. */
extern void check_codes(const NvVariant *v);

/* Conversions between floats and halves, and the functions of half.h. */
extern void check_half(const NvVariant *v);
extern void check_half_inline(void);

/* Many-to-many distances and the Hadamard transform. */
extern void check_matrix(const NvVariant *v);

/* Many codes against many, and the nearest: what index builds need. */
extern void check_panel(const NvVariant *v);

/* Sparse vectors: elements in common, sums in double precision. */
extern void check_sparse(const NvVariant *v);

#endif							/* CHECK_H */
