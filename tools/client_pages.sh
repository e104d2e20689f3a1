#!/usr/bin/env bash
# Write a page for each example of test/clients into a directory, and an index of
# them: tools/client_pages.sh docs/clients
#
# An example begins with a comment: the client's name, a colon and what it is;
# below, how it is installed (indented) and what one has to know.
set -euo pipefail

out=$1
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$top/test/clients"

# The comment at the top of a file, without what makes it a comment
head_of()
{
	case $1 in
		*.py) sed -n '1s/^"""//; /"""$/{s/"""$//;p;q}; p' "$1" ;;
		*) sed -n '/^\/\//!q; s/^\/\/ \{0,1\}//; p' "$1" ;;
	esac | sed 's/[ \t]*$//'
}

# The rest of it
code_of()
{
	case $1 in
		*.py) awk 'n { print } /"""$/ { n = 1 }' "$1" ;;
		*) awk '!/^\/\// { n = 1 } n { print }' "$1" ;;
	esac | sed '/./,$!d'
}

# Lines that belong together on one line, but for what is indented
unwrap()
{
	awk '
		/^[ \t]/ || /^$/ { if (text != "") print text; text = "" }
		/^$/ { print; next }
		/^[ \t]/ { sub(/^[ \t]+/, "    "); print; next }
		{ text = text (text == "" ? "" : " ") $0 }
		END { if (text != "") print text }'
}

{
	echo "# Clients"
	echo
	echo "Complete examples, each a test of \`make check\` on a live server. They are written for pgvector and say \`CREATE EXTENSION vector\`: \`make install-pgvector-alias\` installs nanovec under that name."
} > "$out/README.md"

for language in */; do
	language=${language%/}
	printf '\n## %s\n\n' "$(sed -n 's/^# Sourced by .*: how \(.*\)'"'"'s clients are.*/\1/p' "$language/client.sh")" \
		>> "$out/README.md"
	for file in $(. "$language/client.sh" && cd "$language" && client_files | LC_ALL=C sort); do
		path=$language/$file
		name=${file%/main.go}
		name=${name%.*}
		page=$language-$(echo "$name" | tr 'A-Z_' 'a-z-').md
		title=$(head_of "$path" | unwrap | sed -n '1s/: .*//p')
		{
			echo "# $title"
			echo
			head_of "$path" | unwrap | sed '1{s/^[^:]*: //;s/^./\U&/}' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
			echo
			case $file in
				*.py) echo '```python' ;;
				*.go) echo '```go' ;;
				*.java) echo '```java' ;;
				*.ts) echo '```typescript' ;;
				*) echo '```javascript' ;;
			esac
			code_of "$path"
			echo '```'
			echo
			echo "This page is written by \`make reference\` from [test/clients/$path](../../test/clients/$path), which \`make check\` runs."
		} > "$out/$page"
		echo "- [$title]($page)" >> "$out/README.md"
	done
done
