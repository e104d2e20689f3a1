/*-------------------------------------------------------------------------
 *
 * kern_dense.h
 *		Template of the dense kernels for one pair of element types.
 *
 * Included several times by a kern_*.c file, which defines for its
 * instruction set:
 *
 *	NV_TARGET			function attribute that enables the instructions
 *	vec, VEC_LANES		a register of floats and its number of lanes
 *	vzero() vset1(x) vadd(a,b) vsub(a,b) vabs(a)
 *	vfma(a,b,c)			a * b + c
 *	vsum(v)				sum of the lanes
 *	vfirst(v,n)			the first n lanes, the others 0
 *	load_f32(p) load_f16(p) load_u8(p)			VEC_LANES elements as floats
 *	loadn_f32(p,n) loadn_f16(p,n) loadn_u8(p,n)	the first n < VEC_LANES, others 0
 *
 * and for each pair:
 *
 *	PAIR				suffix of the kernels' names
 *	PAIR_A, PAIR_B		suffixes of the load functions: f32, f16 or u8
 *	PAIR_AFFINE			defined when b's elements are offset + scale * code
 *
 * Four independent sums hide the latency of a fused multiply-add.
 *
 *-------------------------------------------------------------------------
 */

#define TYPE_f32 nv_f32
#define TYPE_f16 nv_f16
#define TYPE_u8 uint8_t

#define A_TYPE NV_CONCAT(TYPE, PAIR_A)
#define B_TYPE NV_CONCAT(TYPE, PAIR_B)
#define A_FULL(p) NV_CONCAT(load, PAIR_A)(p)
#define A_PART(p, k) NV_CONCAT(loadn, PAIR_A)(p, k)

#ifdef PAIR_AFFINE
#define PAIR_ARGS , float scale, float offset
#define PAIR_SETUP const vec vscale = vset1(scale), voffset = vset1(offset);
#define B_FULL(p) vfma(vscale, NV_CONCAT(load, PAIR_B)(p), voffset)
#define B_PART(p, k) vfma(vscale, NV_CONCAT(loadn, PAIR_B)(p, k), vfirst(voffset, k))
#else
#define PAIR_ARGS
#define PAIR_SETUP
#define B_FULL(p) NV_CONCAT(load, PAIR_B)(p)
#define B_PART(p, k) NV_CONCAT(loadn, PAIR_B)(p, k)
#endif

/* Run STEP(sum number, elements of a, elements of b) over all n elements. */
#define SWEEP(STEP) \
	do \
	{ \
		size_t		i_ = 0; \
		for (; i_ + 4 * VEC_LANES <= n; i_ += 4 * VEC_LANES) \
		{ \
			STEP(0, A_FULL(a + i_), B_FULL(b + i_)); \
			STEP(1, A_FULL(a + i_ + VEC_LANES), B_FULL(b + i_ + VEC_LANES)); \
			STEP(2, A_FULL(a + i_ + 2 * VEC_LANES), B_FULL(b + i_ + 2 * VEC_LANES)); \
			STEP(3, A_FULL(a + i_ + 3 * VEC_LANES), B_FULL(b + i_ + 3 * VEC_LANES)); \
		} \
		for (; i_ + VEC_LANES <= n; i_ += VEC_LANES) \
			STEP(0, A_FULL(a + i_), B_FULL(b + i_)); \
		if (i_ < n) \
			STEP(1, A_PART(a + i_, n - i_), B_PART(b + i_, n - i_)); \
	} while (0)

#define SUMS(s) vec s##0 = vzero(), s##1 = vzero(), s##2 = vzero(), s##3 = vzero()
#define TOTAL(s) vsum(vadd(vadd(s##0, s##1), vadd(s##2, s##3)))

#define STEP_L2SQ(u, x, y) \
	do { vec d_ = vsub(x, y); sum##u = vfma(d_, d_, sum##u); } while (0)
#define STEP_IP(u, x, y) \
	do { sum##u = vfma(x, y, sum##u); } while (0)
#define STEP_L1(u, x, y) \
	do { sum##u = vadd(vabs(vsub(x, y)), sum##u); } while (0)
#define STEP_COSQ(u, x, y) \
	do { vec y_ = y; ab##u = vfma(x, y_, ab##u); bb##u = vfma(y_, y_, bb##u); } while (0)
#define STEP_COS(u, x, y) \
	do { vec x_ = x; STEP_COSQ(u, x_, y); aa##u = vfma(x_, x_, aa##u); } while (0)

static NV_TARGET float
NV_CONCAT(l2sq, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS)
{
	PAIR_SETUP
	SUMS(sum);

	SWEEP(STEP_L2SQ);
	return TOTAL(sum);
}

static NV_TARGET float
NV_CONCAT(ip, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS)
{
	PAIR_SETUP
	SUMS(sum);

	SWEEP(STEP_IP);
	return TOTAL(sum);
}

static NV_TARGET float
NV_CONCAT(l1, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS)
{
	PAIR_SETUP
	SUMS(sum);

	SWEEP(STEP_L1);
	return TOTAL(sum);
}

static NV_TARGET void
NV_CONCAT(cosq, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS, NvCosine *out)
{
	PAIR_SETUP
	SUMS(ab);
	SUMS(bb);

	SWEEP(STEP_COSQ);
	out->ab = TOTAL(ab);
	out->bb = TOTAL(bb);
}

static NV_TARGET void
NV_CONCAT(cos, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS, NvCosine *out)
{
	PAIR_SETUP
	SUMS(ab);
	SUMS(aa);
	SUMS(bb);

	SWEEP(STEP_COS);
	out->ab = TOTAL(ab);
	out->aa = TOTAL(aa);
	out->bb = TOTAL(bb);
}

#undef TYPE_f32
#undef TYPE_f16
#undef TYPE_u8
#undef A_TYPE
#undef B_TYPE
#undef A_FULL
#undef A_PART
#undef B_FULL
#undef B_PART
#undef PAIR_ARGS
#undef PAIR_SETUP
#undef SWEEP
#undef SUMS
#undef TOTAL
#undef STEP_L2SQ
#undef STEP_IP
#undef STEP_L1
#undef STEP_COSQ
#undef STEP_COS
#undef PAIR
#undef PAIR_A
#undef PAIR_B
#undef PAIR_AFFINE
