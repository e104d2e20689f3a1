/*-------------------------------------------------------------------------
 *
 * kernel_bench.c
 *		Speed of the kernels on data in the first-level cache, against the
 *		speed at which this machine reads that cache and against others'
 *		kernels.
 *
 * Everything that is compared is measured in turns: each round takes one
 * sample of each subject, right after running it unmeasured for a while, so
 * that a change of the clock or a neighbour's noise hits all of them alike.
 * Reported are medians over the rounds.  Results are stored after every call,
 * and calls do not depend on each other, as when a query meets many rows.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "simd/cpu.h"
#include "simd/half.h"

#define DIM_MAX 1536
#define L1_DIM 768				/* dimension of the comparison with L1 reads */
#define MANY_ROWS 4				/* rows on each side of l2sq_many */
#define MAX_SUBJECTS 400

static const size_t dims[] = {128, 384, 768, DIM_MAX};

#define NUM_DIMS (sizeof(dims) / sizeof(dims[0]))

/* Options. */
static int	rounds = 25;
static int	sample_us = 200;
static size_t offset_bytes = 0;
static const char *blas_path = NULL;
static const char *simsimd_path = NULL;

static Inputs inputs;
static Peers peers;

/*
 * Loops: one for each signature.  KEEP makes the compiler believe that the
 * results are looked at after each call.
 */
#define KEEP() __asm__ volatile("" : : : "memory")

#define DEFINE_LOOP(name, type, call) \
static void \
name(Function function, const Inputs *in, size_t calls) \
{ \
	type f = (type) function; \
	const Inputs x = *in; \
	for (size_t i = 0; i < calls; i++) \
	{ \
		call; \
		KEEP(); \
	} \
}

/* Types of kernels, named by one kernel of each. */
#define KERNEL_TYPE(ret, name, args) typedef ret (*Type_##name) args;
NV_KERNELS(KERNEL_TYPE)
#undef KERNEL_TYPE

#define OUT_COS ((NvCosine *) x.out)

DEFINE_LOOP(loop_sum_f32, Type_l2sq_f32, *x.out = f(x.f32_a, x.f32_b, x.n))
DEFINE_LOOP(loop_cos_f32, Type_cos_f32, f(x.f32_a, x.f32_b, x.n, OUT_COS))
DEFINE_LOOP(loop_sum_f16, Type_l2sq_f16, *x.out = f(x.f16_a, x.f16_b, x.n))
DEFINE_LOOP(loop_cos_f16, Type_cos_f16, f(x.f16_a, x.f16_b, x.n, OUT_COS))
DEFINE_LOOP(loop_sum_f32_f16, Type_l2sq_f32_f16, *x.out = f(x.f32_a, x.f16_b, x.n))
DEFINE_LOOP(loop_cos_f32_f16, Type_cos_f32_f16, f(x.f32_a, x.f16_b, x.n, OUT_COS))
DEFINE_LOOP(loop_sum_f32_u8, Type_l2sq_f32_u8,
			*x.out = f(x.f32_a, x.u8_b, x.n, 0.01f, -1.0f))
DEFINE_LOOP(loop_cos_f32_u8, Type_cos_f32_u8,
			f(x.f32_a, x.u8_b, x.n, 0.01f, -1.0f, OUT_COS))
DEFINE_LOOP(loop_sums_u8, Type_sums_u8, f(x.u8_a, x.u8_b, x.n, (NvCodeSums *) x.out))
DEFINE_LOOP(loop_l1_u8, Type_l1_u8, *x.out = f(x.u8_a, x.u8_b, x.n, 0.01f, 0.02f, -1.0f))
DEFINE_LOOP(loop_hamming, Type_hamming, *(uint64_t *) x.out = f(x.u8_a, x.u8_b, x.n / 8))
DEFINE_LOOP(loop_jaccard, Type_jaccard, f(x.u8_a, x.u8_b, x.n / 8, (NvBitCounts *) x.out))
DEFINE_LOOP(loop_to_f32, Type_f16_to_f32, f(x.f16_a, x.out, x.n))
DEFINE_LOOP(loop_to_f16, Type_f32_to_f16, f(x.f32_a, (nv_f16 *) x.out, x.n))
DEFINE_LOOP(loop_fastscan, Type_fastscan,
			f(x.u8_a, x.u8_b, x.n / NV_FASTSCAN_GROUP, (uint16_t *) x.out))
