#!/usr/bin/awk -f
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Make section 3 of the manual, a page for each function, of the headers' comments (kernel-doc):
#
#	awk -v out=DIR -f docs/man/pages.awk docs/man/libevfio.3 include/evfio/*.h examples/driver.c \
#		SOURCE.c
#
# A page's example is the first piece of SOURCE.c, which a test runs, between "/* manual */" and
# "/* manual ends */" that calls the function. One without a comment of its own shares the page of
# the one before. What a header's first comment says after "Threads:" is on all of its pages. In
# libevfio.3 the comment "functions" is where a list of them comes, "driver" where driver.c does.
#
# A word that lacks, on a parameter, a member, a value, what is returned, threads, or an example, is
# an error, as is one on what there is not; then there are no pages at all.
#
# awk is where make is. The kernel's own kernel-doc is not, and knows no examples.

function wrong(text) { print "pages.awk: " text >"/dev/stderr"; bad = 1 }

function escape(text,    at, done) {
	for (; (at = index(text, "\\")); text = substr(text, at + 1))
		done = done substr(text, 1, at) "e"
	return done text
}

function capital(text) { return toupper(substr(text, 1, 1)) substr(text, 2) }

function literal(text) { return ".Bd -literal\n" escape(text) ".Ed\n" }

# A comment's text as mdoc: names in their fonts; a new line after a full stop, and before column 80.
function mdoc(text,    done, word, words, n, i, line) {
	text = escape(text)
	while (match(text, /@[a-z_]+|evfio_[a-z0-9_]+\(\)|-E[A-Z]+|`[^`]*`/)) {
		word = substr(text, RSTART, RLENGTH)
		done = done substr(text, 1, RSTART - 1)
		text = substr(text, RSTART + RLENGTH)
		if (word ~ /^@/) done = done "\\fI" substr(word, 2) "\\fR"
		else if (word ~ /^-/) done = done "\\" word
		else if (word ~ /^`/) done = done "\\(oq" substr(word, 2, length(word) - 2) "\\(cq"
		else done = done "\\fB" substr(word, 1, length(word) - 2) "\\fR()"
	}
	n = split(done text, words, " ")
	done = ""
	for (i = 1; i <= n; i++) {
		line = line (line == "" && words[i] ~ /^[.']/ ? "\\&" : "") words[i]
		if (i < n && words[i] !~ /[.?!]$/ && length(line words[i + 1]) < 78) line = line " "
		else { done = done line "\n"; line = "" }
	}
	return done
}

function paragraphs(text,    parts, n, i, done) {
	gsub(/^[\n ]+|[\n ]+$/, "", text)
	n = split(text, parts, /\n+/)
	for (i = 1; i <= n; i++) done = done (i > 1 ? ".Pp\n" : "") mdoc(parts[i])
	return done
}

# "0; -EINVAL: why; or as another": each on its own.
function returned(text,    parts, n, i, done) {
	n = split(text, parts, /; /)
	for (i = 1; i <= n; i++)
		done = done (i == 1 || parts[i] ~ /^(-E|or )/ ? ".It\n" : "") \
			mdoc(parts[i] (i < n && parts[i + 1] !~ /^(-E|or )/ ? ";" : ""))
	return n == 1 ? mdoc(text) : ".Bl -dash -compact\n" done ".El\n"
}

# What was said of a function's parameters, or of a type's members.
function described(key, macro,    i, done) {
	for (i = 1; i <= count[key]; i++)
		done = done ".It " macro " " item[key, i] "\n" mdoc(told[key, item[key, i]])
	return done == "" ? "" : ".Bl -tag -width Ds\n" done ".El\n"
}

# The arguments of a prototype, and their names alone; how many.
function arguments(text, args, names,    n, i) {
	gsub(/^[^(]*\(|\);?\n?$/, "", text)
	n = text == "void" ? 0 : split(text, args, /, /)
	for (i = 1; i <= n; i++) {
		names[i] = args[i]
		gsub(/\[.*|\);$/, "", names[i])
		sub(/.*[ *]/, "", names[i])
	}
	return n
}

# What is declared was described under key; if all of it is told, nothing else was.
function compare(names, n, key, all,    i, have) {
	for (i = 1; i <= n; i++) {
		have[names[i]]
		if (!((key, names[i]) in told)) wrong(key ": nothing about " names[i])
	}
	for (i = 1; all && i <= count[key]; i++)
		if (!(item[key, i] in have)) wrong(key ": there is no " item[key, i])
}

# A comment "KEY - brief", "@item: ...", paragraphs, "Return: ..." is for what comes next.
function comment_done(    lines, n, i, at, part) {
	n = split(text, lines, "\n")
	at = index(lines[1], " - ")
	key = substr(lines[1], 1, at - 1)
	sub(/\(\)$/, "", key)
	brief[key] = substr(lines[1], at + 3)
	for (i = 2; i < n; i++) {
		if (match(lines[i], /^@[A-Za-z0-9_]+: /)) {
			part = substr(lines[i], 2, RLENGTH - 3)
			item[key, ++count[key]] = part
			told[key, part] = substr(lines[i], RLENGTH + 1)
		} else if (sub(/^Return: /, "", lines[i])) {
			part = "Return"
			returns[key] = lines[i]
		} else if (part == "Return") returns[key] = returns[key] " " lines[i]
		else if (lines[i] ~ /^\t/) told[key, part] = told[key, part] " " lines[i]
		else body[key] = body[key] (lines[i] == "" ? "\n" : lines[i] " ")
	}
}

function type_done(    lines, args, names, n, m) {
	if (text ~ /^typedef/) m = arguments(text, args, names)
	else for (n = split(text, lines, "\n"); n > 1; n--) if (lines[n] ~ /^\t/) {
		names[++m] = lines[n]
		sub(/[[,;].*/, "", names[m])
		sub(/.*[ \t*]/, "", names[m])
	}
	compare(names, m, key, 1)
	types[++ntypes] = key
	definition[key] = text
	native[key] = header
}

function function_done(    name, type, args, names) {
	sub(/^static inline /, "", text)
	match(text, /evfio_[a-z0-9_]+\(/)
	name = substr(text, RSTART, RLENGTH - 1)
	type = substr(text, 1, RSTART - 1)
	if (key == name) { pages[++npages] = owner = name; sharing[owner] = name }
	else if (owner != "") sharing[owner] = sharing[owner] " " name
	else return
	compare(names, arguments(text, args, names), owner, key == name)
	if ((type == "void ") == (owner in returns)) wrong(name ": what is returned?")
	proto[name] = text
	home[name] = header
	sub(/ $/, "", type)
	synopsis[owner] = synopsis[owner] ".Ft " (type ~ / / ? "\"" type "\"" : type) "\n.Fn " name
	for (n = 1; n in args; n++) synopsis[owner] = synopsis[owner] " \"" args[n] "\""
	synopsis[owner] = synopsis[owner] (n == 1 ? " void" : "") "\n"
}

# The functions that a page names, and those of its header with the same example, go to seen[].
function references(name,    all, i) {
	split("", seen)
	all = body[name] returns[name]
	for (i = 1; i <= count[name]; i++) all = all told[name, item[name, i]]
	for (; match(all, /evfio_[a-z0-9_]+\(\)/); all = substr(all, RSTART + RLENGTH))
		seen[substr(all, RSTART, RLENGTH - 2)]
	for (i = 1; i <= npages; i++)
		if (home[pages[i]] == home[name] && example[pages[i]] == example[name]) seen[pages[i]]
	delete seen[name]
}

function link(from, to) {
	print ".so man3/" to ".3" >(out "/" from ".3")
	close(out "/" from ".3")
}

# The types that a page's functions have to do with, and those that these consist of.
function types_of(name,    all, i, used, word, done) {
	all = synopsis[name]
	for (i = 1; i <= ntypes; i++) {
		word = types[i]
		sub(/^typedef /, "", word)
		if ((i in used) || all !~ word "[^a-z0-9_(]") continue
		used[i]
		all = all definition[types[i]]
		done = done literal(definition[types[i]]) described(types[i], "Va")
		sub(/.* /, "", word)
		if (!(word in home) && native[types[i]] == home[name]) { home[word]; link(word, name) }
		i = 0	# it may consist of others
	}
	return done
}

function page(name,    file, names, n, i, word, special) {
	file = out "/" name ".3"
	special = threads[home[name]]
	n = split(sharing[name], names, " ")
	print ".\\\" SPDX-License-Identifier: LGPL-2.1-or-later OR MIT\n" date >file
	print ".Dt " toupper(name) " 3\n.Os\n.Sh NAME" >file
	for (i = 1; i <= n; i++) print ".Nm " names[i] (i < n ? " ," : "") >file
	for (i = 2; i <= n; i++) link(names[i], name)
	print ".Nd " brief[name] "\n.Sh LIBRARY\nlibevfio\n.Pq Fl levfio" >file
	printf ".Sh SYNOPSIS\n.In %s\n%s", home[name], synopsis[name] >file
	printf ".Sh DESCRIPTION\n%s%s%s.Ss Threads\n", paragraphs(body[name]), described(name, "Fa"),
		types_of(name) >file
	if (sub(/^as <evfio\/evfio.h> says[;.] */, "", special))
		printf "%s", mdoc(capital(threads["evfio/evfio.h"])) >file
	printf "%s", mdoc(capital(special)) >file
	if (returns[name] != "") printf ".Sh RETURN VALUES\n%s", returned(returns[name]) >file
	printf ".Sh EXAMPLES\n%s.Sh SEE ALSO\n", literal(example[name]) >file
	references(name)
	do {
		word = "libevfio"
		for (i in seen) if (i < word) word = i
		print ".Xr " word " 3" (word == "libevfio" ? "" : " ,") >file
		delete seen[word]
	} while (word != "libevfio")
	close(file)
}

function overview(file,    i, j, k, n, names) {
	for (i = 1; i <= nlines; i++) {
		print lines[i] >file
		if (lines[i] == ".\\\" driver") printf "%s", literal(driver) >file
		if (lines[i] != ".\\\" functions") continue
		for (j = 1; j <= npages; j++) {
			if (home[pages[j]] != home[pages[j - 1]])
				print (j > 1 ? ".El\n" : "") ".Ss <" home[pages[j]] ">\n.Bl -tag -width Ds" >file
			printf ".It" >file
			n = split(sharing[pages[j]], names, " ")
			for (k = 1; k <= n; k++) printf " Xr %s 3%s", names[k], k < n ? " ," : "\n" >file
			printf "%s", mdoc(brief[pages[j]]) >file
		}
		print ".El" >file
	}
}

FNR == 1 {
	header = FILENAME
	sub(/.*\//, "evfio/", header)
	mode = owner = key = ""
}
FILENAME ~ /\.3$/ { lines[++nlines] = $0; if (/^\.Dd/) date = $0; next }
FILENAME ~ /driver\.c$/ { if (FNR > 1) driver = driver $0 "\n"; next }
FILENAME ~ /\.c$/ {
	if (/^\/\* manual \*\/$/) { mode = "code"; text = "" }
	else if (/^\/\* manual ends \*\/$/) {
		mode = ""
		sub(/\n\n$/, "\n", text)
		for (rest = text; match(rest, /evfio_[a-z0-9_]+\(/); rest = substr(rest, RSTART + RLENGTH)) {
			name = substr(rest, RSTART, RLENGTH - 1)
			if (!(name in example)) example[name] = text
		}
	} else if (mode == "code") text = text $0 "\n"
	next
}
mode == "" && /^\/\*/ {
	text = ""
	if ($0 == "/**") mode = "doc"
	else { owner = ""; if (!/\*\/$/) mode = "comment" }
	next
}
mode == "doc" && /^ \*\/$/ { comment_done(); mode = ""; next }
mode == "comment" && /^ \*\/$/ {
	if (match(text, /\nThreads: /)) {
		text = substr(text, RSTART + RLENGTH)
		sub(/\n\n.*|\n$/, "", text)
		gsub(/\n/, " ", text)
		threads[header] = text
	}
	mode = ""
	next
}
mode == "doc" || mode == "comment" { sub(/^ \* ?/, ""); text = text $0 "\n"; next }
mode == "" && /^(struct|enum) [a-z_]+ \{$/ { mode = "type"; text = "" }
mode == "type" { text = text $0 "\n"; if (/^};$/) { type_done(); mode = "" } next }
mode == "" && /^[a-z].*\(/ { mode = "prototype"; text = "" }
mode == "prototype" {
	sub(/^[ \t]+/, "")
	text = text (text == "" ? "" : " ") $0
	if (!/\);?$/) next
	if (text ~ /^typedef/) { text = text "\n"; type_done() } else function_done()
	mode = ""
}
END {
	for (i = 1; i <= npages; i++) {
		n = split(sharing[pages[i]], names, " ")
		for (j = 1; j <= n; j++) if (example[names[j]] == "") wrong(names[j] ": no example")
		references(pages[i])
		for (name in seen) if (!(name in proto)) wrong(pages[i] ": there is no " name "()")
		if (threads[home[pages[i]]] == "") wrong(home[pages[i]] ": nothing about threads")
	}
	if (bad) exit 1
	for (i = 1; i <= npages; i++) page(pages[i])
	overview(out "/libevfio.3")
}
