"""No secret reaches what this tool writes down, and nothing else is blanked out."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimir_migrate.adapters.redaction import REDACTED, Redactor, learn_from

SECRET = "hunter2-Tr0ub4dor"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtaW1pciJ9.c2lnbmF0dXJlc2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nhunter2-Tr0ub4dor\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        f"password: {SECRET}",
        f"  redis_password: '{SECRET}'  # for the cache",
        f'{{"secretAccessKey":"{SECRET}","region":"eu-west-1"}}',
        f'{{"password": "with \\" a quote {SECRET}"}}',
        f"AWS_SECRET_ACCESS_KEY={SECRET} helm upgrade",
        f"export AWS_SESSION_TOKEN={SECRET}",
        f"helm upgrade --password {SECRET} --wait",
        f"helm upgrade --set auth.password={SECRET},replicas=3",
        f"curl -H 'Authorization: Bearer {SECRET}' https://api",
        f"Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101, Signature={SECRET}",
        f"proxy-authorization: Basic {base64.b64encode(SECRET.encode()).decode()} {SECRET}",
        f"error dialing postgres://mimir:{SECRET}@db:5432/x: refused",
        f"https://:{SECRET}@registry.example/charts",
        f"https://s3/x?X-Amz-Credential=A&X-Amz-Signature={SECRET}&x=1",
        f"    token: {SECRET}\n    client-key-data: {SECRET}\n",
        f"id-token: {SECRET}",
        f"api_key = {SECRET}",
        f"vault.example.com/token: {SECRET}",
        f"/run/secrets/token={SECRET}",
        f"auth token={SECRET}; retry",
        PEM,
        PEM[:60] + SECRET,
    ],
)
def test_secrets_in_the_shapes_they_have(text: str) -> None:
    """In YAML, JSON, shell, headers, URLs, keys: the secret goes and the rest stays readable."""
    redacted = Redactor().text(text)

    assert SECRET not in redacted
    assert REDACTED in redacted
    assert Redactor().text(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd: it is not a plan: JSON is malformed",
        "/etc/passwd:1: not TOML: expected '='",
        "~/.config/credentials: it cannot be read",
    ],
)
def test_a_file_that_is_called_like_a_secret_is_no_secret(text: str) -> None:
    """What is said of the file stays whole."""
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        JWT,
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "glpat-abcdefghij0123456789",
        "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXhhbXBsZQ",
        "xoxb-123456789012-abcdefghijkl",
    ],
)
def test_secrets_that_tell_by_themselves(secret: str) -> None:
    """Credentials with a shape of their own are found without a name beside them."""
    assert (
        Redactor().text(f"it said: {secret}, then stopped") == f"it said: {REDACTED}, then stopped"
    )


@pytest.mark.parametrize(
    "text",
    [
        "num_tokens: 512",
        "tokens: [1043, 77123]",
        "tokens_file_path: /data/tokens",
        "existingSecretName: mimir-bucket",
        "the secret mimir-config was not found",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "password: ${REDIS_PASSWORD}",
        "TOKEN=$TOKEN ./deploy",
        'password: "********"',
        "TOKEN=`cat token` ./deploy",
        "password: <secret>",
        "password: null",
        "token: ''",
        "dns+mimir-gossip-ring.mimir.svc.cluster.local:7946",
        "arn:aws:iam::123456789012:role/mimir",
        "mimir-ingester-0 10.0.0.7:9095 ACTIVE",
        "helm rollback mimir 4 -n mimir",
        "store: multi\nmulti:\n  primary: memberlist",
        "https://dynamodb.eu-west-1.amazonaws.com/",
        'cortex_ring_tokens_total{name="ingester"} 512',
        "the basic configuration",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """The words of rings, charts and commands are not taken for secrets."""
    assert Redactor().text(text) == text
    assert not Redactor().reveals(text)


BLOCK = """\
a: |
  stays
auth:
  - password: |-  # of the cache
      {secret}

      {secret}-2
    user: ana