DEFINE_LOOP(loop_many, Type_l2sq_many,
			f((const float *) x.f32_a, MANY_ROWS, (const float *) x.f32_b, MANY_ROWS, x.n, x.out))
DEFINE_LOOP(loop_hadamard, Type_hadamard, f(x.zeros, x.n))
DEFINE_LOOP(loop_blas, BlasDot,
			*x.out = f((int64_t) x.n, (const float *) x.f32_a, 1, (const float *) x.f32_b, 1))
DEFINE_LOOP(loop_simsimd, SimsimdMetric, f(x.f32_a, x.f32_b, x.n, (double *) x.out))

/* Cosine kernels with the few operations that make a distance of their sums. */
DEFINE_LOOP(loop_cos_distance, Type_cos_f32,
			f(x.f32_a, x.f32_b, x.n, OUT_COS);
			x.out[8] = 1.0f - OUT_COS->ab / sqrtf(OUT_COS->aa * OUT_COS->bb))
DEFINE_LOOP(loop_cosq_distance, Type_cos_f32,
			f(x.f32_a, x.f32_b, x.n, OUT_COS);
			x.out[8] = 1.0f - OUT_COS->ab / sqrtf(x.f32_a[0] * OUT_COS->bb))

/* A kernel: where it is in a table, its loop, and bits read for each dimension. */
typedef struct KernelInfo
{
	const char *name;
	size_t		where;
	Loop		loop;
	double		bits;
} KernelInfo;

