/*-------------------------------------------------------------------------
 *
 * check_half.c
 *		Conversions between floats and halves.
 *
 * To floats: all 65,536 halves.  To halves: every half, every point midway
 * between two halves, both with their neighbours among the floats, special
 * values, and random floats.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd/half.h"
#include "support.h"
#include "tap.h"

#define NUM_HALVES 65536
#define FINITE_HALVES 0x7c00	/* of one sign */
#define NUM_RANDOM 300000
#define PER_HALF 12				/* floats made from each finite half */
#define NUM_FLOATS (FINITE_HALVES * PER_HALF + 2 * NUM_RANDOM + 100)

static Region memory_in;
static Region memory_out;
static uint16_t halves[NUM_HALVES];
static float half_values[NUM_HALVES];
static float *floats;			/* inputs, with the halves that they round to */
static uint16_t *rounded;
static size_t num_floats;

static uint32_t
float_bits(float f)
{
	uint32_t	bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static float
float_of_bits(uint32_t bits)
{
	float		f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static void
add_float(float f)
{
	rounded[num_floats] = reference_half((double) f);
	floats[num_floats++] = f;
}

static void
add_with_neighbours(float f)
{
	add_float(nextafterf(f, -INFINITY));
	add_float(f);
	add_float(nextafterf(f, INFINITY));
}

static void
prepare(void)
{
	static const float special[] = {
		0.0f, INFINITY, NAN, 1.0f, 65504.0f, 65519.996f, 65520.0f, 65536.0f, 1e5f, 3.4028235e38f,
		0x1p-14f, 0x1.ffcp-15f, 0x1p-24f, 0x1p-25f, 0x1.000002p-25f, 0x1p-26f, 0x1p-126f, 0x1p-149f
	};

	random_seed(3);
	memory_in = region_create(sizeof(float) * NUM_FLOATS);
	memory_out = region_create(sizeof(float) * NUM_FLOATS);
	floats = malloc(sizeof(float) * NUM_FLOATS);
	rounded = malloc(sizeof(uint16_t) * NUM_FLOATS);

	for (int h = 0; h < NUM_HALVES; h++)
	{
		halves[h] = (uint16_t) h;
		half_values[h] = (float) reference_half_value((uint16_t) h);
	}
	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
	{
		add_float(special[i]);
		add_float(-special[i]);
	}
	/* NaNs with payloads that a careless shift would turn into infinity */
	add_float(float_of_bits(0x7f800001));
	add_float(float_of_bits(0xff800001));
	add_float(float_of_bits(0x7fffffff));
	for (uint16_t h = 0; h < FINITE_HALVES; h++)
	{
		float		next = h + 1 < FINITE_HALVES ? half_values[h + 1] : 65536.0f;
		float		middle = (half_values[h] + next) / 2;

		add_with_neighbours(half_values[h]);
		add_with_neighbours(-half_values[h]);
		add_with_neighbours(middle);
		add_with_neighbours(-middle);
	}
	for (int i = 0; i < NUM_RANDOM; i++)
	{
		add_float(float_of_bits((uint32_t) random_bits()));
		add_float((float) ldexp(random_uniform() - 0.5, random_int(-25, 17)));
	}
}

/* Equal to the last bit; a NaN may carry any payload but keeps its sign. */
static void
expect_float(uint16_t from, float got)
{
	float		want = half_values[from];

	if (isnan(want) ? !isnan(got) || !signbit(got) != !(from & 0x8000) :
		float_bits(got) != float_bits(want))
		tap_fail("half %04x became %a, not %a", from, (double) got, (double) want);
}

static void
expect_half(float from, uint16_t got, uint16_t want)
{
	bool		is_nan = (got & 0x7c00) == 0x7c00 && (got & 0x3ff) != 0;

	if (isnan(from) ? !is_nan || !signbit(from) != !(got & 0x8000) : got != want)
		tap_fail("%a became half %04x, not %04x", (double) from, got, want);
}

/* Short runs between guard pages, with the output checked for overruns. */
static void
check_short_to_float(const NvKernels *k, size_t n, size_t shift, bool at_end)
{
	size_t		from = random_bits() % (NUM_HALVES - SHORT_MAX);
	uint8_t    *in = at_end ? memory_in.end - shift - n * 2 : memory_in.start + shift;
	uint8_t    *out = at_end ? memory_out.end - (3 - shift) - n * 4 : memory_out.start + 3 - shift;

	memcpy(in, halves + from, n * 2);
	k->f16_to_f32((nv_f16 *) in, (nv_f32 *) out, n);
	for (size_t i = 0; i < n; i++)
	{
		float		value;

		memcpy(&value, out + i * 4, 4);
		expect_float(halves[from + i], value);
	}
	if (!canaries_intact(memory_out, out, out + n * 4))
		tap_fail("wrote outside of %zu floats", n);
	memset(out, memory_out.start[SHORT_MAX * 4 + 100], n * 4);
}

static void
check_short_to_half(const NvKernels *k, size_t n, size_t shift, bool at_end)
{
	size_t		from = random_bits() % (num_floats - SHORT_MAX);
	uint8_t    *in = at_end ? memory_in.end - shift - n * 4 : memory_in.start + shift;
	uint8_t    *out = at_end ? memory_out.end - (3 - shift) - n * 2 : memory_out.start + 3 - shift;

	memcpy(in, floats + from, n * 4);
	k->f32_to_f16((nv_f32 *) in, (nv_f16 *) out, n);
	for (size_t i = 0; i < n; i++)
	{
		uint16_t	half;

		memcpy(&half, out + i * 2, 2);
		expect_half(floats[from + i], half, rounded[from + i]);
	}
	if (!canaries_intact(memory_out, out, out + n * 2))
		tap_fail("wrote outside of %zu halves", n);
	memset(out, memory_out.start[SHORT_MAX * 4 + 100], n * 2);
}

static void
check_lengths(const NvKernels *k, void (*check) (const NvKernels *, size_t, size_t, bool))
{
	Region		all = memory_out;

	/* a small window keeps the search for overruns short */
	memory_out = region_create(SHORT_MAX * 4 + 200);
	for (size_t n = 0; n <= SHORT_MAX; n++)
	{
		for (size_t shift = 0; shift < 4; shift++)
		{
			check(k, n, shift, true);
			check(k, n, shift, false);
		}
	}
	memory_out = all;
}

static void
check_to_float(const NvKernels *k)
{
	float	   *out = (float *) memory_out.end - NUM_HALVES;

	k->f16_to_f32(halves, out, NUM_HALVES);
	for (size_t i = 0; i < NUM_HALVES; i++)
		expect_float(halves[i], out[i]);
	check_lengths(k, check_short_to_float);
}

static void
check_to_half(const NvKernels *k)
{
	uint16_t   *out = (uint16_t *) memory_out.end - num_floats;

	k->f32_to_f16(floats, out, num_floats);
	for (size_t i = 0; i < num_floats; i++)
		expect_half(floats[i], out[i], rounded[i]);
	/* back and forth: a half that is a number survives */
	k->f32_to_f16(half_values, out, NUM_HALVES);
	for (size_t i = 0; i < NUM_HALVES; i++)
		expect_half(half_values[i], out[i], halves[i]);
	check_lengths(k, check_short_to_half);
}

void
check_half(const NvVariant *v)
{
	if (floats == NULL)
		prepare();
	if (v->kernels->f16_to_f32 != NULL)
	{
		tap_begin("%s f16_to_f32", v->name);
		check_to_float(v->kernels);
		tap_end();
	}
	if (v->kernels->f32_to_f16 != NULL)
	{
		tap_begin("%s f32_to_f16", v->name);
		check_to_half(v->kernels);
		tap_end();
	}
}

void
check_half_inline(void)
{
	if (floats == NULL)
		prepare();
	tap_begin("nv_half_to_float");
	for (size_t i = 0; i < NUM_HALVES; i++)
		expect_float(halves[i], nv_half_to_float(halves[i]));
	tap_end();
	tap_begin("nv_float_to_half");
	for (size_t i = 0; i < num_floats; i++)
		expect_half(floats[i], nv_float_to_half(floats[i]), rounded[i]);
	tap_end();
}
