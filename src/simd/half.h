/*-------------------------------------------------------------------------
 *
 * half.h
 *		IEEE 754 binary16 <-> binary32, one number at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_HALF_H
#define NV_HALF_H

#include <stdint.h>
#include <string.h>

/* Convert a half to a float, which is exact. */
static inline float
nv_half_to_float(uint16_t h)
{
	uint32_t	sign = (uint32_t) (h & 0x8000) << 16;
	uint32_t	exponent = (h >> 10) & 0x1f;
	uint32_t	mantissa = h & 0x3ff;
	uint32_t	bits;
	float		f;

	if (exponent == 0x1f)		/* infinity or NaN */
		bits = sign | 0x7f800000 | mantissa << 13;
	else if (exponent != 0)
		bits = sign | (exponent + 112) << 23 | mantissa << 13;
	else
	{
		/* zero or subnormal: mantissa * 2^-24 is exact in binary32 */
		f = (float) mantissa * 0x1p-24f;
		memcpy(&bits, &f, sizeof(bits));
		bits |= sign;
	}
	memcpy(&f, &bits, sizeof(f));
	return f;
}

/* Round a float to the nearest half, ties to even; what is too large becomes infinite. */
static inline uint16_t
nv_float_to_half(float f)
{
	uint32_t	bits;
	uint32_t	magnitude;
	uint32_t	sign;

	memcpy(&bits, &f, sizeof(bits));
	sign = (bits >> 16) & 0x8000;
	magnitude = bits & 0x7fffffff;

	if (magnitude > 0x7f800000)	/* NaN: keep it quiet */
		return (uint16_t) (sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
	if (magnitude >= 0x477ff000)	/* 65520 and above */
		return (uint16_t) (sign | 0x7c00);
	if (magnitude < 0x38800000)
	{
		/*
		 * Below 2^-14 a half is a multiple of 2^-24.  Adding 0.5 (whose last
		 * bit is worth 2^-24) makes the hardware round to that multiple.
		 */
		float		magic;
		uint32_t	rounded;

		memcpy(&magic, &magnitude, sizeof(magic));
		magic += 0.5f;
		memcpy(&rounded, &magic, sizeof(rounded));
		return (uint16_t) (sign | (rounded - 0x3f000000));
	}
	/* rebias the exponent and round away 13 bits of mantissa */
	magnitude += 0xfff + ((magnitude >> 13) & 1);
	return (uint16_t) (sign | ((magnitude - 0x38000000) >> 13));
}

#endif							/* NV_HALF_H */
