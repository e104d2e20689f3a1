# Turns the install script into what makes pgvector's objects nanovec's:
# functions are replaced or made, operator classes that are there get their
# support functions, and of the rest what pgvector does not have is made.  Blocks of
# code go by what there is.

/^DO / { block = 1 }
block { print }
/^\$\$;$/ { block = 0; next }
block || /^(--|\\|$)/ { next }

{ statement = statement $0 "\n" }

!/;$/ { next }

{
	if (statement ~ /^CREATE (FUNCTION|AGGREGATE) /)
		sub(/^CREATE/, "CREATE OR REPLACE", statement)
	else if (statement !~ /^COMMENT ON |sq8vec|bm25stats|maxsim|ACCESS METHOD ivf | USING ivf /)
		statement = support_functions()
	printf "%s", statement
	statement = ""
}

# CREATE OPERATOR CLASS name FOR TYPE type USING method AS OPERATOR 1 ..., FUNCTION 1 ...
function support_functions(   word)
{
	sub(/DEFAULT /, "", statement)
	split(statement, word)
	if (word[3] != "CLASS" || word[9] == "btree")
		return ""
	sub(/.* FOR ORDER BY float_ops,\n/, "", statement)
	gsub(/FUNCTION [0-9]+/, "& (" word[7] ", " word[7] ")", statement)
	return "ALTER OPERATOR FAMILY " word[4] " USING " word[9] " ADD\n" statement
}
