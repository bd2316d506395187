"""Expressions of Terraform whose values are recorded from Terraform's own functions."""

from __future__ import annotations

EXPRESSIONS = r"""
abs(-3)
abs("-3.5")
alltrue([])
alltrue(["true", true])
alltrue([true, false])
anytrue([])
anytrue(["true", false])
anytrue([false, null])
ceil(4.1)
ceil(-4.1)
ceil("5.2")
floor(-4.1)
floor("5.9")
chomp("a\n\n")
chomp("a\r\n")
chomp("a \n b")
chunklist(["a","b","c"], 2)
chunklist(["a","b"], 0)
chunklist(["a","b"], 5)
chunklist([], 2)
coalesce("", "b")
coalesce(null, "b")
coalesce(null, 0)
coalesce("", "")
coalesce(false, true)
coalesce(1, "a")
coalesce("a", 1)
coalesce(null, true, "x")
coalescelist([], ["a"])
coalescelist(["b"], ["a"])
coalescelist([], [])
coalescelist([], [1, "x"])
compact(["a", "", "b", null])
compact([])
compact(["a", 1])
concat(["a"], ["b", "a"])
concat([], [1], ["x"])
concat([1], [null])
contains(["a","b"], "a")
contains(["a","b"], "c")
contains([1, 2], "1")
contains(["1"], 1)
contains([true], "true")
contains([], "a")
contains([1], 1.0)
distinct(["a","b","a"])
distinct([1, "1", true])
distinct([1, 1.0])
distinct([])
element(["a","b","c"], 1)
element(["a","b","c"], 4)
element(["a","b","c"], -1)
element(["a"], "0")
element([], 0)
endswith("abc", "bc")
endswith("abc", "")
flatten([["a"],[["b"],[]], "c"])
flatten([])
flatten([[1,2],[3,[4,[5]]]])
flatten([{a=[1]}])
format("%s-%d", "a", 3)
format("%03d", 7)
format("%5s|", "ab")
format("%-5s|", "ab")
format("%q", "a\"b")
format("%v", [1,"a"])
format("%v", {a=1})
format("%s", true)
format("%s", 3)
format("%s", 1.5)
format("%d", "12")
format("%d", 1.5)
format("%%")
format("100%%")
format("%s")
format("%s", "a", "b")
format("%x", 255)
format("%X", 255)
format("%o", 8)
format("%b", 5)
format("%t", true)
format("%t", "true")
format("%f", 1.5)
format("%.2f", 1.005)
format("%.1f", 2)
format("%e", 100000)
format("%g", 0.00001)
format("%[2]s %[1]s", "a", "b")
format("%s", null)
format("%v", null)
format("%q", 3)
format("%#v", "a")
format("%5d|", 42)
format("%+d", 42)
format("%.3s|", "abcdef")
format("%c", 65)
format("%s %%s", "a")
format("%-10s|%s", "a", "b")
format("%v", true)
format("%v", 1.50)
format("%s", ["a"])
format("no verb")
format("%z", "a")
formatlist("a-%s", ["x","y"])
formatlist("%s-%s", ["x","y"], "c")
formatlist("%s-%s", ["x","y"], ["1","2"])
formatlist("%s-%s", ["x","y"], ["1"])
formatlist("a", [])
formatlist("%s", [])
formatlist("%s", "x")
formatlist("%d%%", [1,2])
index(["a","b"], "b")
index(["a"], "z")
index([1,2], "2")
join(",", ["a","b"])
join(",", [])
join(",", ["a"], ["b"])
join(",", [1, true])
join("-", ["a", null])
join("", ["a","b"])
keys({b=1,a=2})
keys({})
values({b=1,a=2})
values({b="x",a=2})
length("abc")
length("äöü")
length("👩‍👩‍👧")
length([1,2])
length({a=1})
length([])
length(null)
lookup({a="x"}, "a", "d")
lookup({a="x"}, "b", "d")
lookup({a="x"}, "b")
lookup({a="x"}, "a")
lookup({a=1}, "b", "d")
lookup({}, "a", "")
lower("ABC")
lower("ÄÖ")
upper("straße")
lower(3)
upper(true)
matchkeys(["a","b","c"], ["x","y","x"], ["x"])
matchkeys([], [], ["x"])
max(1,"5",3)
max(2.5, 1)
min(3,2)
min("1", 2)
max([1,2]...)
merge({a=1},{b=2})
merge({a=1},{a=2})
merge({a=1}, null)
merge({})
merge()
merge({a={b=1}},{a={c=2}})
range(3)
range(1,4)
range(1,8,2)
range(4,1)
range(4,1,-1)
range(0)
range(0, 1, 0.25)
range(3, 1, 1)
range(1, 4, -1)
replace("a-b-c", "-", "_")
replace("a.b", "/\\./", "_")
replace("abc", "/(a)(b)/", "$2$1")
replace("abc", "/b/", "")
replace("hello", "/l+/", "L")
replace("a/b", "/", "-")
replace("//", "/", "-")
replace("abc", "", "-")
replace("a b", "/\\s/", "_")
replace(3, "3", "4")
reverse(["a","b"])
reverse([])
reverse("ab")
setintersection(["a","b"],["b","c"])
setsubtract(["a","b"],["b"])
setunion(["b"],["a","b"])
setunion([], ["a"])
setproduct(["a","b"],["x"])
setproduct([1,2],["a","b"])
slice(["a","b","c"],1,2)
slice(["a","b"],0,3)
slice(["a","b","c"],1,3)
slice("abc",0,1)
slice(["a"],1,1)
slice(["a","b"],-1,1)
slice(["a","b"],1,0)
sort(["b","a","C"])
sort(["10","9","1"])
sort([3,1,10])
sort(["ä","z"])
split(",", "a,b,")
split("", "abc")
split(",", "")
split("ab", "xaby")
split(",", 5)
startswith("abc","ab")
startswith("abc","")
strcontains("abc","b")
strrev("abc")
strrev("äb")
substr("hello",1,3)
substr("hello",-3,2)
substr("hello",1,-1)
substr("hello",0,99)
substr("hello",9,1)
substr("äöü",1,1)
substr("hello",-9,2)
substr("hello",2,0)
title("hello world")
title("hello-world foo_bar")
title("HELLO")
title("a.b c'd")
trim("?!hi!?","!?")
trim("  a ", " ")
trim("a", "")
trimprefix("helloworld","hello")
trimprefix("abc","x")
trimsuffix("a.tf",".tf")
trimspace("  a\n ")
trimspace("\u00a0a")
zipmap(["a","b"],[1,2])
zipmap(["a"],[1,2])
zipmap([],[])
zipmap(["a","a"],[1,2])
tostring(1)
tostring(1.0)
tostring(true)
tostring(1.50)
tostring(null)
tostring([1])
tonumber("1.50")
tonumber("1e3")
tonumber("x")
tonumber("0x10")
tonumber(true)
tonumber(" 1")
tonumber("")
tonumber("-0")
tonumber("+1")
tonumber("010")
tobool("true")
tobool("TRUE")
tobool("1")
tobool(1)
tobool("yes")
tolist(["a",1])
tolist([true,"a"])
tolist(toset(["b","a"]))
toset(["b","a","b"])
toset([1,"1"])
toset([true,1])
toset([3,1,2])
toset([10,9])
tomap({a=1,b="x"})
tomap({a=true,b="x"})
one([])
one(["a"])
one(["a","b"])
one(null)
sum([1,2,3.5])
sum([1])
sum([])
sum(["1",2])
parseint("ff",16)
parseint("101",2)
parseint("12",10)
parseint("g",16)
signum(-3)
pow(2,3)
log(8,2)
regex("[a-z]+","123abc")
regex("(\\d+)-(\\d+)","1-2")
regex("(?P<y>\\d+)","12")
regex("x","abc")
regexall("[a-z]","ab1c")
regexall("x","abc")
regexall("(a)(b)","abab")
base64encode("abc")
base64decode("YWJj")
base64encode("ä")
urlencode("a b&c/d")
md5("a")
sha1("a")
sha256("a")
base64sha256("a")
indent(2,"a\nb\n\nc")
can(tonumber("x"))
can("a")
can(lookup({a=1},"b"))
try(tonumber("x"), 3)
try(null, 3)
try({a=1}.b, "d")
try([1][5], "d")
try("a")
jsonencode({b=1,a=[true,null,"x"]})
jsonencode("a<b>&c")
jsonencode(1.5)
jsonencode(1.0)
jsonencode("ä")
jsonencode(null)
jsonencode({"a b"=1})
jsondecode("{\"a\":[1,2.50,null]}")
jsondecode("\"x\"")
jsondecode("[")
jsondecode("1")
jsondecode("{\"a\":1,\"a\":2}")
yamlencode({a=1})
yamldecode("a: 1\nb: [x, 010, yes]")
yamldecode("a: null")
csvdecode("a,b\n1,2\n3,4")
1 + 2 * 3
"1" + "2"
7 / 2
6 / 2
7 % 3
-7 % 3
7 % -3
7.5 % 2
1 == 1.0
"1" == 1
1 == "1"
true == "true"
null == null
"a" == null
[1] == [1]
[1] == ["1"]
{a=1} == {a=1}
[] == []
{a=1} == {a="1"}
toset(["a"]) == toset(["a"])
tolist(["a"]) == ["a"]
!true
!"true"
!"false"
-"3"
1 < "2"
"a" < "b"
true && "true"
false || "x"
1 > 0 ? "a" : "b"
true ? 1 : "a"
true ? "1" : 2
false ? "1" : 2
true ? [1] : ["a"]
true ? [] : ["a"]
false ? {} : {a=1}
true ? null : "a"
true ? {a=1} : {b=2}
"true" ? 1 : 2
[for x in ["a","b"]: upper(x)]
[for i, x in ["a","b"]: "${i}${x}"]
{for x in ["a","b"]: x => upper(x)}
{for x in ["a","b","a"]: x => 1...}
{for x in ["a","a"]: x => 1}
[for k, v in {b=1,a=2}: "${k}=${v}"]
[for x in ["a","b","c"]: x if x != "b"]
[for x in toset(["b","a"]): x]
[for k, v in toset(["b","a"]): "${k}${v}"]
{for k, v in {a=1}: k => v if v > 1}
["a","b"][0]
["a","b"]["1"]
["a","b"][5]
["a","b"][-1]
{a=1}["a"]
{a=1}.a
{a=[{b=1},{b=2}]}.a[*].b
[{b=1},{b=2}][*].b
[{b=1},{b=2}].*.b
{b=1}[*].b
null[*]
"x"[*]
[[1,2],[3]][*][0]
"a${1}b"
"${true}"
"${1.0}"
"${1.50}"
"${[1][0]}"
"${null}"
"a${null}"
"%{ if true }a%{ else }b%{ endif }"
"%{ for x in ["a","b"] }${x},%{ endfor }"
"  %{~ if true ~} a %{~ endif ~} "
"$${a}"
"%%{a}"
"\u00e4\n\t\\"
1e3
0.1 + 0.2
1.10
100000000000000000000
1e50
12345678901234567890
9007199254740993
0.1
1/3
-0
"${9007199254740993}"
"${1e21}"
"${1e3}"
"${0.1 + 0.2}"
"${1/3}"
format("%s", 1e21)
format("%d", 100000000000000000000)
tostring(1e6)
max(1, null)
lookup({a=null}, "a", "d")
lookup({a=[1]}, "a", [])
{"a" = 1, b = 2}
{(upper("a")) = 1}
{"${"a"}b" = 1}
{1 = "a"}
{true = "a"}
startswith("a", 1)
split(",", "a,b")[1]
keys({"10"=1,"9"=1})
[for k, v in {"10"=1,"9"=1}: k]
merge([{a=1},{b=2}]...)
concat([["a"],["b"]]...)
format("%s:%s", ["a","b"]...)
nonsensitive(sensitive("a"))
type("a")
ceil(1)
strcontains("a","")
join(",", toset(["b","a"]))
join(",", keys({b=1,a=1}))
tolist([])
length(toset(["a","a"]))
toset(["a"])[0]
element(toset(["b","a"]),0)
cidrsubnet("10.0.0.0/8", 8, 2)
cidrhost("10.0.0.0/8", 5)
basename("/a/b.txt")
dirname("/a/b.txt")
pathexpand("/a")
transpose({a=["x","y"],b=["x"]})
timeadd("2020-01-01T00:00:00Z", "1h")
formatdate("YYYY", "2020-01-01T00:00:00Z")
templatestring("a", {})
replace("arn:aws:iam::1:role/a-b", "/^arn:aws:iam::[0-9]+:role\\//", "")
replace("https://oidc.example.com/id/X", "https://", "")
replace("a.b.c", "/[.]/", "-")
replace("x1y22", "/(?P<n>[0-9]+)/", "<${n}>")
replace("x1y22", "/([0-9]+)/", "$1a")
regex("^([a-z]+)-(eu|us)-", "rings-eu-west")
regex("^[a-z]+$", "abc\n")
regexall("[0-9]+", "a1b22")
element(split("/", "oidc.example.com/id/X"), 2)
join("/", slice(split("/", "a/b/c"), 0, 2))
format("arn:%s:dynamodb:%s:%s:table/%s", "aws", "eu-west-1", 123456789012, "rings")
format("%s", 123456789012)
format("%d", 123456789012)
"${123456789012}"
lower("RINGS-${upper("eu")}")
coalesce("", null, "x")
merge({a="x"}, {b=1})
zipmap(["a","b"], ["x", 1])
lookup(tomap({a="x"}), "c", "d")
setsubtract(toset(["a","b"]), ["a"])
length(setunion(["a"],["a","b"]))
contains(toset(["a"]), "a")
contains(keys({a=1}), "a")
title("mimir rings")
trim("--a--", "-")
trimprefix("https://x", "https://")
substr("eu-west-1", 0, 2)
tonumber("08")
tobool("false")
tobool("0")
tostring(false)
flatten([for x in ["a","b"]: [x, upper(x)]])
[for x in [1,"2",true]: x]
{for k, v in {a=1,b=2}: upper(k) => v + 1}
max([for x in ["a","bb"]: length(x)]...)
sum([for x in [1,2]: x * 2])
anytrue([for x in ["a","b"]: x == "b"])
alltrue([for x in ["a","b"]: length(x) == 1])
index(["eu","us"], "us") + 1
10 % 4 == 2 ? "two" : "other"
!contains(["a"], "b") && length([1]) > 0
-5 % 2
5.5 - 0.5
2 * "3"
jsonencode({Version="2012-10-17", Statement=[{Effect="Allow", Action=["dynamodb:*"], Resource="*"}]})
jsonencode({b={d=1,c=2},a=[]})
jsondecode(jsonencode({a=[1,2]})).a[1]
base64decode(base64encode("mimir"))
parseint("-7", 10)
pow(2, 10)
indent(2, "a\nb")
distinct(["a", 1, "1"])
compact(["", 0, false])
sort(["b", 10, "a"])
setproduct(["a"], ["x", 1])
transpose({a=["x"]})
chunklist([1,2,3], 2)
range(5, 0, -2)
range(1, 2, 0)
chomp("x\n\ny\n")
signum("-1")
basename("a/b/")
basename("/")
basename("")
urlencode("a+b=c ~")
sha1("rings")
"a" == "a" ? true : false
null == "a"
coalescelist([], ["b"])
try(jsondecode("["), "none")
can(regex("^a", "b"))
can(regex("^a", "ab"))
try(regex("x", "abc"), "none")
""".strip().splitlines()
"""One expression a line, without references to anything."""

