/*-------------------------------------------------------------------------
 *
 * test_dispatch.c
 *		Features taken away by name, and what the dispatcher then chooses.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "simd/cpu.h"
#include "simd/simd.h"
#include "tap.h"

#define ALL_AVX512 \
	(NV_CPU_AVX512F | NV_CPU_AVX512BW | NV_CPU_AVX512DQ | NV_CPU_AVX512VL | \
	 NV_CPU_AVX512VNNI | NV_CPU_VPOPCNTDQ)
#define ALL_X86 (NV_CPU_POPCNT | NV_CPU_F16C | NV_CPU_FMA | NV_CPU_AVX2 | ALL_AVX512)

/* What nv_cpu_disable() leaves of 'from', and the name that it complains of. */
static void
check_disable(uint32_t from, const char *list, uint32_t left, const char *complaint)
{
	char		bad[64] = "not written";
	uint32_t	got = nv_cpu_disable(from, list, bad, sizeof(bad));

	tap_begin("disable \"%s\" of %#x", list, from);
	if (got != left)
		tap_fail("left %#x, not %#x", got, left);
	if (strcmp(bad, complaint) != 0)
		tap_fail("complained of \"%s\", not of \"%s\"", bad, complaint);
	tap_end();
}

static void
check_lists(void)
{
	check_disable(ALL_X86, "", ALL_X86, "");
	check_disable(ALL_X86, " , ,,  ", ALL_X86, "");
	check_disable(ALL_X86, "fma", ALL_X86 & ~NV_CPU_FMA, "");
	check_disable(ALL_X86, "fma popcnt", ALL_X86 & ~(NV_CPU_FMA | NV_CPU_POPCNT), "");
	check_disable(ALL_X86, "fma,popcnt", ALL_X86 & ~(NV_CPU_FMA | NV_CPU_POPCNT), "");
	check_disable(ALL_X86, ", fma , popcnt,", ALL_X86 & ~(NV_CPU_FMA | NV_CPU_POPCNT), "");
	check_disable(ALL_X86, "fma fma", ALL_X86 & ~NV_CPU_FMA, "");
	check_disable(NV_CPU_POPCNT, "fma", NV_CPU_POPCNT, "");
	check_disable(NV_CPU_NEON, "neon", 0, "");
	check_disable(0, "neon avx2", 0, "");

	/* what needs a removed feature goes too */
	check_disable(ALL_X86, "avx2", ALL_X86 & ~(NV_CPU_AVX2 | ALL_AVX512), "");
	check_disable(ALL_X86, "avx512f", ALL_X86 & ~ALL_AVX512, "");
	check_disable(ALL_X86, "avx512bw", ALL_X86 & ~NV_CPU_AVX512BW, "");
	check_disable(ALL_X86, "avx512vnni,avx512vpopcntdq",
				  ALL_X86 & ~(NV_CPU_AVX512VNNI | NV_CPU_VPOPCNTDQ), "");
	check_disable(ALL_AVX512, "", 0, "");	/* cannot be without AVX2 */

	/* unknown names: skipped, and reported; a name is matched whole */
	check_disable(ALL_X86, "sse9", ALL_X86, "sse9");
	check_disable(ALL_X86, "avx", ALL_X86, "avx");
	check_disable(ALL_X86, "avx22", ALL_X86, "avx22");
	check_disable(ALL_X86, "AVX2", ALL_X86, "AVX2");
	check_disable(ALL_X86, "fma;popcnt", ALL_X86, "fma;popcnt");
	check_disable(ALL_X86, "sse9,fma", ALL_X86 & ~NV_CPU_FMA, "sse9");
	check_disable(ALL_X86, "fma sse9 popcnt", ALL_X86 & ~(NV_CPU_FMA | NV_CPU_POPCNT), "sse9");
}

/* An unknown name longer than its buffer. */
static void
check_truncation(void)
{
	char		long_name[200];
	char		bad[16];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t size = 1; size <= 8; size++)
	{
		memset(bad, '#', sizeof(bad));
		nv_cpu_disable(ALL_X86, long_name, bad, size);
		tap_begin("a long unknown name in %zu bytes", size);
		if (strlen(bad) != size - 1 || strspn(bad, "x") != size - 1)
			tap_fail("\"%.16s\"", bad);
		for (size_t i = size; i < sizeof(bad); i++)
		{
			if (bad[i] != '#')
				tap_fail("byte %zu written", i);
		}
		tap_end();
	}
}

static void
check_names(void)
{
	static const uint32_t known[] = {
		NV_CPU_NEON, NV_CPU_POPCNT, NV_CPU_F16C, NV_CPU_FMA, NV_CPU_AVX2, NV_CPU_AVX512F,
		NV_CPU_AVX512BW, NV_CPU_AVX512DQ, NV_CPU_AVX512VL, NV_CPU_AVX512VNNI, NV_CPU_VPOPCNTDQ
	};
	uint32_t	named = 0;
	uint32_t	all = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		all |= known[i];
	for (int i = 0; i < 32; i++)
	{
		if (nv_cpu_feature_name(1u << i) != NULL)
			named |= 1u << i;
	}
	tap_ok(named == all, "every feature has a name, and nothing else has");
	tap_ok((nv_cpu_detect() & ~all) == 0, "nv_cpu_detect finds known features only");
	for (int i = 0; i < nv_simd_variant_count(); i++)
		tap_ok((nv_simd_variant(i)->needs & ~all) == 0, "variant %s needs known features only",
			   nv_simd_variant(i)->name);
	tap_ok(strcmp(nv_simd_variant(0)->name, "scalar") == 0 && nv_simd_variant(0)->needs == 0,
		   "the first variant is scalar and needs nothing");
}

