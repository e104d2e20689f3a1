/*-------------------------------------------------------------------------
 *
 * scalar_code.h
 *		Eight bits per coordinate: element i is offset + scale * code[i].
 *
 * Plain arrays, no allocation, no errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_SCALAR_CODE_H
#define NV_SCALAR_CODE_H

#include <stdint.h>

/* Encode x[n]: the smallest element becomes code 0, the largest 255. */
extern void nv_scalar_encode(const float *x, int n, uint8_t *codes, float *scale, float *offset);

/* Decode n codes. */
extern void nv_scalar_decode(const uint8_t *codes, int n, float scale, float offset, float *out);

#endif							/* NV_SCALAR_CODE_H */
