/*-------------------------------------------------------------------------
 *
 * kern.h
 *		What the kern_*.c files share: their tables, and small macros.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_KERN_H
#define NV_KERN_H

#include "simd/simd.h"

extern const NvKernels nv_kernels_scalar;
extern const NvKernels nv_kernels_neon;
extern const NvKernels nv_kernels_avx2;
extern const NvKernels nv_kernels_avx512;
extern const NvKernels nv_kernels_avx512_vnni;
extern const NvKernels nv_kernels_avx512_vpopcntdq;

#define NV_INLINE static inline __attribute__((always_inline))

#define NV_CONCAT_(a, b) a##_##b
#define NV_CONCAT(a, b) NV_CONCAT_(a, b)

/* Unroll the loop that follows completely; its bound is a small constant. */
#if defined(__clang__)
#define NV_UNROLL _Pragma("clang loop unroll(full)")
#else
#define NV_UNROLL _Pragma("GCC unroll 16")
#endif

/* The dense kernels of one pair of element types, for a kernel table: all but cosines; all. */
#define NV_MEASURE_ENTRIES(sfx) \
	.l2sq_##sfx = l2sq_##sfx, \
	.ip_##sfx = ip_##sfx, \
	.l1_##sfx = l1_##sfx

#define NV_DENSE_ENTRIES(sfx) \
	NV_MEASURE_ENTRIES(sfx), \
	.cos_##sfx = cos_##sfx

#endif							/* NV_KERN_H */