#define KERNEL(name, loop, bits) {#name, offsetof(NvKernels, name), loop, bits}
#define DENSE(sfx, bits) \
	KERNEL(l2sq_##sfx, loop_sum_##sfx, bits), KERNEL(ip_##sfx, loop_sum_##sfx, bits), \
	KERNEL(l1_##sfx, loop_sum_##sfx, bits), KERNEL(cos_##sfx, loop_cos_##sfx, bits), \
	KERNEL(cosq_##sfx, loop_cos_##sfx, bits)

static const KernelInfo kernel_infos[] = {
	DENSE(f32, 64),
	DENSE(f16, 32),
	DENSE(f32_f16, 48),
	DENSE(f32_u8, 40),
	KERNEL(sums_u8, loop_sums_u8, 16),
	KERNEL(l1_u8, loop_l1_u8, 16),
	KERNEL(hamming, loop_hamming, 2),
	KERNEL(jaccard, loop_jaccard, 2),
	KERNEL(f16_to_f32, loop_to_f32, 16),
	KERNEL(f32_to_f16, loop_to_f16, 32),
	KERNEL(fastscan, loop_fastscan, 2 * 128.0 / NV_FASTSCAN_GROUP),
	KERNEL(l2sq_many, loop_many, 64 * MANY_ROWS * MANY_ROWS),
	KERNEL(hadamard, loop_hadamard, 32)
};

#define NUM_KERNEL_INFOS (sizeof(kernel_infos) / sizeof(kernel_infos[0]))

static Function
kernel_function(const NvKernels *k, size_t where)
{
	Function	f;

	memcpy(&f, (const char *) k + where, sizeof(f));
	return f;
}

static const NvVariant *
usable_variant(const char *name)
{
	for (int i = 0; i < nv_simd_variant_count(); i++)
	{
		const NvVariant *v = nv_simd_variant(i);

		if (strcmp(v->name, name) == 0 && (v->needs & ~nv_cpu_detect()) == 0)
			return v;
	}
	return NULL;
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

/* Nanoseconds for one call, over so many of them. */
static double
sample(const Subject *s, size_t calls)
{
	Inputs		in = inputs;
	double		start;

	in.n = s->n;
	start = now_ns();
	s->loop(s->function, &in, calls);
	return (now_ns() - start) / (double) calls;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* Measure all subjects in turns. */
static void
measure(Subject *subjects, int count)
{
	for (int i = 0; i < count; i++)
	{
		Subject    *s = &subjects[i];

		s->samples = malloc(sizeof(double) * (size_t) rounds);
		s->calls = 64;
		while (sample(s, s->calls) * (double) s->calls < sample_us * 1e3)
			s->calls *= 2;
	}
	for (int r = 0; r < rounds; r++)
	{
		for (int i = 0; i < count; i++)
		{
			sample(&subjects[i], subjects[i].calls / 2);
			subjects[i].samples[r] = sample(&subjects[i], subjects[i].calls);
		}
	}
	for (int i = 0; i < count; i++)
	{
		qsort(subjects[i].samples, (size_t) rounds, sizeof(double), compare_doubles);
		subjects[i].ns = subjects[i].samples[rounds / 2];
		free(subjects[i].samples);
	}
}

static Subject *
add_subject(Subject *list, int *count, const char *name, const char *variant, Loop loop,
			Function function, size_t n, double bytes)
{
	Subject    *s = &list[(*count)++];

	if (*count > MAX_SUBJECTS)
		abort();
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->variant, sizeof(s->variant), "%s", variant);
	s->loop = loop;
	s->function = function;
	s->n = n;
	s->bytes = bytes;
	return s;
}

/* The dimension that a kernel really runs at, where some are impossible. */
static size_t
actual_dim(const KernelInfo *k, size_t dim)
{
	if (k->loop == loop_hadamard)
	{
		while ((dim & (dim - 1)) != 0)
			dim &= dim - 1;
	}
	if (k->loop == loop_fastscan && dim > NV_FASTSCAN_MAX_GROUPS * NV_FASTSCAN_GROUP)
		dim = NV_FASTSCAN_MAX_GROUPS * NV_FASTSCAN_GROUP;
	return dim;
}

/* GB/s of every kernel of every variant. */
static void
report_all(void)
{
	static Subject list[MAX_SUBJECTS];
	int			count = 0;

	for (size_t k = 0; k < NUM_KERNEL_INFOS; k++)
	{
		const KernelInfo *info = &kernel_infos[k];

		for (int v = 0; v < nv_simd_variant_count(); v++)
		{
			const NvVariant *variant = nv_simd_variant(v);
			Function	f = kernel_function(variant->kernels, info->where);

			if (f == NULL || (variant->needs & ~nv_cpu_detect()) != 0)
				continue;
			for (size_t d = 0; d < NUM_DIMS; d++)
			{
				size_t		n = actual_dim(info, dims[d]);

				add_subject(list, &count, info->name, variant->name, info->loop, f, n,
							(double) n * info->bits / 8);
			}
		}
	}
	measure(list, count);

	printf("\nGB/s of operands read, data in L1\n%-14s %-18s", "kernel", "variant");
	for (size_t d = 0; d < NUM_DIMS; d++)
		printf(" %7zu", dims[d]);
	printf("\n");
	for (int i = 0; i < count; i += (int) NUM_DIMS)
	{
		printf("%-14s %-18s", list[i].name, list[i].variant);
		for (int d = 0; d < (int) NUM_DIMS; d++)
			printf(" %7.1f", list[i + d].bytes / list[i + d].ns);
		printf("\n");
	}
}

/* The f32 kernels that the comparisons are about; L1 distance has no peer. */
static const char *const compared[] = {"l2sq_f32", "ip_f32", "cos_f32", "cosq_f32"};

static const KernelInfo *
kernel_info(const char *name)
{
	for (size_t k = 0; k < NUM_KERNEL_INFOS; k++)
	{
		if (strcmp(kernel_infos[k].name, name) == 0)
			return &kernel_infos[k];
	}
	return NULL;
}

/* Kernels against the rate at which this machine reads the same arrays. */
static void
report_l1_share(const char *variant_name)
{
	static Subject list[MAX_SUBJECTS];
	const NvVariant *variant = usable_variant(variant_name);
	const Subject *best = NULL;
	int			count = 0;
	int			forms;

	if (variant == NULL)
		return;
	for (int i = 0; i < num_l1_forms; i++)
	{
		if (strcmp(l1_forms[i].variant, variant_name) == 0)
			add_subject(list, &count, l1_forms[i].name, l1_forms[i].folded ? "" : "not folded",
						loop_sum_f32, (Function) l1_forms[i].read, L1_DIM, L1_DIM * 8.0);
	}
	forms = count;
	for (size_t k = 0; k < sizeof(compared) / sizeof(compared[0]); k++)
	{
		const KernelInfo *info = kernel_info(compared[k]);

		add_subject(list, &count, info->name, variant_name, info->loop,
					kernel_function(variant->kernels, info->where), L1_DIM, L1_DIM * 8.0);
	}
	measure(list, count);

	printf("\nL1 reads of two arrays of %d floats, %s\n", L1_DIM, variant_name);
	for (int i = 0; i < forms; i++)
	{
		printf("  %-16s %6.1f ns %7.1f GB/s  %s\n", list[i].name, list[i].ns,
			   list[i].bytes / list[i].ns, list[i].variant);
		if (list[i].variant[0] == '\0' && (best == NULL || list[i].ns < best->ns))
			best = &list[i];
	}
	for (int i = forms; i < count; i++)
		printf("%-16s %6.1f ns %7.1f GB/s  %5.1f %% of the best (%s)\n", list[i].name,
			   list[i].ns, list[i].bytes / list[i].ns, 100 * best->ns / list[i].ns, best->name);
}

/* Does a peer compute what it should?  Guards against calling the wrong thing. */
static bool
peer_agrees(Loop loop, Function f, double want)
{
	Inputs		in = inputs;
	double		got;

	in.n = L1_DIM;
	loop(f, &in, 1);
	got = loop == loop_blas ? (double) inputs.out[0] : *(double *) inputs.out;
	if (fabs(got - want) <= 1e-3 * fabs(want))
		return true;
	printf("a peer returned %g instead of %g\n", got, want);
	return false;
}

/* One of our functions against one of a peer, at every dimension. */
static void
report_duel(const char *ours_name, const char *variant, Loop ours_loop, Function ours,
			const char *peer_name, Loop peer_loop, Function peer)
{
	static Subject list[MAX_SUBJECTS];
	int			count = 0;

	for (size_t d = 0; d < NUM_DIMS; d++)
	{
		add_subject(list, &count, ours_name, variant, ours_loop, ours, dims[d], dims[d] * 8.0);
		add_subject(list, &count, peer_name, variant, peer_loop, peer, dims[d], dims[d] * 8.0);
	}
	measure(list, count);
	printf("%-15s %-7s %-24s", ours_name, variant, peer_name);
	for (size_t d = 0; d < NUM_DIMS; d++)
		printf("  %6.1f/%6.1f %5.2f", list[2 * d].ns, list[2 * d + 1].ns,
			   list[2 * d + 1].ns / list[2 * d].ns);
	printf("\n");
}

static void
report_peers(void)
{
	static const char *const variants[] = {"avx2", "avx512"};
	static const char *const isa_names[] = {"haswell", "skylake"};
	double		ab = 0,
				aa = 0,
				bb = 0;
	char		name[64];

	for (int i = 0; i < L1_DIM; i++)
	{
		ab += (double) inputs.f32_a[i] * inputs.f32_b[i];
		aa += (double) inputs.f32_a[i] * inputs.f32_a[i];
		bb += (double) inputs.f32_b[i] * inputs.f32_b[i];
	}
	printf("\nns for one call, ours / peer's, and how many times faster ours is\n%-48s", "");
	for (size_t d = 0; d < NUM_DIMS; d++)
		printf("  %19zu", dims[d]);
	printf("\n");
	for (int i = 0; i < 2; i++)
	{
		const NvVariant *v = usable_variant(variants[i]);

		if (v == NULL)
			continue;
		if (peers.blas_dot != NULL && peer_agrees(loop_blas, peers.blas_dot, ab))
		{
			snprintf(name, sizeof(name), "numpy dot (%s)", peers.blas_core);
			report_duel("ip_f32", v->name, loop_sum_f32, (Function) v->kernels->ip_f32,
						name, loop_blas, peers.blas_dot);
		}
		if (peers.simsimd_dot[i] != NULL && peer_agrees(loop_simsimd, peers.simsimd_dot[i], ab))
		{
			snprintf(name, sizeof(name), "simsimd dot %s", isa_names[i]);
			report_duel("ip_f32", v->name, loop_sum_f32, (Function) v->kernels->ip_f32,
						name, loop_simsimd, peers.simsimd_dot[i]);
		}
		if (peers.simsimd_l2sq[i] != NULL &&
			peer_agrees(loop_simsimd, peers.simsimd_l2sq[i], aa + bb - 2 * ab))
		{
			snprintf(name, sizeof(name), "simsimd l2sq %s", isa_names[i]);
			report_duel("l2sq_f32", v->name, loop_sum_f32, (Function) v->kernels->l2sq_f32,
						name, loop_simsimd, peers.simsimd_l2sq[i]);
		}
		if (peers.simsimd_cos[i] != NULL &&
			peer_agrees(loop_simsimd, peers.simsimd_cos[i], 1 - ab / sqrt(aa * bb)))
		{
			snprintf(name, sizeof(name), "simsimd cos %s", isa_names[i]);
			report_duel("cos_f32 + div", v->name, loop_cos_distance,
						(Function) v->kernels->cos_f32, name, loop_simsimd, peers.simsimd_cos[i]);
			report_duel("cosq_f32 + div", v->name, loop_cosq_distance,
						(Function) v->kernels->cosq_f32, name, loop_simsimd, peers.simsimd_cos[i]);
		}
	}
}

static void *
aligned_block(size_t size)
{
	char	   *p = aligned_alloc(64, (size + 64 + 63) / 64 * 64);

	if (p == NULL)
		abort();
	memset(p, 0, size + 64);
	return p + offset_bytes;
}

static void
make_inputs(void)
{
	size_t		n = MANY_ROWS * DIM_MAX;
	nv_f32	   *f32[2];
	nv_f16	   *f16[2];
	uint8_t    *u8[2];

	for (int which = 0; which < 2; which++)
	{
		uint32_t	state = 12345 + (uint32_t) which;

		f32[which] = aligned_block(n * sizeof(float));
		f16[which] = aligned_block(n * sizeof(uint16_t));
		/* a fast-scan block takes 4 bytes for each dimension */
		u8[which] = aligned_block(n);
		for (size_t i = 0; i < n; i++)
		{
			state = state * 1664525u + 1013904223u;
			f32[which][i] = (float) (state >> 8) * 0x1p-24f - 0.25f;
			f16[which][i] = nv_float_to_half(f32[which][i]);
			u8[which][i] = (uint8_t) (state >> 24);
		}
	}
	inputs.f32_a = f32[0];
	inputs.f32_b = f32[1];
	inputs.f16_a = f16[0];
	inputs.f16_b = f16[1];
	inputs.u8_a = u8[0];
	inputs.u8_b = u8[1];
	offset_bytes = 0;
	inputs.zeros = aligned_block(DIM_MAX * sizeof(float));
	inputs.out = aligned_block(DIM_MAX * sizeof(float));
}

static bool
parse_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		if (i + 1 == argc)
			return false;
		if (strcmp(argv[i], "--rounds") == 0)
			rounds = atoi(argv[++i]);
		else if (strcmp(argv[i], "--sample-us") == 0)
			sample_us = atoi(argv[++i]);
		else if (strcmp(argv[i], "--offset") == 0)
			offset_bytes = (size_t) atoi(argv[++i]);
		else if (strcmp(argv[i], "--blas") == 0)
			blas_path = argv[++i];
		else if (strcmp(argv[i], "--simsimd") == 0)
			simsimd_path = argv[++i];
		else
			return false;
	}
	return rounds > 0 && sample_us > 0 && offset_bytes < 64;
}

extern int	kernel_bench_main(int argc, char **argv);

/* Also the entry point of the shared object that kernel_bench.py loads. */
int
kernel_bench_main(int argc, char **argv)
{
	const char *bad;
	double		start;

	if (!parse_options(argc, argv))
	{
		fprintf(stderr, "usage: %s [--rounds N] [--sample-us N] [--offset BYTES] "
				"[--blas LIBRARY] [--simsimd LIBRARY]\n", argv[0]);
		return 2;
	}
	nv_simd_init(&bad);
	printf("arrays start %zu bytes after a multiple of 64; medians of %d samples of %d us\n",
		   offset_bytes, rounds, sample_us);
	make_inputs();
	peers = peers_load(blas_path, simsimd_path);

	/* reach the working clock */
	for (start = now_ns(); now_ns() - start < 3e8;)
		nv_kern.l2sq_f32(inputs.f32_a, inputs.f32_b, DIM_MAX);

	report_all();
	report_l1_share("avx2");
	report_l1_share("avx512");
	report_peers();
	fflush(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	return kernel_bench_main(argc, argv);
}
