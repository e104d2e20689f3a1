-- Damaged values on disk are errors, never crashes: bytes are passed off as
-- values by casts without a function.  (The numbers are little-endian.)
CREATE CAST (bytea AS vector) WITHOUT FUNCTION;
CREATE CAST (bytea AS halfvec) WITHOUT FUNCTION;
CREATE CAST (bytea AS sparsevec) WITHOUT FUNCTION;
CREATE CAST (bytea AS sq8vec) WITHOUT FUNCTION;
CREATE CAST (bytea AS bit) WITHOUT FUNCTION;
-- a whole value, to see that the casts do it
SELECT '\x020000000000803f00000040'::bytea::vector AS vector,
	'\x010000000000000000000000'::bytea::sparsevec AS sparsevec;
-- too short, no dimensions, more dimensions than bytes, more than there may be
SELECT vector_dims('\x'::bytea::vector);
SELECT vector_dims('\x0100'::bytea::vector);
SELECT vector_dims('\x00000000'::bytea::vector);
SELECT '\xffff0000'::bytea::vector <-> '[1]';
SELECT '\x020000000000803f'::bytea::vector <-> '[1,2]';
SELECT vector_dims(('\x204e0000' || repeat('00000000', 20000))::bytea::vector);
SELECT '\x02000000003c'::bytea::halfvec + '[1,2]';
SELECT '\x01000000003c00'::bytea::halfvec::text;
-- sparsevec: sizes, and an index beyond the dimensions
SELECT '\x'::bytea::sparsevec::text;
SELECT '\x0500000002000000000000000000000000000000'::bytea::sparsevec::text;
SELECT '\x05000000ffffffff00000000'::bytea::sparsevec::text;
SELECT '\x050000000100000000000000ffffff7f0000803f'::bytea::sparsevec <-> '{}/5' AS no_overrun;
SELECT '\x050000000100000000000000ffffff7f0000803f'::bytea::sparsevec::vector;
-- sq8vec: zero point, scale, offset
SELECT '\x010000000000803f0000000007'::bytea::sq8vec;
SELECT '\x010001000000803f0000000007'::bytea::sq8vec;
SELECT '\x01000000000080bf0000000007'::bytea::sq8vec;
SELECT '\x010000000000c07f0000000007'::bytea::sq8vec <-> '[1]';
SELECT '\x010000000000803f0000807f07'::bytea::sq8vec <=> '[1]';
-- bit: a length that the bytes do not have
SELECT '\xffffff7f00'::bytea::"bit" <~> B'1';
SELECT '\xffffffff00'::bytea::"bit" <%> B'1';
DROP CAST (bytea AS vector);
DROP CAST (bytea AS halfvec);
DROP CAST (bytea AS sparsevec);
DROP CAST (bytea AS sq8vec);
DROP CAST (bytea AS bit);
