"""Takes secrets out of text before it reaches a journal, a log, a report or an error.

Two nets: secrets that this process knows (registered, or values of environment variables with a
telling name), which are taken out wherever they stand; and shapes that secrets have. The shapes are
narrow on purpose: this tool's own data is full of ring tokens and checksums, which are no secrets.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping

REDACTED = "[redacted]"

_SHORTEST = 8
"""Registered secrets below this length would blank out ordinary words."""

_LONGEST_OPTION = 80

# Every pattern takes a time that grows with the text and no faster: none begins with something
# that can be repeated, and what is repeated is bounded or cannot start in its own middle.
_NAME = (
    r"(?:pass(?:word|wd|phrase)|secret|(?:secret[_-]?)?access[_-]?key|api[_-]?key|private[_-]?key"
    r"|client[_-]?key[_-]?data|token|credentials?)"
)
"""A setting with a name that ends so holds a secret. `tokens`, `num_tokens`, `token_file` and
`secretName` end otherwise."""

_SENSITIVE_NAME = re.compile(rf"(?i){_NAME}$")
_NOT_A_SECRET = re.compile(
    r"(?ix) ^ (?: [$`] .* | \[redacted\] | <[^>]*> | \*+ | true | false | null | ~ | \d{1,5} | [|>][-+\d]{0,3} ) $"
)
"""References to variables, masks, switches: what stands there instead of a secret."""

_BLOCK = re.compile(
    rf"""(?imx)
    ^ [+-]? [ ]{{0,256}} (?: -[ ]+ ){{0,4}}  # a mark of a diff, an indentation, an item of a list
    (?P<key> ["']? [\w./-]{{0,256}}? {_NAME} ["']? ) [ ]* : [ ]* (?: ![^\s]{{0,64}} [ ]+ )?
    [|>] [-+\d]{{0,3}} [ \t]* (?: \#.* )? $
    """
)
"""A setting whose secret stands in the lines below it, as YAML has them."""
_PEM_LINE = re.compile(r"[A-Za-z0-9+/=]{16,}")

_ASSIGNED = re.compile(
    rf"""(?ix)
    (?P<name> {_NAME} ) (?P<close> ["']? )   # password, "aws_secret_access_key", --token
    (?P<sep> \s*[:=]\s* | (?<=\w)[ ]+(?=[^\s:=]) )
    (?P<value> "(?:[^"\\\n]|\\.)*" | '(?:[^'\n]|'')*' | [^\s"',;&|)}}\]]+ )
    """
)
_SHAPES = (
    # PEM, also cut short at its end.
    (
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        REDACTED,
    ),
    (
        ("authorization",),
        re.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"),
        rf"\1{REDACTED}",
    ),
    (
        ("bearer", "basic"),
        re.compile(r"(?i)\b(bearer|basic)\s+(?=[^\s\"']*[0-9=])[A-Za-z0-9+/=._~-]{8,}"),
        rf"\1 {REDACTED}",
    ),
    # AWS: key ids by their registered prefixes; signatures and tokens in signed URLs.
    (
        ("akia", "asia", "aroa", "aida"),
        re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"),
        REDACTED,
    ),
    (
        ("x-amz-",),
        re.compile(r"(?i)\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"']+"),
        rf"\1{REDACTED}",
    ),
    # JSON web tokens: Kubernetes service accounts, OIDC.
    (
        ("eyj",),
        re.compile(r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
        REDACTED,
    ),
    # What `aws eks get-token` prints.
    (("k8s-aws-v1.",), re.compile(r"\bk8s-aws-v1\.[A-Za-z0-9_=-]+"), REDACTED),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glsa_", "xox", "hvs."),
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
            r"|glsa_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|hvs\.[A-Za-z0-9_-]{20,})"
        ),
        REDACTED,
    ),
    (
        ("://",),
        re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://[^\s/@:\"']{0,256}):[^\s/@\"']{1,1024}@"),
        rf"\1:{REDACTED}@",
    ),
)
"""Words of which one stands in every such secret, its shape, and what takes its place."""
_ASSIGNED_WORDS = ("pass", "secret", "key", "token", "credential")


class Redactor:
    """Takes secrets out of text. Safe to use from several threads."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: variables whose name says that they hold a secret are registered."""
        self._lock = threading.Lock()
        self._known: tuple[str, ...] = ()
        for name, value in (environment or {}).items():
            if _SENSITIVE_NAME.search(name):
                self.register(value)

    def register(self, *secrets: str) -> None:
        """Take these exact strings out from now on; shorter ones than 8 characters are ignored."""
        with self._lock:
            self._known = _joined(self._known, secrets)

    @property
    def known(self) -> tuple[str, ...]:
        """The registered secrets, the longest first."""
        return self._known

    def text(self, text: str) -> str:
        """`text` with every secret replaced by `[redacted]`."""
        for secret in (*self._known, *_LEARNT.known):
            if secret in text:
                text = text.replace(secret, REDACTED)
        lowered = text.lower()
        for words, pattern, replacement in _SHAPES:
            if any(word in lowered for word in words):
                text = pattern.sub(replacement, text)
        if any(word in lowered for word in _ASSIGNED_WORDS):
            for start, end in reversed(list(_lines_below(text))):
                indentation = text[start:end].partition(text[start:end].lstrip(" +-"))[0]
                text = f"{text[:start]}{indentation}{REDACTED}{text[end:]}"
            text = _ASSIGNED.sub(_without_value, text)
        return text

    def reveals(self, text: str) -> bool:
        """Whether there is a secret in `text`."""
        return self.text(text) != text

    def anchor_before(self, anchor: bytes) -> bytes:
        """The end of `anchor`, whole lines, from after its last secret; all of it without one."""
        text = anchor.decode("utf-8", "replace")
        redacted = self.text(text)
        if redacted == text:
            return anchor
        rest = redacted.rpartition(REDACTED)[2].partition("\n")[2].encode()
        return rest if anchor.endswith(rest) else b""

    def anchor_after(self, anchor: bytes) -> bytes:
        """The beginning of `anchor`, whole lines, up to its first secret; all of it without one."""
        text = anchor.decode("utf-8", "replace")
        redacted = self.text(text)
        if redacted == text:
            return anchor
        before, newline, _ = redacted.partition(REDACTED)[0].rpartition("\n")
        start = (before + newline).encode()
        return start if anchor.startswith(start) else b""

    def data(self, value: object) -> object:
        """JSON-like data with secrets taken out of every string in it, and of sensitive settings."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._setting(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.data(inner) for inner in value)
        return value

    def _setting(self, key: object, value: object) -> object:
        hides = (
            isinstance(key, str)
            and isinstance(value, str)
            and _SENSITIVE_NAME.search(key)
            and value
            and not _NOT_A_SECRET.match(value)
        )
        return REDACTED if hides else self.data(value)


_LEARNT = Redactor()
"""What this process came to know while it read files; every redactor takes it out."""


def learn(*secrets: str) -> None:
    """Let every redactor of this process take these strings out from now on.

    For what is read at run time: tokens of a kubeconfig, what a credential plugin printed. White space
    around a secret is not part of it.
    """
    _LEARNT.register(*(secret.strip() for secret in secrets))


def learn_from(text: str) -> None:
    """Let every redactor of this process take out what a text holds over several lines.

    A part of the text, such as a diff shows, may begin below the line that names a secret.
    """
    for start, end in _lines_below(text):
        learn(text[start:end])
    for words, shape, _ in _SHAPES[:1]:
        if words[0] in text.lower():
            learn(*(line for key in shape.findall(text) for line in _PEM_LINE.findall(key)))


def _lines_below(text: str) -> Iterator[tuple[int, int]]:
    """Where the lines stand that are the value of a telling setting, in the order of the text.

    Lines of a diff have a mark in front, which counts as a space.
    """
    if "|" not in text and ">" not in text:
        return
    reached = 0
    for found in _BLOCK.finditer(text):
        if found.start() < reached:
            continue
        column = found.start("key") - (text.rfind("\n", 0, found.start("key")) + 1)
        start = found.end() + 1
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            line = text[start:end]
            shown = line[1:] if line[:1] in {"+", "-"} else line
            if shown.strip() and len(line) - len(shown.lstrip(" ")) <= column:
                break
            if shown.strip():
                yield start, end
            start = end + 1
        reached = start


def is_telling(name: str) -> bool:
    """Whether a setting or a variable of that name holds a secret."""
    return bool(_SENSITIVE_NAME.search(name))


def _joined(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Secrets with more of them, the longest first: one may be the beginning of another."""
    wanted = {secret for secret in more if len(secret.strip()) >= _SHORTEST}
    return tuple(sorted({*known, *wanted}, key=len, reverse=True))


def _is_option(text: str, end: int) -> bool:
    """Whether the word that holds the place before `end` begins with a dash."""
    word = text[max(0, end - _LONGEST_OPTION) : end].split()
    return bool(word) and not text[end - 1].isspace() and word[-1].startswith("-")


def _is_file(text: str, end: int) -> bool:
    """Whether the word that holds the place before `end` is a path: `/etc/passwd: is not TOML`.

    Only one that begins as a path does: `vault.example.com/token: x` is an annotation with its value.
    """
    word = text[max(0, end - _LONGEST_OPTION) : end].split()
    return (
        bool(word)
        and not text[end - 1].isspace()
        and word[-1].lstrip("\"'`(").startswith(("/", "./", "../", "~/"))
    )


def _without_value(match: re.Match[str]) -> str:
    """One assignment with its value taken out; left alone where the value is plainly no secret."""
    value = match["value"]
    quote = value[0] if value[0] in "\"'" else ""
    bare = value.strip(quote) if quote else value
    by_space = not match["sep"].strip()
    # `--password x` and `--token x` are options; `the secret is out` is prose.
    if by_space and not _is_option(match.string, match.start()):
        return match[0]
    if (
        match["sep"].strip() == ":"
        and not match["close"]
        and _is_file(match.string, match.start())
    ):
        return match[0]
    if not bare or _NOT_A_SECRET.match(bare) or bare.startswith(REDACTED[:9]):
        return match[0]
    return f"{match['name']}{match['close']}{match['sep']}{quote}{REDACTED}{quote}"
