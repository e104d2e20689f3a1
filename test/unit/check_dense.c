/*-------------------------------------------------------------------------
 *
 * check_dense.c
 *		Distances of dense vectors against sums in long double.
 *
 * A kernel runs on vectors that end right before a page that cannot be read
 * and on vectors that begin right after one, at many alignments, so that a
 * read outside of the vector ends the program.  Small whole numbers, whose
 * sums floats hold exactly, show a single element lost or taken twice, which
 * the error bound would hide; the other data sets check the bound itself.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tap.h"

const size_t long_lengths[NUM_LONG] = {1023, 1024, 1536, 2000, 3072, LONG_MAX};

typedef enum ElementType
{
	ELEMENT_F32,
	ELEMENT_F16,
	ELEMENT_U8,
	ELEMENT_U16
} ElementType;

static const size_t element_size[] = {sizeof(float), sizeof(uint16_t), 1, sizeof(uint16_t)};

typedef enum Pair
{
	PAIR_f32,
	PAIR_f16,
	PAIR_f32_f16,
	PAIR_f32_u8,
	PAIR_f32_u16,
	PAIR_u16,
	NUM_PAIRS
} Pair;

static const ElementType type_of_a[] = {ELEMENT_F32, ELEMENT_F16, ELEMENT_F32, ELEMENT_F32,
ELEMENT_F32, ELEMENT_U16};
static const ElementType type_of_b[] = {ELEMENT_F32, ELEMENT_F16, ELEMENT_F16, ELEMENT_U8,
ELEMENT_U16, ELEMENT_U16};

typedef enum Op
{
	OP_l2sq,
	OP_ip,
	OP_l1,
	OP_step,
	OP_cos
} Op;

/* What a kernel gets and gives. */
typedef struct Operands
{
	const uint8_t *a;
	const uint8_t *b;
	size_t		n;
	float		scale;
	float		offset;
} Operands;

typedef struct Result
{
	float		sum;
	NvCosine	cos;
	float	   *step;			/* LONG_MAX + NV_STEP_ROOM of them */
	float		greatest;
} Result;

/* Run one kernel of a table; false when the table lacks it.  x may be NULL, to ask only. */
typedef bool (*RunKernel) (const NvKernels *k, const Operands *x, Result *r);

