# Sourced by test/lib/suites.sh: how Java's clients are installed and run.

client_need()
{
	need mvn maven
	need javac default-jdk-headless
}

client_files()
{
	ls *.java
}

# Maven comes in only when pom.xml has changed: it is slow to start.  It does not know lock files;
# jars.lock says what has to come out.
client_setup()
{
	if ! cmp -s pom.xml "$client_build/pom.xml"; then
		rm -rf "$client_build/lib" "$client_build/pom.xml"
		mvn -q -B -Dmaven.repo.local="$client_build/repository" dependency:copy-dependencies \
			-DoutputDirectory="$client_build/lib" &&
			LC_ALL=C ls "$client_build/lib" | diff jars.lock - &&
			cp pom.xml "$client_build/" || return
	fi
	javac -cp "$client_build/lib/*" -d "$client_build/classes" *.java
}

client_run()
{
	java -cp "$client_build/classes:$client_build/lib/*" "${1%.java}"
}
