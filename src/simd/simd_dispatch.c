/*-------------------------------------------------------------------------
 *
 * simd_dispatch.c
 *		Chooses the best form of each kernel for this CPU.
 *
 *-------------------------------------------------------------------------
 */
#include "simd/simd.h"

#include <stdlib.h>

#include "simd/cpu.h"
#include "simd/kern.h"

/*
 * From the plainest to the most capable: a later variant that the CPU has
 * replaces the kernels of an earlier one that it provides itself.
 */
static const NvVariant variants[] = {
	{"scalar", 0, &nv_kernels_scalar},
#if defined(__aarch64__)
	{"neon", NV_CPU_NEON, &nv_kernels_neon},
#endif
#if defined(__x86_64__)
	{"avx2", NV_CPU_AVX2 | NV_CPU_FMA | NV_CPU_F16C | NV_CPU_POPCNT, &nv_kernels_avx2},
	{"avx512", NV_CPU_FMA | NV_CPU_F16C | NV_CPU_AVX512F | NV_CPU_AVX512BW | NV_CPU_AVX512DQ |
	NV_CPU_AVX512VL, &nv_kernels_avx512},
	{"avx512_vnni", NV_CPU_AVX512F | NV_CPU_AVX512BW | NV_CPU_AVX512VNNI,
	&nv_kernels_avx512_vnni},
	{"avx512_vpopcntdq", NV_CPU_AVX512F | NV_CPU_AVX512BW | NV_CPU_VPOPCNTDQ,
	&nv_kernels_avx512_vpopcntdq},
#endif
};

#define NUM_VARIANTS ((int) (sizeof(variants) / sizeof(variants[0])))

static const char *const kernel_names[] = {
#define KERNEL_NAME(ret, name, args) #name,
	NV_KERNELS(KERNEL_NAME)
#undef KERNEL_NAME
};

#define NUM_KERNELS ((int) (sizeof(kernel_names) / sizeof(kernel_names[0])))

NvKernels	nv_kern;

static const char *chosen[NUM_KERNELS];

/* Choose the kernels. */
bool
nv_simd_init(const char **bad)
{
	static char unknown[64];
	uint32_t	features = nv_cpu_detect();
	const char *disable = getenv("NANOVEC_DISABLE_CPU");

	unknown[0] = '\0';
	if (disable != NULL)
		features = nv_cpu_disable(features, disable, unknown, sizeof(unknown));

	for (int v = 0; v < NUM_VARIANTS; v++)
	{
		const NvKernels *from = variants[v].kernels;
		int			k = 0;

		if ((variants[v].needs & features) != variants[v].needs)
			continue;
#define CHOOSE_KERNEL(ret, kernel, args) \
		if (from->kernel != NULL) \
		{ \
			nv_kern.kernel = from->kernel; \
			chosen[k] = variants[v].name; \
		} \
		k++;
		NV_KERNELS(CHOOSE_KERNEL)
#undef CHOOSE_KERNEL
	}

	*bad = unknown;
	return unknown[0] == '\0';
}

/* Count the variants. */
int
nv_simd_variant_count(void)
{
	return NUM_VARIANTS;
}

/* Look up a variant. */
const NvVariant *
nv_simd_variant(int i)
{
	return &variants[i];
}

/* Count the kernels. */
int
nv_simd_kernel_count(void)
{
	return NUM_KERNELS;
}

/* Look up the name of a kernel. */
const char *
nv_simd_kernel_name(int i)
{
	return kernel_names[i];
}

/* Look up which variant of a kernel runs. */
const char *
nv_simd_kernel_variant(int i)
{
	return chosen[i];
}
