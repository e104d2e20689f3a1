/*-------------------------------------------------------------------------
 *
 * scalar_code.h
 *		Eight or sixteen bits per coordinate: element i is offset + scale * code[i].
 *
 * Plain arrays, no allocation, no errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_SCALAR_CODE_H
#define NV_SCALAR_CODE_H

#include <stdint.h>

#include "simd/simd.h"

/*
 * Encode x[n]: the smallest element becomes code 0, the largest 255.
 * nv_kern.decode_u8 decodes.
 */
extern void nv_scalar_encode(const float *x, int n, uint8_t *codes, float *scale, float *offset);

/* The same with codes to 65535; nv_kern.decode_u16 decodes.  codes has any alignment. */
extern void nv_scalar_encode16(const float *x, int n, nv_u16 *codes, float *scale, float *offset);

#endif							/* NV_SCALAR_CODE_H */