VARIABLES = r"""
string := 3
string := true
string := null
string := 1.50
string := [1]
number := "5"
number := "x"
bool := "true"
bool := "1"
bool := 0
any := [1, "a"]
list(string) := [1, true, "a"]
list(string) := "a"
list(bool) := ["true", false]
list(any) := [1, "a"]
list(list(number)) := [["1"], [2]]
list(map(string)) := [{ a = 1 }]
list(object({ a = optional(bool, true) })) := [{}, { a = false }]
set(string) := ["b", "a", "b"]
set(string) := []
set(number) := ["2", 1, "10"]
set(any) := ["a", 1]
map(string) := { a = 1, b = true }
map(any) := { a = 1, b = "x" }
map(number) := { a = "1e3" }
map(list(string)) := { a = [1] }
map(object({ n = optional(number, 1), s = optional(list(string), ["z"]) })) := { x = {}, y = { n = "4" } }
tuple([string, number]) := [1, "2"]
tuple([string]) := ["a", "b"]
object({}) := { a = 1 }
object({ a = string }) := {}
object({ a = string, b = optional(number, 3) }) := { a = 1 }
object({ a = string, b = optional(string) }) := { a = "x", c = 1 }
object({ a = optional(string, "d") }) := { a = null }
object({ a = optional(object({ b = optional(string, "d") }), {}) }) := {}
""".strip().splitlines()
"""Types of variables and their defaults, with `:=` between them."""
