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
 *	vsum3(u,v,w,&x,&y,&z)	the sums of three together, each added in the order of vsum, so
 *						that the cosine of equal vectors is exactly 1
 *	vfirst(v,n)			the first n lanes, the others 0
 *	vmax(a,b)			the greater, lane by lane; vgreatest(v) of all lanes
 *	store_f32(p,v)		VEC_LANES floats
 *	vpin(v)				no instruction; v is computed before what later vpin()s name
 *	load_f32(p) load_f16(p) load_u8(p) load_u16(p)	VEC_LANES elements as floats
 *	loadn_f32(p,n) and so on	the first n < VEC_LANES, others 0
 *
 * and for each pair:
 *
 *	PAIR				suffix of the kernels' names
 *	PAIR_A, PAIR_B		suffixes of the load functions: f32, f16, u8 or u16
 *	PAIR_AFFINE			defined when b's elements are offset + scale * code
 *	PAIR_AFFINE_A		defined when a's are too
 *	PAIR_COS			defined when there are kernels of the cosine
 *	PAIR_STEP			defined when there is one of the step from b to a
 *
 * Four independent sums hide the latency of a fused multiply-add.  vpin()
 * keeps the instructions of a step together: left alone, GCC moves the loads
 * of a whole turn of the loop to its start, or loads an operand twice rather
 * than keep it, and x86 kernels lose up to a fifth of their speed.
 *
 *-------------------------------------------------------------------------
 */

#define TYPE_f32 nv_f32
#define TYPE_f16 nv_f16
#define TYPE_u8 uint8_t
#define TYPE_u16 nv_u16

#define A_TYPE NV_CONCAT(TYPE, PAIR_A)
#define B_TYPE NV_CONCAT(TYPE, PAIR_B)

#ifdef PAIR_AFFINE_A
#define A_ARGS , float scale_a, float offset_a
#define A_SETUP const vec vscale_a = vset1(scale_a), voffset_a = vset1(offset_a);
#define A_FULL(p) vfma(vscale_a, NV_CONCAT(load, PAIR_A)(p), voffset_a)
#define A_PART(p, k) vfma(vscale_a, NV_CONCAT(loadn, PAIR_A)(p, k), vfirst(voffset_a, k))
#else
#define A_ARGS
#define A_SETUP
#define A_FULL(p) NV_CONCAT(load, PAIR_A)(p)
#define A_PART(p, k) NV_CONCAT(loadn, PAIR_A)(p, k)
#endif

#ifdef PAIR_AFFINE
#define PAIR_ARGS A_ARGS, float scale, float offset
#define PAIR_SETUP A_SETUP const vec vscale = vset1(scale), voffset = vset1(offset);
#define B_FULL(p) vfma(vscale, NV_CONCAT(load, PAIR_B)(p), voffset)
#define B_PART(p, k) vfma(vscale, NV_CONCAT(loadn, PAIR_B)(p, k), vfirst(voffset, k))
#else
#define PAIR_ARGS
#define PAIR_SETUP
#define B_FULL(p) NV_CONCAT(load, PAIR_B)(p)
#define B_PART(p, k) NV_CONCAT(loadn, PAIR_B)(p, k)
#endif

/*
 * Run STEP(sum number, elements of a, elements of b) over all n elements.
 * Code between the main loop and the final sums is on the critical path of
 * short vectors, hence a remainder without loops, and skipped at once when
 * there is none.
 */
#define SWEEP(STEP) \
	do \
	{ \
		const size_t left_ = n % (4 * VEC_LANES); \
		const A_TYPE *const end_ = a + (n - left_); \
		for (; a != end_; a += 4 * VEC_LANES, b += 4 * VEC_LANES) \
		{ \
			STEP(0, A_FULL(a), B_FULL(b)); \
			STEP(1, A_FULL(a + VEC_LANES), B_FULL(b + VEC_LANES)); \
			STEP(2, A_FULL(a + 2 * VEC_LANES), B_FULL(b + 2 * VEC_LANES)); \
			STEP(3, A_FULL(a + 3 * VEC_LANES), B_FULL(b + 3 * VEC_LANES)); \
		} \
		if (left_ == 0) \
			break; \
		if (left_ & (2 * VEC_LANES)) \
		{ \
			STEP(0, A_FULL(a), B_FULL(b)); \
			STEP(1, A_FULL(a + VEC_LANES), B_FULL(b + VEC_LANES)); \
			a += 2 * VEC_LANES; \
			b += 2 * VEC_LANES; \
		} \
		if (left_ & VEC_LANES) \
		{ \
			STEP(2, A_FULL(a), B_FULL(b)); \
			a += VEC_LANES; \
			b += VEC_LANES; \
		} \
		if (left_ % VEC_LANES != 0) \
			STEP(3, A_PART(a, left_ % VEC_LANES), B_PART(b, left_ % VEC_LANES)); \
	} while (0)

