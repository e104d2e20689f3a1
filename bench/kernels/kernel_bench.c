/*-------------------------------------------------------------------------
 *
 * kernel_bench.c
 *		Speed of the kernels on data in the first-level cache, against the
 *		speed at which this machine reads that cache and against others'
 *		kernels.
 *
 * Everything that is compared is measured in turns, so that a change of the
 * clock or a neighbour's noise hits all of it alike; reported are medians.
 * Results are stored after every call, and calls do not depend on each other,
 * as when a query meets many rows.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "simd/cpu.h"
#include "simd/half.h"

#define DIM_MAX 1536
#define L1_DIM 768				/* dimension of the comparison with L1 reads */
#define MANY_ROWS 4				/* rows on each side of l2sq_many */

static const size_t dims[] = {128, 384, 768, DIM_MAX};

#define NUM_DIMS (sizeof(dims) / sizeof(dims[0]))

/* Options. */
static int	rounds = 101;
static int	sample_us = 60;
static size_t offset_bytes = 0;
static bool peers_only = false;
static const char *blas_path = NULL;
static const char *simsimd_path = NULL;

static Inputs inputs;
static Peers peers;
static SubjectList list;		/* what is being measured */

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
DEFINE_LOOP(loop_sum_f32_u8, Type_l2sq_f32_u8,
			*x.out = f(x.f32_a, x.u8_b, x.n, 0.01f, -1.0f))
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

/* The cosine kernel with the few operations that make a distance of their sums. */
DEFINE_LOOP(loop_cos_distance, Type_cos_f32,
			f(x.f32_a, x.f32_b, x.n, OUT_COS);
			x.out[8] = 1.0f - OUT_COS->ab / sqrtf(OUT_COS->aa * OUT_COS->bb))

/* A kernel: where it is in a table, its loop, and bits read for each dimension. */
typedef struct KernelInfo
{
	const char *name;
	size_t		where;
	Loop		loop;
	double		bits;
} KernelInfo;

#define KERNEL(name, loop, bits) {#name, offsetof(NvKernels, name), loop, bits}
#define MEASURES(sfx, bits) \
	KERNEL(l2sq_##sfx, loop_sum_##sfx, bits), KERNEL(ip_##sfx, loop_sum_##sfx, bits), \
	KERNEL(l1_##sfx, loop_sum_##sfx, bits)
#define DENSE(sfx, bits) \
	MEASURES(sfx, bits), KERNEL(cos_##sfx, loop_cos_##sfx, bits)

static const KernelInfo kernel_infos[] = {
	DENSE(f32, 64),
	DENSE(f16, 32),
	MEASURES(f32_f16, 48),
	MEASURES(f32_u8, 40),
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

				add_subject(&list, info->name, variant->name, info->loop, f, n,
							(double) n * info->bits / 8);
			}
		}
	}
	measure(&list, &inputs, rounds, sample_us);

	printf("\nGB/s of operands read, data in L1\n%-14s %-18s", "kernel", "variant");
	for (size_t d = 0; d < NUM_DIMS; d++)
		printf(" %7zu", dims[d]);
	printf("\n");
	for (int i = 0; i < list.count; i += (int) NUM_DIMS)
	{
		const Subject *s = &list.subjects[i];

		printf("%-14s %-18s", s->name, s->variant);
		for (int d = 0; d < (int) NUM_DIMS; d++)
			printf(" %7.1f", s[d].bytes / s[d].ns);
		printf("\n");
	}
	clear_list(&list);
}

/* The f32 kernels that the comparisons are about; L1 distance has no peer. */
static const char *const compared[] = {"l2sq_f32", "ip_f32", "cos_f32"};

#define NUM_COMPARED (sizeof(compared) / sizeof(compared[0]))

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

/*
 * Add the read loops of one variant to the list, to be measured after so long
 * of 'before', or of themselves if it is NULL.  Returns how many.
 */
static int
add_forms(const char *variant_name, Function before, int us)
{
	int			added = 0;

	for (int i = 0; i < num_l1_forms; i++)
	{
		const L1Form *form = &l1_forms[i];
		Function	read = (Function) form->read;
		Subject    *s;

		if (strcmp(form->variant, variant_name) != 0)
			continue;
		s = add_subject(&list, form->name, form->folded ? "" : "-", loop_sum_f32, read,
						L1_DIM, L1_DIM * 8.0);
		run_before(s, loop_sum_f32, before != NULL ? before : read, us);
		added++;
	}
	return added;
}

/* The fastest of the read loops that fold what they load. */
static const Subject *
best_form(const Subject *forms, int count)
{
	const Subject *best = NULL;

	for (int i = 0; i < count; i++)
	{
		if (forms[i].variant[0] == '\0' && (best == NULL || forms[i].ns < best->ns))
			best = &forms[i];
	}
	return best;
}

