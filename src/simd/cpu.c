/*-------------------------------------------------------------------------
 *
 * cpu.c
 *		The only place that asks the CPU what it can do.
 *
 *-------------------------------------------------------------------------
 */
#include "simd/cpu.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

typedef struct FeatureName
{
	uint32_t	bit;
	const char *name;
	uint32_t	needs;			/* features that this one is useless without */
} FeatureName;

/* A feature stands after those that it needs. */
static const FeatureName feature_names[] = {
	{NV_CPU_NEON, "neon", 0},
	{NV_CPU_POPCNT, "popcnt", 0},
	{NV_CPU_F16C, "f16c", 0},
	{NV_CPU_FMA, "fma", 0},
	{NV_CPU_AVX2, "avx2", 0},
	{NV_CPU_AVX512F, "avx512f", NV_CPU_AVX2},
	{NV_CPU_AVX512BW, "avx512bw", NV_CPU_AVX512F},
	{NV_CPU_AVX512DQ, "avx512dq", NV_CPU_AVX512F},
	{NV_CPU_AVX512VL, "avx512vl", NV_CPU_AVX512F},
	{NV_CPU_AVX512VNNI, "avx512vnni", NV_CPU_AVX512F},
	{NV_CPU_VPOPCNTDQ, "avx512vpopcntdq", NV_CPU_AVX512F},
};

#define NUM_FEATURES (sizeof(feature_names) / sizeof(feature_names[0]))

#if defined(__x86_64__) || defined(__i386__)

/* Register states that the operating system saves, from XCR0. */
static uint32_t
enabled_states(void)
{
	uint32_t	lo,
				hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo;
}

#define STATE_YMM 0x06			/* XMM and upper YMM halves */
#define STATE_ZMM 0xe6			/* and mask registers, upper ZMM halves, ZMM16-31 */

/* Find out what the CPU has. */
uint32_t
nv_cpu_detect(void)
{
	uint32_t	eax,
				ebx,
				ecx,
				edx,
				states;
	uint32_t	found = 0;

	/* leaf 1: popcnt, and whether AVX state can be asked for at all */
	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		return 0;
	if (ecx & (1u << 23))
		found |= NV_CPU_POPCNT;
	if (!(ecx & (1u << 27)))	/* OSXSAVE */
		return found;
	states = enabled_states();
	if ((states & STATE_YMM) != STATE_YMM)
		return found;
	if (ecx & (1u << 12))
		found |= NV_CPU_FMA;
	if (ecx & (1u << 29))
		found |= NV_CPU_F16C;

	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return found;
	if (ebx & (1u << 5))
		found |= NV_CPU_AVX2;
	if ((states & STATE_ZMM) != STATE_ZMM || !(ebx & (1u << 16)))
		return found;
	found |= NV_CPU_AVX512F;
	if (ebx & (1u << 17))
		found |= NV_CPU_AVX512DQ;
	if (ebx & (1u << 30))
		found |= NV_CPU_AVX512BW;
	if (ebx & (1u << 31))
		found |= NV_CPU_AVX512VL;
	if (ecx & (1u << 11))
		found |= NV_CPU_AVX512VNNI;
	if (ecx & (1u << 14))
		found |= NV_CPU_VPOPCNTDQ;
	return found;
}

#elif defined(__aarch64__)

/* Find out what the CPU has. */
uint32_t
nv_cpu_detect(void)
{
	return NV_CPU_NEON;			/* part of the base architecture */
}

#else

/* Find out what the CPU has. */
uint32_t
nv_cpu_detect(void)
{
	return 0;
}

#endif

/* Find the bit of a feature whose name is the first len bytes of name; 0 if there is none. */
static uint32_t
feature_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < NUM_FEATURES; i++)
	{
		if (strlen(feature_names[i].name) == len &&
			memcmp(feature_names[i].name, name, len) == 0)
			return feature_names[i].bit;
	}
	return 0;
}

/* Remove features by name. */
uint32_t
nv_cpu_disable(uint32_t features, const char *list, char *bad, size_t badsize)
{
	bad[0] = '\0';
	while (*(list += strspn(list, " ,")) != '\0')
	{
		size_t		len = strcspn(list, " ,");
		uint32_t	bit = feature_by_name(list, len);

		if (bit == 0)
		{
			size_t		copy = len < badsize ? len : badsize - 1;

			memcpy(bad, list, copy);
			bad[copy] = '\0';
		}
		features &= ~bit;
		list += len;
	}

	for (size_t i = 0; i < NUM_FEATURES; i++)
	{
		if ((features & feature_names[i].needs) != feature_names[i].needs)
			features &= ~feature_names[i].bit;
	}
	return features;
}

/* Look up the name of a feature. */
const char *
nv_cpu_feature_name(uint32_t bit)
{
	for (size_t i = 0; i < NUM_FEATURES; i++)
	{
		if (feature_names[i].bit == bit)
			return feature_names[i].name;
	}
	return NULL;
}
