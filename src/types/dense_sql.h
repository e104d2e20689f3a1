/*-------------------------------------------------------------------------
 *
 * dense_sql.h
 *		Template of the SQL entry points of a dense type.
 *
 * Included once by the file of each type, which defines
 *
 *	DENSE_FUNCTION(name)	the C name of an entry point
 *	DENSE_TYPE				the type's NvDenseType
 *	DENSE_QUANTIZED			if the type has forms of its own and no arithmetic
 *
 *-------------------------------------------------------------------------
 */

NV_FUNCTION(DENSE_FUNCTION(typmod_in))
{
	return nv_dense_typmod_in(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(enforce_typmod))
{
	return nv_dense_enforce_typmod(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(from_array))
{
	return nv_dense_from_array(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(to_float4))
{
	return nv_dense_to_float4(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(lt))
{
	PG_RETURN_BOOL(nv_dense_cmp(fcinfo, &DENSE_TYPE) < 0);
}

NV_FUNCTION(DENSE_FUNCTION(le))
{
	PG_RETURN_BOOL(nv_dense_cmp(fcinfo, &DENSE_TYPE) <= 0);
}

NV_FUNCTION(DENSE_FUNCTION(eq))
{
	PG_RETURN_BOOL(nv_dense_cmp(fcinfo, &DENSE_TYPE) == 0);
}

NV_FUNCTION(DENSE_FUNCTION(ne))
{
	PG_RETURN_BOOL(nv_dense_cmp(fcinfo, &DENSE_TYPE) != 0);
}

NV_FUNCTION(DENSE_FUNCTION(ge))
{
	PG_RETURN_BOOL(nv_dense_cmp(fcinfo, &DENSE_TYPE) >= 0);
}

NV_FUNCTION(DENSE_FUNCTION(gt))
{
	PG_RETURN_BOOL(nv_dense_cmp(fcinfo, &DENSE_TYPE) > 0);
}

NV_FUNCTION(DENSE_FUNCTION(cmp))
{
	PG_RETURN_INT32(nv_dense_cmp(fcinfo, &DENSE_TYPE));
}

#ifndef DENSE_QUANTIZED

NV_FUNCTION(DENSE_FUNCTION(in))
{
	return nv_dense_in(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(out))
{
	return nv_dense_out(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(recv))
{
	return nv_dense_recv(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(send))
{
	return nv_dense_send(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(add))
{
	return nv_dense_add(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(sub))
{
	return nv_dense_sub(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(mul))
{
	return nv_dense_mul(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(concat))
{
	return nv_dense_concat(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(subvector))
{
	return nv_dense_subvector(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(binary_quantize))
{
	return nv_dense_binary_quantize(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(l2_normalize))
{
	return nv_dense_l2_normalize(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(l2_norm))
{
	return nv_dense_l2_norm(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(dims))
{
	return nv_dense_dims(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(accum))
{
	return nv_dense_accum(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(avg))
{
	return nv_dense_avg(fcinfo, &DENSE_TYPE);
}

NV_FUNCTION(DENSE_FUNCTION(combine))
{
	return nv_dense_combine(fcinfo, &DENSE_TYPE);
}

#endif							/* !DENSE_QUANTIZED */