#define SUMS(s) vec s##0 = vzero(), s##1 = vzero(), s##2 = vzero(), s##3 = vzero()
#define MERGED(s) vadd(vadd(s##0, s##1), vadd(s##2, s##3))

#define STEP_L2SQ(u, x, y) \
	do { vec d_ = vsub(x, y); sum##u = vfma(d_, d_, sum##u); vpin(sum##u); } while (0)
#define STEP_IP(u, x, y) \
	do { sum##u = vfma(x, y, sum##u); vpin(sum##u); } while (0)
#define STEP_L1(u, x, y) \
	do { sum##u = vadd(vabs(vsub(x, y)), sum##u); vpin(sum##u); } while (0)
#define STEP_COS(u, x, y) \
	do \
	{ \
		vec x_ = x, y_; \
		vpin(x_); \
		y_ = y; \
		vpin(y_); \
		ab##u = vfma(x_, y_, ab##u); \
		bb##u = vfma(y_, y_, bb##u); \
		vpin(bb##u); \
		aa##u = vfma(x_, x_, aa##u); \
	} while (0)

static NV_TARGET float
NV_CONCAT(l2sq, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS)
{
	PAIR_SETUP
	SUMS(sum);

	SWEEP(STEP_L2SQ);
	return vsum(MERGED(sum));
}

static NV_TARGET float
NV_CONCAT(ip, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS)
{
	PAIR_SETUP
	SUMS(sum);

	SWEEP(STEP_IP);
	return vsum(MERGED(sum));
}

static NV_TARGET float
NV_CONCAT(l1, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS)
{
	PAIR_SETUP
	SUMS(sum);

	SWEEP(STEP_L1);
	return vsum(MERGED(sum));
}

#ifdef PAIR_STEP

/* The last register is stored as a whole: the caller has room for it, and the rest of it is 0. */
#define STEP_STEP(u, x, y) \
	do \
	{ \
		vec d_ = vsub(x, y); \
		store_f32(t, d_); \
		t += VEC_LANES; \
		sum##u = vfma(d_, d_, sum##u); \
		most##u = vmax(vabs(d_), most##u); \
		vpin(sum##u); \
	} while (0)

static NV_TARGET float
NV_CONCAT(step, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS, float *t,
					   float *greatest)
{
	PAIR_SETUP
	SUMS(sum);
	SUMS(most);

	SWEEP(STEP_STEP);
	*greatest = vgreatest(vmax(vmax(most0, most1), vmax(most2, most3)));
	return vsum(MERGED(sum));
}

#endif							/* PAIR_STEP */

#ifdef PAIR_COS

static NV_TARGET void
NV_CONCAT(cos, PAIR) (const A_TYPE *a, const B_TYPE *b, size_t n PAIR_ARGS, NvCosine *out)
{
	PAIR_SETUP
	SUMS(ab);
	SUMS(aa);
	SUMS(bb);

	SWEEP(STEP_COS);
	vsum3(MERGED(ab), MERGED(bb), MERGED(aa), &out->ab, &out->bb, &out->aa);
}

#endif							/* PAIR_COS */

#undef TYPE_f32
#undef TYPE_f16
#undef TYPE_u8
#undef TYPE_u16
#undef A_TYPE
#undef B_TYPE
#undef A_ARGS
#undef A_SETUP
#undef A_FULL
#undef A_PART
#undef B_FULL
#undef B_PART
#undef PAIR_ARGS
#undef PAIR_SETUP
#undef SWEEP
#undef SUMS
#undef MERGED
#undef STEP_L2SQ
#undef STEP_IP
#undef STEP_L1
#undef STEP_COS
#undef STEP_STEP
#undef PAIR
#undef PAIR_A
#undef PAIR_B
#undef PAIR_AFFINE
#undef PAIR_AFFINE_A
#undef PAIR_COS
#undef PAIR_STEP