static const NvVariant *
variant_by_name(const char *name)
{
	for (int i = 0; i < nv_simd_variant_count(); i++)
	{
		if (strcmp(nv_simd_variant(i)->name, name) == 0)
			return nv_simd_variant(i);
	}
	return NULL;
}

/*
 * nv_simd_init() under one setting of the variable: every kernel comes from a
 * variant that needs nothing of 'banned'.
 */
static void
check_init(const char *disable, uint32_t banned, const char *complaint)
{
	const char *bad = NULL;
	bool		good;

	setenv("NANOVEC_DISABLE_CPU", disable, 1);
	good = nv_simd_init(&bad);
	tap_begin("NANOVEC_DISABLE_CPU=\"%s\"", disable);
	if (good != (complaint[0] == '\0') || bad == NULL || strcmp(bad, complaint) != 0)
		tap_fail("complained of \"%s\"", bad != NULL ? bad : "(null)");
	for (int i = 0; i < nv_simd_kernel_count(); i++)
	{
		const char *name = nv_simd_kernel_variant(i);
		const NvVariant *v = name != NULL ? variant_by_name(name) : NULL;

		if (v == NULL)
			tap_fail("%s has no variant", nv_simd_kernel_name(i));
		else if ((v->needs & banned) != 0)
			tap_fail("%s is of variant %s", nv_simd_kernel_name(i), name);
		else if ((v->needs & nv_cpu_detect()) != v->needs)
			tap_fail("%s is of variant %s, not on this CPU", nv_simd_kernel_name(i), name);
	}
#define CHECK_THERE(ret, kernel, args) \
	if (nv_kern.kernel == NULL) \
		tap_fail(#kernel " is not there");
	NV_KERNELS(CHECK_THERE)
#undef CHECK_THERE
	tap_end();
}

/* With everything of this kind disabled, all kernels are scalar. */
static void
check_all_scalar(const char *disable)
{
	const char *bad;
	int			others = 0;

	setenv("NANOVEC_DISABLE_CPU", disable, 1);
	nv_simd_init(&bad);
	for (int i = 0; i < nv_simd_kernel_count(); i++)
		others += strcmp(nv_simd_kernel_variant(i), "scalar") != 0;
	tap_ok(others == 0, "NANOVEC_DISABLE_CPU=\"%s\": all kernels scalar", disable);
#define CHECK_SCALAR(ret, kernel, args) \
	others += nv_kern.kernel != nv_simd_variant(0)->kernels->kernel;
	NV_KERNELS(CHECK_SCALAR)
#undef CHECK_SCALAR
	tap_ok(others == 0, "NANOVEC_DISABLE_CPU=\"%s\": nv_kern is the scalar table", disable);
}

/* Without the variable: the last variant that the CPU has and that provides a kernel. */
static void
check_best(void)
{
	const char *bad;
	int			i = 0;

	unsetenv("NANOVEC_DISABLE_CPU");
	nv_simd_init(&bad);
	tap_begin("without NANOVEC_DISABLE_CPU: the most capable variants");
#define CHECK_BEST(ret, kernel, args) \
	{ \
		const char *best = NULL; \
		for (int v = 0; v < nv_simd_variant_count(); v++) \
		{ \
			if ((nv_simd_variant(v)->needs & ~nv_cpu_detect()) == 0 && \
				nv_simd_variant(v)->kernels->kernel != NULL) \
				best = nv_simd_variant(v)->name; \
		} \
		if (best == NULL || strcmp(best, nv_simd_kernel_variant(i)) != 0) \
			tap_fail(#kernel " is of %s, not %s", nv_simd_kernel_variant(i), best); \
		i++; \
	}
	NV_KERNELS(CHECK_BEST)
#undef CHECK_BEST
	tap_end();
}

int
main(void)
{
	tap_catch_signals();
	check_lists();
	check_truncation();
	check_names();
	check_init("", 0, "");
	check_init("avx512f", ALL_AVX512, "");
	check_init("avx512vnni", NV_CPU_AVX512VNNI, "");
	check_init("avx512vpopcntdq, avx512dq", NV_CPU_VPOPCNTDQ | NV_CPU_AVX512DQ, "");
	check_init("fma", NV_CPU_FMA, "");
	check_init("avx2,neon", NV_CPU_AVX2 | ALL_AVX512 | NV_CPU_NEON, "");
	check_init("avx2,unheard-of", NV_CPU_AVX2 | ALL_AVX512, "unheard-of");
	check_all_scalar("avx2 neon");
	check_best();
	return tap_done();
}