token: >2
    {secret}
b: 1
"""


@pytest.mark.parametrize("mark", ["", " ", "+", "-"])
def test_lines_below_a_telling_setting_go_and_others_stay(mark: str) -> None:
    """A block scalar, in a file and in a diff of one."""
    text = "".join(f"{mark}{line}\n" for line in BLOCK.format(secret=SECRET).splitlines())

    assert SECRET not in Redactor().text(text)
    assert Redactor().text(text) == (
        text.replace(f"{SECRET}-2", REDACTED).replace(SECRET, REDACTED)
    )


def test_a_part_of_a_block_goes_once_the_whole_was_read() -> None:
    """A diff begins three lines above a change, which may be below the setting's name."""
    secret = "one-line-of-a-secret"
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----"
    learn_from(f"password: |\n  first-of-them\n  {secret}\nx:\n{key}\n")

    assert Redactor().text(f"   {secret}\n x:\n") == f"   {REDACTED}\n x:\n"
    assert Redactor().text(" MIIEvQIBADANBgkqhkiG9w0B") == f" {REDACTED}"


def test_registered_secrets_go_wherever_they_stand() -> None:
    """A known secret is found without any shape, also where one holds another."""
    redactor = Redactor({"GRAFANA_API_TOKEN": "correcthorse", "HOME": "/home/ada"})
    redactor.register("correcthorsebattery", "short")

    text = redactor.text("xcorrecthorsebatteryx correcthorse /home/ada short")

    assert text == f"x{REDACTED}x {REDACTED} /home/ada short"


def test_data_is_cleaned_by_the_names_of_its_settings() -> None:
    """In data, the name of a setting tells where no text does."""
    data = {
        "user": "ada",
        "password": SECRET,
        "nested": [{"token": SECRET}, (f"password={SECRET}",)],
        "n": 3,
    }

    assert Redactor().data(data) == {
        "user": "ada",
        "password": REDACTED,
        "nested": [{"token": REDACTED}, (f"password={REDACTED}",)],
        "n": 3,
    }


@pytest.mark.parametrize(
    ("anchor", "before", "after"),
    [
        ("a: 1\npassword: X\nb: 2\n  c: 3", "b: 2\n  c: 3", "a: 1\n"),
        ("password: X", "", ""),
        ("password: X\nb: 2", "b: 2", ""),
        ("a: 1\nb: 2\ntoken: X", "", "a: 1\nb: 2\n"),
        ("a: 1\n  b: 2", "a: 1\n  b: 2", "a: 1\n  b: 2"),
    ],
)
def test_what_stands_around_an_edit_is_cut_at_a_secret(
    anchor: str, before: str, after: str
) -> None:
    """The part next to the edit stays, in whole lines."""
    content = anchor.replace("X", SECRET).encode()

    assert Redactor().anchor_before(content) == before.encode()
    assert Redactor().anchor_after(content) == after.encode()


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "-",
            "a.b-",
            "token ",
            "password",
            "://",
            "a://",
            "bearer ",
            "eyJ-",
            "eyJaaaaaaaa.",
        ),
        *("Authorization", "-----BEGIN PRIVATE KEY-----", 'password: "', "--token ", "AKIA", "x:"),
    ],
)
def test_hostile_text_takes_no_longer(piece: str) -> None:
    """Much of what is nearly a secret is read once, not once for each of its characters."""
    text = piece * (150_000 // len(piece))

    assert len(Redactor().text(text)) <= len(text) + len(REDACTED) * (text.count(piece) + 1)


@given(
    before=st.text(max_size=40),
    secret=st.text(string.ascii_letters + string.digits + "/+", min_size=8, max_size=40),
    after=st.text(max_size=40),
)
def test_a_registered_secret_never_survives(before: str, secret: str, after: str) -> None:
    """Whatever stands around it."""
    redactor = Redactor()
    redactor.register(secret)
    if secret in REDACTED:
        return

    assert secret not in redactor.text(before + secret + after)
