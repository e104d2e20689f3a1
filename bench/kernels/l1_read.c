/*-------------------------------------------------------------------------
 *
 * l1_read.c
 *		How fast this machine reads two arrays of floats: loops that load
 *		every register of both and do as little as possible with it.
 *
 * Each form folds what it loads into several accumulators with one cheap
 * operation (a bitwise or, or an addition), reduces them at the end and
 * returns the result, so no load can be left out.  They have the signature
 * and the calling convention of the kernels and are called like them through
 * a pointer.  Which form is best depends on the CPU, so there are several.
 * The "loads" forms fold nothing: their loads are assembler statements.
 *
 *-------------------------------------------------------------------------
 */
#include "bench.h"

#include "simd/kern.h"

#if defined(__x86_64__)

#include <immintrin.h>

/*
 * One form: PAIRS registers of each array in one turn of the loop, folded by
 * OP into ACCS accumulators.  n is a multiple of PAIRS registers or the rest
 * is read one register at a time; it must be a multiple of one register.
 */
#define DEFINE_FORM(name, target_, reg, lanes, load, zero, OP, PAIRS, ACCS, reduce) \
static __attribute__((target(target_))) float \
name(const nv_f32 *a, const nv_f32 *b, size_t n) \
{ \
	reg			acc[ACCS]; \
	size_t		i = 0; \
	NV_UNROLL \
	for (int k = 0; k < ACCS; k++) \
		acc[k] = zero(); \
	for (; i + PAIRS * lanes <= n; i += PAIRS * lanes) \
	{ \
		NV_UNROLL \
		for (int k = 0; k < PAIRS; k++) \
		{ \
			acc[2 * k % ACCS] = OP(acc[2 * k % ACCS], load(a + i + k * lanes)); \
			acc[(2 * k + 1) % ACCS] = OP(acc[(2 * k + 1) % ACCS], load(b + i + k * lanes)); \
		} \
	} \
	for (; i + lanes <= n; i += lanes) \
		acc[0] = OP(OP(acc[0], load(a + i)), load(b + i)); \
	NV_UNROLL \
	for (int k = 1; k < ACCS; k++) \
		acc[0] = OP(acc[0], acc[k]); \
	return reduce(acc[0]); \
}

/* The same without folding. */
#define DEFINE_LOADS(name, target_, lanes, regname, PAIRS) \
static __attribute__((target(target_))) float \
name(const nv_f32 *a, const nv_f32 *b, size_t n) \
{ \
	size_t		i = 0; \
	for (; i + PAIRS * lanes <= n; i += PAIRS * lanes) \
	{ \
		NV_UNROLL \
		for (int k = 0; k < PAIRS; k++) \
		{ \
			__asm__ volatile("vmovups %0, %%" regname "0" \
							 : : "m"(*(const float (*)[lanes]) (a + i + k * lanes)) : "xmm0"); \
			__asm__ volatile("vmovups %0, %%" regname "1" \
							 : : "m"(*(const float (*)[lanes]) (b + i + k * lanes)) : "xmm1"); \
		} \
	} \
	__asm__ volatile("vzeroupper" : : : "xmm0", "xmm1"); \
	return 0.0f; \
}

#define LOAD256(p) _mm256_loadu_ps((const float *) (p))
#define LOAD512(p) _mm512_loadu_ps(p)

NV_INLINE __attribute__((target("avx2"))) float
reduce256(__m256 v)
{
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

NV_INLINE __attribute__((target("avx512f,avx512dq"))) float
reduce512(__m512 v)
{
	__m256		s = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));

	return reduce256(s);
}

#define FORMS256(op, OP, pairs, accs) \
	DEFINE_FORM(read256_##op##_##pairs##_##accs, "avx2", __m256, 8, LOAD256, \
				_mm256_setzero_ps, OP, pairs, accs, reduce256)
#define FORMS512(op, OP, pairs, accs) \
	DEFINE_FORM(read512_##op##_##pairs##_##accs, "avx512f,avx512dq", __m512, 16, LOAD512, \
				_mm512_setzero_ps, OP, pairs, accs, reduce512)

FORMS256(or, _mm256_or_ps, 4, 4)
FORMS256(or, _mm256_or_ps, 4, 8)
FORMS256(or, _mm256_or_ps, 8, 8)
FORMS256(add, _mm256_add_ps, 4, 8)
FORMS256(add, _mm256_add_ps, 8, 8)
FORMS512(or, _mm512_or_ps, 4, 4)
FORMS512(or, _mm512_or_ps, 4, 8)
FORMS512(or, _mm512_or_ps, 8, 8)
FORMS512(add, _mm512_add_ps, 4, 8)
FORMS512(add, _mm512_add_ps, 8, 8)
DEFINE_LOADS(read256_loads, "avx2", 8, "ymm", 8)
DEFINE_LOADS(read512_loads, "avx512f", 16, "zmm", 8)

const L1Form l1_forms[] = {
	{"or 4x2 into 4", "avx2", true, read256_or_4_4},
	{"or 4x2 into 8", "avx2", true, read256_or_4_8},
	{"or 8x2 into 8", "avx2", true, read256_or_8_8},
	{"add 4x2 into 8", "avx2", true, read256_add_4_8},
	{"add 8x2 into 8", "avx2", true, read256_add_8_8},
	{"loads 8x2", "avx2", false, read256_loads},
	{"or 4x2 into 4", "avx512", true, read512_or_4_4},
	{"or 4x2 into 8", "avx512", true, read512_or_4_8},
	{"or 8x2 into 8", "avx512", true, read512_or_8_8},
	{"add 4x2 into 8", "avx512", true, read512_add_4_8},
	{"add 8x2 into 8", "avx512", true, read512_add_8_8},
	{"loads 8x2", "avx512", false, read512_loads},
};

const int	num_l1_forms = (int) (sizeof(l1_forms) / sizeof(l1_forms[0]));

#else

const L1Form l1_forms[1];
const int	num_l1_forms = 0;

#endif