/* Kernels against the rate at which this machine reads the same arrays. */
static void
report_l1_share(const char *variant_name)
{
	const NvVariant *variant = usable_variant(variant_name);
	const Subject *own_best;
	const Subject *best;
	int			forms;

	if (variant == NULL)
		return;
	/* two milliseconds of itself let the clock become what the loop allows */
	forms = add_forms(variant_name, NULL, 2000);
	add_forms(variant_name, (Function) variant->kernels->l2sq_f32, sample_us);
	for (size_t k = 0; k < NUM_COMPARED; k++)
	{
		const KernelInfo *info = kernel_info(compared[k]);
		Function	f = kernel_function(variant->kernels, info->where);

		run_before(add_subject(&list, info->name, variant_name, info->loop, f, L1_DIM,
							   L1_DIM * 8.0),
				   info->loop, f, sample_us);
	}
	measure(&list, &inputs, rounds, sample_us);

	printf("\nReads of two arrays of %d floats from L1, %s: ns, GB/s at the loop's own clock;\n"
		   "ns, GB/s at the clock of kernels\n", L1_DIM, variant_name);
	for (int i = 0; i < forms; i++)
	{
		const Subject *s = &list.subjects[i];

		printf("  %-18s %7.1f %7.1f   %7.1f %7.1f\n", s->name, s->ns, s->bytes / s->ns,
			   s[forms].ns, s[forms].bytes / s[forms].ns);
	}
	own_best = best_form(list.subjects, forms);
	best = best_form(list.subjects + forms, forms);
	printf("Kernels: ns, GB/s, %% of the best read loop (that does not only load) at the clock\n"
		   "of kernels, and at its own\n");
	for (int i = 2 * forms; i < list.count; i++)
	{
		const Subject *s = &list.subjects[i];

		printf("  %-10s %-7s %7.1f %7.1f   %5.1f   %5.1f\n", s->name, s->variant, s->ns,
			   s->bytes / s->ns, 100 * median_ratio(best, s, rounds),
			   100 * median_ratio(own_best, s, rounds));
	}
	clear_list(&list);
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
	for (size_t d = 0; d < NUM_DIMS; d++)
	{
		double		bytes = (double) dims[d] * 8;

		add_subject(&list, ours_name, variant, ours_loop, ours, dims[d], bytes);
		add_subject(&list, peer_name, variant, peer_loop, peer, dims[d], bytes);
	}
	measure(&list, &inputs, 3 * rounds, sample_us);
	printf("%-15s %-7s %-23s", ours_name, variant, peer_name);
	for (int i = 0; i < list.count; i += 2)
	{
		const Subject *s = &list.subjects[i];

		printf("  %5.1f %5.1f %5.2f", s[0].ns, s[1].ns, median_ratio(&s[1], &s[0], 3 * rounds));
	}
	printf("\n");
	clear_list(&list);
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

	if (peers.blas_dot == NULL && peers.simsimd_dot[0] == NULL)
		return;
	for (int i = 0; i < L1_DIM; i++)
	{
		ab += (double) inputs.f32_a[i] * inputs.f32_b[i];
		aa += (double) inputs.f32_a[i] * inputs.f32_a[i];
		bb += (double) inputs.f32_b[i] * inputs.f32_b[i];
	}
	printf("\nns for one call, ours and the peer's, and how many times as fast ours is\n%-47s", "");
	for (size_t d = 0; d < NUM_DIMS; d++)
		printf("  %17zu", dims[d]);
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
		}
	}
}

/*
 * Memory that starts a few bytes after a page does.  Inputs start there;
 * outputs start where no input of up to 768 dimensions reaches, because loads
 * that agree with an earlier store in the last 12 bits of their addresses
 * wait for it.
 */
static void *
new_block(size_t size, size_t start)
{
	size_t		total = (size + start + 4095) / 4096 * 4096;
	char	   *p = aligned_alloc(4096, total);

	if (p == NULL)
		abort();
	memset(p, 0, total);
	return p + start;
}

#define OUTPUT_START 3584

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

		f32[which] = new_block(n * sizeof(float), offset_bytes);
		f16[which] = new_block(n * sizeof(uint16_t), offset_bytes);
		u8[which] = new_block(n, offset_bytes);	/* fast scan: 4 bytes for a dimension */
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
	inputs.zeros = new_block(DIM_MAX * sizeof(float), 0);
	inputs.out = new_block(DIM_MAX * sizeof(float), OUTPUT_START);
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
		else if (strcmp(argv[i], "--peers-only") == 0)
			peers_only = strcmp(argv[++i], "yes") == 0;
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
				"[--blas LIBRARY] [--simsimd LIBRARY] [--peers-only yes]\n", argv[0]);
		return 2;
	}
	nv_simd_init(&bad);
	make_inputs();
	peers = peers_load(blas_path, simsimd_path);

	/* reach the working clock */
	for (start = now_ns(); now_ns() - start < 3e8;)
		nv_kern.l2sq_f32(inputs.f32_a, inputs.f32_b, DIM_MAX);

	if (!peers_only)
	{
		printf("arrays start %zu bytes after a page; medians of %d samples of %d us\n",
			   offset_bytes, rounds, sample_us);
		report_all();
		report_l1_share("avx2");
		report_l1_share("avx512");
	}
	report_peers();
	fflush(stdout);
	return 0;
}

int
main(int argc, char **argv)
{
	return kernel_bench_main(argc, argv);
}