#define DEFINE_RUN(op, pair, assign, A, B, ...) \
static bool \
run_##op##_##pair(const NvKernels *k, const Operands *x, Result *r) \
{ \
	if (k->op##_##pair != NULL && x != NULL) \
		assign k->op##_##pair((const A *) x->a, (const B *) x->b, x->n __VA_ARGS__); \
	return k->op##_##pair != NULL; \
}

#define DEFINE_MEASURES(pair, A, B, ...) \
	DEFINE_RUN(l2sq, pair, r->sum =, A, B, __VA_ARGS__) \
	DEFINE_RUN(ip, pair, r->sum =, A, B, __VA_ARGS__) \
	DEFINE_RUN(l1, pair, r->sum =, A, B, __VA_ARGS__)

#define DEFINE_STEP(pair, A, B, ...) \
	DEFINE_RUN(step, pair, r->sum =, A, B, __VA_ARGS__, r->step, &r->greatest)

#define DEFINE_PAIR(pair, A, B, ...) \
	DEFINE_MEASURES(pair, A, B, __VA_ARGS__) \
	DEFINE_RUN(cos, pair, , A, B, __VA_ARGS__, &r->cos)

DEFINE_PAIR(f32, nv_f32, nv_f32)
DEFINE_PAIR(f16, nv_f16, nv_f16)
DEFINE_MEASURES(f32_f16, nv_f32, nv_f16)
DEFINE_MEASURES(f32_u8, nv_f32, uint8_t, , x->scale, x->offset)
DEFINE_MEASURES(f32_u16, nv_f32, nv_u16, , x->scale, x->offset)
DEFINE_MEASURES(u16, nv_u16, nv_u16, , x->scale, x->offset, x->scale, x->offset)
DEFINE_STEP(f32, nv_f32, nv_f32)
DEFINE_STEP(f32_f16, nv_f32, nv_f16)
DEFINE_STEP(f32_u8, nv_f32, uint8_t, , x->scale, x->offset)
DEFINE_STEP(f32_u16, nv_f32, nv_u16, , x->scale, x->offset)

typedef struct DenseKernel
{
	const char *name;
	Op			op;
	Pair		pair;
	RunKernel	run;
} DenseKernel;

#define KERNEL(op, pair) {#op "_" #pair, OP_##op, PAIR_##pair, run_##op##_##pair}
#define MEASURES_OF_PAIR(pair) \
	KERNEL(l2sq, pair), KERNEL(ip, pair), KERNEL(l1, pair)
#define KERNELS_OF_PAIR(pair) \
	MEASURES_OF_PAIR(pair), KERNEL(cos, pair)

static const DenseKernel dense_kernels[] = {
	KERNELS_OF_PAIR(f32),
	KERNELS_OF_PAIR(f16),
	MEASURES_OF_PAIR(f32_f16),
	MEASURES_OF_PAIR(f32_u8),
	MEASURES_OF_PAIR(f32_u16),
	MEASURES_OF_PAIR(u16),
	KERNEL(step, f32),
	KERNEL(step, f32_f16),
	KERNEL(step, f32_u8),
	KERNEL(step, f32_u16)
};

#define NUM_DENSE (sizeof(dense_kernels) / sizeof(dense_kernels[0]))

/* The sums that kernels return, and of what magnitude the added terms are. */
enum
{
	SUM_L2SQ,
	SUM_IP,
	SUM_L1,
	SUM_AA,
	SUM_BB,
	NUM_SUMS
};

typedef struct Sums
{
	long double value[NUM_SUMS];
	long double magnitude[NUM_SUMS];
} Sums;

typedef enum DataSet
{
	DATA_WHOLE,					/* small whole numbers, or halves of them */
	DATA_GAUSSIAN,
	DATA_RANGE,					/* magnitudes spread over many powers of 2 */
	DATA_EQUAL,
	DATA_ALTERNATING,
	DATA_ZERO,
	DATA_SUBNORMAL,
	DATA_ABSORBED,				/* a large element, then ones that vanish next to it */
	NUM_DATA_SETS
} DataSet;

static const char *const data_names[] = {
	"whole", "gaussian", "range", "equal", "alternating", "zero", "subnormal",
	"absorbed"
};

/* One data set for one pair of types, with the sums that kernels should find. */
typedef struct Case
{
	DataSet		data;
	Pair		pair;
	float		scale;
	float		offset;
	uint8_t    *a;
	uint8_t    *b;
	Sums		first[SHORT_MAX + 1];	/* of the first n elements */
	Sums		last[SHORT_MAX + 1];	/* of the last n of SHORT_MAX elements */
	Sums		longer[NUM_LONG];	/* of the first long_lengths[i] elements */
} Case;

static Case *cases[NUM_PAIRS][NUM_DATA_SETS];
static Region memory_a;
static Region memory_b;

/*
 * Element i of a data set; operand is 0 for a, 1 for b.  limit bounds the
 * powers of 2 of DATA_RANGE and smallest is the least positive number.
 */
static double
draw(DataSet data, size_t i, int operand, int limit, double smallest)
{
	int			whole = random_int(1, 8);

	switch (data)
	{
		case DATA_WHOLE:
			return random_int(0, 1) ? whole : -whole;
		case DATA_GAUSSIAN:
			return random_gaussian();
		case DATA_RANGE:
			return ldexp(random_uniform() - 0.5, random_int(-limit, limit));
		case DATA_EQUAL:
			return operand ? 0.3 : 0.1;
		case DATA_ALTERNATING:
			return (i % 2 && operand == 0 ? -1.0 : 1.0) * (1.0 + 0.001 * random_gaussian());
		case DATA_SUBNORMAL:
			return smallest * random_int(-1000, 1000);
		case DATA_ABSORBED:
			return (i == 0 ? 1.0 : 0x1.fcp-13) * (operand ? -1.0 : 1.0);
		default:
			return i % 3 ? 0.0 : -0.0;
	}
}

static uint8_t
draw_code(DataSet data, size_t i)
{
	switch (data)
	{
		case DATA_WHOLE:
			return (uint8_t) random_int(0, 7);
		case DATA_EQUAL:
			return 200;
		case DATA_ALTERNATING:
			return i % 2 ? 255 : 0;
		case DATA_ZERO:
			return 0;
		default:
			return (uint8_t) random_int(0, 255);
	}
}

static uint8_t *
make_operand(ElementType type, DataSet data, int operand)
{
	uint8_t    *all = malloc(LONG_MAX * element_size[type]);

	for (size_t i = 0; i < LONG_MAX; i++)
	{
		if (type == ELEMENT_F32)
			((float *) all)[i] = (float) draw(data, i, operand, 50, 0x1p-149);
		else if (type == ELEMENT_F16)
			((uint16_t *) all)[i] = reference_half(draw(data, i, operand, 15, 0x1p-24));
		else if (type == ELEMENT_U16)
			((uint16_t *) all)[i] = (uint16_t) (draw_code(data, i) << (data == DATA_WHOLE ? 0 : 8));
		else
			all[i] = draw_code(data, i);
	}
	return all;
}

static void
add_term(Sums *s, int which, long double value, long double magnitude)
{
	s->value[which] += value;
	s->magnitude[which] += magnitude;
}

/* Element i of an operand, and of what magnitude the parts are that it is computed from. */
static long double
element_of(ElementType type, const uint8_t *all, size_t i, const Case *c, long double *magnitude)
{
	long double code;

	switch (type)
	{
		case ELEMENT_F32:
			*magnitude = fabsf(((float *) all)[i]);
			return ((float *) all)[i];
		case ELEMENT_F16:
			*magnitude = fabs(reference_half_value(((uint16_t *) all)[i]));
			return reference_half_value(((uint16_t *) all)[i]);
		default:
			code = type == ELEMENT_U8 ? all[i] : ((uint16_t *) all)[i];
			*magnitude = fabsl((long double) c->offset) + fabsl((long double) c->scale * code);
			return (long double) c->offset + (long double) c->scale * code;
	}
}

/*
 * Add the terms of element i.  An element that is offset + scale * code
 * is itself rounded, relative to the magnitude of those two parts.
 */
static void
add_element(Sums *s, const Case *c, size_t i)
{
	long double x_magnitude,
				y_magnitude,
				x = element_of(type_of_a[c->pair], c->a, i, c, &x_magnitude),
				y = element_of(type_of_b[c->pair], c->b, i, c, &y_magnitude),
				d = x - y,
				d_magnitude = fabsl(d);

	if (type_of_b[c->pair] >= ELEMENT_U8)
		d_magnitude = x_magnitude + y_magnitude;
	add_term(s, SUM_L2SQ, d * d, fabsl(d) * d_magnitude);
	add_term(s, SUM_IP, x * y, x_magnitude * y_magnitude);
	add_term(s, SUM_L1, fabsl(d), d_magnitude);
	add_term(s, SUM_AA, x * x, x * x);
	add_term(s, SUM_BB, y * y, fabsl(y) * y_magnitude);
}

static Case *
make_case(Pair pair, DataSet data)
{
	static const float scales[] = {1.0f, 0.02f, 0.001f, 0.1f, 2.0f / 255, 0.5f, 1e-40f, 1e-6f};
	static const float offsets[] = {-3.5f, -2.5f, 50.0f, 0.3f, -1.0f, 0.0f, -1e-38f, 0.0f};
	Case	   *c = calloc(1, sizeof(Case));
	Sums		s = {{0}, {0}};

	c->data = data;
	c->pair = pair;
	c->scale = scales[data];
	c->offset = offsets[data];
	c->a = make_operand(type_of_a[pair], data, 0);
	c->b = make_operand(type_of_b[pair], data, 1);

	for (size_t n = 1; n <= SHORT_MAX; n++)
	{
		c->last[n] = c->last[n - 1];
		add_element(&c->last[n], c, SHORT_MAX - n);
	}
	for (size_t n = 0, next = 0; n <= LONG_MAX; n++)
	{
		if (n <= SHORT_MAX)
			c->first[n] = s;
		if (n == long_lengths[next])
			c->longer[next++] = s;
		if (n < LONG_MAX)
			add_element(&s, c, n);
	}
	return c;
}

/* Compare one sum; the second term of the bound allows for underflow. */
static void
expect(const Case *c, const Operands *x, const Sums *want, int which, const char *what, float got)
{
	long double bound = 0;

	if (c->data != DATA_WHOLE)
		bound = NV_KERNEL_RELERR(x->n) * want->magnitude[which] + 0x1p-147L * x->n;
	if (!(fabsl(got - want->value[which]) <= bound))
		tap_fail("%s of %zu %s elements (a & 63 = %u, b & 63 = %u) is %.9g, not %.9Lg +- %.3Lg",
				 what, x->n, data_names[c->data], (unsigned) ((uintptr_t) x->a & 63),
				 (unsigned) ((uintptr_t) x->b & 63), (double) got, want->value[which], bound);
}

/* Elements of a step, which vectors they are of being told by where they end. */
static void
check_step(const Case *c, const Operands *x, const Result *r)
{
	float		greatest = 0;

	for (size_t i = 0; i < x->n; i++)
	{
		long double a_magnitude,
					b_magnitude,
					a = element_of(type_of_a[c->pair], x->a, i, c, &a_magnitude),
					b = element_of(type_of_b[c->pair], x->b, i, c, &b_magnitude);

		if (!(fabsl(r->step[i] - (a - b)) <= 3e-7L * (a_magnitude + b_magnitude) + 0x1p-147L))
			tap_fail("element %zu of %zu %s steps is %.9g, not %.9Lg", i, x->n,
					 data_names[c->data], (double) r->step[i], a - b);
		greatest = fmaxf(greatest, fabsf(r->step[i]));
	}
	if (r->greatest != greatest)
		tap_fail("the greatest of %zu %s steps is %.9g, not %.9g", x->n, data_names[c->data],
				 (double) r->greatest, (double) greatest);
	for (size_t i = x->n; i < (x->n + NV_STEP_ROOM - 1) / NV_STEP_ROOM * NV_STEP_ROOM; i++)
	{
		if (r->step[i] != 0)
			tap_fail("%.9g behind %zu steps", (double) r->step[i], x->n);
	}
}

static void
check_once(const DenseKernel *kernel, const NvKernels *table, const Case *c,
		   const uint8_t *a, const uint8_t *b, size_t n, const Sums *want)
{
	static const int sum_of_op[] = {SUM_L2SQ, SUM_IP, SUM_L1, SUM_L2SQ};
	static float step[LONG_MAX + NV_STEP_ROOM];
	Operands	x = {a, b, n, c->scale, c->offset};
	Result		r = {0, {-123.0f, -123.0f, -123.0f}, step, 0};

	memset(step, 0, (n + NV_STEP_ROOM) * sizeof(float));
	kernel->run(table, &x, &r);
	if (kernel->op == OP_step)
		check_step(c, &x, &r);
	if (kernel->op != OP_cos)
	{
		expect(c, &x, want, sum_of_op[kernel->op], "the sum", r.sum);
		return;
	}
	expect(c, &x, want, SUM_IP, "ab", r.cos.ab);
	expect(c, &x, want, SUM_BB, "bb", r.cos.bb);
	expect(c, &x, want, SUM_AA, "aa", r.cos.aa);
}

/* All short lengths, shift bytes away from the guard pages. */
static void
check_short(const DenseKernel *kernel, const NvKernels *table, const Case *c,
			size_t shift_a, size_t shift_b)
{
	size_t		size_a = element_size[type_of_a[c->pair]];
	size_t		size_b = element_size[type_of_b[c->pair]];
	uint8_t    *end_a = memory_a.end - shift_a;
	uint8_t    *end_b = memory_b.end - shift_b;
	uint8_t    *start_a = memory_a.start + shift_a;
	uint8_t    *start_b = memory_b.start + shift_b;

	memcpy(end_a - SHORT_MAX * size_a, c->a, SHORT_MAX * size_a);
	memcpy(end_b - SHORT_MAX * size_b, c->b, SHORT_MAX * size_b);
	for (size_t n = 0; n <= SHORT_MAX; n++)
		check_once(kernel, table, c, end_a - n * size_a, end_b - n * size_b, n, &c->last[n]);

	memcpy(start_a, c->a, SHORT_MAX * size_a);
	memcpy(start_b, c->b, SHORT_MAX * size_b);
	for (size_t n = 0; n <= SHORT_MAX; n++)
		check_once(kernel, table, c, start_a, start_b, n, &c->first[n]);
}

static void
check_long(const DenseKernel *kernel, const NvKernels *table, const Case *c,
		   size_t shift_a, size_t shift_b)
{
	for (int i = 0; i < NUM_LONG; i++)
	{
		size_t		n = long_lengths[i];
		size_t		bytes_a = n * element_size[type_of_a[c->pair]];
		size_t		bytes_b = n * element_size[type_of_b[c->pair]];
		uint8_t    *a = memory_a.end - shift_a - bytes_a;
		uint8_t    *b = memory_b.end - shift_b - bytes_b;

		memcpy(a, c->a, bytes_a);
		memcpy(b, c->b, bytes_b);
		check_once(kernel, table, c, a, b, n, &c->longer[i]);

		a = memory_a.start + shift_a;
		b = memory_b.start + shift_b;
		memcpy(a, c->a, bytes_a);
		memcpy(b, c->b, bytes_b);
		check_once(kernel, table, c, a, b, n, &c->longer[i]);
	}
}

/* A NaN anywhere must show in the result, and so must an overflow. */
static void
check_not_finite(const DenseKernel *kernel, const NvKernels *table)
{
	const Case *c = cases[kernel->pair][DATA_WHOLE];
	bool		half = type_of_a[c->pair] == ELEMENT_F16;
	static float step[LONG_MAX + NV_STEP_ROOM];
	size_t		size = element_size[type_of_a[c->pair]];
	uint8_t    *a = memory_a.start;
	uint16_t	half_nan = 0x7e00;
	float		nan = NAN;

	/* codes are always numbers */
	for (size_t n = 1; n <= SHORT_MAX && type_of_a[c->pair] <= ELEMENT_F16; n++)
	{
		Operands	x = {a, c->b, n, c->scale, c->offset};
		Result		r = {0, {0, 0, 0}, step, 0};
		size_t		at = (size_t) random_int(0, (int) n - 1);

		memcpy(a, c->a, n * size);
		memcpy(a + at * size, half ? (void *) &half_nan : (void *) &nan, size);
		kernel->run(table, &x, &r);
		if (kernel->op != OP_cos ? !isnan(r.sum) : !isnan(r.cos.ab))
			tap_fail("no NaN from element %zu of %zu", at, n);
		if (kernel->op == OP_cos && !isnan(r.cos.aa))
			tap_fail("no NaN in aa from element %zu of %zu", at, n);
		if (kernel->op == OP_cos && isnan(r.cos.bb))
			tap_fail("NaN in bb from element %zu of a", at);
	}

	if (kernel->pair == PAIR_f32)
	{
		float		x[37];
		float		y[37];
		Operands	xy = {(uint8_t *) x, (uint8_t *) y, 37, 1, 0};
		Result		r = {0, {0, 0, 0}, step, 0};

		for (int i = 0; i < 37; i++)
		{
			x[i] = 3e38f;
			y[i] = -3e38f;
		}
		kernel->run(table, &xy, &r);
		if (kernel->op != OP_cos ? !isinf(r.sum) : !isinf(r.cos.ab) || !isinf(r.cos.bb))
			tap_fail("no infinity from an overflow");
	}
}

/* The kernel of the same pair of types for another operation. */
static const DenseKernel *
sibling(const DenseKernel *kernel, Op op)
{
	for (size_t i = 0; i < NUM_DENSE; i++)
	{
		if (dense_kernels[i].op == op && dense_kernels[i].pair == kernel->pair)
			return &dense_kernels[i];
	}
	abort();
}

/*
 * The cosine of equal vectors must be exactly 1, also when the norm of one
 * comes from another kernel: all the sums must be the same to the last bit.
 */
static void
check_equal_vectors(const DenseKernel *kernel, const NvKernels *table)
{
	const Case *c = cases[kernel->pair][DATA_GAUSSIAN];
	const DenseKernel *ip = sibling(kernel, OP_ip);

	for (size_t n = 0; n <= SHORT_MAX; n++)
	{
		Operands	x = {c->b, c->b, n, c->scale, c->offset};
		Result		r = {0, {0, 0, 0}, NULL, 0};
		Result		product = {0, {0, 0, 0}, NULL, 0};

		kernel->run(table, &x, &r);
		if (ip->run(table, &x, &product) && r.cos.ab != product.sum)
			tap_fail("%zu equal elements: ab %a, but their inner product %a", n,
					 (double) r.cos.ab, (double) product.sum);
		if (r.cos.ab != r.cos.bb || r.cos.aa != r.cos.bb)
			tap_fail("%zu equal elements: ab %a, aa %a, bb %a", n, (double) r.cos.ab,
					 (double) r.cos.aa, (double) r.cos.bb);
	}
}

static void
check_kernel(const DenseKernel *kernel, const NvKernels *table)
{
	size_t		size_a = element_size[type_of_a[kernel->pair]];
	size_t		size_b = element_size[type_of_b[kernel->pair]];
	const Case *whole = cases[kernel->pair][DATA_WHOLE];

	for (int data = 0; data < NUM_DATA_SETS; data++)
	{
		const Case *c = cases[kernel->pair][data];
		size_t		step = data == DATA_WHOLE && !quick_mode() ? 1 : 3;

		for (size_t shift_a = 0; shift_a < 4; shift_a += step)
		{
			for (size_t shift_b = 0; shift_b < 4; shift_b += step)
				check_short(kernel, table, c, shift_a, shift_b);
		}
		check_long(kernel, table, c, 0, 0);
		check_long(kernel, table, c, 5, 2);
	}
	for (size_t i = 0; i < (quick_mode() ? 4 : 34); i++)
		check_short(kernel, table, whole, i % 17 * size_a + i % 4, i * 5 % 17 * size_b + i / 4 % 4);
	check_not_finite(kernel, table);
	if (kernel->op == OP_cos)
		check_equal_vectors(kernel, table);
}

void
check_dense(const NvVariant *v)
{
	if (cases[0][0] == NULL)
	{
		random_seed(1);
		memory_a = region_create(LONG_MAX * sizeof(float) + 100);
		memory_b = region_create(LONG_MAX * sizeof(float) + 100);
		for (int pair = 0; pair < NUM_PAIRS; pair++)
		{
			for (int data = 0; data < NUM_DATA_SETS; data++)
				cases[pair][data] = make_case(pair, data);
		}
	}
	for (size_t i = 0; i < NUM_DENSE; i++)
	{
		if (!dense_kernels[i].run(v->kernels, NULL, NULL))
			continue;
		tap_begin("%s %s", v->name, dense_kernels[i].name);
		check_kernel(&dense_kernels[i], v->kernels);
		tap_end();
	}
}
